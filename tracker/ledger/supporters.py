"""Names and words that donors chose to show, and that an editor let stand."""

from typing import Any

from sqlalchemy import Connection, select, update

from tracker.giving.campaign import Campaign
from tracker.ledger import campaigns
from tracker.ledger.models import supporter


def shown(connection: Connection, campaign: Campaign, live: bool, limit: int) -> list[Any]:
    """The newest names and messages that may stand on the page: rows with `name`, `message`, `at`."""
    return _rows(connection, campaign, live, limit, supporter.c.shown)


def every(connection: Connection, campaign: Campaign, live: bool, limit: int) -> list[Any]:
    """The newest ones for the editor, shown or not: rows with `gift_key`, `name`, `message`, `shown`, `at`."""
    return _rows(connection, campaign, live, limit)


def _rows(connection: Connection, campaign: Campaign, live: bool, limit: int, *where: Any) -> list[Any]:
    row_id = campaigns.campaign_id(connection, campaign.slug)
    return list(
        connection.execute(
            select(supporter)
            .where(supporter.c.campaign_id == row_id, supporter.c.live == live, *where)
            .order_by(supporter.c.at.desc(), supporter.c.gift_key)
            .limit(limit)
        )
    )


def show(connection: Connection, gift_key: str, *, shown: bool) -> None:
    """Lets a name and message stand on the page, or takes them off it. A key that no gift has changes nothing."""
    if not gift_key.isprintable():  # PostgreSQL alone would refuse a NUL in it
        return
    connection.execute(update(supporter).where(supporter.c.gift_key == gift_key).values(shown=shown))
