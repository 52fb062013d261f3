"""A task that a browser solves in about a second, and a program that wants thousands pays for: Altcha's, with SHA-256.

The format is Altcha's first one (https://altcha.org), so that whatever solves those solves ours; static/proof.js does. The
twenty lines that it takes are written here, since its own library has mostly other things in it.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from limits.strategies import RateLimiter

from tracker.web.rate_limits import asking_counter

# How many numbers there are to try. An old phone tries a hundred thousand in a second, a new one ten times as many.
NUMBERS = 200_000
LIVES = timedelta(hours=1)
# A donor who presses twice, or again because no answer came, sends the same solution for the same gift.
MOST_SENT = 5
# 64 letters and one: what stays the same from one number to the next fills a whole block of SHA-256.
SALT = re.compile(r"[0-9a-f]{32}\?expires=([0-9]{10})&for=([0-9a-f]{8})&")


@dataclass(frozen=True)
class Proof:
    """A solution that is right, and of a task of ours that is not too old. `challenge` names it."""

    challenge: str


def task(what: str, now: datetime) -> dict[str, Any]:
    """A new task, as Altcha writes it, that is good for one checkout of the campaign named `what`."""
    expires = int((now + LIVES).timestamp())
    salt = f"{secrets.token_hex(16)}?expires={expires}&for={_signed(what)[:8]}&"
    challenge = _challenge(salt, secrets.randbelow(NUMBERS))
    return {
        "algorithm": "SHA-256", "challenge": challenge, "maxnumber": NUMBERS, "salt": salt, "signature": _signed(challenge),
    }  # fmt: skip


def read_proof(sent: str, what: str, now: datetime) -> Proof | None:
    """The solution in what a form sent, base64 of Altcha's JSON; None when it is not one, or not for this."""
    try:
        told = json.loads(base64.b64decode(sent, validate=True))
        number, salt = told["number"], told["salt"]
        challenge, signature = str(told["challenge"]), str(told["signature"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    # Exactly the salt as we write it: otherwise digits could wander from the number into the time.
    parts = SALT.fullmatch(salt) if isinstance(salt, str) else None
    if parts is None or type(number) is not int or not 0 <= number <= NUMBERS or not challenge.isascii():
        return None
    good = (
        hmac.compare_digest(_signed(challenge), signature.encode("ascii", "replace").decode())
        and _challenge(salt, number) == challenge
        and int(parts[1]) > now.timestamp()
        and parts[2] == _signed(what)[:8]
    )
    return Proof(challenge) if good else None


def spend(proof: Proof, order: str) -> bool:
    """Whether the solution was not used before, but for this very order. Counted where the limits are counted."""

    def ask(counter: RateLimiter) -> bool:
        storage, seconds = counter.storage, int(LIVES.total_seconds())
        # In this order: whoever comes with another one at the same moment finds more uses than its own.
        mine = storage.incr(f"proof/{proof.challenge}/{order}", seconds)
        return storage.incr(f"proof/{proof.challenge}", seconds) <= mine <= MOST_SENT

    return asking_counter(ask)


def _challenge(salt: str, number: int) -> str:
    return hashlib.sha256(f"{salt}{number}".encode()).hexdigest()


def _signed(text: str) -> str:
    key = b"proof of work\0" + str(current_app.secret_key).encode()
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
