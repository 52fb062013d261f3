"""A hash chain over the entries, so that a silent edit of the database is found.

Each entry's hash is over its own figures and the hash of the entry before it. Whoever can write to the database can
also write the whole chain anew; so the newest hash, the head, is printed with every month that is closed. What the
chain shows is that nothing before a head that was kept elsewhere has been touched since, and no more than that.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from tracker.ledger.models import entry

BEGINNING = "0" * 64
COVERED = (
    "key", "campaign_id", "live", "kind", "amount", "told", "currency", "at", "month", "belongs_to", "gift_key", "tier",
    "source", "place", "recorded_at",
)  # fmt: skip


def head(connection: Connection) -> str:
    """The hash of the newest entry; zeros while there is none."""
    newest = select(entry.c.chain).order_by(entry.c.id.desc()).limit(1)
    return connection.scalar(newest) or BEGINNING


def link(before: str, values: dict[str, Any]) -> str:
    """The hash of an entry with these values, behind the entry whose hash is `before`."""
    covered = [_written(values[name]) for name in COVERED]
    return hashlib.sha256((before + json.dumps(covered, ensure_ascii=False)).encode()).hexdigest()


def _written(value: Any) -> Any:
    # To the microsecond and in UTC: the same text from both databases.
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def broken(connection: Connection) -> Iterator[str]:
    """The keys of entries whose hash is not what their figures and the entry before them come to, oldest first."""
    before = BEGINNING
    # An option of the statement: set on the connection it would stay there for whatever comes after.
    for row in connection.execute(select(entry).order_by(entry.c.id).execution_options(yield_per=5000)):
        if link(before, dict(row._mapping)) != row.chain:
            yield row.key
        # The next one is judged by what stands here, so that one edit is named once.
        before = row.chain
