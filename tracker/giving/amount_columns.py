"""Amounts in a column: all with decimals, or all without, so that they can be compared at a glance."""

from collections.abc import Callable, Iterable

from tracker.giving.campaign import Campaign
from tracker.giving.money import exponent, format_amount

Writer = Callable[[int, str], str]


def column(campaign: Campaign, amounts: Iterable[tuple[int | None, str]]) -> Writer:
    """Writes the amounts of one column, each a number of smallest units and its currency, as the campaign's readers see them."""
    in_full = any(amount is not None and amount % 10 ** exponent(currency) for amount, currency in amounts)

    def write(amount: int, currency: str) -> str:
        pattern = campaign.amount_pattern if currency == campaign.currency else ""
        return format_amount(amount, currency, campaign.locale, pattern, in_full=in_full)

    return write
