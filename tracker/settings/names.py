"""Every setting: its name, its default and one line of help. docs/settings.md is held to this list."""

from dataclasses import dataclass


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
    Setting("TRACKER_PRIVACY_URL", "", "The address of your privacy page, linked on every page for supporters."),
    Setting("TRACKER_IMPRINT_URL", "", "The address of your legal notice, linked beside it."),
    Setting(
        "TRACKER_PORTAL_LOGIN_URL",
        "",
        "The login page of Stripe's customer portal, where supporters end or change a regular gift; written by "
        "“tracker portal setup”.",
    ),
    Setting(
        "TRACKER_LIMITS_URL",
        "memory://",
        "Where rate limits are counted: memory:// for one process, redis://… (`pip install 'pledgebar[redis]'`) for more.",
    ),
    Setting(
        "TRACKER_GIVE_LIMIT",
        "5 per 10 minutes; 20 per day",
        "How often one address may open a checkout; up to twelve times as often if the browser solves a task each time.",
    ),
    Setting(
        "TRACKER_GIVE_LIMIT_ALL",
        "600",
        "How many checkouts may be opened for one campaign in ten minutes, by everybody together.",
    ),
    Setting(
        "TRACKER_GIVE_SECONDS",
        "1",
        "A form that is sent within this many seconds of being shown is shown once more; 0 accepts it at once.",
    ),
    Setting("TRACKER_SIGN_IN_LIMIT", "10 per hour", "How often one address may try to sign in."),
    Setting(
        "TRACKER_ACCOUNT_LIMIT",
        "20 per day",
        "How often a password or code may be tried for one account; a browser used for it before has its own count.",
    ),
    Setting("TRACKER_SECOND_FACTOR", "required", "Whether editors must have a second factor: required, or optional."),
    Setting("TRACKER_CHECKOUTS_AT_ONCE", "20", "How many checkouts may wait for Stripe at once in one process."),
    Setting(
        "TRACKER_PROXIES",
        "",
        "How many of your own reverse proxies are in front and set X-Forwarded-For. Not set: none, or with an https address "
        "one on this machine. If the nearest has a public address, name it as well: 1 203.0.113.7.",
    ),
    Setting(
        "TRACKER_HOSTS",
        "",
        "Other host names that requests may use, separated by spaces. The one in TRACKER_PUBLIC_URL is always accepted.",
    ),
    Setting(
        "TRACKER_EMBED_ON", "*", "Sites that may show the bar in a frame: * for all, or origins separated by spaces."
    ),
    Setting(
        "TRACKER_CHECK_ALSO",
        "",
        "Sites that are not public but may be fetched to check an article: origins separated by spaces.",
    ),
    Setting(
        "TRACKER_KEEP_DELIVERIES",
        "90",
        "Days after which the bodies of Stripe's deliveries are deleted, because they may name people.",
    ),
    Setting(
        "TRACKER_JOURNAL_ACCOUNTS",
        "",
        "Your bookkeeping's names for the accounts of a journal: clearing=1460,bank=1200,fees=6855 and so on.",
    ),
    Setting(
        "TRACKER_SMTP_URL",
        "",
        "The mail server for notices: smtp://user:password@mail.example.org:587 (STARTTLS), or smtps://….",
    ),
    Setting(
        "TRACKER_MAIL_FROM", "", "The sender of notices: notices@example.org, or The Courier <notices@example.org>."
    ),
    Setting("TRACKER_NOTICE_URL", "", "The address of a program of yours that notices are posted to."),
    Setting("TRACKER_NOTICE_SECRET", "", "The secret that signs what is posted there: whsec_ and base64."),
    Setting(
        "STRIPE_SECRET_KEY", "", "Stripe's secret or restricted key: sk_test_…, sk_live_…, rk_test_… or rk_live_…."
    ),
    Setting(
        "STRIPE_WEBHOOK_SECRET", "", "The webhook endpoint's signing secret, whsec_…; several, separated by commas."
    ),
    Setting("STRIPE_API_BASE", "", "Another address for Stripe's API, such as the sandbox's."),
    Setting(
        "STRIPE_CHECKOUT_ORIGINS", "", "Where Stripe's checkout pages are, if you have a domain of your own for them."
    ),
)
NAMES = tuple(setting.name for setting in SETTINGS)
