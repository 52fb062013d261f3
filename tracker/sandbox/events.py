"""Events as Stripe words them, and the sender that carries them to the webhook endpoints until they are taken."""

import hashlib
import hmac
import http.client
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import stripe

from tracker.sandbox.state import Body, Store
from tracker.sandbox.versions import knows_type, rendered

log = logging.getLogger(__name__)

KEPT_SECONDS = 30 * 24 * 3600  # events can be listed for 30 days
ATTEMPTS = 18  # waits of 1, 2, 4 ... seconds add up to Stripe's three days
TIMEOUT = 10.0
DELIVERIES_KEPT = 500
AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"

Deliver = Callable[[bytes, str, str], int]


def emit(store: Store, kind: str, body: Body, previous: Body | None = None) -> Body:
    """Something happened: keep the event as the object stands now, and queue it for every endpoint that wants it."""
    data: Body = {"object": json.loads(json.dumps(body))}
    if previous is not None:
        data["previous_attributes"] = previous
    wanted_by = _wanting(store, kind)
    event = store.add(
        "event",
        {
            "id": store.new_id("evt_1"),
            "object": "event",
            "api_version": stripe.api_version,
            "created": store.now(),
            "data": data,
            "livemode": store.live,
            "pending_webhooks": len(wanted_by),
            "request": dict(store.request),
            "type": kind,
        },
    )
    for endpoint in reversed(wanted_by):
        _queue(store, event, endpoint)
    return event


def _queue(store: Store, event: Body, endpoint: Body) -> Body:
    delivery = {
        "id": store.new_id("dlv_"),
        "attempts": [],
        "created": int(time.time()),
        "due": time.time(),
        "endpoint": endpoint["id"],
        "event": event["id"],
        "state": "waiting",
        "type": event["type"],
        "url": endpoint["url"],
    }
    # Rendered now and for good: the payload does not follow what happens to the object later.
    return store.add("_delivery", delivery, fresh=True, told=rendered(store, event, endpoint["api_version"]))


def _wanting(store: Store, kind: str) -> list[Body]:
    """The endpoints that are to hear of it, newest first."""
    return [row for row in store.newest("webhook_endpoint") if _wants(row, kind)]


def _wants(endpoint: Body, kind: str) -> bool:
    knows = knows_type(kind, endpoint["api_version"])
    return endpoint["status"] == "enabled" and knows and bool({"*", kind} & set(endpoint["enabled_events"]))


def signature(body: bytes, secret: str, moment: int, *older: str) -> str:
    """While a secret is being rolled there is one more signature, by the older one."""
    signed = f"{moment}.".encode() + body
    made = (hmac.new(one.encode(), signed, hashlib.sha256).hexdigest() for one in (secret, *older))
    return ",".join([f"t={moment}", *(f"v1={one}" for one in made)])


def event_body(event: Body) -> bytes:
    """The event as it is posted. Stripe indents it; that costs Python five times as much and means nothing."""
    return json.dumps(event, ensure_ascii=False).encode()


def forget_old(store: Store) -> None:
    """Drop events that Stripe would no longer list, and finished deliveries beyond the newest few hundred."""
    horizon = store.now() - KEPT_SECONDS
    for live in (False, True):
        waiting = {row["event"] for row in store.newest("_delivery", live)}
        for event in list(store.newest("event", live)):
            if event["created"] < horizon and event["id"] not in waiting:
                store.remove(event["id"])
        for old in list(store.newest("_delivered", live))[DELIVERIES_KEPT:]:
            store.remove(old["id"])


class Faults:
    """What is to go wrong on purpose; `/_control/faults` sets these by name."""

    def __init__(self) -> None:
        self.latency = 0.0  # seconds before every answer of the API
        self.answers: list[Any] = []  # the next answers of the API: 429, 500, 503, "cut", "hang", "slow" or "ok"
        self.hang_seconds = 30.0
        self.drop = 0  # the next n deliveries are lost without an attempt
        self.duplicate = 0  # the next n deliveries are made twice
        self.corrupt = 0  # the next n deliveries have a body that the signature does not fit
        self.delay = 0.0  # seconds before each new delivery
        self.shuffle = 0.0  # each new delivery waits a random part of this many seconds

    def next_answer(self) -> Any:
        try:
            return self.answers.pop(0)
        except IndexError:
            return "ok"

    def take(self, name: str) -> bool:
        left = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return bool(left)


