"""A campaign: who asks, for what, in which currency and language, and with which preset amounts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from tracker.giving import bar_style, money, months, way_back
from tracker.giving.money import format_amount
from tracker.giving.months import Month

MOST_TIERS = 6
MOST_CHECKOUT_WORDS = 1200
"""What Stripe takes beside its button, in characters."""


@dataclass(frozen=True)
class Campaign:
    """What a campaign's owner has set. Amounts in the smallest unit of `currency`; tiers ascend."""

    slug: str
    title: str
    currency: str
    time_zone: str
    locale: str
    amount_pattern: str = ""
    lead: str = ""
    story: str = ""
    once: tuple[int, ...] = ()
    monthly: tuple[int, ...] = ()
    minimum: int = 0
    maximum: int = money.MAXIMUM
    paused: bool = False
    accent: str = ""
    """The newsroom's colour, six hexadecimal digits; empty for ours."""
    held_month: str = ""
    """A campaign that is over keeps showing this month, written `2021-05`, and takes no more gifts."""
    allowed_hosts: tuple[str, ...] = ()
    """Sites to whose articles supporters are led back: host names."""
    thanks_words: str = ""
    """Markdown for whoever has given."""
    checkout_words: str = ""
    """Plain text beside the button on Stripe's page."""
    id: int = field(default=0, compare=False)
    """Its number in the database; 0 while it is not saved."""

    @property
    def takes_gifts(self) -> bool:
        return not self.paused and not self.held_month

    @property
    def language(self) -> str:
        """For the page's `lang` attribute: `pt_BR` as `pt-BR`."""
        return self.locale.replace("_", "-")

    def write(self, amount: int) -> str:
        """An amount as this campaign's readers see it: `2,500 $`."""
        return format_amount(amount, self.currency, self.locale, self.amount_pattern)

    def write_in(self, amount: int, currency: str) -> str:
        """An amount in a currency that may be another than the campaign's."""
        return self.write(amount) if currency == self.currency else format_amount(amount, currency, self.locale)

    def count(self, number: int) -> str:
        """A number of things as this campaign's readers see it: `1,240`."""
        return str(format_decimal(number, locale=self.locale))

    def month_name(self, month: Month) -> str:
        """A month as this campaign's readers see it: `May 2021`."""
        return months.month_name(month, self.locale)

    def moment(self, at: datetime) -> str:
        """A moment on the campaign's own clock: `2021-05-14 11:31`."""
        return at.astimezone(ZoneInfo(self.time_zone)).strftime("%Y-%m-%d %H:%M")

    def tiers(self, frequency: str) -> tuple[int, ...]:
        """The preset amounts for `once` or `month`."""
        return self.monthly if frequency == "month" else self.once

    def preselected(self, frequency: str) -> int | None:
        """The amount chosen before anybody chooses: a middle one, the lower of two (docs/giving.md says why)."""
        tiers = self.tiers(frequency)
        return tiers[(len(tiers) - 1) // 2] if tiers else None


def check(campaign: Campaign) -> None:
    """Raises ValueError with a sentence for the owner when a campaign cannot work as set."""
    for _, words in problems(campaign):
        raise ValueError(words)


def problems(campaign: Campaign) -> Iterator[tuple[str, str]]:
    """Everything that keeps a campaign from working as set: the name of what is wrong, and a sentence for the owner."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", campaign.slug):
        yield (
            "slug",
            f"“{campaign.slug}” cannot be used in a web address. Use lower-case letters, digits and hyphens, 60 at most.",
        )
    if not campaign.title.strip() or len(campaign.title) > 120:
        yield "title", "A campaign needs a title of 1 to 120 characters."
    # As they are spelled in all comparisons: `usd` or `de-AT` would be found nowhere.
    for name, spelled, what in (
        ("currency", money.check_currency, "currency"),
        ("locale", money.check_locale, "language"),
        ("accent", bar_style.check_accent, "colour"),
    ):
        said = getattr(campaign, name)
        try:
            if spelled(said) != said:
                yield name, f"Write the {what} “{said}” as {spelled(said)}."
        except ValueError as error:
            yield name, str(error)
    for name, check_one in (
        ("time_zone", months.check_zone),
        ("amount_pattern", money.check_pattern),
        ("held_month", months.parse_month),
    ):
        said = getattr(campaign, name)
        try:
            if said or name == "time_zone":
                check_one(said)
        except ValueError as error:
            yield name, str(error)
    if len(campaign.checkout_words) > MOST_CHECKOUT_WORDS:
        yield "checkout_words", f"Use {MOST_CHECKOUT_WORDS:,} characters or fewer: Stripe takes no more."
    if words := way_back.hosts_problem(campaign.allowed_hosts):
        yield "allowed_hosts", words
    for name in ("title", "lead", "story", "thanks_words", "checkout_words"):
        if "\0" in getattr(campaign, name):
            yield name, "There is a character in it that cannot be saved (NUL). Please type it again."
    yield from _problems_of_amounts(campaign)


def check_held_month(campaign: Campaign, now: datetime) -> None:
    """Raises ValueError when a campaign that ended would go on showing a month that has not begun."""
    if campaign.held_month and months.parse_month(campaign.held_month) > months.month_of(now, campaign.time_zone):
        raise ValueError(f"{campaign.held_month} is in the future: a campaign that ended shows a month that has begun.")


def _problems_of_amounts(campaign: Campaign) -> Iterator[tuple[str, str]]:
    least = money.least(campaign.currency)
    if campaign.minimum < least:
        yield "minimum", f"The smallest gift must be at least {campaign.write(least)}: Stripe takes no less."
    if campaign.maximum > money.MAXIMUM:
        yield "maximum", f"The largest gift can be {campaign.write(money.MAXIMUM)} at most: Stripe takes no more."
    if campaign.maximum < campaign.minimum:
        yield "maximum", "The largest gift must not be smaller than the smallest one."
    if not campaign.once and not campaign.monthly:
        yield "once", "A campaign needs at least one amount to choose, once or monthly."
    between = f"{campaign.write(campaign.minimum)} and {campaign.write(campaign.maximum)}"
    for name, tiers in (("once", campaign.once), ("monthly", campaign.monthly)):
        if len(tiers) > MOST_TIERS:
            yield name, f"{MOST_TIERS} amounts to choose from are the most: with more, people choose none."
        if list(tiers) != sorted(set(tiers)):
            yield name, "The amounts to choose from must ascend, each once."
        for amount in tiers:
            if amount % money.step(campaign.currency):
                yield (
                    name,
                    f"{campaign.write(amount)} cannot be charged in {campaign.currency}: it needs whole amounts.",
                )
            if not campaign.minimum <= amount <= campaign.maximum:
                yield name, f"{campaign.write(amount)} is not between the smallest and the largest gift, {between}."
