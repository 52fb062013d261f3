"""Finds the notices that are due and sends them, in the background: never in a request of a supporter, nor in a transaction."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from flask import render_template
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from tracker.gateway.notices import NOTICED_BY, notice_of
from tracker.giving.notice_rules import Due
from tracker.ledger import audit_log, campaigns, needs_attention, notice_state, outbox
from tracker.ledger.audit_log import Who
from tracker.ledger.outbox import WEBHOOK, Chosen, Notice
from tracker.ledger.store import end_reading, reading, writing
from tracker.settings import Settings
from tracker.web.admin import notice_words
from tracker.web.admin.notice_tokens import stop_link
from tracker.web.admin.notice_words import Content
from tracker.web.embed import png_drawing
from tracker.web.notices import signed_post, smtp_mail
from tracker.web.notices.not_sent import NotSent
from tracker.web.notices.smtp_mail import Mail, Picture
from tracker.web.site import mark, settings

log = structlog.get_logger()

LOOK_SECONDS = 30
# One of all processes looks so often whether anything is due, and so often for what takes longer to look up.
SOON, LATER = timedelta(minutes=2), timedelta(hours=1)

REASONS = {
    "no_answer": lazy_gettext("The server does not answer."),
    "broke_off": lazy_gettext("The server closed the connection."),
    "no_tls": lazy_gettext("The connection cannot be encrypted (TLS)."),
    "bad_certificate": lazy_gettext("The server's certificate is not trusted."),
    "sign_in": lazy_gettext("The mail server does not accept the user name or the password."),
    "sender": lazy_gettext("The mail server refuses the sender in TRACKER_MAIL_FROM."),
    "recipient": lazy_gettext("The mail server refuses the recipient's address."),
    "refused": lazy_gettext("The mail server refuses the e-mail."),
    "status": lazy_gettext("The receiver answered with an error."),
    "redirect": lazy_gettext("The receiver answered with a redirect, which is not followed."),
    "gone": lazy_gettext("The receiver wants no more notices (410), so none are sent to it any more."),
    "too_late": lazy_gettext("It could not be sent for three days."),
    "no_picture": lazy_gettext("The picture of the bar could not be drawn."),
}
"""Why a sending failed, in words."""


@dataclass(frozen=True)
class Outcome:
    """What one look has come to."""

    sent: int = 0
    failed: int = 0
    """Those that are tried again are among them."""


def by_mail(this: Settings) -> bool:
    """Whether notices can be sent by mail."""
    return this.smtp is not None


def by_webhook(this: Settings) -> bool:
    """Whether notices can be sent to a program."""
    return bool(this.notice_url)


def keep_up(moment: datetime) -> Outcome:
    """Finds what is due, and sends it. Does nothing while no way to send notices is set up."""
    this = settings()
    if not by_mail(this) and not by_webhook(this):
        return Outcome()
    find(moment)
    return send_due(moment)


# --- Finding what is due ----------------------------------------------------------------------------------------------


def find(moment: datetime, *, at_once: bool = False) -> int:
    """Looks what is due, if it is this process's turn, and adds it to what is to be sent; returns how much that was."""
    added = 0
    for name, every in (("soon", SOON), ("later", LATER)):
        with reading() as session:
            to = _readers(session)
            if not to or not (at_once or outbox.is_turn(session, name, moment, every)):
                continue
        with writing() as session:
            if not outbox.take_turn(session, name, moment, timedelta() if at_once else every):
                continue
        with reading() as session:
            found = outbox.are_new(session, list(_due(session, name, to, moment)), settings().live, to)
        if found:
            with writing() as session:
                added += put(session, found, moment)
    return added


def put(session: Session, found: Iterable[Due], moment: datetime) -> int:
    """Adds notices for all who want them, inside the caller's transaction; each of them once."""
    to = _readers(session)
    return sum(outbox.put(session, due, to.get(due.kind, ()), settings().live, moment) for due in found)


def _readers(session: Session) -> dict[str, list[Chosen]]:
    this = settings()
    return outbox.readers(session, mail=by_mail(this), webhook=by_webhook(this))


def _due(session: Session, name: str, wanted: Collection[str], moment: datetime) -> Iterable[Due]:
    live, every = settings().live, campaigns.every(session)
    if name == "soon":
        return notice_state.soon(session, every, wanted, live, moment)
    bodies = needs_attention.told(session, NOTICED_BY, live, moment) if "dispute_due" in wanted else []
    said = [one for body in bodies if (one := notice_of(body))]
    return notice_state.later(session, every, wanted, live, moment, said)


