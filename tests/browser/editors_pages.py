"""Every editors' page in the states it can have, as HTML: for those that read pages, and look at them, for faults."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, Stripe, dispute_fact, dispute_of, gift_fact, moment, refund_fact
from browser.public_pages import LONG, STORY, an_app, with_all_parts
from flask import Flask, template_rendered
from jinja2 import Template
from sqlalchemy import insert
from web.test_notice_webhook import SECRET
from web_admin import Editor, hidden_in

from tracker.gateway.personal_data import AtStripe
from tracker.giving.card_testing import Counts
from tracker.giving.drives import Appeal
from tracker.giving.facts import BalanceTransaction, Fact, Payout, Subscription
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import appeals, book, campaigns, checkout_counts, donor_data, offline_gifts, sync_runs, visits
from tracker.ledger.store import reading, writing
from tracker.ledger.user_models import PasskeyRow
from tracker.paths import TEMPLATES
from tracker.reconcile import forgetting
from tracker.reconcile.forgetting import Person
from tracker.settings import Smtp
from tracker.web.admin.notice_tokens import stop_link
from tracker.web.notices import smtp_mail
from tracker.web.notices.not_sent import NotSent

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
HERE = "/admin/c/newsroom"
MARCH = f"{HERE}/months/2021-03/close"
SETTINGS = f"{HERE}/settings"
# Opens whatever can be opened, so that all of a page is looked at.
OPENED = "document.querySelectorAll('details').forEach(one => { one.open = true })"
# As long as an article's name can be.
ARTICLE = "what-the-new-harbour-means-for-you-and-why-it-took-so-very-lon"
GIFTS = 14  # of each of four months: together more than the list of gifts has on one page
IMPORTED = (
    "Donation ID,Donation Total,Donation Status,Donation Date\n71,25.00,Complete,2021-05-11\n72,x,Complete,2021-05-12\n"
)


def editors_pages(folder: Path) -> dict[str, str]:
    """The HTML of each state by its name."""
    # Passkeys need a name, and this is the only one that needs no https.
    more = {"TRACKER_PUBLIC_URL": "http://localhost:5000", "TRACKER_SECOND_FACTOR": "optional"}
    with (
        pytest.MonkeyPatch.context() as patch,
        time_machine.travel(NOW, tick=False) as clock,
        an_app(folder, TRACKER_SIGN_IN_LIMIT="1000 per hour", **more) as app,
    ):
        # What a password costs for real is seen elsewhere.
        app.extensions["security"].pwd_context.update(argon2__time_cost=1, argon2__memory_cost=32)
        rendered: set[str | None] = set()

        def note(_: Flask, template: Template, **__: object) -> None:
            rendered.add(template.name)

        with template_rendered.connected_to(note, app):
            found = dict(_collected(app, patch, clock))
    templates = (TEMPLATES / "admin").glob("*.html")
    pages = {f"admin/{one.name}" for one in templates if 'extends "admin/base.html"' in one.read_text(encoding="utf-8")}
    assert pages - rendered == set(), "These are not among them."
    return found


def some_of(pages: dict[str, str]) -> dict[str, str]:
    """Few of these pages which have every tag with every class and type: for what takes long to look."""
    return with_all_parts(pages, _kinds)


def _kinds(html: str) -> set[str]:
    tags = re.findall(r"<([a-z]\w*)([^>]*)>", html)
    return {" ".join((tag, *sorted(re.findall(r'\b(?:class|type|role)="[^"]*"', rest)))) for tag, rest in tags}


class Desk(Editor):
    """Opens pages and sends their forms; each answer must have the status that belongs to the state."""

    def sees(self, address: str, status: int = 200) -> str:
        answer = self.opens(address)
        assert answer.status_code == status, (address, answer.status_code)
        return str(answer.text)

    def gets(self, address: str, status: int = 200, to: str = "", **typed: Any) -> str:
        answer = self.sends(address, to=to, **typed)
        assert answer.status_code == status, (address, answer.status_code, answer.text)
        return str(answer.text)


def _collected(app: Flask, patch: pytest.MonkeyPatch, clock: Any) -> Iterator[tuple[str, str]]:
    desk = Desk(app)
    yield from _at_the_door(app)
    yield from _empty(desk)
    _a_history(app)
    yield from _months(desk)
    yield from _closing(desk)
    yield from _gifts(desk)
    yield from _of_the_campaign(desk)
    yield from _people(app, desk, patch)
    yield from _notices(app, desk, patch, clock)
    yield from _account(app, desk, clock)


def _record(*facts: Fact) -> None:
    with writing() as session:
        for fact in facts:
            book.record(session, fact, NOW)


def _at_the_door(app: Flask) -> Iterator[tuple[str, str]]:
    stranger = Desk(app, signs_in=False)
    yield "sign-in", stranger.sees("/admin/login")
    yield "sign-in, wrong password", stranger.signs_in("wrong").text
    yield "invitation, no longer good", stranger.sees("/admin/invitation/none", 404)


def _empty(desk: Desk) -> Iterator[tuple[str, str]]:
    yield "start", desk.sees("/admin/")
    yield "campaigns, none", desk.sees("/admin/campaigns")
    yield "settings, new", desk.sees("/admin/new")
    yield "settings, new, with errors", desk.gets("/admin/new", 422, slug="A B", minimum="x")
    with writing() as session:
        campaigns.save(session, NEWSROOM)
    yield "goals, none", desk.sees(f"{HERE}/goals")
    with writing() as session:
        campaigns.set_goal(session, "newsroom", parse_month("2021-01"), 500_000, stands=True)
    yield "month, empty", desk.sees(f"{HERE}/month")
    for page in ("months", "gifts", "drives", "supporters", "protection"):
        yield f"{page}, empty", desk.sees(f"{HERE}/{page.replace('months', '')}")


def _a_history(app: Flask) -> None:
    """A year ago, two months before this one, and this one: with every kind of gift, what was taken off, fees and payouts."""
    with writing() as session:
        campaigns.save(session, replace(NEWSROOM, title=f"Support the {LONG}", lead="It costs", story=STORY))
    _record(
        *(
            gift_fact(
                f"cs_{month}_{number}", 2_000 + 100 * number, at=moment(f"{month}-{number % 13 + 1:02d}T08:00"),
                tier="2500", source=f"{ARTICLE}-{number % 3}", place="top",
            )
            for month in ("2020-05", "2021-03", "2021-04", "2021-05")
            for number in range(GIFTS)
        ),
        gift_fact("cs_monthly", 1_000, kind="monthly", tier="1000", source="article-1", place="bottom"),
        gift_fact("cs_yearly", 5_000, kind="yearly", tier="other"),
        gift_fact("cs_euro", 900, currency="EUR"),
        gift_fact("cs_named", 4_200, name="Jürgen Ó Briain & daughters", message="For the court reports"),
        gift_fact("cs_shown", 2_500, name="Ana"), gift_fact("cs_hidden", 2_500, name="Nobody", message="Words to hide"),
        refund_fact("cs_2021-05_1", 2_100, "re_whole"), refund_fact("cs_2021-05_2", 700, "re_part"),
        dispute_fact("cs_2021-05_3", 2_300, "txn_dispute"),
    )  # fmt: skip
    ada = Subscription(
        "sub_1", "newsroom", 500, "USD", "active", NOW + timedelta(days=2), None, NOW, False, began_at=NOW
    )
    _record(ada, replace(ada, key="sub_2", state="failing"), replace(ada, key="sub_3", state="ended", ended_at=NOW))
    for month in ("2021-03", "2021-05"):
        _settle(month)
    stripe = Stripe(app.test_client())
    assert stripe.sends(stripe.event("charge.dispute.created", dispute_of("pi_cs_named", -4_200))) == 204
    with writing() as session:
        found = campaigns.find(session, "newsroom")
        assert found is not None
        given = offline_gift(
            found, False, NOW.date(), 12_000, "Cheque 17, with a letter about the harbour", "cheque-17"
        )
        offline_gifts.write_down(session, [given], NOW)
        loads = {("newsroom", carrier, "article-1", "top"): 900 for carrier in ("frame", "element", "svg", "click")}
        visits.add(session, loads, NOW)
        checkout_counts.add(session, "newsroom", False, Counts(opened=30, completed=9, declined=2), NOW)


def _settle(month: str) -> None:
    """Six of the month's gifts with their fees, and a payout with them."""
    movements = []
    for number in range(6):
        amount = 2_000 + 100 * number
        key, fee = f"{month}_{number}", 30 + amount * 29 // 1000
        of = (f"pi_cs_{key}",)
        movements.append(
            BalanceTransaction(f"txn_{key}", "gift", of, amount, fee, amount - fee, "USD", "", NOW, NOW, False)
        )
    paid_out = Payout(f"po_{month}", NOW + timedelta(days=3), tuple(one.key for one in movements), False)
    _record(*movements, paid_out)


