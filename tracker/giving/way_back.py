"""The way back to the article that a supporter came from: only to hosts that the campaign names, and only its path."""

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from tracker.giving.refusals import Refusal

LONGEST = 500
MOST_HOSTS = 20
# They are on the reader's own machine, where a news site that is being built has no certificate.
THIS_MACHINE = ("localhost", "127.0.0.1")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


def read_back(text: str, hosts: Iterable[str]) -> str:
    """The article's address as it may be linked to, without query and fragment; empty where it is not allowed.

    `https` on the standard port of a named host; `http` and any port on this machine, where that is named. Never raises.
    """
    # What browsers would quietly mend, such as a backslash for a slash, could lead elsewhere than it seems to here.
    if not text or len(text) > LONGEST or re.search(r"[\s\\\x00-\x1f\x7f]", text):
        return ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # half an IPv6 address, or a port that is none
        return ""
    host = parts.hostname or ""
    if not host or "@" in parts.netloc or host not in hosts:
        return ""
    is_here = host in THIS_MACHINE
    if parts.scheme != "https" and not (is_here and parts.scheme == "http"):
        return ""
    if not is_here and port not in (None, 443):
        return ""
    # Letters as they stand, and what browsers have escaped already.
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    back = f"{parts.scheme}://{host}{f':{port}' if port and is_here else ''}{path}"
    return back if len(back) <= LONGEST else ""


def read_hosts(text: str) -> tuple[str, ...]:
    """Host names from what was typed or pasted, with spaces, commas or lines between: of an address its host. Never raises."""
    return tuple(dict.fromkeys(_host_of(part) for part in re.split(r"[\s,;]+", text) if part))


def _host_of(text: str) -> str:
    text = text.strip().lower()
    try:
        host = urlsplit(text if "://" in text else f"https://{text}").hostname or text
        return host.removesuffix(".").encode("idna").decode()
    except (ValueError, UnicodeError):
        return text


def check_hosts(hosts: tuple[str, ...]) -> None:
    """Raises ValueError with a sentence for the owner when a list of hosts cannot work."""
    if len(hosts) > MOST_HOSTS:
        raise Refusal("List %(most)s sites at most.", most=MOST_HOSTS)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise Refusal("“%(text)s” is not the name of a site. Write it as www.example.org.", text=host[:60])
