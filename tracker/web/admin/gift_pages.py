"""The list of gifts with its filters."""

from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.ledger import gift_list
from tracker.ledger.export_rows import FREQUENCY
from tracker.ledger.store import reading
from tracker.web.admin.blueprint import admin
from tracker.web.admin.form_fields import TOO_LONG, AmountField, MonthField
from tracker.web.admin.signin import roles
from tracker.web.site import campaign_or_404, settings

ANY = SelectChoice("", lazy_gettext("Any"))
BIGGEST_NUMBER = 2**63 - 1


class GiftFilter(FlaskForm):  # type: ignore[misc]
    """The filters in the address of the list; each may be left out."""

    class Meta:
        csrf = False

    q = StringField(lazy_gettext("Stripe's id, or a name"), [Length(max=255, message=TOO_LONG)])
    month = MonthField(lazy_gettext("Month"))
    kind = SelectField(
        lazy_gettext("Kind"),
        default="",
        choices=[
            ANY,
            SelectChoice("once", lazy_gettext("One-time")),
            SelectChoice("monthly", lazy_gettext("Monthly")),
            SelectChoice("yearly", lazy_gettext("Yearly")),
            SelectChoice("offline", lazy_gettext("Offline")),
        ],
    )
    amount = AmountField(lazy_gettext("Amount"))
    amount_to = AmountField(lazy_gettext("Up to"))
    source = StringField(lazy_gettext("Article"), [Length(max=64, message=TOO_LONG)])
    tier = SelectField(lazy_gettext("Amount chosen"), default="", validate_choice=False)
    state = SelectField(
        lazy_gettext("State"),
        default="",
        choices=[
            ANY,
            SelectChoice("refunded", lazy_gettext("Refunded, in part or in full")),
            SelectChoice("disputed", lazy_gettext("Disputed")),
            SelectChoice("reversed", lazy_gettext("Offline gift reversed")),
            SelectChoice("unsettled", lazy_gettext("Fee not known yet")),
            SelectChoice("unpaid", lazy_gettext("In no payout yet")),
        ],
    )
    largest = BooleanField(lazy_gettext("Largest first"))

    def __init__(self, campaign: Campaign) -> None:
        meta = {"campaign": campaign, "currency": campaign.currency, "locale": campaign.locale}
        super().__init__(formdata=request.args, meta=meta)
        amounts = sorted({amount for frequency in campaign.offered for amount in campaign.tiers(frequency)})
        self.tier.choices = [
            ANY,
            *(SelectChoice(str(amount), campaign.write(amount)) for amount in amounts),
            SelectChoice("other", lazy_gettext("Other amount")),
        ]

    def wanted(self) -> gift_list.Wanted:
        least, most = self.amount.data, self.amount_to.data
        return gift_list.Wanted(
            words=(self.q.data or "").replace("\0", "").strip(), month=self.month.data, kind=self.kind.data or "",
            # One amount alone is that amount.
            least=least, most=least if most is None else most, source=(self.source.data or "").replace("\0", "").strip(),
            tier=(self.tier.data or "").replace("\0", "")[:20], state=self.state.data or "", largest_first=self.largest.data,
            by_name=roles.may(current_user, "supporter_names"),
        )  # fmt: skip

    @property
    def narrows(self) -> bool:
        """Whether there is any filter apart from the words."""
        return any(field.data for field in self if field is not self.q)

    def address(self, slug: str, **place: int) -> str:
        """The list with the same filters, at another page."""
        return url_for("admin.gifts", slug=slug, **self._asked() | place)  # type: ignore[arg-type]

    def _asked(self) -> dict[str, str]:
        return {name: text for name, text in request.args.items() if name in self and text}

    def chosen(self, campaign: Campaign) -> list[tuple[str, str]]:
        """Each filter in words, with the address of the list without it."""
        asked = self._asked()
        return [
            (
                _in_words(field, campaign),
                url_for(
                    "admin.gifts", slug=campaign.slug, **{name: asked[name] for name in asked if name != field.name}
                ),
            )
            for field in self
            if field.data and field.name in asked
        ]

    def file(self) -> dict[str, str] | None:
        """What to ask of the files for the same gifts; None if a filter is none of theirs."""
        asked = self._asked()
        if not asked.keys() <= {"month", "kind", "source", "largest"}:
            return None
        wanted = {name: asked[name] for name in ("month", "source") if name in asked}
        kind = asked.get("kind", "")
        # By the frequency of their gift, refunds and disputes are found with it.
        if kind in FREQUENCY:
            return wanted | {"frequency": FREQUENCY[kind]}
        return wanted | ({"kind": kind} if kind else {})


def _in_words(field: Field, campaign: Campaign) -> str:
    if isinstance(field, BooleanField):
        return str(field.label.text)
    if isinstance(field, MonthField):
        value = campaign.month_name(field.data)
    elif isinstance(field, AmountField):
        value = campaign.write(field.data)
    elif isinstance(field, SelectField):
        value = {one.value: one.label for one in field.choices}.get(field.data, field.data)
    else:
        value = field.data
    return _("%(field)s: %(value)s", field=field.label.text, value=value)


@admin.get("/c/<slug>/gifts")
def gifts(slug: str) -> str | tuple[str, int]:
    """Gifts, the newest first, fifty at a time."""
    campaign = campaign_or_404(slug)
    form = GiftFilter(campaign)
    before, after = (_number(request.args.get(name, "")) for name in ("before", "after"))
    if not form.validate():
        return _list(campaign, form, gift_list.GiftPage([])), 422
    with reading() as session:
        page = gift_list.find(session, campaign, settings().live, form.wanted(), before=before, after=after)
    return _list(campaign, form, page)


def _number(text: str) -> int | None:
    if not text:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if 0 < number <= BIGGEST_NUMBER else abort(404)


def _list(campaign: Campaign, form: GiftFilter, page: gift_list.GiftPage) -> str:
    columns: dict[str, Any] = {
        "given": campaign.column_of_many((one.given, one.currency) for one in page.gifts),
        "fee": campaign.column_of_many((one.fee, one.settled_in) for one in page.gifts if one.settled_in),
        "net": campaign.column_of_many((one.net, one.settled_in) for one in page.gifts if one.settled_in),
    }
    return render_template(
        "admin/gifts.html", campaign=campaign, form=form, page=page, write=columns, look=gift_list.LOOK,
        chosen=[] if form.errors else form.chosen(campaign), file=None if form.errors else form.file(),
    )  # fmt: skip
