"""What the bar says: the one state that every carrier of it is drawn from."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_time

from tracker.giving import bar_words, drive_words
from tracker.giving.bar_style import BarStyle
from tracker.giving.campaign import Campaign
from tracker.giving.drives import NOTHING_RUNS, Appeal, Appeals
from tracker.giving.goals import PeopleGoal, Progress
from tracker.giving.months import Month, month_label, month_name


@dataclass(frozen=True)
class Bar:
    """A campaign's bar for one month, `as_of` a moment in UTC. While a drive runs it shows that one instead of the month."""

    campaign: Campaign
    month: Month
    progress: Progress
    """The month's, in money, whatever is shown."""
    gifts: int
    """The month's."""
    give_url: str
    as_of: datetime
    committed: int = 0
    """What regular supporters will still give in the month."""
    days_left: int = 0
    """Days of the month still to come, today not counted; 0 for any month but the current one."""
    speaks: str = "en"
    """The locale whose language the words are in. Amounts and months are in the campaign's own."""
    stale: bool = False
    """Whether the ledger could not be asked since `as_of`: then the bar says that moment."""
    appeals: Appeals = NOTHING_RUNS
    """The drive and the match that run now; none for a month that was asked for by name."""
    people: PeopleGoal | None = None
    """The month's goal in people."""

    def speaking(self, locale: str) -> "Bar":
        """The bar with words, amounts and months for readers of that locale; empty for the campaign's own."""
        locale = locale or self.campaign.locale
        return replace(self, campaign=replace(self.campaign, locale=locale), speaks=locale)

    # --- What is shown ------------------------------------------------------------------------------------------------

    @property
    def drive(self) -> Appeal | None:
        return self.appeals.drive

    @property
    def counts_people(self) -> bool:
        return self.drive is None and self.people is not None and self.people.first

    @property
    def of_month(self) -> "Bar":
        """The month in money, whatever is shown instead of it."""
        people = self.people and replace(self.people, first=False)
        return replace(self, appeals=replace(self.appeals, drive=None), people=people)

    @property
    def shown(self) -> Progress:
        """What is drawn and said: the drive's progress, the month's in people, or the month's in money."""
        if self.drive:
            return self.drive.progress
        if self.people and self.people.first:
            return Progress(max(self.gifts, 0), self.people.number)
        return self.progress

    def write(self, number: int) -> str:
        """A number of what is shown: an amount, or people."""
        return self.campaign.count(number) if self.counts_people else self.campaign.write(number)

    @property
    def heading(self) -> str:
        """What stands above the amount: `MAY 2021`, or the drive's name."""
        return self.drive.name if self.drive else self.month_label

    def days_to_go(self, now: datetime) -> int:
        """Days still to come until the end of what is shown, today not counted."""
        zone = self.campaign.time_zone
        return self.drive.days_left(now, zone) if self.drive else self.month.days_left(now, zone)

    @property
    def month_name(self) -> str:
        return month_name(self.month, self.campaign.locale)

    @property
    def month_label(self) -> str:
        return month_label(self.month, self.campaign.locale)

    @property
    def raised(self) -> str:
        return self.write(self.shown.raised)

    @property
    def goal(self) -> str:
        return self.write(self.shown.goal) if self.shown.goal else ""

    @property
    def scale(self) -> tuple[str, ...]:
        return tuple(self.write(mark) for mark in self.shown.scale)

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
        """What follows the amount: `of 5,000 $`, `of 200 supporters`."""
        if self.counts_people and self.shown.goal:
            return drive_words.of_supporters(self.speaks, self.shown.goal)
        if self.shown.goal:
            return bar_words.say(self.speaks, "of %(goal)s", goal=self.goal)
        return bar_words.say(self.speaks, "received")

    @property
    def beyond(self) -> str:
        """What follows when the goal is reached or passed: `: goal reached`, ` (142 %)`. The drawing shows it too."""
        if self.shown.over:
            return f" ({self.shown.percent_words})"
        return ": " + bar_words.say(self.speaks, "goal reached") if self.shown.reached else ""

    @property
    def rest_of_sentence(self) -> str:
        """All that follows the amount: `of 5,000 $ (142 %)`."""
        return self.towards + self.beyond

    @property
    def sentence(self) -> str:
        """All of it in words: `May 2021: 340 $ of 5,000 $`."""
        return f"{self.drive.name if self.drive else self.month_name}: {self.raised} {self.rest_of_sentence}"

    @property
    def summary(self) -> str:
        """The sentence, and the match that runs."""
        return " · ".join(one for one in (self.sentence, self.doubled) if one)

    # --- The match ----------------------------------------------------------------------------------------------------

    @property
    def match(self) -> Appeal | None:
        """The match that runs and is not used up; none while nobody can give, or the ledger cannot be asked."""
        match = self.appeals.match
        shows = match and match.matched < match.amount and self.campaign.takes_gifts and not self.stale
        return match if shows else None

    @property
    def doubled(self) -> str:
        """`Gifts doubled by Harbour Ltd: 1,240 $ of 5,000 $`; nothing without a match."""
        return drive_words.doubled_by(self.speaks, self.match, self.campaign.write) if self.match else ""

    @property
    def doubled_short(self) -> str:
        """The same without the name, for where there is little room."""
        return drive_words.doubled(self.speaks, self.match, self.campaign.write) if self.match else ""

    @property
    def doubled_in_full(self) -> str:
        """The same as a sentence, for pages."""
        return drive_words.doubled_in_full(self.speaks, self.match, self.campaign.write) if self.match else ""

    @property
    def low(self) -> bool:
        """Whether the scale's words make room for a line that no snippet has reckoned with."""
        return self.stale or self.match is not None

    # --- The small words ----------------------------------------------------------------------------------------------

    @property
    def pause(self) -> str:
        """What is shown in place of the button while a campaign is paused."""
        return bar_words.say(self.speaks, "Giving is paused just now") if self.campaign.paused else ""

    def notes(self, looks: BarStyle, *, pause: bool = True) -> list[str]:
        """The small words under the drawing, as far as the snippet asks for them, and those that must be said.

        Without `pause` where that is said in the button's place.
        """
        said = [
            bar_words.say(
                self.speaks,
                "%(amount)s still to come from regular supporters",
                amount=self.campaign.write(self.committed),
            )
            if looks.committed and self.committed and not self.drive
            else "",
            self.tally if looks.count else "",
            bar_words.say_count(self.speaks, "%(n)s day left", "%(n)s days left", self.days_left)
            if looks.days and self.days_left
            else "",
            self.pause if pause else "",
            self.dated,
        ]
        return [note for note in said if note]

    @property
    def tally(self) -> str:
        """The number of gifts; with a goal in people how far that is, or money where people are counted above."""
        if self.counts_people:
            return self.of_month.figures
        if self.people and not self.drive:
            return self.supporters
        gifts = self.drive.gifts if self.drive else self.gifts
        return bar_words.say_count(self.speaks, "%(n)s gift", "%(n)s gifts", gifts)

    @property
    def figures(self) -> str:
        """`340 $ of 5,000 $`."""
        return f"{self.raised} {self.towards}"

    @property
    def supporters(self) -> str:
        """`120 of 200 supporters`; nothing without a goal in people."""
        if not self.people:
            return ""
        of = drive_words.of_supporters(self.speaks, self.people.number)
        return f"{self.campaign.count(max(self.gifts, 0))} {of}"

    @property
    def dated(self) -> str:
        """The time of the number, where the ledger cannot be asked."""
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
        """How far the bar will be filled with what is committed, 0 to 1; never less than it is filled now.

        A drive ends before it comes, and people are no money.
        """
        goal, raised = self.progress.goal, self.progress.raised
        if not goal or self.committed <= 0 or self.drive or self.counts_people:
            return self.shown.fill
        return max(self.progress.fill, min(1.0, max(raised + self.committed, 0) / max(goal, raised)))

    def as_json(self) -> dict[str, Any]:
        """The bar as other programs read it; amounts in the smallest unit. Its names are a contract (docs/embed.md).

        All of them are the month's in money, labels too, whatever is shown: who knows no drives still says what is true.
        """
        month = self.of_month
        told: dict[str, Any] = {
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
                "scale": list(month.scale),
                "goal": month.goal,
                "raised": month.raised,
                "month": self.month_label,
                "support": self.support,
            },
            "give_url": self.give_url,
            "as_of": self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.people:
            told |= {"supporters": max(self.gifts, 0), "supporters_goal": self.people.number}
            told["labels"]["supporters"] = self.supporters
        if self.drive:
            told["drive"] = self._appeal_as_json(self.drive) | {
                "goal": self.drive.amount,
                "raised": self.drive.raised,
                "percent": self.drive.progress.percent,
                "gifts": self.drive.gifts,
                "scale": list(self.drive.progress.scale),
                "labels": {"scale": list(self.scale), "goal": self.goal, "raised": self.raised},
            }
        if self.match:
            told["match"] = self._appeal_as_json(self.match) | {
                "cap": self.match.amount,
                "matched": self.match.matched,
                "labels": {"matched": self.doubled},
            }
        return told

    def _appeal_as_json(self, one: Appeal) -> dict[str, Any]:
        zone = ZoneInfo(self.campaign.time_zone)
        starts, ends = (at and at.astimezone(zone).isoformat(timespec="seconds") for at in (one.starts_at, one.ends_at))
        return {"name": one.name, "start": starts, "end": ends}


def _zone_words(local: datetime) -> str:
    """`CEST`, and `UTC+3` or `UTC−3:30` where a zone has no letters of its own."""
    name = f"{local:%Z}"
    if name[0] not in "+-":
        return name
    sign, hours, minutes = name[0].replace("-", "−"), int(name[1:3]), name[3:]
    return f"UTC{sign}{hours}" + (f":{minutes}" if minutes else "")
