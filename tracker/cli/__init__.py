"""The operator's commands. Each says what it did in a line, and exits non-zero when it did not."""

from tracker.cli import campaigns, doctor, gifts, money, months, people, start, stripe, upkeep
from tracker.cli.frame import main

__all__ = ["campaigns", "doctor", "gifts", "main", "money", "months", "people", "start", "stripe", "upkeep"]
