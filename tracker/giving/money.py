"""Money is a whole number of a currency's smallest unit; here it is read from what people type and written for readers."""

import re
import unicodedata
from copy import copy
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberFormatError, NumberPattern, parse_decimal, parse_pattern

from tracker.giving.refusals import Refusal

# Stripe's table, not ISO 4217's: they differ for ISK, UGX and MGA. https://docs.stripe.com/currencies
NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMALS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
# Sent as if they had two decimals although they have none, so the amount must be a multiple of a hundred.
WHOLE_ONLY = frozenset(["ISK", "UGX"])

# What Stripe takes payments in: its presentment currencies, those of all countries' lists together, as of September 2026.
# https://docs.stripe.com/currencies#presentment-currencies
PRESENTMENT = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK
    JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS
    SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR
    ZMW""".split()  # noqa: SIM905
)

# The least that Stripe charges, in smallest units, for currencies that settle as themselves.
MINIMUMS = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
    "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
MAXIMUM = 99_999_999
"""The most that one payment can be, in smallest units: Stripe takes eight digits."""


LONGEST = 60
"""More characters than any amount needs."""

# Arabic and Hebrew amounts have marks that steer the direction of writing, which are copied with them.
UNSEEN = dict.fromkeys(
    map(ord, "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)

# Codes with an X that are money somewhere; the others stand for metals, funds, tests or nothing.
X_CURRENCIES = frozenset(["XAF", "XCD", "XCG", "XOF", "XPF"])


class AmountError(ValueError):
    """What was typed is no amount that can be given. `reason` says why; `suggestion` may hold what was meant."""

    def __init__(self, reason: str, suggestion: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.suggestion = suggestion


def exponent(currency: str) -> int:
    """How many decimals the currency has for Stripe: 2 for USD, 0 for JPY, 3 for KWD."""
    code = currency.upper()
    return 0 if code in NO_DECIMALS else 3 if code in THREE_DECIMALS else 2


def step(currency: str) -> int:
    """Amounts must be a multiple of this many smallest units."""
    code = currency.upper()
    # The last digit of a three-decimal amount must be zero (Stripe rounds to the nearest ten).
    return 100 if code in WHOLE_ONLY else 10 if code in THREE_DECIMALS else 1


def least(currency: str) -> int:
    """The smallest payment Stripe accepts in this currency, in smallest units; one main unit where it names none."""
    return MINIMUMS.get(currency.upper(), int(10 ** exponent(currency)))


def to_smallest(amount: Decimal, currency: str) -> int:
    """`Decimal("12.50")` USD as `1250`. Raises AmountError when the currency has no such fraction.

    Surplus zeros count as a fraction too: `5.000` is five thousand to whoever writes points between thousands.
    """
    if _decimals(amount) > exponent(currency):
        raise AmountError("too_precise")
    whole: int = int(amount.scaleb(exponent(currency)))
    if whole % step(currency):
        raise AmountError("too_precise")
    return whole


def _decimals(number: Decimal) -> int:
    """How many digits were written behind the point."""
    power = number.as_tuple().exponent
    return max(0, -power) if isinstance(power, int) else 0


def to_main(amount: int, currency: str) -> Decimal:
    """`1250` USD as `Decimal("12.50")`, with all the currency's decimals."""
    return Decimal(amount).scaleb(-exponent(currency)).quantize(Decimal(1).scaleb(-exponent(currency)))


