"""Whatever somebody edits or takes out of the entries by hand is found, wherever it stands."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from actors import NEWSROOM, each
from sqlalchemy import Connection, delete, select, text, update

from tracker.giving.facts import Gift, Reversal
from tracker.giving.months import parse_month
from tracker.ledger import chain, models, month_closing
from tracker.ledger.book import record

MAY = parse_month("2021-05")
NOW = datetime(2021, 5, 20, 12, tzinfo=UTC)
IN_JUNE = datetime(2021, 6, 10, 12, tzinfo=UTC)
KEYS = tuple(f"cs_{number}" for number in range(5))


@pytest.fixture
def kept(book: Connection) -> Connection:
    """Five gifts and a refund, as they were written."""
    for number, key in enumerate(KEYS):
        gift = Gift(key, "once", "newsroom", 1000 + number, "USD", NOW, False, (f"pi_{number}",), source="harbour")
        record(book, gift, NOW)
    record(book, Reversal("re_1", "refund", -300, "USD", NOW, False, ("pi_1",)), NOW)
    assert month_closing.tampered(book) == []
    return book


CHANGED: dict[str, Any] = {
    "key": "cs_other", "amount": 9, "told": 9, "currency": "EUR", "at": NOW + timedelta(seconds=1), "month": "2021-04",
    "belongs_to": "2021-04", "gift_key": "cs_0", "tier": "x", "source": "x", "place": "x", "kind": "offline",
    "live": True, "recorded_at": NOW + timedelta(microseconds=1),
}  # fmt: skip


def test_every_column_of_an_entry_is_covered_but_its_number_and_the_hash() -> None:
    assert {column.name for column in models.entry.c} - set(chain.COVERED) == {"id", "chain"}


@each("name", CHANGED)
def test_an_edit_of_any_figure_is_found_and_named_once(kept: Connection, name: str) -> None:
    kept.execute(update(models.entry).where(models.entry.c.key == "cs_2").values({name: CHANGED[name]}))
    (found,) = month_closing.tampered(kept)
    assert ("cs_other" if name == "key" else "cs_2") in found


@each("key", KEYS[:-1])
def test_an_entry_that_is_gone_is_found_by_the_one_behind_it(kept: Connection, key: str) -> None:
    kept.execute(delete(models.entry).where(models.entry.c.key == key))
    (found,) = month_closing.tampered(kept)
    assert f"cs_{int(key[-1]) + 1}" in found
    assert "one before it is missing" in found


def test_an_entry_slipped_in_is_found(kept: Connection) -> None:
    row = dict(kept.execute(select(models.entry).where(models.entry.c.key == "cs_4")).one()._mapping)
    del row["id"]
    kept.execute(models.entry.insert().values(row | {"key": "cs_slipped"}))
    assert any("cs_slipped" in sentence for sentence in month_closing.tampered(kept))


def test_two_entries_that_changed_places_are_found(kept: Connection) -> None:
    for key, number in (("cs_1", 1_000_001), ("cs_2", 2), ("cs_1", 3)):
        kept.execute(update(models.entry).where(models.entry.c.key == key).values(id=number))
    assert month_closing.tampered(kept)


def test_the_last_one_gone_is_found_only_by_a_head_that_was_kept(kept: Connection) -> None:
    head = chain.head(kept)
    month_closing.close(kept, NEWSROOM, MAY, False, IN_JUNE)
    # The closed month's own list of its entries has to go as well, or the database itself refuses.
    for table in (models.closed_entry, models.entry):
        kept.execute(delete(table).where(table.c.key == "re_1"))
    assert list(chain.broken(kept)) == []
    found = month_closing.tampered(kept)
    assert any(head in sentence and "is gone" in sentence for sentence in found)
    assert any("come to another sum than at closing" in sentence for sentence in found)


@pytest.mark.parametrize("figures", [{"once": 0, "monthly": 5010}, {"gifts": 6}])
def test_other_figures_of_a_closed_month_are_found_though_their_sum_is_the_same(
    kept: Connection, figures: dict[str, int]
) -> None:
    month_closing.close(kept, NEWSROOM, MAY, False, IN_JUNE)
    were = kept.execute(select(models.closed.c.figures)).scalar_one()
    kept.execute(update(models.closed).values(figures=were | figures))
    assert month_closing.tampered(kept) == [
        "The entries of 2021-05, which is closed, add up in another way than at closing."
    ]


def test_a_book_that_was_written_anew_is_found_by_the_closed_month(kept: Connection) -> None:
    month_closing.close(kept, NEWSROOM, MAY, False, IN_JUNE)
    kept.execute(update(models.entry).where(models.entry.c.key == "cs_2").values(amount=5, told=5))
    _chain_anew(kept)
    assert list(chain.broken(kept)) == []
    assert len(month_closing.tampered(kept)) == 2


def _chain_anew(book: Connection) -> None:
    before = chain.BEGINNING
    for row in book.execute(select(models.entry).order_by(models.entry.c.id)).all():
        before = chain.link(before, dict(row._mapping))
        book.execute(update(models.entry).where(models.entry.c.id == row.id).values(chain=before))


def test_what_comes_after_a_closing_breaks_nothing(kept: Connection) -> None:
    month_closing.close(kept, NEWSROOM, MAY, False, IN_JUNE)
    record(kept, Reversal("re_2", "refund", -100, "USD", IN_JUNE, False, ("pi_2",)), IN_JUNE)
    record(kept, Gift("cs_late", "once", "newsroom", 700, "USD", NOW, False), IN_JUNE)
    assert month_closing.tampered(kept) == []


def test_the_head_is_that_of_the_newest_entry_and_zeros_at_the_beginning(book: Connection) -> None:
    assert chain.head(book) == "0" * 64
    record(book, Gift("cs_1", "once", "newsroom", 1000, "USD", NOW, False), NOW)
    assert re.fullmatch(r"[0-9a-f]{64}", chain.head(book))
    assert chain.head(book) == book.scalar(select(models.entry.c.chain))


def test_a_moment_has_one_hash_whatever_zone_it_is_written_in() -> None:
    values = dict.fromkeys(chain.COVERED, "x") | {"at": NOW}
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert chain.link("0", values) == chain.link("0", values | {"at": there})
    assert chain.link("0", values) != chain.link("1", values)


def test_neither_cents_nor_words_can_be_moved_between_columns(kept: Connection) -> None:
    values = dict.fromkeys(chain.COVERED, "") | {"tier": "a", "source": "b"}
    assert chain.link("0", values) != chain.link("0", values | {"tier": "ab", "source": ""})
    kept.execute(text("UPDATE entry SET tier = source, source = '' WHERE key = 'cs_3'"))
    assert len(month_closing.tampered(kept)) == 1


def test_gifts_with_odd_words_are_chained_as_they_are_read_back(book: Connection) -> None:
    gift = Gift(
        "cs_1", "once", "newsroom", 1000, "USD", NOW.replace(microsecond=7), False, tier="\N{FAMILY}", source="ä\0"
    )
    record(book, gift, NOW)
    record(book, replace(gift, key="cs_2", place='"\\'), NOW)
    assert month_closing.tampered(book) == []
