"""Two believable years of giving, planned as dated acts."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

Deed = Literal["give", "renew", "cancel", "refund", "dispute", "dispute_won", "dispute_lost", "payout", "close"]
Frequency = Literal["once", "month", "year"]

DAY = 86_400

# Raised when the plan changes, so that a demo made by an older one is made again.
VERSION = "3"

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
WEARY_CARD = "4000000000000341"  # pays once, and is refused at the first renewal


@dataclass(frozen=True)
class Act:
    """One thing that a donor, the newsroom, a bank or Stripe does at one moment; amounts in cents."""

    at: int
    do: Deed
    donor: str = ""
    frequency: Frequency = "once"
    amount: int = 0
    tier: str = ""
    source: str = ""
    place: str = ""
    name: str = ""
    message: str = ""
    email: str = ""
    card: str = GOOD_CARD
    month: str = ""
    """The month that the newsroom closes, as `2021-05`."""

    @property
    def is_gift(self) -> bool:
        """Whether money moves to the newsroom."""
        return (self.do == "give" and self.card != DECLINED_CARD) or (self.do == "renew" and self.card != WEARY_CARD)


# --- How the two years went. Months are counted from the oldest, 0, to the current one, 24.

CURRENT = 24
GOAL = 5_000_00
OTHER_GOALS = {7: 4_000_00, 12: 6_000_00}  # less in the summer holidays, more before Christmas

# How much of its goal each month reached, in per cent. August of the first year is the thin one,
# December of the second the one beyond its goal.
FIRST_YEAR = {1: 61, 2: 57, 3: 68, 4: 64, 5: 72, 6: 66, 7: 58, 8: 21, 9: 63, 10: 74, 11: 79, 12: 93}
SECOND_YEAR = {1: 66, 2: 59, 3: 77, 4: 70, 5: 83, 6: 71, 7: 69, 8: 56, 9: 75, 10: 81, 11: 87, 12: 118}
THIS_MONTH = 84

ONCE_TIERS = (10_00, 25_00, 50_00, 100_00)
MONTHLY_TIERS = (5_00, 10_00, 20_00)
YEARLY_TIERS = (50_00, 100_00, 200_00)
TIERS = {"once": ONCE_TIERS, "month": MONTHLY_TIERS, "year": YEARLY_TIERS}
ONCE_AMOUNTS = {
    10_00: 8, 25_00: 15, 50_00: 20, 100_00: 20,
    12_50: 1, 15_00: 2, 20_00: 2, 30_00: 3, 33_33: 1, 40_00: 2, 60_00: 2, 75_00: 3, 120_00: 3, 150_00: 5,
    200_00: 8, 250_00: 8, 300_00: 4, 365_00: 2, 400_00: 2, 500_00: 6, 750_00: 2, 1_000_00: 2,
}  # fmt: skip
MONTHLY_AMOUNTS = {5_00: 3, 10_00: 8, 20_00: 8, 15_00: 1, 35_00: 2, 50_00: 2}

FIRST_SUPPORTERS = 14
NEW_SUPPORTERS = {0: 3, 1: 5, 2: 3, 3: 1}
CHANCE_TO_CANCEL = 0.05

REFUNDS = {2: "full", 6: "part", 11: "full", 16: "part", 20: "full"}
DISPUTES: dict[int, Deed] = {8: "dispute_lost", 18: "dispute_won"}
# Closed on the tenth of the month after. Later entries are booked in a later month: for the first, a gift that a bank took
# back and returned; for the second, a refund.
CLOSED = (21, 22)
LATE_DISPUTE, LATE_REFUND = CLOSED
WEEKLY_PAYOUTS = 19
DRIVE = 23  # in this month a drive runs from the evening of the 12th to the morning of the 15th, and a match with it
DRIVE_DAYS = (13, 14)
DECLINED = (9, 21)  # a card is refused, and two minutes later another one is taken
YEARLY = {3: 50_00, 9: 100_00, 14: 100_00, 22: 60_00}  # in these months somebody begins to give once a year
WEARY = 13  # the first new supporter of this month has a card that fails at the renewal

LEAD_ARTICLE = "harbour-ferry"
ARTICLES = (
    "council-budget", "school-roof", "river-bridge", "library-sundays", "bus-line-7", "market-hall",
    "swimming-hall", "night-nurses", "allotment-water", "rowing-club",
)  # fmt: skip

# (month, name, message): what donors chose to show beside the bar.
GREETINGS = (
    (1, "Marta", "For the long read on the school roof. Keep asking."),
    (5, "Jonas", "I read you every morning on the ferry."),
    (9, "Priya", "Thank you for sitting through the council meetings so that we need not."),
    (12, "Elias", ""),
    (14, "Anneke", "Local news is worth a coffee a week."),
    (17, "Tom", "You corrected a mistake within the hour. That is why."),
    (19, "Samira", "From a former paper girl, route 14."),
    (21, "Lena", "My grandmother cuts out your crosswords. Please go on."),
    (23, "Oskar", "Glad that somebody still reads the budget to the last page."),
    (23, "Ines", ""),
    (24, "Ruth", "For the late boat story. I was on that quay."),
    (24, "Noor", ""),
    (24, "Henrik", "The council minutes, in words one can read. Thank you."),
    (24, "Ada and Joe", "We moved here in March, and knew everybody by May."),
    (24, "David", "Small sum, big thanks."),
)


def goals(now: datetime, zone: str) -> list[tuple[str, int]]:
    """Every month of the history with its goal in cents, oldest first."""
    return [(f"{month:%Y-%m}", goal_of(month)) for month in months_until(now, zone)]


def goal_of(month: date) -> int:
    return OTHER_GOALS.get(month.month, GOAL)


def months_until(now: datetime, zone: str) -> list[date]:
    """The first days of the 24 months before the current one and of the current one, by the campaign's own clock."""
    today = now.astimezone(ZoneInfo(zone))
    current = today.year * 12 + today.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(current - CURRENT, current + 1)]


