"""Where the links in notices lead, without signing in: ending a kind of notice, and confirming an address.

Programs that look for viruses open every link in a mail, so opening one changes nothing: a press of the page's button does. Mail
programs press it by themselves when their reader presses theirs (RFC 8058).
"""

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext as _

from tracker.ledger import audit_log, outbox
from tracker.ledger.audit_log import Who
from tracker.ledger.store import reading, writing
from tracker.web.admin.notice_tokens import read_confirm, read_stop
from tracker.web.admin.notice_words import NAMES
from tracker.web.site import now

bp = Blueprint("notices", __name__, url_prefix="/notices")


@bp.after_request
def not_kept(response: Response) -> Response:
    """The address is as good as a key."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.route("/stop/<token>", methods=["GET", "POST"])
def stop(token: str) -> Response:
    """Ends one kind of notice, or all of them, for the reader whose mail the link is from. No redirect: RFC 8058, 3.1."""
    found = read_stop(token)
    if found is None:
        return _page(404, "unknown")
    reader, kind = found
    if request.method == "GET":
        return _page(200, "stop", kind=NAMES.get(kind, ""))
    everything = request.form.get("all") == "1"
    account = outbox.user_of(reader)
    with writing() as session:
        before = outbox.chosen_by(session, reader)
        after = [] if everything else [one for one in before if one != kind]
        outbox.choose(session, reader, after, now())
        audit_log.note(
            session, Who(account=account), now(), "notices.chosen", about=outbox.email_of(session, account or 0),
            before={"notices": before}, after={"notices": after},
        )  # fmt: skip
    return _page(200, "stopped", kind="" if everything else NAMES.get(kind, ""))


@bp.route("/confirm/<token>", methods=["GET", "POST"])
def confirm(token: str) -> Response:
    """Notes that whoever reads the mails at an account's address wants them."""
    found = read_confirm(token)
    with reading() as session:
        # The account may have another address by now, or be disabled.
        if found is None or outbox.email_of(session, found[0]) != found[1]:
            return _page(404, "unknown")
    number, email = found
    if request.method == "GET":
        return _page(200, "confirm", email=email)
    with writing() as session:
        if not outbox.is_confirmed(session, number, email):
            outbox.confirm(session, number, email, now())
            audit_log.note(session, Who(account=number), now(), "notices.confirmed", about=email)
    return _page(200, "confirmed", email=email)


def _page(status: int, what: str, **about: object) -> Response:
    titles = {
        "stop": _("Stop these notices?"), "stopped": _("These notices have stopped"),
        "confirm": _("Confirm your address"), "confirmed": _("Your address is confirmed"),
        "unknown": _("This link does not work any more"),
    }  # fmt: skip
    return make_response(render_template("admin/notice_link.html", what=what, title=titles[what], **about), status)