def _months(desk: Desk) -> Iterator[tuple[str, str]]:
    yield "month, running", desk.sees(f"{HERE}/month")
    yield "month, over", desk.sees(f"{HERE}/months/2021-04")
    yield "months", desk.sees(f"{HERE}/")
    yield (
        "months, a goal with errors",
        desk.gets(f"{HERE}/", 422, to=f"{HERE}/goal", month="2021-05", amount="lots", stands="no"),
    )
    desk.gets(f"{HERE}/goals", 303, to=f"{HERE}/goal", month="2021-05", amount="6000", stands="no")
    yield "goals", desk.sees(f"{HERE}/goals")


def _closing(desk: Desk) -> Iterator[tuple[str, str]]:
    yield "closing, not over", desk.sees(f"{HERE}/months/2021-05/close")
    yield "closing, open", desk.sees(MARCH)
    yield "closing, not confirmed", desk.gets(MARCH, 422)
    with writing() as session:
        sync_runs.keep(session, sync_runs.SyncRun(False, moment("2020-01-01"), NOW, NOW, mended=1, wrong=0, untied=0))
    yield "closing, nothing is open", desk.sees(f"{HERE}/months/2021-02/close")
    desk.gets(MARCH, 303, seen="y")
    _record(refund_fact("cs_2021-03_7", 2_000, "re_late"))
    yield "closed, corrected", desk.sees(MARCH)
    yield "month, closed and corrected", desk.sees(f"{HERE}/months/2021-03")
    reopen = MARCH.replace("close", "reopen")
    yield "closed, reopened without a reason", desk.gets(MARCH, 422, to=reopen, reason="")
    desk.gets(MARCH, 303, to=reopen, reason="A cheque was forgotten.\nThe accountant asked for it.")
    yield "closing, reopened before", desk.sees(MARCH)
    desk.gets(MARCH, 303, seen="y")
    yield "closed, once more", desk.sees(MARCH)


