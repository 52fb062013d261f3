"""Every campaign's bar in memory, so that showing it asks the database nothing, and a look out for what changes it."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast

import structlog
from flask import Flask, abort, current_app
from sqlalchemy.exc import SQLAlchemyError

from tracker.giving.bar import Bar
from tracker.giving.months import Month, month_of
from tracker.ledger import campaigns, database_errors
from tracker.ledger.change_detector import ChangeDetector
from tracker.ledger.models import db
from tracker.ledger.store import reading
from tracker.web.site import bar_of, has_month, now

log = structlog.get_logger()

# How often each process looks. A gift must show within a second on every one of them.
LOOK_SECONDS = 0.2
# How long readers and caches may go without asking, and for how much longer they may show what they have while they ask.
FRESH_SECONDS = 1
STALE_SECONDS = 9
# So long a silence of the database is a hiccup; after it the bar says of when it is.
SILENCE = timedelta(seconds=5)
# Strangers can ask for any past month.
MOST_KEPT = 500
# So often a bar that is asked for first while others are read anew is read, before it is given out without being kept.
MOST_TRIES = 5

Key = tuple[str, Month | None]
T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """A bar, and how long it may be shown without asking."""

    bar: Bar
    cache_control: str


def bars() -> "BarCache":
    return cast(BarCache, current_app.extensions["bars"])


class BarCache:
    """The bars of one process. Until somebody looks out, each is read from the ledger whenever it is asked for."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.on_change: Callable[[set[str], bool], None] = lambda slugs, minute: None
        self.on_forget: Callable[[], None] = lambda: None
        self.generation = 0
        """Odd while bars are being read anew: what is made of the old ones then must not be kept."""
        self._kept: dict[Key, Kept] = {}
        self._written = 0
        self._readings: dict[Hashable, tuple[int, object]] = {}
        self.lock = threading.Lock()
        """Held for a moment while the generation changes, and by whoever keeps something only if it has not."""
        # Held from when the bars change until what is made of them is made anew: one change after the other.
        self._changing = threading.Lock()
        self.watched = False
        """Whether somebody looks out for changes, without which nothing can be kept."""
        self._stamp: ChangeDetector | None = None
        self._seen = ""
        self._next_look: datetime | None = None
        self._answered: datetime | None = None
        self._silent = False

    def bar(self, slug: str, month: Month | None = None) -> Bar:
        """A campaign's bar, for the month it shows or for another one; 404 where there is none."""
        kept = self._find(slug, month)
        return kept.bar if kept else abort(404)

    def cache_control(self, bar: Bar) -> str:
        """How long it may be shown without asking: never past the end of its month."""
        return _cache_control(bar, now())

    def cached_until_written(self, key: Hashable, read: Callable[[], T]) -> T:
        """What `read` returns, kept until anything is written, or the minute is over. What it raises is not kept.

        While the database does not answer, what was read last goes on, so that people can give meanwhile.

        `key` must name something that exists: what is kept is never thrown away, only replaced.
        """
        if not self.watched:
            return read()
        # Before reading: what is written meanwhile must not be missed.
        written = self._written
        kept = self._readings.get(key)
        if kept and (kept[0] == written or self._silent):
            return cast(T, kept[1])
        try:
            found = read()
        except SQLAlchemyError:
            if kept is None:
                raise
            return cast(T, kept[1])
        self._readings[key] = (written, found)
        return found

    def dated(self, bar: Bar) -> Bar:
        """A bar that was read before, as it may be shown now: while the database is silent, it says of when it is."""
        return replace(bar, stale=True, as_of=self._answered) if self._silent and self._answered else bar

    def _find(self, slug: str, month: Month | None) -> Kept | None:
        if not self.watched:
            return _read(slug, month, now())
        # Again when all were read anew meanwhile: this one may be older than they are. It should be kept, since the next time
        # the database may be away.
        for _ in range(MOST_TRIES):
            if kept := self._kept.get((slug, month)):
                return kept
            before = self.generation
            found = _read(slug, month, now())
            if found is None or self._keep((slug, month), found, before):
                break
        return found

    def _keep(self, key: Key, found: Kept, generation: int) -> bool:
        """Whether it is kept: not when the generation is another one than when it was read."""
        with self.lock:
            if self.generation != generation:
                return False
            if len(self._kept) >= MOST_KEPT:
                # Nobody looks after these any more: what was made of them would stand still. Campaigns' own bars are few.
                self._kept = {one: kept for one, kept in self._kept.items() if one[1] is None}
                self.generation += 2
                self.on_forget()
            self._kept[key] = found
            return True

    # --- Looking out --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Lets go of the connection that it looks through."""
        if self._stamp:
            self._stamp.close()

    def look(self, moment: datetime) -> None:
        """Reads the bars anew when anything was written, when a month turns, and once a minute for the clock's sake."""
        self.watched = True
        self._stamp = self._stamp or ChangeDetector(db.engine)
        try:
            seen = self._stamp.read()
            minute = self._next_look is None or moment >= self._next_look
            if seen != self._seen or minute or self._silent:
                self._written += 1
                self._read_anew(moment, minute)
                self._seen = seen
                self._next_look = _next_look(self._kept, moment)
            self._answered = moment
        except SQLAlchemyError as error:
            self.notice_silence(moment, database_errors.kind_of(error))

    def _read_anew(self, moment: datetime, minute: bool) -> None:
        with self.lock:
            self.generation += 1
            known = set(self._kept)
        try:
            fresh = {key: kept for key in known if (kept := _read(*key, moment))}
        except BaseException:
            with self.lock:
                self.generation += 1
            raise
        with self._changing:
            with self.lock:
                before = self._kept
                # What was first asked for meanwhile was read after the change that this is about.
                self._kept = {key: kept for key, kept in before.items() if key not in known} | fresh
                self.generation += 1
            self._answered, self._silent = moment, False
            changed = {
                key[0] for key in known & before.keys() if key not in fresh or _looks(before[key]) != _looks(fresh[key])
            }
            if changed or minute:
                self.on_change(changed, minute)

    def notice_silence(self, moment: datetime, error: str = "no answer") -> None:
        """When the database has not answered for some time: the bars go on with their last numbers, and say of when they are."""
        with self._changing:
            if self._silent or self._answered is None or moment - self._answered < SILENCE:
                return
            self._silent = True
            log.error("bars.database_silent", error=error, since=self._answered.isoformat(timespec="seconds"))
            with self.lock:
                self.generation += 1
                for key, kept in self._kept.items():
                    self._kept[key] = replace(kept, bar=replace(kept.bar, stale=True, as_of=self._answered))
                self.generation += 1
            self.on_change({slug for slug, _ in self._kept}, False)