# --- The plan


@dataclass(frozen=True)
class Supporter:
    """Someone who gives every month."""

    donor: str
    amount: int
    started: datetime
    card: str = GOOD_CARD


def plan(now: datetime, zone: str) -> list[Act]:
    """What happened in the 24 months before this one and in this one until `now`, in time order."""
    acts: list[Act] = []
    supporters: list[Supporter] = []
    for number, first in enumerate(months_until(now, zone)):
        # A dice of its own for each month: what came later never changes what was before.
        dice = Random(f"pledgebar {first:%Y-%m}")  # noqa: S311
        month = Month(number, first, ZoneInfo(zone), dice)
        renewals, supporters = renew_and_cancel(month, supporters)
        starts, newcomers = new_supporters(month)
        supporters += newcomers
        yearly = once_a_year(month)
        received = sum(act.amount for act in renewals + starts + yearly if act.is_gift)
        once = drawn_to_the_drive(month, one_time_gifts(month, month.target - received))
        gifts = greet(month, sorted(once, key=attrgetter("at")))
        if number == CURRENT:
            gifts = a_few_by(now, month, gifts)
        acts += renewals + starts + yearly + gifts
        acts += (
            declined(month, gifts) + refunds(month, gifts) + disputes(month, gifts) + payouts(month) + closing(month)
        )
    return sorted((act for act in acts if act.at <= now.timestamp()), key=attrgetter("at"))


