"""Which notice is due: once for each goal, silence, dispute, month and week, and never before its time."""

from datetime import UTC, datetime, timedelta

import pytest
from actors import moment

from tracker.giving import notice_rules as rules
from tracker.giving.alerts import Alert
from tracker.giving.drives import Appeal
from tracker.giving.goals import PeopleGoal, Progress
from tracker.giving.months import Month
from tracker.giving.notice_rules import Due

MAY = Month(2021, 5)
NOW = moment("2021-05-14T09:31")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def abouts(found: object) -> list[str]:
    return [due.about for due in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("raised", "goal", "is_due"),
    [(4999, 5000, False), (5000, 5000, True), (9000, 5000, True), (0, 0, False), (5000, None, False), (-1, 0, False)],
)
def test_a_goal_is_reached_at_its_last_cent(raised: int, goal: int | None, is_due: bool) -> None:
    found = list(rules.goals_reached("newsroom", [(MAY, Progress(raised, goal))]))
    assert found == ([Due("goal_reached", "2021-05", "newsroom", {"what": "month"})] if is_due else [])


@pytest.mark.parametrize(
    ("goal", "gifts", "is_due"),
    [(PeopleGoal(200), 199, False), (PeopleGoal(200), 200, True), (PeopleGoal(0), 5, False), (None, 5, False)],
)
def test_a_goal_in_people_is_one_of_its_own(goal: PeopleGoal | None, gifts: int, is_due: bool) -> None:
    assert abouts(rules.people_reached("newsroom", MAY, gifts, goal)) == ["2021-05 people"] * is_due


@pytest.mark.parametrize(
    ("kind", "raised", "began", "ends", "is_due"),
    [
        ("drive", 100, -DAY, DAY, True), ("drive", 99, -DAY, DAY, False), ("match", 100, -DAY, DAY, False),
        ("drive", 100, HOUR, DAY, False), ("drive", 100, -3 * DAY, -HOUR, True), ("drive", 100, -3 * DAY, -2 * DAY, False),
    ],
)  # fmt: skip
def test_a_drives_goal_counts_while_it_runs_and_for_a_day(
    kind: str, raised: int, began: timedelta, ends: timedelta, is_due: bool
) -> None:
    drive = Appeal(kind, "Summer", 100, NOW + began, NOW + ends, 7, raised)  # type: ignore[arg-type]
    assert abouts(rules.drives_reached("newsroom", [drive], NOW)) == ["drive 7"] * is_due


def test_a_goal_reached_in_the_last_minute_of_a_month_is_still_seen() -> None:
    midnight = moment("2021-05-31T22:00")
    assert rules.months_to_look_at("Europe/Berlin", midnight - HOUR) == [MAY]
    assert rules.months_to_look_at("Europe/Berlin", midnight + HOUR) == [MAY, MAY.next]
    assert rules.months_to_look_at("Europe/Berlin", midnight + DAY) == [MAY.next]


def test_silence_begins_three_hours_after_something_should_have_come() -> None:
    last = NOW - 10 * HOUR
    assert abouts(rules.webhook_silent(last, None, NOW)) == []
    assert abouts(rules.webhook_silent(last, NOW - 3 * HOUR + timedelta(seconds=1), NOW)) == []
    (due,) = rules.webhook_silent(last, NOW - 3 * HOUR, NOW)
    assert (due.kind, due.about) == ("webhook_silent", "2021-05-13T23:31:00+00:00")
    # However long it lasts, it is the same silence.
    assert abouts(rules.webhook_silent(last, NOW - 3 * HOUR, NOW + 5 * DAY)) == [due.about]
    assert abouts(rules.webhook_silent(None, NOW - 3 * HOUR, NOW)) == ["never"]


def test_a_run_of_sync_is_told_of_once_a_day_and_only_if_it_failed() -> None:
    assert abouts(rules.sync_failed(NOW, 0, 0)) == []
    assert abouts(rules.sync_failed(NOW, 1, 0)) == ["2021-05-14"]
    assert abouts(rules.sync_failed(NOW + HOUR, 0, 2)) == ["2021-05-14"]
    assert rules.sync_broke_off(NOW, "Stripe does not answer.").about == "2021-05-14"


def test_a_dispute_is_told_of_when_it_comes_and_three_days_before_its_end() -> None:
    due = NOW + 10 * DAY
    dispute = Alert("dispute", "du_1", 1000, "USD", due)
    assert abouts(rules.disputes_due("newsroom", [dispute], NOW)) == ["du_1"]
    assert abouts(rules.disputes_due("newsroom", [dispute], due - 3 * DAY - HOUR)) == ["du_1"]
    assert abouts(rules.disputes_due("newsroom", [dispute], due - 3 * DAY)) == ["du_1 soon"]
    assert abouts(rules.disputes_due("newsroom", [dispute], due)) == []
    others = [
        Alert("inquiry", "du_2"),
        Alert("answered", "du_3"),
        Alert("warning", "issfr_1"),
        Alert("failing", "sub_1"),
    ]
    assert abouts(rules.disputes_due("newsroom", others, NOW)) == ["du_2"]


def test_a_month_is_ready_when_all_of_its_checklist_is_done() -> None:
    assert abouts(rules.month_ready("newsroom", MAY, all_good=False)) == []
    assert abouts(rules.month_ready("newsroom", MAY, all_good=True)) == ["2021-05"]


@pytest.mark.parametrize(
    ("local", "about"),
    [
        # A Sunday, and the Monday after it.
        ("2021-05-16T23:00", None), ("2021-05-17T07:59", None), ("2021-05-17T08:00", "2021-05-17"),
        ("2021-05-18T23:59", "2021-05-17"), ("2021-05-19T00:00", None), ("2021-05-23T12:00", None),
        # The clocks change on that Sunday.
        ("2021-10-31T12:00", None), ("2021-11-01T08:00", "2021-11-01"),
    ],
)  # fmt: skip
def test_the_week_is_told_of_on_monday_morning_by_the_newsrooms_clock(local: str, about: str | None) -> None:
    zone = "America/New_York"
    at = datetime.fromisoformat(local).replace(tzinfo=rules.ZoneInfo(zone)).astimezone(UTC)
    assert abouts(rules.weekly(zone, at)) == ([about] if about else [])


def test_a_sending_is_tried_eight_times_with_growing_pauses_within_two_days() -> None:
    tries, at, pauses = 1, NOW, []
    while then := rules.next_try(at, tries):
        pauses.append(then - at)
        at, tries = then, tries + 1
    assert tries == 8
    assert pauses == sorted(pauses)
    assert at - NOW < 2 * DAY
    assert at - NOW < rules.TOO_LATE
