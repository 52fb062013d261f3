"""The page of snippets: how the bar should look, what to paste where, and whether it has arrived in an article."""

import threading
from dataclasses import replace

from flask import render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, Form, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from tracker.giving.bar_style import (
    NONE,
    BarStyle,
    check_accent,
    check_background,
    frame_heights,
    is_light,
    read_bar_style,
    read_source,
)
from tracker.giving.bar_words import language_of, languages
from tracker.giving.campaign import Campaign
from tracker.giving.prefill import Prefill
from tracker.ledger import campaigns
from tracker.ledger.store import end_reading, reading
from tracker.web.admin.blueprint import admin
from tracker.web.admin.embed_check import Finding, Ours, check
from tracker.web.admin.form_fields import in_words
from tracker.web.admin.page_fetcher import NotFetched, fetch
from tracker.web.admin.snippet_code import SANDBOX, Choices, Snippets
from tracker.web.gates import leave_gate
from tracker.web.headers import may_show_previews
from tracker.web.rate_limits import TooManyAttempts, check_limit
from tracker.web.site import VERSION, bar_of, campaign_or_404, now, settings

CHECKS = "20 per 10 minutes"
# Fetching takes a thread of the server for up to eight seconds; readers need the others.
_one_at_a_time = threading.Lock()


class LooksForm(Form):  # type: ignore[misc]
    """How the bar should look, and where it goes. What is sent is in the address and is read by read_bar_style."""

    theme = RadioField(
        lazy_gettext("Light or dark"),
        choices=[
            SelectChoice("light", lazy_gettext("Light")),
            SelectChoice("dark", lazy_gettext("Dark")),
            SelectChoice("auto", lazy_gettext("As the reader's device")),
        ],
    )
    paper = RadioField(
        lazy_gettext("Background"),
        choices=[
            SelectChoice("ours", lazy_gettext("White, or nearly black")),
            SelectChoice(NONE, lazy_gettext("None: your page shows through")),
            SelectChoice("own", lazy_gettext("Your page's colour:")),
        ],
    )
    background = StringField(lazy_gettext("Your page's background"))
    corners = RadioField(
        lazy_gettext("Corners of the button"),
        choices=[
            SelectChoice("soft", lazy_gettext("Soft")),
            SelectChoice("square", lazy_gettext("Square")),
            SelectChoice("round", lazy_gettext("Round")),
        ],
    )
    size = RadioField(
        lazy_gettext("Size"),
        choices=[
            SelectChoice("s", lazy_gettext("Small")),
            SelectChoice("m", lazy_gettext("Medium")),
            SelectChoice("l", lazy_gettext("Large")),
        ],
    )
    accent = StringField(lazy_gettext("Colour"))
    lang = SelectField(lazy_gettext("Language"))
    count = BooleanField(lazy_gettext("How many gifts"))
    days = BooleanField(lazy_gettext("Days left"))
    committed = BooleanField(lazy_gettext("What regular supporters will still give"))
    src = StringField(lazy_gettext("Article"))
    pos = RadioField(
        lazy_gettext("Place"),
        choices=[
            SelectChoice("top", lazy_gettext("Above the article")),
            SelectChoice("bottom", lazy_gettext("Below it")),
        ],
    )

    def __init__(self, choices: Choices, typed: dict[str, str], wrong: dict[str, str]) -> None:
        looks = choices.looks
        super().__init__(
            theme=looks.theme, size=looks.size, lang=language_of(looks.lang) if looks.lang else "",
            src=choices.src, pos=choices.pos, count=looks.count, days=looks.days, committed=looks.committed,
            corners=looks.corners, **typed,
        )  # fmt: skip
        self.lang.choices = [
            SelectChoice("", _("The campaign's")),
            *(SelectChoice(value, words, {"lang": value}) for value, words in languages()),
        ]
        for name, words in wrong.items():
            self[name].errors = [words]


class CheckForm(FlaskForm):  # type: ignore[misc]
    article = StringField(
        lazy_gettext("Address of the article"),
        [
            InputRequired(lazy_gettext("Which article? Paste its address.")),
            Length(max=2000, message=lazy_gettext("That is too long for an address.")),
        ],
    )


