"""Offline gifts in the book, with the notes beside them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.offline_gift import Offline
from tracker.ledger import book, reversals
from tracker.ledger.entries import month_is
from tracker.ledger.models import EntryRow, NoteRow, entry

# How far apart noon of the same day can be if the campaign has changed its time zone since.
ANOTHER_CLOCK = timedelta(hours=26)


@dataclass
class WrittenDown:
    """How many gifts are new in the book, how many were there already, and what came to each month."""

    new: int = 0
    known: int = 0
    gifts: Counter[str] = field(default_factory=Counter)
    """By the month they are booked in."""
    amounts: Counter[str] = field(default_factory=Counter)
    unlike: list[Any] = field(default_factory=list)
    """The entries of those that were there already with another amount or of another day: nothing was changed."""


def write_down(session: Session, gifts: Iterable[Offline], now: datetime) -> WrittenDown:
    """Records offline gifts, each once however often it comes."""
    done = WrittenDown()
    for one in gifts:
        if book.record(session, one.gift, now) != "recorded":
            done.known += 1
            there = session.execute(select(entry).where(entry.c.key == one.gift.key)).one()
            if there.amount != one.gift.amount or abs(there.at - one.gift.at) > ANOTHER_CLOCK:
                done.unlike.append(there)
            continue
        if one.note:
            session.add(NoteRow(gift_key=one.gift.key, words=one.note))
        month = session.scalar(select(entry.c.month).where(entry.c.key == one.gift.key))
        assert month is not None
        done.new += 1
        done.gifts[month] += 1
        done.amounts[month] += one.gift.amount
    return done


def notes(session: Session, campaign: Campaign, month: Month, live: bool) -> dict[str, str]:
    """The notes beside a month's offline gifts, by the gift's key."""
    these = select(NoteRow).join(EntryRow, EntryRow.key == NoteRow.gift_key)
    rows = session.scalars(these.where(*month_is(entry, campaign.id, live, month)))
    return {row.gift_key: row.words for row in rows}


def find(session: Session, campaign: Campaign, key: str, live: bool) -> Any:
    """The entry of a campaign's offline gift, whether or not it was taken back; None when there is none of that key."""
    these = (entry.c.key == key, entry.c.campaign_id == campaign.id, entry.c.live == live, entry.c.kind == "offline")
    return session.execute(select(entry).where(*these, entry.c.key == entry.c.gift_key)).one_or_none()


def taken_back(session: Session, key: str) -> Any:
    """The entry that takes an offline gift back, if it was."""
    return session.execute(select(entry).where(entry.c.key == f"{key}{reversals.TAKEN_BACK}")).one_or_none()
