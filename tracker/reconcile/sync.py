"""The operator's reconciliation with Stripe: every fact that Stripe can tell, held against the book and recorded there."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.gateway.events import CORRECTED_BY, TOLD_BY
from tracker.gateway.stripe_history import Found, History, HistoryUnavailable
from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal, Subscription
from tracker.giving.money import to_main
from tracker.giving.rollup import ONLINE
from tracker.ledger import book, reversals
from tracker.ledger.models import delivery, entry
from tracker.ledger.store import reading, writing
from tracker.reconcile.compare import Comparer

# Events first, for their exact times. Then the objects: gifts, what tells their payments and fees, and all that was
# taken back of them in the order in which it happened, which is what the amounts of single entries depend on when
# more is taken back than was given. At the end, what the book has and nobody has told of.
STEPS = ("event", "session", "invoice", "payment", "charge", "correction", "subscription", "payout", "phantom")
PAGED = ("session", "invoice", "payment", "charge", "subscription", "payout")
AT_ONCE = 100
LINES = 50
STRANGERS = 20
"""So many entries, and nothing else, that Stripe does not know are no phantoms: it is another account that is asked."""
NOTED = {
    Gift: "gift", Reversal: "refund", InvoicePayment: "link", BalanceTransaction: "settlement", Payout: "payout",
    Subscription: "supporter",
}  # fmt: skip

# What Stripe calls the thing behind an entry of each kind.
BEHIND = {
    "once": "session",
    "monthly": "invoice",
    "yearly": "invoice",
    "refund": "refund",
    "dispute": "balance_transaction",
}


@dataclass
class Report:
    """What a run has found. Amounts in it are written out, for people."""

    looked_at: Counter[str] = field(default_factory=Counter)
    """How many of Stripe's objects, by kind."""
    undelivered: Counter[str] = field(default_factory=Counter)
    """How many events told of money and never came here, by step."""
    missing: Counter[str] = field(default_factory=Counter)
    """How many facts were not in the book, by what they are."""
    lines: list[str] = field(default_factory=list)
    """The first of the missing gifts, refunds and disputes."""
    waiting: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)
    """By key: what differs, in words."""
    foreign: Counter[str] = field(default_factory=Counter)

    def written(self) -> dict[str, object]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def read(cls, written: dict[str, object]) -> "Report":
        made = cls(**written)  # type: ignore[arg-type]
        for name in ("looked_at", "undelivered", "missing", "waiting", "foreign"):
            setattr(made, name, Counter(getattr(made, name)))
        return made


class Progress:
    """How far a run has come, kept in a folder so that an interrupted one goes on where it was. None keeps nothing."""

    def __init__(self, folder: Path | None, since: datetime) -> None:
        self.since, self.step, self.cursor = since, STEPS[0], ""
        self.report = Report()
        self.seen: set[str] = set()
        """The keys of all entries that Stripe has told of: whatever else is in the book is a phantom."""
        self.resumed = False
        self._file = folder / "sync.json" if folder else None
        self._seen_file = folder / "sync.seen" if folder else None
        if self._file and self._file.exists():
            self._resume(json.loads(self._file.read_text(encoding="utf-8")))

    def _resume(self, written: dict[str, object]) -> None:
        if written["since"] != self.since.isoformat():
            # Another run than the one that was interrupted.
            self.finish()
            return
        self.resumed, self.step, self.cursor = True, str(written["kind"]), str(written["cursor"])
        self.report = Report.read(written["report"])  # type: ignore[arg-type]
        assert self._seen_file is not None
        self.seen = set(self._seen_file.read_text(encoding="utf-8").split("\n")) - {""}

    def note(self, step: str, cursor: str, told: Iterable[str]) -> None:
        """What was found up to here is in the book, and need not be asked for again."""
        new = sorted(set(told) - self.seen)
        self.seen.update(new)
        self.step, self.cursor = step, cursor
        if self._file is None or self._seen_file is None:
            return
        with self._seen_file.open("a", encoding="utf-8") as opened:
            opened.writelines(f"{key}\n" for key in new)
        written = {"since": self.since.isoformat(), "kind": step, "cursor": cursor, "report": self.report.written()}
        made = self._file.with_suffix(".json.new")
        made.write_text(json.dumps(written), encoding="utf-8")
        made.replace(self._file)

    def finish(self) -> None:
        for file in (self._file, self._seen_file):
            if file:
                file.unlink(missing_ok=True)