def parse_decimal_amount(text: str, currency: str) -> int:
    """An amount on the command line or in a file: decimal, point as the separator, main unit. `"12.5"` USD is `1250`."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,3})?", text.strip()):
        raise AmountError("not_a_number")
    return to_smallest(Decimal(text.strip()), currency)


def parse_amount(text: str, currency: str, locale: str) -> int:
    """What a person typed, read strictly by the locale's own separators, in smallest units.

    `12,5` in an English campaign is asked about and never read as 125, nor is `1.000` read as 1: AmountError carries
    the suggestion. The currency's own sign or code around the number is allowed, as are all kinds of spaces, and
    digits and separators that can mean only one thing: Arabic and full-width ones, and a point for the decimals
    where the locale has no other use for it.
    """
    cleaned = _in_own_writing(_without_currency(text, currency, locale), locale)
    if not cleaned:
        raise AmountError("empty")
    # Decimal would also take 1e5, NaN and 1_000
    if len(cleaned) > LONGEST or not re.fullmatch(r"[-+0-9.,'’\s]+", cleaned):
        raise AmountError("not_a_number")
    try:
        number = parse_decimal(cleaned, locale=locale, strict=True)
    except (NumberFormatError, InvalidOperation):
        raise AmountError("not_a_number", _suggestion(cleaned, currency, locale)) from None
    if number <= 0:
        raise AmountError("not_positive")
    if number >= Decimal(10) ** 12:
        raise AmountError("too_large")
    try:
        if _decimals(number) > 2 and "." in cleaned and "." not in _separators(locale):
            raise AmountError("too_precise")
        return to_smallest(number, currency)
    except AmountError as error:
        # Three decimals are no thousands where the currency has three.
        guess = _suggestion(cleaned, currency, locale) if exponent(currency) < 3 else ""
        raise AmountError(error.reason, guess) from None


def _separators(locale: str) -> tuple[str, str]:
    """What the locale writes before decimals and between thousands."""
    symbols = Locale.parse(locale).number_symbols["latn"]
    return symbols.get("decimal", "."), symbols.get("group", ",")


def _without_currency(text: str, currency: str, locale: str) -> str:
    """The number alone: `$ 12.50`, `12.50 USD` and `12.50 $` are all `12.50`."""
    cleaned = re.sub(r"\s", " ", text.translate(UNSEEN)).strip()
    if len(cleaned) > LONGEST:
        return cleaned
    return _signs(currency, locale).sub("", cleaned).strip()


@lru_cache(maxsize=128)
def _signs(currency: str, locale: str) -> re.Pattern[str]:
    """The currency's sign or code before a number or behind it."""
    signs = {currency, symbol(currency, locale), symbol(currency, "en_US")}
    # `kr.` is also typed without its point. Longest first, so that none hides behind a shorter one.
    signs |= {sign.rstrip(".") for sign in signs}
    written = sorted((re.sub(r"\s", " ", sign.translate(UNSEEN)) for sign in signs), key=len, reverse=True)
    sign = "|".join(re.escape(one) for one in written if one)
    return re.compile(rf"^(?:(?:{sign}) *){{1,2}}|(?: *(?:{sign})){{1,2}}$", re.IGNORECASE)


def _in_own_writing(typed: str, locale: str) -> str:
    """Digits of every script as 0 to 9, and separators that can mean only one thing as the locale's own."""
    if len(typed) > LONGEST:
        return typed
    decimal, group = _separators(locale)
    digits = re.sub(r"\d", lambda digit: str(int(digit[0])), typed)
    cleaned = digits.replace("٫", decimal).replace("٬", group).replace("．", ".").replace("，", ",")
    # People type an ordinary space or apostrophe where their locale groups by a finer one; both mean the same.
    alike = r"\s" if group.isspace() else "['’]" if group in "'’" else None
    return re.sub(rf"(?<=\d){alike}(?=\d{{3}}(\D|$))", group, cleaned) if alike else cleaned


def _suggestion(typed: str, currency: str, locale: str) -> str:
    """What was probably meant, as it would be read here, or nothing when there is no good guess.

    One or two digits behind a comma or point are decimals in somebody's country; groups that end in three are thousands.
    """
    match = re.fullmatch(
        r"(?P<whole>[1-9]\d{0,2}(?P<group>[.,'’\s])(?:\d{2,3}(?P=group))*\d{3}|\d{1,9})"
        r"(?:(?!(?P=group))[.,](?P<decimals>\d{1,2}))?",
        typed,
    )
    if not match:
        return ""
    number = Decimal(f"{re.sub(r'[^0-9]', '', match['whole'])}.{(match['decimals'] or '').rstrip('0')}")
    try:
        amount = to_smallest(number, currency)
    except AmountError:
        return ""
    return plain_number(number, currency, locale) if 0 < amount <= MAXIMUM else ""


def plain_number(number: Decimal, currency: str, locale: str) -> str:
    """A number for an input field, without grouping or currency: `12.50`, `12,50` or `12`."""
    decimals = 0 if number == number.to_integral_value() else exponent(currency)
    return str(parse_pattern("0." + "0" * decimals if decimals else "0").apply(number, locale))


def symbol(currency: str, locale: str) -> str:
    """The short sign a reader of this locale knows: `$` and not `US$`, since a newsroom asks in one currency."""
    symbols = Locale.parse(locale).currency_symbols
    sign = symbols.get(currency.upper(), currency.upper())
    # CLDR writes US$ or $ CA for readers abroad; the short sign is what stands on the newsroom's own page.
    # A sign with other letters than the currency's code, such as R$ or NT$, is what people write at home.
    letters = "".join(character for character in sign if character.isalpha())
    bare = "".join(character for character in sign if unicodedata.category(character) == "Sc")
    return bare if bare and currency.upper().startswith(letters) else sign


