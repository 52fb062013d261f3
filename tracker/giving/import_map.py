"""How another system's file of past gifts is read: which column is what, how dates and numbers are written, which rows count."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from tracker.giving.months import check_zone
from tracker.giving.refusals import Refusal

IMPORTED = "import:"
"""The prefix of keys of gifts imported from another system."""
KINDS = ("once", "monthly", "yearly", "offline")
GIVEN_BACK = ("refund", "dispute")
"""Kinds of rows that take money off a gift; its payment says which gift."""
NUMBERS = ("plain", "point", "comma", "smallest")
"""`12.50` alone; `1,234.50`; `1.234,50`; whole cents."""
NAMES = {
    "givewp": "GiveWP", "donorbox": "Donorbox", "givebutter": "Givebutter", "ghost": "Ghost", "stripe": "Stripe",
    "pledgebar": "Pledgebar",
}  # fmt: skip


@dataclass(frozen=True)
class ImportMap:
    """Names of columns, and how their cells are read. What a file has no column for stays empty."""

    system: str
    """Where the gifts are from: part of their keys, and shown beside them. Empty for the newsroom's own offline gifts."""
    date: str
    amount: str
    time: str = ""
    """If the time of day has a column of its own."""
    id: str = ""
    currency: str = ""
    note: str = ""
    kind_column: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The kind for each word in that column; `*` stands for any other word, and an empty word for an empty cell."""
    kind: str = "offline"
    """The kind if there is no such column."""
    refunded: str = ""
    """How much of a gift was given back later; only the rest counts."""
    payments: tuple[str, ...] = ()
    """Columns with Stripe's ids of the payment, so that gifts that Stripe reports itself do not count twice."""
    date_formats: tuple[str, ...] = ("iso",)
    """As `strptime` has them; `iso` is 2021-05-14, with or without a time. The first that fits is taken."""
    numbers: str = "point"
    zone: str = ""
    """The time zone of the file's times; if empty, the campaign's."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which words a column must have for a row to count."""

    @property
    def name(self) -> str:
        return NAMES.get(self.system, self.system)

    def as_dict(self) -> dict[str, Any]:
        """The map to be saved: only what differs from the defaults."""
        return {name: value for name, value in asdict(self).items() if value}


def map_from_dict(kept: Mapping[str, Any]) -> ImportMap:
    """What `as_dict` made, also after JSON. Raises ValueError with a sentence."""
    if not isinstance(kept, Mapping) or not all(isinstance(kept[name], _shape(name)) for name in kept):
        raise Refusal("This is not a map: it must be an object with names of columns.")
    known = {one.name for one in fields(ImportMap)}
    if unknown := set(kept) - known:
        raise Refusal("“%(name)s” is not part of a map.", name=min(unknown)[:40])
    values = dict(kept)
    for name in ("payments", "date_formats"):
        if name in values:
            values[name] = tuple(values[name])
    if "only" in values:
        values["only"] = {column: tuple(words) for column, words in values["only"].items()}
    try:
        return checked(ImportMap(**values))
    except TypeError:
        raise Refusal("A map needs at least the columns date and amount.") from None


def _shape(name: str) -> type | tuple[type, ...]:
    return (list, tuple) if name in ("payments", "date_formats") else dict if name in ("kinds", "only") else str


