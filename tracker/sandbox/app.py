"""The sandbox as a web application: the API, the hosted pages and the control API."""

from flask import Flask

from tracker.paths import STATIC, TEMPLATES
from tracker.sandbox import api, control, pages
from tracker.sandbox.account import Sandbox


def create_sandbox(sandbox: Sandbox) -> Flask:
    app = Flask("tracker.sandbox", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(api.blueprint(sandbox))
    app.register_blueprint(pages.blueprint(sandbox))
    app.register_blueprint(control.blueprint(sandbox))
    return app
