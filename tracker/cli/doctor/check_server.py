"""The doctor at the public address: does this installation answer there, is it able to work, and what is in front of it."""

import secrets
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError

from tracker.cli.doctor.findings import NGINX, Finding
from tracker.settings import Settings, address_problem

# Behind one address there may be several nodes.
TIMES = 3
SECONDS = 10.0
MOST_BYTES = 10_000


@dataclass(frozen=True)
class Told:
    """What came of asking. `route` is how the question came to the app; None where nobody answered it."""

    findings: list[Finding]
    route: Any = None


class _NotAnswered(Exception):
    """Why there is no answer from this installation, in a sentence."""


def ask(settings: Settings) -> Told:
    found = [_address(settings)]
    diagnosis = None
    try:
        for _ in range(TIMES):
            diagnosis = _diagnosis(settings)
            if diagnosis.problem:
                break
    except _NotAnswered as error:
        return Told([*found, Finding("error", "server", str(error))])
    assert diagnosis is not None
    if diagnosis.problem:
        found.append(
            Finding("error", "server", f"The server at {settings.public_url} cannot work: {diagnosis.problem}")
        )
    else:
        found.append(Finding("ok", "server", f"This installation answers at {settings.public_url}, and can work."))
    found += _as_started(settings, diagnosis)
    found += _in_front(settings, diagnosis)
    return Told(found, diagnosis.route)


def _address(settings: Settings) -> Finding:
    problem = address_problem(settings.public_url)
    if not problem:
        return Finding("ok", "public-address", f"The public address is {settings.public_url}.")
    if settings.live:
        text = f"Neither readers nor Stripe can reach {settings.public_url}: {problem} Set TRACKER_PUBLIC_URL."
        return Finding("error", "public-address", text)
    if settings.is_rehearsal:
        return Finding(
            "ok", "public-address", f"The address is {settings.public_url}, for rehearsing with the sandbox."
        )
    text = f"{settings.public_url} is for trying things out: {problem} Set TRACKER_PUBLIC_URL before going live."
    return Finding("warning", "public-address", text)


# --- Asking -----------------------------------------------------------------------------------------------------------


def _diagnosis(settings: Settings) -> Any:
    from urllib.parse import quote

    from tracker.web.health import question, read_diagnosis

    nonce = secrets.token_hex(16)
    text = _get(f"{settings.public_url}/healthz?doctor={quote(question(settings, nonce))}")
    found = read_diagnosis(settings, nonce, text)
    if found:
        return found
    if text.strip() == "alive":
        raise _NotAnswered(
            f"At {settings.public_url} a Pledgebar with another secret key answers: give all nodes the same TRACKER_SECRET_KEY."
        )
    raise _NotAnswered(
        f"At {settings.public_url} something else answers: check TRACKER_PUBLIC_URL and the proxy in front."
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        raise _NotAnswered(
            f"{_origin(req.full_url)} leads elsewhere, to {newurl.partition('?')[0]}: set TRACKER_PUBLIC_URL to that."
        )


def _get(url: str) -> str:
    """What stands at an address. Raises _NotAnswered with a sentence."""
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            return str(answer.read(MOST_BYTES).decode("utf-8", "replace"))
    except HTTPError as error:
        with error:
            behind = ": the proxy is there, and Pledgebar behind it is not" if error.code in (502, 503, 504) else ""
            raise _NotAnswered(f"{_origin(url)} answers {error.code}{behind}. Is “tracker serve” running?") from None
    except URLError as error:
        raise _NotAnswered(f"{_origin(url)} does not answer: {_why(error.reason)}") from None
    except (OSError, HTTPException) as error:
        raise _NotAnswered(f"{_origin(url)} does not answer: {_why(error)}") from None


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _why(reason: object) -> str:
    match reason:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({reason.verify_message}). Get a new one, and reload the proxy in front."
        case ConnectionRefusedError():
            return "nobody listens there. Is “tracker serve” running, and the proxy in front?"
        case TimeoutError():
            return f"nothing came within {SECONDS:.0f} seconds."
        case OSError() if reason.strerror:
            return f"{reason.strerror}."
    return f"{type(reason).__name__}."


# --- What was answered ------------------------------------------------------------------------------------------------


def _as_started(settings: Settings, diagnosis: Any) -> Iterator[Finding]:
    from tracker.web.site import VERSION

    if diagnosis.version != VERSION:
        text = f"The server still runs version {diagnosis.version}, and {VERSION} is installed: restart it."
        yield Finding("warning", "server-version", text)
    elif diagnosis.settings_mark != settings.mark:
        text = "The settings have changed since the server was started: restart it, or send it a HUP."
        yield Finding("warning", "server-settings", text)
    if not diagnosis.host_is_ours:
        text = f"The proxy in front passes on a different Host header, and all pages are refused: see {NGINX}."
        yield Finding("error", "hosts", text)


def _in_front(settings: Settings, diagnosis: Any) -> Iterator[Finding]:
    """Whom the limits count, told from a request that is known to have no header of its own."""
    route, told = diagnosis.route, settings.proxies
    if route.written and not route.is_proxy:
        text = (
            f"Requests come from {route.peer}, a public address, and what it says about who is asking is not believed: "
            f"if it is a proxy of yours, set TRACKER_PROXIES={route.written} {route.peer}"
        )
        yield Finding("error", "proxies", text)
    elif not route.written and route.is_proxy and settings.secure:
        text = (
            f"The proxy in front does not say who is asking, so no limit works: have it set X-Forwarded-For ({NGINX})."
        )
        yield Finding("error", "proxies", text)
    elif route.written != (told if told is not None else int(route.this_machine and route.written > 0)):
        known = "one on this machine" if told is None else told
        text = (
            f"Requests come through {route.written} {'proxy' if route.written == 1 else 'proxies'}, and TRACKER_PROXIES says "
            f"{known}: everybody shares one limit, or can choose their own. Set TRACKER_PROXIES={route.written}"
        )
        yield Finding("error", "proxies", text)
    elif not _is_address(route.person):
        text = f"What the proxy in front writes into X-Forwarded-For is not an address: set it as in {NGINX}."
        yield Finding("error", "proxies", text)
    else:
        how = f"through {route.written} of your proxies" if route.written else "without a proxy"
        yield Finding("ok", "proxies", f"Requests come {how}, and each person is counted separately.")


def _is_address(text: str) -> bool:
    from tracker.web.proxies import read_address

    return read_address(text) is not None
