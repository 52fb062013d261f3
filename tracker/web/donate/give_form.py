"""What people may send us, and the words for what was wrong with it."""

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request
from flask_babel import gettext, lazy_gettext
from itsdangerous import BadSignature, URLSafeTimedSerializer
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms import Field, Form, HiddenField, StringField, TextAreaField, ValidationError
from wtforms.csrf.core import CSRF
from wtforms.validators import AnyOf, Length

from tracker.giving.campaign import FREQUENCIES, Campaign
from tracker.giving.money import AmountError, exponent, least, plain_number, step
from tracker.giving.tiers import OTHER, Choice, choose
from tracker.web.donate import admission

# A tab may stay open overnight; what was typed is kept even when the token is too old.
TOKEN_LIVES = timedelta(hours=24)


@dataclass(frozen=True)
class Shown:
    """Which showing of the form this is: a random number, and when it was shown."""

    nonce: str
    at: datetime


class SignedToken(CSRF):
    """A signed, time-limited token in the form itself, so that public visitors need no cookie.

    It proves that our server rendered the form within the last day. That the form was also sent from our own page is
    what `came_from_our_page` checks, since anybody can fetch a page and copy its token.
    """

    def setup_form(self, form: "GiveForm") -> Any:
        self.campaign = form.meta.campaign
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: Field) -> str:
        return str(_signer(self.campaign).dumps(secrets.token_urlsafe(12)))

    def validate_csrf_token(self, form: "GiveForm", field: Field) -> None:
        try:
            nonce, at = _signer(self.campaign).loads(
                field.data or "", max_age=int(TOKEN_LIVES.total_seconds()), return_timestamp=True
            )
        except BadSignature:
            raise ValidationError(
                gettext("This page was open too long. Please check your gift and send it again.")
            ) from None
        form.shown = Shown(str(nonce), at.astimezone(UTC))


def _signer(campaign: Campaign) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=f"give:{campaign.slug}")


def _without_controls(text: str | None) -> str:
    """One control character, such as a pasted NUL, and the database would refuse the whole gift."""
    return "".join(
        letter for letter in text or "" if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs")
    )


