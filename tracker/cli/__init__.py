"""The operator's commands. Each says what it did in a line, and exits non-zero when it did not."""

from tracker.cli import campaigns, months, people, start
from tracker.cli.frame import main

__all__ = ["campaigns", "main", "months", "people", "start"]
