"""What a month comes to, which goal it has, and how it stands against the one before."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from actors import NEWSROOM, dispute_fact, gift_fact, moment, refund_fact
from sqlalchemy import Connection

from tracker.giving.facts import InvoicePayment
from tracker.giving.months import Month, parse_month
from tracker.ledger import campaigns, month_closing, results
from tracker.ledger.book import record

NOW = moment("2021-05-20T12:00")


def give(connection: Connection, at: str, amount: int = 1000) -> None:
    record(connection, gift_fact(f"cs_{at}_{amount}", amount, at=moment(at)), NOW)


def goal_of(connection: Connection, month: str, slug: str = "newsroom") -> int | None:
    return campaigns.goals(connection, slug).of(parse_month(month))


# --- Results ----------------------------------------------------------------------------------------------------------


def test_a_campaign_without_gifts_shows_the_current_month_alone(book: Connection) -> None:
    found = results.results(book, NEWSROOM, False, NOW)
    assert [(str(one.month), one.sums.raised, one.goal, one.closed) for one in found] == [
        ("2021-05", 0, 500_000, False)
    ]


def test_months_come_newest_first_and_without_gaps(book: Connection) -> None:
    give(book, "2020-11-10T10:00")
    give(book, "2021-02-10T10:00")
    found = results.results(book, NEWSROOM, False, NOW)
    assert [str(one.month) for one in found] == [
        "2021-05",
        "2021-04",
        "2021-03",
        "2021-02",
        "2021-01",
        "2020-12",
        "2020-11",
    ]
    assert [one.sums.raised for one in found] == [0, 0, 0, 1000, 0, 0, 1000]


def test_one_result_is_the_same_as_among_all(book: Connection) -> None:
    give(book, "2021-04-10T10:00")
    give(book, "2021-05-10T10:00", 2500)
    for one in results.results(book, NEWSROOM, False, NOW):
        assert results.result(book, NEWSROOM, one.month, False) == one


def test_the_month_on_show_is_the_one_on_the_campaigns_clock_or_the_one_it_is_held_at(book: Connection) -> None:
    late = moment("2021-05-31T22:30")
    assert str(results.shown_month(NEWSROOM, late)) == "2021-06"
    assert str(results.shown_month(replace(NEWSROOM, time_zone="America/New_York"), late)) == "2021-05"
    assert str(results.shown_month(replace(NEWSROOM, held_month="2020-12"), late)) == "2020-12"


def test_a_campaign_that_is_over_still_lists_what_came_after_the_month_it_is_held_at(book: Connection) -> None:
    give(book, "2021-03-10T10:00")
    give(book, "2021-05-10T10:00", 700)
    found = results.results(book, replace(NEWSROOM, held_month="2021-03"), False, NOW)
    assert [(str(one.month), one.sums.raised) for one in found] == [("2021-05", 700), ("2021-04", 0), ("2021-03", 1000)]


# --- Goals ------------------------------------------------------------------------------------------------------------


def test_a_standing_goal_holds_until_the_next_one(book: Connection) -> None:
    campaigns.set_goal(book, "newsroom", parse_month("2021-04"), 700_000, stands=True)
    assert [goal_of(book, month) for month in ("2021-01", "2021-03", "2021-04", "2025-12")] == [
        500_000,
        500_000,
        700_000,
        700_000,
    ]


def test_a_month_of_its_own_goal_goes_before_the_standing_one(book: Connection) -> None:
    campaigns.set_goal(book, "newsroom", parse_month("2021-05"), 900_000, stands=False)
    assert [goal_of(book, month) for month in ("2021-04", "2021-05", "2021-06")] == [500_000, 900_000, 500_000]


def test_months_before_the_first_goal_have_the_first_that_ever_stood(book: Connection) -> None:
    campaigns.set_goal(book, "newsroom", parse_month("2021-04"), 700_000, stands=True)
    assert goal_of(book, "2019-01") == 500_000


def test_a_campaign_without_a_goal_has_none(book: Connection) -> None:
    campaigns.save(book, replace(NEWSROOM, slug="bare"))
    assert goal_of(book, "2021-05", "bare") is None
    campaigns.set_goal(book, "bare", parse_month("2021-06"), 100, stands=False)
    assert [goal_of(book, month, "bare") for month in ("2021-05", "2021-06", "2021-07")] == [None, 100, None]


def test_a_goal_set_again_replaces_the_one_before(book: Connection) -> None:
    for amount in (100, 200):
        campaigns.set_goal(book, "newsroom", parse_month("2021-05"), amount, stands=False)
        campaigns.set_goal(book, "newsroom", parse_month("2021-05"), amount * 10, stands=True)
    assert [goal_of(book, month) for month in ("2021-05", "2021-06")] == [200, 2000]


def test_changing_the_standing_goal_now_leaves_last_month_alone(book: Connection) -> None:
    campaigns.set_standing_goal(book, NEWSROOM, 800_000, NOW)
    assert [goal_of(book, month) for month in ("2021-04", "2021-05", "2021-06")] == [500_000, 800_000, 800_000]


def test_setting_the_goal_that_stands_already_writes_nothing(book: Connection) -> None:
    campaigns.set_standing_goal(book, NEWSROOM, 500_000, NOW)
    assert campaigns.goals(book, "newsroom").standing == [("2021-01", 500_000)]


def test_the_standing_goal_begins_by_the_campaigns_own_clock(book: Connection) -> None:
    campaigns.set_standing_goal(book, NEWSROOM, 800_000, moment("2021-05-31T22:30"))
    assert [goal_of(book, month) for month in ("2021-05", "2021-06")] == [500_000, 800_000]


@pytest.mark.parametrize("amount", [0, -1])
def test_a_goal_of_nothing_is_refused(book: Connection, amount: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        campaigns.set_goal(book, "newsroom", parse_month("2021-05"), amount, stands=False)


# --- Against the month before -----------------------------------------------------------------------------------------


def ahead(connection: Connection, at: str) -> int | None:
    return results.against_last_month(connection, NEWSROOM, False, berlin(at))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


def give_in_berlin(connection: Connection, at: str, amount: int) -> None:
    record(connection, gift_fact(f"cs_{at}_{amount}", amount, at=berlin(at)), NOW)


def test_nothing_is_compared_with_an_empty_month(book: Connection) -> None:
    give_in_berlin(book, "2021-05-03T12:00", 1000)
    assert ahead(book, "2021-05-10T12:00") is None
    give_in_berlin(book, "2021-04-20T12:00", 1000)
    # Nothing by the tenth of April.
    assert ahead(book, "2021-05-10T12:00") is None


def test_a_month_is_compared_with_the_same_day_and_hour_of_the_one_before(book: Connection) -> None:
    give_in_berlin(book, "2021-04-10T11:59", 1000)
    give_in_berlin(book, "2021-04-10T12:00", 9000)
    give_in_berlin(book, "2021-05-02T12:00", 1500)
    assert ahead(book, "2021-05-10T12:00") == 50
    assert ahead(book, "2021-05-10T12:01") == -85


def test_refunds_count_in_the_comparison(book: Connection) -> None:
    give_in_berlin(book, "2021-04-10T10:00", 1000)
    key = "cs_2021-04-10T10:00_1000"
    record(book, refund_fact(key, 1000, at=berlin("2021-04-10T11:00")), NOW)
    give_in_berlin(book, "2021-05-02T12:00", 1500)
    assert ahead(book, "2021-05-10T10:30") == 50
    assert ahead(book, "2021-05-10T12:00") is None


@pytest.mark.parametrize("day", ["2021-03-29T12:00", "2021-03-30T12:00", "2021-03-31T12:00"])
def test_the_last_days_of_a_long_month_are_compared_with_the_whole_of_a_short_one(book: Connection, day: str) -> None:
    give_in_berlin(book, "2021-02-28T23:59:59", 1000)
    # The first moment of March belongs to March.
    give_in_berlin(book, "2021-03-01T00:00", 2000)
    assert ahead(book, day) == 100


def test_january_is_compared_with_december(book: Connection) -> None:
    give_in_berlin(book, "2020-12-05T12:00", 1000)
    give_in_berlin(book, "2021-01-03T12:00", 3000)
    assert ahead(book, "2021-01-10T12:00") == 200


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        # The clock went forward on 28 March and back on 31 October: the hour on the wall is what is compared.
        ("2021-03-15T12:30", "2021-04-15T12:00", False),
        ("2021-03-30T11:30", "2021-04-30T12:00", True),
        ("2021-03-30T12:30", "2021-04-30T12:00", False),
        ("2021-02-28T11:30", "2021-03-28T12:00", True),
        ("2021-02-28T12:30", "2021-03-28T12:00", False),
        ("2021-10-30T22:30", "2021-11-30T23:00", True),
        ("2021-10-30T23:30", "2021-11-30T23:00", False),
        ("2021-10-31T12:30", "2021-11-30T23:00", False),
        ("2021-09-30T12:30", "2021-10-31T12:00", True),
    ],
)
def test_the_same_hour_is_that_on_the_wall_when_clocks_change(
    book: Connection, before: str, now: str, counts: bool
) -> None:
    give_in_berlin(book, before[:8] + "01T00:00", 1000)
    give_in_berlin(book, before, 9000)
    give_in_berlin(book, now[:8] + "01T00:00", 2000)
    assert ahead(book, now) == (-80 if counts else 100)


def test_a_campaign_that_is_over_is_compared_with_nothing(book: Connection) -> None:
    give_in_berlin(book, "2021-04-10T10:00", 1000)
    held = replace(NEWSROOM, held_month="2021-05")
    assert results.against_last_month(book, held, False, berlin("2021-05-20T12:00")) is None


# --- Thanks -----------------------------------------------------------------------------------------------------------


def test_a_gift_has_arrived_once_it_is_in_the_book(book: Connection) -> None:
    assert not results.booked(book, "cs_1", live=False)
    record(book, gift_fact("cs_1"), NOW)
    assert results.booked(book, "cs_1", live=False)
    assert not results.booked(book, "cs_2", live=False)


def test_a_gift_that_has_arrived_says_where_it_is_booked_and_whether_it_still_counts(book: Connection) -> None:
    gift = gift_fact("cs_1", 1000)
    record(book, gift, NOW)
    assert results.booked(book, "cs_1", live=False) == results.Booked("newsroom", Month(2021, 5), True, gift.at, "once")
    assert results.booked(book, "cs_1", live=True) is None
    record(book, refund_fact("cs_1", 400), NOW)
    assert results.booked(book, "cs_1", live=False) == results.Booked("newsroom", Month(2021, 5), True, gift.at, "once")
    record(book, dispute_fact("cs_1", 600), NOW)
    assert results.booked(book, "cs_1", live=False) == results.Booked(
        "newsroom", Month(2021, 5), False, gift.at, "once"
    )
    # What was disputed and won is there again.
    record(book, dispute_fact("cs_1", -600, key="txn_2"), NOW)
    assert results.booked(book, "cs_1", live=False) == results.Booked("newsroom", Month(2021, 5), True, gift.at, "once")


def test_the_first_month_is_that_of_the_first_entry_or_goal_or_the_one_that_is_shown(book: Connection) -> None:
    assert results.first_month(book, NEWSROOM, False, NOW) == Month(2021, 1)  # the first goal's
    record(book, gift_fact("cs_1", at=moment("2020-07-03T10:00")), NOW)
    assert results.first_month(book, NEWSROOM, False, NOW) == Month(2020, 7)
    assert results.first_month(book, NEWSROOM, True, NOW) == Month(2021, 1)
    held = replace(NEWSROOM, held_month="2019-03")
    assert results.first_month(book, held, False, NOW) == Month(2019, 3)
    campaigns.save(book, replace(NEWSROOM, slug="library"))
    library = campaigns.find(book, "library")
    assert library
    assert results.first_month(book, library, False, NOW) == Month(2021, 5)


@pytest.mark.parametrize("link_first", [True, False])
def test_a_monthly_gift_has_arrived_when_the_session_is_linked_to_its_first_invoice(
    book: Connection, link_first: bool
) -> None:
    link, gift = InvoicePayment("in_1", ("cs_monthly",)), gift_fact("in_1", 500, kind="monthly", known_as=())
    first, second = (link, gift) if link_first else (gift, link)
    record(book, first, NOW)
    assert not results.booked(book, "cs_monthly", live=False)
    record(book, second, NOW)
    assert results.booked(book, "cs_monthly", live=False)


# --- Campaigns --------------------------------------------------------------------------------------------------------


def test_a_campaign_is_kept_as_it_was_saved(book: Connection) -> None:
    full = replace(
        NEWSROOM, slug="full", lead="Ünï", story="# Head\n", paused=True, held_month="2021-05", currency="eur"
    )
    assert campaigns.save(book, full) is True
    assert campaigns.find(book, "full") == replace(full, currency="EUR")
    assert campaigns.save(book, full) is False


@pytest.mark.parametrize("slug", ["nobody", "", "a\0b", "\ud83d", "Newsroom", "newsroom "])
def test_an_address_that_no_campaign_has_finds_none(book: Connection, slug: str) -> None:
    assert campaigns.find(book, slug) is None


def test_a_campaign_keeps_its_currency(book: Connection) -> None:
    with pytest.raises(ValueError, match="is counted in USD; for EUR make a new campaign"):
        campaigns.save(book, replace(NEWSROOM, currency="EUR"))
    found = campaigns.find(book, "newsroom")
    assert found is not None
    assert found.currency == "USD"


def test_campaigns_that_take_gifts_come_first(book: Connection) -> None:
    campaigns.save(book, replace(NEWSROOM, slug="a", title="A", paused=True))
    campaigns.save(book, replace(NEWSROOM, slug="b", title="Z"))
    assert [one.slug for one in campaigns.every(book)] == ["newsroom", "b", "a"]


def test_an_unknown_campaign_has_no_goals_to_set(book: Connection) -> None:
    with pytest.raises(KeyError):
        campaigns.set_goal(book, "nobody", parse_month("2021-05"), 1, stands=False)


def test_closed_months_say_so_among_the_results(book: Connection) -> None:
    give(book, "2021-04-10T10:00")
    month_closing.close(book, NEWSROOM, parse_month("2021-04"), False, NOW)
    assert [one.closed for one in results.results(book, NEWSROOM, False, NOW)] == [False, True]
    assert [one.closed for one in results.results(book, NEWSROOM, True, NOW)] == [False]
