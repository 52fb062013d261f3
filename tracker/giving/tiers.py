"""Which amount a supporter chose: a preset one, or another that was typed."""

from dataclasses import dataclass, replace

from tracker.giving.campaign import Campaign, Frequency
from tracker.giving.money import AmountError, parse_amount

OTHER = "other"


@dataclass(frozen=True)
class Choice:
    """What will be charged: an amount in smallest units, once, every month or every year, and the tier it came from."""

    frequency: Frequency
    amount: int
    tier: str
    """The preset amount in smallest units as text, or `other`."""
    cover: int = 0
    """What is added to the amount for the fee."""

    @property
    def whole(self) -> int:
        """All that is charged."""
        return self.amount + self.cover


def choose(campaign: Campaign, frequency: Frequency, tier: str, typed: str, fee: str = "") -> Choice:
    """The choice that a form's fields mean. `fee` is the campaign's `fee_terms` if the fee is to be added.

    Nothing is guessed: a tier that the campaign does not have (a stale page, a tampered form) is refused, and an
    amount typed beside a chosen tier is refused too, since one of the two would be charged without being meant.
    A fee by other terms than the campaign's own today (a stale page) is refused for the same reason.
    Raises AmountError; its `reason` is one of those in `money`, or no_choice, unknown_tier, two_amounts, below_minimum,
    above_maximum, other_fee.
    """
    chosen = _chosen(campaign, frequency, tier, typed)
    if fee and fee != campaign.fee_terms:
        raise AmountError("other_fee")
    return replace(chosen, cover=campaign.cover(chosen.amount)) if fee else chosen


def _chosen(campaign: Campaign, frequency: Frequency, tier: str, typed: str) -> Choice:
    if not campaign.tiers(frequency):  # without amounts to choose from, it is not offered
        raise AmountError("no_choice")
    if tier == OTHER or (not tier and typed.strip()):
        amount = parse_amount(typed, campaign.currency, campaign.locale)
        if amount < campaign.minimum:
            raise AmountError("below_minimum")
        if amount > campaign.maximum:
            raise AmountError("above_maximum")
        return Choice(frequency, amount, OTHER)
    if not tier:
        raise AmountError("no_choice")
    if tier not in map(str, campaign.tiers(frequency)):
        raise AmountError("unknown_tier")
    if typed.strip() and not _same_amount(campaign, typed, int(tier)):
        raise AmountError("two_amounts")
    return Choice(frequency, int(tier), tier)


def _same_amount(campaign: Campaign, typed: str, amount: int) -> bool:
    try:
        return parse_amount(typed, campaign.currency, campaign.locale) == amount
    except AmountError:
        return False
