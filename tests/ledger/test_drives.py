"""Drives and matches in the ledger: what counts in them, and that the months know nothing of it."""

from datetime import date, timedelta
from typing import Any

import pytest
from actors import NEWSROOM, count, dispute_fact, gift_fact, moment, refund_fact, totals
from sqlalchemy import Connection, text

from tracker.giving.campaign import Campaign
from tracker.giving.drives import Appeal
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import appeals, campaigns, offline_gifts, reversals
from tracker.ledger.book import record

NOW = moment("2021-05-14T20:00")
START, END = moment("2021-05-14T16:00"), moment("2021-05-16T20:00")
INSIDE, BEFORE = moment("2021-05-14T17:00"), moment("2021-05-14T15:59")


def drive(**changes: Any) -> Appeal:
    values: dict[str, Any] = {"name": "Summer drive", "amount": 2_000_000, "starts_at": START, "ends_at": END}
    return Appeal("drive", **values | changes)


def match(**changes: Any) -> Appeal:
    values: dict[str, Any] = {"name": "Harbour Foundation", "amount": 500_000, "starts_at": START, "ends_at": None}
    return Appeal("match", **values | changes)


def newsroom(book: Any) -> Campaign:
    found = campaigns.find(book, "newsroom")
    assert found is not None
    return found


def runs(book: Any, kind: str = "drive", at: Any = NOW, live: bool = False) -> tuple[int, int] | None:
    """What the one that runs came to, and of how many gifts."""
    found = getattr(appeals.current(book, newsroom(book), live, at), kind)
    return (found.raised, found.gifts) if found else None


def test_it_runs_from_its_start_until_just_before_its_end(book: Any) -> None:
    assert not newsroom(book).has_appeals
    appeals.save(book, NEWSROOM, drive(), BEFORE)
    second = timedelta(seconds=1)
    found = [runs(book, at=at) for at in (START - second, START, END - second, END)]
    assert found == [None, (0, 0), (0, 0), None]
    changes = [appeals.current(book, newsroom(book), False, at).changes_at for at in (BEFORE, START, END)]
    assert changes == [START, END, None]


@pytest.mark.parametrize("first", ["the drive", "the gifts"])
def test_it_counts_gifts_of_its_time_less_what_was_taken_off_them(book: Any, first: str) -> None:
    """Whether the drive is made before them, or afterwards for a start in the past."""
    if first == "the drive":
        appeals.save(book, NEWSROOM, drive(), NOW)
    record(book, gift_fact("cs_1", 10_000, at=INSIDE), NOW)
    record(book, gift_fact("in_1", 500, at=INSIDE, kind="monthly"), NOW)
    record(book, gift_fact("cs_before", 40_000, at=BEFORE), NOW)
    record(book, gift_fact("cs_at_its_end", 40_000, at=END), END)
    record(book, gift_fact("cs_euro", 40_000, at=INSIDE, currency="EUR"), NOW)
    record(book, gift_fact("cs_live", 70_000, at=INSIDE, live=True), NOW)
    later = END + timedelta(days=40)
    record(book, refund_fact("cs_1", 3_000, at=later), later)
    record(book, dispute_fact("cs_1", 1_000, at=later), later)
    # A refund in its time of a gift from before takes nothing off it.
    record(book, refund_fact("cs_before", 9_000, key="re_2", at=INSIDE), NOW)
    if first == "the gifts":
        appeals.save(book, NEWSROOM, drive(), NOW)
    assert runs(book) == (6_500, 2)
    assert runs(book, live=True) == (70_000, 1)
    assert appeals.differences(book) == []


def test_offline_gifts_count_in_a_drive_and_not_in_a_match(book: Any) -> None:
    noon = offline_gift(NEWSROOM, False, date(2021, 5, 15), 1_250, "", "fair-1")
    appeals.save(book, NEWSROOM, drive(), NOW)
    appeals.save(book, NEWSROOM, match(), NOW)
    offline_gifts.write_down(book, [noon], NOW)
    record(book, gift_fact("cs_1", 1_000, at=INSIDE), NOW)
    assert (runs(book), runs(book, "match")) == ((2_250, 2), (1_000, 1))
    found = offline_gifts.find(book, NEWSROOM, noon.gift.key, False)
    reversals.take_back(book, found, END + timedelta(days=1))
    assert (runs(book), runs(book, "match")) == ((1_000, 1), (1_000, 1))
    assert appeals.differences(book) == []


def test_a_second_part_of_an_invoice_goes_with_the_first_and_is_no_second_gift(book: Any) -> None:
    appeals.save(book, NEWSROOM, drive(), NOW)
    record(book, gift_fact("in_1", 400, at=INSIDE, kind="monthly"), NOW)
    record(book, gift_fact("in_1", 1_000, at=END + timedelta(days=2), kind="monthly"), NOW)
    record(book, gift_fact("in_2", 400, at=BEFORE, kind="monthly"), NOW)
    record(book, gift_fact("in_2", 1_000, at=INSIDE, kind="monthly"), NOW)
    assert runs(book) == (1_000, 1)
    assert appeals.differences(book) == []


def test_the_months_do_not_change(book: Any) -> None:
    record(book, gift_fact("cs_1", 10_000, at=INSIDE), NOW)
    record(book, refund_fact("cs_1", 3_000, at=INSIDE), NOW)
    before, chain = totals(book), book.execute(text("SELECT chain FROM entry ORDER BY id")).all()
    saved = appeals.save(book, NEWSROOM, drive(), NOW)
    appeals.end(book, NEWSROOM, saved.id, NOW)
    assert totals(book) == before
    assert book.execute(text("SELECT chain FROM entry ORDER BY id")).all() == chain


