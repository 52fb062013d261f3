"""The account's balance: its lines, its fees, and when money becomes available."""

from decimal import ROUND_HALF_UP, Decimal

from tracker.sandbox.cards import Account, Card
from tracker.sandbox.currencies import exponent
from tracker.sandbox.state import Body, Store

DAY = 24 * 3600
HOME = "US"
FEE_PERCENT_OF_TEN_THOUSAND = 290  # 2.9 %
FOREIGN_PERCENT_OF_TEN_THOUSAND = 150  # cards from abroad cost 1.5 % more


def charge_fee(amount: int, currency: str, means: Card | Account) -> int:
    fixed = 30 if exponent(currency) != 3 else 300
    if isinstance(means, Account):
        return 35 if exponent(currency) == 2 else fixed
    rate = FEE_PERCENT_OF_TEN_THOUSAND + (0 if means.country == HOME else FOREIGN_PERCENT_OF_TEN_THOUSAND)
    return (amount * rate + 5000) // 10_000 + fixed


def converted(store: Store, amount: int, currency: str) -> tuple[int, str, float | None]:
    """What an amount comes to in the currency in which the account settles it, and by which rate."""
    rate = store.rates.get(currency)
    if rate is None or currency == store.settles_in:
        return amount, currency, None
    exact = Decimal(amount) * Decimal(str(rate))
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP)), store.settles_in, rate


def make_entry(
    store: Store,
    source: str,
    kind: str,
    category: str,
    amount: int,
    currency: str,
    fee: int = 0,
    description: str | None = None,
    fee_for: str = "Stripe processing fees",
    at_once: bool = False,
    convert: bool = True,
) -> Body:
    """One line of the account's balance, in the currency in which it settles; `fee` is in that one already."""
    amount, currency, rate = converted(store, amount, currency) if convert else (amount, currency, None)
    fees = [{"amount": fee, "application": None, "currency": currency, "description": fee_for, "type": "stripe_fee"}]
    entry = {
        "id": store.new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": store.now() if at_once else (store.now() // DAY + 2) * DAY,
        "balance_type": "payments",
        "created": store.now(),
        "currency": currency,
        "description": description,
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": fees if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "available" if at_once else "pending",
        "type": kind,
    }
    return store.add("balance_transaction", entry)


def ripen(store: Store) -> None:
    """Pending money becomes available when its day has come."""
    now = store.now()
    for entry in store.newest("balance_transaction"):
        if entry["status"] == "pending" and entry["available_on"] <= now:
            store.change(entry, status="available")


def balance(store: Store) -> Body:
    ripen(store)
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for entry in store.newest("balance_transaction"):
        place = sums[entry["status"]]
        place[entry["currency"]] = place.get(entry["currency"], 0) + entry["net"]
    currencies = sorted(set(sums["available"]) | set(sums["pending"])) or ["usd"]
    listed = {
        name: [
            {"amount": place.get(currency, 0), "currency": currency, "source_types": {"card": place.get(currency, 0)}}
            for currency in currencies
        ]
        for name, place in sums.items()
    }
    return {"object": "balance", "livemode": store.live} | listed
