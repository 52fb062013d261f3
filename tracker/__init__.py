"""Pledgebar: a monthly goal tracker for news sites. `create_app` is the table of contents."""

from flask import Flask

from tracker.paths import STATIC, TEMPLATES
from tracker.settings import Settings, SettingsError, read_settings


def create_app(settings: Settings | None = None, *, background: bool = True) -> Flask:
    """The whole app, ready for any WSGI server. Raises SettingsError with a sentence for the owner when a setting is wrong.

    Without `background` it starts no threads and keeps no answers: for commands and tests.
    """
    # Here and not above, so that a command which needs one room alone does not wait for all of them.
    from tracker import web
    from tracker.ledger import store
    from tracker.server.background import Background
    from tracker.server.request_ids import RequestIds
    from tracker.web.body_limits import ShortLines
    from tracker.web.cache.answers import ResponseCache
    from tracker.web.hosts import TrustedHosts
    from tracker.web.proxies import Proxies

    settings = settings or read_settings()
    if not settings.secret_key:
        raise SettingsError(f"There is no secret key in {settings.instance}: run “tracker init” first.")
    app = Flask(
        "tracker",
        instance_path=str(settings.instance),
        template_folder=TEMPLATES,
        static_folder=STATIC,
    )
    app.secret_key = settings.secret_key
    app.extensions["settings"] = settings
    store.init_app(app, settings.database_url)
    web.init_app(app, settings)
    # Each around all above it: a request comes in from below.
    wsgi = ShortLines(app.wsgi_app)
    wsgi = TrustedHosts(wsgi, settings)
    wsgi = Proxies(wsgi, settings, app.extensions["node"])
    wsgi = RequestIds(wsgi)
    wsgi = app.extensions["responses"] = ResponseCache(wsgi, app)
    if background:
        wsgi = app.extensions["background"] = Background(wsgi, app)
    app.wsgi_app = wsgi  # type: ignore[method-assign]
    return app
