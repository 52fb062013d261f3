"""The months as a bar chart, in numbers for a template to draw."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.ledger.results import MonthResult

WIDTH, HEIGHT, GAP = 720, 200, 0.28
MARGIN = 44  # at the left, for the amounts that the lines stand for


@dataclass(frozen=True)
class Column:
    """One month: where its bar stands, how high its parts are, and where its goal lies; in the drawing's units."""

    result: MonthResult
    x: float
    width: float
    raised: float
    monthly: float
    goal: float | None


@dataclass(frozen=True)
class Chart:
    columns: list[Column]
    marks: list[tuple[int, float]]
    """Lines across the drawing: the amount in smallest units that each stands for, and how high it lies."""
    width: int = WIDTH
    height: int = HEIGHT


def of_months(results: Sequence[MonthResult]) -> Chart:
    """Months, oldest first, scaled to the largest amount or goal among them."""
    top = max([one.sums.raised for one in results] + [one.goal or 0 for one in results] + [1])
    step = (WIDTH - MARGIN) / max(len(results), 1)
    # Few months would be drawn as walls; a bar is never wider than this.
    width = min(step * (1 - GAP), 48)

    def high(amount: int) -> float:
        return round(max(0, amount) / top * HEIGHT, 1)

    return Chart(
        [
            Column(
                one,
                x=round(MARGIN + step * index + (step - width) / 2, 1),
                width=round(width, 1),
                raised=high(one.sums.raised),
                monthly=high(min(one.sums.monthly, one.sums.raised)),
                goal=high(one.goal) if one.goal else None,
            )
            for index, one in enumerate(results)
        ],
        [(amount, high(amount)) for amount in _marks(top)],
    )


def _marks(top: int) -> list[int]:
    """Two to four round amounts below the top: 1, 2 or 5 with zeros behind."""
    size = 10 ** (len(str(top)) - 1)
    step = next(part for part in (size // 2, size, size * 2, size * 5) if top / max(part, 1) < 5)
    return list(range(max(step, 1), top + 1, max(step, 1)))[:4]
