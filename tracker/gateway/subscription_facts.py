"""How a supporter's subscription stands, and what it will still charge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Literal

from tracker.gateway.fields import Object, currency, id_of, is_amount, is_time, listed, moment, objects, part, text
from tracker.gateway.gift_facts import our_metadata
from tracker.giving.facts import Charge, Fact, Subscription

INTERVALS = ("day", "week", "month", "year")


def support_facts(
    subscription: Object, told_at: datetime, live: bool, mark: str, *, began: bool = False
) -> Iterator[Fact]:
    """How a subscription stands, whatever it comes to. Moves no money: each payment of it is an invoice.

    `began` where this is the word of its beginning, which anything else told in the same second comes after.
    """
    metadata = our_metadata(subscription, mark)
    key, status, in_currency = id_of(subscription), text(subscription.get("status")), currency(subscription)
    is_one = subscription.get("object") in (None, "subscription")
    if not is_one or metadata is None or not key or not status or not in_currency:
        return
    items = listed(subscription, "items")
    coupons, is_whole = _coupons(subscription)
    charges = _charges(subscription, items, coupons)
    billed_at = max((start for start in _periods(subscription, items, "start")), default=None)
    due = min(_periods(subscription, items, "end"), default=None)
    # A cancellation in the portal sets cancel_at; one by the API may set the flag instead.
    state = _state(status, subscription)
    began_at = _began_at(status, subscription)
    leaves = subscription.get("cancel_at") or (due if subscription.get("cancel_at_period_end") is True else None)
    yield Subscription(
        key=key,
        campaign=text(metadata.get("campaign"))[:60],
        amount=_next_amount(items, charges, coupons),
        currency=in_currency,
        state=state,
        next_charge=charges[0].due if charges else moment(due) if due is not None else None,
        ends=moment(leaves) if is_time(leaves) else None,
        told_at=told_at,
        live=live,
        rank=0 if began or status == "incomplete" else 1,
        charges=charges if _is_more_than_one_a_month(charges) else (),
        invoice=id_of(subscription.get("latest_invoice")),
        billed=sum(one.amount for one in _charges(subscription, _begun(items, billed_at), coupons)),
        billed_at=moment(billed_at) if billed_at is not None else None,
        frequency="year" if metadata.get("frequency") == "year" else "month",
        began_at=began_at,
        ended_at=_ended_at(subscription, told_at) if began_at and state == "ended" else None,
        is_whole=is_whole,
    )


def _began_at(status: str, subscription: Object) -> datetime | None:
    """When it began; None while its first charge is open, or if that was never paid."""
    began = next((at for at in map(subscription.get, ("start_date", "created")) if is_time(at)), None)
    return moment(began) if began is not None and status not in ("incomplete", "incomplete_expired") else None


def _ended_at(subscription: Object, told_at: datetime) -> datetime:
    ended = subscription.get("ended_at")
    return moment(ended) if is_time(ended) else told_at


def _next_amount(items: Sequence[Object], charges: Sequence[Charge], coupons: Sequence["Coupon"]) -> int:
    """What the next charge comes to; of all items, where it is not told when that is."""
    if charges:
        return sum(one.amount for one in charges if one.due == charges[0].due)
    return _after(sum(_after(_amount(item), _coupons(item)[0], 0) for item in items), coupons, 0)


def _state(status: str, subscription: Object) -> Literal["active", "failing", "paused", "ended"]:
    if status in ("canceled", "incomplete_expired"):
        return "ended"
    why = part(part(part(subscription, "status_details"), "paused"), "subscription").get("type")
    if status == "paused" and why in ("final_payment_failure", "first_payment_failure"):
        return "failing"
    if status == "paused" or isinstance(subscription.get("pause_collection"), dict):
        return "paused"
    # Whatever else Stripe may say one day is not money to count on.
    return "active" if status in ("active", "trialing") else "failing"


# --- What it charges --------------------------------------------------------------------------------------------------


def _charges(subscription: Object, items: Sequence[Object], coupons: Sequence["Coupon"]) -> tuple[Charge, ...]:
    """What falls due, soonest first. Items of other intervals have days of their own; those of one day share an invoice."""
    at: dict[int, dict[tuple[str, int], int]] = {}
    for item in items:
        due = _period(subscription, item, "end")
        if due is None:
            continue
        every = part(part(item, "price"), "recurring") or part(item, "plan")
        interval, count = every.get("interval"), every.get("interval_count", 1)
        kind = (interval if interval in INTERVALS else "month", count if is_amount(count) else 1)
        alike = at.setdefault(due, {})
        alike[kind] = alike.get(kind, 0) + _after(_amount(item), _coupons(item)[0], due)
    return tuple(charge for due, alike in sorted(at.items()) for charge in _on_one_invoice(due, alike, coupons))


def _on_one_invoice(due: int, alike: dict[tuple[str, int], int], coupons: Sequence["Coupon"]) -> Iterator[Charge]:
    """What one invoice asks for, by how often each part of it comes again; coupons come off the whole."""
    left, rest = _after(sum(alike.values()), coupons, due), sum(alike.values())
    for (interval, count), amount in sorted(alike.items()):
        share = left * amount // rest if rest else 0
        left, rest = left - share, rest - amount
        yield Charge(share, moment(due), interval, count)  # type: ignore[arg-type]


def _is_more_than_one_a_month(charges: Sequence[Charge]) -> bool:
    return len(charges) > 1 or any(one.interval in ("day", "week") for one in charges)


def _begun(items: Sequence[Object], at: int | None) -> list[Object]:
    """The items whose period began with the newest invoice."""
    return [item for item in items if item.get("current_period_start", at) == at]


def _periods(subscription: Object, items: Sequence[Object], end: str) -> list[int]:
    times = [_period(subscription, item, end) for item in items] or [_period(subscription, {}, end)]
    return [time for time in times if time is not None]


def _period(subscription: Object, item: Object, end: str) -> int | None:
    """When an item's period starts or ends. Since 2025 the periods are the items'; before, they were the subscription's."""
    name = f"current_period_{end}"
    return next((time for time in (item.get(name), subscription.get(name)) if is_time(time)), None)


