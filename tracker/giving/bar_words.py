"""The bar's few words in the languages of its readers; amounts and months are Babel's."""

from babel import Locale
from babel.numbers import format_decimal

# In each language: what stands after the amount, the button, and the small notes under the drawing. Forms of number go
# by CLDR's categories (one, few, many, other); a language without a form of its own uses `other`.
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "of": "of {goal}", "reached": "goal reached", "received": "received", "support": "Support us",
        "gifts.one": "{n} gift", "gifts.other": "{n} gifts", "days.one": "{n} day left", "days.other": "{n} days left",
        "still": "{amount} still to come from monthly supporters", "as_of": "as of {time}",
        "paused": "Giving is paused just now",
    },
    "de": {
        "of": "von {goal}", "reached": "Ziel erreicht", "received": "erhalten", "support": "Unterstützen",
        "gifts.one": "{n} Spende", "gifts.other": "{n} Spenden", "days.one": "noch {n} Tag", "days.other": "noch {n} Tage",
        "still": "{amount} kommen noch von Dauerspendern", "as_of": "Stand {time}",
        "paused": "Spenden ist zurzeit nicht möglich",
    },
    "fr": {
        "of": "sur {goal}", "reached": "objectif atteint", "received": "reçus", "support": "Soutenez-nous",
        "gifts.one": "{n} don", "gifts.other": "{n} dons", "days.one": "encore {n} jour", "days.other": "encore {n} jours",
        "still": "{amount} encore attendus des dons mensuels", "as_of": "au {time}",
        "paused": "Les dons sont suspendus",
    },
    "es": {
        "of": "de {goal}", "reached": "objetivo alcanzado", "received": "recibidos", "support": "Apóyanos",
        "gifts.one": "{n} donación", "gifts.other": "{n} donaciones", "days.one": "queda {n} día", "days.other": "quedan {n} días",
        "still": "{amount} por llegar de donaciones mensuales", "as_of": "a fecha de {time}",
        "paused": "Las donaciones están en pausa",
    },
    "it": {
        "of": "di {goal}", "reached": "obiettivo raggiunto", "received": "ricevuti", "support": "Sostienici",
        "gifts.one": "{n} donazione", "gifts.other": "{n} donazioni",
        "days.one": "ancora {n} giorno", "days.other": "ancora {n} giorni",
        "still": "{amount} ancora attesi dalle donazioni mensili", "as_of": "al {time}",
        "paused": "Le donazioni sono sospese",
    },
    "pt": {
        "of": "de {goal}", "reached": "meta atingida", "received": "recebidos", "support": "Apoie-nos",
        "gifts.one": "{n} doação", "gifts.other": "{n} doações", "days.one": "falta {n} dia", "days.other": "faltam {n} dias",
        "still": "{amount} por chegar de doações mensais", "as_of": "em {time}",
        "paused": "As doações estão em pausa",
    },
    "nl": {
        "of": "van {goal}", "reached": "doel bereikt", "received": "ontvangen", "support": "Steun ons",
        "gifts.one": "{n} gift", "gifts.other": "{n} giften", "days.one": "nog {n} dag", "days.other": "nog {n} dagen",
        "still": "{amount} volgt nog van maandelijkse giften", "as_of": "stand {time}",
        "paused": "Geven kan nu even niet",
    },
    "sv": {
        "of": "av {goal}", "reached": "målet är nått", "received": "mottaget", "support": "Stöd oss",
        "gifts.one": "{n} gåva", "gifts.other": "{n} gåvor", "days.one": "{n} dag kvar", "days.other": "{n} dagar kvar",
        "still": "{amount} väntas från månadsgivare", "as_of": "per {time}",
        "paused": "Insamlingen är pausad",
    },
    "da": {
        "of": "af {goal}", "reached": "målet er nået", "received": "modtaget", "support": "Støt os",
        "gifts.one": "{n} gave", "gifts.other": "{n} gaver", "days.one": "{n} dag tilbage", "days.other": "{n} dage tilbage",
        "still": "{amount} ventes fra månedlige givere", "as_of": "pr. {time}",
        "paused": "Indsamlingen er sat på pause",
    },
    "nb": {
        "of": "av {goal}", "reached": "målet er nådd", "received": "mottatt", "support": "Støtt oss",
        "gifts.one": "{n} gave", "gifts.other": "{n} gaver", "days.one": "{n} dag igjen", "days.other": "{n} dager igjen",
        "still": "{amount} ventes fra månedlige givere", "as_of": "per {time}",
        "paused": "Innsamlingen er satt på pause",
    },
    "fi": {
        "of": "· tavoite {goal}", "reached": "tavoite saavutettu", "received": "saatu", "support": "Tue meitä",
        "gifts.one": "{n} lahjoitus", "gifts.other": "{n} lahjoitusta",
        "days.one": "{n} päivä jäljellä", "days.other": "{n} päivää jäljellä",
        "still": "{amount} tulossa kuukausilahjoittajilta", "as_of": "tilanne {time}",
        "paused": "Lahjoitukset ovat tauolla",
    },
    "pl": {
        "of": "z {goal}", "reached": "cel osiągnięty", "received": "otrzymano", "support": "Wesprzyj nas",
        "gifts.one": "{n} wpłata", "gifts.few": "{n} wpłaty", "gifts.other": "{n} wpłat",
        "days.one": "został {n} dzień", "days.few": "zostały {n} dni", "days.other": "zostało {n} dni",
        "still": "{amount} jeszcze od stałych darczyńców", "as_of": "stan na {time}",
        "paused": "Wpłaty są wstrzymane",
    },
    "cs": {
        "of": "z {goal}", "reached": "cíl splněn", "received": "vybráno", "support": "Podpořte nás",
        "gifts.one": "{n} dar", "gifts.few": "{n} dary", "gifts.other": "{n} darů",
        "days.one": "zbývá {n} den", "days.few": "zbývají {n} dny", "days.other": "zbývá {n} dní",
        "still": "{amount} ještě od pravidelných dárců", "as_of": "stav k {time}",
        "paused": "Dary jsou pozastaveny",
    },
    "ru": {
        "of": "из {goal}", "reached": "цель достигнута", "received": "собрано", "support": "Поддержать",
        "gifts.one": "{n} взнос", "gifts.few": "{n} взноса", "gifts.other": "{n} взносов",
        "days.one": "остался {n} день", "days.few": "осталось {n} дня", "days.other": "осталось {n} дней",
        "still": "ещё {amount} от ежемесячных взносов", "as_of": "по состоянию на {time}",
        "paused": "Сбор приостановлен",
    },
    "uk": {
        "of": "з {goal}", "reached": "мету досягнуто", "received": "зібрано", "support": "Підтримати",
        "gifts.one": "{n} внесок", "gifts.few": "{n} внески", "gifts.other": "{n} внесків",
        "days.one": "залишився {n} день", "days.few": "залишилося {n} дні", "days.other": "залишилося {n} днів",
        "still": "ще {amount} від щомісячних внесків", "as_of": "станом на {time}",
        "paused": "Збір призупинено",
    },
    "el": {
        "of": "από {goal}", "reached": "ο στόχος επιτεύχθηκε", "received": "συγκεντρώθηκαν", "support": "Στηρίξτε μας",
        "gifts.one": "{n} δωρεά", "gifts.other": "{n} δωρεές",
        "days.one": "απομένει {n} ημέρα", "days.other": "απομένουν {n} ημέρες",
        "still": "{amount} αναμένονται από μηνιαίες δωρεές", "as_of": "στις {time}",
        "paused": "Οι δωρεές έχουν ανασταλεί",
    },
    "tr": {
        "of": "· hedef {goal}", "reached": "hedefe ulaşıldı", "received": "alındı", "support": "Destek ol",
        "gifts.other": "{n} bağış", "days.other": "{n} gün kaldı",
        "still": "{amount} aylık bağışlardan bekleniyor", "as_of": "{time} itibarıyla",
        "paused": "Bağışlar durduruldu",
    },
    "ar": {
        "of": "من {goal}", "reached": "تم بلوغ الهدف", "received": "تم جمعها", "support": "ادعمنا",
        "gifts.other": "التبرعات: {n}", "days.other": "الأيام المتبقية: {n}",
        "still": "{amount} متوقعة من التبرعات الشهرية", "as_of": "حتى {time}",
        "paused": "التبرعات متوقفة مؤقتًا",
    },
    "he": {
        "of": "מתוך {goal}", "reached": "היעד הושג", "received": "התקבלו", "support": "תמכו בנו",
        "gifts.other": "תרומות: {n}", "days.other": "ימים שנותרו: {n}",
        "still": "{amount} צפויים מתורמים חודשיים", "as_of": "נכון ל-{time}",
        "paused": "התרומות מושהות כעת",
    },
}  # fmt: skip

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi", "ps", "sd", "ug", "ckb", "dv"})