def test_a_gift_costs_no_statement_while_nothing_runs(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    appeals.save(book, NEWSROOM, drive(), NOW)
    asked: list[Any] = []
    monkeypatch.setattr(appeals, "add", lambda *given: asked.append(given))
    record(book, gift_fact("cs_1", 1_000, at=BEFORE), NOW)
    assert asked == []
    record(book, gift_fact("cs_2", 1_000, at=INSIDE), NOW)
    assert len(asked) == 1


# --- Changing them ----------------------------------------------------------------------------------------------------


def test_new_dates_sum_again_what_was_given(book: Any) -> None:
    saved = appeals.save(book, NEWSROOM, drive(), NOW)
    record(book, gift_fact("cs_1", 1_000, at=BEFORE), NOW)
    assert runs(book) == (0, 0)
    appeals.save(book, NEWSROOM, drive(id=saved.id, starts_at=BEFORE), NOW)
    assert runs(book) == (1_000, 1)


def test_it_can_be_ended_and_then_stays_as_it_was(book: Any) -> None:
    saved = appeals.save(book, NEWSROOM, drive(), NOW)
    assert appeals.end(book, NEWSROOM, saved.id, NOW)
    assert runs(book) is None
    (kept,) = appeals.every(book, NEWSROOM, False)
    assert (kept.name, kept.ends_at, kept.state(NOW)) == ("Summer drive", NOW, "ended")
    for change in (
        lambda: appeals.end(book, NEWSROOM, saved.id, NOW),
        lambda: appeals.save(book, NEWSROOM, drive(id=saved.id, amount=1), NOW),
    ):
        with pytest.raises(ValueError, match="“Summer drive” has ended: it stays as it was shown"):
            change()
    with pytest.raises(ValueError, match="not there any more"):
        appeals.end(book, NEWSROOM, 99, NOW)


def test_what_nobody_has_seen_is_deleted(book: Any) -> None:
    saved = appeals.save(book, NEWSROOM, drive(), BEFORE)
    assert not appeals.end(book, NEWSROOM, saved.id, BEFORE)
    assert appeals.every(book, NEWSROOM, False) == []
    assert count(book, "appeal_total") == 0


@pytest.mark.parametrize(
    ("starts", "ends", "beside"),
    [(BEFORE, START, False), (END, END + timedelta(1), False), (BEFORE, END, True), (INSIDE, NOW + timedelta(1), True)],
)
def test_two_drives_cannot_run_at_the_same_time(book: Any, starts: Any, ends: Any, beside: bool) -> None:
    appeals.save(book, NEWSROOM, drive(), BEFORE)
    another = drive(name="Another", starts_at=starts, ends_at=ends)
    if not beside:
        assert appeals.save(book, NEWSROOM, another, BEFORE).id
        return
    said = "“Summer drive” runs from 2021-05-14 18:00 to 2021-05-16 22:00: only one drive can run at a time"
    with pytest.raises(ValueError, match=said):
        appeals.save(book, NEWSROOM, another, BEFORE)


def test_a_match_without_an_end_is_ended_before_the_next(book: Any) -> None:
    appeals.save(book, NEWSROOM, drive(), NOW)
    first = appeals.save(book, NEWSROOM, match(), NOW)
    with pytest.raises(ValueError, match=r"only one match can run at a time\. End it first"):
        appeals.save(book, NEWSROOM, match(name="Another", starts_at=END), NOW)
    appeals.end(book, NEWSROOM, first.id, NOW)
    appeals.save(book, NEWSROOM, match(name="Another", starts_at=NOW), NOW)


# --- The proof --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planted", ["UPDATE appeal_total SET raised = raised + 1", "DELETE FROM appeal_total"])
def test_whatever_somebody_edits_is_found_and_mended(book: Connection, planted: str) -> None:
    appeals.save(book, NEWSROOM, drive(), NOW)
    record(book, gift_fact("cs_1", 1_000, at=INSIDE), NOW)
    book.execute(text(planted))
    assert appeals.differences(book)
    assert appeals.rebuild(book) == 2
    assert appeals.differences(book) == []
    assert runs(book) == (1_000, 1)


# --- Goals in people --------------------------------------------------------------------------------------------------


def test_a_goal_in_people_stands_beside_the_one_in_money(book: Any) -> None:
    april, may, june = (parse_month(f"2021-0{number}") for number in (4, 5, 6))

    def sets(month: Any, number: int, *, first: bool = False, stands: bool = False) -> None:
        campaigns.set_people_goal(book, "newsroom", month, PeopleGoal(number, first), NOW, stands=stands)

    sets(may, 200, stands=True)
    sets(june, 300, first=True)
    found = campaigns.goals(book, "newsroom")
    assert [found.in_people(month) for month in (april, may, june, june.next)] == [
        None, PeopleGoal(200), PeopleGoal(300, first=True), PeopleGoal(200),
    ]  # fmt: skip
    assert [found.of(month) for month in (april, may, june)] == [500_000] * 3
    sets(june, 0)
    assert campaigns.goals(book, "newsroom").in_people(june) is None
    campaigns.set_goal(book, "newsroom", may, 700_000, stands=True)
    found = campaigns.goals(book, "newsroom")
    assert (found.of(april), found.of(may), found.in_people(may)) == (500_000, 700_000, PeopleGoal(200))
    with pytest.raises(ValueError, match="2021-04 is over"):
        sets(april, 100, stands=True)
    with pytest.raises(ValueError, match="or 0 for no goal"):
        sets(may, -1)
