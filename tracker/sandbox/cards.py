"""Stripe's published test cards and IBANs, and what each of them does (docs.stripe.com/testing)."""

from dataclasses import dataclass
from datetime import UTC, datetime


class CardDeclined(Exception):
    """The bank, or Stripe before it, said no; `message` is what the donor reads."""

    def __init__(self, code: str, decline_code: str | None, message: str, field: str = "card_number") -> None:
        super().__init__(message)
        self.code, self.decline_code, self.message, self.field = code, decline_code, message, field


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: str | None = None  # why a charge fails; a key of REASONS
    later: str | None = None  # why a charge fails once the card has been saved
    challenge: str | None = None  # 3-D Secure: "always", or "unless_saved"
    after_challenge: str | None = None  # why it fails after a passed challenge
    dispute: str | None = None  # the reason of a dispute that follows at once
    inquiry: bool = False
    disputes: int = 1
    refund: str | None = None  # "pending" or "fails"
    available: bool = False
    warning: bool = False  # an early fraud warning follows
    risk: str = "normal"
    cvc_check: str = "pass"
    note: str = "Succeeds"


# decline: (code, decline code, what the donor reads)
REASONS: dict[str, tuple[str, str | None, str]] = {
    "generic_decline": ("card_declined", "generic_decline", "Your card was declined."),
    "insufficient_funds": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "lost_card", "Your card was declined."),
    "stolen_card": ("card_declined", "stolen_card", "Your card was declined."),
    "card_velocity_exceeded": (
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "fraudulent": ("card_declined", "fraudulent", "Your card was declined."),
    "expired_card": ("expired_card", None, "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", None, "Your card's security code is incorrect."),
    "incorrect_zip": ("incorrect_zip", None, "The postal code you supplied failed validation."),
    "processing_error": (
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_failed": (
        "payment_intent_authentication_failure",
        None,
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
    ),
    "authentication_required": (
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
    "test_mode_live_card": (
        "card_declined",
        "test_mode_live_card",
        "Your card was declined. Your request was in test mode, but used a non test card. "
        "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
    ),
}

CARDS: dict[str, Card] = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("4000056655665556", funding="debit"),
        Card("5555555555554444", brand="mastercard"),
        Card("2223003122003222", brand="mastercard"),
        Card("5200828282828210", brand="mastercard", funding="debit"),
        Card("378282246310005", brand="amex"),
        Card("6011111111111117", brand="discover"),
        Card("3566002020360505", brand="jcb", country="JP"),
        Card("6200000000000005", brand="unionpay", country="CN"),
        Card("4000002500000003", country="FR", note="Succeeds, French card"),
        Card("4000002760000016", country="DE", note="Succeeds, German card"),
        Card("4000008260000000", country="GB", note="Succeeds, British card"),
        Card("4000001240000000", country="CA", note="Succeeds, Canadian card"),
        Card("4000003920000003", country="JP", note="Succeeds, Japanese card"),
        Card("4000000000000002", decline="generic_decline", note="Declined"),
        Card("4000000000009995", decline="insufficient_funds", note="Declined: insufficient funds"),
        Card("4000000000009987", decline="lost_card", note="Declined: lost card"),
        Card("4000000000009979", decline="stolen_card", note="Declined: stolen card"),
        Card("4000000000000069", decline="expired_card", note="Declined: expired"),
        Card("4000000000000127", decline="incorrect_cvc", cvc_check="fail", note="Declined: wrong security code"),
        Card("4000000000000119", decline="processing_error", note="Declined: processing error"),
        Card("4000000000006975", decline="card_velocity_exceeded", note="Declined: used too often"),
        Card("4000000000000341", later="generic_decline", note="First payment succeeds, renewals fail"),
        Card("4100000000000019", decline="fraudulent", risk="highest", note="Always blocked"),
        Card("4000000000004954", decline="fraudulent", risk="highest", note="Highest risk: blocked"),
        Card("4000000000009235", risk="elevated", note="Succeeds, elevated risk"),
        Card("4000000000000101", decline="incorrect_cvc", cvc_check="fail", note="Security code check fails"),
        Card("4000000000000036", note="Succeeds; postal code check fails"),
        Card("4000002500003155", country="FR", challenge="unless_saved", note="Asks for authentication once"),
        Card(
            "4000002760003184",
            country="DE",
            challenge="always",
            later="authentication_required",
            note="Asks for authentication every time",
        ),
        Card("4000003800000446", note="Already set up for later payments"),
        Card(
            "4000008260003178",
            country="GB",
            challenge="always",
            after_challenge="insufficient_funds",
            note="Asks for authentication, then declines",
        ),
        Card("4000000000003220", challenge="always", note="Asks for authentication"),
        Card(
            "4000008400001629",
            challenge="always",
            after_challenge="generic_decline",
            note="Asks for authentication, then declines",
        ),
        Card("4000008400001280", decline="processing_error", note="Authentication cannot be looked up"),
        Card("4000000000003055", note="Succeeds; authentication possible, not needed"),
        Card("4000000000003097", note="Succeeds; authentication possible, not needed"),
        Card("4000000000000259", dispute="fraudulent", note="Succeeds, then disputed as fraudulent"),
        Card("4000000000002685", dispute="product_not_received", note="Succeeds, then disputed as not received"),
        Card("4000000000001976", dispute="fraudulent", inquiry=True, note="Succeeds, then an inquiry"),
        Card("4000000000005423", warning=True, note="Succeeds, then an early fraud warning"),
        Card("4000000404000079", dispute="fraudulent", disputes=2, note="Succeeds, then several disputes"),
        Card("4000000000007726", refund="pending", note="Refunds pend, then succeed"),
        Card("4000000000005126", refund="fails", note="Refunds succeed, then fail"),
        Card("4000000000000077", available=True, note="Succeeds, money available at once"),
        Card("4000003720000278", available=True, note="Succeeds, money available at once"),
    )
}