def _read(slug: str, month: Month | None, moment: datetime) -> Kept | None:
    with reading() as connection:
        campaign = campaigns.find(connection, slug)
        if campaign is None or (month and not has_month(connection, campaign, month, moment)):
            return None
        bar = bar_of(connection, campaign, moment, month)
    return Kept(bar, _cache_control(bar, moment))


def _looks(kept: Kept) -> Kept:
    """What of it shows: all but the moment it was read at."""
    return replace(kept, bar=replace(kept.bar, as_of=kept.bar.month.first_moment("UTC")))


def _turn(bar: Bar, moment: datetime) -> datetime | None:
    """When the bar will show another month; None where it never will."""
    campaign = bar.campaign
    if campaign.held_month or bar.month != month_of(moment, campaign.time_zone):
        return None
    return bar.month.next.first_moment(campaign.time_zone)


def _cache_control(bar: Bar, moment: datetime) -> str:
    turn = _turn(bar, moment)
    if turn and turn - moment <= timedelta(seconds=FRESH_SECONDS + STALE_SECONDS + 1):
        return "public, no-cache"
    return f"public, max-age={FRESH_SECONDS}, stale-while-revalidate={STALE_SECONDS}"


def _next_look(kept: dict[Key, Kept], moment: datetime) -> datetime:
    """The next full minute, or before it the beginning of a month's last seconds, or its end."""
    turns = [turn for one in list(kept.values()) if (turn := _turn(one.bar, moment))]
    last_seconds = [turn - timedelta(seconds=FRESH_SECONDS + STALE_SECONDS + 1) for turn in turns]
    minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return min([minute, *(at for at in turns + last_seconds if at > moment)])
