"""The editors' pages: one blueprint, and a module for each kind of page that hangs its views on it."""

from flask import Flask
from flask_security import current_user

from tracker.settings import Settings
from tracker.web.admin import (
    account,
    campaign_settings,
    drive_pages,
    files_page,
    give_back,
    import_page,
    months_admin,
    offline_pages,
    protection_page,
    signin,
    snippets,
    supporter_names,
)
from tracker.web.admin.blueprint import admin, for_templates

# Importing them hangs their views on the blueprint.
PAGES = (
    months_admin, campaign_settings, drive_pages, offline_pages, give_back, supporter_names, snippets, protection_page, account,
    files_page, import_page,
)  # fmt: skip


def init_app(app: Flask, settings: Settings) -> None:
    signin.init_app(app, settings)
    # Flask-Security's own pages of the account have the same head as all others.
    app.extensions["security"].context_processor(lambda: for_templates() if current_user.is_authenticated else {})
    app.register_blueprint(admin)