@admin.route("/c/<slug>/snippets", methods=["GET", "POST"])
def snippets(slug: str) -> str | tuple[str, int]:
    """The choices are in the address; what is posted is the address of an article to check."""
    campaign = campaign_or_404(slug)
    form = CheckForm()
    if not form.is_submitted():
        return _shown(campaign, form)
    if not form.validate():
        return _shown(campaign, form), 422
    return _shown(campaign, form, *_checked(campaign, (form.article.data or "").strip()))


def _checked(campaign: Campaign, address: str) -> tuple[list[Finding], str]:
    """What the check found, and where the article was found in the end."""
    with reading() as connection:
        slugs = [one.slug for one in campaigns.every(connection)]
    try:
        check_limit(CHECKS, "check")
    except TooManyAttempts as refused:
        return [Finding("look", _("Too many attempts."), refused.words)], ""
    # The one who asks has been looked up in the database, and that must not stay open while a stranger takes their time.
    end_reading()
    if not _one_at_a_time.acquire(blocking=False):
        return [Finding("look", _("Another article is being checked."), _("Please try again in a few seconds."))], ""
    leave_gate()
    try:
        page = fetch(address, also=settings().check_also, agent=f"Pledgebar/{VERSION} (+{settings().public_url})")
    except NotFetched as error:
        return [Finding("bad", str(error))], ""
    finally:
        _one_at_a_time.release()
    ours = Ours(settings().public_url, campaign.slug, slugs, settings().embed_on)
    return check(page, ours), page.url


def _shown(campaign: Campaign, form: CheckForm, findings: list[Finding] | None = None, at: str = "") -> str:
    choices, typed, wrong = _choices()
    with reading() as connection:
        bar = bar_of(connection, campaign, now()).speaking(choices.looks.lang)
    frequency = "month" if campaign.monthly else campaign.offered[0]
    may_show_previews()
    return render_template(
        "admin/snippets.html", campaign=campaign, bar=bar, choices=choices, looks=choices.looks,
        snippets=Snippets(bar, choices, settings().public_url), heights=frame_heights(choices.looks),
        **_page_around(choices.looks),
        looks_form=LooksForm(choices, typed, wrong),
        sandbox=SANDBOX, form=form, findings=findings, at=at,
        prefilled=Prefill(frequency, campaign.preselected(frequency)).query(campaign.currency),
    )  # fmt: skip


def _page_around(looks: BarStyle) -> dict[str, object]:
    """What surrounds the bar in the preview: the page's colour, and the devices that it is for if not for all."""
    around = f"paper-{looks.theme}" + " see-through" * (looks.background == NONE)
    if looks.background in ("", NONE):
        return {"around": around, "page_colour": {}}
    suits = "light" if is_light(looks.background) else "dark"
    colour = {"data-paper": f"#{looks.background}", "data-on": suits if looks.theme == "auto" else ""}
    return {"around": around, "page_colour": colour}


def _choices() -> tuple[Choices, dict[str, str], dict[str, str]]:
    """The choices; the colours as they were typed, and what is wrong with them, in a sentence for each field."""
    looks = read_bar_style(request.args)
    typed = {name: request.args.get(name, "")[:20] for name in ("accent", "background")}
    wrong: dict[str, str] = {}
    try:
        looks = replace(looks, accent=check_accent(request.args.get("accent", "")))
    except ValueError as error:
        looks, wrong["accent"] = replace(looks, accent=BarStyle().accent), in_words(error)
    # The form says which of the three it is; an address written by hand has only the background itself.
    paper = request.args.get("paper", NONE if looks.background == NONE else "own" if typed["background"] else "ours")
    if paper == "own":
        try:
            looks = replace(looks, background=check_background(request.args.get("background", "")))
        except ValueError as error:
            looks, wrong["background"] = replace(looks, background=BarStyle().background), in_words(error)
    else:
        looks = replace(looks, background=NONE if paper == NONE else "")
    typed |= {"paper": paper, "background": "" if typed["background"] == NONE else typed["background"]}
    pos = "bottom" if request.args.get("pos") == "bottom" else "top"
    return Choices(looks, read_source(request.args)["src"], pos), typed, wrong
