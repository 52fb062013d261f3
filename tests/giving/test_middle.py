"""The mean and the median of gifts, from how often each amount was given."""

import statistics
from collections import Counter

from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving.middle import mean, median

GIFTS = st.lists(st.integers(1, 50), min_size=1, max_size=60)


@given(GIFTS)
@settings(max_examples=examples(200))
def test_the_median_is_that_of_all_gifts_one_by_one(gifts: list[int]) -> None:
    counts = list(Counter(gifts).items())
    assert median(counts) == int(statistics.median(gifts) // 1)
    # However the counts are split, and whatever was taken back of them.
    halves = [(amount, times * 3) for amount, times in counts] + [(amount, -times * 2) for amount, times in counts]
    assert median(halves) == median(counts)


@given(GIFTS)
@settings(max_examples=examples(100))
def test_the_mean_is_rounded_to_the_nearest(gifts: list[int]) -> None:
    found = mean(sum(gifts), len(gifts))
    assert found is not None
    assert abs(found - sum(gifts) / len(gifts)) <= 0.5


def test_of_nothing_there_is_neither() -> None:
    assert (mean(0, 0), median([]), median([(500, 0), (300, -1)])) == (None, None, None)
