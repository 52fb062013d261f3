"""A campaign's settings: made once, and changed as often as the newsroom likes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from tracker.giving.campaign import Campaign, problems
from tracker.giving.money import check_currency, check_locale
from tracker.giving.months import month_of
from tracker.giving.refusals import Refusal
from tracker.ledger import audit_log, book, campaigns
from tracker.ledger.audit_log import values_of
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import (
    AmountField,
    AmountPatternField,
    AmountsField,
    ColourField,
    CurrencyField,
    HostsField,
    LocaleField,
    MonthField,
    Required,
    TimeZoneField,
    in_words,
    plain_amount,
    read_amount,
)
from tracker.web.admin.signin.fresh import ask_again, is_fresh
from tracker.web.admin.zone_change import change_of_zone
from tracker.web.donate import markdown
from tracker.web.site import campaign_or_404, now, settings

LONG_TEXT = lazy_gettext("Use 20,000 characters or fewer.")
FREQUENCY_CHOICES = [
    SelectChoice("", lazy_gettext("The first that has amounts")),
    SelectChoice("once", lazy_gettext("Once")),
    SelectChoice("month", lazy_gettext("Every month")),
    SelectChoice("year", lazy_gettext("Every year")),
]


class PercentField(AmountField):
    """Hundredths of a percent, typed as the campaign writes numbers: `2.9` is 290."""

    # They are read and written like money, in no currency with two decimals.
    no_currency = "XXX"

    def read(self, typed: str) -> int:
        return read_amount(typed.removesuffix("%"), self.no_currency, self.meta.locale)

    def written(self) -> str:
        return plain_amount(self.data, self.no_currency, self.meta.locale)


class CampaignForm(FlaskForm):  # type: ignore[misc]
    """A campaign as its owner writes it. What must hold between the fields is said by giving/campaign.py."""

    slug = StringField(lazy_gettext("Address"), [Required(lazy_gettext("Which address?")), Length(max=60)])
    title = StringField(
        lazy_gettext("Title"), [Required(lazy_gettext("What is the campaign called?")), Length(max=120)]
    )
    lead = StringField(lazy_gettext("Tagline"), [Length(max=200)])
    story = TextAreaField(lazy_gettext("What the money does"), [Length(max=20_000, message=LONG_TEXT)])
    currency = CurrencyField(lazy_gettext("Currency"))
    goal = AmountField(lazy_gettext("Goal for each month"))
    once = AmountsField(lazy_gettext("Amounts for one-time gifts"))
    monthly = AmountsField(lazy_gettext("Amounts for monthly gifts"))
    yearly = AmountsField(lazy_gettext("Amounts for yearly gifts"))
    default_frequency = SelectField(lazy_gettext("Selected at first"), choices=FREQUENCY_CHOICES, default="")
    minimum = AmountField(lazy_gettext("Smallest gift"), [Required(lazy_gettext("What is the smallest gift?"))])
    maximum = AmountField(lazy_gettext("Largest gift"), [Required(lazy_gettext("What is the largest gift?"))])
    cover_percent = PercentField(lazy_gettext("Payment fee to add, in %"))
    cover_fixed = AmountField(lazy_gettext("Fixed part of that fee"))
    newsletter = StringField(lazy_gettext("Newsletter box"), [Length(max=300)])
    time_zone = TimeZoneField(lazy_gettext("Time zone"), lazy_gettext("Choose a time zone from the list."))
    locale = LocaleField(
        lazy_gettext("Language of amounts and months"), lazy_gettext("Choose a language from the list.")
    )
    amount_pattern = AmountPatternField(lazy_gettext("How amounts are written"))
    zone_is_meant = BooleanField(lazy_gettext("Yes, change the time zone"))
    accent = ColourField(lazy_gettext("Colour"))
    held_month = MonthField(lazy_gettext("Ended: keep showing this month"))
    archived = BooleanField(lazy_gettext("Archived: not listed on the front page"))
    allowed_hosts = HostsField(lazy_gettext("Your sites, for the way back to the article"))
    thanks_words = TextAreaField(
        lazy_gettext("Your words to supporters who have given"), [Length(max=20_000, message=LONG_TEXT)]
    )
    checkout_words = TextAreaField(lazy_gettext("Your words on Stripe's page"))
    paused = BooleanField(lazy_gettext("Paused: the bar stays, but nobody can give"))
    pause_reason = StringField(lazy_gettext("Why it is paused"), [Length(max=300)])
    stops_at_goal = BooleanField(lazy_gettext("Stop giving for the rest of a month once its goal is reached"))
    reached_words = StringField(lazy_gettext("Once the goal is reached"), [Length(max=300)])

    def __init__(self, before: Campaign | None, goal: int | None = None) -> None:
        self.before = before
        # Amounts are read as the page shows them: as they are written now, or as was chosen for a new campaign.
        currency, locale = (before.currency, before.locale) if before else _chosen()
        values = vars(before) | {"goal": goal} if before else NEW
        super().__init__(meta={"currency": currency, "locale": locale}, data=values)
        if before:
            # These two stay what they are, so the page does not ask for them.
            del self.slug, self.currency

    def validate(self, extra_validators: Any = None) -> bool:
        good = bool(super().validate(extra_validators))
        if any(field.errors for field in self):
            return False
        for name, refusal in self._problems():
            self[name].errors = [*self[name].errors, in_words(refusal)]
            good = False
        return good

    def _problems(self) -> Iterator[tuple[str, Refusal]]:
        campaign = self.campaign()
        yield from problems(campaign)
        if self.before is None:
            with reading() as connection:
                taken = campaigns.find(connection, campaign.slug)
            if taken:
                yield "slug", Refusal("There is a campaign “%(slug)s” already.", slug=campaign.slug)
        if self.held_month.data and self.held_month.data > month_of(now(), campaign.time_zone):
            yield "held_month", Refusal("Choose a month that has begun.")

    def campaign(self) -> Campaign:
        """What was typed, as a campaign. To be asked when every field could be read."""
        held = self.held_month.data
        typed = {name: self[name].data for name in TYPED}
        typed |= {name: (typed[name] or "").strip() for name in WORDS}
        typed |= {name: typed[name] or "" for name in ("story", "thanks_words")}
        typed |= {name: typed[name] or 0 for name in ("cover_percent", "cover_fixed")}
        typed |= {"held_month": str(held) if held else ""}
        if self.before:
            return replace(self.before, **typed)
        return Campaign(slug=self.slug.data.strip(), currency=self.currency.data, **typed)


WORDS = ("title", "lead", "newsletter", "pause_reason", "reached_words", "checkout_words")
TYPED = (
    "title", "lead", "story", "time_zone", "locale", "amount_pattern", "once", "monthly", "yearly", "default_frequency",
    "minimum", "maximum", "cover_percent", "cover_fixed", "newsletter", "paused",
    "pause_reason", "stops_at_goal", "reached_words", "archived", "accent",
    "allowed_hosts", "thanks_words", "checkout_words",
)  # fmt: skip
NEW = {
    "currency": "USD", "time_zone": "America/New_York", "locale": "en_US", "once": (1000, 2500, 5000, 10_000),
    "monthly": (500, 1000, 2000), "minimum": 500, "maximum": 1_000_000,
}  # fmt: skip


def _chosen() -> tuple[str, str]:
    """The currency and the language that a new campaign's form has brought, in which its amounts are typed."""
    try:
        currency = check_currency(request.form.get("currency", str(NEW["currency"])).strip())
        return currency, check_locale(request.form.get("locale", str(NEW["locale"])))
    except ValueError:
        return str(NEW["currency"]), str(NEW["locale"])


