"""The book: facts become entries. Recording a fact twice changes nothing, and facts may come in any order."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Insert, Table, bindparam, delete, func, insert, select, update

from tracker.giving.facts import Fact, Gift, Link, PaidOut, Settled, Support, Taken
from tracker.giving.months import Month, month_of, parse_month
from tracker.giving.rollup import Sums, deducted, sums_of
from tracker.ledger import chain, settlements, supports
from tracker.ledger.models import alias, campaign, closed, delivery, entry, supporter, total, waiting
from tracker.ledger.ready import Ready

Outcome = Literal["recorded", "known", "waiting"]
TAKEN_BACK = "/taken-back"
"""What the key of an entry ends in that takes an offline gift back."""


def _row(table: Table) -> Insert:
    """Adds a row with all its columns but a number, which the database gives it."""
    return (
        insert(table)
        .values({column.name: bindparam(column.name) for column in table.c if column.name != "id"})
        .inline()
    )


# What every gift asks for.
_KEEP = Ready(_row(delivery), unless_there=True)
_NAME = Ready(_row(alias), unless_there=True)
_IS_ENTERED = select(entry.c.id).where(entry.c.key == bindparam("key"))
_FOR_GIFT = Ready(
    select(
        campaign.c.id,
        campaign.c.time_zone,
        _IS_ENTERED.exists().label("is_entered"),
        select(func.max(closed.c.month))
        .where(closed.c.campaign_id == campaign.c.id, closed.c.live == bindparam("live"))
        .scalar_subquery()
        .label("last_closed"),
        select(waiting.c.key).exists().label("some_wait"),
        chain.HEAD.scalar_subquery().label("head"),
    ).where(campaign.c.slug == bindparam("slug"))
)
_IS_CLOSED = select(closed.c.month).where(
    *(closed.c[name] == bindparam(name) for name in ("campaign_id", "live", "month"))
)
_ENTER = Ready(_row(entry))
_ADD = Ready(
    update(total)
    .where(*(column == bindparam(f"this_{column.name}") for column in total.primary_key))
    .values({field.name: total.c[field.name] + bindparam(field.name) for field in fields(Sums)})
)
_WAITING = select(waiting.c.key, waiting.c.fact)
_WAITING_FOR = _WAITING.where(waiting.c.waits_for == bindparam("name"))
_WAITING_FOR_GIFT = _WAITING.where(
    waiting.c.waits_for.in_(select(alias.c.stripe_id).where(alias.c.gift_key == bindparam("gift_key")))
)


@dataclass(frozen=True)
class Delivery:
    """An event as Stripe sent it, to be kept as it came."""

    event_id: str
    type: str
    api_version: str
    live: bool
    created_at: datetime
    body: bytes


def receive(connection: Connection, came: Delivery, facts: Iterable[Fact], ours: bool, now: datetime) -> str:
    """Keeps a delivery and records what it tells, inside the caller's one transaction. Says what came of it.

    `recorded`, `known` (nothing new), `waiting`, `nothing` (ours, but moves no money) or `foreign`.
    """
    outcomes = {record(connection, fact, now) for fact in facts}
    outcome = next(
        (name for name in ("recorded", "waiting", "known") if name in outcomes), "nothing" if ours else "foreign"
    )
    _KEEP.run(connection, {**vars(came), "received_at": now, "outcome": outcome})
    return outcome


def forget_bodies(connection: Connection, before: datetime) -> int:
    """Drops the bodies of deliveries received before that moment, since they may name people. Returns how many."""
    old = (delivery.c.received_at < before) & delivery.c.body.is_not(None)
    return connection.execute(update(delivery).where(old).values(body=None)).rowcount


# --- Recording --------------------------------------------------------------------------------------------------------


def record(connection: Connection, fact: Fact, now: datetime) -> Outcome:
    """Adds a fact to the book. The same fact again changes nothing, and the order of facts does not matter.

    A refund or dispute whose gift is not known waits for it, and a gift whose campaign is not known waits for that.
    """
    match fact:
        case Link():
            return _record_link(connection, fact, now)
        case Settled():
            return _record_settled(connection, fact, now)
        case PaidOut():
            return settlements.record(connection, fact)
        case Support():
            return supports.record(connection, fact)
        case Gift():
            return _record_gift(connection, fact, now)
        case Taken():
            return _record_taken(connection, fact, now)


def _record_gift(connection: Connection, gift: Gift, now: datetime) -> Outcome:
    gift = _storable(gift)
    found = _FOR_GIFT.first(connection, {"slug": gift.campaign, "key": gift.key, "live": gift.live})
    if found is None:
        return _wait(connection, gift, [f"campaign:{gift.campaign}"], now)
    campaign_id, zone, is_entered, last_closed, some_wait, head = found
    if is_entered:
        return "known"
    belongs_to = month_of(gift.at, zone)
    month = str(belongs_to)
    if month <= (last_closed or ""):
        month = _open_month(connection, campaign_id, gift.live, [belongs_to], now, zone)
    _enter(
        connection, gift.key, campaign_id, gift.live, gift.kind, gift.amount, gift.amount, gift.currency, gift.at,
        month, str(belongs_to), gift.key, now, head,
        tier=gift.tier, source=gift.source, place=gift.place,
    )  # fmt: skip
    if gift.name or gift.message:
        connection.execute(
            insert(supporter).values(
                gift_key=gift.key,
                campaign_id=campaign_id,
                live=gift.live,
                at=gift.at,
                name=gift.name,
                message=gift.message,
            )
        )
    _add_aliases(connection, gift.key, gift.known_as)
    if some_wait:
        # Some ids may have been noted before the gift came, by the link between an invoice and its payment.
        _let_in(connection, connection.execute(_WAITING_FOR_GIFT, {"gift_key": gift.key}), now)
    return "recorded"


def _record_taken(connection: Connection, taken: Taken, now: datetime) -> Outcome:
    if connection.scalar(_IS_ENTERED, {"key": taken.key}) is not None:
        return "known"
    gift = gift_known_as(connection, taken.gift_known_as, taken.live)
    if gift is None:
        return _wait(connection, taken, taken.gift_known_as, now)
    if gift.currency != taken.currency:
        # Cannot be taken off without a rate; it stays visible among the waiting ones and counts for nothing.
        return _wait(connection, taken, [f"currency:{gift.currency}"], now)
    zone = connection.scalar(select(campaign.c.time_zone).where(campaign.c.id == gift.campaign_id))
    assert zone is not None
    before = connection.execute(
        select(entry.c.kind, entry.c.told, entry.c.amount).where(
            entry.c.gift_key == gift.key, entry.c.gift_key != entry.c.key
        )
    ).all()
    target = deducted(gift.amount, [(row.kind, row.told) for row in before] + [(taken.kind, taken.amount)])
    month = _open_month(
        connection, gift.campaign_id, gift.live, [parse_month(gift.month), month_of(taken.at, zone)], now, zone
    )
    for kind, should_be in (("refund", target.refunds), ("dispute", target.disputes)):
        is_now = -sum(row.amount for row in before if row.kind == kind)
        own = kind == taken.kind
        if own or should_be != is_now:
            # A refund can leave less for a dispute to take than was booked before it came, so that moves with it.
            _enter(
                connection, taken.key if own else f"{taken.key}/{kind}", gift.campaign_id, gift.live, kind,
                is_now - should_be, taken.amount if own else 0, gift.currency, taken.at, month, gift.month, gift.key, now, None,
                tier=gift.tier, source=gift.source, place=gift.place,
            )  # fmt: skip
    _let_in(connection, connection.execute(_WAITING_FOR, {"name": f"entry:{taken.key}"}), now)
    return "recorded"


def take_back(connection: Connection, gift: Any, now: datetime) -> Outcome:
    """Books the opposite of an offline gift, given as its entry, once: off its own month, or off today's once that is closed."""
    key = f"{gift.key}{TAKEN_BACK}"
    if connection.scalar(select(entry.c.id).where(entry.c.key == key)) is not None:
        return "known"
    zone = connection.scalar(select(campaign.c.time_zone).where(campaign.c.id == gift.campaign_id))
    assert zone is not None
    month = _open_month(connection, gift.campaign_id, gift.live, [parse_month(gift.month)], now, zone)
    _enter(
        connection, key, gift.campaign_id, gift.live, "offline", -gift.amount, -gift.amount, gift.currency, now,
        month, gift.month, gift.key, now, None,
        tier=gift.tier, source=gift.source, place=gift.place,
    )  # fmt: skip
    return "recorded"


