"""HTTP: pages, forms, the bar, and the one address that Stripe calls."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from tracker.settings import Settings
from tracker.web import (
    addresses,
    admin,
    donate,
    embed,
    errors,
    headers,
    health,
    limits,
    months,
    oembed,
    offline,
    pictures,
    signin,
    snippets,
    stripe_hook,
    thanks,
)
from tracker.web.bars import Bars
from tracker.web.colours import in_colour_of
from tracker.web.fees import Fetcher
from tracker.web.visits import Visits

# No form of ours is longer, in bytes.
LONGEST_BODY = 256 * 1024


def init_app(app: Flask, settings: Settings) -> None:
    """Hangs every page into the app."""
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    # Addresses of static files carry the version, so browsers may keep them.
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 86_400
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    app.extensions["bars"] = Bars(app)
    app.extensions["visits"] = Visits(app)
    app.extensions["fees"] = Fetcher(app)
    app.extensions["checkout_answers"] = thanks.Answers()
    headers.init_app(app, settings)
    app.add_template_global(in_colour_of)
    limits.init_app(app, settings)
    signin.init_app(app, settings)
    # The order of the names in our JSON is the one in the documentation. After the sign-in, which brings its own JSON.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for room in (donate, thanks, embed, oembed, pictures, months, admin, offline, snippets, health):
        app.register_blueprint(room.bp)
    addresses.init_app(app)
    errors.init_app(app)
    app.wsgi_app = stripe_hook.StripeHook(app)  # type: ignore[method-assign]