def _gifts(desk: Desk) -> Iterator[tuple[str, str]]:
    yield "gifts", desk.sees(f"{HERE}/gifts")
    yield (
        "gifts, filtered",
        desk.sees(f"{HERE}/gifts?month=2021-05&kind=once&source={ARTICLE}-1&largest=y"),
    )
    yield "gifts, none found", desk.sees(f"{HERE}/gifts?q=nobody")
    yield "gifts, a filter with errors", desk.sees(f"{HERE}/gifts?month=spring&amount=lots", 422)
    gift = f"{HERE}/gifts/cs_named"
    desk.gets(gift, 303, to=f"{gift}/notes", words="She asked for a letter.\nSent on Monday.")
    yield "gift, disputed, with a note", desk.sees(gift)
    yield "gift, a note with errors", desk.gets(gift, 422, to=f"{gift}/notes", words="")
    back = f"{HERE}/give-back?gift=cs_2021-05_2"
    yield "give back", desk.sees(back)
    yield "give back, with errors", desk.gets(back, 422, amount="900", date="2021-05-12")
    desk.gets(back, 303, amount="5", date="2021-05-12", note="Transfer 17")
    page = desk.sees(f"{HERE}/gifts/cs_2021-05_2")
    yield "gift, refunded", page
    yield "give back, undone", desk.sees(_link(page, "give-back/undo"))
    offline = desk.sees(_link(desk.sees(f"{HERE}/gifts?kind=offline"), "gifts/offline"))
    yield "gift, offline", offline
    yield "offline, reversed", desk.sees(_link(offline, "offline/take-back"))
    yield "offline", desk.sees(f"{HERE}/offline")
    yield "offline, with errors", desk.gets(f"{HERE}/offline", 422, amount="lots", date="tomorrow")


def _link(page: str, part: str) -> str:
    found = re.search(rf'href="([^"]*/{part}[^"]*)"', page)
    assert found, part
    return unescape(found[1])


