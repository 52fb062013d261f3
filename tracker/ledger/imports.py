"""Past gifts from another system's file, each once however often the file comes. A part at a time: an import that was
interrupted is simply run again."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift, Reversal
from tracker.giving.import_map import IMPORTED, ImportMap, map_from_dict
from tracker.giving.import_rows import Line, Nth, read_lines
from tracker.giving.money import to_main
from tracker.giving.months import month_of
from tracker.giving.refusals import Refusal
from tracker.ledger import audit_log, book, pending_facts, stripe_ids
from tracker.ledger.entries import enter_gifts, open_month
from tracker.ledger.import_models import ImportMapRow
from tracker.ledger.models import alias, closed, entry, insert_unless_there, note, waiting
from tracker.ledger.reversals import OUTSIDE
from tracker.ledger.store import reading, writing

AT_ONCE = 2000
# How far apart noon of the same day can be if the campaign has changed its time zone since.
ANOTHER_CLOCK = timedelta(hours=26)


@dataclass(frozen=True)
class Told:
    """What became of one row: `new`, `known`, `left_out` or `refused`, with the reason in words."""

    number: int
    outcome: str
    own_id: str
    why: str = ""
    month: str = ""
    amount: int = 0


@dataclass
class Report:
    """How many rows had each outcome, and how much each month got."""

    outcomes: Counter[str] = field(default_factory=Counter)
    gifts: Counter[str] = field(default_factory=Counter)
    """By the month they are booked in."""
    amounts: Counter[str] = field(default_factory=Counter)
    some: list[Told] = field(default_factory=list)
    """The first rows that were refused, and the first that were left out."""
    most: int = 20

    def note(self, told: Told) -> None:
        self.outcomes[told.outcome] += 1
        if told.outcome == "new":
            self.gifts[told.month] += told.amount > 0
            self.amounts[told.month] += told.amount
        elif told.outcome != "known" and self.outcomes[told.outcome] <= self.most:
            self.some.append(told)

    @property
    def refused(self) -> list[Told]:
        return [told for told in self.some if told.outcome == "refused"]


def run(
    text: Iterable[str], how: ImportMap, campaign: Campaign, live: bool, now: datetime, *, write: bool,
    tell: Callable[[Told], None] = lambda told: None,
) -> Report:  # fmt: skip
    """Reads a file, and records what is new in it, or only says what would be. Each part is a transaction of its own.

    Refused rows are reported and passed over: to record all or nothing, check first, with `write` False.
    """
    report = Report()
    with _counting() as nth:
        lines = read_lines(text, how, campaign, live, now, nth)
        while some := list(islice(lines, AT_ONCE)):
            with writing() if write else reading() as session:
                for told in _take(session, some, how, campaign, live, now, write=write):
                    report.note(told)
                    tell(told)
    if not report.outcomes:
        raise ValueError("There are no gifts in this file.")
    return report


@contextmanager
def _counting() -> Iterator[Nth]:
    """Counts texts on the disk, since a file may have millions of them."""
    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("CREATE TABLE text (said TEXT PRIMARY KEY, times INTEGER, line INTEGER) WITHOUT ROWID")
    connection.execute("BEGIN")

    def nth(said: str, line: int) -> tuple[int, int]:
        row = connection.execute(
            "INSERT INTO text VALUES (?, 1, ?) ON CONFLICT (said) DO UPDATE SET times = times + 1 RETURNING times, line",
            (said, line),
        ).fetchone()
        return int(row[0]), int(row[1])

    try:
        yield nth
    finally:
        connection.close()


# --- One part ---------------------------------------------------------------------------------------------------------


def _take(
    session: Session, lines: list[Line], how: ImportMap, campaign: Campaign, live: bool, now: datetime, *, write: bool
) -> Iterator[Told]:  # fmt: skip
    facts = [line.fact for line in lines if line.fact]
    there = _entries(session, [fact.key for fact in facts])
    paid = _known_payments(session, facts, live, how)
    shut = set(
        session.scalars(select(closed.c.month).where(closed.c.campaign_id == campaign.id, closed.c.live == live))
    )
    new: list[tuple[Line, Gift, str]] = []
    for line in lines:
        fact = line.fact
        if fact is None:
            yield Told(line.number, line.outcome, line.own_id, line.why)
        elif fact.key in there:
            yield _known(line, fact, there[fact.key], campaign)
        elif isinstance(fact, Reversal):
            # Rare, and its gift may be in this very part.
            _write(session, new, campaign, live, now, write=write)
            new = []
            yield _told_by_stripe(session, line, fact) or _take_back(session, line, fact, campaign, now, write=write)
        elif known_as := next((one for one in fact.known_as if one in paid), ""):
            yield Told(line.number, "known", line.own_id, f"{known_as} is already in the ledger.")
        else:
            month = str(month_of(fact.at, campaign.time_zone))
            if month in shut and how.system:
                why = f"{month} is closed. Reopen it to import into it."
                yield Told(line.number, "refused", line.own_id, why)
                continue
            if month in shut:
                month = open_month(session, campaign.id, live, [], now, campaign.time_zone)
            new.append((line, fact, month))
            yield Told(line.number, "new", line.own_id, month=month, amount=fact.amount)
    _write(session, new, campaign, live, now, write=write)


def _entries(session: Session, keys: list[str]) -> dict[str, Any]:
    rows = session.execute(select(entry.c.key, entry.c.amount, entry.c.at).where(entry.c.key.in_(keys)))
    return {row.key: row for row in rows}


def _known_payments(
    session: Session, facts: Iterable[Gift | Reversal], live: bool, how: ImportMap
) -> set[str]:  # fmt: skip
    """Which of the payments that these gifts name the ledger has from elsewhere, by any of their ids.

    Two rows of one system that name one payment, such as an invoice paid in parts, are two gifts: each has its own id.
    """
    names = {one for fact in facts if isinstance(fact, Gift) for one in fact.known_as}
    if not names:
        return set()
    own = select(entry.c.key).where(entry.c.key.in_(names), entry.c.live == live)
    others = (
        select(alias.c.stripe_id)
        .join(entry, entry.c.key == alias.c.gift_key)
        .where(alias.c.stripe_id.in_(names), entry.c.live == live)
        .where(entry.c.key.not_like(f"{IMPORTED}{how.system}:%"))
    )
    return {*session.scalars(own), *session.scalars(others)}


def _known(line: Line, fact: Gift | Reversal, there: Any, campaign: Campaign) -> Told:
    if isinstance(fact, Reversal):
        return Told(line.number, "known", line.own_id)
    if there.amount == fact.amount and abs(there.at - fact.at) <= ANOTHER_CLOCK:
        return Told(line.number, "known", line.own_id)
    why = (
        f"The id “{line.own_id}” is already in the ledger: {campaign.write(there.amount)} of {there.at:%Y-%m-%d}."
        " Give a different gift a different id; reverse a wrong one on its month's page."
    )
    return Told(line.number, "refused", line.own_id, why)


def _told_by_stripe(session: Session, line: Line, fact: Reversal) -> Told | None:
    """What takes something off a gift that Stripe itself told of is Stripe's to tell: it would count twice."""
    gifts = stripe_ids.gifts_known_as(session, fact.gift_known_as, fact.live)
    own = (entry.c.key == line.own_id, entry.c.gift_key.in_([gift.key for gift in gifts]))
    if session.scalar(select(entry.c.id).where(*own)) is not None:
        return Told(line.number, "known", line.own_id)
    if all(gift.key.startswith(IMPORTED) for gift in gifts) or line.own_id.startswith(OUTSIDE):
        # Nobody else tells of it.
        return None
    why = "Stripe told of its gift, and tells of this as well: “tracker sync” asks."
    return Told(line.number, "left_out", line.own_id, why)