class GiveForm(Form):
    """The supporter's form. `choice` and `shown` are set once it has been validated."""

    class Meta:
        csrf = True
        csrf_class = SignedToken
        csrf_field_name = "token"
        campaign: Campaign

    frequency = StringField(
        validators=[AnyOf(FREQUENCIES, message=lazy_gettext("Please choose how often you want to give."))]
    )
    tier_once = StringField()
    tier_month = StringField()
    tier_year = StringField()
    other_amount = StringField()
    cover = StringField()
    """The terms by which the fee is to be added, as they were shown; empty if it is not."""
    name = StringField(
        filters=[_without_controls],
        validators=[Length(max=80, message=lazy_gettext("Please keep the name below 80 characters."))],
    )
    message = TextAreaField(
        filters=[_without_controls],
        validators=[Length(max=300, message=lazy_gettext("Please keep the message below 300 characters."))],
    )
    newsletter = StringField()
    """`yes` if the box was ticked."""
    src = HiddenField()
    pos = HiddenField()
    lang = HiddenField()
    back = HiddenField()

    choice: Choice | None = None
    shown: Shown | None = None
    suggestion: str = ""
    """What was probably meant by an amount that could not be read, as it would be typed; empty without a good guess."""
    suggested_words: str = ""
    """The same for readers: `12.50 $`."""

    def __init__(self, campaign: Campaign, formdata: Any = None, **values: Any) -> None:
        self.campaign = campaign
        super().__init__(_with_suggestion(formdata), meta={"campaign": campaign}, **values)

    @property
    def tier(self) -> Field:
        """The field of the chosen frequency's amounts."""
        return self.tier_of(self.frequency.data if self.frequency.data in FREQUENCIES else "once")

    def tier_of(self, frequency: str) -> Field:
        return self[f"tier_{frequency}"]

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        good = bool(super().validate(extra_validators))
        if self.frequency.errors:
            return False
        try:
            typed = self.other_amount.data or ""
            self.choice = choose(self.campaign, self.frequency.data, self.tier.data or "", typed, self.cover.data or "")
        except AmountError as error:
            self._suggest(error.suggestion)
            words = amount_words(self.campaign, error.reason, self.suggestion)
            self.other_amount.errors = [*self.other_amount.errors, words]
            if error.reason == "other_fee":
                # Whoever wants to add the fee as it is now, ticks the box again.
                self.cover.data = ""
            if error.reason in ("two_amounts", "unknown_tier", "no_choice"):
                # What was typed is the likelier wish of the two; nothing is charged before it is pressed again.
                self.tier.data = OTHER if (self.other_amount.data or "").strip() else self.tier.data
            return False
        return good

    def _suggest(self, meant: str) -> None:
        """Only what can be given is suggested: the press that takes it must not lead to the next error."""
        try:
            choice = choose(self.campaign, self.frequency.data, OTHER, meant)
        except AmountError:
            return
        self.suggestion, self.suggested_words = meant, self.campaign.write(choice.amount)

    @property
    def decimal_mark(self) -> str:
        """What stands before decimals in an amount that is typed here; empty for a currency without any."""
        half = plain_number(Decimal("0.5"), self.campaign.currency, self.campaign.locale)
        return half.strip("0123456789")

    @property
    def unit(self) -> int:
        """How many smallest units are one of the currency."""
        return int(10 ** exponent(self.campaign.currency))

    @property
    def step(self) -> int:
        return step(self.campaign.currency)

    def hidden(self) -> Markup:
        """The fields that nobody sees, one of which is a token for this one showing."""
        fields = (self.token(), self.src(), self.pos(), self.lang(), self.back(), admission.fields(self.campaign))
        return Markup("").join(fields)

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What was wrong, as (the id of the field to mend, the words), for the summary at the top."""
        field_ids = {"other_amount": "other_amount", "name": "name", "message": "message", "token": "give"}
        return [(field_ids.get(name, "give"), words) for name, all_words in self.errors.items() for words in all_words]


def _with_suggestion(sent: Any) -> Any:
    """What was sent; an amount that was suggested and taken is in it as if it had been typed."""
    if not sent or not sent.get("suggested"):
        return sent
    taken = {"other_amount": sent["suggested"]} | {f"tier_{frequency}": OTHER for frequency in FREQUENCIES}
    return MultiDict({name: text for name, text in sent.items() if name != "suggested"} | taken)


def amount_words(campaign: Campaign, reason: str, suggestion: str = "") -> str:
    """What was wrong with an amount, as a helpful clerk would say it."""
    largest = gettext("The largest single gift is %(amount)s.", amount=campaign.write(campaign.maximum))
    if suggestion:
        unread = gettext("We could not read that amount. Did you mean %(amount)s?", amount=suggestion)
        unpayable = gettext(
            "That amount cannot be paid in %(currency)s. Did you mean %(amount)s?",
            currency=campaign.currency,
            amount=suggestion,
        )
    else:
        example = _example(campaign)
        unread = gettext("We could not read that amount. Please write it like %(example)s.", example=example)
        unpayable = gettext(
            "That amount cannot be paid in %(currency)s. Please write it like %(example)s.",
            currency=campaign.currency,
            example=example,
        )
    sentences = {
        "empty": gettext("Please type an amount, or choose one of those above."),
        "not_a_number": unread,
        "not_positive": gettext("Enter an amount above zero."),
        "too_precise": unpayable,
        "too_large": largest,
        "above_maximum": largest,
        "below_minimum": gettext("The smallest gift is %(amount)s.", amount=campaign.write(campaign.minimum)),
        "no_choice": gettext("Please choose an amount, or type one."),
        "unknown_tier": gettext("That amount is no longer offered. Please choose again."),
        "other_fee": gettext("The payment fee has changed. Please check your gift and send it again."),
        "two_amounts": gettext(
            "You chose one amount and typed another. We kept the one you typed: please check it and send it again."
        ),
    }
    return sentences[reason]


def _example(campaign: Campaign) -> str:
    return campaign.write(max(campaign.minimum, least(campaign.currency)) * 5)


def came_from_our_page(public_url: str) -> bool:
    """Whether the browser says that one of our own pages sent this form.

    Browsers send Sec-Fetch-Site, older ones Origin; a program that sends neither cannot borrow anybody's browser.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin)[:2] in {urlsplit(url)[:2] for url in (public_url, request.host_url)}
    except ValueError:  # no address at all, such as “http://[”
        return False
