"""The month's pace as a drawing: what had been raised by each day, in points for a template to draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracker.giving.pace import Projection
from tracker.ledger.month_figures import Figures, Point
from tracker.web.admin.chart import marks

WIDE, HIGH = 480, 176


@dataclass(frozen=True)
class Line:
    """One month: its corners as SVG has them, and where it ends."""

    point: Point
    corners: str
    end: tuple[float, float]


@dataclass(frozen=True)
class PaceChart:
    """Lines, this month's first, in a drawing of `wide` by `high` units; heights are from the top."""

    lines: list[Line]
    goal: float | None
    base: float
    """The height of zero: the bottom, unless more was taken back than given."""
    range_: str
    """The corners of the range that the month may come to; empty if there is no estimate."""
    marks: list[tuple[int, float]]
    """The amounts of the grid lines, in smallest units, with their heights."""
    days: list[tuple[int, float]]
    """Each day, and where its column begins."""
    step: float
    wide: int = WIDE
    high: int = HIGH


def of_month(figures: Figures) -> PaceChart | None:
    """The month and those it is compared with; None while there is nothing to draw."""
    amounts = [amount for point in figures.points for amount in point.by_day]
    if not any(amounts):
        return None
    projection = figures.projection
    goal = figures.result.goal or 0
    top = max(*amounts, goal, projection.high if projection else 0, 1)
    bottom = min(*amounts, 0)
    step = WIDE / figures.days

    def high(amount: int) -> float:
        return round(HIGH - (amount - bottom) / (top - bottom) * HIGH, 1)

    def line(point: Point) -> Line:
        days = point.by_day[: figures.days]
        corners = [(0.0, high(0))] + [(round(step * day, 1), high(amount)) for day, amount in enumerate(days, 1)]
        return Line(point, _corners(corners), corners[-1])

    lines = [line(point) for point in figures.points if point.by_day]
    return PaceChart(
        lines, high(goal) if goal else None, high(0), _range(lines[0], projection, high), [(one, high(one)) for one in marks(top)],
        [(day, round(step * (day - 1), 1)) for day in range(1, figures.days + 1)], round(step, 2),
    )  # fmt: skip


def _range(own: Line, projection: Projection | None, high: Callable[[int], float]) -> str:
    if projection is None or own.end[0] >= WIDE:
        return ""
    return _corners([own.end, (WIDE, high(projection.high)), (WIDE, high(projection.low))])


def _corners(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in corners)
