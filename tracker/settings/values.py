"""Reads the value of one setting after the other, and says in a sentence what is wrong with it."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from limits import parse_many
from limits.storage import SCHEMES
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

# Checkout moves to the second when a session says submit_type=donate.
STRIPE_CHECKOUT = ("https://checkout.stripe.com", "https://donate.stripe.com")


class SettingsError(Exception):
    """A setting that cannot be used, in a sentence for the owner."""


def read_address(name: str, text: str) -> str:
    """`https://give.example.org`, without a slash at its end."""
    try:
        parts = urlsplit(text)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:  # a port that is none, or half an IPv6 address
        host = None
    # A host in capitals or with letters of its own is spelled differently by browsers, which compare.
    good = host and re.fullmatch(r"(\*\.)?[a-z0-9_.-]+|[0-9a-f:.]+", host) and re.fullmatch(r"[!-~]+", text)
    if "@" in text:
        # Without the text: there may be a password in it.
        raise SettingsError(f"{name} must be an address such as https://give.example.org, without an @ in it.")
    if not good or parts.scheme not in ("http", "https") or re.search(r"[?#\\]", text):
        raise SettingsError(f"{name} must be an address such as https://give.example.org, not “{text}”.")
    if "*" in text and name != "TRACKER_EMBED_ON":
        raise SettingsError(f"{name} must be one address such as https://give.example.org, not “{text}”.")
    if parts.path.strip("/") and name == "TRACKER_PUBLIC_URL":
        raise SettingsError(f"{name} must have no path: give Pledgebar a host of its own, such as give.example.org.")
    return f"{parts.scheme}://{parts.netloc.lower().rstrip(':')}{parts.path.rstrip('/')}"


def host_of(address: str) -> str:
    return urlsplit(address).hostname or ""


def read_hosts(text: str) -> Iterable[str]:
    for name in text.lower().split():
        if host_of(read_address("TRACKER_HOSTS", f"http://{name}")) != name.strip("[]"):
            raise SettingsError(f"TRACKER_HOSTS takes names such as give.example.org, without a port, not “{name}”.")
        yield name.strip("[]")


def check_api_base(address: str, live: bool) -> None:
    """A key must not travel in the clear, but for a sandbox's on this machine."""
    if not address.startswith("http://"):
        return
    if live:
        raise SettingsError("With a live Stripe key STRIPE_API_BASE must begin with https://, or not be set at all.")
    if not is_this_machine(host_of(address)):
        raise SettingsError("STRIPE_API_BASE may only begin with http:// for a sandbox on this machine: use https://.")


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address means the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_proxies(text: str, public_url: str) -> tuple[int | None, tuple[str, ...]]:
    if not text:
        # The app speaks no TLS, so something in front of it does.
        return (None if public_url.startswith("https://") else 0), ()
    number, *networks = text.split()
    for one in networks:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise SettingsError(
                f"TRACKER_PROXIES names “{one}”, which is not an address or a network: write it as 1 203.0.113.7."
            ) from None
    return read_number("TRACKER_PROXIES", number, 0, 9), tuple(networks)


def read_database_url(text: str, instance: Path) -> str:
    if not text:
        return f"sqlite:///{instance / 'pledgebar.sqlite3'}"
    scheme, separator, rest = text.partition("://")
    kind = scheme.partition("+")[0] if separator else ""
    if kind in ("postgres", "postgresql"):
        if rest.count("@") > 1 or re.search(r"\?[^@]*=[^@]*@", rest):
            # What is then taken for the host appears in messages, and may be half of a password.
            raise SettingsError(
                "TRACKER_DATABASE_URL cannot be read: in a name or a password write @ as %40, : as %3A, / as %2F, "
                "? as %3F and % as %25."
            )
        made = f"postgresql+psycopg://{_several_hosts(rest)}"
        try:
            url = make_url(made)
            # Whether hosts and ports can belong together is only seen here.
            url.get_dialect()().create_connect_args(url)
        except (ArgumentError, ValueError):
            # Without the text: there is a password in it.
            raise SettingsError(
                "TRACKER_DATABASE_URL cannot be read: write it as postgresql://user@host/name."
            ) from None
        return made
    if kind == "sqlite":
        path = text.removeprefix("sqlite:///")
        if path == text or not path or path == ":memory:":
            raise SettingsError("TRACKER_DATABASE_URL for SQLite must name a file: sqlite:////absolute/path.sqlite3.")
        return text if Path(path).is_absolute() else f"sqlite:///{instance / path}"
    raise SettingsError("TRACKER_DATABASE_URL must begin with sqlite:/// or postgresql://.")


