"""Campaigns and their goals, as the newsroom sets them."""

from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from tracker.giving import campaign as rules
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, month_of
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import closed
from tracker.ledger.models import goal as goal_table

# Asked for by every page: built once, since building a statement costs more than running this one.
_FIND = select(campaign_table).where(campaign_table.c.slug == bindparam("slug"))


def find(connection: Connection, slug: str) -> Campaign | None:
    """The campaign with that slug. Anything may be asked for: PostgreSQL alone would refuse a NUL in it."""
    if not (slug.isascii() and slug.isprintable()):
        return None
    row = connection.execute(_FIND, {"slug": slug}).one_or_none()
    return _campaign(row) if row else None


def every(connection: Connection) -> list[Campaign]:
    """All campaigns: those that take gifts first, then by title."""
    rows = connection.execute(select(campaign_table).order_by(campaign_table.c.title)).all()
    return sorted((_campaign(row) for row in rows), key=lambda campaign: not campaign.takes_gifts)


def _campaign(row: Row[tuple[object, ...]]) -> Campaign:
    values = dict(row._mapping)
    del values["id"]
    return Campaign(**values | {"once": tuple(row.once), "monthly": tuple(row.monthly)})


def save(connection: Connection, campaign: Campaign) -> bool:
    """Keeps a new campaign or changes the one with its slug; says whether it is new.

    Raises ValueError with a sentence for the owner when it cannot work, or would change the currency of one that
    is there: its entries are in the old one, and currencies are never added to each other.
    """
    campaign = replace(campaign, currency=campaign.currency.upper())
    rules.check(campaign)
    if any("\0" in words for words in (campaign.title, campaign.lead, campaign.story)):
        raise ValueError("There is a NUL in a text, which a database cannot keep: please type it anew.")
    before = find(connection, campaign.slug)
    values = asdict(campaign) | {"once": list(campaign.once), "monthly": list(campaign.monthly)}
    if before is None:
        connection.execute(insert(campaign_table).values(values))
        return True
    if before.currency != campaign.currency:
        raise ValueError(
            f"“{campaign.slug}” is counted in {before.currency}; for {campaign.currency} make a new campaign."
        )
    connection.execute(update(campaign_table).where(campaign_table.c.slug == campaign.slug).values(values))
    return False


def campaign_id(connection: Connection, slug: str) -> int:
    """The campaign's number in this database. Raises KeyError when there is no such campaign."""
    found = connection.scalar(select(campaign_table.c.id).where(campaign_table.c.slug == slug))
    if found is None:
        raise KeyError(slug)
    return int(found)


def set_goal(connection: Connection, slug: str, month: Month, amount: int, *, stands: bool) -> None:
    """Sets a goal for one month alone, or with `stands` from that month on. `amount` in smallest units, over zero.

    Raises ValueError with a sentence for a closed month alone: its goal is frozen, so this would change nothing.
    """
    if amount <= 0:
        raise ValueError("A goal must be more than nothing.")
    this = {"campaign_id": campaign_id(connection, slug), "month": str(month), "stands": stands}
    shut = select(closed.c.month).where(closed.c.campaign_id == this["campaign_id"], closed.c.month == str(month))
    if not stands and connection.scalar(shut) is not None:
        raise ValueError(f"{month} is closed: its goal does not change any more.")
    table = goal_table
    where = [table.c[name] == value for name, value in this.items()]
    if not connection.execute(update(table).where(*where).values(amount=amount)).rowcount:
        connection.execute(insert(table).values(**this, amount=amount))


def set_standing_goal(connection: Connection, campaign: Campaign, amount: int, now: datetime) -> None:
    """Sets the goal from the current month on, unless it stands already; earlier months keep theirs."""
    current = month_of(now, campaign.time_zone)
    if goals(connection, campaign.slug).standing_in(current) != amount:
        set_goal(connection, campaign.slug, current, amount, stands=True)


def goals(connection: Connection, slug: str) -> "Goals":
    this = goal_table.c.campaign_id == campaign_id(connection, slug)
    rows = connection.execute(select(goal_table).where(this).order_by(goal_table.c.month)).all()
    return Goals(
        alone={row.month: row.amount for row in rows if not row.stands},
        standing=[(row.month, row.amount) for row in rows if row.stands],
    )


class Goals:
    """Every goal of a campaign, by month."""

    def __init__(self, alone: dict[str, int], standing: list[tuple[str, int]]) -> None:
        self.alone = alone
        self.standing = standing

    def of(self, month: Month) -> int | None:
        """The month's own goal; else the one that stands since before it; else the first that ever stood; else None.

        The last is for months from before the campaign was set up here, such as imported ones.
        """
        return self.alone.get(str(month), self.standing_in(month))

    def standing_in(self, month: Month) -> int | None:
        """The goal that the month has unless it has its own."""
        since = [amount for start, amount in self.standing if start <= str(month)]
        return since[-1] if since else self.standing[0][1] if self.standing else None
