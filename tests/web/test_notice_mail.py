"""Mails to a real mail server on this machine: private, well formed, and each way in which a server can fail us named."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actors import moment
from mail_server import MailServer, mail_server, silent_server
from ports import free_port
from tls import self_signed

from tracker.settings import Smtp
from tracker.settings.notice_values import read_mail
from tracker.web.notices import smtp_mail
from tracker.web.notices.not_sent import NotSent
from tracker.web.notices.smtp_mail import Mail, Picture

NOW = moment("2021-05-14T09:31")
FROM = "The Courier <notices@example.org>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
STOP = "https://give.example.org/notices/stop/" + "x" * 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_mail, "SECONDS", 2)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as made:
        yield made


def mail(**changes: Any) -> Mail:
    values = {
        "to": "ana@example.org", "subject": "Goal reached", "text": "340 $ of 340 $", "html": "<p>340 $ of 340 $</p>",
        "stop": STOP,
    }  # fmt: skip
    return Mail(**values | changes)


def send(url: str, one: Mail | None = None, sender: str = FROM) -> None:
    smtp, mail_from = read_mail(url, sender)
    assert smtp is not None
    one = one or mail()
    smtp_mail.send(smtp, smtp_mail.message(one, mail_from, "notice.1.abc", NOW), one.to, "give.example.org")


def problem(url: str, **changes: Any) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(url, mail(**changes))
    return caught.value


# --- What arrives -----------------------------------------------------------------------------------------------------


def test_a_mail_arrives_as_text_and_html_with_its_headers(server: MailServer) -> None:
    send(f"smtp://127.0.0.1:{server.port}")
    (found,) = server.taken
    assert server.envelopes == [("notices@example.org", ["ana@example.org"])]
    assert (found["From"], found["To"], found["Subject"]) == (FROM, "ana@example.org", "Goal reached")
    assert found["Message-ID"] == "<notice.1.abc@example.org>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Date"].datetime == NOW
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found.get_content_type() == "multipart/alternative"
    assert found.get_body(("plain",)).get_content().strip() == "340 $ of 340 $"
    assert found.get_body(("html",)).get_content().strip() == "<p>340 $ of 340 $</p>"


def test_a_long_address_in_a_header_stays_in_one_piece(server: MailServer) -> None:
    send(f"smtp://127.0.0.1:{server.port}")
    assert f"List-Unsubscribe: <{STOP}>\r\n".encode() in server.raw[0]
    assert max(map(len, server.raw[0].split(b"\r\n"))) <= 998


def test_a_mail_that_nobody_can_end_says_nothing_of_it(server: MailServer) -> None:
    send(f"smtp://127.0.0.1:{server.port}", mail(stop=""))
    assert not [name for name in server.taken[0] if name.startswith("List-")]


def test_a_picture_is_in_the_mail_and_nothing_is_loaded(server: MailServer) -> None:
    send(
        f"smtp://127.0.0.1:{server.port}",
        mail(html='<img src="cid:bar-1" alt="340 $">', pictures=[Picture("bar-1", PNG)]),
    )
    html = server.taken[0].get_payload()[1]
    assert html.get_content_type() == "multipart/related"
    (picture,) = html.iter_attachments()
    assert (picture["Content-ID"], picture.get_content_disposition(), picture.get_content()) == (
        "<bar-1>",
        "inline",
        PNG,
    )


@pytest.mark.parametrize(
    "title",
    [
        "Courier\r\nBcc: victim@example.org\r\n\r\nBuy now",
        "Courier\nBcc: victim@example.org",
        "Courier\u2028Bcc: x",
        "\0\x1b[31m",
    ],
)
def test_a_title_with_new_lines_begins_no_header(server: MailServer, title: str) -> None:
    send(f"smtp://127.0.0.1:{server.port}", mail(subject=f"{title}: goal reached"))
    (found,) = server.taken
    assert found["Bcc"] is None
    assert server.envelopes[0][1] == ["ana@example.org"]
    assert "\n" not in found["Subject"]
    assert found["Subject"].endswith(": goal reached")


@pytest.mark.parametrize("to", ["ana@example.org\r\nBcc: b@example.org", "ana@example.org, b@example.org", "ana", ""])
def test_what_is_not_one_address_is_not_written_to(server: MailServer, to: str) -> None:
    found = problem(f"smtp://127.0.0.1:{server.port}", to=to)
    assert (found.reason, found.for_good, server.taken) == ("recipient", True, [])


def test_words_of_any_script_arrive(server: MailServer) -> None:
    send(f"smtp://127.0.0.1:{server.port}", mail(subject="Zürich: 目標 🎉", text="五千", html="<p>五千</p>"))
    (found,) = server.taken
    assert found["Subject"] == "Zürich: 目標 🎉"
    assert found.get_body(("plain",)).get_content().strip() == "五千"


# --- Privately --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("starttls", [True, False])
def test_with_tls_name_and_password_are_sent_once_nobody_can_read_them(
    certificate: tuple[Path, Path], starttls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with mail_server(tls=certificate, starttls=starttls, login=("ana@x", "p:ss/word")) as server:
        smtp, _ = read_mail(f"smtp{'' if starttls else 's'}://ana%40x:p%3Ass%2Fword@127.0.0.1:{server.port}", FROM)
        assert smtp is not None
        # On this machine STARTTLS is not asked for by itself.
        smtp = Smtp(smtp.host, smtp.port, "starttls" if starttls else "tls", smtp.user, smtp.password)
        smtp_mail.send(smtp, smtp_mail.message(mail(), FROM, "notice.1", NOW), "ana@example.org", "give.example.org")
        assert server.encrypted == [True]
        wrong = Smtp(smtp.host, smtp.port, smtp.security, smtp.user, "another")
        with pytest.raises(NotSent) as caught:
            smtp_mail.send(
                wrong, smtp_mail.message(mail(), FROM, "notice.1", NOW), "ana@example.org", "give.example.org"
            )
        assert (caught.value.reason, caught.value.for_all, caught.value.for_good) == ("sign_in", True, False)
        assert "another" not in caught.value.detail


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path], security: str) -> None:
    with mail_server(tls=certificate, starttls=security == "starttls") as server:
        smtp = Smtp("127.0.0.1", server.port, security, "ana", "secret")  # type: ignore[arg-type]
        with pytest.raises(NotSent) as caught:
            smtp_mail.send(
                smtp, smtp_mail.message(mail(), FROM, "notice.1", NOW), "ana@example.org", "give.example.org"
            )
        assert (caught.value.reason, server.taken) == ("bad_certificate", [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_encrypt_gets_nothing(server: MailServer, security: str) -> None:
    smtp = Smtp("127.0.0.1", server.port, security, "ana", "secret")  # type: ignore[arg-type]
    with pytest.raises(NotSent) as caught:
        smtp_mail.send(smtp, smtp_mail.message(mail(), FROM, "notice.1", NOW), "ana@example.org", "give.example.org")
    assert (caught.value.reason, server.taken) == ("no_tls", [])


# --- What can go wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "answer", "reason", "for_good", "for_all"),
    [
        ("refuses_to", "550 No such user here", "recipient", True, False),
        ("refuses_to", "450 Greylisted, come back", "recipient", False, False),
        ("refuses_from", "553 Not your address", "sender", False, True),
        ("refuses_data", "554 This looks like spam", "refused", False, False),
        ("refuses_data", "452 Full", "refused", False, False),
    ],
)
def test_what_the_server_refuses_is_told_with_its_own_words(
    server: MailServer, what: str, answer: str, reason: str, for_good: bool, for_all: bool
) -> None:
    setattr(server, what, answer)
    found = problem(f"smtp://127.0.0.1:{server.port}")
    assert (found.reason, found.detail, found.for_good, found.for_all) == (reason, answer, for_good, for_all)


def test_nobody_there() -> None:
    found = problem(f"smtp://127.0.0.1:{free_port()}")
    assert (found.reason, found.detail, found.for_all) == ("no_answer", "Connection refused", True)


@pytest.mark.parametrize("says", [b"", b"220 hello\r\n"])
def test_a_server_that_says_nothing_is_not_waited_for(says: bytes) -> None:
    with silent_server(says) as port:
        found = problem(f"smtp://127.0.0.1:{port}")
    assert found.for_all
    assert found.reason in ("no_answer", "broke_off")


def test_what_a_server_says_is_one_line_without_signs_that_steer_a_terminal(server: MailServer) -> None:
    server.refuses_data = "554-first\x1b[31m\r\n554 second"
    detail = problem(f"smtp://127.0.0.1:{server.port}").detail
    assert re.fullmatch(r"554 first \[31m second", detail), detail
