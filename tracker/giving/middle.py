"""The mean and the median of gifts, from how often each amount was given."""

from collections.abc import Iterable


def mean(total: int, number: int) -> int | None:
    """In smallest units, rounded half up; None if there was nothing."""
    return (2 * total + number) // (2 * number) if number > 0 else None


def median(counts: Iterable[tuple[int, int]]) -> int | None:
    """The amount in the middle, from `(amount, times)`; of two in the middle, the mean, rounded down."""
    times: dict[int, int] = {}
    for amount, number in counts:
        times[amount] = times.get(amount, 0) + number
    held = sorted((amount, number) for amount, number in times.items() if number > 0)
    number = sum(one for _, one in held)
    if not number:
        return None
    return (_at(held, (number - 1) // 2) + _at(held, number // 2)) // 2


def _at(held: list[tuple[int, int]], place: int) -> int:
    """The amount at an index among all, counted from 0."""
    for amount, number in held:
        if place < number:
            return amount
        place -= number
    raise IndexError(place)
