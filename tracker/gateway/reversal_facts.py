"""What takes money off a gift again: refunds, and the movements of disputes."""

from collections.abc import Iterator
from datetime import datetime

from tracker.gateway.balance_facts import settled_facts
from tracker.gateway.fields import Object, amount, currency, id_of, ids, is_amount, is_time, moment, objects, text
from tracker.giving.facts import Fact, Reversal
from tracker.giving.rollup import dispute_shares

# A refund that was asked for counts until it fails, since the money is on its way.
REFUND_COUNTS = ("succeeded", "pending", "requires_action")
REFUND_CAME_BACK = ("failed", "canceled")
# Stripe's own fees and taxes stand among a dispute's balance transactions in some countries; they are not the donor's.
NOT_OF_THE_GIFT = ("stripe_fee", "stripe_fx_fee", "tax_fee")


def refund_facts(refund: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """Each refund takes its own amount off. One that failed took it and then gave it back, which comes to nothing."""
    status, taken, key = refund.get("status"), refund.get("amount"), id_of(refund)
    known_as = ids(refund, "payment_intent", "charge")
    in_currency = currency(refund)
    if not (known_as and key and in_currency and is_amount(taken)) or status not in REFUND_COUNTS + REFUND_CAME_BACK:
        return
    created = refund.get("created")
    at = moment(created) if is_time(created) else told_at
    yield Reversal(key, "refund", -taken, in_currency, at, live, known_as)
    if status in REFUND_CAME_BACK:
        yield Reversal(f"{key}/failed", "refund", taken, in_currency, told_at, live, known_as)


def dispute_facts(dispute: Object, live: bool) -> Iterator[Fact]:
    """What each of a dispute's balance transactions moved, as its share of the gift. An inquiry has none.

    Every event lists all there are so far, so that what one of them comes to never depends on those that follow it.
    """
    known_as, in_currency, disputed = ids(dispute, "payment_intent", "charge"), currency(dispute), dispute.get("amount")
    if not known_as or not in_currency or not is_amount(disputed):
        return
    moved = sorted(filter(_is_movement, objects(dispute.get("balance_transactions"))), key=_in_order)
    shares = dispute_shares(disputed, in_currency, [(amount(one, "amount"), currency(one)) for one in moved])
    entered = ""
    for one, share in zip(moved, shares, strict=True):
        key = id_of(one)
        if share:
            yield Reversal(key, "dispute", -share, in_currency, moment(one["created"]), live, known_as)
            entered = key
        # What moved for the exchange rate alone has no entry of its own; what it came to goes with the one before it.
        yield from settled_facts(one, (entered or key,), live)


def _is_movement(transaction: Object) -> bool:
    its_kind = text(transaction.get("type"))
    whole = id_of(transaction) and currency(transaction) and is_time(transaction.get("created"))
    return bool(whole) and its_kind not in NOT_OF_THE_GIFT and amount(transaction, "amount") != 0


def _in_order(transaction: Object) -> tuple[int, int, str]:
    """Oldest first; of two in one second, the one that takes more."""
    return transaction["created"], transaction["amount"], id_of(transaction)