def _take_back(
    session: Session, line: Line, fact: Reversal, campaign: Campaign, now: datetime, *, write: bool
) -> Told:  # fmt: skip
    if write:
        outcome = book.record(session, fact, now)
        if outcome == "known":
            # Twice in this file.
            return Told(line.number, "known", line.own_id)
        if outcome == "waiting":
            # Its gift may be a refused or left-out row of this file: nothing waits for it.
            session.execute(delete(waiting).where(waiting.c.key == fact.key))
            return Told(line.number, "refused", line.own_id, "its gift is not in the ledger.")
        row = session.execute(select(entry.c.month, entry.c.amount).where(entry.c.key == fact.key)).one()
        return Told(line.number, "new", line.own_id, month=row.month, amount=row.amount)
    month = str(month_of(fact.at, campaign.time_zone))
    return Told(line.number, "new", line.own_id, month=month, amount=fact.amount)


def _write(
    session: Session, new: list[tuple[Line, Gift, str]], campaign: Campaign, live: bool, now: datetime, *, write: bool
) -> None:  # fmt: skip
    if not (new and write):
        return
    enter_gifts(session, campaign, live, [(gift, month) for _, gift, month in new], now)
    notes = [{"gift_key": gift.key, "words": line.note} for line, gift, _ in new if line.note]
    if notes:
        session.execute(insert(note), notes)
    ids = [{"stripe_id": one, "gift_key": gift.key} for _, gift, _ in new for one in gift.known_as]
    if ids:
        session.execute(insert_unless_there(alias), ids)
        if session.scalar(select(waiting.c.key).limit(1)) is not None:
            # A refund of a payment that was somebody else's until now.
            for _, gift, _ in new:
                for fact in pending_facts.for_gift(session, gift.key):
                    book.record(session, fact, now)


