"""The way back to the article: to sites that the campaign names and nowhere else, and only by the path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.giving.way_back import LONGEST, check_hosts, read_back, read_hosts

HOSTS = ("www.example.org", "localhost", "127.0.0.1")


@pytest.mark.parametrize(
    ("asked", "back"),
    [
        ("https://www.example.org/news/ferry", "https://www.example.org/news/ferry"),
        ("https://WWW.Example.org", "https://www.example.org/"),
        ("https://www.example.org:443/a", "https://www.example.org/a"),
        ("https://www.example.org/a?id=7&email=ana@example.net#top", "https://www.example.org/a"),
        ("https://www.example.org/новости", "https://www.example.org/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8"),
        ("https://www.example.org/%D0%BD", "https://www.example.org/%D0%BD"),
        ('https://www.example.org/"><b>', "https://www.example.org/%22%3E%3Cb%3E"),
        ("http://127.0.0.1:5002/news/ferry", "http://127.0.0.1:5002/news/ferry"),
        ("http://localhost/a", "http://localhost/a"),
    ],
)
def test_an_article_on_a_named_site_is_led_back_to(asked: str, back: str) -> None:
    assert read_back(asked, HOSTS) == back
    assert read_back(back, HOSTS) == back


@pytest.mark.parametrize(
    "asked",
    [
        "", "/news/ferry", "www.example.org/a", "//www.example.org/a", "http://www.example.org/a", "https://example.org/a",
        "https://www.example.org.evil.example/", "https://evil.example/www.example.org", "https://evil.example#www.example.org",
        "https://evil.example\\@www.example.org/", "https://www.example.org\\.evil.example/", "https://ana:x@www.example.org/",
        "https://www.example.org@evil.example/", "https://www.example.org:8443/", "https://www.example.org:x/",
        "javascript:alert(1)//www.example.org", "javascript://www.example.org/%0aalert(1)", "data:text/html,x", "https:/a",
        "https://www.example.org/a b", "https://www.exam\tple.org/", "\nhttps://www.example.org/", "https://[::1", "https://",
        "ftp://localhost/a", "https://www.example.org/" + "x" * LONGEST, "https://www.example.org/" + "я" * 200,
    ],
)  # fmt: skip
def test_anything_else_leads_nowhere(asked: str) -> None:
    assert read_back(asked, HOSTS) == ""


def test_a_campaign_that_names_no_site_leads_nobody_anywhere() -> None:
    assert read_back("https://www.example.org/", ()) == ""
    assert read_back("https://", ()) == read_back("https:///x", ("",)) == ""


@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://www.example.org", "//", "http://localhost"]))
def test_whatever_is_asked_the_way_back_is_on_a_named_site(text: str, before: str) -> None:
    back = read_back(before + text, HOSTS)
    assert not back or back.startswith(
        ("https://www.example.org/", "http://localhost", "https://localhost", "http://127.0.0.1", "https://127.0.0.1")
    )
    assert not set(back) & set("?# \\<>\"'") - {"'"}


def test_hosts_are_read_however_they_are_pasted() -> None:
    typed = "https://www.Example.org/news?x=1, news.example.org\nzürich.example  www.example.org;localhost:5002"
    assert read_hosts(typed) == ("www.example.org", "news.example.org", "xn--zrich-kva.example", "localhost")
    check_hosts(read_hosts(typed))


@pytest.mark.parametrize("host", ["*.example.org", "-x.example", "a..b", "x" * 64 + ".example", "[::1]", "a_b"])
def test_what_is_no_host_is_named(host: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a site"):
        check_hosts(("www.example.org", host))


def test_there_are_not_too_many_hosts() -> None:
    with pytest.raises(ValueError, match=r"^List 20 sites at most\.$"):
        check_hosts(tuple(f"a{number}.example" for number in range(21)))
