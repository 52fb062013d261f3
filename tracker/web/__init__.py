"""HTTP: pages, forms, the bar, and the one address that Stripe calls."""

import threading

from flask import Flask

from tracker.settings import Settings
from tracker.web import (
    addresses,
    admin,
    body_limits,
    errors,
    gates,
    headers,
    health,
    languages,
    metrics,
    rate_limits,
    robots,
    static_files,
)
from tracker.web.cache.bars import BarCache
from tracker.web.donate import manage, month_pages, supporter_page, thanks
from tracker.web.embed import bar_views, oembed, pictures, ticker, wall
from tracker.web.embed.colours import in_colour_of
from tracker.web.heartbeat import Node
from tracker.web.protection import CheckoutCounter
from tracker.web.visit_counter import Visits
from tracker.web.webhook import stripe_webhook


def init_app(app: Flask, settings: Settings) -> None:
    """Hangs every page into the app."""
    # Before anything else looks at a request.
    body_limits.init_app(app)
    gates.init_app(app)
    app.extensions["bars"] = BarCache()
    app.extensions["visits"] = Visits()
    app.extensions["fees_due"] = threading.Event()
    app.extensions["node"] = Node(settings)
    app.extensions["checkout_answers"] = thanks.Answers()
    app.extensions["checkouts"] = CheckoutCounter()
    app.extensions["checkout_places"] = threading.BoundedSemaphore(settings.checkouts_at_once)
    headers.init_app(app, settings)
    static_files.init_app(app)
    app.add_template_global(in_colour_of)
    languages.init_app(app)
    rate_limits.init_app(app, settings)
    admin.init_app(app, settings)
    # The order of the names in our JSON is the one in the documentation. After the sign-in, which brings its own JSON.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for room in (
        supporter_page,
        thanks,
        manage,
        bar_views,
        oembed,
        pictures,
        wall,
        ticker,
        month_pages,
        robots,
        stripe_webhook,
        health,
        metrics,
    ):
        app.register_blueprint(room.bp)
    health.init_app(app)
    metrics.init_app(app)
    addresses.init_app(app)
    errors.init_app(app)