# Every page and every carrier of the bar writes the same few amounts again and again.
@lru_cache(maxsize=4096)
def format_amount(amount: int, currency: str, locale: str, pattern: str = "", *, in_full: bool = False) -> str:
    """An amount for readers: `2,500 $`. Whole amounts have no decimals, unless it is to be `in_full`; others have all.

    `pattern` is a CLDR number pattern such as `#,##0 ¤`, or `¤¤ #,##0` with the currency's code; without one the locale's
    own is taken.
    """
    number = to_main(abs(amount), currency)
    decimals = 0 if number == number.to_integral_value() and not in_full else exponent(currency)
    written = (
        _pattern(locale, pattern, decimals)
        .apply(number, locale, currency=None, currency_digits=False)
        .replace("¤¤", currency.upper())
        .replace("¤", symbol(currency, locale))
    )
    # Letters beside a digit want a space between them (CLDR's currency spacing): “KWD 5”, not “KWD5”.
    written = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", "\N{NO-BREAK SPACE}", written)
    # A minus sign, not a hyphen, and outside of the pattern, so that it reads the same in every locale.
    return f"\N{MINUS SIGN}{written}" if amount < 0 else str(written)


def _pattern(locale: str, pattern: str, decimals: int) -> NumberPattern:
    # A copy, since Babel's own is shared by all that use the locale.
    made = copy(parse_pattern(pattern) if pattern else Locale.parse(locale).currency_formats["standard"])
    made.frac_prec = (decimals, decimals)
    return made


def check_pattern(pattern: str) -> None:
    """Raises ValueError with a sentence when an amount pattern could not be used, or would show another amount.

    A percent sign would show it a hundred times as large, an `@` would round it, a digit or a minus would stand beside it.
    """
    beside = r"[^\d#@%‰;'*,.+\-−E\n]*"
    number = r"(?:#,##0|#,##,##0|#0|0)(?:\.0{1,3})?"
    # One sign stands for the currency's sign, two for its code.
    signs = pattern.replace("¤¤", "¤", 1).count("¤")
    if signs != 1 or len(pattern) > 40 or not re.fullmatch(beside + number + beside, pattern):
        raise Refusal(
            "“%(text)s” is not an amount pattern: write the number as #,##0 and the sign as ¤, as in “#,##0 ¤”.",
            text=pattern[:60],
        )


def pattern_choices(currency: str, locale: str) -> dict[str, str]:
    """The usual ways to write an amount, each with an example, such as `#,##0 ¤` with `2,500 $`; those that look alike once.

    The first, without a pattern, is the locale's own.
    """
    number = "#,##,##0" if "#,##,##0" in Locale.parse(locale).currency_formats["standard"].pattern else "#,##0"
    usual = ("", *(way.format(number) for way in ("¤{}", "¤ {}", "{} ¤", "{}¤", "¤¤ {}", "{} ¤¤")))
    examples = {pattern: pattern_example(pattern, currency, locale) for pattern in usual}
    first = {_as_seen(example): pattern for pattern, example in reversed(examples.items())}
    return {pattern: example for pattern, example in examples.items() if first[_as_seen(example)] == pattern}


def _as_seen(text: str) -> str:
    return re.sub(r"\s", " ", text.translate(UNSEEN))


def pattern_example(pattern: str, currency: str, locale: str) -> str:
    """Two and a half thousand, written by a pattern."""
    return format_amount(2500 * 10 ** exponent(currency), currency, locale, pattern)


def check_locale(name: str) -> str:
    """The locale in Babel's spelling (`de-AT` as `de_AT`). Raises ValueError with a sentence for an unknown one."""
    try:
        found = str(Locale.parse(name.replace("-", "_")))
    except (UnknownLocaleError, ValueError, TypeError):
        found = ""
    # Babel also knows `root`, and `de_DE@euro`: neither can be a page's `lang`.
    if not re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]+)*", found):
        raise Refusal(
            "“%(text)s” is not a language that Pledgebar knows. Write it as en_US, de_DE or pt_BR.", text=name[:60]
        ) from None
    return found


def check_currency(code: str) -> str:
    """The currency in capitals. Raises ValueError with a sentence for one that has no name."""
    known = re.fullmatch(r"[A-Za-z]{3}", code) and code.upper() in Locale.parse("en").currencies
    if not known or (code.upper().startswith("X") and code.upper() not in X_CURRENCIES):
        raise Refusal("“%(text)s” is not a currency. Write its three letters, such as USD or EUR.", text=code[:60])
    return code.upper()