def _of_the_campaign(desk: Desk) -> Iterator[tuple[str, str]]:
    yield "supporters", _with_names(desk)
    yield "supporters, none are like that", desk.sees(f"{HERE}/supporters?state=shown&after=cs_shown")
    with writing() as session:
        found = campaigns.find(session, "newsroom")
        assert found is not None
        day = timedelta(days=1)
        for one in (
            Appeal("drive", "A drive with a rather long name", 900_000, NOW - day, NOW + day),
            Appeal("drive", "Autumn", 900_000, NOW + 90 * day, NOW + 91 * day),
            Appeal("match", "Harbour Foundation", 500_000, NOW - day, None),
        ):
            appeals.save(session, found, one, NOW - day)
        campaigns.set_people_goal(session, "newsroom", parse_month("2021-05"), PeopleGoal(200, True), NOW, stands=True)
    yield "drives", desk.sees(f"{HERE}/drives")
    yield "drive, new", desk.sees(f"{HERE}/drives/new/drive")
    yield "drive, new match with errors", desk.gets(f"{HERE}/drives/new/match", 422, amount="lots", starts_at="soon")
    yield "drive", desk.sees(f"{HERE}/drives/1")
    yield "files", desk.sees(f"{HERE}/files")
    page = f"{HERE}/import"
    yield "import", desk.sees(page)
    yield "import, with errors", desk.gets(page, 422, do="check")
    sent = {"whose": "givewp", "save": "Our choices"}
    yield "import, looked at", desk.gets(page, file=(io.BytesIO(IMPORTED.encode()), "gifts.csv"), do="check", **sent)
    yield "import, recorded", desk.gets(page, text=IMPORTED, do="record", skip="y", **sent)
    page = f"{HERE}/snippets"
    yield "snippets", desk.sees(page)
    yield "snippets, chosen", desk.sees(f"{page}?theme=dark&accent=%23ffee00&background=x&src=ferry&pos=top&count=1")
    yield "snippets, an article that is not there", desk.gets(page, article="http://127.0.0.1:9/")
    yield "snippets, no article", desk.gets(page, 422, article="")
    yield "protection", desk.sees(f"{HERE}/protection")
    yield "settings", desk.sees(SETTINGS)
    yield "settings, a preview", desk.gets(SETTINGS, title="Support us", story=STORY, preview="yes")
    yield "settings, with errors", desk.gets(SETTINGS, 422, title="", minimum="lots", accent="own")
    yield "archive", desk.sees(f"{HERE}/archive")
    yield "archive, with errors", desk.gets(f"{HERE}/archive", 422, month="2031-05")
    yield "campaigns", desk.sees("/admin/campaigns")
    yield "campaigns, none found", desk.sees("/admin/campaigns?q=nothing&state=archived")


def _with_names(desk: Desk) -> str:
    page = f"{HERE}/supporters"
    for gift, show in (("cs_shown", "yes"), ("cs_hidden", "no")):
        desk.sends(page, gift=gift, show=show)
    return desk.sees(page)


