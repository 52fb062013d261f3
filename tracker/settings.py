"""Every setting, with its default and one line of help. A wrong one stops the start with a sentence."""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from limits import parse_many
from limits.storage import SCHEMES
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tracker.paths import default_instance


class SettingsError(Exception):
    """A setting that cannot be used, in a sentence for the owner."""


@dataclass(frozen=True)
class Setting:
    """One setting: its name in the environment and in `instance/tracker.env`, its default, and what it is for."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("TRACKER_INSTANCE", "", "Absolute path of the folder with the owner's settings, secrets and database."),
    Setting("TRACKER_DATABASE_URL", "", "SQLite in the instance folder unless set: postgresql://user@host/name."),
    Setting(
        "TRACKER_PUBLIC_URL", "http://127.0.0.1:5000", "The address in links, in Stripe's return URLs and in snippets."
    ),
    Setting(
        "TRACKER_SECRET_KEY", "", "Signs forms and sessions; made by “tracker init” and kept in the instance folder."
    ),
    Setting("TRACKER_NEWSROOM", "", "The newsroom's name, as supporters know it."),
    Setting("TRACKER_CONTACT", "", "Where supporters write to: an e-mail address, or the address of a page."),
    Setting(
        "TRACKER_LIMITS_URL",
        "memory://",
        "Where rate limits are counted: memory:// for one process, redis://… (`pip install 'pledgebar[redis]'`) for more.",
    ),
    Setting("TRACKER_GIVE_LIMIT", "5 per 10 minutes; 20 per day", "How often one address may open a checkout."),
    Setting("TRACKER_SIGN_IN_LIMIT", "10 per hour", "How often one address may try to sign in."),
    Setting(
        "TRACKER_ACCOUNT_LIMIT",
        "20 per day",
        "How often a password or code may be tried for one account; a browser used for it before counts for itself.",
    ),
    Setting("TRACKER_SECOND_FACTOR", "required", "Whether editors must have a second factor: required, or optional."),
    Setting("TRACKER_CHECKOUTS_AT_ONCE", "20", "How many checkouts may wait for Stripe at once in one process."),
    Setting(
        "TRACKER_PROXIES",
        "",
        "How many reverse proxies of your own stand in front and set X-Forwarded-For. Not set: none, or with an https address "
        "one on this machine. If the nearest has a public address, name it as well: 1 203.0.113.7.",
    ),
    Setting(
        "TRACKER_HOSTS",
        "",
        "Other host names under which requests may come, with spaces between. That of TRACKER_PUBLIC_URL is always taken.",
    ),
    Setting(
        "TRACKER_EMBED_ON", "*", "Sites that may show the bar in a frame: * for all, or origins with spaces between."
    ),
    Setting(
        "TRACKER_CHECK_ALSO",
        "",
        "Sites that are not public and may be fetched by the check of snippets: origins with spaces between.",
    ),
    Setting(
        "TRACKER_KEEP_DELIVERIES",
        "90",
        "Days after which the bodies of Stripe's deliveries go, since they may name people.",
    ),
    Setting(
        "STRIPE_SECRET_KEY", "", "Stripe's secret or restricted key: sk_test_…, sk_live_…, rk_test_… or rk_live_…."
    ),
    Setting(
        "STRIPE_WEBHOOK_SECRET", "", "The webhook endpoint's signing secret, whsec_…; several with commas between."
    ),
    Setting("STRIPE_API_BASE", "", "Another address for Stripe's API: that of the sandbox, say."),
    Setting(
        "STRIPE_CHECKOUT_ORIGINS", "", "Where Stripe's checkout pages are, if you have a domain of your own for them."
    ),
)
NAMES = tuple(setting.name for setting in SETTINGS)

# Where Stripe sends its events.
HOOK = "/webhooks/stripe"
# How like a setting a name in the environment must be, without its prefix, to be taken for that setting misspelt. Other tools
# have names that begin with STRIPE_, and container systems make some that begin with TRACKER_.
MISSPELT = {"TRACKER_": 0.6, "STRIPE_": 0.85}
# Checkout moves to the second when a session says submit_type=donate.
STRIPE_CHECKOUT = ("https://checkout.stripe.com", "https://donate.stripe.com")


@dataclass(frozen=True)
class Settings:
    """The settings, read and checked."""

    instance: Path
    database_url: str = field(repr=False)
    public_url: str
    secret_key: str = field(repr=False)
    newsroom: str
    contact: str
    limits_url: str = field(repr=False)
    give_limit: str
    sign_in_limit: str
    account_limit: str
    second_factor: str
    checkouts_at_once: int
    proxies: int | None
    """How many proxies write X-Forwarded-For; None where nobody said, and one on this machine is recognised."""
    proxy_networks: tuple[str, ...]
    """Public addresses or networks of the nearest proxy."""
    hosts: tuple[str, ...]
    """Host names under which requests may come, beside those of this machine itself."""
    embed_on: str
    check_also: tuple[str, ...]
    keep_deliveries: int
    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    stripe_api_base: str
    checkout_origins: tuple[str, ...]

    @property
    def live(self) -> bool:
        """Whether the key is for real money. Test money and live money never meet."""
        return self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def is_rehearsal(self) -> bool:
        """Whether a sandbox on this machine stands in for Stripe. No live key is taken beside one."""
        return not self.live and bool(self.stripe_api_base) and is_this_machine(_host_of(self.stripe_api_base))

    @property
    def hook_url(self) -> str:
        return self.public_url + HOOK

    @property
    def key_mark(self) -> str:
        """Names the secret key and tells nothing of it: nodes with the same one have the same mark."""
        return self._mark("secret key")

    @property
    def mark(self) -> str:
        """Changes with any setting that all nodes share, and tells nothing of it."""
        own = {"instance": Path(), "database_url": ""}
        return self._mark(repr(astuple(replace(self, **own))))  # type: ignore[arg-type]

    def _mark(self, text: str) -> str:
        return hmac.new(self.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the environment and `tracker.env` in the instance folder; the environment wins. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    _refuse_misspelt(environ)
    instance = _instance(environ)
    written = _read_file(instance / "tracker.env")
    value = {
        setting.name: environ.get(setting.name, written.get(setting.name, "")).strip() or setting.default
        for setting in SETTINGS
    }
    public_url = _address("TRACKER_PUBLIC_URL", value["TRACKER_PUBLIC_URL"])
    api_base = _address("STRIPE_API_BASE", value["STRIPE_API_BASE"]) if value["STRIPE_API_BASE"] else ""
    key = _stripe_key(value["STRIPE_SECRET_KEY"])
    live = key.startswith(("sk_live_", "rk_live_"))
    if live and not public_url.startswith("https://"):
        raise SettingsError("With a live Stripe key TRACKER_PUBLIC_URL must begin with https://: Stripe asks for that.")
    _check_api_base(api_base, live)
    proxies, proxy_networks = _proxies(value["TRACKER_PROXIES"], public_url)
    return Settings(
        instance=instance,
        database_url=_database_url(value["TRACKER_DATABASE_URL"], instance),
        public_url=public_url,
        secret_key=_secret_key(value["TRACKER_SECRET_KEY"], instance),
        newsroom=value["TRACKER_NEWSROOM"],
        contact=_contact(value["TRACKER_CONTACT"]),
        limits_url=_limits_url(value["TRACKER_LIMITS_URL"]),
        give_limit=_limit("TRACKER_GIVE_LIMIT", value["TRACKER_GIVE_LIMIT"]),
        sign_in_limit=_limit("TRACKER_SIGN_IN_LIMIT", value["TRACKER_SIGN_IN_LIMIT"]),
        account_limit=_limit("TRACKER_ACCOUNT_LIMIT", value["TRACKER_ACCOUNT_LIMIT"]),
        second_factor=_one_of("TRACKER_SECOND_FACTOR", value["TRACKER_SECOND_FACTOR"], ("required", "optional")),
        checkouts_at_once=_number("TRACKER_CHECKOUTS_AT_ONCE", value["TRACKER_CHECKOUTS_AT_ONCE"], 1, 500),
        proxies=proxies,
        proxy_networks=proxy_networks,
        hosts=(_host_of(public_url), *_hosts(value["TRACKER_HOSTS"])),
        embed_on=_embed_on(value["TRACKER_EMBED_ON"]),
        check_also=tuple(_origin(_address("TRACKER_CHECK_ALSO", part)) for part in value["TRACKER_CHECK_ALSO"].split()),
        keep_deliveries=_number("TRACKER_KEEP_DELIVERIES", value["TRACKER_KEEP_DELIVERIES"], 30, 3650),
        stripe_secret_key=key,
        stripe_webhook_secrets=_webhook_secrets(value["STRIPE_WEBHOOK_SECRET"]),
        stripe_api_base=api_base,
        checkout_origins=_checkout_origins(value["STRIPE_CHECKOUT_ORIGINS"], api_base),
    )


def _instance(environ: Mapping[str, str]) -> Path:
    named = environ.get("TRACKER_INSTANCE", "").strip()
    if named and not Path(named).is_absolute():
        raise SettingsError(f"TRACKER_INSTANCE must be an absolute path, not “{named}”.")
    return Path(named) if named else default_instance()


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name in NAMES:
            continue
        if near := _meant(name):
            raise SettingsError(f"{name} in the environment is not a setting: did you mean {near}?")


def _meant(name: str) -> str:
    """The setting that a name in the environment was probably meant to be; nothing where it is another program's."""
    for prefix, likeness in MISSPELT.items():
        if name.startswith(prefix):
            rest = [one.removeprefix(prefix) for one in NAMES if one.startswith(prefix)]
            near = get_close_matches(name.removeprefix(prefix), rest, 1, likeness)
            return prefix + near[0] if near else ""
    return ""


