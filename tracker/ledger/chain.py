"""A hash chain over the entries, so that a silent edit of the database is found.

Each entry's hash is over its own figures and the hash of the entry before it. Whoever can write to the database can
also write the whole chain anew; so the newest hash, the head, is printed with every month that is closed. What the
chain shows is that nothing before a head that was kept elsewhere has been touched since, and no more than that.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from tracker.ledger.models import entry

BEGINNING = "0" * 64
COVERED = (
    "key", "campaign_id", "live", "kind", "amount", "told", "currency", "at", "month", "belongs_to", "gift_key", "tier",
    "source", "place", "recorded_at",
)  # fmt: skip


# The newest entry's hash, asked for by every entry.
HEAD = select(entry.c.chain).where(entry.c.id == select(func.max(entry.c.id)).scalar_subquery())


def head(session: Session) -> str:
    """The hash of the newest entry; zeros while there is none."""
    return session.scalar(HEAD) or BEGINNING


def link(before: str, values: dict[str, Any]) -> str:
    """The hash of an entry with these values, behind the entry whose hash is `before`."""
    return _hashed(before, [values[name] for name in COVERED])


def _hashed(before: str, values: Iterable[Any]) -> str:
    covered = [_written(value) for value in values]
    return hashlib.sha256((before + json.dumps(covered, ensure_ascii=False)).encode()).hexdigest()


def _written(value: Any) -> Any:
    # To the microsecond and in UTC: the same text from both databases.
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def broken(session: Session | Connection) -> Iterator[str]:
    """The keys of entries whose hash is not what their figures and the entry before them come to, oldest first."""
    before = BEGINNING
    # An option of the statement: set on the connection it would stay there for whatever comes after.
    read = select(entry.c.chain, *(entry.c[name] for name in COVERED)).order_by(entry.c.id)
    for chain, *covered in session.execute(read.execution_options(yield_per=5000)):
        if _hashed(before, covered) != chain:
            yield covered[0]
        # The next one is judged by what stands here, so that one edit is named once.
        before = chain
