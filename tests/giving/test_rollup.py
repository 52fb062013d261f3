"""How a month adds up, and how refunds and disputes take off a gift whatever order they arrive in."""

from itertools import permutations

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving.rollup import COLUMN, Deducted, Sums, deducted, sums_of

moved = st.tuples(st.sampled_from(["refund", "dispute"]), st.integers(-5_000, 5_000))


@settings(max_examples=examples(400), deadline=None)
@given(st.integers(1, 10_000), st.lists(moved, max_size=5), st.randoms())
def test_any_order_takes_off_the_same(gift: int, taken: list[tuple[str, int]], chance: object) -> None:
    expected = deducted(gift, taken)
    assert all(deducted(gift, order) == expected for order in permutations(taken))


@settings(max_examples=examples(1000), deadline=None)
@given(st.integers(1, 10_000), st.lists(moved, max_size=12))
def test_together_they_never_take_more_than_the_gift_and_never_give_more_back(
    gift: int, taken: list[tuple[str, int]]
) -> None:
    off = deducted(gift, taken)
    assert off.refunds >= 0
    assert off.disputes >= 0
    assert off.refunds + off.disputes <= gift


@settings(max_examples=examples(400), deadline=None)
@given(
    st.integers(1, 10_000), st.lists(moved, max_size=8), st.sampled_from(["refund", "dispute"]), st.integers(1, 10_000)
)
def test_what_came_back_leaves_no_trace(gift: int, taken: list[tuple[str, int]], kind: str, amount: int) -> None:
    assert deducted(gift, [*taken, (kind, -amount), (kind, amount)]) == deducted(gift, taken)


@pytest.mark.parametrize(
    ("taken", "refunds", "disputes"),
    [
        ([], 0, 0),
        ([("refund", -300)], 300, 0),
        ([("refund", -300), ("refund", -700)], 1000, 0),
        ([("refund", -300), ("refund", 300)], 0, 0),
        ([("dispute", -1000)], 0, 1000),
        ([("dispute", -1000), ("dispute", 1000)], 0, 0),
        ([("dispute", 1000)], 0, 0),
        ([("dispute", -4200)], 0, 1000),
        ([("refund", -4200)], 1000, 0),
        ([("refund", -600), ("dispute", -1000)], 600, 400),
        ([("dispute", -1000), ("refund", -1000)], 1000, 0),
        ([("dispute", -1000), ("refund", -1000), ("refund", 1000)], 0, 1000),
        ([("dispute", -4200), ("dispute", 4200), ("refund", -250)], 250, 0),
    ],
)
def test_refunds_count_first_and_disputes_up_to_what_is_left(
    taken: list[tuple[str, int]], refunds: int, disputes: int
) -> None:
    assert deducted(1000, taken) == Deducted(refunds, disputes)


def test_one_entry_moves_one_column_and_only_gifts_are_counted() -> None:
    assert sums_of("once", 1000) == Sums(once=1000, gifts=1)
    assert sums_of("monthly", 500) == Sums(monthly=500, gifts=1)
    assert sums_of("yearly", 5000) == Sums(yearly=5000, gifts=1)
    assert sums_of("offline", 20_000) == Sums(offline=20_000, gifts=1)
    assert sums_of("refund", -300) == Sums(refunds=300)
    assert sums_of("refund", 300) == Sums(refunds=-300)
    assert sums_of("dispute", -1000) == Sums(disputes=1000)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(COLUMN)), st.integers(-(10**6), 10**6)), max_size=20))
def test_a_month_is_the_plain_sum_of_its_entries(entries: list[tuple[str, int]]) -> None:
    total = sum((sums_of(kind, amount) for kind, amount in entries), Sums())
    assert total.raised == sum(amount for _, amount in entries)
    assert total.raised == (total.once + total.monthly + total.yearly + total.offline - total.refunds - total.disputes)
    gifts = [amount for kind, amount in entries if kind not in ("refund", "dispute")]
    assert total.gifts == sum(-1 if amount < 0 else 1 for amount in gifts)


def test_an_unknown_kind_of_entry_is_an_error_and_not_a_nought() -> None:
    with pytest.raises(KeyError):
        sums_of("tip", 100)
    with pytest.raises(KeyError):
        deducted(1000, [("tip", -100)])


def test_yearly_gifts_are_part_of_what_was_raised() -> None:
    assert Sums(once=1000, monthly=500, yearly=5000, offline=70, refunds=300, disputes=20).raised == 6250


def test_figures_that_were_kept_before_there_were_yearly_gifts_come_to_the_same() -> None:
    kept = {"once": 1000, "monthly": 500, "offline": 70, "refunds": 300, "disputes": 20, "gifts": 3}
    assert Sums(**kept).raised == 1250
    assert Sums(**kept) + Sums(yearly=1, gifts=1) == Sums(1000, 500, 70, 300, 20, 4, 1)
