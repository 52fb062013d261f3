"""The month the product started from: May 2021 as it stood on the 14th, planned as dated acts."""

from datetime import UTC, datetime
from operator import attrgetter

from tracker.demo.sample_history import TIERS, Act, Frequency, epoch, tier_of

FOUNDING_ARTICLE = "lighthouse-paint"
FOUNDING_GIFTS: tuple[tuple[datetime, Frequency, int, str], ...] = (
    (datetime(2021, 5, 1, 6, 12, 40, tzinfo=UTC), "once", 25_00, "top"),
    (datetime(2021, 5, 1, 17, 48, 5, tzinfo=UTC), "month", 10_00, "bottom"),
    (datetime(2021, 5, 2, 8, 20, 31, tzinfo=UTC), "once", 50_00, "top"),
    (datetime(2021, 5, 3, 19, 2, 16, tzinfo=UTC), "month", 20_00, "bottom"),
    (datetime(2021, 5, 5, 5, 55, 9, tzinfo=UTC), "once", 10_00, "bottom"),
    (datetime(2021, 5, 6, 18, 31, 54, tzinfo=UTC), "once", 100_00, "bottom"),
    (datetime(2021, 5, 8, 7, 40, 22, tzinfo=UTC), "once", 25_00, "top"),
    (datetime(2021, 5, 9, 9, 15, 47, tzinfo=UTC), "month", 20_00, ""),
    (datetime(2021, 5, 10, 20, 8, 3, tzinfo=UTC), "once", 50_00, "bottom"),
    (datetime(2021, 5, 12, 6, 27, 38, tzinfo=UTC), "once", 15_00, ""),
    (datetime(2021, 5, 13, 16, 44, 12, tzinfo=UTC), "month", 10_00, "bottom"),
    (datetime(2021, 5, 14, 9, 30, 21, tzinfo=UTC), "once", 25_00, "top"),
)
FOUNDING_REFUND = (datetime(2021, 5, 4, 10, 5, 0, tzinfo=UTC), "founder-03", 20_00)
# The last one comes when all of it has become available.
FOUNDING_PAYOUTS = (datetime(2021, 5, 10, 8, 0, tzinfo=UTC), datetime(2021, 5, 17, 8, 0, tzinfo=UTC))


def founding_plan() -> list[Act]:
    """May 2021 as it stood on the 14th: twelve gifts, 300 $ once and 60 $ monthly, 20 $ refunded, 340 $ raised."""
    acts = []
    for number, (moment, frequency, amount, place) in enumerate(FOUNDING_GIFTS, start=1):
        donor = f"founder-{number:02}"
        tier = tier_of(amount, TIERS[frequency])
        source = FOUNDING_ARTICLE if place else ""
        acts.append(
            Act(epoch(moment), "give", donor, frequency, amount, tier, source, place, email=f"{donor}@example.org")
        )
        if frequency == "month":
            # The campaign lives for this one month: nobody's gift may renew in June.
            acts.append(Act(epoch(moment) + 3 * 3600, "cancel", donor, "month"))
    moment, donor, amount = FOUNDING_REFUND
    acts.append(Act(epoch(moment), "refund", donor, amount=amount))
    acts += [Act(epoch(moment), "payout") for moment in FOUNDING_PAYOUTS]
    return sorted(acts, key=attrgetter("at"))