@dataclass(frozen=True)
class Month:
    """One month to fill: its place in the history, its first day, the campaign's zone and its dice."""

    number: int
    first: date
    zone: ZoneInfo
    dice: Random

    @property
    def target(self) -> int:
        year = FIRST_YEAR if self.number < 12 else SECOND_YEAR
        share = THIS_MONTH if self.number == CURRENT else year[self.first.month]
        return goal_of(self.first) * share // 100

    @property
    def last_day(self) -> int:
        return monthrange(self.first.year, self.first.month)[1]

    @property
    def start(self) -> int:
        return epoch(datetime(self.first.year, self.first.month, 1, tzinfo=self.zone))

    def day_after(self, day: int) -> int:
        """The morning of a day of the next month."""
        return self.start + (self.last_day + day - 1) * DAY + 9 * 3600

    def donor(self, kind: str, count: int) -> str:
        return f"{kind}-{self.first:%Y%m}-{count:02}"

    def moment(self, day: int | None = None) -> datetime:
        """A waking hour on that day, or on any day: mornings and evenings more than noon, late December most of all."""
        if day is None:
            day = self.dice.randint(1, self.last_day)
            if self.first.month == 12:
                day = max(day, self.dice.randint(1, self.last_day))
        hour = self.dice.choice((6, 7, 7, 8, 8, 9, 10, 12, 13, 16, 18, 19, 20, 20, 21, 21, 22))
        minute, second = self.dice.randrange(60), self.dice.randrange(60)
        return datetime(self.first.year, self.first.month, day, hour, minute, second, tzinfo=self.zone)

    @property
    def articles(self) -> list[str]:
        """What was read, the lead article of the demo's front page twice as much."""
        # That article is from today: no gift of last year can have come from it.
        known = Random(f"front page {self.first:%Y-%m}").sample(ARTICLES, 2)  # noqa: S311
        return [LEAD_ARTICLE, LEAD_ARTICLE, known[0]] if self.number == CURRENT else known

    def origin(self) -> dict[str, str]:
        """The article and the place on the page that led to a gift, or the newsletter, or nothing known."""
        place = self.dice.choices(("top", "bottom", "newsletter", ""), (30, 28, 20, 22))[0]
        if place in ("top", "bottom"):
            return {"source": self.dice.choice(self.articles), "place": place}
        return {"source": place}


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def tier_of(amount: int, tiers: Sequence[int]) -> str:
    return str(amount) if amount in tiers else "other"


def pick(dice: Random, weights: dict[int, int]) -> int:
    return dice.choices(list(weights), list(weights.values()))[0]


def give(month: Month, donor: str, moment: datetime, frequency: Frequency, amount: int, card: str = GOOD_CARD) -> Act:
    return Act(
        epoch(moment), "give", donor, frequency, amount, tier_of(amount, TIERS[frequency]),
        email=f"{donor}@example.org", card=card, **month.origin(),
    )  # fmt: skip


def new_supporters(month: Month) -> tuple[list[Act], list[Supporter]]:
    count = FIRST_SUPPORTERS if month.number == 0 else pick(month.dice, NEW_SUPPORTERS)
    if month.number == WEARY:
        count = max(count, 1)
    newcomers = [
        Supporter(month.donor("supporter", place), pick(month.dice, MONTHLY_AMOUNTS), month.moment())
        for place in range(count)
    ]
    if month.number == WEARY:
        newcomers[0] = replace(newcomers[0], card=WEARY_CARD)
    return [give(month, each.donor, each.started, "month", each.amount, each.card) for each in newcomers], newcomers


def renew_and_cancel(month: Month, supporters: list[Supporter]) -> tuple[list[Act], list[Supporter]]:
    """Everyone's payment on their own day, and who stays; those who leave do so within days of a payment."""
    acts: list[Act] = []
    staying: list[Supporter] = []
    for each in supporters:
        day = min(each.started.day, month.last_day)
        at = epoch(each.started.replace(year=month.first.year, month=month.first.month, day=day))
        tier = tier_of(each.amount, MONTHLY_TIERS)
        acts.append(Act(at, "renew", each.donor, "month", each.amount, tier, card=each.card))
        if month.dice.random() < CHANCE_TO_CANCEL or each.card == WEARY_CARD:
            acts.append(Act(at + month.dice.randint(600, 3 * DAY), "cancel", each.donor, "month"))
        else:
            staying.append(each)
    return acts, staying


def once_a_year(month: Month) -> list[Act]:
    """The gift of a new yearly supporter, and those of the ones who began a year or two before, to the day."""
    acts: list[Act] = []
    for began, amount in YEARLY.items():
        years, rest = divmod(month.number - began, 12)
        if years < 0 or rest:
            continue
        # A dice of its own: the month's other gifts are as they would be without this one.
        dice = Random(f"yearly {began}")  # noqa: S311
        start = replace(month, first=month.first.replace(year=month.first.year - years), dice=dice)
        moment, donor = start.moment(day=began + 3), start.donor("yearly", 0)
        if years == 0:
            acts.append(give(start, donor, moment, "year", amount))
        else:
            again = moment.replace(year=month.first.year)
            acts.append(Act(epoch(again), "renew", donor, "year", amount, tier_of(amount, YEARLY_TIERS)))
    return acts


