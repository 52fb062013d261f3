"""What one fact does to the book, and what a second telling of it does: nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from actors import MAY, NEWSROOM, count, dispute_fact, each, gift_fact, moment, refund_fact, totals
from flask import Flask
from sqlalchemy import Connection, text

from tracker.giving.facts import Fact, InvoicePayment
from tracker.giving.months import parse_month
from tracker.ledger import book as the_book
from tracker.ledger import campaigns, export_rows, month_closing, results, supporters
from tracker.ledger.book import record, retry_pending_for_campaign
from tracker.ledger.store import reading, writing

NOW = moment("2021-05-20T12:00")


def told(connection: Connection, *facts: Fact) -> list[str]:
    outcomes = [record(connection, fact, NOW) for fact in facts]
    assert month_closing.differences(connection) == []
    return outcomes


def test_a_gift_is_recorded_once_however_often_it_is_told(book: Connection) -> None:
    assert told(book, gift_fact(), gift_fact(), gift_fact()) == ["recorded", "known", "known"]
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
    assert count(book, "entry") == 1


def test_a_gift_keeps_what_it_was_about(book: Connection) -> None:
    told(book, gift_fact(tier="1000", source="article-1", place="top"))
    entry = results.entries(book, NEWSROOM, parse_month("2021-05"), live=False)[0]
    assert (entry.tier, entry.source, entry.place) == ("1000", "article-1", "top")
    assert (entry.kind, entry.amount, entry.told, entry.currency) == ("once", 1000, 1000, "USD")
    assert (entry.at, entry.recorded_at) == (MAY, NOW)
    assert (entry.month, entry.belongs_to, entry.gift_key) == ("2021-05", "2021-05", "cs_1")


def test_the_kinds_of_gifts_stand_in_columns_of_their_own(book: Connection) -> None:
    told(
        book,
        gift_fact("cs_1", 1000),
        gift_fact("in_1", 500, kind="monthly"),
        gift_fact("in_2", 5000, kind="yearly"),
        gift_fact("cheque-1", 7000, kind="offline", known_as=()),
    )
    assert totals(book) == {"2021-05 USD": {"once": 1000, "monthly": 500, "yearly": 5000, "offline": 7000, "gifts": 4}}
    assert results.result(book, NEWSROOM, parse_month("2021-05"), live=False).sums.raised == 13_500


def test_a_yearly_invoice_may_be_paid_in_parts_and_refunded_like_a_monthly_one(book: Connection) -> None:
    told(
        book,
        gift_fact("in_1", 3000, kind="yearly"),
        gift_fact("in_1", 5000, kind="yearly"),
        refund_fact("in_1", 500),
        dispute_fact("in_1", 4500),
    )
    sums = results.result(book, NEWSROOM, parse_month("2021-05"), live=False).sums
    assert (sums.yearly, sums.refunds, sums.disputes, sums.gifts, sums.raised) == (5000, 500, 4500, 1, 0)
    assert [row[8] for row in export_rows.rows(book, NEWSROOM, None, live=False)] == ["year"] * 4
    assert month_closing.tampered(book) == []


def test_a_refund_takes_its_own_amount_and_leaves_the_gift_counted(book: Connection) -> None:
    told(book, gift_fact(amount=1000), refund_fact(amount=300), refund_fact(amount=200, key="re_2"))
    assert totals(book) == {"2021-05 USD": {"once": 1000, "refunds": 500, "gifts": 1}}


def test_a_refund_told_twice_takes_once(book: Connection) -> None:
    assert told(book, gift_fact(), refund_fact(amount=300), refund_fact(amount=300))[1:] == ["recorded", "known"]
    assert totals(book)["2021-05 USD"]["refunds"] == 300


@each("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_failed_refund_comes_to_nothing_in_any_order(book: Connection, order: tuple[int, ...]) -> None:
    facts = [gift_fact(), refund_fact(amount=400), refund_fact(amount=-400, key="re_1/failed")]
    told(book, *(facts[place] for place in order))
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}


@each("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_won_dispute_comes_to_nothing_in_any_order(book: Connection, order: tuple[int, ...]) -> None:
    facts = [gift_fact(), dispute_fact(), dispute_fact(amount=-1000, key="txn_2")]
    told(book, *(facts[place] for place in order))
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}


def test_refunds_never_take_more_than_the_gift(book: Connection) -> None:
    told(book, gift_fact(amount=1000), refund_fact(amount=800), refund_fact(amount=800, key="re_2"))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 1000, "gifts": 1}


def test_a_refund_beyond_the_gift_counts_again_when_another_one_fails(book: Connection) -> None:
    told(book, gift_fact(amount=1000), refund_fact(amount=800), refund_fact(amount=800, key="re_2"))
    told(book, refund_fact(amount=-800, key="re_1/failed"))
    assert totals(book)["2021-05 USD"]["refunds"] == 800


def test_a_dispute_may_exceed_its_gift_and_takes_no_more_than_that(book: Connection) -> None:
    told(book, gift_fact(amount=1000), dispute_fact(amount=2500))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "disputes": 1000, "gifts": 1}


@pytest.mark.parametrize("refund_first", [True, False])
def test_a_refund_and_a_dispute_together_take_no_more_than_the_gift(book: Connection, refund_first: bool) -> None:
    taken = [refund_fact(amount=600), dispute_fact(amount=1000)]
    told(book, gift_fact(amount=1000), *(taken if refund_first else reversed(taken)))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 600, "disputes": 400, "gifts": 1}


def test_a_full_refund_after_a_lost_dispute_moves_all_of_it_to_the_refunds(book: Connection) -> None:
    told(book, gift_fact(), dispute_fact(), refund_fact())
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 1000, "gifts": 1}
    assert results.result(book, NEWSROOM, parse_month("2021-05"), live=False).sums.raised == 0


def test_what_a_refund_moved_of_a_dispute_is_not_taken_for_a_word_of_the_bank(book: Connection) -> None:
    told(book, gift_fact(amount=1000), dispute_fact(amount=500), refund_fact(amount=800))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 800, "disputes": 200, "gifts": 1}
    told(book, refund_fact(amount=-800, key="re_1/failed"))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "disputes": 500, "gifts": 1}
    told(book, refund_fact(amount=800, key="re_2"), dispute_fact(amount=-500, key="txn_2"))
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 800, "gifts": 1}


def test_one_gift_pays_for_no_other(book: Connection) -> None:
    told(book, gift_fact("cs_1", 1000), gift_fact("cs_2", 1000), refund_fact("cs_1", 5000))
    assert totals(book)["2021-05 USD"]["refunds"] == 1000


# --- Waiting ----------------------------------------------------------------------------------------------------------


def test_a_refund_before_its_gift_waits_and_is_let_in(book: Connection) -> None:
    assert told(book, refund_fact(amount=300)) == ["waiting"]
    assert totals(book) == {}
    assert told(book, refund_fact(amount=300)) == ["waiting"]
    assert count(book, "waiting") == 1
    told(book, gift_fact())
    assert totals(book)["2021-05 USD"] == {"once": 1000, "refunds": 300, "gifts": 1}
    assert count(book, "waiting") == 0
    assert told(book, refund_fact(amount=300)) == ["known"]


def test_a_dispute_that_names_the_charge_and_the_payment_is_let_in_once(book: Connection) -> None:
    both = dispute_fact(gift_known_as=("pi_cs_1", "ch_1"))
    assert told(book, both) == ["waiting"]
    told(book, gift_fact(known_as=("pi_cs_1", "ch_1")))
    assert totals(book)["2021-05 USD"]["disputes"] == 1000
    assert count(book, "waiting") == 0


def test_what_has_waited_is_let_in_in_the_order_in_which_it_happened(book: Connection) -> None:
    told(book, refund_fact(amount=100, key="re_1", at=MAY + timedelta(days=2)))
    told(book, refund_fact(amount=200, key="re_2", at=MAY + timedelta(days=1)), gift_fact())
    assert book.scalars(text("SELECT key FROM entry ORDER BY id")).all() == ["cs_1", "re_2", "re_1"]


@pytest.mark.parametrize("known_as", ["pi_cs_1", "ch_1"])
def test_a_dispute_that_names_two_is_let_in_by_whichever_the_gift_is_known_as(book: Connection, known_as: str) -> None:
    told(book, dispute_fact(gift_known_as=("pi_cs_1", "ch_1")), gift_fact(known_as=(known_as,)))
    assert totals(book)["2021-05 USD"]["disputes"] == 1000
    assert count(book, "waiting") == 0


def test_a_refund_of_somebody_elses_payment_waits_for_ever_and_counts_nothing(book: Connection) -> None:
    told(book, refund_fact("cs_foreign"), gift_fact(), InvoicePayment("in_foreign", ("pi_cs_foreign",)))
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
    assert count(book, "waiting") == 1


@each("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_refund_of_a_monthly_gift_is_found_through_the_link(book: Connection, order: tuple[int, ...]) -> None:
    facts: list[Fact] = [
        gift_fact("in_1", 500, kind="monthly", known_as=()),
        InvoicePayment("in_1", ("pi_in_1",)),
        refund_fact("in_1", 200),
    ]
    for place in order:
        told(book, facts[place], facts[place])
    assert totals(book) == {"2021-05 USD": {"monthly": 500, "refunds": 200, "gifts": 1}}
    assert count(book, "waiting") == 0


def test_a_link_told_again_is_known(book: Connection) -> None:
    link = InvoicePayment("in_1", ("pi_in_1",))
    assert told(book, link) == ["waiting"]
    told(book, gift_fact("in_1", 500, kind="monthly", known_as=()))
    assert told(book, link, InvoicePayment("in_1", ("ch_1",))) == ["known", "recorded"]


def test_a_gift_for_an_unknown_campaign_waits_until_it_is_welcome(book: Connection) -> None:
    late = gift_fact(campaign="library", name="Ana", message="For the books")
    assert told(book, late, refund_fact(amount=300), late) == ["waiting", "waiting", "waiting"]
    assert totals(book) == {}
    campaigns.save(book, LIBRARY)
    retry_pending_for_campaign(book, "library", NOW)
    assert totals(book, campaign="library") == {"2021-05 USD": {"once": 1000, "refunds": 300, "gifts": 1}}
    assert totals(book) == {}
    assert count(book, "waiting") == 0
    assert supporters.page(book, LIBRARY, live=False, limit=5).rows[0].message == "For the books"
    assert told(book, late) == ["known"]


LIBRARY = replace(NEWSROOM, slug="library", title="Books for the library", time_zone="America/New_York", id=2)


# --- What never meets -------------------------------------------------------------------------------------------------


def test_other_currencies_are_kept_apart(book: Connection) -> None:
    told(book, gift_fact(), gift_fact("cs_2", 900, currency="EUR"), refund_fact("cs_2", 400, currency="EUR"))
    assert totals(book) == {
        "2021-05 USD": {"once": 1000, "gifts": 1},
        "2021-05 EUR": {"once": 900, "refunds": 400, "gifts": 1},
    }
    month = parse_month("2021-05")
    assert results.result(book, NEWSROOM, month, live=False).sums.raised == 1000
    apart = results.other_currencies(book, NEWSROOM, month, live=False)
    assert {currency: sums.raised for currency, sums in apart.items()} == {"EUR": 500}


@pytest.mark.parametrize("gift_first", [True, False])
def test_a_refund_in_another_currency_than_its_gift_waits_in_sight(book: Connection, gift_first: bool) -> None:
    facts: list[Fact] = [gift_fact(), refund_fact(amount=900, currency="EUR")]
    told(book, *(facts if gift_first else reversed(facts)))
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
    assert book.scalar(text("SELECT waits_for FROM waiting")) == "currency:USD"


def test_test_money_and_live_money_never_meet(book: Connection) -> None:
    told(
        book,
        gift_fact("cs_test", 1000),
        gift_fact("cs_live", 2500, live=True),
        refund_fact("cs_live", 500, live=True),
        dispute_fact("cs_test", 100),
    )
    assert totals(book) == {"2021-05 USD": {"once": 1000, "disputes": 100, "gifts": 1}}
    assert totals(book, live=True) == {"2021-05 USD": {"once": 2500, "refunds": 500, "gifts": 1}}


@pytest.mark.parametrize("gift_first", [True, False])
def test_a_refund_of_the_other_mode_takes_nothing(book: Connection, gift_first: bool) -> None:
    facts: list[Fact] = [gift_fact(live=True), refund_fact(amount=900, live=False)]
    told(book, *(facts if gift_first else reversed(facts)))
    assert totals(book, live=True) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
    assert totals(book) == {}


# --- Names and words --------------------------------------------------------------------------------------------------


def test_a_name_and_words_are_kept_apart_and_stay_hidden_until_an_editor_shows_them(book: Connection) -> None:
    told(book, gift_fact(name="Ana", message="Keep going"), gift_fact("cs_2"))
    assert supporters.shown(book, NEWSROOM, live=False, limit=5) == []
    every = supporters.page(book, NEWSROOM, live=False, limit=5).rows
    assert [(row.gift_key, row.name, row.message, row.shown) for row in every] == [("cs_1", "Ana", "Keep going", False)]
    supporters.show(book, "cs_1", shown=True)
    assert [row.name for row in supporters.shown(book, NEWSROOM, live=False, limit=5)] == ["Ana"]
    assert supporters.shown(book, NEWSROOM, live=True, limit=5) == []
    supporters.show(book, "cs_1", shown=False)
    assert supporters.shown(book, NEWSROOM, live=False, limit=5) == []


def test_a_name_without_words_and_words_without_a_name_are_both_kept(book: Connection) -> None:
    told(book, gift_fact(name="Ana"), gift_fact("cs_2", message="Keep going"))
    every = supporters.page(book, NEWSROOM, live=False, limit=5).rows
    assert {(row.gift_key, row.name, row.message) for row in every} == {("cs_1", "Ana", ""), ("cs_2", "", "Keep going")}


@each(
    ("words", "kept"),
    [
        ("nul \0 in it", "nul \N{REPLACEMENT CHARACTER} in it"),
        ("half a pair \ud83d of it", "half a pair ? of it"),
        ("whole \U0001f600, ünï", "whole \U0001f600, ünï"),
        ("\r\n\t", "\r\n\t"),
    ],
)
def test_no_words_of_a_donor_can_keep_the_gift_out_of_the_book(book: Connection, words: str, kept: str) -> None:
    assert told(book, gift_fact(name=words, message=words, source=words, place=words)) == ["recorded"]
    assert totals(book) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
    (shown,) = supporters.page(book, NEWSROOM, live=False, limit=5).rows
    assert (shown.name, shown.message) == (kept, kept)


@pytest.mark.parametrize("slug", ["a\0b", "\ud83d", "x" * 300, ""])
def test_a_gift_for_a_campaign_that_cannot_be_waits_too(book: Connection, slug: str) -> None:
    assert told(book, gift_fact(campaign=slug[:60])) == ["waiting"]


# --- All or nothing ---------------------------------------------------------------------------------------------------


def test_nothing_is_written_when_something_fails_in_the_middle(app: Flask) -> None:
    def until_the_power_goes() -> None:
        with writing() as connection:
            told(connection, gift_fact(name="Ana"), refund_fact(amount=300), refund_fact("cs_9"))
            told(connection, InvoicePayment("in_1", ("pi_1",)))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        until_the_power_goes()
    with reading() as connection:
        for table in ("entry", "month_total", "alias", "waiting", "supporter"):
            assert count(connection, table) == 0, table
    with writing() as connection:
        assert told(connection, gift_fact()) == ["recorded"]


def test_a_delivery_is_kept_with_its_facts_or_not_at_all(app: Flask) -> None:
    came = the_book.Delivery("evt_1", "checkout.session.completed", "2026", False, MAY, b"{}")

    def facts() -> Iterator[Fact]:
        yield gift_fact()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError), writing() as connection:
        the_book.receive(connection, came, facts(), True, NOW)
    with reading() as connection:
        assert count(connection, "entry") == count(connection, "delivery") == 0
    with writing() as connection:
        assert the_book.receive(connection, came, [gift_fact()], True, NOW) == "recorded"
        assert the_book.receive(connection, came, [gift_fact()], True, NOW) == "known"
        assert count(connection, "delivery") == 1


def test_a_delivery_says_what_came_of_it(book: Connection) -> None:
    def came(number: int) -> the_book.Delivery:
        return the_book.Delivery(f"evt_{number}", "x", "2026", False, MAY, b"{}")

    assert the_book.receive(book, came(1), [], True, NOW) == "nothing"
    assert the_book.receive(book, came(2), [], False, NOW) == "foreign"
    assert the_book.receive(book, came(3), [refund_fact()], False, NOW) == "waiting"
    assert the_book.receive(book, came(4), [gift_fact()], True, NOW) == "recorded"
    assert the_book.receive(book, came(5), [gift_fact()], True, NOW) == "known"
    assert the_book.receive(book, came(6), [refund_fact(), refund_fact(amount=1, key="re_2")], False, NOW) == "recorded"
    kept = book.execute(text("SELECT outcome FROM delivery ORDER BY event_id")).scalars().all()
    assert kept == ["nothing", "foreign", "waiting", "recorded", "known", "recorded"]


def test_bodies_are_forgotten_after_a_while_and_the_figures_stay(book: Connection) -> None:
    for number, age in enumerate((100, 91, 90, 1)):
        came = the_book.Delivery(f"evt_{number}", "x", "2026", False, MAY, b'{"email": "ana@example.org"}')
        the_book.receive(book, came, [gift_fact(f"cs_{number}")], True, NOW - timedelta(days=age))
    assert the_book.forget_bodies(book, NOW - timedelta(days=90)) == 2
    assert the_book.forget_bodies(book, NOW - timedelta(days=90)) == 0
    kept = book.execute(text("SELECT event_id FROM delivery WHERE body IS NOT NULL ORDER BY event_id")).scalars().all()
    assert kept == ["evt_2", "evt_3"]
    assert count(book, "delivery") == 4
    assert totals(book)["2021-05 USD"] == {"once": 4000, "gifts": 4}
