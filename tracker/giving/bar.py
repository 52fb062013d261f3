"""What the bar says: the one state that every carrier of it is drawn from."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_time

from tracker.giving import bar_words
from tracker.giving.bar_style import BarStyle
from tracker.giving.campaign import Campaign
from tracker.giving.goals import Progress
from tracker.giving.months import Month, month_label, month_name


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
    days_left: int = 0
    """Days of the month still to come, today not counted; 0 for any month but the current one."""
    speaks: str = "en"
    """The locale whose language the words are in. Amounts and months are in the campaign's own."""
    stale: bool = False
    """Whether the ledger could not be asked since `as_of`: then the bar says that moment."""

    def speaking(self, locale: str) -> "Bar":
        """The bar with words, amounts and months for readers of that locale; empty for the campaign's own."""
        locale = locale or self.campaign.locale
        return replace(self, campaign=replace(self.campaign, locale=locale), speaks=locale)

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
    def support(self) -> str:
        """What stands on the button."""
        return bar_words.say(self.speaks, "Support us")

    @property
    def direction(self) -> str:
        """`ltr`, or `rtl` where the words run from right to left."""
        return bar_words.direction(self.speaks)

    @property
    def language(self) -> str:
        """For `lang` attributes: `de-AT`."""
        return self.speaks.replace("_", "-")

    @property
    def towards(self) -> str:
        """What follows the amount: `of 5,000 $`."""
        if self.progress.goal:
            return bar_words.say(self.speaks, "of %(goal)s", goal=self.goal)
        return bar_words.say(self.speaks, "received")

    @property
    def beyond(self) -> str:
        """What follows when the goal is reached or passed: `: goal reached`, ` (142 %)`. The drawing shows it too."""
        if self.progress.over:
            return f" ({self.progress.percent_words})"
        return ": " + bar_words.say(self.speaks, "goal reached") if self.progress.reached else ""

    @property
    def rest_of_sentence(self) -> str:
        """All that follows the amount: `of 5,000 $ (142 %)`."""
        return self.towards + self.beyond

    @property
    def sentence(self) -> str:
        """All of it in words: `May 2021: 340 $ of 5,000 $`."""
        return f"{self.month_name}: {self.raised} {self.rest_of_sentence}"

    @property
    def pause(self) -> str:
        """What stands in the button's place while a campaign is paused."""
        return bar_words.say(self.speaks, "Giving is paused just now") if self.campaign.paused else ""

    def notes(self, looks: BarStyle, *, pause: bool = True) -> list[str]:
        """The small words under the drawing, as far as the snippet asks for them, and those that must be said.

        Without `pause` where that is said in the button's place.
        """
        said = [
            bar_words.say(
                self.speaks,
                "%(amount)s still to come from monthly supporters",
                amount=self.campaign.write(self.committed),
            )
            if looks.committed and self.committed
            else "",
            bar_words.say_count(self.speaks, "%(n)s gift", "%(n)s gifts", self.gifts) if looks.count else "",
            bar_words.say_count(self.speaks, "%(n)s day left", "%(n)s days left", self.days_left)
            if looks.days and self.days_left
            else "",
            self.pause if pause else "",
            self.dated,
        ]
        return [note for note in said if note]

    @property
    def dated(self) -> str:
        """Of when it is, where the ledger cannot be asked."""
        return bar_words.say(self.speaks, "as of %(time)s", time=self.as_of_words) if self.stale else ""

    @property
    def as_of_words(self) -> str:
        """`as_of` on the campaign's clock, with the day and the zone, since nobody knows when it will be read."""
        zone = ZoneInfo(self.campaign.time_zone)
        local = self.as_of.astimezone(zone)
        day = format_skeleton("MMMd", local, locale=self.campaign.locale)
        return f"{day}, {format_time(local, 'short', tzinfo=zone, locale=self.campaign.locale)} {_zone_words(local)}"

    @property
    def committed_to(self) -> float:
        """How far the bar will be filled with what is committed, 0 to 1; never less than it is filled now."""
        goal, raised = self.progress.goal, self.progress.raised
        if not goal or self.committed <= 0:
            return self.progress.fill
        return max(self.progress.fill, min(1.0, max(raised + self.committed, 0) / max(goal, raised)))

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
                "support": self.support,
            },
            "give_url": self.give_url,
            "as_of": self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _zone_words(local: datetime) -> str:
    """`CEST`, and `UTC+3` or `UTC−3:30` where a zone has no letters of its own."""
    name = f"{local:%Z}"
    if name[0] not in "+-":
        return name
    sign, hours, minutes = name[0].replace("-", "−"), int(name[1:3]), name[3:]
    return f"UTC{sign}{hours}" + (f":{minutes}" if minutes else "")