def _people(app: Flask, desk: Desk, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    reader = Desk(app, "reader@example.org", "wet lamp counts eleven")
    people, invite = "/admin/people", "/admin/people/invite"
    yield "people, an invitation with errors", desk.gets(people, 422, to=invite, email="nobody", role="reader")
    invited = desk.gets(people, to=invite, email="a-rather-long-name.of-somebody@courier.example", role="reader")
    yield "people, somebody is invited", invited
    found = re.search(r"<code>http://localhost:5000(/admin/invitation/[^<]+)</code>", invited)
    assert found
    stranger = Desk(app, signs_in=False)
    yield "invitation", stranger.sees(unescape(found[1]))
    yield "invitation, with errors", stranger.gets(unescape(found[1]), 422, password="short", again="shorter")
    yield "people", desk.sees(people)
    yield "person", desk.sees(f"{people}/2")
    desk.gets(f"{people}/2", 303, role="reader", do="role")
    yield "not allowed", reader.sees(people, 403)
    desk.gets(f"{people}/2", 303, role="reader", do="disable")
    yield "person, disabled", desk.sees(f"{people}/2")
    yield "audit", desk.sees("/admin/audit")
    yield (
        "audit, filtered",
        desk.sees("/admin/audit?who=1&action=month.closed&campaign=newsroom&from=2021-05-01&to=2021-05-31"),
    )
    yield "audit, nothing found", desk.sees("/admin/audit?who=commands&to=2020-01-01")
    yield "personal data", desk.sees("/admin/personal-data")
    # Stripe does not answer here.
    yield "personal data, with errors", desk.gets("/admin/personal-data", 422, wanted="ana@example.org", do="find")
    patch.setattr(forgetting, "find", _somebody)
    yield "personal data, found", desk.gets("/admin/personal-data", wanted="ana@example.org", do="find")
    patch.undo()


def _somebody(*_: object) -> Person:
    at_stripe = AtStripe("ana@example.org", {"cs_named"}, {"cs_named"})
    with reading() as session:
        kept = donor_data.find(session, at_stripe.gifts, at_stripe.ids, [])
    return Person(at_stripe, kept)


def _notices(app: Flask, desk: Desk, patch: pytest.MonkeyPatch, clock: Any) -> Iterator[tuple[str, str]]:
    yield "notices, not set up", desk.sees("/admin/notices")
    set_up = {
        "smtp": Smtp("mail.courier.example", 587, "starttls"), "mail_from": "notices@courier.example",
        "notice_url": "https://desk.courier.example/hook", "notice_secret": SECRET,
    }  # fmt: skip
    patch.setitem(app.extensions, "settings", replace(app.extensions["settings"], **set_up))
    mails: list[EmailMessage] = []
    patch.setattr(smtp_mail, "send", lambda _smtp, mail, *_: mails.append(mail))
    yield "notices, set up", desk.sees("/admin/notices")
    desk.gets("/admin/account", 303, to="/admin/account/notices", weekly="1")
    yield "account, an address to confirm", desk.sees("/admin/account")
    (mail,) = mails
    confirm = re.search(r"http://localhost:5000(/notices/confirm/\S+)", mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert confirm
    stranger = Desk(app, signs_in=False)
    yield "notices, an address to confirm", stranger.sees(confirm[1])
    yield "notices, confirmed", stranger.browser.post(confirm[1]).text
    desk.gets("/admin/notices", 303, to="/admin/notices/test", way="mail")
    patch.setattr(smtp_mail, "send", _nobody_answers)
    clock.shift(timedelta(minutes=1))
    desk.gets("/admin/notices", 303, to="/admin/notices/test", way="mail")
    yield "notices, the last ones", desk.sees("/admin/notices")
    with app.test_request_context():
        stop = stop_link("mail:1", "weekly").removeprefix("http://localhost:5000")
    yield "notices, stop", stranger.sees(stop)
    yield "notices, stopped", stranger.browser.post(stop).text
    yield "notices, a link that is no longer good", stranger.sees("/notices/stop/none", 404)
    patch.undo()


def _nobody_answers(*_: object) -> None:
    raise NotSent("no_answer", "Connection refused", for_all=True)


def _account(app: Flask, desk: Desk, clock: Any) -> Iterator[tuple[str, str]]:
    yield "account", desk.sees("/admin/account")
    yield "account, a new password", desk.sees("/admin/account/password")
    yield "account, passkeys", desk.sees("/admin/account/passkeys")
    typed = hidden_in(desk.sees(SETTINGS)) | {"title": "A long text", "story": STORY}
    clock.shift(timedelta(hours=1))
    yield "confirm", desk.sees("/admin/verify")
    # Signed out by the time it is sent.
    clock.shift(timedelta(hours=3))
    desk.posts(SETTINGS, **typed)
    desk.signs_in(query="?next=/admin/unsent")
    yield "unsent", desk.sees("/admin/unsent")
    yield "account, an app", desk.sees("/admin/account/app")
    yield "account, a wrong code", desk.gets("/admin/account/app", 422, code="000000")
    desk.sets_up_an_app()
    yield "account, with an app", desk.sees("/admin/account")
    yield "recovery codes", desk.sees("/admin/account/recovery-codes")
    yield "recovery codes, shown", desk.gets("/admin/account/recovery-codes")
    other = Desk(app, signs_in=False)
    yield "sign-in, second step", other.sees(other.signs_in().headers["Location"])
    yield "sign-in, a recovery code", other.sees("/admin/login/recovery")
    yield from _with_a_passkey(app, desk)


def _with_a_passkey(app: Flask, desk: Desk) -> Iterator[tuple[str, str]]:
    with writing() as session:
        session.execute(
            insert(PasskeyRow).values(
                user_id=1, name="A laptop with a rather long name", credential_id=b"x", public_key=b"y", sign_count=0,
                device_type="single_device", backup_state=False, lastuse_datetime=NOW, usage="first",
            )
        )  # fmt: skip
    yield "account, with a passkey", desk.sees("/admin/account")
    yield "confirm with a passkey", desk.sees("/admin/verify/passkey")
    yield "confirm with a passkey, asked for", desk.gets("/admin/verify/passkey")
    stranger = Desk(app, signs_in=False)
    yield "sign-in with a passkey", stranger.sees("/admin/login/passkey")
    choose = stranger.signs_in().headers["Location"]
    yield "sign-in, a choice", stranger.sees(choose)
    passkey = stranger.sends(choose, which="webauthn").headers["Location"]
    yield "sign-in, a passkey after the password", stranger.sees(passkey)
    yield "sign-in, a passkey is asked for", stranger.gets(passkey)
