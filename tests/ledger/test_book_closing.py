"""A closed month never changes again; what comes later is booked when it comes, and says where it belongs."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from actors import NEWSROOM, dispute_fact, gift_fact, moment, refund_fact, totals
from sqlalchemy import Connection

from tracker.giving.months import parse_month
from tracker.ledger import campaigns, month_closing, results
from tracker.ledger.book import record

MAY, JUNE, JULY = (parse_month(text) for text in ("2021-05", "2021-06", "2021-07"))
IN_JUNE = moment("2021-06-10T12:00")
IN_JULY = moment("2021-07-10T12:00")


@pytest.fixture
def closed_may(book: Connection) -> Connection:
    """A May with two gifts and a refund of 200, closed on 10 June."""
    record(book, gift_fact("cs_1", 1000), IN_JUNE)
    record(book, gift_fact("cs_2", 3000), IN_JUNE)
    record(book, refund_fact("cs_1", 200, "re_0"), IN_JUNE)
    month_closing.close(book, NEWSROOM, MAY, False, IN_JUNE)
    return book


def booked(connection: Connection) -> list[tuple[str, int, str, str]]:
    """Every entry of the newsroom outside of May, as (key, amount, month, belongs to)."""
    return [
        (row.key, row.amount, row.month, row.belongs_to)
        for month in (JUNE, JULY)
        for row in results.entries(connection, NEWSROOM, month, live=False)
    ]


@pytest.fixture(autouse=True)
def _may_stays_as_it_was(closed_may: Connection) -> Iterator[None]:
    """Whatever a test does after the closing, May's own figures and entries stay."""
    yield
    assert totals(closed_may)["2021-05 USD"] == {"once": 4000, "refunds": 200, "gifts": 2}
    assert len(results.entries(closed_may, NEWSROOM, MAY, live=False)) == 3
    assert month_closing.differences(closed_may) == []


def test_a_late_gift_of_a_closed_month_is_booked_in_the_open_one(closed_may: Connection) -> None:
    assert record(closed_may, gift_fact("cs_late", 700), IN_JUNE) == "recorded"
    assert booked(closed_may) == [("cs_late", 700, "2021-06", "2021-05")]
    assert totals(closed_may)["2021-06 USD"] == {"once": 700, "gifts": 1}


def test_a_refund_of_a_closed_month_is_booked_in_the_month_in_which_it_happened(closed_may: Connection) -> None:
    record(closed_may, refund_fact("cs_2", 500, at=moment("2021-06-20T12:00")), IN_JULY)
    assert booked(closed_may) == [("re_1", -500, "2021-06", "2021-05")]


def test_a_refund_of_a_closed_month_is_booked_today_when_its_own_is_closed_too(closed_may: Connection) -> None:
    month_closing.close(closed_may, NEWSROOM, JUNE, False, IN_JULY)
    record(closed_may, refund_fact("cs_2", 500, at=moment("2021-06-20T12:00")), IN_JULY)
    assert booked(closed_may) == [("re_1", -500, "2021-07", "2021-05")]


def test_a_refund_from_within_the_closed_month_that_comes_late_is_booked_today(closed_may: Connection) -> None:
    record(closed_may, refund_fact("cs_2", 500, at=moment("2021-05-30T12:00")), IN_JUNE)
    assert booked(closed_may) == [("re_1", -500, "2021-06", "2021-05")]


def test_a_dispute_of_a_closed_month_and_its_return_are_booked_when_they_happen(closed_may: Connection) -> None:
    record(closed_may, dispute_fact("cs_2", 3000, "txn_1", at=moment("2021-06-20T12:00")), IN_JUNE)
    record(closed_may, dispute_fact("cs_2", -3000, "txn_2", at=moment("2021-07-05T12:00")), IN_JULY)
    assert booked(closed_may) == [("txn_1", -3000, "2021-06", "2021-05"), ("txn_2", 3000, "2021-07", "2021-05")]


def test_a_failed_refund_of_a_closed_month_comes_back_when_it_fails(closed_may: Connection) -> None:
    record(closed_may, refund_fact("cs_1", -200, "re_0/failed", at=moment("2021-06-05T12:00")), IN_JUNE)
    assert booked(closed_may) == [("re_0/failed", 200, "2021-06", "2021-05")]
    assert results.result(closed_may, NEWSROOM, JUNE, live=False).sums.raised == 200


def test_refunds_after_the_closing_still_take_no_more_than_the_gift(closed_may: Connection) -> None:
    record(closed_may, dispute_fact("cs_1", 1000, at=moment("2021-06-05T12:00")), IN_JUNE)
    record(closed_may, refund_fact("cs_1", 1000, at=moment("2021-07-05T12:00")), IN_JULY)
    # 200 were refunded in May and 800 disputed in June; the refund in July takes 800, and the dispute gives them back.
    assert sum(amount for _, amount, _, _ in booked(closed_may)) == -800
    assert totals(closed_may)["2021-06 USD"] == {"disputes": 800}
    assert totals(closed_may)["2021-07 USD"] == {"refunds": 800, "disputes": -800}


