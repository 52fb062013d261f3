"""A campaign: who asks, for what, in which currency and language, and with which preset amounts."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from tracker.giving import bar_style, money, months
from tracker.giving.money import format_amount
from tracker.giving.months import Month

MOST_TIERS = 6


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
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", campaign.slug):
        raise ValueError(
            f"“{campaign.slug}” cannot stand in an address: use small letters, digits and hyphens, 60 at most."
        )
    if not campaign.title.strip() or len(campaign.title) > 120:
        raise ValueError("A campaign needs a title of 1 to 120 characters.")
    # As they are spelled in all comparisons: `usd` or `de-AT` would be found nowhere.
    if money.check_currency(campaign.currency) != campaign.currency:
        raise ValueError(f"Write the currency “{campaign.currency}” as {campaign.currency.upper()}.")
    if money.check_locale(campaign.locale) != campaign.locale:
        raise ValueError(f"Write the language “{campaign.locale}” as {money.check_locale(campaign.locale)}.")
    months.check_zone(campaign.time_zone)
    if campaign.amount_pattern:
        money.check_pattern(campaign.amount_pattern)
    if bar_style.check_accent(campaign.accent) != campaign.accent:
        raise ValueError(f"Write the colour “{campaign.accent}” as {bar_style.check_accent(campaign.accent)}.")
    if campaign.held_month:
        months.parse_month(campaign.held_month)
    _check_amounts(campaign)


def check_held_month(campaign: Campaign, now: datetime) -> None:
    """Raises ValueError when a campaign that ended would go on showing a month that has not begun."""
    if campaign.held_month and months.parse_month(campaign.held_month) > months.month_of(now, campaign.time_zone):
        raise ValueError(f"{campaign.held_month} is in the future: a campaign that ended shows a month that has begun.")


def _check_amounts(campaign: Campaign) -> None:
    least = money.least(campaign.currency)
    if campaign.minimum < least:
        raise ValueError(f"The smallest gift must be at least {campaign.write(least)}: Stripe takes no less.")
    if campaign.maximum > money.MAXIMUM:
        raise ValueError(f"The largest gift can be {campaign.write(money.MAXIMUM)} at most: Stripe takes no more.")
    if campaign.maximum < campaign.minimum:
        raise ValueError("The largest gift must not be smaller than the smallest one.")
    if not campaign.once and not campaign.monthly:
        raise ValueError("A campaign needs at least one amount to choose, once or monthly.")
    for tiers in (campaign.once, campaign.monthly):
        if len(tiers) > MOST_TIERS:
            raise ValueError(f"{MOST_TIERS} amounts to choose from are the most: with more, people choose none.")
        if list(tiers) != sorted(set(tiers)):
            raise ValueError("The amounts to choose from must ascend, each once.")
        for amount in tiers:
            if amount % money.step(campaign.currency):
                raise ValueError(
                    f"{campaign.write(amount)} cannot be charged in {campaign.currency}: it needs whole amounts."
                )
            if not campaign.minimum <= amount <= campaign.maximum:
                between = f"{campaign.write(campaign.minimum)} and {campaign.write(campaign.maximum)}"
                raise ValueError(
                    f"{campaign.write(amount)} is not between the smallest and the largest gift, {between}."
                )
