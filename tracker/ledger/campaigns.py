"""Campaigns and their goals, as the newsroom sets them."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tracker.giving import campaign as rules
from tracker.giving.campaign import TIERS, Campaign
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import Month, month_of
from tracker.giving.refusals import Refusal
from tracker.ledger import appeal_models, audit_log, breakdowns
from tracker.ledger.models import CampaignRow, ClosedRow, GoalRow

# It tells whether a campaign has any.
assert appeal_models.AppealRow.metadata is CampaignRow.metadata
# What is a list in the database, and nothing where the campaign is older than they are.
LISTS = (*TIERS.values(), "allowed_hosts")
# Asked for by every page: built once, since building a statement costs more than running this one.
_FIND = select(CampaignRow).where(CampaignRow.slug == bindparam("slug"))
_GOALS = select(GoalRow).join(CampaignRow).where(CampaignRow.slug == bindparam("slug")).order_by(GoalRow.month)


def find(session: Session, slug: str) -> Campaign | None:
    """The campaign with that slug. Anything may be asked for: PostgreSQL alone would refuse a NUL in it."""
    if not (slug.isascii() and slug.isprintable()):
        return None
    row = _row(session, slug)
    return _campaign(row) if row else None


def every(session: Session) -> list[Campaign]:
    """All campaigns: those that take gifts first, then by title."""
    rows = session.scalars(select(CampaignRow).order_by(CampaignRow.title))
    return sorted((_campaign(row) for row in rows), key=lambda campaign: not campaign.takes_gifts)


def _row(session: Session, slug: str) -> CampaignRow | None:
    return session.scalars(_FIND, {"slug": slug}).one_or_none()


def _campaign(row: CampaignRow) -> Campaign:
    values = {field.name: getattr(row, field.name) for field in fields(Campaign)}
    return Campaign(**values | {name: tuple(values[name] or ()) for name in LISTS})


def save(session: Session, campaign: Campaign) -> bool:
    """Keeps a new campaign or changes the one with its slug; says whether it is new.

    Raises ValueError with a sentence for the owner when it cannot work, or would change the currency of one that
    is there: its entries are in the old one, and currencies are never added to each other.
    """
    campaign = replace(campaign, currency=campaign.currency.upper())
    rules.check(campaign)
    row = _row(session, campaign.slug)
    values = asdict(campaign) | {name: list(getattr(campaign, name)) for name in LISTS}
    del values["id"], values["has_appeals"]
    if row is None:
        session.add(CampaignRow(**values))
        session.flush()
        return True
    if row.currency != campaign.currency:
        raise ValueError(
            f"“{campaign.slug}” is counted in {row.currency}; for {campaign.currency} make a new campaign."
        )
    moves_days = row.time_zone != campaign.time_zone
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    if moves_days:
        breakdowns.forget(session)
    return False


def set_goal(session: Session, slug: str, month: Month, amount: int, *, stands: bool) -> None:
    """Sets a goal for one month alone, or with `stands` from that month on. `amount` in smallest units, over zero.

    Raises ValueError with a sentence for a closed month alone: its goal is frozen, so this would change nothing.
    Raises KeyError when there is no such campaign.
    """
    if amount <= 0:
        raise Refusal("Enter a goal above zero.")
    _goal_row(session, slug, month, stands=stands).amount = amount
    session.flush()


def set_people_goal(
    session: Session, slug: str, month: Month, goal: PeopleGoal, now: datetime, *, stands: bool
) -> None:  # fmt: skip
    """Sets a goal in people for one month alone, or with `stands` from that month on; 0 people for none.

    Raises ValueError with a sentence for a closed month, and with `stands` for any month that is over: what it showed stays.
    """
    if goal.number < 0:
        raise Refusal("Enter a number of supporters, or 0 for no goal in people.")
    row = _goal_row(session, slug, month, stands=stands)
    campaign = find(session, slug)
    if stands and campaign and month < month_of(now, campaign.time_zone):
        raise Refusal("%(month)s is over: a goal in people can apply from the current month on.", month=month)
    row.supporters, row.people_first = goal.number, goal.first
    session.flush()


def _goal_row(session: Session, slug: str, month: Month, *, stands: bool) -> GoalRow:
    campaign = _row(session, slug)
    if campaign is None:
        raise KeyError(slug)
    shut = select(ClosedRow.month).where(ClosedRow.campaign_id == campaign.id, ClosedRow.month == str(month))
    if not stands and session.scalar(shut) is not None:
        raise Refusal("%(month)s is closed: its goal can no longer change.", month=month)
    this = {"campaign_id": campaign.id, "month": str(month), "stands": stands}
    row = session.scalars(select(GoalRow).filter_by(**this)).one_or_none()
    if row is None:
        row = GoalRow(**this, amount=0)
        session.add(row)
    return row


def set_standing_goal(
    session: Session, campaign: Campaign, amount: int, now: datetime, who: audit_log.Who | None = None
) -> None:  # fmt: skip
    """Sets the goal from the current month on, unless it stands already; earlier months keep theirs."""
    current = month_of(now, campaign.time_zone)
    before = goals(session, campaign.slug).standing_in(current)
    if before != amount:
        set_goal(session, campaign.slug, current, amount, stands=True)
        if who:
            audit_log.note_goal(session, who, now, campaign, current, before, amount, stands=True)


def goals(session: Session, slug: str) -> "Goals":
    """All goals of a campaign; none where there is no such campaign."""
    rows = session.scalars(_GOALS, {"slug": slug}).all()
    return Goals(
        alone={row.month: row.amount for row in rows if row.amount and not row.stands},
        standing=[(row.month, row.amount) for row in rows if row.amount and row.stands],
        people=[
            (row.month, row.stands, PeopleGoal(row.supporters, row.people_first))
            for row in rows
            if row.supporters is not None
        ],
    )


class Goals:
    """Every goal of a campaign, by month."""

    def __init__(
        self,
        alone: dict[str, int],
        standing: list[tuple[str, int]],
        people: Sequence[tuple[str, bool, PeopleGoal]] = (),
    ) -> None:
        self.alone = alone
        self.standing = standing
        self._people = people

    def of(self, month: Month) -> int | None:
        """The month's own goal; else the one that stands since before it; else the first that ever stood; else None.

        The last is for months from before the campaign was set up here, such as imported ones.
        """
        return self.alone.get(str(month), self.standing_in(month))

    def standing_in(self, month: Month) -> int | None:
        """The goal that the month has unless it has its own."""
        since = [amount for start, amount in self.standing if start <= str(month)]
        return since[-1] if since else self.standing[0][1] if self.standing else None

    def in_people(self, month: Month) -> PeopleGoal | None:
        """The month's own goal in people, else the one that stands since before it; None before the first, and for 0."""
        alone = [goal for of, stands, goal in self._people if not stands and of == str(month)]
        since = [goal for of, stands, goal in self._people if stands and of <= str(month)]
        found = next(iter(alone + since[-1:]), None)
        return found if found and found.number else None