class Sender:
    """Delivers what is due in background threads; a failed attempt is made again after a growing wait."""

    first_wait = 1.0

    def __init__(self, store: Store, faults: Faults, work: Callable[[], None]) -> None:
        self.store, self.faults = store, faults
        self.speed = 1.0
        self._work = work  # other things that fall due: settlements, refunds, renewals
        self._busy: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def start(self, threads: int = 2) -> None:
        if self._threads:
            return
        self._stop.clear()
        self._threads = [
            threading.Thread(target=self._run, name=f"sandbox-sender-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=TIMEOUT + 5)
        self._threads = []

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
                delivery = self._next()
                if delivery is None:
                    self._stop.wait(0.02)
                else:
                    self.attempt(delivery)
            except Exception:
                log.exception("the sandbox's sender stumbled")
                self._stop.wait(0.5)

    def _next(self) -> Body | None:
        """The delivery that has waited longest, marked as being in some thread's hands."""
        with self.store.lock:
            now = time.time()
            best = None
            for live in (False, True):
                for row in self.waiting(live):
                    if self.store.hidden(row["id"]).pop("fresh", False) and self._lost(row):
                        continue
                    if row["id"] not in self._busy and row["due"] <= now and (best is None or row["due"] < best["due"]):
                        best = row
            if best:
                self._busy.add(best["id"])
            return best

    def waiting(self, live: bool) -> list[Body]:
        """Deliveries still to be made, oldest first."""
        return list(self.store.newest("_delivery", live))[::-1]

    def _lost(self, row: Body) -> bool:
        """The faults that befall a delivery before its first attempt."""
        faults = self.faults
        if faults.delay or faults.shuffle:
            row["due"] += faults.delay + random.uniform(0, faults.shuffle)  # noqa: S311
        if faults.take("drop"):
            self._finish(row, "dropped")
            return True
        self.store.touch(row["id"])
        return False

    def _finish(self, row: Body, state: str) -> None:
        """From the deliveries to be made to those that are over."""
        self._busy.discard(row["id"])
        known = self.store.rows.get(row["id"])
        if known is None or known.kind != "_delivery":
            return
        row["state"] = state
        with self.store.acting(live=known.live):
            self.store.remove(row["id"])
            self.store.add("_delivered", row)

    def attempt(self, row: Body, deliver: Deliver | None = None) -> int:
        """Make one attempt and note how it went; the lock is free while the other side thinks."""
        store = self.store
        with store.acting():
            event, endpoint = store.rows.get(row["event"]), store.rows.get(row["endpoint"])
            if event is None or endpoint is None or endpoint.body["status"] != "enabled":
                self._finish(row, "abandoned")  # an endpoint that is gone or off at retry time loses the event
                return 0
            body = event_body((store.hidden(row["id"]).get("told") if row["id"] in store.rows else None) or event.body)
            header = self._header(body, endpoint)
            url = endpoint.body["url"]
            if self.faults.take("corrupt"):
                body = body.replace(b'"livemode": ', b'"livemode":  ', 1)
            twice = self.faults.take("duplicate")
        status, why = _answer(deliver, body, header, url) if deliver else post(url, body, header)
        if twice and 200 <= status < 300:
            status, why = _answer(deliver, body, header, url) if deliver else post(url, body, header)
        with store.acting():
            self._note(row, status, why)
        return status

    def send_again(self, event: Body, live: bool) -> list[Body]:
        """One more delivery of an event, as from the Dashboard: it does not stop the automatic retries."""
        with self.store.acting(live):
            return [_queue(self.store, event, endpoint) for endpoint in reversed(_wanting(self.store, event["type"]))]

    def _header(self, body: bytes, endpoint: Any) -> str:
        now = time.time()
        older = [secret for secret, until in endpoint.hidden.get("older", []) if until > now]
        return signature(body, endpoint.hidden["secret"], int(now), *older)

    def _note(self, row: Body, status: int, why: str) -> None:
        self._busy.discard(row["id"])
        row["attempts"].append({"at": time.time(), "status": status, "error": why})
        tries = len(row["attempts"])
        if 200 <= status < 300:
            self._finish(row, "delivered")
            event = self.store.rows.get(row["event"])
            if event:
                event.body["pending_webhooks"] = max(0, event.body["pending_webhooks"] - 1)
                self.store.touch(row["event"])
        elif tries >= ATTEMPTS:
            self._finish(row, "failed")
        elif row["id"] in self.store.rows:
            row["due"] = time.time() + self.first_wait * 2 ** (tries - 1) / self.speed
            self.store.touch(row["id"])


def _answer(deliver: Deliver, body: bytes, header: str, url: str) -> tuple[int, str]:
    return deliver(body, header, url), ""


def post(url: str, body: bytes, header: str) -> tuple[int, str]:
    """One POST without redirects or proxies; status 0 when nobody answered."""
    parts = urlsplit(url)
    connect: Any = http.client.HTTPConnection
    options: dict[str, Any] = {"timeout": TIMEOUT}
    if parts.scheme == "https":
        connect, options = http.client.HTTPSConnection, options | {"context": ssl.create_default_context()}
    connection = connect(parts.hostname or "", parts.port, **options)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": AGENT,
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "Stripe-Signature": header,
    }
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        answer.read(64_000)
        return answer.status, ""
    except (OSError, http.client.HTTPException) as trouble:
        return 0, f"{type(trouble).__name__}: {trouble}"
    finally:
        connection.close()