# --- Saved maps -------------------------------------------------------------------------------------------------------


def saved_maps(session: Session, campaign: Campaign) -> dict[str, ImportMap]:
    """A campaign's own maps, by their names."""
    rows = session.scalars(
        select(ImportMapRow).where(ImportMapRow.campaign_id == campaign.id).order_by(ImportMapRow.name)
    )
    return {row.name: map_from_dict(row.columns) for row in rows}


def save_map(session: Session, campaign: Campaign, name: str, how: ImportMap) -> None:
    """Keeps a map under a name, in place of the one that had it. Raises ValueError with a sentence."""
    name = " ".join(name.split())
    if not (0 < len(name) <= 60 and name.isprintable()):
        raise Refusal("A map's name can have at most 60 characters.")
    these = (ImportMapRow.campaign_id == campaign.id, ImportMapRow.name == name)
    session.execute(delete(ImportMapRow).where(*these))
    session.add(ImportMapRow(campaign_id=campaign.id, name=name, columns=how.as_dict()))


def note_in_log(
    session: Session, who: audit_log.Who, now: datetime, campaign: Campaign, how: ImportMap, done: Report
) -> None:  # fmt: skip
    """A line in the audit log for what was recorded; none where nothing was. A file's name may name a person: it is left out."""
    if done.outcomes["new"]:
        amounts = {month: campaign.write(amount) for month, amount in sorted(done.amounts.items())}
        after = {"system": how.name, "gifts": done.outcomes["new"], **amounts}
        audit_log.note(session, who, now, "gift.imported", campaign=campaign.slug, after=after)


def describe(report: Report, how: ImportMap, campaign: Campaign) -> Iterator[str]:
    """The months of a report, a line each."""
    for month in sorted(report.amounts):
        number = report.gifts[month]
        yield f"{month}: {campaign.write(report.amounts[month])}, {number} gift{'' if number == 1 else 's'}"


def told_row(told: Told, campaign: Campaign) -> tuple[str, ...]:
    """A line of the report as a row of a file."""
    amount = str(to_main(told.amount, campaign.currency)) if told.outcome == "new" else ""
    return str(told.number), told.outcome, told.own_id, told.month, amount, told.why


REPORT_COLUMNS = ("line", "outcome", "id", "month", "amount", "reason")
