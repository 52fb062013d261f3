"""Postings for the bookkeeper: each moves an amount from one account to another, so a journal always balances to zero."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tracker.giving.export_columns import harmless
from tracker.giving.money import to_main
from tracker.giving.refusals import Refusal

ACCOUNTS = {
    "clearing": "Stripe balance", "bank": "Bank", "cash": "Cash and cheques", "earlier": "Earlier systems",
    "once": "One-time gifts", "monthly": "Monthly gifts", "yearly": "Yearly gifts", "offline": "Offline gifts",
    "refund": "Refunds", "dispute": "Disputes", "fees": "Stripe fees", "other": "Other payments",
    "exchange": "Currency exchange",
}  # fmt: skip
"""Our names for the accounts, and their default names in the file."""
DETAILS = {"tax": "Tax Exempt", "consultant": "1001", "client": "1"}
"""What some programs also need: Xero a tax rate, DATEV the numbers of the consultant and the client."""
PROGRAMS = {"": "", "quickbooks": "QuickBooks", "xero": "Xero", "datev": "DATEV"}
COLUMNS = ("date", "reference", "account", "debit", "credit", "currency", "memo")


@dataclass(frozen=True)
class Booking:
    """One movement. `amount` is above zero, in the smallest unit of `currency`; accounts by our names for them."""

    day: date
    debit: str
    credit: str
    amount: int
    currency: str
    memo: str


def booking(day: date, debit: str, credit: str, amount: int, currency: str, memo: str) -> Booking | None:
    """The posting of a signed amount: below zero it goes the other way, and zero makes none."""
    if not amount:
        return None
    sides = (debit, credit) if amount > 0 else (credit, debit)
    return Booking(day, *sides, abs(amount), currency, memo)


def read_accounts(text: str) -> dict[str, str]:
    """The default names, replaced as in `fees=6855,bank=1200`. Raises ValueError with a sentence."""
    found = ACCOUNTS | DETAILS
    for one in text.split(","):
        name, sign, value = (part.strip() for part in one.partition("="))
        if not one.strip():
            continue
        if not sign or name not in found or not value or not value.isprintable():
            raise Refusal("“%(text)s” is not an account: write it as fees=6855, with one of %(names)s.",
                          text=one.strip()[:40], names=", ".join(found))  # fmt: skip
        found[name] = value
    return found


def write_journal(bookings: Iterable[Booking], accounts: Mapping[str, str], program: str, now: datetime) -> bytes:
    """The postings as a file for a program, oldest first."""
    ordered = sorted(bookings, key=lambda one: (one.day, one.currency, one.memo, one.debit, one.credit))
    match program:
        case "quickbooks":
            return _csv(_quickbooks(ordered, accounts))
        case "xero":
            return _csv(_xero(ordered, accounts))
        case "datev":
            return _datev(ordered, accounts, now)
    return _csv(_plain(ordered, accounts))


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _number(one: Booking) -> str:
    """What postings that balance together have in common: day and currency."""
    return f"PB-{one.day:%Y%m%d}-{one.currency}"


def _main(one: Booking) -> str:
    return str(to_main(one.amount, one.currency))


def _plain(bookings: Iterable[Booking], accounts: Mapping[str, str]) -> Iterator[Sequence[str]]:
    yield COLUMNS
    for one in bookings:
        for account, debit, credit in ((one.debit, _main(one), ""), (one.credit, "", _main(one))):
            name = harmless(accounts[account])
            yield one.day.isoformat(), _number(one), name, debit, credit, one.currency, harmless(one.memo)


def _quickbooks(bookings: Iterable[Booking], accounts: Mapping[str, str]) -> Iterator[Sequence[str]]:
    # Columns as in its help; dates as in the United States.
    yield "JournalNo", "JournalDate", "AccountName", "Debits", "Credits", "Description", "Currency"
    for day, number, account, debit, credit, currency, memo in list(_plain(bookings, accounts))[1:]:
        yield number, f"{day[5:7]}/{day[8:]}/{day[:4]}", account, debit, credit, memo, currency


def _xero(bookings: Iterable[Booking], accounts: Mapping[str, str]) -> Iterator[Sequence[str]]:
    # One manual journal for each narration; debits are above zero.
    yield "*Narration", "*Date", "Description", "*AccountCode", "*TaxRate", "*Amount"
    for one in bookings:
        about = (_number(one), f"{one.day:%d/%m/%Y}", harmless(one.memo))
        yield *about, harmless(accounts[one.debit]), accounts["tax"], _main(one)
        yield *about, harmless(accounts[one.credit]), accounts["tax"], f"-{_main(one)}"


# --- DATEV ------------------------------------------------------------------------------------------------------------

_HEAD = (
    "Umsatz (ohne Soll/Haben-Kz)", "Soll/Haben-Kennzeichen", "WKZ Umsatz", "Kurs", "Basis-Umsatz", "WKZ Basis-Umsatz", "Konto",
    "Gegenkonto (ohne BU-Schlüssel)", "BU-Schlüssel", "Belegdatum", "Belegfeld 1", "Belegfeld 2", "Skonto", "Buchungstext",
)  # fmt: skip
_FIELDS = 31


def _datev(bookings: Sequence[Booking], accounts: Mapping[str, str], now: datetime) -> bytes:
    """A Buchungsstapel in DATEV's format: semicolons, decimal commas, Windows' letters, an account on each side of a line."""
    used = {account for one in bookings for account in (one.debit, one.credit)}
    if unnumbered := sorted(name for name in used if not accounts[name].isdecimal()):
        raise Refusal("DATEV needs account numbers, such as %(name)s=6855: give them for %(names)s.",
                      name=unnumbered[0], names=", ".join(unnumbered))  # fmt: skip
    days = [one.day for one in bookings] or [now.date()]
    if days[0].year != days[-1].year:
        raise Refusal("DATEV takes one year at a time.")
    length = max((len(accounts[name]) for name in used), default=4)
    head = [
        '"EXTF"', "700", "21", '"Buchungsstapel"', "13", f"{now:%Y%m%d%H%M%S}000", "", '"PB"', '""', '""',
        accounts["consultant"], accounts["client"], f"{days[0].year}0101", str(length), f"{days[0]:%Y%m%d}",
        f"{days[-1]:%Y%m%d}", '"Pledgebar"', '""', "1", "0", "0", f'"{bookings[0].currency if bookings else "EUR"}"',
    ]  # fmt: skip
    lines = [";".join(head + [""] * (_FIELDS - len(head))), ";".join(_HEAD)]
    for one in bookings:
        memo = one.memo.replace('"', "'")[:60]
        lines.append(
            f'{_main(one).replace(".", ",")};"S";"{one.currency}";;;"";{accounts[one.debit]};{accounts[one.credit]};"";'
            f'{one.day:%d%m};"{_number(one)}";"";;"{memo}"'
        )
    return ("\r\n".join(lines) + "\r\n").encode("cp1252", "replace")


def balances(bookings: Iterable[Booking]) -> dict[tuple[str, str], int]:
    """What the postings add up to, by account and currency; below zero if credits are larger."""
    sums: dict[tuple[str, str], int] = {}
    for one in bookings:
        for account, amount in ((one.debit, one.amount), (one.credit, -one.amount)):
            sums[account, one.currency] = sums.get((account, one.currency), 0) + amount
    return sums
