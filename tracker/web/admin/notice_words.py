"""What notices say: each as it stands when it is sent, with the figures that the pages show. No supporter is named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from sqlalchemy.orm import Session

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, month_of, parse_month
from tracker.giving.rollup import Sums
from tracker.ledger import appeals, campaigns, results, same_day
from tracker.ledger.outbox import Notice
from tracker.web.admin.notice_tokens import confirm_link
from tracker.web.embed.pictures import bar_svg, in_our_fonts
from tracker.web.embed.svg_layout import MAIL_MARGIN, sheet_for
from tracker.web.site import bar_of, settings

NAMES = {
    "goal_reached": lazy_gettext("A goal is reached"),
    "webhook_silent": lazy_gettext("Stripe has gone silent"),
    "sync_failed": lazy_gettext("“tracker sync” has failed"),
    "dispute_due": lazy_gettext("A dispute has to be answered"),
    "month_ready": lazy_gettext("A month is ready to close"),
    "weekly": lazy_gettext("Every Monday: the week, with a picture of the bar"),
}
"""What people choose from."""
OTHERS = {"test": lazy_gettext("Test"), "confirm": lazy_gettext("Confirming an address")}

# More pictures would make a mail that nobody reads to its end, or that mail servers refuse.
MOST_CAMPAIGNS = 10
# As wide as a mail on a phone: a wider picture would be made smaller there, and nobody could read it.
PICTURE_WIDTH = 328


@dataclass(frozen=True)
class Drawing:
    """The bar of a campaign as a picture still to be drawn."""

    name: str
    svg: str
    direction: str
    words: str
    """For those who do not see it."""
    width: int
    height: int


@dataclass(frozen=True)
class Part:
    """A heading, which may be empty, what stands under it, and the bar."""

    heading: str
    lines: Sequence[str]
    drawing: Drawing | None = None


@dataclass(frozen=True)
class Content:
    """A notice as it is sent."""

    subject: str
    parts: Sequence[Part]
    link: tuple[str, str] | None = None
    """What there is to do, and the address where."""
    data: dict[str, Any] = field(default_factory=dict)
    """For programs. Amounts in the smallest unit of `currency`, times in UTC."""


def content_of(session: Session, one: Notice, live: bool, now: datetime) -> Content | None:
    """What a notice says now; None if what it is about is gone."""
    campaign = campaigns.find(session, one.campaign) if one.campaign else None
    if one.campaign and campaign is None:
        return None
    return _CONTENTS[one.kind](session, one, campaign, live, now)


# --- Goals ------------------------------------------------------------------------------------------------------------


def _goal_reached(
    session: Session, one: Notice, campaign: Campaign | None, live: bool, now: datetime
) -> Content | None:
    assert campaign is not None
    if one.facts["what"] == "drive":
        return _drive_reached(session, one, campaign, live)
    month = parse_month(one.about.partition(" ")[0])
    found = results.result(session, campaign, month, live)
    name, raised, gifts = (
        campaign.month_name(month),
        campaign.write(found.sums.raised),
        _gifts(campaign, found.sums.gifts),
    )
    if one.facts["what"] == "people":
        goal = int(one.facts["goal"])
        subject = _("%(title)s: goal in supporters reached", title=campaign.title)
        line = _("%(month)s has reached its goal of %(goal)s supporters.", month=name, goal=campaign.count(goal))
    else:
        goal = found.goal or 0
        subject = _("%(title)s: goal reached", title=campaign.title)
        line = _("%(month)s has reached its goal of %(goal)s.", month=name, goal=campaign.write(goal))
    lines = [line, _("Raised so far: %(raised)s, in %(gifts)s.", raised=raised, gifts=gifts)]
    data = {"month": str(month), "goal": goal, "raised": found.sums.raised, "gifts": found.sums.gifts}
    return Content(subject, [Part("", lines)], _to_month(campaign, month), data | {"currency": campaign.currency})


def _drive_reached(session: Session, one: Notice, campaign: Campaign, live: bool) -> Content | None:
    number = int(one.about.removeprefix("drive "))
    drive = next((drive for drive in appeals.every(session, campaign, live) if drive.id == number), None)
    if drive is None:
        return None
    lines = [
        _("The drive “%(name)s” has reached its goal of %(goal)s.", name=drive.name, goal=campaign.write(drive.amount)),
        _(
            "Raised so far: %(raised)s, in %(gifts)s.",
            raised=campaign.write(drive.raised),
            gifts=_gifts(campaign, drive.gifts),
        ),
    ]
    data = {
        "drive": drive.name, "goal": drive.amount, "raised": drive.raised, "gifts": drive.gifts,
        "currency": campaign.currency,
    }  # fmt: skip
    link = (_("See the drives"), f"{_admin()}/c/{campaign.slug}/drives")
    return Content(_("%(title)s: goal reached", title=campaign.title), [Part("", lines)], link, data)


def _gifts(campaign: Campaign, number: int) -> str:
    return ngettext("%(count)s gift", "%(count)s gifts", number, count=campaign.count(number))


# --- Stripe -----------------------------------------------------------------------------------------------------------


def _webhook_silent(_session: Session, one: Notice, *_more: object) -> Content:
    expected, last = _utc(one.facts["expected"]), one.facts.get("last")
    lines = [
        _("Something should have arrived since %(moment)s: a checkout was opened, or a regular gift was due.", moment=expected),
        _("The last webhook came on %(moment)s.", moment=_utc(last)) if last else _("No webhook has ever come."),
        _("Gifts may be missing from the bar. On the server, “tracker doctor” says what is wrong; once it is fixed, "
          "“tracker sync” brings in what was missed."),
    ]  # fmt: skip
    return Content(_("Nothing is arriving from Stripe"), [Part("", lines)], data=dict(one.facts))


def _sync_failed(_session: Session, one: Notice, *_more: object) -> Content:
    began = _utc(one.facts["began"])
    if why := one.facts.get("why"):
        lines = [_("“tracker sync”, started on %(moment)s, could not finish: %(why)s", moment=began, why=why)]
    else:
        lines = [
            _("“tracker sync”, started on %(moment)s, has finished, but not everything agrees with Stripe.", moment=began),
            _("Differences from Stripe: %(wrong)s. Months and lines that do not tie out: %(untied)s.",
              wrong=one.facts["wrong"], untied=one.facts["untied"]),
        ]  # fmt: skip
    lines.append(_("Run it again on the server: it names each line."))
    return Content(_("“tracker sync” has failed"), [Part("", lines)], data=dict(one.facts))


def _dispute_due(session: Session, one: Notice, campaign: Campaign | None, live: bool, now: datetime) -> Content:
    assert campaign is not None
    amount = campaign.write_in(int(one.facts["amount"]), str(one.facts["currency"]))
    due = one.facts.get("due")
    moment = campaign.moment(datetime.fromisoformat(str(due))) if due else ""
    if one.facts["kind"] == "dispute":
        first = _("A bank disputes a gift: %(amount)s.", amount=amount)
        then = (
            _("Answer in the Stripe dashboard by %(moment)s, or the money is lost.", moment=moment)
            if due
            else _("Answer in the Stripe dashboard, or the money is lost.")
        )
    else:
        first = _("A bank asks about a gift: %(amount)s.", amount=amount)
        then = (
            _("Answer in the Stripe dashboard by %(moment)s.", moment=moment)
            if due
            else _("Answer in the Stripe dashboard.")
        )
    subject = (
        _("%(title)s: answer a dispute by %(moment)s", title=campaign.title, moment=moment)
        if due
        else _("%(title)s: answer a dispute", title=campaign.title)
    )
    number = one.about.partition(" ")[0]
    lines = [first, then, _("Stripe's id: %(number)s", number=number)]
    link = _to_month(campaign, month_of(now, campaign.time_zone))
    return Content(subject, [Part("", lines)], link, {"dispute": number} | one.facts)


# --- Months and weeks -------------------------------------------------------------------------------------------------


def _month_ready(session: Session, one: Notice, campaign: Campaign | None, live: bool, _now: datetime) -> Content:
    assert campaign is not None
    month = parse_month(one.about)
    found = results.result(session, campaign, month, live)
    name = campaign.month_name(month)
    lines = [
        _(
            "Every point of the checklist for %(month)s is done: payouts, fees, nothing waiting, “tracker sync” clean.",
            month=name,
        ),
        _(
            "Raised: %(raised)s, in %(gifts)s.",
            raised=campaign.write(found.sums.raised),
            gifts=_gifts(campaign, found.sums.gifts),
        ),
        _("Once it is closed, its figures no longer change."),
    ]
    data = {"month": one.about, "raised": found.sums.raised, "gifts": found.sums.gifts, "currency": campaign.currency}
    link = (_("Close the month"), f"{_admin()}/c/{campaign.slug}/months/{month}/close")
    subject = _("%(title)s: %(month)s is ready to close", title=campaign.title, month=name)
    return Content(subject, [Part("", lines)], link, data)


def _weekly(session: Session, one: Notice, _campaign: object, live: bool, now: datetime) -> Content | None:
    monday = date.fromisoformat(one.about)
    every = [campaign for campaign in campaigns.every(session) if not campaign.archived and not campaign.held_month]
    parts, data = [], []
    for number, campaign in enumerate(every[:MOST_CAMPAIGNS]):
        part, told = _week_of(session, campaign, monday, live, now, f"bar-{number + 1}")
        parts.append(part)
        data.append(told)
    if not parts:
        return None
    if len(every) > MOST_CAMPAIGNS:
        left = len(every) - MOST_CAMPAIGNS
        parts.append(Part("", [ngettext("And %(num)s more campaign.", "And %(num)s more campaigns.", left)]))
    subject = _("The week to %(day)s", day=f"{monday - timedelta(days=1)}")
    return Content(subject, parts, (_("See all campaigns"), f"{_admin()}/campaigns"), {"campaigns": data})


def _week_of(
    session: Session, campaign: Campaign, monday: date, live: bool, now: datetime, name: str
) -> tuple[Part, dict[str, Any]]:  # fmt: skip
    bar = bar_of(session, campaign, now).of_month
    week = week_sums(session, campaign, monday, live)
    before = week_sums(session, campaign, monday - timedelta(days=7), live)
    lines = [
        _("Last week: %(raised)s, in %(gifts)s. The week before: %(before)s.",
          raised=campaign.write(week.raised), gifts=_gifts(campaign, week.gifts), before=campaign.write(before.raised)),
        _("%(month)s so far: %(raised)s of %(goal)s (%(percent)s).", month=bar.month_name, raised=bar.raised,
          goal=bar.goal, percent=bar.progress.percent_words)
        if bar.progress.goal
        else _("%(month)s so far: %(raised)s.", month=bar.month_name, raised=bar.raised),
    ]  # fmt: skip
    if ahead := results.against_last_month(session, campaign, live, now):
        than = campaign.month_name(bar.month.previous)
        lines.append(
            _("That is %(percent)s %% more than in %(month)s by the same day.", percent=ahead, month=than)
            if ahead > 0
            else _("That is %(percent)s %% less than in %(month)s by the same day.", percent=-ahead, month=than)
        )
    data = {
        "campaign": campaign.slug, "currency": campaign.currency, "week": {"raised": week.raised, "gifts": week.gifts},
        "month": str(bar.month), "raised": bar.progress.raised, "goal": bar.progress.goal, "gifts": bar.gifts,
    }  # fmt: skip
    return Part(campaign.title, lines, _drawing(bar, name)), data


def week_sums(session: Session, campaign: Campaign, monday: date, live: bool) -> Sums:
    """What came in during the seven days before that Monday, on the campaign's own clock."""
    zone = ZoneInfo(campaign.time_zone)
    until = datetime.combine(monday, datetime.min.time(), zone)
    begin = datetime.combine(monday - timedelta(days=7), datetime.min.time(), zone)
    first, last = (month_of(one, campaign.time_zone) for one in (begin, until))
    to = same_day.sums_until(session, campaign, live, last, until.astimezone(UTC))
    since = same_day.sums_until(session, campaign, live, first, begin.astimezone(UTC))
    whole = Sums()
    if first != last:
        # All of the month that ended within the week.
        whole = same_day.sums_until(session, campaign, live, first, last.first_moment(campaign.time_zone))
    return _less(to + whole, since)


