"""The signed links in mails: one confirms an address, one ends a kind of notice. Both work without signing in."""

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from tracker.ledger.outbox import mail_to
from tracker.web.site import settings

CONFIRM_WITHIN_SECONDS = 3 * 24 * 3600


def stop_link(reader: str, kind: str) -> str:
    """Good for as long as the secret key is: an old mail's link has to work, too."""
    return f"{settings().public_url}/notices/stop/{_stopping().dumps([reader, kind])}"


def read_stop(token: str) -> tuple[str, str] | None:
    """The reader and the kind; None if it is not one of our links."""
    try:
        reader, kind = _stopping().loads(token)
    except (BadSignature, ValueError):
        return None
    return str(reader), str(kind)


def confirm_link(reader: str, email: str) -> str:
    return f"{settings().public_url}/notices/confirm/{_confirming().dumps([reader, email])}"


def read_confirm(token: str) -> tuple[int, str] | None:
    """The account and the address; None if it is not one of our links, or older than three days."""
    try:
        reader, email = _confirming().loads(token, max_age=CONFIRM_WITHIN_SECONDS)
    except (BadSignature, ValueError):
        return None
    number = int(str(reader).removeprefix("mail:"))
    return (number, str(email)) if reader == mail_to(number) else None


def _stopping() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="notices-stop")


def _confirming() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="notices-confirm")
