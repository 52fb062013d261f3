"""How far a month has come towards its goal, in numbers for the drawing and in words for everybody."""

from dataclasses import dataclass

SLIVER = 0.006
"""The least of the bar that is filled once anything has been given, so that the first gift can be seen."""


@dataclass(frozen=True)
class PeopleGoal:
    """A goal in people, for a month: so many gifts, whatever each of them comes to (docs/giving.md)."""

    number: int
    first: bool = False
    """Whether the bar counts people; else it counts money, and the people stand beside it."""


@dataclass(frozen=True)
class Progress:
    """`raised` towards `goal`, in smallest units. A month without a goal has `goal` None; `raised` may be negative.

    The same for people, one by one.
    """

    raised: int
    goal: int | None

    @property
    def percent(self) -> float | None:
        """To one decimal and rounded down, so that 100 is said when it is true and not before; None without a goal."""
        return None if not self.goal else max(self.raised, 0) * 1000 // self.goal / 10

    @property
    def percent_words(self) -> str:
        """`6 %`, `<1 %`, `142 %`: whole and rounded down; nothing without a goal."""
        if self.percent is None:
            return ""
        return "<1 %" if 0 < self.percent < 1 or (self.raised > 0 and self.percent == 0) else f"{int(self.percent)} %"

    @property
    def reached(self) -> bool:
        return self.goal is not None and 0 < self.goal <= self.raised

    @property
    def over(self) -> int:
        """How much more than the goal was given; 0 below it."""
        return max(0, self.raised - self.goal) if self.goal else 0

    @property
    def scale(self) -> tuple[int, ...]:
        """The marks under the bar: nothing, the half and the goal."""
        return (0, self.goal // 2, self.goal) if self.goal else (0,)

    @property
    def fill(self) -> float:
        """How much of the bar is filled, 0 to 1: never more than all of it, and a sliver for the first cent."""
        if not self.goal or self.raised <= 0:
            return 0.0
        return min(1.0, max(SLIVER, self.raised / self.goal))

    @property
    def goal_at(self) -> float:
        """Where on the bar the goal stands, 0 to 1: at its end, and moving left once more than the goal was given."""
        return self.goal / self.raised if self.goal and self.raised > self.goal else 1.0

    @property
    def half_at(self) -> float:
        return self.goal_at / 2