def checked(found: ImportMap) -> ImportMap:
    """The map, if it can be used. Raises ValueError with a sentence."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", found.system):
        raise Refusal("Name the system in lower-case letters, digits and hyphens, such as givewp.")
    if not (found.date and found.amount):
        raise Refusal("A map needs at least the columns date and amount.")
    for kind in (found.kind, *found.kinds.values()):
        if kind not in (*KINDS, *GIVEN_BACK):
            raise Refusal("“%(kind)s” is not a kind: write once, monthly, yearly or offline.", kind=kind[:20])
    if found.numbers not in NUMBERS:
        raise Refusal(
            "“%(way)s” is not a way to write numbers: choose plain, point, comma or smallest.", way=found.numbers[:20]
        )
    if found.zone:
        check_zone(found.zone)
    return found


def columns_from_text(text: str) -> dict[str, str]:
    """`date=Created,amount=Sum` as a dictionary. Raises ValueError with a sentence."""
    pairs = [one.partition("=") for one in text.split(",") if one.strip()]
    if not all(sign for _, sign, _ in pairs):
        raise Refusal("Write columns as date=Created,amount=Sum.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def built_map(
    base: ImportMap | None, *, columns: str = "", system: str = "", numbers: str = "", kind: str = "", kinds: str = "",
    zone: str = "", date_formats: Sequence[str] = (), only: Iterable[str] = (),
) -> ImportMap:  # fmt: skip
    """A ready or saved map with what somebody changes of it, or one of their own; their list of cheques without either.

    `columns` and `kinds` as `name=value,name=value`, `only` as `column=word` each. Raises ValueError with a sentence.
    """
    changed: dict[str, Any] = {
        name: value
        for name, value in (("system", system), ("numbers", numbers), ("kind", kind), ("zone", zone))
        if value
    }
    changed |= columns_from_text(columns)
    if unknown := set(changed) - {one.name for one in fields(ImportMap)}:
        raise Refusal("“%(name)s” is not part of a map.", name=min(unknown)[:40])
    if "payments" in changed:
        changed["payments"] = tuple(changed["payments"].split("+"))
    if date_formats:
        changed["date_formats"] = tuple(date_formats)
    if kinds:
        changed["kinds"] = columns_from_text(kinds)
    words: dict[str, tuple[str, ...]] = {}
    for column, _, word in (one.partition("=") for one in only):
        words[column.strip()] = (*words.get(column.strip(), ()), word.strip())
    if words:
        changed["only"] = words
    if base is None:
        return map_from_dict({"system": "file", **changed}) if changed else OWN
    return checked(replace(base, **changed))


def system_of(key: str) -> str:
    """The name of the system that a gift was imported from, by its key; nothing for any other gift."""
    if not key.startswith(IMPORTED):
        return ""
    system = key.removeprefix(IMPORTED).partition(":")[0]
    return NAMES.get(system, system)


OWN = ImportMap(system="", date="date", amount="amount", note="note", id="id", numbers="plain")
"""The newsroom's own list of cheques, cash and bank transfers."""

# Ready maps. docs/files.md says where the names are from, and what could not be tried on a real file.
_DONE = ("complete", "completed", "publish", "renewal")
READY: dict[str, ImportMap] = {
    # includes/admin/tools/export/give-export-donations-exporter.php of GiveWP. “Renewal” is a later payment of a recurring gift.
    "givewp": ImportMap(
        "givewp", date="Donation Date", time="Donation Time", amount="Donation Total", id="Donation ID",
        currency="Currency Code", kind_column="Donation Status", kinds={"renewal": "monthly", "*": "once"},
        only={"Donation Status": _DONE},
        # WordPress writes dates as its settings say; these are the ones that it offers.
        date_formats=("iso", "%B %d, %Y", "%m/%d/%Y"),
    ),
    # The first line of a real file, as in a public program that reads it.
    "donorbox": ImportMap(
        "donorbox", date="Donated At", amount="Amount", id="Receipt Id", currency="Currency",
        kind_column="Recurring Donation", kinds={"": "once", "no": "once", "false": "once", "*": "monthly"},
        payments=("Stripe Charge Id",), date_formats=("iso", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y"),
    ),
    # The same, for Givebutter's file of transactions.
    "givebutter": ImportMap(
        "givebutter", date="Payment Captured (UTC)", amount="Amount", id="Reference Number", currency="Currency",
        kind_column="Frequency", kinds={"monthly": "monthly", "yearly": "yearly", "annually": "yearly", "*": "once", "": "once"},
        only={"Refund Date (UTC)": ("",)}, zone="UTC", date_formats=("iso", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y"),
    ),
    # Ghost has no file of payments. These are its tables, as its schema.js has them, written as CSV from the database.
    "ghost-tips": ImportMap(
        "ghost", date="created_at", amount="amount", id="id", currency="currency", note="donation_message", kind="once",
        numbers="smallest", zone="UTC",
    ),
    "ghost-members": ImportMap(
        "ghost", date="created_at", amount="amount", id="id", currency="currency", kind="monthly", numbers="smallest",
        zone="UTC",
    ),
    # “Payments”, exported with all columns. A payment with an invoice belongs to a subscription.
    "stripe": ImportMap(
        "stripe", date="Created date (UTC)", amount="Amount", id="id", currency="Currency", refunded="Amount Refunded",
        kind_column="Invoice ID", kinds={"": "once", "*": "monthly"}, payments=("id", "PaymentIntent ID", "Invoice ID"),
        only={"Status": ("paid",)}, zone="UTC",
    ),
    # Our own file of entries.
    "pledgebar": ImportMap(
        "pledgebar", date="date", amount="amount", id="stripe_id", currency="currency", kind_column="kind",
        kinds={kind: kind for kind in (*KINDS, *GIVEN_BACK)}, payments=("payment_intent", "stripe_id"), numbers="plain",
    ),
}  # fmt: skip