def test_a_refund_that_waited_for_its_late_gift_goes_where_the_gift_went(closed_may: Connection) -> None:
    record(closed_may, refund_fact("cs_late", 300), IN_JUNE)
    record(closed_may, gift_fact("cs_late", 700), IN_JUNE)
    assert totals(closed_may)["2021-06 USD"] == {"once": 700, "refunds": 300, "gifts": 1}


def test_money_of_the_other_mode_is_not_held_up_by_the_closing(closed_may: Connection) -> None:
    record(closed_may, gift_fact("cs_live", 900, live=True), IN_JUNE)
    assert totals(closed_may, live=True) == {"2021-05 USD": {"once": 900, "gifts": 1}}


def test_the_goal_of_a_closed_month_is_frozen(closed_may: Connection) -> None:
    campaigns.set_goal(closed_may, "newsroom", parse_month("2021-02"), 900_000, stands=True)
    assert results.result(closed_may, NEWSROOM, MAY, live=False).goal == 500_000
    assert results.result(closed_may, NEWSROOM, JUNE, live=False).goal == 900_000
    # The other mode's May is open.
    assert results.result(closed_may, NEWSROOM, MAY, live=True).goal == 900_000


def test_a_goal_for_a_closed_month_alone_is_refused_in_words(closed_may: Connection) -> None:
    with pytest.raises(ValueError, match="2021-05 is closed"):
        campaigns.set_goal(closed_may, "newsroom", MAY, 1, stands=False)
    assert results.result(closed_may, NEWSROOM, MAY, live=False).goal == 500_000


def test_a_month_without_a_goal_stays_without_one_when_it_is_closed(closed_may: Connection) -> None:
    campaigns.save(closed_may, replace(NEWSROOM, slug="bare"))
    bare = replace(NEWSROOM, slug="bare", id=2)
    assert month_closing.close(closed_may, bare, MAY, False, IN_JUNE).goal is None
    campaigns.set_goal(closed_may, "bare", JUNE, 100, stands=True)
    assert results.result(closed_may, bare, MAY, live=False).goal is None


def test_a_month_that_is_not_over_cannot_be_closed(closed_may: Connection) -> None:
    # 22:00 in UTC is midnight in Berlin: until then June is not over there.
    with pytest.raises(ValueError, match="2021-06 is not over yet"):
        month_closing.close(closed_may, NEWSROOM, JUNE, False, moment("2021-06-30T21:59:59"))
    with pytest.raises(ValueError, match="not over"):
        month_closing.close(closed_may, NEWSROOM, JULY, False, IN_JUNE)
    assert month_closing.close(closed_may, NEWSROOM, JUNE, False, moment("2021-06-30T22:00:00")).closed
    assert results.result(closed_may, NEWSROOM, JUNE, live=False).closed


def test_a_month_is_closed_once_and_reopened_once(closed_may: Connection) -> None:
    with pytest.raises(ValueError, match="2021-05 is already closed"):
        month_closing.close(closed_may, NEWSROOM, MAY, False, IN_JUNE)
    with pytest.raises(ValueError, match="2021-05 is not closed"):
        month_closing.reopen(closed_may, NEWSROOM, MAY, True, IN_JUNE)
    month_closing.reopen(closed_may, NEWSROOM, MAY, False, IN_JUNE)
    with pytest.raises(ValueError, match="2021-05 is not closed"):
        month_closing.reopen(closed_may, NEWSROOM, MAY, False, IN_JUNE)
    assert not results.result(closed_may, NEWSROOM, MAY, live=False).closed


def test_closing_one_campaigns_month_leaves_the_others_open(closed_may: Connection) -> None:
    campaigns.save(closed_may, replace(NEWSROOM, slug="library"))
    record(closed_may, gift_fact("cs_other", 100, campaign="library"), IN_JUNE)
    assert totals(closed_may, campaign="library") == {"2021-05 USD": {"once": 100, "gifts": 1}}


def test_moving_the_campaign_west_on_the_first_does_not_open_the_closed_month(closed_may: Connection) -> None:
    # On 1 July in Berlin June is over and closed; in Los Angeles it is still 30 June.
    first_of_july = moment("2021-06-30T23:00:00")
    month_closing.close(closed_may, NEWSROOM, JUNE, False, first_of_july)
    campaigns.save(closed_may, replace(NEWSROOM, time_zone="America/Los_Angeles"))
    record(closed_may, gift_fact("cs_new", 700, at=first_of_july), first_of_july)
    record(closed_may, refund_fact("cs_2", 100, at=first_of_july), first_of_july)
    assert [month for _, _, month, _ in booked(closed_may)] == ["2021-07", "2021-07"]
    assert results.result(closed_may, NEWSROOM, JUNE, live=False).sums.raised == 0