def _record_settled(connection: Connection, settled: Settled, now: datetime) -> Outcome:
    """Fees of gifts and refunds are asked for when those are in the book; a dispute brings its own along, once."""
    outcome = settlements.record(connection, settled)
    if outcome == "waiting" and settled.kind == "dispute":
        return _wait(connection, settled, [f"entry:{settled.key}"], now)
    return outcome


def _enter(
    connection: Connection, key: str, campaign_id: int, live: bool, kind: str, amount: int, told: int, currency: str,
    at: datetime, month: str, belongs_to: str, gift_key: str, now: datetime, head: str | None, **about: str,
) -> None:  # fmt: skip
    """Writes one entry and adds it to its month's totals: the only place where either happens."""
    values: dict[str, Any] = {
        "key": key, "campaign_id": campaign_id, "live": live, "kind": kind, "amount": amount, "told": told,
        "currency": currency, "at": at, "month": month, "belongs_to": belongs_to, "gift_key": gift_key,
        "recorded_at": now, **about,
    }  # fmt: skip
    _ENTER.run(connection, values | {"chain": chain.link(head or chain.head(connection), values)})
    this = {"campaign_id": campaign_id, "live": live, "month": month, "currency": currency}
    sums = vars(sums_of(kind, amount))
    if not _ADD.run(connection, {f"this_{name}": value for name, value in this.items()} | sums):
        connection.execute(insert(total), this | sums)


