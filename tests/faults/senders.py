"""Stripe's side of the wire: several connections at once, and whatever is not answered 2xx is sent again later."""

import http.client
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from actors import WEBHOOK_SECRET
from faults.history import Delivery
from faults.server import Server
from stripe import WebhookSignature

CUT, NOBODY = -1, 0


class Senders:
    """Posts deliveries until each was acknowledged, and counts the answers; CUT and NOBODY are none."""

    def __init__(
        self, servers: Sequence[Server], deliveries: Iterable[Delivery], *, at_once: int = 8, pause: float = 0
    ) -> None:
        self.waiting = deque(deliveries)
        self.left = len(self.waiting)
        self.pause = pause
        self.acknowledged: set[str] = set()
        self.answers: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(servers[number % len(servers)].port,))
            for number in range(at_once)
        ]

    def __enter__(self) -> "Senders":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def finish(self, seconds: float = 300) -> None:
        """Until everything was acknowledged."""
        self.pause = 0
        until = time.monotonic() + seconds
        while self.left:
            assert time.monotonic() < until, (self.left, self.answers)
            assert not any(400 <= status < 500 for status in self.answers), self.answers
            time.sleep(0.02)

    def wait_for_another(self, seconds: float) -> float:
        """Until one more is acknowledged than now; returns how long that took."""
        began, before = time.monotonic(), self.left
        while self.left >= before:
            assert time.monotonic() - began < seconds, self.answers
            time.sleep(0.01)
        return time.monotonic() - began

    def _send(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            while not self._over.is_set() and self.left:
                try:
                    delivery = self.waiting.popleft()
                except IndexError:
                    time.sleep(0.01)
                    continue
                status = post(connection, delivery.body)
                with self._lock:
                    self.answers[status] += 1
                    if 200 <= status < 300:
                        self.acknowledged.add(delivery.event_id)
                        self.left -= 1
                    else:
                        self.waiting.append(delivery)
                time.sleep(self.pause if status > 0 else 0.1)
        finally:
            connection.close()


def post(connection: http.client.HTTPConnection, body: bytes) -> int:
    """Delivers an event as Stripe signs it. CUT when there was no whole answer, NOBODY when nobody listens."""
    signature = WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
    try:
        connection.request("POST", "/webhooks/stripe", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return NOBODY if isinstance(error, ConnectionRefusedError) else CUT
