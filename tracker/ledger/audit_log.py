"""The audit log: who changed what, and when. Lines are only ever added, mostly in the transaction of the change itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.giving.campaign import TIERS, Campaign
from tracker.ledger.user_models import AuditRow, UserRow

LONGEST = 300
"""Texts are cut at this length: the log says what was changed, and does not keep whole pages."""
PAGE = 50


@dataclass(frozen=True)
class Who:
    """Who changes something: an account, or a command and the user on the machine who ran it."""

    account: int | None = None
    command: str = ""
    login: str = ""


def note(
    session: Session, who: Who, now: datetime, action: str, *, campaign: str = "", about: object = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Adds a line to the log; to be called inside the transaction that makes the change.

    `action` is a name such as `goal.set`; `campaign` its slug; `about` what was changed: a month, an entry's key, an account.
    Only the values that differ between `before` and `after` are kept, and if none do, there is no line. Amounts are passed as
    people read them. Neither may hold a password, a key, or anything about a donor: no name, no message, no note.
    """
    if before is not None and after is not None:
        differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if not differing:
            return
        before, after = ({name: one[name] for name in differing if name in one} for one in (before, after))
    session.add(
        AuditRow(
            at=now, account_id=who.account, command=who.command[:80], login=who.login[:80], action=action,
            campaign=campaign, about=_storable(str(about))[:255], before=_plain(before), after=_plain(after),
        )
    )  # fmt: skip
    session.flush()


def note_goal(
    session: Session, who: Who, now: datetime, campaign: Campaign, month: object, before: int | None, amount: int, *,
    stands: bool,
) -> None:  # fmt: skip
    """The same for a goal in money, with what the month's goal was until then."""
    note(
        session, who, now, "goal.set", campaign=campaign.slug, about=month,
        before={"goal": campaign.write(before) if before else None},
        after={"goal": campaign.write(amount), "applies to": "this month and later" if stands else "this month only"},
    )  # fmt: skip


def values_of(campaign: Campaign) -> dict[str, Any]:
    """A campaign's settings for the log, with amounts as people read them."""
    values = asdict(campaign)
    for name in ("slug", "id", "has_appeals"):
        del values[name]
    for name in TIERS.values():
        values[name] = [campaign.write(amount) for amount in values[name]]
    for name in ("minimum", "maximum", "cover_fixed"):
        values[name] = campaign.write(values[name])
    return values


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: _json(value) for name, value in values.items()} if values is not None else None


def _json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    text = value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
    return _storable(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def _storable(text: str) -> str:
    """Without NULs, which PostgreSQL would refuse."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


# --- Reading it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line as people read it."""

    id: int
    at: datetime
    email: str
    """The account's; empty for a command."""
    command: str
    login: str
    action: str
    campaign: str
    about: str
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Each changed value: its name, what it was and what it is now, None if there was or is none."""
        names = dict.fromkeys([*self.before, *self.after])
        return [(name, self.before.get(name), self.after.get(name)) for name in names]


@dataclass(frozen=True)
class Filter:
    """Which lines; an empty value filters nothing."""

    account: int | None = None
    commands: bool = False
    campaign: str = ""
    action: str = ""
    first: date | None = None
    last: date | None = None
    """Both days included, in UTC."""


def lines(session: Session, wanted: Filter, before_id: int | None = None, limit: int = PAGE) -> list[Line]:
    """The newest lines, or those before a line that was read already, newest first."""
    found = select(AuditRow, UserRow.email).outerjoin(UserRow, UserRow.id == AuditRow.account_id)
    if wanted.commands:
        found = found.where(AuditRow.account_id.is_(None))
    elif wanted.account is not None:
        found = found.where(AuditRow.account_id == wanted.account)
    if wanted.campaign:
        found = found.where(AuditRow.campaign == wanted.campaign)
    if wanted.action:
        found = found.where(AuditRow.action == wanted.action)
    if wanted.first:
        found = found.where(AuditRow.at >= _midnight(wanted.first))
    if wanted.last:
        found = found.where(AuditRow.at < _midnight(wanted.last + timedelta(days=1)))
    if before_id is not None:
        found = found.where(AuditRow.id < before_id)
    rows = session.execute(found.order_by(AuditRow.id.desc()).limit(limit))
    return [
        Line(
            row.id, row.at, email or "", row.command, row.login, row.action, row.campaign, row.about,
            row.before or {}, row.after or {},
        )
        for row, email in rows
    ]  # fmt: skip


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
