"""The settings for notices: each way is set up whole or not at all, and no message repeats a secret."""

import base64
from pathlib import Path

import pytest

from tracker.settings import Settings, SettingsError, Smtp, read_settings

FROM = "notices@example.org"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def read(folder: Path, **environ: str) -> Settings:
    return read_settings({"TRACKER_INSTANCE": str(folder)} | environ)


def mail(folder: Path, url: str, sender: str = FROM) -> Settings:
    return read(folder, TRACKER_SMTP_URL=url, TRACKER_MAIL_FROM=sender)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", Smtp("mail.example.org", 587, "starttls")),
        ("smtp://mail.example.org:25", Smtp("mail.example.org", 25, "starttls")),
        (
            "smtps://ana:p@mail.example.org".replace(":p@", ":p%40%3A%2F%25@"),
            Smtp("mail.example.org", 465, "tls", "ana", "p@:/%"),
        ),
        ("smtps://a%40b:secret@mail.example.org:2465/", Smtp("mail.example.org", 2465, "tls", "a@b", "secret")),
        ("smtp://127.0.0.1:25", Smtp("127.0.0.1", 25, "none")),
        ("smtp://localhost", Smtp("localhost", 587, "none")),
        ("smtp://ana:secret@[::1]:25", Smtp("::1", 25, "none", "ana", "secret")),
        ("smtp://relay.internal:25?tls=no", Smtp("relay.internal", 25, "none")),
    ],
)
def test_the_mail_server(tmp_path: Path, url: str, expected: Smtp) -> None:
    assert mail(tmp_path, url).smtp == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org", "mail.example.org:587", "http://mail.example.org", "smtp://", "smtp://:587", "smtp://a b",
        "smtp://hunter2@mail.example.org", "smtp://ana:hunter2@x@mail.example.org", "smtp://mail.example.org:0",
        "smtp://mail.example.org:x", "smtp://mail.example.org/inbox", "smtp://mail.example.org#x", "smtp://[::1",
        "smtp://mail.example.org?tls=maybe", "smtps://mail.example.org?tls=no",
        "smtp://ana:hunter2@relay.internal:25?tls=no", "smtp://ana:hunter2%0d%0a@mail.example.org",
    ],
)  # fmt: skip
def test_a_mail_server_that_cannot_be_meant_stops_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="TRACKER_SMTP_URL") as caught:
        mail(tmp_path, url)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (FROM, FROM), ("The Courier <notices@example.org>", "The Courier <notices@example.org>"),
        ('"Courier, The" <notices@example.org>', '"Courier, The" <notices@example.org>'),
        ("Zürcher Bote <n+x@mail.example.org>", "Zürcher Bote <n+x@mail.example.org>"),
    ],
)  # fmt: skip
def test_the_sender(tmp_path: Path, sender: str, expected: str) -> None:
    assert mail(tmp_path, "smtp://mail.example.org", sender).mail_from == expected


@pytest.mark.parametrize(
    "sender",
    [
        "notices", "notices@", "@example.org", "a@b@example.org", "a@example.org, b@example.org", "a b@example.org",
        "X\r\nBcc: y@example.org <a@example.org>", "X\nY <a@example.org>", "<>", "The Courier", "a@-example.org-",
    ],
)  # fmt: skip
def test_a_sender_that_is_not_one_address_stops_the_start(tmp_path: Path, sender: str) -> None:
    with pytest.raises(SettingsError, match="TRACKER_MAIL_FROM"):
        mail(tmp_path, "smtp://mail.example.org", sender)


@pytest.mark.parametrize(
    "half",
    [
        {"TRACKER_SMTP_URL": "smtp://mail.example.org"}, {"TRACKER_MAIL_FROM": FROM},
        {"TRACKER_NOTICE_URL": "https://example.org"}, {"TRACKER_NOTICE_SECRET": SECRET},
    ],
)  # fmt: skip
def test_half_of_a_way_is_none(tmp_path: Path, half: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="set both TRACKER_"):
        read(tmp_path, **half)


@pytest.mark.parametrize("url", ["https://example.org/hook?key=1", "http://10.0.0.7:8080/", "http://intranet/x"])
def test_the_webhook_may_be_in_ones_own_network(tmp_path: Path, url: str) -> None:
    found = read(tmp_path, TRACKER_NOTICE_URL=url, TRACKER_NOTICE_SECRET=SECRET)
    assert (found.notice_url, found.notice_secret) == (url, SECRET)
    assert SECRET not in repr(found)
    assert url not in repr(found)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("example.org/hook", SECRET), ("ftp://example.org", SECRET), ("https://", SECRET), ("https://a b/", SECRET),
        ("https://ana:secret@example.org/", SECRET), ("https://example.org/#x", SECRET), ("https://[::1", SECRET),
        ("https://example.org/", SECRET.removeprefix("whsec_")), ("https://example.org/", "whsec_not base64!"),
        ("https://example.org/", "whsec_" + base64.b64encode(b"x" * 23).decode()),
        ("https://example.org/", "whsec_" + base64.b64encode(b"x" * 65).decode()), ("https://example.org/", "whsec_é"),
    ],
)  # fmt: skip
def test_a_webhook_that_cannot_be_meant_stops_the_start(tmp_path: Path, url: str, secret: str) -> None:
    with pytest.raises(SettingsError, match="TRACKER_NOTICE_") as caught:
        read(tmp_path, TRACKER_NOTICE_URL=url, TRACKER_NOTICE_SECRET=secret)
    assert secret not in str(caught.value)
