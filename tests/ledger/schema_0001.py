"""A database of the first schema with about a thousand gifts in it, made by plain SQL: what 0.1.0 left behind."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, Connection, DateTime, bindparam, text

GIFTS = 1000
BEGAN = datetime(2020, 11, 1, tzinfo=UTC)
CAMPAIGNS = (
    {"slug": "newsroom", "title": "Support the newsroom", "currency": "USD", "time_zone": "Europe/Berlin"},
    {"slug": "ronin", "title": "記者を支える", "currency": "JPY", "time_zone": "Asia/Tokyo"},
)
CLOSED = ("2020-11", "2020-12", "2021-01")


def populate(connection: Connection, seed: int) -> None:
    """Fills every table of the first schema. The database counts up its own numbers, from one."""
    chance = random.Random(seed)
    for number, campaign in enumerate(CAMPAIGNS, start=1):
        _campaign(connection, number, campaign)
    totals: dict[tuple[int, bool, str, str], Counter[str]] = {}
    for number in range(GIFTS):
        _gift(connection, chance, number, totals)
    for (campaign_id, live, month, currency), sums in totals.items():
        columns = {name: sums[name] for name in ("once", "monthly", "offline", "refunds", "disputes", "gifts")}
        this = {"campaign_id": campaign_id, "live": live, "month": month, "currency": currency}
        _insert(connection, "month_total", **this, **columns)
    _waiting(connection)
    _people(connection)
    _write(connection)


def _campaign(connection: Connection, number: int, campaign: dict[str, str]) -> None:
    _insert(
        connection, "campaign", **campaign, lead="Who asks", story="## Why\n\nBecause.", locale="en_US",
        amount_pattern="#,##0 ¤", once=json.dumps([1000, 2500]), monthly=json.dumps([500]), minimum=200,
        maximum=1_000_000, paused=number == 2, held_month="",
    )  # fmt: skip
    _insert(connection, "goal", campaign_id=number, month="2020-11", amount=500_000, stands=True)
    _insert(connection, "goal", campaign_id=number, month="2021-02", amount=70_000, stands=False)
    for month in CLOSED:
        _insert(
            connection, "closed_month", campaign_id=number, live=False, month=month, goal=500_000,
            closed_at=BEGAN + timedelta(days=130),
        )  # fmt: skip


def _gift(connection: Connection, chance: random.Random, number: int, totals: dict[Any, Counter[str]]) -> None:
    """A gift under one of the campaigns, with its delivery and other names, and what was taken of it again."""
    campaign_id = chance.choice([1, 1, 1, 2])
    campaign, live = CAMPAIGNS[campaign_id - 1], number % 10 == 0
    # Some come in a currency that is not the campaign's: they are counted apart.
    currency = "EUR" if number % 50 == 0 else campaign["currency"]
    kind = chance.choice(["once", "once", "monthly", "offline"])
    key = {"once": "cs_", "monthly": "in_", "offline": "offline:"}[kind] + str(number)
    at = BEGAN + timedelta(microseconds=chance.randrange(200 * 86_400 * 1_000_000))
    month = at.astimezone(ZoneInfo(campaign["time_zone"])).strftime("%Y-%m")
    amount = chance.randrange(5, 500) * 100
    this = {
        "campaign_id": campaign_id, "live": live, "currency": currency, "gift_key": key,
        "tier": "1000", "source": "article-ä", "place": "top",
    }  # fmt: skip
    sums = totals.setdefault((campaign_id, live, month, currency), Counter())
    _insert(
        connection, "entry", key=key, kind=kind, amount=amount, told=amount, at=at, month=month,
        belongs_to=month, recorded_at=at + timedelta(seconds=3), **this,
    )  # fmt: skip
    sums.update({kind: amount, "gifts": 1})
    if kind != "offline":
        _insert(connection, "alias", stripe_id=f"pi_{number}", gift_key=key)
        _insert(
            connection, "delivery", event_id=f"evt_{number}", type="checkout.session.completed", live=live,
            api_version="2026-10-28.endive", created_at=at, received_at=at, outcome="recorded",
            body=b'{"id": 1}' if number % 2 else None,
        )  # fmt: skip
    if number % 5 == 0:
        _insert(
            connection, "supporter", gift_key=key, name=f"Zoë {number}", message="“Keep going”", shown=number % 2 == 0
        )
    if number % 7 == 0:
        taken = amount if number % 2 else amount // 3
        what = "refund" if number % 3 else "dispute"
        # Those whose month was closed by then are booked later.
        late = "2021-05" if month in CLOSED and not live else month
        _insert(
            connection, "entry", key=f"{what}_{number}", kind=what, amount=-taken, told=-taken,
            at=at + timedelta(days=150), month=late, belongs_to=month, recorded_at=at + timedelta(days=150), **this,
        )  # fmt: skip
        totals.setdefault((campaign_id, live, late, currency), Counter()).update({f"{what}s": taken})


def _waiting(connection: Connection) -> None:
    """A refund whose gift is not known, and a gift of a campaign that is not."""
    at = (BEGAN + timedelta(days=60)).isoformat()
    refund = {
        "key": "re_early", "kind": "refund", "amount": -300, "currency": "USD", "at": at, "live": False,
        "gift_known_as": ["pi_later", "ch_later"], "is": "Taken",
    }  # fmt: skip
    gift = {
        "key": "cs_early", "kind": "once", "campaign": "sister", "amount": 4200, "currency": "USD", "at": at,
        "live": False, "known_as": ["pi_early"], "tier": "", "source": "", "place": "", "name": "", "message": "",
        "is": "Gift",
    }  # fmt: skip
    for fact, names in ((refund, refund["gift_known_as"]), (gift, ["campaign:sister"])):
        for name in names:
            _insert(connection, "waiting", key=fact["key"], waits_for=name, fact=json.dumps(fact), received_at=BEGAN)


def _people(connection: Connection) -> None:
    _insert(connection, "role", name="admin", description="May do everything")
    for number in (1, 2):
        _insert(
            connection, "user_account", email=f"editor{number}@example.org", password="$argon2id$x",
            active=True, fs_uniquifier=f"u{number}", created_at=BEGAN,
        )  # fmt: skip
        _insert(connection, "user_role", user_id=number, role_id=1)


def _insert(connection: Connection, table: str, **values: Any) -> None:
    """Notes a row, to be written with all others that have the same columns."""
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = connection.info.setdefault("rows", {})
    rows.setdefault((table, *values), []).append(values)


def _write(connection: Connection) -> None:
    """Each kind of row at once, in the order in which the first of it was noted: whatever is pointed at comes first."""
    for (table, *columns), rows in connection.info.pop("rows").items():
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(
            f"CAST(:{name} AS JSON)"
            if connection.get_bind().dialect.name == "postgresql" and _is_json(table, name)
            else f":{name}"
            for name in columns
        )
        typed = [bindparam(name, type_=_type_of(value)) for name, value in rows[0].items() if _type_of(value)]
        connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({places})').bindparams(*typed), rows)


def _is_json(table: str, name: str) -> bool:
    return (table, name) in {("campaign", "once"), ("campaign", "monthly"), ("waiting", "fact")}


def _type_of(value: Any) -> Any:
    return DateTime(timezone=True) if isinstance(value, datetime) else Boolean() if isinstance(value, bool) else None
