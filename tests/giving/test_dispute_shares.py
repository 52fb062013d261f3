"""What each movement of a dispute takes of its gift, in whatever currency the account settles."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.giving.rollup import Deducted, allotted, dispute_shares

EUR = "EUR"


@pytest.mark.parametrize(
    ("movements", "shares"),
    [
        ([], []),
        # In the gift's own currency each movement is what it is.
        ([(-10000, "USD")], [10000]),
        ([(-10000, "USD"), (4000, "USD"), (6000, "USD")], [10000, -4000, -6000]),
        ([(-6000, "USD"), (-4000, "USD")], [6000, 4000]),
        # In another, what was out stands for all that was disputed.
        ([(-9300, EUR)], [10000]),
        ([(-9300, EUR), (3720, EUR)], [10000, -4000]),
        ([(-9300, EUR), (9300, EUR)], [10000, -10000]),
        ([(-9300, EUR), (9300, EUR), (-9300, EUR)], [10000, -10000, 10000]),
        # A won one with more or less than was taken, and a lost one that took a little more.
        ([(-9300, EUR), (9340, EUR)], [10000, -10000]),
        ([(-9300, EUR), (-45, EUR), (9345, EUR)], [10000, 0, -10000]),
        ([(-9300, EUR), (-45, EUR)], [10000, 0]),
        ([(-9300, EUR), (45, EUR)], [10000, -48]),
        # The account changed the currency that it settles in meanwhile.
        ([(-10000, "USD"), (9300, EUR)], [10000, -10000]),
        ([(9300, EUR)], [0]),
        # Yen have no cents, and nobody multiplies by a hundred.
        ([(-15000, "JPY"), (7500, "JPY")], [10000, -5000]),
    ],
)
def test_a_movement_takes_its_share(movements: list[tuple[int, str]], shares: list[int]) -> None:
    assert dispute_shares(10000, "USD", movements) == shares


@given(
    disputed=st.integers(1, 99_999_999),
    withdrawn=st.integers(1, 99_999_999),
    later=st.lists(st.integers(-5_000_000, 5_000_000).filter(bool), max_size=8),
)
def test_any_number_of_movements_comes_to_what_is_still_out(disputed: int, withdrawn: int, later: list[int]) -> None:
    movements = [-withdrawn, *later]
    shares = dispute_shares(disputed, "USD", [(amount, EUR) for amount in movements])
    for number in range(1, len(movements) + 1):
        out = [-sum(movements[:upto]) for upto in range(1, number + 1)]
        exact = Fraction(disputed * max(out[-1], 0), max(out))
        assert abs(sum(shares[:number]) - exact) <= Fraction(1, 2)
        assert 0 <= sum(shares[:number]) <= disputed
        # What a movement takes never depends on those that follow it.
        assert dispute_shares(disputed, "USD", [(amount, EUR) for amount in movements[:number]]) == shares[:number]


def test_what_is_taken_of_several_gifts_uses_up_the_first_before_the_next() -> None:
    assert allotted([1000, 1000], Deducted(300, 0)) == [Deducted(300, 0), Deducted(0, 0)]
    assert allotted([1000, 1000], Deducted(1300, 500)) == [Deducted(1000, 0), Deducted(300, 500)]
    assert allotted([1000, 500], Deducted(0, 1500)) == [Deducted(0, 1000), Deducted(0, 500)]
    assert allotted([1000], Deducted(400, 600)) == [Deducted(400, 600)]
