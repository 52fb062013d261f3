"""What an address of the supporter's page chooses beforehand: how often, how much, and where the supporter came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tracker.giving.bar_style import read_bar_style, read_source
from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, parse_decimal_amount, plain_number, to_main
from tracker.giving.way_back import read_back


@dataclass(frozen=True)
class Prefill:
    """What an address asks for; what it does not ask for is empty. `amount` in the currency's smallest unit."""

    frequency: str = ""
    amount: int | None = None
    src: str = ""
    pos: str = ""
    lang: str = ""
    """The language of the bar that the supporter came from, in Babel's spelling."""
    cover: bool = False
    """Whether the fee is added. For the way back of somebody who had chosen so; links do not choose it for anybody."""
    back: str = ""
    """The article's address, on a site that the campaign allows."""

    def query(self, currency: str) -> str:
        """As the query of an address, from which `read_prefill` reads it again."""
        amount = "" if self.amount is None else plain_number(to_main(self.amount, currency), currency, "en")
        named = {
            "frequency": self.frequency,
            "amount": amount,
            "src": self.src,
            "pos": self.pos,
            "lang": self.lang.replace("_", "-"),
            "cover": "yes" if self.cover else "",
            "back": self.back,
        }
        return urlencode({name: text for name, text in named.items() if text}, safe="/")


def read_prefill(asked: Mapping[str, str], campaign: Campaign, *, any_amount: bool = False) -> Prefill:
    """`frequency`, `amount`, `src`, `pos`, `lang`, `cover` and `back` from an address or a form. Never raises.

    What cannot be read, or is not offered, is left out, and so is an amount that the campaign does not take: nobody is
    shown another one instead. With `any_amount` it is kept, for a donor who comes back after the limits have changed.
    """
    frequency = asked.get("frequency", "")
    amount = _read_amount(asked.get("amount", ""), campaign.currency)
    taken = amount is not None and campaign.minimum <= amount <= campaign.maximum
    return Prefill(
        frequency if campaign.tiers(frequency) else "",
        amount if taken or any_amount else None,
        lang=read_bar_style(asked).lang,
        cover=bool(asked.get("cover") and campaign.fee_terms),
        back=read_back(asked.get("back", ""), campaign.allowed_hosts),
        **read_source(asked),
    )


def _read_amount(text: str, currency: str) -> int | None:
    """An amount in the currency's main unit, with a point for decimals, in smallest units; None for anything else."""
    try:
        amount = parse_decimal_amount(text, currency)
    except AmountError:
        return None
    return amount if amount > 0 else None