def _several_hosts(rest: str) -> str:
    """`user@one:5432,two:5432/name`, as PostgreSQL writes servers of which one takes over, in SQLAlchemy's way."""
    who, at, rest = rest.rpartition("@")
    before, _, query = rest.partition("?")
    where, slash, name = before.partition("/")
    asked = query.split("&") if query else []
    if "," in where:
        each = [host.rpartition(":") if ":" in host else (host, "", "") for host in where.split(",")]
        asked.append("host=" + ",".join(host.strip("[]") for host, _, _ in each))
        asked.append("port=" + ",".join(port or "5432" for _, _, port in each))
        before = f"{slash}{name}"
    hosts = [part for part in asked if part.startswith("host=")]
    if (len(hosts) > 1 or "," in "".join(hosts)) and "target_session_attrs=" not in query:
        # Otherwise the first one that answers would do, even one that only follows and takes no gift.
        asked.append("target_session_attrs=read-write")
    return f"{who}{at}{before}" + (f"?{'&'.join(asked)}" if asked else "")


def address_problem(public_url: str) -> str:
    """Why Stripe and readers cannot reach an address, in a sentence; nothing when it looks as if they could."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return "it does not begin with https://."
    try:
        private = not ipaddress.ip_address(host).is_global
    except ValueError:
        private = "." not in host or host.endswith(
            (".localhost", ".local", ".internal", ".test", ".example", ".invalid")
        )
    return f"{host} is not an address on the internet." if private else ""


def read_stripe_key(text: str) -> str:
    if text.startswith("pk_"):
        raise SettingsError("STRIPE_SECRET_KEY holds a publishable key (pk_…); the secret one begins with sk_ or rk_.")
    if text and not re.fullmatch(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+", text):
        raise SettingsError(
            "STRIPE_SECRET_KEY is no Stripe key: it begins with sk_test_, sk_live_, rk_test_ or rk_live_."
        )
    return text


def read_webhook_secrets(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"whsec_[!-~]+", part) for part in found):
        raise SettingsError("STRIPE_WEBHOOK_SECRET is no signing secret: it begins with whsec_.")
    return found


def read_checkout_origins(text: str, api_base: str) -> tuple[str, ...]:
    if text:
        return tuple(origin_of(read_address("STRIPE_CHECKOUT_ORIGINS", part)) for part in text.split())
    return (origin_of(api_base),) if api_base else STRIPE_CHECKOUT


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def read_portal_login(text: str) -> str:
    if not text:
        return ""
    address = read_address("TRACKER_PORTAL_LOGIN_URL", text)
    if not address.startswith("https://") and not is_this_machine(host_of(address)):
        raise SettingsError("TRACKER_PORTAL_LOGIN_URL must begin with https://, as Stripe's pages do.")
    return address


def read_contact(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@]\S*|[^\s@:/]+@[^\s@:/]+", text):
        raise SettingsError("TRACKER_CONTACT must be an e-mail address or the address of a page.")
    return text


def read_link(name: str, text: str) -> str:
    """A page elsewhere that ours link to, with its path and all; empty for none."""
    if text and not re.fullmatch(r"https?://[^\s/@]+(/[!-~]*)?", text):
        raise SettingsError(f"{name} must be the address of a page, such as https://example.org/privacy, not “{text}”.")
    return text


def read_limits_url(text: str) -> str:
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in SCHEMES or scheme.startswith("async+"):
        raise SettingsError("TRACKER_LIMITS_URL must begin with memory://, redis:// or another store's scheme.")
    return text


def read_limit(name: str, text: str) -> str:
    try:
        parse_many(text)
    except ValueError:
        raise SettingsError(f"{name} is no limit: write it as “5 per 10 minutes; 20 per day”.") from None
    return text


def read_number(name: str, text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not “{text}”.")
    return int(text)


def read_one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingsError(f"{name} must be {' or '.join(choices)}, not “{text}”.")
    return text


def read_embed_on(text: str) -> str:
    if text == "*":
        return text
    return " ".join(origin_of(read_address("TRACKER_EMBED_ON", part)) for part in text.split())


def read_named(name: str, text: str) -> str:
    """Values with names, such as `bank=1200,fees=6855`; the code that uses them checks the names."""
    if not all(re.fullmatch(r"\s*[a-z]+\s*=[^=\n]+", one) for one in text.split(",") if one.strip()):
        raise SettingsError(f"{name}: “{text[:60]}” is not a list of names and values, such as bank=1200,fees=6855.")
    return text
