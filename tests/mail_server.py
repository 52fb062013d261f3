"""A mail server on this machine that keeps what it is sent, and refuses what a test wants refused."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from ports import free_port


@dataclass
class MailServer:
    """What was taken, and how the next mails are answered."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Any] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refuses_to: str = ""
    """How recipients are refused, such as `550 No such user`; empty while they are not."""
    refuses_from: str = ""
    asks_for_login: bool = False
    refuses_data: str = ""

    async def handle_MAIL(self, _server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.refuses_from or (self.asks_for_login and not session.authenticated):
            return self.refuses_from or "530 Sign in first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.refuses_to:
            return self.refuses_to
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses_data:
            return self.refuses_data
        self.raw.append(envelope.content)
        self.taken.append(cast(EmailMessage, message_from_bytes(envelope.content, policy=policy.default)))
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 Taken"


@contextmanager
def mail_server(
    *, tls: tuple[Path, Path] | None = None, starttls: bool = False, login: tuple[str, str] | None = None
) -> Iterator[MailServer]:
    """A server with a certificate and its key, from the beginning or by STARTTLS; with `login`, one that asks for it."""

    def known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
        # “Not handled”: it says so itself, with 535.
        return AuthResult(success=login == (given.login.decode(), given.password.decode()), handled=False)

    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*tls)
    server = MailServer(free_port())
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": server.port}
    if starttls:
        options |= {"tls_context": context, "require_starttls": True}
    elif context:
        options |= {"ssl_context": context}
    if login:
        # It does not know of a conversation that is encrypted from the beginning.
        options |= {"authenticator": known, "auth_require_tls": starttls}
        server.asks_for_login = True
    controller = Controller(server, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@contextmanager
def silent_server(says: bytes = b"") -> Iterator[int]:
    """A port where somebody listens and, after these first words, never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                one.sendall(says)
                held.append(one)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in held:
            one.close()