def _open_month(
    connection: Connection, campaign_id: int, live: bool, wanted: list[Month], now: datetime, zone: str
) -> str:
    """The first of the wanted months that is not closed, else the current one.

    The current one cannot be closed, but a closed one can become it again, when the campaign moves to a time zone
    further west on the first of a month; then the next one is taken.
    """
    current = month_of(now, zone)
    for month in (*wanted, current):
        this = {"campaign_id": campaign_id, "live": live, "month": str(month)}
        if connection.scalar(_IS_CLOSED, this) is None:
            return str(month)
    return str(current.next)


def _storable(gift: Gift) -> Gift:
    """The gift with words that both databases can hold: no word of a donor may keep money out of the book.

    PostgreSQL refuses a NUL, and neither takes half of a surrogate pair, which JSON can carry.
    """
    words = ("campaign", "tier", "source", "place", "name", "message")
    texts = {name: getattr(gift, name).replace("\0", "\N{REPLACEMENT CHARACTER}") for name in words}
    return replace(gift, **{name: text.encode("utf-8", "replace").decode() for name, text in texts.items()})


def month_is(table: Table, campaign_id: int, live: bool, month: Month) -> list[ColumnElement[bool]]:
    """The conditions that pick one campaign's month in one mode out of a table."""
    return [table.c.campaign_id == campaign_id, table.c.live == live, table.c.month == str(month)]


# --- Waiting ----------------------------------------------------------------------------------------------------------


def _record_link(connection: Connection, link: Link, now: datetime) -> Outcome:
    new = _add_aliases(connection, link.gift_key, link.known_as)
    if connection.scalar(_IS_ENTERED, {"key": link.gift_key}) is None:
        return "waiting"
    _let_in(connection, connection.execute(_WAITING_FOR_GIFT, {"gift_key": link.gift_key}), now)
    return "recorded" if new else "known"


def _add_aliases(connection: Connection, gift_key: str, stripe_ids: Iterable[str]) -> int:
    """Notes by which ids a gift is known; returns how many of them are new."""
    return sum(_NAME.run(connection, {"stripe_id": one, "gift_key": gift_key}) for one in stripe_ids)


def gift_known_as(connection: Connection, stripe_ids: Iterable[str], live: bool) -> Any:
    """The entry of the gift that one of these ids names, in that mode."""
    known = select(alias.c.gift_key).where(alias.c.stripe_id.in_(list(stripe_ids)))
    return connection.execute(select(entry).where(entry.c.key.in_(known), entry.c.live == live)).first()


def _wait(connection: Connection, fact: Gift | Taken | Settled, waits_for: Iterable[str], now: datetime) -> Outcome:
    # A dispute's movement and what it came to have the same key, and both can wait.
    key = f"{fact.key}/net" if isinstance(fact, Settled) else fact.key
    for one in waits_for:
        there = select(waiting.c.key).where(waiting.c.key == key, waiting.c.waits_for == one)
        if connection.scalar(there) is None:
            moments = {name: value.isoformat() for name, value in asdict(fact).items() if isinstance(value, datetime)}
            written = asdict(fact) | moments | {"is": type(fact).__name__}
            connection.execute(insert(waiting).values(key=key, waits_for=one, fact=written, received_at=now))
    return "waiting"


def _let_in(connection: Connection, rows: Iterable[Any], now: datetime) -> None:
    """Records the facts that have waited, oldest first."""
    facts = {row.key: _read_fact(row.fact) for row in rows}
    for key, fact in sorted(facts.items(), key=lambda one: (one[1].at, one[0])):
        connection.execute(delete(waiting).where(waiting.c.key == key))
        record(connection, fact, now)


def _read_fact(written: dict[str, Any]) -> Gift | Taken | Settled:
    made: type[Gift | Taken | Settled] = {"Gift": Gift, "Taken": Taken, "Settled": Settled}[written["is"]]
    values = {field.name: written[field.name] for field in fields(made)}
    for name in ("known_as", "gift_known_as", "of"):
        if name in values:
            values[name] = tuple(values[name])
    moments = {name: datetime.fromisoformat(values[name]) for name in ("at", "available_on") if name in values}
    return made(**values | moments)


def welcome(connection: Connection, slug: str, now: datetime) -> None:
    """Records the gifts that came for a campaign before it was known here."""
    _let_in(connection, connection.execute(_WAITING_FOR, {"name": f"campaign:{slug}"}), now)
