"""Posts a notice to a program of the newsroom's, signed as Standard Webhooks has it (docs/notices.md says how to check it)."""

import base64
import hashlib
import hmac
import ssl
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from tracker.web.notices.not_sent import NotSent
from tracker.web.site import VERSION

SECONDS = 10


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, joined with full stops: `v1,` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class _StayHere(urllib.request.HTTPRedirectHandler):
    """What was meant for one address goes to no other."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def post(url: str, secret: str, message_id: str, timestamp: int, body: bytes) -> None:
    """Posts the JSON. Raises NotSent unless the answer is 2xx."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Pledgebar/{VERSION}",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }
    # The operator chose the address, so it may be in their own network.
    asked = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310
    try:
        # Of the answer, only the first line matters.
        urllib.request.build_opener(_StayHere).open(asked, timeout=SECONDS).close()
    except HTTPError as error:
        with error:
            _refuse(error)
    except URLError as error:
        raise _not_sent(error.reason) from error
    except (OSError, HTTPException) as error:
        raise _not_sent(error) from error


def _refuse(error: HTTPError) -> None:
    said = f"{error.code} {error.reason}"
    if error.code == 410:
        # “Gone”: the receiver wants no more of these.
        raise NotSent("gone", said, for_good=True, for_all=True) from error
    raise NotSent("redirect" if 300 <= error.code < 400 else "status", said, for_all=error.code >= 500) from error


def _not_sent(reason: object) -> NotSent:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return NotSent("bad_certificate", reason.verify_message, for_all=True)
    if isinstance(reason, OSError) and reason.strerror:
        return NotSent("no_answer", reason.strerror, for_all=True)
    return NotSent("no_answer", str(reason) or type(reason).__name__, for_all=True)