def _less(one: Sums, other: Sums) -> Sums:
    return Sums(**{name: amount - getattr(other, name) for name, amount in vars(one).items()})


def _drawing(bar: Bar, name: str) -> Drawing:
    """The bar on its own light background, with the time of its number: some mail programs show mails on black."""
    looks = BarStyle("light")
    bar = in_our_fonts(replace(bar, stale=True), looks)
    sheet = sheet_for(bar, looks, margin=MAIL_MARGIN, across=PICTURE_WIDTH, button=False)
    width, height = round(sheet.width * sheet.zoom), round(sheet.height * sheet.zoom)
    return Drawing(name, bar_svg(bar, looks, sheet), bar.direction, bar.sentence, width, height)


# --- Ours alone -------------------------------------------------------------------------------------------------------


def _test(*_more: object) -> Content:
    return Content(
        _("A test notice"), [Part("", [_("Notices work: somebody has just sent this one from the page “Notices”.")])],
        (_("See the page"), f"{_admin()}/notices"), {},
    )  # fmt: skip


def _confirm(_session: Session, one: Notice, *_more: object) -> Content:
    lines = [
        _("You chose notices in your account at %(newsroom)s. Confirm that this address is yours to start receiving them.",
          newsroom=settings().newsroom or "Pledgebar"),
        _("The link is good for three days. If this was not you, do nothing, and no notices will be sent."),
    ]  # fmt: skip
    link = (_("Confirm this address"), confirm_link(one.reader, one.email))
    return Content(_("Confirm your address for notices"), [Part("", lines)], link)


_CONTENTS: dict[str, Callable[..., Content | None]] = {
    "goal_reached": _goal_reached, "webhook_silent": _webhook_silent, "sync_failed": _sync_failed,
    "dispute_due": _dispute_due, "month_ready": _month_ready, "weekly": _weekly, "test": _test, "confirm": _confirm,
}  # fmt: skip


def as_text(content: Content) -> Iterator[str]:
    """The lines of the plain text."""
    for part in content.parts:
        if part.heading:
            yield part.heading
        yield from part.lines
        yield ""
    if content.link:
        yield f"{content.link[0]}: {content.link[1]}"


def _admin() -> str:
    return f"{settings().public_url}/admin"


def _to_month(campaign: Campaign, month: Month) -> tuple[str, str]:
    return _("See the month"), f"{_admin()}/c/{campaign.slug}/months/{month}"


def _utc(moment: Any) -> str:
    return f"{datetime.fromisoformat(str(moment)):%Y-%m-%d %H:%M} UTC"