def _read_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` begins a comment line; quotes around a value are taken off."""
    values = {}
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, text = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not equals:
            raise SettingsError(f"Line {number} of {path} is not a setting: write NAME=value.")
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1)
            raise SettingsError(f"{name} in {path} is not a setting" + (f": did you mean {near[0]}?" if near else "."))
        if name == "TRACKER_INSTANCE":
            raise SettingsError(f"TRACKER_INSTANCE cannot be set in {path}, which lies in that folder: set it outside.")
        text = text.strip()
        values[name] = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    return values


def _text_of(path: Path) -> str:
    """What stands in a file of the instance folder; nothing where there is none."""
    try:
        # Some editors begin a file with a mark that is no part of its first name.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not written in UTF-8: save it again as plain UTF-8 text.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None


def _address(name: str, text: str) -> str:
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


def _host_of(address: str) -> str:
    return urlsplit(address).hostname or ""


def _hosts(text: str) -> Iterable[str]:
    for name in text.lower().split():
        if _host_of(_address("TRACKER_HOSTS", f"http://{name}")) != name.strip("[]"):
            raise SettingsError(f"TRACKER_HOSTS takes names such as give.example.org, without a port, not “{name}”.")
        yield name.strip("[]")


def _check_api_base(address: str, live: bool) -> None:
    """A key must not travel in the clear, but for a sandbox's on this machine."""
    if not address.startswith("http://"):
        return
    if live:
        raise SettingsError("With a live Stripe key STRIPE_API_BASE must begin with https://, or not be set at all.")
    if not is_this_machine(_host_of(address)):
        raise SettingsError("STRIPE_API_BASE may only begin with http:// for a sandbox on this machine: use https://.")


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address means the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxies(text: str, public_url: str) -> tuple[int | None, tuple[str, ...]]:
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
    return _number("TRACKER_PROXIES", number, 0, 9), tuple(networks)


def _database_url(text: str, instance: Path) -> str:
    if not text:
        return f"sqlite:///{instance / 'pledgebar.sqlite3'}"
    scheme, separator, rest = text.partition("://")
    kind = scheme.partition("+")[0] if separator else ""
    if kind in ("postgres", "postgresql"):
        if rest.count("@") > 1 or re.search(r"\?[^@]*=[^@]*@", rest):
            # What is then taken for the host stands in messages, and may be half of a password.
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


def _secret_key(text: str, instance: Path) -> str:
    text = text or _text_of(instance / "secret_key").strip()
    if text and len(text) < 32:
        raise SettingsError(
            "TRACKER_SECRET_KEY is too short to keep a secret: use 32 characters or more, or leave it out."
        )
    return text


def make_private(paths: Iterable[Path]) -> list[Path]:
    """Takes others' rights to these files and folders away, where they are there and ours; returns those that had any."""
    changed = []
    for path in paths:
        try:
            mode = path.stat().st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                path.chmod(stat.S_IMODE(mode) & stat.S_IRWXU)
                changed.append(path)
        except OSError:
            # Not there, or another account's: the doctor says so.
            continue
    return changed


def make_secret_key(instance: Path) -> bool:
    """Makes the secret key file unless it is there; says whether it did."""
    file = instance / "secret_key"
    if file.exists():
        return False
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_urlsafe(48) + "\n")
    return True


def keep_webhook_secret(instance: Path, secret: str) -> Path:
    """Writes a signing secret into `tracker.env`, which only its owner can read then; returns the file.

    Before one that is there already, which may still sign what is on its way.
    """
    file = (instance / "tracker.env").resolve()
    lines = _text_of(file).splitlines()
    before = _read_file(file).get("STRIPE_WEBHOOK_SECRET", "")
    written = f"STRIPE_WEBHOOK_SECRET={secret}" + (f",{before}" if before else "")
    # The line that “tracker init” wrote and commented out becomes the setting, or the one that is there.
    is_set = re.compile(r"\s*(export\s+)?STRIPE_WEBHOOK_SECRET\s*=.*")
    is_example = re.compile(r"\s*#\s*STRIPE_WEBHOOK_SECRET\s*=\s*(\"\"|'')?\s*")
    places = [number for number, line in enumerate(lines) if is_set.fullmatch(line)]
    places = places or [number for number, line in enumerate(lines) if is_example.fullmatch(line)]
    if places:
        # The last one counts when a name stands there twice.
        lines[places[-1]] = written
    else:
        lines.append(written)
    _replace(file, "\n".join(lines) + "\n")
    return file


def _replace(file: Path, text: str) -> None:
    """The new text or the old one, whenever the power goes; readable by whoever owned the file, and nobody else."""
    new = file.with_name(file.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        os.fchmod(opened.fileno(), 0o600)
        if file.exists() and os.geteuid() == 0:
            os.fchown(opened.fileno(), file.stat().st_uid, file.stat().st_gid)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


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
    return f"{host} is no address on the internet." if private else ""


def _stripe_key(text: str) -> str:
    if text.startswith("pk_"):
        raise SettingsError("STRIPE_SECRET_KEY holds a publishable key (pk_…); the secret one begins with sk_ or rk_.")
    if text and not re.fullmatch(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+", text):
        raise SettingsError(
            "STRIPE_SECRET_KEY is no Stripe key: it begins with sk_test_, sk_live_, rk_test_ or rk_live_."
        )
    return text


def _webhook_secrets(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"whsec_[!-~]+", part) for part in found):
        raise SettingsError("STRIPE_WEBHOOK_SECRET is no signing secret: it begins with whsec_.")
    return found


def _checkout_origins(text: str, api_base: str) -> tuple[str, ...]:
    if text:
        return tuple(_origin(_address("STRIPE_CHECKOUT_ORIGINS", part)) for part in text.split())
    return (_origin(api_base),) if api_base else STRIPE_CHECKOUT


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _contact(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@]\S*|[^\s@:/]+@[^\s@:/]+", text):
        raise SettingsError("TRACKER_CONTACT must be an e-mail address or the address of a page.")
    return text


def _limits_url(text: str) -> str:
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in SCHEMES or scheme.startswith("async+"):
        raise SettingsError("TRACKER_LIMITS_URL must begin with memory://, redis:// or another store's scheme.")
    return text


def _limit(name: str, text: str) -> str:
    try:
        parse_many(text)
    except ValueError:
        raise SettingsError(f"{name} is no limit: write it as “5 per 10 minutes; 20 per day”.") from None
    return text


def _number(name: str, text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not “{text}”.")
    return int(text)


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingsError(f"{name} must be {' or '.join(choices)}, not “{text}”.")
    return text


def _embed_on(text: str) -> str:
    if text == "*":
        return text
    return " ".join(_origin(_address("TRACKER_EMBED_ON", part)) for part in text.split())
