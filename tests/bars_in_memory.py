"""Bars put straight into a process's memory, where the carriers find them: any state, without a ledger."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from actors import NEWSROOM, PUBLIC_URL
from flask import Flask

from tracker.giving.bar import Bar
from tracker.giving.goals import Progress
from tracker.giving.months import Month
from tracker.web.cache.bars import Kept

AS_OF = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


def a_bar(raised: int = 34_000, goal: int | None = 500_000, **about: Any) -> Bar:
    """A bar of May 2021; what is said about it belongs to the bar or to its campaign."""
    own = {name: about.pop(name) for name in list(about) if name in Bar.__dataclass_fields__}
    campaign = replace(NEWSROOM, **about)
    plain = Bar(
        campaign, Month(2021, 5), Progress(raised, goal), 12, f"{PUBLIC_URL}/go/{campaign.slug}", AS_OF, 0, days_left=17
    )
    return replace(plain, **own)


def shows(app: Flask, bar: Bar) -> None:
    """From now on this is what the process has in memory of the bar's campaign."""
    memory = app.extensions["bars"]
    memory.watched = True
    memory._replace({**memory._kept, (bar.campaign.slug, None): Kept(bar, "public, max-age=1")})
