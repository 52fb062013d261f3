"""What is posted to a program of the newsroom's: signed as Standard Webhooks has it, to that address and no other."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mail_server import silent_server
from ports import free_port
from serving import serving
from tls import self_signed

from tracker.web.notices import signed_post
from tracker.web.notices.not_sent import NotSent

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = '{"type":"notice.test","data":{"title":"Zürich"}}'.encode()
Came = list[tuple[dict[str, str], bytes]]


@contextmanager
def receiver(
    status: str = "204 No Content", *later: str, tls: Any = None, **headers: str
) -> Iterator[tuple[str, Came]]:
    """Answers the first request with this status, and each one after it with the next; the last stays."""
    came: Came = []
    answers = [status, *later]

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        names = ("HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE", "CONTENT_TYPE", "PATH_INFO")
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        came.append(({name: environ.get(name, "") for name in names}, body))
        start(answers.pop(0) if len(answers) > 1 else answers[0], [("Content-Length", "0"), *headers.items()])
        return []

    with serving(answer, tls=tls) as url:
        yield url, came


def problem(url: str) -> NotSent:
    with pytest.raises(NotSent) as caught:
        signed_post.post(url, SECRET, "notice_1", 1_620_984_660, BODY)
    return caught.value


def test_the_receiver_can_check_who_it_is_from_and_that_nothing_was_changed() -> None:
    """As docs/notices.md says it, and any library for Standard Webhooks does."""
    with receiver() as (url, came):
        signed_post.post(f"{url}/hook?key=1", SECRET, "notice_1", 1_620_984_660, BODY)
    ((headers, body),) = came
    assert (body, headers["CONTENT_TYPE"], headers["PATH_INFO"]) == (BODY, "application/json", "/hook")
    signed = f"{headers['HTTP_WEBHOOK_ID']}.{headers['HTTP_WEBHOOK_TIMESTAMP']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["HTTP_WEBHOOK_SIGNATURE"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = signed_post.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "reason", "for_good", "for_all"),
    [
        ("500 Internal Server Error", "status", False, True), ("503 Service Unavailable", "status", False, True),
        ("400 Bad Request", "status", False, False), ("404 Not Found", "status", False, False),
        ("410 Gone", "gone", True, True),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_2xx_is_a_failure(status: str, reason: str, for_good: bool, for_all: bool) -> None:
    with receiver(status) as (url, _):
        found = problem(url)
    assert (found.reason, found.detail.casefold()) == (reason, status.casefold())
    assert (found.for_good, found.for_all) == (for_good, for_all)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with receiver() as (elsewhere, came), receiver(status, Location=f"{elsewhere}/other") as (url, _):
        assert problem(url).reason == "redirect"
    assert came == []


def test_nobody_there() -> None:
    found = problem(f"http://127.0.0.1:{free_port()}/")
    assert (found.reason, found.detail, found.for_all) == ("no_answer", "Connection refused", True)


def test_a_receiver_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_post, "SECONDS", 1)
    with silent_server() as port:
        assert problem(f"http://127.0.0.1:{port}/").reason == "no_answer"
    with silent_server(b"this is not HTTP\r\n\r\n") as port:
        assert problem(f"http://127.0.0.1:{port}/").reason == "no_answer"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with receiver(tls=self_signed(tmp_path, "127.0.0.1")) as (url, came):
        assert problem(url).reason == "bad_certificate"
    assert came == []