Tell = Callable[[str, int], None]


class Reconciliation:
    """One run. `now` is when it began: what is recorded carries that time."""

    def __init__(
        self, history: History, progress: Progress, now: datetime, *, live: bool, dry_run: bool,
        tell: Tell = lambda step, count: None,
    ) -> None:  # fmt: skip
        self.history, self.progress, self.now = history, progress, now
        self.live, self.dry_run, self.tell = live, dry_run, tell
        self.report = progress.report
        self._comparer = Comparer()
        self._counted: set[tuple[str, str]] = set()

    def run(self) -> Report:
        """Asks for everything since the day, page by page, and records what is missing unless this is a dry run."""
        for step in STEPS[STEPS.index(self.progress.step) :]:
            after = self.progress.cursor if step == self.progress.step else ""
            for found, cursor in self._batches(step, after):
                told = self._take(found)
                self.progress.note(step, cursor, told)
                self.tell(step, self.report.looked_at[step])
        self.progress.finish()
        return self.report

    # --- What is asked for ---

    def _batches(self, step: str, after: str) -> Iterator[tuple[list[Found], str]]:
        since = self.progress.since
        if step in PAGED:
            for page in self.history.pages(step, since, after):
                self.report.looked_at[step] += len(page.found)
                yield list(page.found), page.cursor
            return
        # The others are taken whole: read, put in order and then recorded, a part at a time.
        read = {"event": self._events, "correction": self._corrections, "phantom": self._untold}[step]
        rest = read(since)
        # Whatever an interrupted run had counted of it is counted again.
        self.report.looked_at[step] = self.report.undelivered[step] = 0
        while some := list(islice(rest, AT_ONCE)):
            self.report.looked_at[step] += len(some)
            yield some, ""

    def _events(self, since: datetime) -> Iterator[Found]:
        """The events that never came here, oldest first; those about money going back are for later."""
        types = [name for name in TOLD_BY if name not in CORRECTED_BY]
        return self._undelivered("event", self.history.events(since, types))

    def _undelivered(self, step: str, found: list[Found]) -> Iterator[Found]:
        for start in range(0, len(found), AT_ONCE):
            some = found[start : start + AT_ONCE]
            with reading() as session:
                ids = select(delivery.c.event_id).where(delivery.c.event_id.in_([one.id for one in some]))
                came = set(session.scalars(ids))
            never_came = [one for one in some if one.id not in came]
            self.report.undelivered[step] += len(never_came)
            yield from never_came

    def _corrections(self, since: datetime) -> Iterator[Found]:
        """Refunds and disputes, from events and objects, each movement once and oldest first; then their fees."""
        told = self._undelivered("correction", self.history.events(since, CORRECTED_BY))
        objects = [one for kind in ("refund", "dispute") for one in self.history.found(kind, since)]
        taken: dict[str, Found] = {}
        settled: list[Found] = []
        self.report.foreign["refund"] = self.report.foreign["dispute"] = 0
        for one in [*told, *reversed(objects)]:
            for fact in one.facts:
                if isinstance(fact, Reversal):
                    taken.setdefault(fact.key, Found(fact.kind, fact.key.removesuffix("/failed"), False, (fact,)))
                else:
                    settled.append(Found(one.kind, one.id, True, (fact,)))
        yield from sorted(taken.values(), key=_happened_at)
        yield from settled

    def _untold(self, since: datetime) -> Iterator[Found]:
        """What is in the book and was not told of, asked for by its own id: it may only have begun long before."""
        for number, (kind, key) in enumerate(self._entries_untold(since)):
            if number == STRANGERS == len(self.report.wrong) and not self.progress.seen:
                raise HistoryUnavailable("Stripe knows none of these entries: is this the key of the same account?")
            found = self.history.one(BEHIND[kind], key.removesuffix("/failed"))
            told = found is not None and any(isinstance(one, Gift | Reversal) and one.key == key for one in found.facts)
            if not told and not self._was_taken_off(key):
                self.report.wrong[key] = "is in the book, and Stripe has nothing of the kind"
            if found is not None:
                yield found

    def _was_taken_off(self, key: str) -> bool:
        """Whether nothing is left of a gift since somebody noted that it was given back outside of Stripe."""
        with reading() as session:
            gift = session.execute(select(entry).where(entry.c.key == key, entry.c.gift_key == key)).one_or_none()
            return (
                gift is not None
                and reversals.given_back_outside(session, key) > 0
                and reversals.left_of(session, gift) == 0
            )

    def _entries_untold(self, since: datetime) -> list[tuple[str, str]]:
        # Nothing was told of an entry that only evens out another one, and Stripe knows of no cheques.
        these = (
            entry.c.at >= since, entry.c.live == self.live, entry.c.kind.in_(BEHIND), entry.c.told != 0,
            *(entry.c.key.not_like(f"{start}%") for start in reversals.NOT_AT_STRIPE),
            # A later part of an invoice is told of with the invoice.
            entry.c.kind.not_in(ONLINE) | (entry.c.key == entry.c.gift_key),
        )  # fmt: skip
        with reading() as session:
            rows = session.execute(select(entry.c.kind, entry.c.key).where(*these).order_by(entry.c.id))
            return [(row.kind, row.key) for row in rows if row.key not in self.progress.seen]

    # --- What comes of it ---

    def _take(self, batch: list[Found]) -> list[str]:
        """Compares, and records, in one short transaction. Returns the keys of the entries that were told of."""
        with reading() if self.dry_run else writing() as session:
            for found in batch:
                standings = [self._take_fact(session, fact) for fact in found.facts]
                self._count_foreign(found, standings)
        facts = [fact for found in batch for fact in found.facts]
        return [fact.key for fact in facts if isinstance(fact, Gift | Reversal)]

    def _take_fact(self, session: Session, fact: Fact) -> str:
        compared = self._comparer.compare(session, fact)
        name = fact.kind if isinstance(fact, Reversal) else NOTED[type(fact)]
        key = fact.gift_key if isinstance(fact, InvoicePayment) else fact.key
        if compared.standing == "wrong":
            self.report.wrong.setdefault(key, f"the book has {compared.here}, Stripe {_figures(fact)}")
        elif compared.standing in ("missing", "waiting") and self._is_new(f"{compared.standing} {name}", key):
            (self.report.missing if compared.standing == "missing" else self.report.waiting)[name] += 1
            if isinstance(fact, Gift | Reversal) and len(self.report.lines) < LINES:
                self.report.lines.append(_line(fact, compared.standing))
        if not self.dry_run and not (compared.standing == "foreign" and isinstance(fact, BalanceTransaction | Payout)):
            # What is settled for somebody else has nothing here to wait for.
            book.record(session, fact, self.now)
        return compared.standing

    def _count_foreign(self, found: Found, standings: list[str]) -> None:
        of_nobody = all(standing == "foreign" for standing in standings) if standings else found.kind in OWN_METADATA
        if found.kind != "event" and not found.ours and of_nobody and self._is_new(f"foreign {found.kind}", found.id):
            self.report.foreign[found.kind] += 1

    def _is_new(self, what: str, key: str) -> bool:
        """Events and objects tell of the same thing: it is counted once."""
        new = (what, key) not in self._counted
        self._counted.add((what, key))
        return new


OWN_METADATA = ("session", "invoice", "subscription")
"""What would carry our metadata if it were ours; with none and no facts it is somebody else's."""


def _happened_at(found: Found) -> datetime:
    (fact,) = found.facts
    assert isinstance(fact, Reversal)
    return fact.at


def _line(fact: Gift | Reversal, standing: str) -> str:
    kind = "gift" if isinstance(fact, Gift) else fact.kind
    why = " (waits: its campaign is not known, or its currency is another)" if standing == "waiting" else ""
    return (
        f"{fact.at:%Y-%m-%d %H:%M:%S}  {kind:7} {to_main(fact.amount, fact.currency)} {fact.currency}  {fact.key}{why}"
    )


def _figures(fact: Fact) -> str:
    if isinstance(fact, BalanceTransaction):
        return f"{fact.amount} {fact.currency}, fee {fact.fee}, net {fact.net}"
    assert isinstance(fact, Gift | Reversal)
    return f"{fact.amount} {fact.currency}"
