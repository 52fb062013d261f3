"""What the demo's newsroom does apart from the webhook: it records cheques, fetches fees and payouts, and closes months."""

from datetime import UTC, date, datetime

from sqlalchemy import delete

from tracker.demo.sample_history import Act
from tracker.gateway.stripe_history import History
from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import book, campaigns, month_closing, offline_gifts
from tracker.ledger.models import pending_fetch
from tracker.ledger.store import writing

# What fees, nets and payouts are fetched for. Disputes have theirs in their events.
SETTLED = ("charge", "refund", "payout")
# Before the oldest gift.
BEGINNING = datetime(2021, 1, 1, tzinfo=UTC)

# (place of the month in the history, day, amount, what the newsroom noted beside it)
CHEQUES = (
    (10, 19, 150_00, "Cheque from the rowing club"),
    (21, 9, 120_00, "Collected at the choir's summer concert"),
    (23, 20, 85_50, "The box at the open desk"),
    (24, 1, 60_00, "Cheque, with a letter about the harbour"),
)


def record_cheques(campaign: Campaign, months: list[date], now: datetime) -> None:
    """What readers brought by hand."""
    gifts = [
        offline_gift(campaign, False, months[place].replace(day=day), amount, note, f"demo-{place}")
        for place, day, amount, note in CHEQUES
    ]
    with writing() as session:
        offline_gifts.write_down(session, [one for one in gifts if one.gift.at <= now], now)


class Desk:
    """Where fees and payouts are asked for and months are closed, as far as the history has come."""

    def __init__(self, history: History, campaign: Campaign) -> None:
        self.history, self.campaign = history, campaign
        self.settled_until = BEGINNING

    def close(self, act: Act) -> None:
        """Closes the month that an act names, with all its fees."""
        moment = datetime.fromtimestamp(act.at, UTC)
        self.settle(moment)
        with writing() as session:
            campaign = campaigns.find(session, self.campaign.slug)
            assert campaign is not None
            month_closing.close(session, campaign, parse_month(act.month), False, moment)

    def settle(self, moment: datetime) -> None:
        """Records fees, nets and payouts since the last time, as `tracker sync` would: many at a time."""
        for kind in SETTLED:
            for page in self.history.pages(kind, self.settled_until):
                with writing() as session:
                    for fact in (fact for found in page.found for fact in found.facts):
                        book.record(session, fact, moment)
        with writing() as session:
            # Otherwise the app would ask for each of them, one by one.
            session.execute(delete(pending_fetch))
        self.settled_until = moment
