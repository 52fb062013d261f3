"""Fetches a public page that an editor names, without being sent to places that only this machine can reach.

Whoever can sign in could otherwise have the server ask its own network. So each name is looked up once, every address
it has must be public, and the connection goes to exactly one of those; each redirect is treated in the same way.
"""

import codecs
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from flask_babel import gettext as _

PORTS = (80, 443, 8080, 8443)
MOST_REDIRECTS = 3
MOST_BYTES = 2 * 1024 * 1024
MOST_ADDRESSES = 4
SECONDS = 8.0
CONNECT_SECONDS = 3.0
# Kept for protocols; older Pythons call most of it public.
IETF = ipaddress.IPv4Network("192.0.0.0/24")
TYPES = ("text/html", "application/xhtml+xml")


class NotFetched(Exception):
    """Why there is no page to look at, in a sentence for the editor."""


@dataclass(frozen=True)
class Fetched:
    """A page as its server sent it: `url` is where the redirects led, `policies` its Content-Security-Policy headers."""

    url: str
    html: str
    policies: tuple[str, ...] = ()


def fetch(url: str, *, also: Collection[str] = (), agent: str = "Pledgebar", seconds: float = SECONDS) -> Fetched:
    """The page at an address, with redirects followed. Raises NotFetched.

    `also` are origins that may be asked although they are not public. `seconds` is for everything together.
    """
    until = time.monotonic() + seconds
    for _redirect in range(MOST_REDIRECTS + 1):
        parts = read_address(url)
        answer = _ask(parts, also, agent, until)
        if isinstance(answer, Fetched):
            return answer
        try:
            url = urljoin(parts.geturl(), answer)
        except ValueError:
            raise NotFetched(_("The site redirects readers to something that is not an address.")) from None
    raise NotFetched(
        _("The address redirects more than %(times)s times: paste the one where it ends.", times=MOST_REDIRECTS)
    )


def read_address(url: str) -> SplitResult:
    """An address as a browser would ask for it, its name in ASCII and without a fragment. Raises NotFetched."""
    # Browsers drop these and read a backslash as a slash; two readings of one address are one too many.
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise NotFetched(_("There are spaces or characters in the address that do not belong in one."))
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = parts.port
    except ValueError:  # half an IPv6 address, a port that is none, a name that is too long
        raise NotFetched(_("That is not an address. Write it as https://news.example.org/article.")) from None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise NotFetched(_("That is not the address of a page. It starts with https:// or http:// and a name."))
    if "@" in parts.netloc:
        raise NotFetched(
            _("There is a name or a password in the address: only pages that everybody can read are fetched.")
        )
    shown = f"[{host}]" if ":" in host else host
    netloc = f"{shown}:{port}" if port not in (None, 443 if parts.scheme == "https" else 80) else shown
    path, query = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~"), quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    return SplitResult(parts.scheme, netloc, path, query, "")


def origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet's, and not one behind which another one hides."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(str(address.ipv4_mapped))
        # All of today's public IPv6 is in 2000::/3; outside are, among others, translations of private IPv4.
        if int(address) >> 125 != 1 or address.sixtofour or address.teredo:
            return False
    elif address in IETF:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


# --- One request ------------------------------------------------------------------------------------------------------


