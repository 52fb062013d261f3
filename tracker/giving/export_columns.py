"""An entry as a row of a file: what each column says, and no cell that a spreadsheet would take for a formula."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from tracker.giving.money import to_main


@dataclass(frozen=True)
class Row:
    """One entry. The names and their order are the columns of the files, and a contract (docs/giving.md)."""

    date: datetime
    """On the campaign's own clock."""
    month: str
    kind: str
    amount: int
    """Signed, in the smallest unit of `currency`, as are `fee` and `net`: unknown unless settled in that currency."""
    fee: int | None
    net: int | None
    currency: str
    campaign: str
    frequency: str
    tier: str
    source: str
    closed_month: str
    """The month it belongs to, where that was closed and it is booked in a later one."""
    stripe_id: str
    payment_intent: str
    payout: str


COLUMNS = tuple(field.name for field in fields(Row))

# What programs take for the beginning of a formula, or skip before one.
_SUSPICIOUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def cells(row: Row) -> list[str | Decimal | None]:
    """The row's cells in the order of the columns: amounts as decimals in the main unit, None where unknown."""
    main = {name: _main(getattr(row, name), row.currency) for name in ("amount", "fee", "net")}
    tier = to_main(int(row.tier), row.currency) if row.tier.isascii() and row.tier.isdigit() else row.tier
    special = {**main, "date": row.date.isoformat(timespec="seconds"), "tier": tier}
    return [special[name] if name in special else getattr(row, name) for name in COLUMNS]


def _main(amount: int | None, currency: str) -> Decimal | None:
    return None if amount is None else to_main(amount, currency)


def harmless(cell: str | Decimal | None) -> str:
    """A cell as text for a CSV file. Only numbers may begin with a minus; other text that would is put behind a `'`."""
    if isinstance(cell, Decimal):
        return str(cell)
    return f"'{cell}" if cell and cell.startswith(_SUSPICIOUS) else cell or ""