# --- Sending it -------------------------------------------------------------------------------------------------------


def send_due(moment: datetime) -> Outcome:
    """Sends all that is due, one after the other. A server that is away is left alone until the next look."""
    this, sent, failed = settings(), 0, 0
    mail, webhook = by_mail(this), by_webhook(this)
    while mail or webhook:
        with reading() as session:
            if not outbox.is_any_due(session, this.live, moment):
                break
        with writing() as session:
            one = outbox.take_due(session, this.live, moment, mail=mail, webhook=webhook)
        if one is None:
            break
        problem = _send(one, moment)
        sent, failed = sent + (problem is None), failed + (problem is not None)
        if problem and problem.for_all:
            mail, webhook = mail and one.reader == WEBHOOK, webhook and one.reader != WEBHOOK
    return Outcome(sent, failed)


def send_now(due: Due, reader: str, moment: datetime) -> NotSent | None:
    """Adds a notice that somebody has asked for and sends it, for whoever waits for the answer. Returns why it failed."""
    with writing() as session:
        outbox.put(session, due, [Chosen(reader, moment)], settings().live, moment)
        number = outbox.number_of(session, due, reader, settings().live)
        one = outbox.take(session, number, moment)
    # Another process may have been quicker.
    return _send(one, moment) if one else None


def _send(one: Notice, moment: datetime) -> NotSent | None:
    """Sends it and notes what has come of it."""
    problem = None
    try:
        _deliver(one, moment)
    except NotSent as error:
        problem = error
    with writing() as session:
        if problem is None:
            outbox.sent(session, one.id, moment)
            is_over = True
        else:
            is_over = outbox.failed(session, one, moment, problem.reason, problem.detail, for_good=problem.for_good)
            if problem.reason == "gone":
                _end_webhook(session, moment)
    if problem is None:
        log.info("notice.sent", kind=one.kind, id=one.id, tries=one.tries)
    else:
        log.warning("notice.not_sent", kind=one.kind, id=one.id, tries=one.tries, why=problem.reason, given_up=is_over)
    return problem


def _end_webhook(session: Session, moment: datetime) -> None:
    """The receiver wants no more notices: an owner can choose them again."""
    before = outbox.chosen_by(session, WEBHOOK)
    outbox.choose(session, WEBHOOK, [], moment)
    by, told = Who(command="webhook: 410 Gone"), ({"notices": before}, {"notices": []})
    audit_log.note(session, by, moment, "notices.webhook_chosen", before=told[0], after=told[1])


def _deliver(one: Notice, moment: datetime) -> None:
    live = settings().live
    with reading() as session:
        content = notice_words.content_of(session, one, live, moment)
        own = mark()
    # A request that waits for this keeps no transaction open meanwhile.
    end_reading()
    if content is None:
        # What it is about is gone, and so is what there was to say.
        return
    if one.reader == WEBHOOK:
        _post(one, content, moment, own)
    else:
        _mail(one, content, moment, own)


def _mail(one: Notice, content: Content, moment: datetime, own: str) -> None:
    this = settings()
    assert this.smtp is not None
    try:
        pictures = [
            Picture(part.drawing.name, png_drawing.png(part.drawing.svg, 2, part.drawing.direction))
            for part in content.parts
            if part.drawing
        ]
    except ServiceUnavailable as error:
        raise NotSent("no_picture") from error
    stop = stop_link(one.reader, one.kind) if one.kind in notice_words.NAMES else ""
    about = {"content": content, "stop": stop, "kind": notice_words.NAMES.get(one.kind, "")}
    text = render_template("admin/notice_mail.txt", lines=list(notice_words.as_text(content)), **about)
    html = render_template("admin/notice_mail.html", **about)
    mail = Mail(one.email, content.subject, text, html, pictures, stop)
    made = smtp_mail.message(mail, this.mail_from, f"notice.{one.id}.{own}", moment)
    smtp_mail.send(this.smtp, made, one.email, this.hosts[0])


def _post(one: Notice, content: Content, moment: datetime, own: str) -> None:
    this = settings()
    data = content.data | {
        "campaign": one.campaign or None,
        "subject": content.subject,
        "lines": [line for part in content.parts for line in part.lines],
        "url": content.link[1] if content.link else None,
        "live": this.live,
    }
    about = {
        "type": f"notice.{one.kind}",
        "timestamp": f"{one.made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "data": data,
    }
    body = json.dumps(about, ensure_ascii=False).encode()
    signed_post.post(this.notice_url, this.notice_secret, f"notice_{own}_{one.id}", int(moment.timestamp()), body)
