"""HTTP: pages, forms, the bar, and the one address that Stripe calls."""

from flask import Flask

from tracker.settings import Settings
from tracker.web import addresses, admin, body_limits, errors, headers, health, rate_limits
from tracker.web.bar_cache import BarCache
from tracker.web.donate import month_pages, supporter_page, thanks
from tracker.web.embed import bar_views, oembed, pictures
from tracker.web.embed.colours import in_colour_of
from tracker.web.gates import Gates
from tracker.web.heartbeat import Node
from tracker.web.hosts import TrustedHosts
from tracker.web.proxies import Proxies
from tracker.web.request_ids import RequestIds
from tracker.web.visit_counter import Visits
from tracker.web.webhook import stripe_webhook
from tracker.web.webhook.fee_fetcher import Fetcher


def init_app(app: Flask, settings: Settings) -> None:
    """Hangs every page into the app."""
    # Addresses of static files carry the version, so browsers may keep them.
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 86_400
    app.wsgi_app = app.extensions["gates"] = Gates(app)  # type: ignore[method-assign]
    # Before anything else looks at a request.
    body_limits.init_app(app)
    app.extensions["bars"] = BarCache(app)
    app.extensions["visits"] = Visits(app)
    app.extensions["fees"] = Fetcher(app)
    app.extensions["node"] = node = Node(app, settings)
    app.extensions["checkout_answers"] = thanks.Answers()
    headers.init_app(app, settings)
    app.add_template_global(in_colour_of)
    rate_limits.init_app(app, settings)
    admin.init_app(app, settings)
    # The order of the names in our JSON is the one in the documentation. After the sign-in, which brings its own JSON.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for room in (
        supporter_page,
        thanks,
        bar_views,
        oembed,
        pictures,
        month_pages,
        health,
    ):
        app.register_blueprint(room.bp)
    health.init_app(app)
    addresses.init_app(app)
    errors.init_app(app)
    # The last one is asked first.
    app.wsgi_app = stripe_webhook.StripeWebhook(app)  # type: ignore[method-assign]
    app.wsgi_app = TrustedHosts(app.wsgi_app, settings)  # type: ignore[method-assign]
    app.wsgi_app = Proxies(app.wsgi_app, settings, node)  # type: ignore[method-assign]
    app.wsgi_app = RequestIds(app.wsgi_app)  # type: ignore[method-assign]
