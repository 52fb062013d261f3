"""Every campaign's bar in memory, so that showing it costs no query, and what notices that it has changed."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast

import structlog
from flask import abort, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from tracker.giving.bar import Bar
from tracker.giving.months import Month, month_of
from tracker.ledger import campaigns, database_errors
from tracker.ledger.change_detector import ChangeDetector
from tracker.ledger.models import db
from tracker.ledger.store import end_reading, reading
from tracker.web.site import bar_of, has_month, now

log = structlog.get_logger()

# How often each process looks. A gift must show within a second on every one of them.
LOOK_SECONDS = 0.2
# How long readers and caches may go without asking, and for how much longer they may show what they have while they ask.
FRESH_SECONDS = 1
STALE_SECONDS = 9
# A shorter silence of the database is a hiccup; after this one the bar gives the time of its number.
SILENCE = timedelta(seconds=5)
# Strangers can ask for any past month.
MOST_KEPT = 500
# How often a bar is read that is first asked for while others are read again, before it is shown without being kept.
MOST_TRIES = 5

Key = tuple[str, Month | None]
T = TypeVar("T")


@dataclass(eq=False)
class Kept:
    """A bar, how long it may be shown without asking, and whether it is still the one to be shown."""

    bar: Bar
    cache_control: str
    current: bool = True


@dataclass(frozen=True)
class Written:
    """What an answer with more than a bar was made of: current until anything is written, or the minute is over."""

    kept: Kept | None
    cache: "BarCache"
    changes: int

    @property
    def current(self) -> bool:
        # The bar may be older than the count, which goes up a moment before the bar is read.
        return self.cache.changes == self.changes and (self.kept is None or self.kept.current)


def bars() -> "BarCache":
    return cast(BarCache, current_app.extensions["bars"])


class BarCache:
    """The bars of one process. While nothing watches the database, each is read from the ledger whenever it is asked for."""

    def __init__(self) -> None:
        self.watched = False
        """Whether a thread calls `look`; without it nothing can be kept."""
        self._changes = 0
        """Counted before anything is read again: what was read at an earlier count may be older than the last change."""
        self._kept: dict[Key, Kept] = {}
        self._readings: dict[Hashable, tuple[int, object]] = {}
        self._lock = threading.Lock()
        """Held for a moment by whoever changes what is kept."""
        self._detector: ChangeDetector | None = None
        self._seen = ""
        self._next_look: datetime | None = None
        self._answered: datetime | None = None
        self._silent = False

    # --- What is kept -------------------------------------------------------------------------------------------------

    def bar(self, slug: str, month: Month | None = None) -> Bar:
        """A campaign's bar, for the month it shows or for another one; 404 where there is none."""
        kept = self._find((slug, month)) if self.watched else _read((slug, month), now())
        g.made_of = kept
        return kept.bar if kept else abort(404)

    def made_until_written(self) -> None:
        """Has this answer made again after the next change; to be called before reading what it shows."""
        g.made_of = Written(g.get("made_of"), self, self.changes)
        # A transaction that began earlier would not see what was written before the count.
        end_reading()

    @property
    def changes(self) -> int:
        """How many changes were seen so far."""
        return self._changes

    def cached_until_written(self, key: Hashable, read: Callable[[], T]) -> T:
        """What `read` returns, kept until anything is written, or the minute is over. What it raises is not kept.

        While the database does not answer, what was read last goes on, so that people can give meanwhile.

        `key` must name something that exists: what is kept is never thrown away, only replaced.
        """
        if not self.watched:
            return read()
        # Before reading: what is written meanwhile must not be missed.
        changes = self._changes
        kept = self._readings.get(key)
        if kept and (kept[0] == changes or self._silent):
            return cast(T, kept[1])
        try:
            # A transaction that began earlier would not see what was written before the count.
            end_reading()
            found = read()
        except SQLAlchemyError:
            if kept is None:
                raise
            return cast(T, kept[1])
        self._readings[key] = (changes, found)
        return found

    def dated(self, bar: Bar) -> Bar:
        """A bar that was read before, as it may be shown now: while the database is silent, it gives the time of its number."""
        return replace(bar, stale=True, as_of=self._answered) if self._silent and self._answered else bar

    def _find(self, key: Key) -> Kept | None:
        # Again when something changed meanwhile. It should be kept, since the next time the database may be away.
        for _ in range(MOST_TRIES):
            if kept := self._kept.get(key):
                return kept
            changes = self._changes
            # As above: what is kept must not be from before the count.
            end_reading()
            found = _read(key, now())
            if found is None:
                return None
            with self._lock:
                if self._changes == changes:
                    if len(self._kept) >= MOST_KEPT:
                        # Campaigns' own bars are few.
                        self._replace({one: kept for one, kept in self._kept.items() if one[1] is None})
                    # Another reader may have been as quick.
                    return self._kept.setdefault(key, found)
        found.current = False
        return found

    def _replace(self, kept: dict[Key, Kept]) -> None:
        for key, old in self._kept.items():
            old.current = kept.get(key) is old
        self._kept = kept

    # --- Looking out --------------------------------------------------------------------------------------------------

    def look(self, moment: datetime) -> None:
        """Reads the bars again when anything was written, when a month, a drive or a match begins or ends, and once a minute."""
        self.watched = True
        self._detector = self._detector or ChangeDetector(db.engine)
        try:
            seen = self._detector.read()
            minute = self._next_look is None or moment >= self._next_look
            if seen != self._seen or minute or self._silent:
                self._changes += 1
                self._read_again(moment, minute)
                self._seen = seen
                self._next_look = _next_look(self._kept, moment)
            self._answered = moment
        except SQLAlchemyError as error:
            self.notice_silence(moment, database_errors.kind_of(error))

    def _read_again(self, moment: datetime, minute: bool) -> None:
        known = list(self._kept)
        fresh = {key: _read(key, moment) for key in known}
        with self._lock:
            after = dict(self._kept)
            for key, found in fresh.items():
                if found is None:
                    after.pop(key, None)
                elif key not in after or minute or _looks(found) != _looks(after[key]):
                    after[key] = found
            self._replace(after)
            self._answered, self._silent = moment, False

    def notice_silence(self, moment: datetime, error: str = "no answer") -> None:
        """When the database has not answered for some time: the bars keep their last numbers, and give their time.

        In a thread of its own: a look may hang for as long as the database does.
        """
        with self._lock:
            if self._silent or self._answered is None or moment - self._answered < SILENCE:
                return
            self._silent = True
            log.error("bars.database_silent", error=error, since=self._answered.isoformat(timespec="seconds"))
            self._replace(
                {
                    key: Kept(replace(kept.bar, stale=True, as_of=self._answered), kept.cache_control)
                    for key, kept in self._kept.items()
                }
            )

    def close(self) -> None:
        """Closes the connection that it looks through."""
        if self._detector:
            self._detector.close()


