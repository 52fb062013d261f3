"""A campaign: who asks, for what, in which currency and language, and with which preset amounts."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, format_percent

from tracker.giving import bar_style, money, months, way_back
from tracker.giving.money import format_amount
from tracker.giving.months import Month
from tracker.giving.refusals import Refusal

MOST_TIERS = 6
MOST_CHECKOUT_WORDS = 1200
"""What Stripe takes beside its button, in characters."""
MOST_OF_A_GIFT = 2000
"""The largest fee that can be offered to be added, in hundredths of a percent."""

Frequency = Literal["once", "month", "year"]
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
TIERS: dict[str, str] = {"once": "once", "month": "monthly", "year": "yearly"}
"""The campaign's field with the amounts of each frequency."""


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
    yearly: tuple[int, ...] = ()
    default_frequency: str = ""
    """What is chosen before anybody chooses: `once`, `month` or `year`; empty for the first that is offered."""
    minimum: int = 0
    maximum: int = money.MAXIMUM
    paused: bool = False
    pause_reason: str = ""
    """What a paused campaign's page says in place of the form; empty for our own words."""
    stops_at_goal: bool = False
    """Whether giving stops for the rest of a month once its goal is reached."""
    reached_words: str = ""
    """What the page says when the goal is reached."""
    archived: bool = False
    """Not listed on the front page; its own pages stay."""
    cover_percent: int = 0
    """What Stripe keeps of a gift, for supporters who want to add it: hundredths of a percent, and a fixed part."""
    cover_fixed: int = 0
    """In the smallest unit. Both 0: nothing is offered to be added."""
    newsletter: str = ""
    """What a box beside the form says, with which supporters ask for the newsletter; empty for no box."""
    accent: str = ""
    """The newsroom's colour, six hexadecimal digits; empty for ours."""
    held_month: str = ""
    """A campaign that is over keeps showing this month, written `2021-05`, and takes no gifts any more."""
    allowed_hosts: tuple[str, ...] = ()
    """Sites to whose articles supporters are led back: host names."""
    thanks_words: str = ""
    """Markdown for whoever has given."""
    checkout_words: str = ""
    """Plain text beside the button on Stripe's page."""
    id: int = field(default=0, compare=False)
    """Its number in the database; 0 while it is not saved."""
    has_appeals: bool = field(default=False, compare=False)
    """Whether it has, or had, a drive or a match: known from the database."""

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

    def column(self, amounts: Iterable[int | None], currency: str = "") -> Callable[[int], str]:
        """Writes the amounts of one column alike, all with decimals if any of them has some, so that they line up."""
        in_currency = currency or self.currency
        write = self.column_of_many((amount, in_currency) for amount in amounts)
        return lambda amount: write(amount, in_currency)

    def column_of_many(self, amounts: Iterable[tuple[int | None, str]]) -> Callable[[int, str], str]:
        """The same for a column with amounts in several currencies, each with its own."""
        in_full = any(amount % 10 ** money.exponent(currency) for amount, currency in amounts if amount)

        def write(amount: int, currency: str) -> str:
            pattern = self.amount_pattern if currency == self.currency else ""
            return format_amount(amount, currency, self.locale, pattern, in_full=in_full)

        return write

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
        """The preset amounts for `once`, `month` or `year`; none for anything else."""
        return {"once": self.once, "month": self.monthly, "year": self.yearly}.get(frequency, ())

    @property
    def offered(self) -> tuple[Frequency, ...]:
        """How often one can give here: what has amounts to choose from."""
        return tuple(one for one in FREQUENCIES if self.tiers(one))

    @property
    def first_frequency(self) -> Frequency:
        """How often one gives here before anybody chooses."""
        chosen = [one for one in self.offered if one == self.default_frequency]
        return (chosen or self.offered)[0]

    @property
    def fee_terms(self) -> str:
        """What a form shows the fee by, `290+30`, so that what is added is what was shown; empty where none is offered."""
        return f"{self.cover_percent}+{self.cover_fixed}" if self.cover_percent or self.cover_fixed else ""

    @property
    def fee_words(self) -> str:
        """The same for readers: `2.9% + 0.30 $`."""
        percent = format_percent(Decimal(self.cover_percent) / 10_000, locale=self.locale, decimal_quantization=False)
        fixed = self.write(self.cover_fixed)
        return " + ".join([percent] * bool(self.cover_percent) + [fixed] * bool(self.cover_fixed))

    def cover(self, amount: int) -> int:
        """What has to be added to a gift so that all of the amount is left after the fee, which is taken of both."""
        if not self.fee_terms:
            return 0
        whole = _up((amount + self.cover_fixed) * 10_000, 10_000 - self.cover_percent)
        step = money.step(self.currency)
        return _up(whole, step) * step - amount

    def preselected(self, frequency: str) -> int | None:
        """The amount chosen before anybody chooses: a middle one, the lower of two (docs/giving.md says why)."""
        tiers = self.tiers(frequency)
        return tiers[(len(tiers) - 1) // 2] if tiers else None


def _up(amount: int, by: int) -> int:
    """Divided, and rounded up."""
    return -(-amount // by)


def check(campaign: Campaign) -> None:
    """Raises ValueError with a sentence for the owner when a campaign cannot work as set."""
    for _, refusal in problems(campaign):
        raise refusal


def problems(campaign: Campaign) -> Iterator[tuple[str, Refusal]]:
    """Everything that keeps a campaign from working as set: the name of what is wrong, and a sentence for the owner."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", campaign.slug):
        yield (
            "slug",
            Refusal(
                "“%(slug)s” cannot be used in a web address. Use lower-case letters, digits and hyphens, 60 at most.",
                slug=campaign.slug,
            ),
        )
    if not campaign.title.strip() or len(campaign.title) > 120:
        yield "title", Refusal("A campaign needs a title of 1 to 120 characters.")
    # As they are spelled in all comparisons: `usd` or `de-AT` would never be found.
    for name, spelled in (
        ("currency", money.check_currency),
        ("locale", money.check_locale),
        ("accent", bar_style.check_accent),
    ):
        said = getattr(campaign, name)
        try:
            if spelled(said) != said:
                yield name, _misspelled(name, said, spelled(said))
        except Refusal as refusal:
            yield name, refusal
    for name, check_one in (
        ("time_zone", months.check_zone),
        ("amount_pattern", money.check_pattern),
        ("held_month", months.parse_month),
        ("allowed_hosts", way_back.check_hosts),
    ):
        said = getattr(campaign, name)
        try:
            if said or name == "time_zone":
                check_one(said)
        except Refusal as refusal:
            yield name, refusal
    if len(campaign.checkout_words) > MOST_CHECKOUT_WORDS:
        most = f"{MOST_CHECKOUT_WORDS:,}"
        yield "checkout_words", Refusal("Use %(most)s characters or fewer: Stripe takes no more.", most=most)
    for name in (
        "title", "lead", "story", "pause_reason", "reached_words", "newsletter", "thanks_words", "checkout_words",
    ):  # fmt: skip
        if "\0" in getattr(campaign, name):
            yield name, Refusal("There is a character in it that cannot be saved (NUL). Please type it again.")
    yield from _problems_of_amounts(campaign)
    yield from _problems_of_the_fee(campaign)


def _misspelled(name: str, said: str, spelled: str) -> Refusal:
    if name == "currency":
        return Refusal("Write the currency “%(said)s” as %(spelled)s.", said=said, spelled=spelled)
    if name == "locale":
        return Refusal("Write the language “%(said)s” as %(spelled)s.", said=said, spelled=spelled)
    return Refusal("Write the colour “%(said)s” as %(spelled)s.", said=said, spelled=spelled)


def check_held_month(campaign: Campaign, now: datetime) -> None:
    """Raises ValueError when a campaign that ended would go on showing a month that has not begun."""
    if campaign.held_month and months.parse_month(campaign.held_month) > months.month_of(now, campaign.time_zone):
        raise ValueError(f"{campaign.held_month} is in the future: a campaign that ended shows a month that has begun.")


def _problems_of_amounts(campaign: Campaign) -> Iterator[tuple[str, Refusal]]:
    least, write = money.least(campaign.currency), campaign.write
    if campaign.minimum < least:
        needed = write(least)
        yield "minimum", Refusal("The smallest gift must be at least %(amount)s: Stripe takes no less.", amount=needed)
    if campaign.maximum > money.MAXIMUM:
        most = write(money.MAXIMUM)
        yield "maximum", Refusal("The largest gift can be %(amount)s at most: Stripe takes no more.", amount=most)
    if campaign.maximum < campaign.minimum:
        yield "maximum", Refusal("The largest gift must not be smaller than the smallest one.")
    if not campaign.offered:
        yield "once", Refusal("A campaign needs at least one amount to choose: once, monthly or yearly.")
    if campaign.default_frequency and campaign.default_frequency not in campaign.offered:
        yield "default_frequency", Refusal("Choose a frequency that has amounts to choose from.")
    for frequency, name in TIERS.items():
        yield from ((name, refusal) for refusal in _problems_of_tiers(campaign, campaign.tiers(frequency)))


def _problems_of_tiers(campaign: Campaign, tiers: tuple[int, ...]) -> Iterator[Refusal]:
    if len(tiers) > MOST_TIERS:
        yield Refusal("Offer %(most)s amounts at most: with more, people choose none.", most=MOST_TIERS)
    if list(tiers) != sorted(set(tiers)):
        yield Refusal("List the amounts in ascending order, each once.")
    for amount in tiers:
        if amount % money.step(campaign.currency):
            yield Refusal(
                "%(amount)s cannot be charged in %(currency)s: it needs whole amounts.",
                amount=campaign.write(amount),
                currency=campaign.currency,
            )
        if not campaign.minimum <= amount <= campaign.maximum:
            yield Refusal(
                "%(amount)s is not between the smallest and the largest gift, %(smallest)s and %(largest)s.",
                amount=campaign.write(amount),
                smallest=campaign.write(campaign.minimum),
                largest=campaign.write(campaign.maximum),
            )


def _problems_of_the_fee(campaign: Campaign) -> Iterator[tuple[str, Refusal]]:
    if not 0 <= campaign.cover_percent <= MOST_OF_A_GIFT:
        yield "cover_percent", Refusal("The fee can be %(most)s %% of a gift at most.", most=MOST_OF_A_GIFT // 100)
    elif not 0 <= campaign.cover_fixed <= campaign.minimum:
        yield "cover_fixed", Refusal("The fixed part of the fee must not be larger than the smallest gift.")
    elif campaign.maximum + campaign.cover(campaign.maximum) > money.MAXIMUM:
        most = campaign.write(money.MAXIMUM)
        yield (
            "maximum",
            Refusal("With the fee on top it would be more than %(amount)s: Stripe takes no more.", amount=most),
        )
