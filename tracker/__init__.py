"""Pledgebar: a monthly goal tracker for news sites. `create_app` is the table of contents."""

from flask import Flask

from tracker.paths import STATIC, TEMPLATES
from tracker.settings import Settings, SettingsError, read_settings


def create_app(settings: Settings | None = None) -> Flask:
    """The app, ready to serve. Raises SettingsError with a sentence for the owner when a setting is wrong."""
    # Here and not above: whoever needs one room alone, such as the export's own process, need not wait for all of them.
    from tracker import web
    from tracker.ledger import store

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
    return app
