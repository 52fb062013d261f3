"""Progress towards a goal: never said to be further than it is, and never drawn outside of the bar."""

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving.goals import SLIVER, Progress


@pytest.mark.parametrize(
    ("raised", "goal", "percent", "words"),
    [
        (0, 500_000, 0.0, "0 %"),
        (1, 500_000, 0.0, "<1 %"),
        (499, 500_000, 0.0, "<1 %"),
        (4_999, 500_000, 0.9, "<1 %"),
        (5_000, 500_000, 1.0, "1 %"),
        (34_000, 500_000, 6.8, "6 %"),
        (499_999, 500_000, 99.9, "99 %"),
        (500_000, 500_000, 100.0, "100 %"),
        (500_001, 500_000, 100.0, "100 %"),
        (710_000, 500_000, 142.0, "142 %"),
        (-2_000, 500_000, 0.0, "0 %"),
        (1, 3, 33.3, "33 %"),
        (2, 3, 66.6, "66 %"),
        (1, 1, 100.0, "100 %"),
        (34_000, None, None, ""),
        (34_000, 0, None, ""),
    ],
)
def test_the_percentage_is_rounded_down(raised: int, goal: int | None, percent: float | None, words: str) -> None:
    progress = Progress(raised, goal)
    assert progress.percent == percent
    assert progress.percent_words == words


@settings(max_examples=examples(500), deadline=None)
@given(st.integers(-(10**9), 10**13), st.integers(1, 10**12))
def test_a_hundred_is_said_when_it_is_true_and_never_before(raised: int, goal: int) -> None:
    progress = Progress(raised, goal)
    assert progress.percent is not None
    assert (progress.percent >= 100) == progress.reached == (raised >= goal)
    assert progress.percent_words != "100 %" or progress.reached
    assert progress.percent * goal <= max(raised, 0) * 100 + goal * 1e-9 * max(1.0, progress.percent)
    assert (progress.percent_words == "0 %") == (raised <= 0)


@settings(max_examples=examples(500), deadline=None)
@given(st.integers(-(10**9), 10**13), st.one_of(st.none(), st.integers(0, 10**12)))
def test_the_drawing_stays_inside_of_the_bar(raised: int, goal: int | None) -> None:
    progress = Progress(raised, goal)
    assert 0 <= progress.fill <= 1
    assert 0 < progress.goal_at <= 1
    assert 0 < progress.half_at <= 0.5
    assert progress.over >= 0
    assert (progress.fill > 0) == (bool(goal) and raised > 0)
    assert list(progress.scale) == sorted(progress.scale)


def test_the_first_cent_can_be_seen() -> None:
    assert Progress(1, 500_000).fill == SLIVER
    assert Progress(0, 500_000).fill == Progress(-5, 500_000).fill == 0


def test_one_cent_under_the_goal_is_under_it() -> None:
    progress = Progress(499_999, 500_000)
    assert not progress.reached
    assert progress.over == 0
    assert progress.fill < 1
    assert progress.goal_at == 1


def test_more_than_the_goal_fills_the_bar_and_moves_the_goal_to_the_left() -> None:
    progress = Progress(710_000, 500_000)
    assert progress.reached
    assert progress.over == 210_000
    assert progress.fill == 1
    assert progress.goal_at == pytest.approx(0.7042, abs=0.0001)
    assert progress.half_at == progress.goal_at / 2


def test_the_scale_marks_nothing_the_half_and_the_goal() -> None:
    assert Progress(0, 500_000).scale == (0, 250_000, 500_000)
    assert Progress(0, 999).scale == (0, 499, 999)
    assert Progress(0, 1).scale == (0, 0, 1)


@pytest.mark.parametrize("goal", [None, 0])
def test_a_month_without_a_goal_reaches_none(goal: int | None) -> None:
    progress = Progress(34_000, goal)
    assert not progress.reached
    assert progress.over == 0
    assert progress.scale == (0,)
    assert progress.fill == 0
