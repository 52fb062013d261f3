"""How Stripe counts each currency, and the least and the most that one charge may be."""

from tracker.sandbox.wire import StripeError

# docs.stripe.com/currencies, "Zero-decimal currencies"; UGX and ISK have no minor unit and are still sent times 100.
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())  # noqa: SIM905
HUNDREDS_ONLY = frozenset(("isk", "ugx"))
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())  # noqa: SIM905

MINIMUM = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
    "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
    "sgd": 50, "thb": 1000, "zar": 50,
}  # fmt: skip
MAXIMUM = 99_999_999

SUPPORTED = frozenset(
    """usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf
    clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr
    isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr
    mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd
    std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw""".split()  # noqa: SIM905
)
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "CA$", "aud": "A$", "chf": "CHF ", "inr": "₹"}


def exponent(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def written(amount: int, currency: str) -> str:
    """The amount as Stripe writes it in sentences and on buttons: $1,234.50."""
    digits = exponent(currency)
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    whole, part = divmod(amount, 10**digits)
    text = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{currency.upper()} {text}"


def check_currency(currency: str, param: str) -> str:
    """Stripe takes either case and answers in lower case."""
    if currency.lower() not in SUPPORTED:
        raise StripeError(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {', '.join(sorted(SUPPORTED))}",
            param=param,
        )
    return currency.lower()


def check_steps(amount: int, currency: str, param: str) -> None:
    """Some currencies are counted finer than they may be charged."""
    step = 100 if currency in HUNDREDS_ONLY else 10 if currency in THREE_DECIMAL else 1
    if amount % step:
        rule = "evenly divisible by 100" if step == 100 else "rounded to the nearest ten"
        raise StripeError(
            f"Invalid integer: amounts in {currency} must be {rule}.", code="parameter_invalid_integer", param=param
        )


def check_total(amount: int, currency: str, param: str) -> None:
    least = MINIMUM.get(currency, 1)
    if amount < least:
        raise StripeError(
            f"The Checkout Session's total amount due must add up to at least {written(least, currency)} {currency}",
            code="amount_too_small",
            param=param,
        )
    if amount > MAXIMUM:
        raise StripeError(
            f"The Checkout Session's total amount due must be no more than {written(MAXIMUM, currency)} {currency}",
            code="amount_too_large",
            param=param,
        )