@admin.route("/new", methods=["GET", "POST"])
def new_campaign() -> Response | str | tuple[str, int]:
    return _save(CampaignForm(None), None)


@admin.route("/c/<slug>/settings", methods=["GET", "POST"])
def campaign_settings(slug: str) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        goal = campaigns.goals(connection, slug).standing_in(month_of(now(), campaign.time_zone))
    return _save(CampaignForm(campaign, goal), campaign)


def _save(form: CampaignForm, before: Campaign | None) -> Response | str | tuple[str, int]:
    if not form.is_submitted():
        return render_template("admin/campaign.html", form=form, campaign=before)
    if "preview" in request.form:
        story = markdown.html(form.story.data or "")
        return render_template("admin/campaign.html", form=form, campaign=before, preview={"story": story})
    if not form.validate():
        return render_template("admin/campaign.html", form=form, campaign=before), 422
    campaign, moment = form.campaign(), now()
    moved = change_of_zone(before, campaign, settings().live, moment) if before else None
    if moved and not form.zone_is_meant.data:
        return render_template("admin/campaign.html", form=form, campaign=before, moved=moved), 422
    if before and _stops_giving(before, campaign) and not is_fresh():
        return ask_again()  # type: ignore[return-value]
    with writing() as connection:
        if before is None and campaigns.find(connection, campaign.slug):
            # Somebody else has made one at this very moment.
            abort(409)
        campaigns.save(connection, campaign)
        told = values_of(before) if before else None
        action = "campaign.changed" if before else "campaign.made"
        audit_log.note(
            connection, who(), moment, action, campaign=campaign.slug, before=told, after=values_of(campaign)
        )
        if form.goal.data:
            campaigns.set_standing_goal(connection, campaign, form.goal.data, moment, who())
        book.retry_pending_for_campaign(connection, campaign.slug, moment)
    flash(_("“%(name)s” is saved.", name=campaign.title))
    return redirect(url_for("admin.months", slug=campaign.slug), 303)  # type: ignore[return-value]


def _stops_giving(before: Campaign, after: Campaign) -> bool:
    """Whether a change would turn supporters away, or takes the bar to a month that is over."""
    begins = any(getattr(after, name) and not getattr(before, name) for name in ("paused", "stops_at_goal"))
    return begins or (after.held_month != "" and after.held_month != before.held_month)
