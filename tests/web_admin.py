"""An editor who has signed in, and what they hold in their hands: a phone with an app that shows codes."""

import base64
import contextvars
import hashlib
import hmac
import re
import struct
import time
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from tracker.ledger.store import reading
from tracker.web.admin.signin import create_admin

EMAIL, PASSWORD = "ana@example.org", "a long password for tests"


class Editor:
    """Opens the newsroom's pages and sends their forms, with the token that stands in them."""

    def __init__(self, app: Flask, email: str = EMAIL, password: str = PASSWORD, *, signs_in: bool = True) -> None:
        # Several browsers of one editor: making the account again would sign out the first.
        with reading() as connection:
            there = connection.scalar(text("SELECT count(*) FROM user_account WHERE email = :email"), {"email": email})
        if not there:
            create_admin(email, password)
        self.email, self.password = email, password
        self.browser: FlaskClient = app.test_client()
        if signs_in:
            assert self.signs_in().status_code == 302

    def signs_in(self, password: str = "", email: str = "", query: str = "") -> TestResponse:
        return self.sends(f"/admin/login{query}", email=email or self.email, password=password or self.password)

    def is_in(self) -> bool:
        return self.opens("/admin/c/newsroom/").status_code == 200

    def opens(self, address: str, **more: Any) -> TestResponse:
        return self._asks("GET", address, **more)

    def _asks(self, method: str, address: str, **more: Any) -> TestResponse:
        # Each in a context of its own, as on a server: in that of the test nobody would have signed in yet.
        return contextvars.Context().run(self.browser.open, address, method=method, **more)

    def sends(self, address: str, *, to: str = "", **typed: Any) -> TestResponse:
        """Fills in the form of a page and sends it, to another address if it is one of several on the page."""
        return self._asks("POST", to or address, data=hidden_in(self.opens(address).text) | typed)

    def posts(self, address: str, **fields: Any) -> TestResponse:
        """Sends a form that was opened some time ago."""
        return self._asks("POST", address, data=fields)

    def sets_up_an_app(self) -> "Phone":
        """With the account page and a phone, which is returned."""
        page = self.opens("/admin/account/app").text
        phone = Phone.reads(page)
        answer = self.posts("/admin/account/app", **hidden_in(page), code=phone.shows())
        assert answer.status_code == 303, says(answer)
        return phone

    def gets_recovery_codes(self) -> list[str]:
        page = self.sends("/admin/account/recovery-codes").text
        return re.findall(r"<li><code>([^<]+)</code>", page)


class Phone:
    """An authenticator app (RFC 6238: SHA-1, six digits, thirty seconds), written apart from the one that checks it."""

    def __init__(self, key: str) -> None:
        self.key = base64.b32decode(key)

    @classmethod
    def reads(cls, page: str) -> "Phone":
        found = re.search(r'class="key-typed">.*?<code>([^<]+)</code>', page, re.DOTALL)
        assert found, page
        return cls(re.sub(r"[^A-Z2-7]", "", found[1].upper()))

    def shows(self, at: float | None = None) -> str:
        counter = struct.pack(">Q", int(time.time() if at is None else at) // 30)
        digest = hmac.new(self.key, counter, hashlib.sha1).digest()
        number = struct.unpack(">I", digest[digest[19] & 15 :][:4])[0] & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"


def hidden_in(page: str) -> dict[str, str]:
    """The hidden fields of a page's forms; of several with the same name, the last."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value and 'type="hidden"' in tag:
            found[name[1]] = unescape(value[1])
    return found


def says(answer: TestResponse) -> str:
    """What is wrong, as the page says it."""
    found = re.findall(r'<(p|div)[^>]*role="alert"[^>]*>(.*?)</\1>', answer.text, re.DOTALL)
    texts = (re.sub(r"<h2>.*?</h2>|<[^>]+>", " ", words) for _, words in found)
    return " ".join(unescape(" ".join(texts)).split())