def _read(key: Key, moment: datetime) -> Kept | None:
    slug, month = key
    with reading() as connection:
        campaign = campaigns.find(connection, slug)
        if campaign is None or (month and not has_month(connection, campaign, month, moment)):
            return None
        bar = bar_of(connection, campaign, moment, month)
    return Kept(bar, cache_control(bar, moment))


def _looks(kept: Kept) -> tuple[Bar, str]:
    """What a reader sees of it: all but the moment it was read."""
    return replace(kept.bar, as_of=kept.bar.month.first_moment("UTC")), kept.cache_control


def _turn(bar: Bar, moment: datetime) -> datetime | None:
    """When the bar will show something else by the clock alone: another month, a drive, a match; None where it never will."""
    campaign = bar.campaign
    turns = [bar.appeals.changes_at] if bar.appeals.changes_at else []
    if not campaign.held_month and bar.month == month_of(moment, campaign.time_zone):
        turns.append(bar.month.next.first_moment(campaign.time_zone))
    return min(turns, default=None)


def cache_control(bar: Bar, moment: datetime) -> str:
    """How long it may be shown without asking: never past the end of its month, or of a drive or match that it shows."""
    turn = _turn(bar, moment)
    if turn and turn - moment <= timedelta(seconds=FRESH_SECONDS + STALE_SECONDS + 1):
        return "public, no-cache"
    return f"public, max-age={FRESH_SECONDS}, stale-while-revalidate={STALE_SECONDS}"


def _next_look(kept: dict[Key, Kept], moment: datetime) -> datetime:
    """The next full minute, or before it the beginning of the last seconds of what is shown, or its end."""
    turns = [turn for one in list(kept.values()) if (turn := _turn(one.bar, moment))]
    last_seconds = [turn - timedelta(seconds=FRESH_SECONDS + STALE_SECONDS + 1) for turn in turns]
    minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return min([minute, *(at for at in turns + last_seconds if at > moment)])
