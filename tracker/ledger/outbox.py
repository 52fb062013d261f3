"""The notices that are to be sent and were: who gets which, each once, tried again with growing pauses, and how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, false, func, insert, or_, select, update
from sqlalchemy.orm import Session

from tracker.giving.notice_rules import TOO_LATE, Due, next_try
from tracker.ledger.models import insert_unless_there
from tracker.ledger.notice_models import address, choice, notice, turn
from tracker.ledger.user_models import UserRow

user = UserRow.__table__

WEBHOOK = "webhook"
# Older ones are forgotten. None of the rules looks back so far.
KEEP = timedelta(days=400)
LONGEST_DETAIL = 300


@dataclass(frozen=True)
class Notice:
    """A notice for one reader."""

    id: int
    kind: str
    campaign: str
    about: str
    reader: str
    facts: dict[str, Any]
    made_at: datetime
    tries: int
    state: str
    due_at: datetime
    ended_at: datetime | None
    reason: str
    detail: str
    email: str = ""
    """Whom it goes to by mail."""


@dataclass(frozen=True)
class Chosen:
    """Somebody who wants a kind of notice, since when."""

    reader: str
    since: datetime


# --- Who wants what ---------------------------------------------------------------------------------------------------


def mail_to(user_id: int) -> str:
    """The reader that an account is."""
    return f"mail:{user_id}"


def user_of(reader: str) -> int | None:
    """The account that a reader is; None for the webhook."""
    return int(reader.removeprefix("mail:")) if reader.startswith("mail:") else None


def chosen_by(session: Session, reader: str) -> list[str]:
    """The kinds that a reader wants."""
    return list(session.scalars(select(choice.c.kind).where(choice.c.reader == reader).order_by(choice.c.kind)))


def choose(session: Session, reader: str, kinds: Iterable[str], now: datetime) -> None:
    """Exactly these kinds from now on. What is not wanted any more and waits to be sent is dropped."""
    before, after = set(chosen_by(session, reader)), set(kinds)
    if ended := before - after:
        session.execute(delete(choice).where(choice.c.reader == reader, choice.c.kind.in_(ended)))
        waiting = (notice.c.reader == reader, notice.c.kind.in_(ended), notice.c.state == "due")
        session.execute(update(notice).where(*waiting).values(state="ended", ended_at=now))
    if begun := after - before:
        session.execute(insert(choice), [{"reader": reader, "kind": kind, "since": now} for kind in sorted(begun)])


def readers(session: Session, *, mail: bool, webhook: bool) -> dict[str, list[Chosen]]:
    """Who wants each kind and can get it: by mail, accounts that are active and have confirmed their address."""
    found: dict[str, list[Chosen]] = {}
    active = {mail_to(number) for number in _reachable(session)} if mail else set()
    for row in session.execute(select(choice).order_by(choice.c.reader)):
        if row.reader in active or (webhook and row.reader == WEBHOOK):
            found.setdefault(row.kind, []).append(Chosen(row.reader, row.since))
    return found


def _reachable(session: Session) -> dict[int, str]:
    """The accounts that mail may be sent to, and their addresses."""
    rows = session.execute(
        select(user.c.id, user.c.email).join(address, address.c.user_id == user.c.id)
        .where(user.c.active, address.c.email == user.c.email)
    )  # fmt: skip
    return {row.id: row.email for row in rows}


def email_of(session: Session, user_id: int) -> str:
    """The address of an active account."""
    return session.scalar(select(user.c.email).where(user.c.id == user_id, user.c.active)) or ""


def is_confirmed(session: Session, user_id: int, email: str) -> bool:
    these = (address.c.user_id == user_id, address.c.email == email)
    return session.scalar(select(address.c.user_id).where(*these)) is not None


def confirm(session: Session, user_id: int, email: str, now: datetime) -> None:
    session.execute(delete(address).where(address.c.user_id == user_id))
    session.execute(insert(address).values(user_id=user_id, email=email, confirmed_at=now))


# --- What is due ------------------------------------------------------------------------------------------------------


def is_turn(session: Session, name: str, now: datetime, every: timedelta) -> bool:
    """Whether it was longer ago that any process looked."""
    last = session.scalar(select(turn.c.at).where(turn.c.name == name))
    return last is None or now - last >= every


def take_turn(session: Session, name: str, now: datetime, every: timedelta) -> bool:
    """Whether this process is the one that looks; then no other one is for so long."""
    if not is_turn(session, name, now, every):
        return False
    if not session.execute(update(turn).where(turn.c.name == name).values(at=now)).rowcount:
        session.execute(insert(turn).values(name=name, at=now))
    return True


def put(session: Session, due: Due, to: Iterable[Chosen], live: bool, now: datetime) -> int:
    """Adds a notice for each reader who has not had it yet; returns for how many."""
    added = 0
    for one in to:
        if due.since is None or one.since <= due.since:
            row = {
                "live": live, "kind": due.kind, "campaign": due.campaign, "about": due.about, "reader": one.reader,
                "facts": due.facts, "made_at": now, "due_at": now, "tries": 0, "state": "due", "ended_at": None,
                "reason": "", "detail": "",
            }  # fmt: skip
            added += session.execute(insert_unless_there(notice), row).rowcount
    if added:
        session.execute(delete(notice).where(notice.c.made_at < now - KEEP, notice.c.state != "due"))
    return added


def are_new(session: Session, found: Sequence[Due], live: bool, to: dict[str, list[Chosen]]) -> list[Due]:
    """Those that somebody has still to get. It only reads: mostly there are none, and nobody need wait for a writer."""
    these = (notice.c.live == live, notice.c.about.in_({due.about for due in found}))
    columns = select(notice.c.kind, notice.c.campaign, notice.c.about, notice.c.reader).where(*these)
    known = {tuple(row) for row in session.execute(columns)}
    return [
        due
        for due in found
        if any((due.kind, due.campaign, due.about, one.reader) not in known for one in to.get(due.kind, ()))
    ]


def is_any_due(session: Session, live: bool, now: datetime) -> bool:
    these = (notice.c.state == "due", notice.c.due_at <= now, notice.c.live == live)
    return session.scalar(select(notice.c.id).where(*these).limit(1)) is not None


def take_due(session: Session, live: bool, now: datetime, *, mail: bool, webhook: bool) -> Notice | None:
    """The oldest notice that is to be sent now, for this process alone. It comes again if nothing is heard of it."""
    ways = [notice.c.reader.startswith("mail:")] * mail + [notice.c.reader == WEBHOOK] * webhook
    these = (notice.c.state == "due", notice.c.due_at <= now, notice.c.live == live, or_(false(), *ways))
    return _take(session, select(notice).where(*these).order_by(notice.c.due_at, notice.c.id).limit(1), now)


def take(session: Session, number: int, now: datetime) -> Notice | None:
    """One notice, for this process alone; None if another one has it, or it may not be sent."""
    return _take(
        session, select(notice).where(notice.c.id == number, notice.c.state == "due", notice.c.due_at <= now), now
    )


def _take(session: Session, wanted: Select[Any], now: datetime) -> Notice | None:
    while row := session.execute(wanted).one_or_none():
        account = user_of(row.reader)
        if account is None:
            email = ""
        elif row.kind == "confirm":
            # The mail with which an address is confirmed goes to one that is not.
            email = email_of(session, account)
        else:
            email = _reachable(session).get(account, "")
        values: dict[str, Any]
        if account is not None and not email:
            values = {"state": "ended", "ended_at": now}
        elif row.made_at < now - TOO_LATE:
            values = {"state": "failed", "ended_at": now, "reason": row.reason or "too_late"}
        else:
            # After the last try there is no other: `failed` says so, or its time runs out.
            values = {"tries": row.tries + 1, "due_at": next_try(now, row.tries + 1) or now + TOO_LATE}
        session.execute(update(notice).where(notice.c.id == row.id).values(**values))
        if "tries" in values:
            return _read(row, email, row.tries + 1)
    return None


def sent(session: Session, number: int, now: datetime) -> None:
    session.execute(
        update(notice).where(notice.c.id == number).values(state="sent", ended_at=now, reason="", detail="")
    )


def failed(session: Session, one: Notice, now: datetime, reason: str, detail: str, *, for_good: bool) -> bool:
    """Notes why a try failed; returns whether it was the last."""
    is_over = for_good or next_try(now, one.tries) is None
    values: dict[str, Any] = {"reason": reason, "detail": detail.replace("\0", "")[:LONGEST_DETAIL]}
    if is_over:
        values |= {"state": "failed", "ended_at": now}
    session.execute(update(notice).where(notice.c.id == one.id, notice.c.state == "due").values(**values))
    return is_over


# --- What became of them ----------------------------------------------------------------------------------------------


def newest(session: Session, live: bool, limit: int, *, reader: str = "", kind: str = "") -> list[Notice]:
    """The newest notices, the newest first."""
    these = [notice.c.live == live]
    if reader:
        these.append(notice.c.reader == reader)
    if kind:
        these.append(notice.c.kind == kind)
    rows = session.execute(select(notice).where(*these).order_by(notice.c.id.desc()).limit(limit)).all()
    emails = {row.id: row.email for row in session.execute(select(user.c.id, user.c.email))}
    return [_read(row, emails.get(user_of(row.reader) or 0, ""), row.tries) for row in rows]


def newest_tried(session: Session, live: bool, *, webhook: bool) -> Notice | None:
    """The newest notice by that way that was sent, or whose sending failed."""
    way = notice.c.reader == WEBHOOK if webhook else notice.c.reader.startswith("mail:")
    these = (notice.c.live == live, way, notice.c.state.in_(("sent", "failed")) | (notice.c.reason != ""))
    row = session.execute(select(notice).where(*these).order_by(notice.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _read(row, "", row.tries)


def people(session: Session) -> int:
    """How many people get any notice by mail."""
    reachable = {mail_to(number) for number in _reachable(session)}
    found = session.scalars(select(choice.c.reader).where(choice.c.reader != WEBHOOK).group_by(choice.c.reader))
    return len(reachable & set(found))


def number_of(session: Session, due: Due, reader: str, live: bool) -> int:
    """The id of a notice that was put."""
    these = (
        notice.c.live == live, notice.c.kind == due.kind, notice.c.campaign == due.campaign,
        notice.c.about == due.about, notice.c.reader == reader,
    )  # fmt: skip
    return session.scalar(select(func.max(notice.c.id)).where(*these)) or 0


def _read(row: Any, email: str, tries: int) -> Notice:
    return Notice(
        row.id, row.kind, row.campaign, row.about, row.reader, row.facts, row.made_at, tries, row.state, row.due_at,
        row.ended_at, row.reason, row.detail, email,
    )  # fmt: skip
