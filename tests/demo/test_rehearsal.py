"""The rehearsal: a year of trouble comes out right, and would say so if it did not."""

import pytest

from tracker.demo import rehearse
from tracker.giving.rollup import Deducted
from tracker.ledger import reversals


def test_a_year_of_trouble_comes_out_right() -> None:
    said: list[str] = []
    assert rehearse.rehearse(said.append) == []
    words = "\n".join(said)
    assert "WRONG" not in words
    assert "Every bar is what it must be" in said[-1]
    assert "600 €" in words


def test_the_rehearsal_notices_when_disputes_take_more_than_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_a_cap(_gift: int, taken: list[tuple[str, int]]) -> Deducted:
        sums = {kind: -sum(amount for one, amount in taken if one == kind) for kind in ("refund", "dispute")}
        return Deducted(sums["refund"], sums["dispute"])

    monkeypatch.setattr(reversals, "deducted", without_a_cap)
    monkeypatch.setattr(reversals, "allotted", lambda gifts, whole: [whole, *[Deducted(0, 0)] * (len(gifts) - 1)])
    said: list[str] = []
    problems = rehearse.rehearse(said.append)
    assert problems[0] == "2025-03 shows 160 € and must show 170 €"
    assert any("WRONG" in line for line in said)
