"""The doctor and notices: is a way to send them set up, and did the last ones arrive."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from tracker.cli.doctor.findings import Finding, on
from tracker.settings import Settings


def findings(session: Session, settings: Settings) -> Iterator[Finding]:
    from tracker.ledger import outbox
    from tracker.web.admin import notice_sender

    ways = {
        "by e-mail": notice_sender.by_mail(settings),
        "to the webhook": notice_sender.by_webhook(settings),
    }
    if not any(ways.values()):
        yield Finding("ok", "notices", "No notices are set up (TRACKER_SMTP_URL, TRACKER_NOTICE_URL).")
        return
    for way, is_set_up in ways.items():
        last = outbox.newest_tried(session, settings.live, webhook=way == "to the webhook") if is_set_up else None
        if last and last.reason:
            at = on(last.ended_at or last.made_at)
            said = f" ({last.detail})" if last.detail else ""
            text = f"The newest notice {way}, from {at}, could not be sent. {notice_sender.REASONS[last.reason]}{said}"
            yield Finding("warning", "notices", text)
            return
    people = outbox.people(session)
    text = f"Notices are sent {' and '.join(way for way, is_set_up in ways.items() if is_set_up)}"
    yield Finding("ok", "notices", f"{text}; {people} {'person gets' if people == 1 else 'people get'} some by e-mail.")