def language_of(locale: str) -> str:
    """The language whose words a locale's readers get: `de` for `de_AT`, English where we have none of theirs."""
    language = locale.replace("-", "_").partition("_")[0]
    # Babel and browsers know Norwegian by both names.
    language = "nb" if language in ("no", "nn") else language
    return language if language in WORDS else "en"


def languages() -> list[tuple[str, str]]:
    """Every language with words above and its own name for itself: `de`, `Deutsch`."""
    return [(code, str(Locale.parse(code).get_language_name(code)).capitalize()) for code in WORDS]


def direction(locale: str) -> str:
    """`rtl` where the locale's script runs from right to left, else `ltr`."""
    return "rtl" if locale.replace("-", "_").partition("_")[0] in RIGHT_TO_LEFT else "ltr"


def say(locale: str, what: str, **values: str) -> str:
    """One of the words above, filled in: `say("de", "of", goal="5.000 €")` is `von 5.000 €`."""
    return WORDS[language_of(locale)][what].format(**values)


def count(locale: str, what: str, number: int) -> str:
    """A number of `gifts` or of `days` left, in the right form: `12 gifts`, `został 1 dzień`."""
    language = language_of(locale)
    words = WORDS[language]
    form = f"{what}.{Locale.parse(language).plural_form(number)}"
    return words.get(form, words[f"{what}.other"]).format(n=format_decimal(number, locale=locale))