def _ask(parts: SplitResult, also: Collection[str], agent: str, until: float) -> Fetched | str:
    """The page, or the address that it has moved to."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    known = origin(parts) in also
    if not known and port not in PORTS:
        raise NotFetched(
            _("Only the ports %(ports)s are asked, not %(port)s.", ports=", ".join(map(str, PORTS)), port=port)
        )
    host = parts.hostname or ""
    addresses = _addresses(host, port, until)
    if not known and not all(is_public(address[0]) for _, address in addresses):
        raise NotFetched(
            _(
                "%(host)s is not a public address. If this is a site of your own, name %(site)s in TRACKER_CHECK_ALSO.",
                host=host,
                site=origin(parts),
            )
        )
    with ExitStack() as stack:
        raw = stack.enter_context(_connected(addresses, until))
        # Whatever is still going on when the time is over, and however slowly it drips: the line is cut.
        cut = stack.enter_context(raw.dup())
        timer = threading.Timer(max(until - time.monotonic(), 0), _shut, [cut])
        timer.daemon = True
        timer.start()
        stack.callback(timer.cancel)
        try:
            line = stack.enter_context(_secured(raw, host)) if parts.scheme == "https" else raw
            answer = _answer(line, parts, agent)
        except ssl.SSLCertVerificationError as error:
            words = _("The certificate of %(host)s is not valid: %(why)s.", host=host, why=error.verify_message)
            raise NotFetched(words) from None
        except NotFetched:
            # What was cut in the middle may look like any kind of trouble, and even like a whole answer.
            if time.monotonic() >= until:
                raise _too_slow(host) from None
            raise
        except (OSError, http.client.HTTPException, zlib.error):
            if time.monotonic() >= until:
                raise _too_slow(host) from None
            raise NotFetched(_("%(host)s broke off, or sent something other than a web page.", host=host)) from None
        if time.monotonic() >= until:
            raise _too_slow(host)
        return answer


def _addresses(host: str, port: int, until: float) -> list[tuple[int, tuple[str, int]]]:
    """Every address of a name, as (family, (address, port)); looked up once, so that a second answer changes nothing."""
    found: list[tuple[int, tuple[str, int]]] = []
    # The system's look-up cannot be hurried, so it is left behind when it takes too long.
    thread = threading.Thread(target=_look_up, args=(host, port, found), daemon=True)
    thread.start()
    thread.join(max(until - time.monotonic(), 0))
    if thread.is_alive():
        raise _too_slow(host)
    if not found:
        raise NotFetched(_("There is no %(host)s: please check the address.", host=host))
    return found


def _look_up(host: str, port: int, found: list[tuple[int, tuple[str, int]]]) -> None:
    try:
        told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    found[:] = [(family, (str(address[0]), port)) for family, *_rest, address in told]


def _connected(addresses: list[tuple[int, tuple[str, int]]], until: float) -> socket.socket:
    host = addresses[0][1][0]
    for family, address in addresses[:MOST_ADDRESSES]:
        left = until - time.monotonic()
        if left <= 0:
            raise _too_slow(host)
        line = socket.socket(family, socket.SOCK_STREAM)
        line.settimeout(min(CONNECT_SECONDS, left))
        try:
            line.connect(address)
        except OSError:
            line.close()
            continue
        return line
    raise NotFetched(_("Nobody answers at that address."))


def _secured(raw: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(raw, server_hostname=host)


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:  # over already
        return


def _answer(line: socket.socket, parts: SplitResult, agent: str) -> Fetched | str:
    line.settimeout(SECONDS)
    connection = http.client.HTTPConnection(parts.netloc)
    # Ours, to the address that was looked at: left to itself it would look the name up again.
    connection.sock = line
    headers = {"Host": parts.netloc, "User-Agent": agent, "Accept": "text/html", "Accept-Encoding": "gzip, identity"}
    headers["Connection"] = "close"
    connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
    with connection.getresponse() as response:
        if response.status in (301, 302, 303, 307, 308) and response.headers["Location"]:
            return response.headers["Location"]
        if response.status != 200:
            raise NotFetched(_meaning(response.status))
        kind = response.headers.get_content_type()
        if kind not in TYPES:
            raise NotFetched(_("There is a file at that address (%(kind)s), not a page.", kind=kind))
        body = _body(response)
        charset = response.headers.get_content_charset() or "utf-8"
        policies = response.headers.get_all("Content-Security-Policy") or []
    return Fetched(parts.geturl(), _text(body, charset), tuple(policies))


def _meaning(status: int) -> str:
    if status in (401, 402, 403, 451):
        return _(
            "The site answers %(status)s at that address, as if the reader were not allowed to see it. Is it behind a"
            " paywall, or does the site turn programs away?",
            status=status,
        )
    if status in (404, 410):
        return _("The site answers %(status)s at that address. Has the article been published?", status=status)
    return _("The site answers %(status)s at that address.", status=status)


def _body(response: http.client.HTTPResponse) -> bytes:
    """The page's bytes, unpacked, as many as are allowed and not one more in memory."""
    packing = (response.headers["Content-Encoding"] or "identity").strip().lower()
    if packing not in ("identity", "gzip", "x-gzip"):
        raise NotFetched(_("The site compresses its page in a way that nobody asked for (%(how)s).", how=packing[:20]))
    unpack = None if packing == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 16)
    body = b""
    while part := response.read1(65_536):
        body += unpack.decompress(part, MOST_BYTES + 1 - len(body)) if unpack else part
        if len(body) > MOST_BYTES:
            raise NotFetched(_("The page is larger than %(size)s MB.", size=MOST_BYTES // 1024 // 1024))
    if response.length or (unpack and not unpack.eof):
        raise http.client.IncompleteRead(b"")
    return body


def _text(body: bytes, charset: str) -> str:
    try:
        codecs.lookup(charset)
        return body.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def _too_slow(host: str) -> NotFetched:
    return NotFetched(_("%(host)s did not send the page in time.", host=host))
