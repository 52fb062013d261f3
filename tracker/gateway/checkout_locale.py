"""The language of Stripe's own page, as far as Stripe speaks it."""

# https://docs.stripe.com/api/checkout/sessions/create, `locale`
SPOKEN = frozenset(
    [
        "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA", "hi-IN", "hr", "hu",
        "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th",
        "tr", "vi", "zh", "zh-HK", "zh-TW",
    ]
)  # fmt: skip


def checkout_locale(locale: str) -> str:
    """`de_AT` as `de` and `pt_BR` as `pt-BR`; `auto`, which is the browser's language, where Stripe has none of ours."""
    language, *rest = locale.split("_")
    language = {"no": "nb", "nn": "nb"}.get(language, language)
    # A script may stand between the two: `zh_Hant_TW`.
    exact = f"{language}-{rest[-1]}" if rest else language
    return next((one for one in (exact, language) if one in SPOKEN), "auto")