# The ones worth showing to a person at the checkout.
SHOWN = (
    "4242424242424242",
    "4000000000000002",
    "4000000000009995",
    "4000000000000341",
    "4000002760003184",
    "4000000000000259",
    "4000000000005126",
)


@dataclass(frozen=True)
class Account:
    """A bank account debited through SEPA; its payments take a while and may fail."""

    iban: str
    fails: str | None = None
    slow: bool = False  # takes at least three minutes
    dispute: bool = False
    refused: bool = False  # not even accepted as a payment method
    note: str = "Succeeds after a while"

    @property
    def country(self) -> str:
        return self.iban[:2]


ACCOUNTS: dict[str, Account] = {
    account.iban: account
    for account in (
        Account("AT611904300234573201"),
        Account("AT321904300235473204", slow=True, note="Succeeds after three minutes"),
        Account("AT861904300235473202", fails="generic_decline", note="Fails after a while"),
        Account("AT051904300235473205", fails="generic_decline", slow=True, note="Fails after three minutes"),
        Account("AT591904300235473203", dispute=True, note="Succeeds, then disputed"),
        Account("AT981904300000343434", fails="charge_exceeds_source_limit"),
        Account("AT601904300000121212", fails="charge_exceeds_weekly_limit"),
        Account("AT981904300002222227", fails="insufficient_funds"),
        Account("AT511904300000066666", refused=True, note="Not accepted"),
        Account("DE89370400440532013000"),
        Account("BE62510007547061"),
        Account("FR1420041010050500013M02606"),
        Account("FI2112345600000785"),
        Account("EE382200221020145685"),
    )
}
ACCOUNTS_SHOWN = ("AT611904300234573201", "AT861904300235473202", "AT591904300235473203")

ACCOUNT_FAILURES = {
    "generic_decline": "The payment was declined by the bank.",
    "charge_exceeds_source_limit": "The payment is above the limit of this bank account.",
    "charge_exceeds_weekly_limit": "The payment is above the weekly limit of this bank account.",
    "insufficient_funds": "The bank account does not hold enough money.",
}


def declined(reason: str) -> CardDeclined:
    code, decline_code, message = REASONS[reason]
    return CardDeclined(code, decline_code, message)


def read_card(number: str, expiry: str, cvc: str, now: int) -> tuple[Card, int, int]:
    """The card that a person typed, with its month and year; a slip of the pen raises CardDeclined."""
    digits = "".join(number.replace("-", " ").split())
    if not digits.isascii() or not digits.isdigit() or not 12 <= len(digits) <= 19:
        raise CardDeclined("incomplete_number", None, "Your card number is incomplete.")
    if not _luhn(digits):
        raise CardDeclined("incorrect_number", None, "Your card number is invalid.")
    month, year = _expiry(expiry)
    today = datetime.fromtimestamp(now, UTC)
    if (year, month) < (today.year, today.month):
        raise CardDeclined("invalid_expiry_year", None, "Your card's expiration date is in the past.", "expiry")
    if year > today.year + 50:
        raise CardDeclined("invalid_expiry_year", None, "Your card's expiration year is invalid.", "expiry")
    code = cvc.strip()
    if not code.isascii() or not code.isdigit() or len(code) not in (3, 4):
        raise CardDeclined("incomplete_cvc", None, "Your card's security code is incomplete.", "cvc")
    return CARDS.get(digits) or Card(digits, decline="test_mode_live_card"), month, year


def read_account(iban: str) -> Account:
    compact = "".join(iban.split()).upper()
    if not compact.isascii() or not compact.isalnum() or len(compact) < 15 or not _mod97(compact):
        raise CardDeclined("invalid_iban", None, "The IBAN you entered is invalid.", "iban")
    account = ACCOUNTS.get(compact)
    if account is None:
        raise CardDeclined("invalid_iban", None, "In test mode only test IBANs work; this is not one of them.", "iban")
    if account.refused:
        raise CardDeclined("bank_account_unusable", None, "This bank account can not be used for debits.", "iban")
    return account


def grouped(number: str) -> str:
    """The number in fours, as it is printed on a card."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _expiry(text: str) -> tuple[int, int]:
    """`12/34`, `12 / 2034`, `1234`: month and year."""
    month, slash, year = "".join(text.split()).replace("-", "/").partition("/")
    if not slash and month.isascii() and month.isdigit() and len(month) in (4, 6):
        month, year = month[:2], month[2:]
    if not (month.isascii() and month.isdigit() and year.isascii() and year.isdigit() and len(year) in (2, 4)):
        raise CardDeclined("incomplete_expiry", None, "Your card's expiration date is incomplete.", "expiry")
    if not 1 <= int(month) <= 12:
        raise CardDeclined("invalid_expiry_month", None, "Your card's expiration month is invalid.", "expiry")
    return int(month), int(year) + (2000 if len(year) == 2 else 0)


def _mod97(iban: str) -> bool:
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1
