"""On one's own account page: which notices one wants, and the address that they go to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, abort, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_security import current_user
from flask_wtf import FlaskForm

from tracker.giving.notice_rules import KINDS, Due
from tracker.ledger import audit_log, outbox
from tracker.ledger.outbox import Notice
from tracker.ledger.store import end_reading, reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.notice_sender import REASONS, by_mail, send_now
from tracker.web.admin.notice_words import NAMES
from tracker.web.gates import leave_gate
from tracker.web.rate_limits import check_limit
from tracker.web.site import now, settings

# Nobody can have a stranger's mailbox filled: an account's address is its owner's word alone until it is confirmed.
CONFIRM_LIMIT = "5/hour"


@dataclass(frozen=True)
class Choices:
    """What the account page shows of notices."""

    chosen: Sequence[str]
    is_confirmed: bool
    asked: Notice | None
    """The newest mail with a link that confirms the address."""


@admin.context_processor
def for_account() -> dict[str, Callable[..., Any] | dict[str, Any]]:
    return {"notice_choices": own_choices, "notice_names": NAMES, "notice_reasons": REASONS}


def own_choices() -> Choices | None:
    """Of whoever is signed in; None while no mail can be sent, and there is nothing to choose."""
    if not by_mail(settings()):
        return None
    reader = outbox.mail_to(current_user.id)
    with reading() as session:
        asked = outbox.newest(session, settings().live, 1, reader=reader, kind="confirm")
        return Choices(
            outbox.chosen_by(session, reader),
            outbox.is_confirmed(session, current_user.id, current_user.email),
            next(iter(asked), None),
        )


@admin.post("/account/notices")
def choose_notices() -> Response:
    _pressed()
    moment, reader = now(), outbox.mail_to(current_user.id)
    after = [kind for kind in KINDS if request.form.get(kind) == "1"]
    with writing() as session:
        before = outbox.chosen_by(session, reader)
        outbox.choose(session, reader, after, moment)
        audit_log.note(
            session, who(), moment, "notices.chosen", about=current_user.email,
            before={"notices": before}, after={"notices": sorted(after)},
        )  # fmt: skip
        is_confirmed = outbox.is_confirmed(session, current_user.id, current_user.email)
    if after and not is_confirmed:
        return _ask_to_confirm(moment)
    flash(_("Your notices are saved."))
    return _back()


@admin.post("/account/notices/confirm")
def ask_to_confirm() -> Response:
    """Once more, such as after a mail that never came."""
    _pressed()
    return _ask_to_confirm(now())


def _ask_to_confirm(moment: datetime) -> Response:
    """Sends the link, and waits for what the mail server says: with no transaction open, and out of others' way."""
    number, email = current_user.id, current_user.email
    check_limit(CONFIRM_LIMIT, "notices.confirm", str(number))
    end_reading()
    leave_gate()
    problem = send_now(Due("confirm", moment.isoformat()), outbox.mail_to(number), moment)
    if problem is None:
        flash(
            _("A link is on its way to %(email)s. Open it and confirm your address to start your notices.", email=email)
        )
    else:
        flash(_("The link could not be sent yet. Pledgebar will keep trying."), "error")
    return _back()


def _pressed() -> None:
    if not by_mail(settings()):
        abort(404)
    if not FlaskForm().validate_on_submit():
        abort(400)


def _back() -> Response:
    return redirect(url_for("admin.account") + "#notices", 303)  # type: ignore[return-value]
