"""Gifts looked up: what each filter finds, page after page without a gap, and by an index whatever is asked for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from actors import MAY, NEWSROOM, dispute_fact, each, gift_fact, moment, refund_fact
from flask import Flask
from sqlalchemy import event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tracker.giving.facts import BalanceTransaction, Payout
from tracker.giving.months import parse_month
from tracker.ledger import book, gift_list, month_closing, reversals
from tracker.ledger.gift_list import Wanted, find
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing

NOW = moment("2021-07-01T12:00")
APRIL, JUNE = moment("2021-04-20T08:00"), moment("2021-06-02T08:00")


def settled(of: str, fee: int = 30, payout: str = "") -> Iterator[Any]:
    """What a gift of 1,000 came to, and the payout that it is in."""
    key = f"txn_{of}"
    yield BalanceTransaction(key, "gift", (f"pi_{of}",), 1000, fee, 1000 - fee, "USD", "", MAY, MAY, False)
    if payout:
        yield Payout(payout, MAY + timedelta(days=7), (key,), False)


@pytest.fixture
def gifts(app: Flask) -> None:
    facts = [
        gift_fact("cs_april", 1000, at=APRIL, source="harbour", tier="1000"),
        gift_fact("cs_1", 1000, source="harbour", place="top", tier="1000", name="Ana Petrović"),
        gift_fact("cs_2", 13700, source="ferry", tier="other", at=MAY + timedelta(hours=1), name="İnci ÇELİK"),
        gift_fact("in_1", 500, kind="monthly", tier="500", at=MAY + timedelta(hours=2)),
        gift_fact("in_2", 5000, kind="yearly", at=MAY + timedelta(hours=3)),
        gift_fact("offline:a", 700, kind="offline", known_as=(), at=MAY + timedelta(hours=4)),
        gift_fact("offline:b", 800, kind="offline", known_as=(), at=MAY + timedelta(hours=5)),
        gift_fact("cs_june", 2500, at=JUNE, name="Mariana"),
        gift_fact("cs_live", 1000, live=True),
        gift_fact("cs_eur", 1000, currency="EUR", at=MAY + timedelta(hours=6)),
        refund_fact("cs_1", 400, "re_1", at=JUNE),
        refund_fact("cs_1", 100, "re_2", at=JUNE + timedelta(days=1)),
        refund_fact("cs_2", 13700, "re_3"),
        refund_fact("cs_2", -13700, "re_3/failed"),
        dispute_fact("cs_june", 2500, "txn_d", at=JUNE + timedelta(days=5)),
        *settled("cs_1", payout="po_1"),
        *settled("cs_april"),
    ]
    with writing() as session:
        for fact in facts:
            assert book.record(session, fact, NOW) == "recorded"
        reversals.take_back(session, session.execute(select(entry).where(entry.c.key == "offline:b")).one(), NOW)


def found(**wanted: Any) -> list[str]:
    with reading() as session:
        return [one.key for one in find(session, NEWSROOM, False, Wanted(**wanted)).gifts]


MONTHS = {name: parse_month(name) for name in ("2021-04", "2021-05", "2021-06")}
ALL_MAY = ["cs_eur", "offline:b", "offline:a", "in_2", "in_1", "cs_2", "cs_1"]
FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["cs_june", *ALL_MAY, "cs_april"]),
    ({"month": MONTHS["2021-05"]}, ALL_MAY),
    ({"kind": "once"}, ["cs_june", "cs_eur", "cs_2", "cs_1", "cs_april"]),
    ({"kind": "yearly"}, ["in_2"]),
    ({"kind": "offline", "month": MONTHS["2021-05"]}, ["offline:b", "offline:a"]),
    ({"kind": "offline", "month": MONTHS["2021-06"]}, []),
    ({"source": "harbour"}, ["cs_1", "cs_april"]),
    ({"source": "harbour", "month": MONTHS["2021-04"]}, ["cs_april"]),
    ({"source": "harbour", "least": 1000, "most": 1000, "kind": "once"}, ["cs_1", "cs_april"]),
    ({"source": "nowhere"}, []),
    ({"tier": "other"}, ["cs_2"]),
    # Not the one in euros.
    ({"least": 1000, "most": 1000}, ["cs_1", "cs_april"]),
    ({"least": 1000, "most": 1000, "month": MONTHS["2021-04"]}, ["cs_april"]),
    ({"least": 800, "most": 5000}, ["cs_june", "offline:b", "in_2", "cs_1", "cs_april"]),
    ({"most": 700}, ["offline:a", "in_1"]),
    ({"largest_first": True}, ["cs_2", "in_2", "cs_june", "cs_1", "cs_april", "offline:b", "offline:a", "in_1"]),
    ({"largest_first": True, "least": 700, "most": 2500, "month": MONTHS["2021-05"]}, ["cs_1", "offline:b", "offline:a"]),
    ({"largest_first": True, "state": "refunded"}, ["cs_1"]),
    # Each once; a refund that failed is none.
    ({"state": "refunded"}, ["cs_1"]),
    ({"state": "refunded", "month": MONTHS["2021-05"], "source": "harbour"}, ["cs_1"]),
    ({"state": "refunded", "month": MONTHS["2021-06"]}, []),
    ({"state": "disputed"}, ["cs_june"]),
    ({"state": "reversed"}, ["offline:b"]),
    ({"state": "unsettled"}, ["cs_june", "cs_eur", "in_2", "in_1", "cs_2"]),
    ({"state": "unpaid"}, ["cs_april"]),
    # By any id, whatever else is asked for; or by a part of a name, in any script.
    ({"words": "cs_2"}, ["cs_2"]),
    ({"words": "pi_cs_1"}, ["cs_1"]),
    ({"words": "re_3"}, ["cs_2"]),
    ({"words": "txn_cs_1"}, ["cs_1"]),
    ({"words": "txn_d", "kind": "yearly"}, ["cs_june"]),
    ({"words": "cs_live"}, []),
    ({"words": "ana"}, ["cs_june", "cs_1"]),
    ({"words": "PETROVIĆ"}, ["cs_1"]),
    ({"words": "çelİK"}, ["cs_2"]),
    ({"words": "ana", "month": MONTHS["2021-05"]}, ["cs_1"]),
    ({"words": "ana", "state": "disputed"}, ["cs_june"]),
    ({"words": "%"}, []),
]  # fmt: skip


@pytest.mark.usefixtures("gifts")
class TestFilters:
    @each(("wanted", "keys"), FILTERS)
    def test_each_finds_its_gifts_the_newest_first(self, app: Flask, wanted: dict[str, Any], keys: list[str]) -> None:
        assert found(**wanted) == keys

    def test_each_gift_comes_with_what_became_of_it(self, app: Flask) -> None:
        with reading() as session:
            gifts = {one.key: one for one in find(session, NEWSROOM, False, Wanted()).gifts}
        one = gifts["cs_1"]
        assert (one.given, one.refunded, one.left, one.fee, one.net, one.payout) == (1000, 500, 500, 30, 970, "po_1")
        assert (gifts["cs_june"].disputed, gifts["cs_june"].left) == (2500, 0)
        assert (gifts["cs_2"].refunded, gifts["cs_2"].left) == (0, 13700)
        assert (gifts["offline:b"].is_reversed, gifts["offline:b"].left, gifts["offline:a"].left) == (True, 0, 700)
        assert one.name == "Ana Petrović"

    def test_a_gift_that_came_after_its_month_was_closed_is_listed_where_it_is_booked(self, app: Flask) -> None:
        with writing() as session:
            month_closing.close(session, NEWSROOM, MONTHS["2021-04"], False, NOW)
            late = gift_fact("cs_late", 900, at=APRIL)
            book.record(session, late, moment("2021-04-30T12:00"))
        with reading() as session:
            row = session.execute(select(entry).where(entry.c.key == "cs_late")).one()
        assert "cs_late" in found(month=parse_month(row.month))
        assert "cs_late" not in found(month=MONTHS["2021-04"])


def many(session: Session, number: int) -> None:
    """Gifts of one month, of which each tenth is refunded; some of the same moment."""
    for one in range(number):
        gift = gift_fact(
            f"cs_{one}", 1000 + one % 3, at=MAY + timedelta(minutes=one // 2), name=f"Ana {one}", source="harbour"
        )
        book.record(session, gift, NOW)
        if one % 10 == 0:
            book.record(session, refund_fact(f"cs_{one}", 100, f"re_{one}", at=MAY + timedelta(days=one)), NOW)


WAYS: list[dict[str, Any]] = [
    {}, {"month": MONTHS["2021-05"]}, {"source": "harbour"}, {"least": 1001, "most": 1001}, {"largest_first": True},
    {"state": "refunded"}, {"words": "ana"}, {"tier": "", "state": "unsettled"},
]  # fmt: skip


class TestPages:
    @pytest.fixture
    def _small_pages(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gift_list, "PAGE", 4)
        monkeypatch.setattr(gift_list, "LOOK", 7)
        monkeypatch.setattr(gift_list, "NAMES", 7)
        with writing() as session:
            many(session, 45)

    @pytest.mark.usefixtures("_small_pages")
    def test_forwards_and_back_nothing_is_left_out_or_comes_twice(self, app: Flask) -> None:
        for wanted in WAYS:
            with reading() as session:
                pages = [find(session, NEWSROOM, False, Wanted(**wanted))]
                assert pages[0].newer is None
                while pages[-1].older is not None:
                    pages.append(find(session, NEWSROOM, False, Wanted(**wanted), before=pages[-1].older))
                there = [one.key for page in pages for one in page.gifts]
                whole = {"state": 5, "least": 15}.get(next(iter(wanted), ""), 45)
                assert len(there) == len(set(there)) == (45 if wanted.get("state") == "unsettled" else whole), wanted
                # And back from the end, also with fewer or more on a page.
                page, back = pages[-1], [one.key for one in pages[-1].gifts][::-1]
                while page.newer is not None:
                    page = find(session, NEWSROOM, False, Wanted(**wanted), after=page.newer)
                    back += [one.key for one in page.gifts][::-1]
                assert back == there[::-1], wanted

    @pytest.mark.usefixtures("_small_pages")
    def test_a_gift_that_comes_meanwhile_moves_nothing(self, app: Flask) -> None:
        with reading() as session:
            first = find(session, NEWSROOM, False, Wanted())
            second = [one.key for one in find(session, NEWSROOM, False, Wanted(), before=first.older).gifts]
        with writing() as session:
            book.record(session, gift_fact("cs_new", 1000, at=JUNE), NOW)
        with reading() as session:
            assert [one.key for one in find(session, NEWSROOM, False, Wanted(), before=first.older).gifts] == second

    @pytest.mark.usefixtures("_small_pages")
    def test_where_nothing_is_found_among_those_that_were_checked_it_goes_on_there(self, app: Flask) -> None:
        with writing() as session:
            book.record(session, gift_fact("cs_old", 1000, at=APRIL, tier="777"), NOW)
        with reading() as session:
            page = find(session, NEWSROOM, False, Wanted(tier="777"))
            assert (page.gifts, page.looked_until is not None) == ([], True)
            steps = 1
            while not page.gifts:
                page, steps = find(session, NEWSROOM, False, Wanted(tier="777"), before=page.older), steps + 1
        assert [one.key for one in page.gifts] == ["cs_old"]
        assert steps == 7
        assert (page.older, page.looked_until) == (None, None)

    @pytest.mark.parametrize("number", [10**9, 2**63 - 1])
    def test_a_place_that_is_not_there_is_the_beginning(self, app: Flask, number: int) -> None:
        with writing() as session:
            many(session, 3)
        with reading() as session:
            assert len(find(session, NEWSROOM, False, Wanted(), before=number).gifts) == 3


# --- Speed, told by what the database says it does ---------------------------------------------------------------------


PLANS: list[tuple[dict[str, Any], str]] = [
    ({}, "ix_entry_gift_by_time"),
    ({"month": MONTHS["2021-05"]}, "ix_entry_gift_by_time"),
    ({"kind": "once", "tier": "1000"}, "ix_entry_gift_by_time"),
    ({"kind": "offline"}, "ix_entry_gift_by_kind"),
    ({"kind": "yearly", "month": MONTHS["2021-05"]}, "ix_entry_gift_by_kind"),
    ({"source": "harbour"}, "ix_entry_gift_by_source"),
    ({"source": "harbour", "month": MONTHS["2021-05"], "kind": "once"}, "ix_entry_gift_by_source"),
    ({"least": 1000, "most": 1000}, "ix_entry_gift_by_amount"),
    ({"least": 500, "largest_first": True}, "ix_entry_gift_by_amount"),
    ({"state": "refunded"}, "ix_entry_reversal"),
    ({"state": "disputed", "month": MONTHS["2021-05"]}, "ix_entry_reversal"),
    ({"state": "unsettled", "month": MONTHS["2021-05"]}, "ix_entry_gift_by_time"),
]


class TestPlans:
    @pytest.fixture
    def book(self, app: Flask) -> Iterator[Session]:
        with writing() as session:
            many(session, 60)
            if session.connection().dialect.name == "postgresql":
                session.execute(text("ANALYZE entry"))
                # So few rows are read quicker without an index; how it would read many is asked for.
                for way in ("seqscan", "bitmapscan", "sort", "incremental_sort", "hashjoin", "mergejoin"):
                    session.execute(text(f"SET LOCAL enable_{way} = off"))
            yield session

    @each(("wanted", "index"), PLANS)
    def test_every_page_is_read_from_an_index_in_its_order(
        self, book: Session, wanted: dict[str, Any], index: str
    ) -> None:
        way = gift_list._way(NEWSROOM, False, Wanted(**wanted))
        start = book.execute(select(entry).where(entry.c.key == "cs_30")).one()
        for back in (False, True):
            page = gift_list._page(way, start, back)
            edge = gift_list._edge(way, start, back)
            edges = [page.where(gift_list._down_to(way, start, back))] if way.checks else []
            for statement in (page, gift_list._page(way, None, back), *edges, gift_list._rest(way, start, back)):
                plan = explained(book, statement)
                assert index in plan, plan
                assert "TEMP B-TREE" not in plan, plan
                assert "Sort" not in plan, plan
            # What it sorts is as many as are looked at, and no more.
            assert index in explained(book, edge)
            if way.checks and book.connection().dialect.name == "sqlite":
                # Both ends of what is looked at are found in the index.
                plan = explained(book, page.where(gift_list._down_to(way, start, back)))
                assert ">" in plan.partition("campaign_id=?")[2], plan
                assert "<" in plan.partition("campaign_id=?")[2], plan

    def test_no_statement_counts_or_skips(self, book: Session) -> None:
        for wanted, _ in PLANS:
            way = gift_list._way(NEWSROOM, False, Wanted(**wanted))
            for statement in (gift_list._page(way, None, False), gift_list._edge(way, None, False)):
                for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
                    written = str(statement.compile(dialect=dialect)).lower()
                    assert "count(" not in written
                    # SQLite's dialect writes an OFFSET of nothing beside each limit.
                    assert "offset" not in written.replace("limit ? offset ?", "")


def explained(session: Session, statement: Any) -> str:
    """How the database goes about it, for the very statement and values that it is given."""
    connection = session.connection()
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, written: str, values: Any, *_: object) -> None:
        sent.append((written, values))

    event.listen(connection, "before_cursor_execute", note)
    session.execute(statement).all()
    event.remove(connection, "before_cursor_execute", note)
    before = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    rows = connection.exec_driver_sql(before + sent[0][0], sent[0][1])
    return "\n".join(" ".join(str(cell) for cell in row) for row in rows)
