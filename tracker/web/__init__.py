"""HTTP: pages, forms, the bar, and the one address that Stripe calls."""

from flask import Flask

from tracker.settings import Settings
from tracker.web import (
    account,
    addresses,
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
    thanks,
)
from tracker.web.bars import Bars
from tracker.web.colours import in_colour_of
from tracker.web.fees import Fetcher
from tracker.web.gates import Gates
from tracker.web.hosts import TrustedHosts
from tracker.web.node import Node
from tracker.web.proxies import Proxies
from tracker.web.request_ids import RequestIds
from tracker.web.visits import Visits


def init_app(app: Flask, settings: Settings) -> None:
    """Hangs every page into the app."""
    # Addresses of static files carry the version, so browsers may keep them.
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 86_400
    app.wsgi_app = app.extensions["gates"] = Gates(app)  # type: ignore[method-assign]
    # Before anything else looks at a request.
    bodies.init_app(app)
    app.extensions["bars"] = Bars(app)
    app.extensions["visits"] = Visits(app)
    app.extensions["fees"] = Fetcher(app)
    app.extensions["node"] = node = Node(app, settings)
    app.extensions["checkout_answers"] = thanks.Answers()
    headers.init_app(app, settings)
    app.add_template_global(in_colour_of)
    limits.init_app(app, settings)
    signin.init_app(app, settings)
    # The order of the names in our JSON is the one in the documentation. After the sign-in, which brings its own JSON.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    account.init_app(app)
    for room in (donate, thanks, embed, oembed, pictures, months, admin, account, offline, snippets, health):
        app.register_blueprint(room.bp)
    health.init_app(app)
    addresses.init_app(app)
    errors.init_app(app)
    # The last one is asked first.
    app.wsgi_app = stripe_hook.StripeHook(app)  # type: ignore[method-assign]
    app.wsgi_app = TrustedHosts(app.wsgi_app, settings)  # type: ignore[method-assign]
    app.wsgi_app = Proxies(app.wsgi_app, settings, node)  # type: ignore[method-assign]
    app.wsgi_app = RequestIds(app.wsgi_app)  # type: ignore[method-assign]
