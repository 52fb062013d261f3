"""Readers and donors who come through nginx, one after the other, each from an address of their own, and what they saw."""

import http.client
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit

from faults.server import LONG
from front import NAME, Front, connect

from tracker.sandbox import Sandbox

NOBODY = 0  # no answer at all
# As soon as somebody has read that something went wrong, and presses again.
AGAIN_SECONDS = 2.0
READERS, DONORS = (2, 3) if LONG else (1, 2)
# Between one and the next: nodes start on the same machine meanwhile.
PAUSE_SECONDS = 0.3

# Each person comes once, from an address of their own: the whole of 127.0.0.0/8 is this machine.
_people = itertools.count()


@dataclass
class Seen:
    """What all of them were answered."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By what they asked for, and the status."""
    slowest: dict[str, float] = field(default_factory=dict)
    """The longest that anybody waited, in seconds, by what they asked for."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, status: int, seconds: float) -> None:
        with self._lock:
            self.answers[what, status] += 1
            self.slowest[what] = max(self.slowest.get(what, 0.0), seconds)

    def errors_of_pages(self) -> int:
        return sum(self.errors(what) for what in ("button", "page", "thanks"))

    def errors(self, what: str) -> int:
        return sum(many for (one, status), many in self.answers.items() if one == what and not 200 <= status < 400)

    def __str__(self) -> str:
        lines = []
        for what in sorted(self.slowest):
            found = {status: many for (one, status), many in sorted(self.answers.items()) if one == what}
            told = ", ".join(
                f"{many} answered {status}" if status else f"{many} cut off" for status, many in found.items()
            )
            lines.append(f"{what}: {told}; longest wait {self.slowest[what]:.1f} s")
        return "\n  ".join(lines)


class Somebody:
    """One person's browser."""

    def __init__(self, here: Front, seen: Seen) -> None:
        number = next(_people)
        self.seen = seen
        self._connection = connect(here, f"127.{number // 62500 + 1}.{number // 250 % 250}.{number % 250 + 1}")
        self._connection.timeout = 90

    def asks(self, what: str, path: str, form: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """The status, where it leads, and the page."""
        headers = {"Host": NAME}
        if form is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        began = time.monotonic()
        try:
            body = None if form is None else urlencode(form)
            self._connection.request("GET" if form is None else "POST", path, body, headers)
            answer = self._connection.getresponse()
            got = answer.status, answer.headers.get("Location", ""), answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            got = NOBODY, "", ""
        self.seen.note(what, got[0], time.monotonic() - began)
        return got

    def leaves(self) -> None:
        self._connection.close()


@dataclass
class Paid:
    """A gift as its donor knows it."""

    kind: str
    amount: int
    errors: list[str]
    """All that the donor was answered instead of a page, or of the way to Stripe."""


class Donor(Somebody):
    """Opens the page, presses the button, pays at Stripe, and comes back to the thanks; after an error once more."""

    def gives(self, stripe: Sandbox, kind: str, amount: int) -> Paid:
        errors: list[str] = []
        typed = {
            "frequency": "month" if kind == "monthly" else "once", "tier_once": "other", "tier_month": "other",
            "other_amount": f"{amount / 100:.2f}", "name": f"Ana {amount}", "token": token(self._comes_from_the_bar(errors)),
        }  # fmt: skip
        where = self._presses(errors, typed)
        session = stripe.pay(urlsplit(where).path.rpartition("/")[2])
        self._opens(errors, "thanks", f"/c/newsroom/thanks?session_id={session['id']}")
        self.leaves()
        return Paid(kind, amount, errors)

    def _comes_from_the_bar(self, errors: list[str]) -> str:
        while True:
            status, where, _ = self.asks("button", "/go/newsroom?src=article-1")
            if status == 303:
                return self._opens(errors, "page", where)
            self._failed(errors, "button", status)

    def _opens(self, errors: list[str], what: str, path: str) -> str:
        while True:
            status, _, page = self.asks(what, path)
            if status == 200:
                return page
            self._failed(errors, what, status)

    def _presses(self, errors: list[str], typed: dict[str, str]) -> str:
        while True:
            status, where, page = self.asks("form", "/c/newsroom/give", typed)
            if status == 303:
                return where
            self._failed(errors, "form", status)
            if 'name="token"' in page:
                # The form was shown again, with everything in it.
                assert f'value="{typed["other_amount"]}"' in page
                assert f'value="{typed["name"]}"' in page
                typed["token"] = token(page)
            # Otherwise the browser's way back leads to the form as it was.

    def _failed(self, errors: list[str], what: str, status: int) -> None:
        errors.append(f"{what} {status}")
        assert len(errors) < 20, errors
        time.sleep(AGAIN_SECONDS)


def token(page: str) -> str:
    found = re.search(r'name="token"[^>]*value="([^"]+)"', page)
    assert found, page[:2000]
    return unescape(found[1])


class Crowd:
    """Readers and donors, until they are let go. Those who are giving then finish."""

    def __init__(self, here: Front, stripe: Sandbox) -> None:
        self.here, self.stripe = here, stripe
        self.seen = Seen()
        self.paid: list[Paid] = []
        self.raised: list[tuple[float, int]] = []
        """What the bar showed, and when it was asked."""
        self._failed: list[BaseException] = []
        self._gifts = itertools.count(1)
        self._over = threading.Event()
        doing = [self._reads] * READERS + [self._gives] * DONORS
        self._threads = [threading.Thread(target=self._again_and_again, args=(do,)) for do in doing]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
        assert self._failed == []

    def goes_on(self, gifts: int, seconds: float = 120) -> None:
        """Waits until so many more have given."""
        until, before = time.monotonic() + seconds, len(self.paid)
        while len(self.paid) < before + gifts:
            assert not self._failed, self._failed
            assert time.monotonic() < until, self.seen
            time.sleep(0.02)

    def _again_and_again(self, do: Callable[[], None]) -> None:
        try:
            while not self._over.wait(PAUSE_SECONDS):
                do()
        except BaseException as error:
            self._failed.append(error)

    def _reads(self) -> None:
        reader = Somebody(self.here, self.seen)
        reader.asks("bar", "/embed/newsroom")
        asked = time.monotonic()
        status, _, body = reader.asks("bar", "/embed/newsroom.json")
        if status == 200:
            self.raised.append((asked, int(json.loads(body)["raised"])))
        reader.leaves()

    def _gives(self) -> None:
        number = next(self._gifts)
        # No two give as much: each can be told from all the others in the ledger.
        self.paid.append(
            Donor(self.here, self.seen).gives(self.stripe, "monthly" if number % 3 == 0 else "once", 1000 + number)
        )
