"""What somebody wrote is not lost when their session has ended meanwhile: it is there again once they have signed in.

Only for a person who has signed in in this browser before, and for half a day. It lies in the database encrypted, with
a key that the browser's cookie has and nobody else.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from cryptography.fernet import Fernet
from flask import current_app, request, session
from flask_security import current_user
from sqlalchemy import delete, select

from tracker.ledger.models import db
from tracker.ledger.user_models import UnsentFormRow, UserRow
from tracker.web.admin.signin.personal import is_personal
from tracker.web.site import now

KEPT = timedelta(hours=12)
# Of one person; the older ones go.
MOST = 5
MOST_IN_A_COOKIE = 3
# The field that says that a form was kept, and which one it was.
MARK = "unsent"
# Tokens are made again, and pages where passwords are typed are never kept.
NEVER_KEPT = ("csrf_token", MARK)


@dataclass(frozen=True)
class Unsent:
    """A form as it was sent: to which address, and every field with what was in it."""

    mark: str
    address: str
    fields: list[tuple[str, str]]


def keep() -> bool:
    """Keeps the form that this request has sent, for whoever signed in last in this browser; says whether it did."""
    if is_personal() or not session.get("known"):
        return False
    fields = [(name, text) for name, text in request.form.items(multi=True) if name not in NEVER_KEPT]
    person = session["known"][-1]
    user = db.session.get(UserRow, person)
    if not fields or user is None or not user.active:
        return False
    key, moment = Fernet.generate_key(), now()
    body = json.dumps({"address": request.full_path.rstrip("?"), "fields": fields}).encode()
    earlier = db.session.scalars(
        select(UnsentFormRow.key_hash).where(UnsentFormRow.user_id == person).order_by(UnsentFormRow.at.desc())
    ).all()
    db.session.execute(
        delete(UnsentFormRow).where(
            (UnsentFormRow.at < moment - KEPT) | UnsentFormRow.key_hash.in_(earlier[MOST - 1 :])
        )
    )
    db.session.add(
        UnsentFormRow(key_hash=_hash(key.decode()), user_id=person, at=moment, body=Fernet(key).encrypt(body))
    )
    db.session.commit()
    session["unsent"] = [*session.get("unsent", []), [user.id, int(moment.timestamp()), key.decode()]][
        -MOST_IN_A_COOKIE:
    ]
    return True


def is_waiting() -> bool:
    """Whether something waits in this browser for the person who is signed in, as the cookie alone tells."""
    return bool(_keys(current_user))


def waiting(user: UserRow) -> list[Unsent]:
    """What waits in this browser for this person, the newest last."""
    found = []
    for key in _keys(user):
        row = db.session.get(UnsentFormRow, _hash(key))
        if row is None:
            _forget(_hash(key))
        elif row.user_id == user.id:
            kept = json.loads(Fernet(key).decrypt(row.body))
            found.append(Unsent(row.key_hash, kept["address"], [(name, text) for name, text in kept["fields"]]))
    return found


def drop(mark: str) -> None:
    """Forgets one that has been sent, or is not wanted any more."""
    if mark in [_hash(key) for key in _keys(current_user)]:
        _forget(mark)
        db.session.execute(delete(UnsentFormRow).where(UnsentFormRow.key_hash == mark))
        db.session.commit()


def has_arrived() -> None:
    """Forgets the one that this request has brought to its page, if any."""
    if MARK in request.form:
        drop(request.form[MARK])


def _keys(user: UserRow) -> list[str]:
    oldest = (now() - KEPT).timestamp()
    return [key for person, at, key in session.get("unsent", []) if person == user.id and at >= oldest]


def _forget(mark: str) -> None:
    session["unsent"] = [one for one in session["unsent"] if _hash(one[2]) != mark]


def _hash(key: str) -> str:
    secret = str(current_app.secret_key)
    return hashlib.sha256(f"{secret}\0{key}".encode()).hexdigest()
