"""What a page's Content Security Policy lets it load (CSP Level 3), so far as the bar is concerned."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

# Each kind of thing, and where a policy that does not name it says what holds for it instead.
FALLBACKS = {
    "frame-src": ("frame-src", "child-src", "default-src"),
    "script-src": ("script-src-elem", "script-src", "default-src"),
    "connect-src": ("connect-src", "default-src"),
    "img-src": ("img-src", "default-src"),
}
PORTS = {"http": 80, "https": 443}

Policy = dict[str, list[str]]


def read_policies(values: Sequence[str]) -> list[Policy]:
    """The policies of some header values or meta elements; one value may hold several, and each of them must allow."""
    return [policy for value in values for one in value.split(",") if (policy := _read(one))]


def _read(text: str) -> Policy:
    policy: Policy = {}
    for part in text.split(";"):
        name, *sources = part.split() or [""]
        if name:
            # The first of a name counts.
            policy.setdefault(name.lower(), sources)
    return policy


def objection(policies: Sequence[Policy], kind: str, url: str, page: str, nonce: str = "") -> str:
    """The directive that forbids a page to load something, such as `default-src`; empty when nothing does.

    `kind` is `frame-src`, `script-src`, `connect-src` or `img-src`; a script may have the page's `nonce`.
    """
    for policy in policies:
        name = next((name for name in FALLBACKS[kind] if name in policy), "")
        if name and not allowed(policy[name], url, page, nonce if kind == "script-src" else ""):
            return name
    return ""


def upgraded(policies: Sequence[Policy]) -> bool:
    """Whether browsers ask by https for what the page names by http."""
    return any("upgrade-insecure-requests" in policy for policy in policies)


def allowed(sources: Sequence[str], url: str, page: str, nonce: str = "") -> bool:
    """Whether a list of sources, as in `frame-src` or `frame-ancestors`, lets a page at `page` have `url`."""
    if nonce and f"'nonce-{nonce}'" in sources:
        return True
    if "'strict-dynamic'" in (source.lower() for source in sources):
        # Then only what has the page's nonce or hash is let in, whatever else is named.
        return False
    return any(_matches(source, urlsplit(url), urlsplit(page)) for source in sources)


def _matches(source: str, url: SplitResult, page: SplitResult) -> bool:
    source = source.lower()
    if source == "*":
        return url.scheme in PORTS or url.scheme == page.scheme
    if source == "'self'":
        return _same_host(url, page) and _scheme_fits(page.scheme, url.scheme)
    if match := re.fullmatch(r"([a-z][a-z0-9+.-]*):", source):
        return _scheme_fits(match[1], url.scheme)
    match = re.fullmatch(
        r"(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(\*|\d+))?(/.*)?", source
    )
    if not match:
        return False
    scheme, host, port, path = match.groups()
    return (
        _scheme_fits(scheme or page.scheme, url.scheme)
        and _host_fits(host, url.hostname or "")
        and _port_fits(port, scheme or page.scheme, url)
        and (not path or path == "/" or (url.path.startswith(path) if path.endswith("/") else url.path == path))
    )


def _same_host(one: SplitResult, other: SplitResult) -> bool:
    return one.hostname == other.hostname and (
        _port(one) == _port(other) or {_port(one), _port(other)} == set(PORTS.values())
    )


def _scheme_fits(named: str, asked: str) -> bool:
    return named == asked or (named == "http" and asked == "https")


def _host_fits(named: str, asked: str) -> bool:
    if named == "*":
        return True
    return asked.endswith(named[1:]) if named.startswith("*.") else asked == named.strip("[]")


def _port_fits(named: str | None, scheme: str, url: SplitResult) -> bool:
    if named == "*":
        return True
    if named is None:
        return _port(url) == PORTS.get(url.scheme)
    return int(named) == _port(url) or (named == "80" and scheme == "http" and _port(url) == 443)


def _port(url: SplitResult) -> int:
    return url.port or PORTS.get(url.scheme, 0)
