"""What a process does beside answering requests: started once in each, whichever WSGI server it belongs to."""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from multiprocessing.util import Finalize
from typing import Any

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import breakdowns, database_errors
from tracker.server.log import log_as_json
from tracker.web import heartbeat, protection, visit_counter
from tracker.web.admin import notice_sender
from tracker.web.cache.bars import LOOK_SECONDS
from tracker.web.site import gateway, now
from tracker.web.webhook import body_retention, fee_fetcher

log = structlog.get_logger()

Work = Callable[[datetime], object]


class Background:
    """Middleware that starts the work at a process's first request; `tracker serve` starts it before that.

    The process is told by its id: a server may make the app in one process and serve it in others, which it forks.
    """

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], app: Flask) -> None:
        self.wsgi, self.app = wsgi, app
        self._started_in = 0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._started_in != os.getpid():
            self.start()
        return self.wsgi(environ, start_response)

    def start(self) -> None:
        with self._lock:
            if self._started_in != os.getpid():
                self._start()
                self._started_in = os.getpid()

    def _start(self) -> None:
        if not structlog.is_configured():
            log_as_json()
        made = self.app.extensions
        bars, visits, node = made["bars"], made["visits"], made["node"]
        node.begin(now())
        # From the first request on, also for those that come before the first look.
        bars.watched = True
        # So that the first donor need not wait for Stripe's client to be made, nor for the database while that is away.
        do_once(self.app, "gateway", lambda _: gateway())
        self._repeat("bars", bars.look, LOOK_SECONDS)
        # A look may hang for as long as the database does; somebody else must notice.
        self._repeat("silence", bars.notice_silence, LOOK_SECONDS)
        self._repeat("visits", visits.write, visit_counter.WRITE_SECONDS)
        self._repeat("checkouts", made["checkouts"].write, protection.WRITE_SECONDS)
        self._repeat("node", node.write, heartbeat.WRITE_SECONDS, node.news)
        self._repeat("breakdowns", breakdowns.keep_up, breakdowns.LOOK_SECONDS)
        self._repeat("fees", fee_fetcher.fetch_due, fee_fetcher.LOOK_SECONDS, made["fees_due"])
        self._repeat("notices", notice_sender.keep_up, notice_sender.LOOK_SECONDS)
        self._repeat("bodies", body_retention.drop_old_bodies, body_retention.LOOK_SECONDS)
        # A worker process ends without what atexit would do. Before the log, which goes last.
        for name, work in (("visits", visits.write), ("checkouts", made["checkouts"].write), ("node", node.write_end)):
            Finalize(None, do_once, (self.app, name, work), exitpriority=1)

    def _repeat(self, name: str, work: Work, seconds: float, wake: threading.Event | None = None) -> None:
        """Does it now, again every so many seconds, and when woken, in a thread that ends with the process."""
        woken = wake or threading.Event()

        def run() -> None:
            while True:
                woken.clear()
                do_once(self.app, name, work)
                woken.wait(seconds)

        threading.Thread(target=run, name=name, daemon=True).start()


def do_once(app: Flask, name: str, work: Work) -> None:
    """Does it, and logs what goes wrong: the next time may be better."""
    try:
        with app.app_context():
            work(now())
    except SQLAlchemyError as error:
        log.warning("background.no_database", work=name, **database_errors.named(error))
    except Exception:
        log.exception("background.stumbled", work=name)
