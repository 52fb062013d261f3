"""The audit log as a page: who changed what and when, newest first, with filters."""

from datetime import date

from flask import render_template, request, url_for
from flask_babel import lazy_gettext

from tracker.ledger import audit_log, campaigns
from tracker.ledger.store import reading
from tracker.web.admin.blueprint import admin
from tracker.web.admin.signin import accounts

COMMANDS = "commands"
ACTIONS = {
    "campaign.made": lazy_gettext("Campaign created"),
    "campaign.changed": lazy_gettext("Campaign settings changed"),
    "campaign.archived": lazy_gettext("Campaign archived"),
    "campaign.resumed": lazy_gettext("Campaign takes gifts again"),
    "goal.set": lazy_gettext("Goal set"),
    "goal.people_set": lazy_gettext("Goal in people set"),
    "month.closed": lazy_gettext("Month closed"),
    "month.reopened": lazy_gettext("Month reopened"),
    "appeal.saved": lazy_gettext("Drive or match saved"),
    "appeal.ended": lazy_gettext("Drive or match ended"),
    "appeal.deleted": lazy_gettext("Drive or match deleted"),
    "gift.offline": lazy_gettext("Offline gift recorded"),
    "gift.offline_reversed": lazy_gettext("Offline gift reversed"),
    "gift.given_back": lazy_gettext("Money recorded as given back"),
    "gift.given_back_undone": lazy_gettext("Money given back: reversed"),
    "gift.note_written": lazy_gettext("Note written"),
    "gift.note_deleted": lazy_gettext("Note deleted"),
    "gift.imported": lazy_gettext("Gifts imported"),
    "supporter.shown": lazy_gettext("Name or message shown"),
    "supporter.hidden": lazy_gettext("Name or message hidden"),
    "protection.set": lazy_gettext("Protection changed"),
    "donors.exported": lazy_gettext("Donors of a year listed"),
    "newsletter.listed": lazy_gettext("Newsletter addresses listed"),
    "account.made": lazy_gettext("Account created"),
    "account.invited": lazy_gettext("Person invited"),
    "account.invitation_withdrawn": lazy_gettext("Invitation withdrawn"),
    "account.role": lazy_gettext("Role changed"),
    "account.disabled": lazy_gettext("Account disabled"),
    "account.enabled": lazy_gettext("Account enabled"),
    "account.sessions_ended": lazy_gettext("Sessions ended"),
    "account.password_reset": lazy_gettext("New password set by a command"),
    "account.reset": lazy_gettext("Account reset"),
    "person.exported": lazy_gettext("Personal data exported"),
    "person.erased": lazy_gettext("Personal data erased"),
    "notices.chosen": lazy_gettext("Notices chosen"),
    "notices.confirmed": lazy_gettext("Address for notices confirmed"),
    "notices.webhook_chosen": lazy_gettext("Notices for the webhook chosen"),
    "ledger.rebuilt": lazy_gettext("Totals recalculated"),
    "ledger.restored": lazy_gettext("Database restored from a backup"),
    "stripe.synced": lazy_gettext("Reconciled with Stripe"),
    "stripe.webhook_registered": lazy_gettext("Webhook registered at Stripe"),
    "stripe.portal_set_up": lazy_gettext("Customer portal set up"),
}
"""The actions in words. One that is not here is shown by its name."""


@admin.get("/audit")
def audit() -> str:
    """Ignores filters that cannot be read: they only come from the page's own form."""
    given = {name: request.args.get(name, "").strip() for name in ("who", "campaign", "action", "from", "to")}
    account = given["who"]
    wanted = audit_log.Filter(
        account=int(account) if account.isascii() and account.isdigit() and len(account) < 10 else None,
        commands=account == COMMANDS,
        campaign=given["campaign"].replace("\0", ""),
        action=given["action"].replace("\0", ""),
        first=_day(given["from"]),
        last=_day(given["to"]),
    )
    after = request.args.get("before", "")
    with reading() as session:
        lines = audit_log.lines(
            session, wanted, int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None,
            audit_log.PAGE + 1,
        )  # fmt: skip
        every = campaigns.every(session)
    older = ""
    if len(lines) > audit_log.PAGE:
        lines = lines[: audit_log.PAGE]
        older = url_for("admin.audit", **{**given, "before": str(lines[-1].id)})
    return render_template(
        "admin/audit.html", lines=lines, given=given, older=older, newest=not after, actions=ACTIONS, every=every,
        everybody=accounts.every(),
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    # There is no day after the last possible date.
    return found if found < date.max else None
