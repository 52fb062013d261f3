"""What the bar says: the one state that every carrier of it is drawn from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracker.giving.campaign import Campaign
from tracker.giving.goals import Progress
from tracker.giving.months import Month, month_label, month_name

SUPPORT = "Support us"


@dataclass(frozen=True)
class Bar:
    """A campaign's bar for one month, `as_of` a moment in UTC."""

    campaign: Campaign
    month: Month
    progress: Progress
    gifts: int
    give_url: str
    as_of: datetime
    committed: int = 0
    """What monthly supporters will still give in the month."""

    @property
    def month_name(self) -> str:
        return month_name(self.month, self.campaign.locale)

    @property
    def month_label(self) -> str:
        return month_label(self.month, self.campaign.locale)

    @property
    def raised(self) -> str:
        return self.campaign.write(self.progress.raised)

    @property
    def goal(self) -> str:
        return self.campaign.write(self.progress.goal) if self.progress.goal else ""

    @property
    def scale(self) -> tuple[str, ...]:
        return tuple(self.campaign.write(mark) for mark in self.progress.scale)

    @property
    def rest_of_sentence(self) -> str:
        """What follows the amount: `of 5,000 $`, and in words when the goal is reached or passed."""
        if not self.progress.goal:
            return "received"
        if self.progress.over:
            return f"of {self.goal} ({self.progress.percent_words})"
        if self.progress.reached:
            return f"of {self.goal}: goal reached"
        return f"of {self.goal}"

    @property
    def sentence(self) -> str:
        """All of it in words: `May 2021: 340 $ of 5,000 $`."""
        return f"{self.month_name}: {self.raised} {self.rest_of_sentence}"

    def as_json(self) -> dict[str, Any]:
        """The bar as other programs read it; amounts in the smallest unit. Its names are a contract (docs/embed.md)."""
        return {
            "version": 1,
            "campaign": self.campaign.slug,
            "title": self.campaign.title,
            "month": str(self.month),
            "time_zone": self.campaign.time_zone,
            "currency": self.campaign.currency,
            "goal": self.progress.goal,
            "raised": self.progress.raised,
            "committed": self.committed,
            "percent": self.progress.percent,
            "gifts": self.gifts,
            "scale": list(self.progress.scale),
            "labels": {
                "scale": list(self.scale),
                "goal": self.goal,
                "raised": self.raised,
                "month": self.month_label,
                "support": SUPPORT,
            },
            "give_url": self.give_url,
            "as_of": self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
