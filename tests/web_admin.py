"""An editor who has signed in."""

import contextvars
import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tracker.web.signin import create_admin

EMAIL, PASSWORD = "ana@example.org", "a long password for tests"


class Editor:
    """Opens the newsroom's pages and sends their forms, with the token that stands in them."""

    def __init__(self, app: Flask) -> None:
        create_admin(EMAIL, PASSWORD)
        self.browser: FlaskClient = app.test_client()
        assert self.sends("/admin/login", email=EMAIL, password=PASSWORD).status_code == 302

    def opens(self, address: str) -> TestResponse:
        return self._asks("GET", address)

    def _asks(self, method: str, address: str, **more: Any) -> TestResponse:
        # Each in a context of its own, as on a server: in that of the test nobody would have signed in yet.
        return contextvars.Context().run(self.browser.open, address, method=method, **more)

    def sends(self, address: str, **typed: Any) -> TestResponse:
        hidden = re.findall(r'<input[^>]*name="(csrf_token|showing)"[^>]*value="([^"]*)"', self.opens(address).text)
        return self._asks("POST", address, data=dict(hidden) | typed)
