"""The language of a page: what its address asks for, else the campaign's, else the browser's; English without a catalogue."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple, cast
from urllib.parse import parse_qsl, urlencode

from babel import Locale
from babel.messages.pofile import read_po
from flask import Flask, Response, g, has_request_context, request, url_for
from flask_babel import Babel, refresh

from tracker.giving.bar import Bar
from tracker.giving.bar_style import read_bar_style
from tracker.giving.bar_words import TRANSLATIONS, direction, has_words, language_of, languages
from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month


class PageLanguage(NamedTuple):
    """What a page speaks. Two pages of one campaign with the same one are in the same words."""

    locale: str
    """The locale of its words."""
    figures: str
    """The locale of its amounts and months; empty for the campaign's own."""
    asked: str
    """What the address asked for, for links to other pages; empty if it asked for nothing that a page can speak."""
    texts: str
    """The locale of what the campaign's owner wrote; empty on pages of no campaign, or of several."""

    @property
    def lang(self) -> str:
        """For the `lang` attribute: `de-AT`."""
        return self.locale.replace("_", "-")

    @property
    def language(self) -> str:
        """Whose words they are: `de` for `de_AT`."""
        return language_of(self.locale)

    @property
    def own_name(self) -> str:
        """What the language calls itself: `Deutsch`."""
        return dict(languages())[self.language]

    @property
    def lang_of_texts(self) -> str:
        return self.texts.replace("_", "-")

    @property
    def direction(self) -> str:
        return direction(self.locale)


ENGLISH = PageLanguage("en", "", "", "")


def init_app(app: Flask) -> None:
    Babel(
        app,
        # The texts of readers and supporters, and those of editors.
        default_domain="messages;editors",
        default_translation_directories=f"{TRANSLATIONS};{TRANSLATIONS}",
        locale_selector=lambda: page_language().locale,
    )
    app.jinja_env.globals.update(
        page_language=page_language,
        bar_for_readers=bar_for_readers,
        city_of=city_of,
        in_other_languages=in_other_languages,
    )
    app.after_request(_say_that_the_browser_decided)
    app.jinja_env.filters["as_month"] = parse_month


def page_language() -> PageLanguage:
    """What the page of this request speaks: as chosen, and before that as its address asks, or as an editor's browser does."""
    if "page_language" in g:
        return cast(PageLanguage, g.page_language)
    # Commands have no address; the sign-in's own words are asked for there as well.
    if not has_request_context():
        return ENGLISH
    if request.path.startswith(("/admin", "/notices/")):
        return ENGLISH._replace(locale=_editors_wish())
    return _page_language(read_bar_style(request.args).lang or _browsers_wish())


def choose_language(*campaigns: Campaign) -> None:
    """Has the page of this request speak as its address or its form asks, else as the campaigns do, if all do alike."""
    own = {campaign.locale for campaign in campaigns}
    asked = read_bar_style(request.values).lang
    if asked or len(own) == 1:
        g.page_language = _page_language(asked, own.pop() if len(own) == 1 else "")
    else:
        # Each campaign's amounts stay its own.
        g.page_language = _page_language(_browsers_wish())._replace(figures="", asked="")
    refresh()


def _page_language(asked: str, own: str = "") -> PageLanguage:
    locale = asked or own
    if not has_words(locale) or not is_complete(language_of(locale)):
        return ENGLISH._replace(texts=own)
    return PageLanguage(locale, locale, asked.replace("_", "-"), own)


def _browsers_wish() -> str:
    """The first language that the reader's browser asks for and that pages speak; empty if there is none."""
    g.browser_decided = True
    wishes = (read_bar_style({"lang": wish}).lang for wish in request.accept_languages.values())
    return next((wish for wish in wishes if wish and is_complete(language_of(wish))), "")


def _say_that_the_browser_decided(response: Response) -> Response:
    """Otherwise a cache would show one reader's language to all."""
    if g.get("browser_decided"):
        response.vary.add("Accept-Language")
    return response


def in_other_languages(query: str = "") -> list[tuple[str, str, str]]:
    """This page in every language that pages speak: the language, its own name for itself, and the address.

    With what is in `query`, such as `?src=a-1`, so that a change of language loses nothing.
    """
    kept = [(name, text) for name, text in parse_qsl(query.removeprefix("?")) if name != "lang"]
    page = url_for(request.endpoint or "donate.front", **request.view_args or {})
    return [
        (code, name, f"{page}?{urlencode([*kept, ('lang', code)], safe='/')}")
        for code, name in languages()
        if is_complete(code)
    ]


def _editors_wish() -> str:
    """The first language of the browser's that the editors' pages have."""
    known = {language.lower(): language for language in _languages_of_editors()}
    for wish in request.accept_languages.values():
        name = wish.lower().replace("-", "_")
        if found := known.get(name) or known.get(name.partition("_")[0]):
            return found
    return "en"


@cache
def _languages_of_editors() -> list[str]:
    """English, and every language in which the editors' pages are complete."""
    found = sorted(path.parent.parent.name for path in TRANSLATIONS.glob("*/LC_MESSAGES/editors.po"))
    return ["en", *(language for language in found if is_complete(language, "editors"))]


@cache
def is_complete(language: str, catalogue: str = "messages") -> bool:
    """Whether everything is translated. A page that is half in English could not say truthfully what it is in."""
    if language == "en":
        return True
    with (TRANSLATIONS / language / "LC_MESSAGES" / f"{catalogue}.po").open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    forms = [form for one in messages for form in (one.string if isinstance(one.string, tuple) else (one.string,))]
    return all(forms) and not any(message.fuzzy for message in messages)


def for_readers(campaign: Campaign) -> Campaign:
    """The campaign with amounts and months as this page writes them."""
    figures = page_language().figures
    return replace(campaign, locale=figures) if figures else campaign


def bar_for_readers(bar: Bar) -> Bar:
    """The bar in the words of this page."""
    return replace(bar, campaign=for_readers(bar.campaign), speaks=page_language().locale)


def city_of(time_zone: str) -> str:
    """What readers call a time zone's city: `New York`, and `Rom` in German."""
    known = Locale.parse(page_language().locale).time_zones.get(time_zone, {})
    return str(known.get("city") or time_zone.split("/")[-1].replace("_", " "))