def _amount(item: Object) -> int:
    """What an item charges each time; 0 where that depends on use, or on steps that are not told."""
    price, quantity = part(item, "price") or part(item, "plan"), item.get("quantity", 1)
    if not is_amount(quantity):
        return 0
    for name in ("unit_amount", "unit_amount_decimal", "amount", "amount_decimal"):
        try:
            each = Decimal(str(price[name])) if isinstance(price.get(name), (int, str, Decimal)) else None
        except InvalidOperation:
            each = None
        if each is not None and each.is_finite() and 0 < each * quantity < 10**12:
            return int((each * quantity).quantize(Decimal(1), ROUND_HALF_UP))
    return 0


# --- Coupons ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coupon:
    """What a coupon takes off each charge until it ends: so many per cent, or so much."""

    percent: Decimal
    amount: int
    ends: int | None


def _coupons(about: Object) -> tuple[list[Coupon], bool]:
    """The coupons on a subscription or an item, and whether all of them say what they take off."""
    given = about.get("discounts")
    named = list(given) if isinstance(given, list) else []
    # Until 2024 there was one at most, and it stood there whole.
    named = named or [one for one in [about.get("discount")] if one]
    found = [_coupon(one) for one in objects(named)]
    coupons = [one for one in found if one is not None]
    return coupons, len(coupons) == len(named)


def _coupon(discount: Object) -> Coupon | None:
    coupon = part(part(discount, "source"), "coupon") or part(discount, "coupon")
    ends = discount.get("end")
    percent, amount = coupon.get("percent_off"), coupon.get("amount_off")
    if isinstance(percent, (int, float)) and not isinstance(percent, bool) and 0 < percent <= 100:
        return Coupon(Decimal(str(percent)), 0, ends if is_time(ends) else None)
    if is_amount(amount):
        return Coupon(Decimal(0), amount, ends if is_time(ends) else None)
    return None


def _after(amount: int, coupons: Sequence[Coupon], due: int) -> int:
    """What is left of an amount that is charged at that time, rounded as Stripe rounds."""
    left = amount
    for coupon in coupons:
        if coupon.ends is None or coupon.ends > due:
            off = (left * coupon.percent / 100).quantize(Decimal(1), ROUND_HALF_UP)
            left = max(0, left - int(off) - coupon.amount)
    return left
