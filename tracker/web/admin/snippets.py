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

from tracker.giving.bar_style import BarStyle, check_accent, frame_heights, read_bar_style, read_source
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
    """How the bar should look, and where it goes. What is sent stands in the address and is read by read_bar_style."""

    theme = RadioField(
        lazy_gettext("Background"),
        choices=[
            SelectChoice("light", lazy_gettext("Light")),
            SelectChoice("dark", lazy_gettext("Dark")),
            SelectChoice("auto", lazy_gettext("As the reader's device")),
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

    def __init__(self, choices: Choices, typed_accent: str, wrong: str) -> None:
        looks = choices.looks
        super().__init__(
            theme=looks.theme, size=looks.size, accent=typed_accent, lang=language_of(looks.lang) if looks.lang else "",
            src=choices.src, pos=choices.pos, count=looks.count, days=looks.days, committed=looks.committed,
        )  # fmt: skip
        self.lang.choices = [
            SelectChoice("", _("The campaign's")),
            *(SelectChoice(value, words, {"lang": value}) for value, words in languages()),
        ]
        self.accent.errors = [wrong] if wrong else []


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
    """The choices stand in the address; what is posted is the address of an article to look at."""
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
        return [Finding("look", _("Another article is being looked at."), _("Please try again in a few seconds."))], ""
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
    choices, wrong = _choices()
    with reading() as connection:
        bar = bar_of(connection, campaign, now()).speaking(choices.looks.lang)
    frequency = "month" if campaign.monthly else campaign.offered[0]
    may_show_previews()
    return render_template(
        "admin/snippets.html", campaign=campaign, bar=bar, choices=choices, looks=choices.looks,
        snippets=Snippets(bar, choices, settings().public_url), heights=frame_heights(choices.looks),
        looks_form=LooksForm(choices, request.args.get("accent", "")[:20], wrong),
        sandbox=SANDBOX, form=form, findings=findings, at=at,
        prefilled=Prefill(frequency, campaign.preselected(frequency)).query(campaign.currency),
    )  # fmt: skip


def _choices() -> tuple[Choices, str]:
    """What is asked for, and what is wrong with its colour, in a sentence."""
    looks = read_bar_style(request.args)
    wrong = ""
    try:
        looks = replace(looks, accent=check_accent(request.args.get("accent", "")))
    except ValueError as error:
        looks, wrong = replace(looks, accent=BarStyle().accent), in_words(error)
    pos = "bottom" if request.args.get("pos") == "bottom" else "top"
    return Choices(looks, read_source(request.args)["src"], pos), wrong
