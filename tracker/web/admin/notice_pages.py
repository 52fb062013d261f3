"""The owners' page of notices: what is set up, what the webhook gets, a test, and what became of the last ones."""

from typing import Any
from urllib.parse import urlsplit

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_security import current_user
from flask_wtf import FlaskForm

from tracker.giving.notice_rules import KINDS, Due
from tracker.ledger import audit_log, outbox
from tracker.ledger.outbox import WEBHOOK
from tracker.ledger.store import end_reading, reading, writing
from tracker.web.admin import notice_words
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.notice_sender import REASONS, by_mail, by_webhook, send_now
from tracker.web.gates import leave_gate
from tracker.web.notices.smtp_mail import is_private
from tracker.web.rate_limits import check_limit
from tracker.web.site import now, settings

SHOWN = 50
TEST_LIMIT = "20/hour"


@admin.get("/notices")
def notices() -> str:
    this = settings()
    with reading() as session:
        about: dict[str, Any] = {
            "newest": outbox.newest(session, this.live, SHOWN),
            "people": outbox.people(session),
            "chosen": outbox.chosen_by(session, WEBHOOK),
            "is_confirmed": outbox.is_confirmed(session, current_user.id, current_user.email),
        }
    return render_template(
        "admin/notices.html", form=FlaskForm(), by_mail=by_mail(this), by_webhook=by_webhook(this), smtp=this.smtp,
        is_private=this.smtp is not None and is_private(this.smtp), sender=this.mail_from,
        host=urlsplit(this.notice_url).netloc, names=notice_words.NAMES | notice_words.OTHERS, choices=notice_words.NAMES,
        reasons=REASONS, **about,
    )  # fmt: skip


@admin.post("/notices/test")
def send_test_notice() -> Response:
    """Sends a notice to whoever pressed, or to the webhook, and says what came of it."""
    _pressed()
    moment, is_mail = now(), request.form.get("way") == "mail"
    if not (by_mail(settings()) if is_mail else by_webhook(settings())):
        abort(400)
    reader = outbox.mail_to(current_user.id) if is_mail else WEBHOOK
    with reading() as session:
        if is_mail and not outbox.is_confirmed(session, current_user.id, current_user.email):
            abort(400)
    check_limit(TEST_LIMIT, "notices.test", str(current_user.id))
    # Whoever waits for a mail server holds nothing that others wait for.
    end_reading()
    leave_gate()
    problem = send_now(Due("test", moment.isoformat()), reader, moment)
    if problem is None:
        flash(_("The mail server accepted the test.") if is_mail else _("The receiver accepted the test."))
    else:
        detail = f" ({problem.detail})" if problem.detail else ""
        flash(_("The test was not sent: %(reason)s", reason=f"{REASONS[problem.reason]}{detail}"), "error")
    return redirect(url_for("admin.notices"), 303)  # type: ignore[return-value]


@admin.post("/notices/webhook")
def choose_webhook_notices() -> Response:
    """Which kinds the webhook gets."""
    _pressed()
    if not by_webhook(settings()):
        abort(400)
    moment, after = now(), [kind for kind in KINDS if request.form.get(kind) == "1"]
    with writing() as session:
        before = outbox.chosen_by(session, WEBHOOK)
        outbox.choose(session, WEBHOOK, after, moment)
        told = {"notices": before}, {"notices": sorted(after)}
        audit_log.note(session, who(), moment, "notices.webhook_chosen", before=told[0], after=told[1])
    flash(_("What the webhook gets is saved."))
    return redirect(url_for("admin.notices"), 303)  # type: ignore[return-value]


def _pressed() -> None:
    if not FlaskForm().validate_on_submit():
        abort(400)
