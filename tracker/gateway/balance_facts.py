"""What Stripe's balance transactions say of fee and net."""

from collections.abc import Iterator
from typing import Literal

from tracker.gateway.fields import Object, currency, id_of, is_sum, is_time, moment, text
from tracker.giving.facts import BalanceTransaction, Fact

MOVED: dict[str, Literal["gift", "refund", "refund_failed", "dispute"]] = {
    "charge": "gift",
    "payment": "gift",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failed",
    "payment_failure_refund": "refund_failed",
    "adjustment": "dispute",
}


def settled_facts(transaction: Object, of: tuple[str, ...], live: bool) -> Iterator[Fact]:
    """What a balance transaction says of fee and net. `of` holds the ids of what it settles: a charge and its payment
    intent, a refund, or a dispute's movement. A balance transaction has no livemode of its own."""
    key, kind = id_of(transaction), MOVED.get(text(transaction.get("type")))
    amount, fee, net = (transaction.get(name) for name in ("amount", "fee", "net"))
    created, available = transaction.get("created"), transaction.get("available_on")
    in_currency, rate = currency(transaction), transaction.get("exchange_rate")
    if not (key and kind and of and in_currency and is_time(created) and is_time(available)):
        return
    if not (is_sum(amount) and is_sum(fee) and is_sum(net)):
        return
    yield BalanceTransaction(
        key=key,
        kind=kind,
        of=of,
        amount=amount,
        fee=fee,
        net=net,
        currency=in_currency,
        rate=str(rate)[:40] if isinstance(rate, (int, float)) else "",
        at=moment(created),
        available_on=moment(available),
        live=live,
    )