def one_time_gifts(month: Month, target: int) -> list[Act]:
    """Gifts of many sizes that together come close to the target, none of them more than a third of it."""
    gifts: list[Act] = []
    left = target
    while left >= 25_00:
        amount = pick(month.dice, ONCE_AMOUNTS)
        if amount <= min(left, target // 3):
            gifts.append(give(month, month.donor("reader", len(gifts)), month.moment(), "once", amount))
            left -= amount
    return gifts


def drawn_to_the_drive(month: Month, gifts: list[Act]) -> list[Act]:
    """In the month of a drive every third gift comes while it runs."""
    if month.number != DRIVE:
        return gifts
    for place in range(0, len(gifts), 3):
        gifts[place] = replace(gifts[place], at=epoch(month.moment(month.dice.choice(DRIVE_DAYS))))
    return gifts


def greet(month: Month, gifts: list[Act]) -> list[Act]:
    """Gives the month's names and messages to every third gift, the first one included."""
    greetings = [(name, message) for number, name, message in GREETINGS if number == month.number]
    for place, (name, message) in zip(range(0, len(gifts), 3), greetings, strict=False):
        gifts[place] = replace(gifts[place], name=name, message=message)
    return gifts


def a_few_by(now: datetime, month: Month, gifts: list[Act], few: int = 3) -> list[Act]:
    """Draws the first gifts forward when the month is so young that none would have come by `now`."""
    until = epoch(now)
    if gifts[few - 1].at <= until:
        return gifts
    early = [
        replace(gift, at=min(gift.at, month.start + (until - month.start) * place // few))
        for place, gift in enumerate(gifts[:few], start=1)
    ]
    return early + gifts[few:]


def declined(month: Month, gifts: list[Act]) -> list[Act]:
    """A try with a card that is refused, two minutes before the gift that went through."""
    if month.number not in DECLINED:
        return []
    gift = gifts[len(gifts) // 2]
    return [replace(gift, at=gift.at - 120, donor=f"{gift.donor}-declined", card=DECLINED_CARD)]


def refunds(month: Month, gifts: list[Act]) -> list[Act]:
    """Given twice by mistake, or more than was meant: one gift of some months, a day or two later."""
    if month.number == LATE_REFUND:
        gift = middling(gifts)[-1]
        return [Act(month.day_after(14), "refund", gift.donor, amount=gift.amount)]
    if month.number in REFUNDS:
        gift = middling(gifts)[0]
        amount = gift.amount if REFUNDS[month.number] == "full" else gift.amount // 2
        return [Act(gift.at + month.dice.randint(1, 2) * DAY, "refund", gift.donor, amount=amount)]
    return []


def disputes(month: Month, gifts: list[Act]) -> list[Act]:
    """A bank takes a gift back about three weeks later and decides after six more."""
    decided: Deed = "dispute_won"
    if month.number == LATE_DISPUTE:
        gift, opened = middling(gifts)[-1], month.day_after(16)
    elif month.number in DISPUTES:
        gift = middling(gifts)[0]
        opened, decided = gift.at + 20 * DAY, DISPUTES[month.number]
    else:
        return []
    return [
        Act(opened, "dispute", gift.donor, amount=gift.amount),
        Act(opened + 41 * DAY, decided, gift.donor, amount=gift.amount),
    ]


def payouts(month: Month) -> list[Act]:
    """On Mondays Stripe sends the newsroom what has become available; until half a year ago on one a month."""
    days = [day for day in range(1, month.last_day + 1) if month.first.replace(day=day).weekday() == 0]
    if month.number < WEEKLY_PAYOUTS:
        days = days[1:2]
    return [Act(month.start + (day - 1) * DAY + 8 * 3600, "payout") for day in days]


def closing(month: Month) -> list[Act]:
    """The newsroom closes the month when what was given in it is on its account."""
    return [Act(month.day_after(10), "close", month=f"{month.first:%Y-%m}")] if month.number in CLOSED else []


def middling(gifts: list[Act]) -> list[Act]:
    """The gifts worth a correction that do not turn the month over, in time order."""
    return [gift for gift in gifts if 25_00 <= gift.amount <= 100_00]
