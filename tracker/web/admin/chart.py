"""The months as a bar chart, in heights for a template to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracker.giving.pace import days_in, running
from tracker.ledger.results import MonthResult

HEIGHT = 200


@dataclass(frozen=True)
class Column:
    """One month: how high its parts are, and where its goal lies; in the drawing's units."""

    result: MonthResult
    raised: float
    regular: float
    """Of monthly and yearly supporters."""
    goal: float | None


@dataclass(frozen=True)
class Chart:
    """Columns, oldest first, and `marks`: the amounts (smallest units) that lines stand for, with their heights."""

    columns: list[Column]
    marks: list[tuple[int, float]]
    height: int = HEIGHT


def of_months(results: Sequence[MonthResult]) -> Chart:
    """Months, oldest first, scaled to the largest amount or goal among them."""
    top = max([one.sums.raised for one in results] + [one.goal or 0 for one in results] + [1])

    def high(amount: int) -> float:
        return round(max(0, amount) / top * HEIGHT, 1)

    columns = [
        Column(
            one,
            raised=high(one.sums.raised),
            regular=high(min(one.sums.monthly + one.sums.yearly, one.sums.raised)),
            goal=high(one.goal) if one.goal else None,
        )
        for one in results
    ]
    return Chart(columns, [(amount, high(amount)) for amount in marks(top)])


SPARK_WIDE, SPARK_HIGH = 84, 22


def sparkline(month: MonthResult, by_day: Mapping[int, int], today: int) -> str:
    """The corners of a sparkline: what had been raised by each day until `today`, with the goal at the top."""
    amounts = running(by_day, today)
    top = max([month.goal or 0, *amounts, 1])
    step = SPARK_WIDE / days_in(month.month)
    corners = [(0.0, float(SPARK_HIGH))] + [
        (round(step * day, 1), round(SPARK_HIGH - max(0, amount) / top * SPARK_HIGH, 1))
        for day, amount in enumerate(amounts, 1)
    ]
    return " ".join(f"{x:g},{y:g}" for x, y in corners)


def marks(top: int) -> list[int]:
    """Two to four round amounts below the top: 1, 2 or 5 with zeros behind."""
    size = 10 ** (len(str(top)) - 1)
    step = next(part for part in (size // 2, size, size * 2, size * 5) if top / max(part, 1) < 5)
    return list(range(max(step, 1), top + 1, max(step, 1)))[:4]
