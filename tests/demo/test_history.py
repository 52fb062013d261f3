"""The demo's two years of giving: the same each time, never ahead of the clock, and true to what they promise."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.demo.founding_month import founding_plan
from tracker.demo.play_history import play
from tracker.demo.sample_history import (
    DECLINED_CARD,
    GOOD_CARD,
    WEARY_CARD,
    Act,
    goals,
    months_until,
    plan,
)

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
ZONES = st.sampled_from(["Europe/Berlin", "UTC", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"])
MOMENTS = st.integers(1_420_000_000, 2_240_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


def month_of(act: Act, zone: str = ZONE) -> str:
    return f"{datetime.fromtimestamp(act.at, ZoneInfo(zone)):%Y-%m}"


def raised(acts: list[Act], zone: str = ZONE) -> Counter[str]:
    """What each month raised, with refunds and disputes taken off the month of their gift."""
    sums: Counter[str] = Counter()
    given_in: dict[str, str] = {}
    for act in acts:
        if act.is_gift:
            sums[month_of(act, zone)] += act.amount
            given_in.setdefault(act.donor, month_of(act, zone))
        elif act.do in ("refund", "dispute"):
            sums[given_in[act.donor]] -= act.amount
        elif act.do == "dispute_won":
            sums[given_in[act.donor]] += act.amount
    return sums


# ---------------------------------------------------------------------------
# The plan as a whole


def test_the_same_twice() -> None:
    assert plan(NOW, ZONE) == plan(NOW, ZONE)


def test_an_hour_later_the_past_is_the_same() -> None:
    before, after = plan(NOW, ZONE), plan(NOW + timedelta(hours=30), ZONE)
    assert after[: len(before)] == before


def test_a_thousand_gifts_over_25_months() -> None:
    acts = plan(NOW, ZONE)
    months = Counter(month_of(act) for act in acts if act.is_gift)
    assert 900 <= months.total() <= 1100
    assert list(months) == [month for month, _ in goals(NOW, ZONE)]
    assert len(months) == 25


def test_goals_change_in_a_few_months() -> None:
    by_month = dict(goals(NOW, ZONE))
    assert by_month["2026-11"] == 5_000_00
    assert by_month["2025-12"] == 6_000_00
    assert Counter(by_month.values()).most_common(1)[0][0] == 5_000_00
    assert sum(goal != 5_000_00 for goal in by_month.values()) == 4


@pytest.mark.parametrize("month", range(1, 13))
def test_one_month_beyond_its_goal_and_one_thin_one(month: int) -> None:
    now = datetime(2026, month, 17, 12, tzinfo=UTC)
    sums = raised(plan(now, ZONE))
    shares = {name: sums[name] / goal for name, goal in goals(now, ZONE)[:-1]}
    assert [share for share in shares.values() if share > 1] == [pytest.approx(1.18, abs=0.03)]
    assert [share for share in shares.values() if share < 0.5] == [pytest.approx(0.20, abs=0.03)]
    assert sum(0.53 <= share <= 0.97 for share in shares.values()) == 22
    assert max(shares, key=lambda name: shares[name]).endswith("-12")


def test_the_current_month_has_come_as_far_as_its_days() -> None:
    goal = dict(goals(NOW, ZONE))["2026-11"]
    whole = raised(plan(datetime(2026, 11, 30, 22, 59, tzinfo=UTC), ZONE))["2026-11"]
    so_far = raised(plan(NOW, ZONE))["2026-11"]
    assert 0.75 * goal < whole < 0.9 * goal
    assert so_far / whole == pytest.approx(22 / 30, abs=0.25)


def test_corrections() -> None:
    acts = plan(NOW, ZONE)
    deeds = Counter(act.do for act in acts)
    assert deeds["refund"] == 6
    assert (deeds["dispute"], deeds["dispute_lost"], deeds["dispute_won"]) == (3, 1, 2)
    gifts = {act.donor: act for act in acts if act.do == "give"}
    refunds = [act for act in acts if act.do == "refund"]
    assert {act.amount == gifts[act.donor].amount for act in refunds} == {True, False}
    assert any(month_of(act) > month_of(gifts[act.donor]) for act in refunds)
    assert sum(act.card == DECLINED_CARD for act in acts) == 2
    assert [act.do for act in acts if act.card == WEARY_CARD] == ["give", "renew"]


@pytest.mark.parametrize("month", range(1, 13))
def test_two_months_are_closed_once_all_of_their_money_has_arrived_and_corrected_later(month: int) -> None:
    now = datetime(2026, month, 1, 3, tzinfo=UTC)
    acts, months = plan(now, ZONE), [name for name, _ in goals(now, ZONE)]
    closings = {act.month: act.at for act in acts if act.do == "close"}
    assert list(closings) == months[21:23]
    payouts = [act.at for act in acts if act.do == "payout"]
    gifts = {act.donor: act for act in acts if act.do == "give"}
    for name, closed_at in closings.items():
        given = [act.at for act in acts if act.is_gift and month_of(act) == name]
        # Two days after a gift its money is available, at midnight by Stripe's clock.
        assert max(given) + 2 * 86_400 < max(at for at in payouts if at < closed_at)
        later = [
            act.do
            for act in acts
            if act.at > closed_at
            and act.donor in gifts
            and month_of(gifts[act.donor]) == name
            and act.frequency == "once"
        ]
        assert later == {months[21]: ["dispute", "dispute_won"], months[22]: ["refund"]}[name]


def test_a_drive_draws_gifts() -> None:
    in_the_month = [act for act in plan(NOW, ZONE) if act.do == "give" and month_of(act) == "2026-10"]
    in_the_drive = [act for act in in_the_month if datetime.fromtimestamp(act.at, ZoneInfo(ZONE)).day in (13, 14)]
    assert len(in_the_drive) * 4 > len(in_the_month)
    assert sum(act.amount for act in in_the_drive) > 500_00


def test_donors_greet_and_articles_are_named() -> None:
    acts = plan(NOW, ZONE)
    assert 8 <= sum(bool(act.message) for act in acts) <= 14
    assert all(act.name for act in acts if act.message)
    gives = [act for act in acts if act.do == "give"]
    assert {act.place for act in gives} == {"top", "bottom", ""}
    assert {"newsletter", "", "harbour-ferry"} < {act.source for act in gives}
    assert {month_of(act) for act in gives if act.source == "harbour-ferry"} == {"2026-11"}
    assert all(act.source and act.source != "newsletter" for act in gives if act.place)


# ---------------------------------------------------------------------------
# At any moment


@settings(max_examples=examples(40), deadline=None)
@given(now=MOMENTS, zone=ZONES)
@example(now=datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), zone="UTC")
@example(now=datetime(2024, 3, 1, 0, 0, 0, tzinfo=UTC), zone="UTC")
@example(now=datetime(2025, 12, 31, 23, 0, 0, tzinfo=UTC), zone="Europe/Berlin")
@example(now=datetime(2026, 10, 31, 23, 0, 0, 999_999, tzinfo=UTC), zone="Europe/Berlin")
@example(now=datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), zone="Europe/Berlin")
@example(now=datetime(2026, 5, 31, 12, 0, 0, tzinfo=UTC), zone="Pacific/Auckland")
def test_whenever_it_is(now: datetime, zone: str) -> None:
    acts = plan(now, zone)
    months = [month for month, _ in goals(now, zone)]
    assert len(months) == len(set(months)) == 25
    assert months[-1] == f"{now.astimezone(ZoneInfo(zone)):%Y-%m}"

    assert [act.at for act in acts] == sorted(act.at for act in acts)
    assert acts[-1].at <= now.timestamp()
    assert month_of(acts[0], zone) == months[0]
    assert sum(act.is_gift and month_of(act, zone) == months[-1] for act in acts) >= 3

    assert_lives_add_up(acts)
    assert_every_supporter_pays_once_a_month(acts, zone)
    sums = raised(acts, zone)
    assert all(sums[month] > 0 for month in months)


def assert_lives_add_up(acts: list[Act]) -> None:
    """Nothing happens to a gift, a subscription or a dispute before it exists or after it has ended."""
    gave: dict[str, Act] = {}
    alive: set[str] = set()
    left: Counter[str] = Counter()
    disputed: set[str] = set()
    for act in acts:
        match act.do:
            case "give":
                assert act.donor not in gave
                assert act.amount > 0
                assert act.tier == "other" or int(act.tier) == act.amount
                assert act.email.endswith("@example.org")
                gave[act.donor] = act
                if act.frequency != "once":
                    alive.add(act.donor)
                elif act.card == GOOD_CARD:
                    left[act.donor] = act.amount
            case "renew":
                assert act.donor in alive
                assert act.amount == gave[act.donor].amount
            case "cancel":
                alive.remove(act.donor)
            case "refund" | "dispute":
                assert 0 < act.amount <= left[act.donor]
                left[act.donor] -= act.amount
                if act.do == "dispute":
                    disputed.add(act.donor)
            case "dispute_won" | "dispute_lost":
                disputed.remove(act.donor)


def assert_every_supporter_pays_once_a_month(acts: list[Act], zone: str) -> None:
    payments = Counter((act.donor, month_of(act, zone)) for act in acts if act.frequency == "month" and act.amount)
    assert set(payments.values()) == {1}


def test_a_few_give_once_a_year_and_again_a_year_later() -> None:
    yearly = [act for act in plan(NOW, ZONE) if act.frequency == "year"]
    assert Counter(act.do for act in yearly) == {"give": 4, "renew": 2}
    for again in (act for act in yearly if act.do == "renew"):
        (before,) = (act for act in yearly if act.do == "give" and act.donor == again.donor)
        assert (again.amount, again.tier) == (before.amount, before.tier)
        apart = datetime.fromtimestamp(again.at, ZoneInfo(ZONE)) - datetime.fromtimestamp(before.at, ZoneInfo(ZONE))
        assert apart.days in (365, 366)


def test_the_day_of_a_renewal_bends_to_short_months() -> None:
    days: dict[str, set[int]] = {}
    for act in plan(NOW, ZONE):
        if act.frequency == "month" and act.amount:
            days.setdefault(act.donor, set()).add(datetime.fromtimestamp(act.at, ZoneInfo(ZONE)).day)
    assert all(len(seen) == 1 or max(seen) > 28 for seen in days.values())


def test_months_across_new_year() -> None:
    months = months_until(datetime(2026, 1, 1, tzinfo=UTC), "UTC")
    assert (months[0].isoformat(), months[-1].isoformat()) == ("2024-01-01", "2026-01-01")


# ---------------------------------------------------------------------------
# May 2021


def test_the_founding_month() -> None:
    acts = founding_plan()
    gifts = [act for act in acts if act.is_gift]
    assert len(gifts) == 12
    assert sum(act.amount for act in gifts if act.frequency == "once") == 300_00
    assert sum(act.amount for act in gifts if act.frequency == "month") == 60_00
    assert sum(act.amount for act in acts if act.do == "refund") == 20_00
    assert raised(acts) == {"2021-05": 340_00}


def test_the_founding_month_ends_in_itself() -> None:
    acts = founding_plan()
    assert acts == sorted(acts, key=lambda act: act.at)
    assert {month_of(act) for act in acts} == {"2021-05"}
    shown_at = datetime(2021, 5, 14, 9, 31, tzinfo=UTC).timestamp()
    assert all(act.at < shown_at for act in acts if act.do != "payout")
    supporters = {act.donor for act in acts if act.do == "give" and act.frequency == "month"}
    assert supporters == {act.donor for act in acts if act.do == "cancel"}
    assert_lives_add_up(acts)


# ---------------------------------------------------------------------------
# The play


class RefusedError(Exception):
    """How this sandbox says no."""


class FakeSandbox:
    """Writes down what it is asked for, hands out ids, and refuses what it does not know."""

    def __init__(self) -> None:
        self.clock: int | None = None
        self.calls: list[tuple[int | None, str, Any]] = []
        self.sessions: dict[str, dict[str, Any]] = {}
        self.payments: Counter[str] = Counter()
        self.subscriptions: dict[str, str] = {}
        self.disputes: set[str] = set()

    def set_clock(self, at: int | None) -> None:
        assert at is None or self.clock is None or at >= self.clock
        self.clock = at

    def note(self, name: str, about: Any) -> None:
        self.calls.append((self.clock, name, about))

    def create_checkout_session(self, params: dict[str, Any]) -> dict[str, Any]:
        session = {"id": f"cs_{len(self.sessions)}", **params}
        self.sessions[session["id"]] = session
        return session

    def pay(self, session_id: str, *, email: str, name: str, card: str) -> dict[str, Any]:
        session = self.sessions[session_id]
        self.note("pay", (session["amount"], email, name))
        if card == DECLINED_CARD:
            raise RefusedError
        if session["mode"] == "subscription":
            made = session_id.replace("cs", "sub")
            self.subscriptions[made] = card
            return session | {"subscription": made, "payment_intent": None}
        made = session_id.replace("cs", "pi")
        self.payments[made] = session["amount"]
        return session | {"payment_intent": made, "subscription": None}

    def renew(self, subscription: str) -> dict[str, Any]:
        self.note("renew", subscription)
        if self.subscriptions[subscription] == WEARY_CARD:
            raise RefusedError
        return {"status": "paid"}

    def cancel_subscription(self, subscription: str) -> None:
        self.note("cancel", subscription)
        del self.subscriptions[subscription]

    def refund(self, *, payment_intent: str, amount: int) -> dict[str, Any]:
        self.note("refund", amount)
        assert amount <= self.payments[payment_intent]
        return {}

    def open_dispute(self, payment_intent: str, *, reason: str) -> dict[str, Any]:
        self.note("dispute", (self.payments[payment_intent], reason))
        self.disputes.add("du_" + payment_intent)
        return {"id": "du_" + payment_intent}

    def pay_out(self) -> None:
        self.note("payout", None)

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        self.note("dispute_won" if won else "dispute_lost", dispute)
        self.disputes.remove(dispute)


def session_params(act: Act) -> dict[str, Any]:
    return {"mode": "payment" if act.frequency == "once" else "subscription", "amount": act.amount}


@pytest.mark.parametrize("acts", [plan(NOW, ZONE), founding_plan()], ids=["two years", "May 2021"])
def test_playing_does_every_act_at_its_time(acts: list[Act]) -> None:
    sandbox, steps = FakeSandbox(), []
    closed: list[str] = []

    def close(act: Act) -> None:
        sandbox.note("close", act.month)
        closed.append(act.month)

    play(acts, sandbox, session_params, close=close, progress=lambda done, total: steps.append((done, total)))
    names = [{"give": "pay"}.get(act.do, act.do) for act in acts]
    assert [(at, name) for at, name, _ in sandbox.calls] == list(zip([act.at for act in acts], names, strict=True))
    assert sandbox.clock is None
    assert steps == [(number, len(acts)) for number in range(1, len(acts) + 1)]
    assert closed == [act.month for act in acts if act.do == "close"]


def test_playing_names_those_who_gave_their_name() -> None:
    sandbox = FakeSandbox()
    play(plan(NOW, ZONE), sandbox, session_params)
    names = Counter(about[2] for _, name, about in sandbox.calls if name == "pay")
    assert names["Ruth"] == 1
    assert names["A supporter"] > 500


def test_an_unexpected_refusal_is_not_swallowed_and_the_clock_is_let_go() -> None:
    class Broken(FakeSandbox):
        def refund(self, *, payment_intent: str, amount: int) -> dict[str, Any]:
            raise RefusedError

    sandbox = Broken()
    with pytest.raises(RefusedError):
        play(founding_plan(), sandbox, session_params)
    assert sandbox.clock is None
