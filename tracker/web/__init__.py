"""HTTP: pages, forms, the bar, and the one address that Stripe calls."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from tracker.settings import Settings
from tracker.web import (
    admin,
    bodies,
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
)
from tracker.web.bars import Bars
from tracker.web.colours import in_colour_of
from tracker.web.gates import Gates
from tracker.web.visits import Visits


def init_app(app: Flask, settings: Settings) -> None:
    """Hangs every page into the app."""
    # Addresses of static files carry the version, so browsers may keep them.
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 86_400
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    app.wsgi_app = app.extensions["gates"] = Gates(app)  # type: ignore[method-assign]
    # Before anything else looks at a request.
    bodies.init_app(app)
    app.extensions["bars"] = Bars(app)
    app.extensions["visits"] = Visits(app)
    headers.init_app(app, settings)
    app.add_template_global(in_colour_of)
    limits.init_app(app, settings)
    signin.init_app(app, settings)
    # The order of the names in our JSON is the one in the documentation. After the sign-in, which brings its own JSON.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for room in (donate, embed, oembed, pictures, months, admin, offline, snippets, health):
        app.register_blueprint(room.bp)
    errors.init_app(app)
    app.wsgi_app = stripe_hook.StripeHook(app)  # type: ignore[method-assign]
