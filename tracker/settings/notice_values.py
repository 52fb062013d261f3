"""Reads the settings for notices: the mail server and the sender, and the address and the secret of the webhook."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import getaddresses
from typing import Literal
from urllib.parse import unquote, urlsplit

from tracker.settings.values import SettingsError, host_of, is_this_machine

PORTS = {"smtp": 587, "smtps": 465}
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""In bytes, as Standard Webhooks has it."""


@dataclass(frozen=True)
class Smtp:
    """A mail server, and how it is spoken to."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str = ""
    password: str = field(default="", repr=False)


def read_mail(url: str, sender: str) -> tuple[Smtp | None, str]:
    """The server and the sender; neither while neither is set."""
    if not url and not sender:
        return None, ""
    if not url or not sender:
        raise SettingsError("For notices by mail set both TRACKER_SMTP_URL and TRACKER_MAIL_FROM.")
    return _read_smtp(url), _read_sender(sender)


def _read_smtp(text: str) -> Smtp:
    # No message repeats the address: there may be a password in it.
    wrong = SettingsError("TRACKER_SMTP_URL cannot be read: write it as smtp://user:password@mail.example.org:587.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    named = re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+", host) and re.fullmatch(r"[!-~]+", text) and port != 0
    if parts.scheme not in PORTS or not named or parts.path.strip("/") or parts.fragment or text.count("@") > 1:
        raise wrong
    if parts.query not in ("", "tls=no"):
        raise SettingsError("TRACKER_SMTP_URL may only end in ?tls=no, or in nothing of the kind.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or not (user + password).isprintable():
        raise wrong
    here = is_this_machine(host)
    if parts.scheme == "smtps":
        if parts.query:
            raise SettingsError("TRACKER_SMTP_URL: smtps:// always uses TLS; for ?tls=no begin with smtp://.")
        security: Literal["tls", "starttls", "none"] = "tls"
    else:
        security = "none" if here or parts.query else "starttls"
    if security == "none" and password and not here:
        raise SettingsError(
            "TRACKER_SMTP_URL: a password is not sent to another machine without TLS. Leave out ?tls=no."
        )
    return Smtp(host, port or PORTS[parts.scheme], security, user, password)


def _read_sender(text: str) -> str:
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    user, _, domain = address.rpartition("@")
    good = re.fullmatch(r"[!#$%&'*+/=?^_`{|}~.A-Za-z0-9-]+@[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9]", address)
    if not good or not text.isprintable():
        raise SettingsError(
            "TRACKER_MAIL_FROM must be an address such as notices@example.org, or The Courier <notices@example.org>."
        )
    return str(Address(name, user, domain))


def read_notice_webhook(url: str, secret: str) -> tuple[str, str]:
    """The address and the secret; neither while neither is set. Addresses in one's own network are good."""
    if not url and not secret:
        return "", ""
    if not url or not secret:
        raise SettingsError("For the notices' webhook set both TRACKER_NOTICE_URL and TRACKER_NOTICE_SECRET.")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(host_of(url)) and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or not re.fullmatch(r"[!-~]+", url) or "#" in url:
        # Without the address: its path may be a secret of its own.
        raise SettingsError(
            "TRACKER_NOTICE_URL must be an address such as https://example.org/hook, without an @ or #."
        )
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith("whsec_") or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise SettingsError(
            "TRACKER_NOTICE_SECRET must be whsec_ and 24 to 64 random bytes in base64: "
            'echo "whsec_$(openssl rand -base64 32)" makes one.'
        )
    return url, secret
