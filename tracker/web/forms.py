"""What people may send us, and the words for what was wrong with it."""

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from markupsafe import Markup
from wtforms import Field, Form, HiddenField, RadioField, StringField, TextAreaField, ValidationError
from wtforms.csrf.core import CSRF
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, least
from tracker.giving.tiers import OTHER, Choice, choose

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
                "This page had been open for a long time. Please check your gift and press again."
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

    frequency = RadioField(choices=[SelectChoice("once", "Once"), SelectChoice("month", "Every month")])
    tier_once = StringField()
    tier_month = StringField()
    other_amount = StringField()
    name = StringField(
        filters=[_without_controls], validators=[Length(max=80, message="Please keep the name below 80 characters.")]
    )
    message = TextAreaField(
        filters=[_without_controls],
        validators=[Length(max=300, message="Please keep the message below 300 characters.")],
    )
    src = HiddenField()
    pos = HiddenField()

    choice: Choice | None = None
    shown: Shown | None = None

    def __init__(self, campaign: Campaign, formdata: Any = None, **values: Any) -> None:
        self.campaign = campaign
        super().__init__(formdata, meta={"campaign": campaign}, **values)

    @property
    def tier(self) -> Field:
        """The field of the chosen frequency's amounts."""
        return self.tier_month if self.frequency.data == "month" else self.tier_once

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        good = bool(super().validate(extra_validators))
        if self.frequency.errors:
            return False
        try:
            typed = self.other_amount.data or ""
            self.choice = choose(self.campaign, self.frequency.data, self.tier.data or "", typed)
        except AmountError as error:
            self.other_amount.errors = [*self.other_amount.errors, amount_words(self.campaign, error)]
            if error.reason in ("two_amounts", "unknown_tier", "no_choice"):
                # What was typed is the likelier wish of the two; nothing is charged before it is pressed again.
                self.tier.data = OTHER if (self.other_amount.data or "").strip() else self.tier.data
            return False
        return good

    def hidden(self) -> Markup:
        """The fields that nobody sees, one of which is a token for this one showing."""
        return Markup("").join((self.token(), self.src(), self.pos()))

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What was wrong, as (the id of the field to mend, the words), for the summary at the top."""
        field_ids = {"other_amount": "other_amount", "name": "name", "message": "message", "token": "give"}
        return [(field_ids.get(name, "give"), words) for name, all_words in self.errors.items() for words in all_words]


def amount_words(campaign: Campaign, error: AmountError) -> str:
    """What was wrong with an amount, as a helpful clerk would say it."""
    suggestion = f" Did you mean {error.suggestion}? Then please write it like that." if error.suggestion else ""
    sentences = {
        "empty": "Please type an amount, or choose one of those above.",
        "not_a_number": "We could not read that amount."
        + (suggestion or f" Please write it like {_example(campaign)}."),
        "not_positive": "The amount must be more than nothing.",
        "too_precise": f"That is not an amount that can be paid in {campaign.currency}."
        + (suggestion or f" Please write it like {_example(campaign)}."),
        "too_large": f"The most that can be given at once is {campaign.write(campaign.maximum)}.",
        "above_maximum": f"The most that can be given at once is {campaign.write(campaign.maximum)}.",
        "below_minimum": f"The least that can be given is {campaign.write(campaign.minimum)}.",
        "no_choice": "Please choose an amount, or type one.",
        "unknown_tier": "That amount is no longer offered. Please choose again.",
        "two_amounts": "You chose one amount and typed another. We have kept the one you typed: please check and press again.",
    }
    return sentences[error.reason]


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
