"""The settings, from the environment and tracker.env. A wrong one stops the start with a sentence."""

import hashlib
import hmac
import math
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from tracker.paths import default_instance
from tracker.settings.files import (
    keep_portal_login,
    keep_webhook_secret,
    make_private,
    make_secret_key,
    read_env_file,
    text_of,
)
from tracker.settings.names import NAMES, SETTINGS
from tracker.settings.notice_values import Smtp, read_mail, read_notice_webhook
from tracker.settings.values import (
    STRIPE_CHECKOUT,
    SettingsError,
    address_problem,
    check_api_base,
    host_of,
    is_this_machine,
    origin_of,
    read_address,
    read_checkout_origins,
    read_contact,
    read_database_url,
    read_embed_on,
    read_hosts,
    read_limit,
    read_limits_url,
    read_link,
    read_named,
    read_number,
    read_one_of,
    read_portal_login,
    read_proxies,
    read_stripe_key,
    read_webhook_secrets,
)

__all__ = [
    "HOOK", "NAMES", "SETTINGS", "STRIPE_CHECKOUT", "Settings", "SettingsError", "Smtp", "address_problem", "is_this_machine",
    "keep_portal_login", "keep_webhook_secret", "make_private", "make_secret_key", "read_settings",
]  # fmt: skip

# Where Stripe sends its events.
HOOK = "/webhooks/stripe"
# How like a setting a name in the environment must be, without its prefix, to be taken for that setting misspelt. Other tools
# have names that begin with STRIPE_, and container systems make some that begin with TRACKER_.
MISSPELT = {"TRACKER_": 0.6, "STRIPE_": 0.85}


@dataclass(frozen=True)
class Settings:
    """The settings, read and checked."""

    instance: Path
    database_url: str = field(repr=False)
    public_url: str
    secret_key: str = field(repr=False)
    newsroom: str
    contact: str
    privacy_url: str
    imprint_url: str
    portal_login: str
    """Where supporters end a regular gift by themselves; empty while that is not set up."""
    limits_url: str = field(repr=False)
    give_limit: str
    give_limit_all: int
    give_seconds: int
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
    journal_accounts: str
    smtp: Smtp | None = field(repr=False)
    """The mail server for notices; None while it is not set up."""
    mail_from: str
    notice_url: str = field(repr=False)
    notice_secret: str = field(repr=False)
    """What signs the notices posted to `notice_url`; both empty while that is not set up."""
    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    stripe_api_base: str
    checkout_origins: tuple[str, ...]

    @property
    def live(self) -> bool:
        """Whether the key is for real money. Test money and live money never meet."""
        return self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def checkouts_kept(self) -> int:
        """How many more checkouts may wait for Stripe at once if their donors' browsers have solved a task."""
        return math.ceil(self.checkouts_at_once / 4)

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def is_rehearsal(self) -> bool:
        """Whether a sandbox on this machine stands in for Stripe. No live key is taken beside one."""
        return not self.live and bool(self.stripe_api_base) and is_this_machine(host_of(self.stripe_api_base))

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
    written = read_env_file(instance / "tracker.env")
    value = {
        setting.name: environ.get(setting.name, written.get(setting.name, "")).strip() or setting.default
        for setting in SETTINGS
    }
    public_url = read_address("TRACKER_PUBLIC_URL", value["TRACKER_PUBLIC_URL"])
    api_base = read_address("STRIPE_API_BASE", value["STRIPE_API_BASE"]) if value["STRIPE_API_BASE"] else ""
    key = read_stripe_key(value["STRIPE_SECRET_KEY"])
    live = key.startswith(("sk_live_", "rk_live_"))
    if live and not public_url.startswith("https://"):
        raise SettingsError("With a live Stripe key TRACKER_PUBLIC_URL must begin with https://: Stripe asks for that.")
    check_api_base(api_base, live)
    smtp, mail_from = read_mail(value["TRACKER_SMTP_URL"], value["TRACKER_MAIL_FROM"])
    notice_url, notice_secret = read_notice_webhook(value["TRACKER_NOTICE_URL"], value["TRACKER_NOTICE_SECRET"])
    proxies, proxy_networks = read_proxies(value["TRACKER_PROXIES"], public_url)
    return Settings(
        instance=instance,
        database_url=read_database_url(value["TRACKER_DATABASE_URL"], instance),
        public_url=public_url,
        secret_key=_secret_key(value["TRACKER_SECRET_KEY"], instance),
        newsroom=value["TRACKER_NEWSROOM"],
        contact=read_contact(value["TRACKER_CONTACT"]),
        privacy_url=read_link("TRACKER_PRIVACY_URL", value["TRACKER_PRIVACY_URL"]),
        imprint_url=read_link("TRACKER_IMPRINT_URL", value["TRACKER_IMPRINT_URL"]),
        portal_login=read_portal_login(value["TRACKER_PORTAL_LOGIN_URL"]),
        limits_url=read_limits_url(value["TRACKER_LIMITS_URL"]),
        give_limit=read_limit("TRACKER_GIVE_LIMIT", value["TRACKER_GIVE_LIMIT"]),
        give_limit_all=read_number("TRACKER_GIVE_LIMIT_ALL", value["TRACKER_GIVE_LIMIT_ALL"], 1, 999_999_999),
        give_seconds=read_number("TRACKER_GIVE_SECONDS", value["TRACKER_GIVE_SECONDS"], 0, 60),
        sign_in_limit=read_limit("TRACKER_SIGN_IN_LIMIT", value["TRACKER_SIGN_IN_LIMIT"]),
        account_limit=read_limit("TRACKER_ACCOUNT_LIMIT", value["TRACKER_ACCOUNT_LIMIT"]),
        second_factor=read_one_of("TRACKER_SECOND_FACTOR", value["TRACKER_SECOND_FACTOR"], ("required", "optional")),
        checkouts_at_once=read_number("TRACKER_CHECKOUTS_AT_ONCE", value["TRACKER_CHECKOUTS_AT_ONCE"], 1, 500),
        proxies=proxies,
        proxy_networks=proxy_networks,
        hosts=(host_of(public_url), *read_hosts(value["TRACKER_HOSTS"])),
        embed_on=read_embed_on(value["TRACKER_EMBED_ON"]),
        check_also=tuple(
            origin_of(read_address("TRACKER_CHECK_ALSO", part)) for part in value["TRACKER_CHECK_ALSO"].split()
        ),
        keep_deliveries=read_number("TRACKER_KEEP_DELIVERIES", value["TRACKER_KEEP_DELIVERIES"], 30, 3650),
        journal_accounts=read_named("TRACKER_JOURNAL_ACCOUNTS", value["TRACKER_JOURNAL_ACCOUNTS"]),
        smtp=smtp,
        mail_from=mail_from,
        notice_url=notice_url,
        notice_secret=notice_secret,
        stripe_secret_key=key,
        stripe_webhook_secrets=read_webhook_secrets(value["STRIPE_WEBHOOK_SECRET"]),
        stripe_api_base=api_base,
        checkout_origins=read_checkout_origins(value["STRIPE_CHECKOUT_ORIGINS"], api_base),
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


def _secret_key(text: str, instance: Path) -> str:
    text = text or text_of(instance / "secret_key").strip()
    if text and len(text) < 32:
        raise SettingsError(
            "TRACKER_SECRET_KEY is too short to keep a secret: use 32 characters or more, or leave it out."
        )
    return text
