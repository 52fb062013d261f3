"""Every month in the open: its lines for everybody, files that add up, a feed, and a number that can be checked."""

import csv
import hashlib
import io
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from xml.etree import ElementTree

import pytest
import time_machine
from actors import NEWSROOM, gift_fact, moment, refund_fact
from flask import Flask
from flask.testing import FlaskClient

from tracker.giving.facts import Fact
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, month_closing, public_lines, results
from tracker.ledger.store import reading, writing

NOW = moment("2021-06-14T09:31")
MAY, JUNE = parse_month("2021-05"), parse_month("2021-06")
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(autouse=True)
def _in_june() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def record(*facts: Fact, at: datetime = NOW) -> None:
    with writing() as connection:
        for fact in facts:
            book.record(connection, fact, at)


def close(month: str = "2021-05") -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month(month), False, NOW)


def rows(client: FlaskClient, month: str = "2021-05") -> list[dict[str, str]]:
    answer = client.get(f"/c/newsroom/months/{month}.csv")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def a_may() -> None:
    record(
        gift_fact(
            "cs_1",
            30_000,
            source="article-1",
            name="Ana Private",
            message="for my mother",
            at=moment("2021-05-14T22:30"),
        ),
        gift_fact("in_1", 6_050, kind="monthly"),
        refund_fact("cs_1", 2_000),
        gift_fact("cs_eur", 700, currency="EUR"),
    )


# --- Lines ------------------------------------------------------------------------------------------------------------


def test_a_month_shows_its_lines_by_day_and_kind_and_nothing_else(client: FlaskClient) -> None:
    a_may()
    page = client.get("/c/newsroom/months/2021-05").text
    table = page.partition('<table class="lines">')[2].partition("</table>")[0]
    lines = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in table.split("<tr>")[2:]]
    # In Berlin it was the 15th.
    assert lines == [
        "May 14 One-time gift €7",
        "May 14 Refund −20 $",
        "May 14 Monthly gift 60.50 $",
        "May 15 One-time gift 300 $",
    ]
    for secret in ("article-1", "Ana", "mother", "cs_1", "pi_cs_1", "22:30", "00:30", "09:31"):
        assert secret not in page, secret


def test_a_long_month_shows_its_newest_lines_and_names_the_file_for_the_rest(client: FlaskClient) -> None:
    record(*(gift_fact(f"cs_{number}", 1000 + number) for number in range(103)))
    page = client.get("/c/newsroom/months/2021-05").text
    assert page.count("One-time gift</td>") + page.count("One-time gift\n") == 100
    assert "The newest 100 lines, without names." in page
    assert "11.02 $" in page
    assert ">10.02 $" not in page
    assert 'href="/c/newsroom/months/2021-05.csv"' in page
    assert len(rows(client)) == 103


def test_a_correction_names_the_month_that_it_belongs_to(client: FlaskClient) -> None:
    a_may()
    close()
    record(refund_fact("in_1", 1_000, key="re_late", at=NOW))
    june = client.get("/c/newsroom/months/2021-06").text
    assert "<small>for May 2021</small>" in june
    assert rows(client, "2021-06") == [
        {
            "date": "2021-06-14",
            "month": "2021-06",
            "kind": "refund",
            "amount": "-10.00",
            "currency": "USD",
            "closed_month": "2021-05",
        }
    ]


def test_a_closed_month_says_below_what_never_changes_that_it_was_corrected(client: FlaskClient) -> None:
    a_may()
    close()
    before = client.get("/c/newsroom/months/2021-05").text
    assert "Corrected after closing" not in before
    record(refund_fact("in_1", 1_000, key="re_late", at=NOW))
    after = client.get("/c/newsroom/months/2021-05").text
    assert after.partition("</main>")[0] == before.partition("</main>")[0]
    said = re.sub(r"<[^>]+>", "", after.partition("</main>")[2])
    assert "Corrected after closing: −10 $, booked in June 2021." in said
    assert '<a href="/c/newsroom/months/2021-06">June 2021</a>.' in after
    assert "Corrected after closing" not in client.get("/c/newsroom/months/2021-06").text


def test_months_lead_to_the_one_before_and_the_one_after(client: FlaskClient) -> None:
    page = client.get("/c/newsroom/months/2021-05").text
    assert re.findall(r'rel="(prev|next)" href="([^"]+)"', page) == [
        ("prev", "/c/newsroom/months/2021-04"), ("next", "/c/newsroom/months/2021-06")
    ]  # fmt: skip
    assert 'rel="next"' not in client.get("/c/newsroom/months/2021-06").text
    assert 'rel="prev"' not in client.get("/c/newsroom/months/2021-01").text


# --- The file ---------------------------------------------------------------------------------------------------------


def test_the_file_has_every_line_with_nothing_about_anybody_and_adds_up(client: FlaskClient) -> None:
    a_may()
    found = rows(client)
    assert list(found[0]) == ["date", "month", "kind", "amount", "currency", "closed_month"]
    assert [row["date"] for row in found] == ["2021-05-15", "2021-05-14", "2021-05-14", "2021-05-14"]
    assert sum(Decimal(row["amount"]) for row in found if row["currency"] == "USD") == Decimal("340.50")
    answer = client.get("/c/newsroom/months/2021-05.csv")
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Disposition"] == "attachment; filename=newsroom-2021-05.csv"


@pytest.mark.parametrize(
    "address", ["/c/newsroom/months/2020-12.csv", "/c/nobody/months/2021-05.csv", "/c/newsroom/months/x.csv"]
)
def test_there_is_no_file_of_a_month_that_there_is_not(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404
    assert client.get(address.replace(".csv", "/check")).status_code == 404


def test_a_mistyped_address_leads_to_the_file(client: FlaskClient) -> None:
    assert client.get("/c/Newsroom/months/2021-05.csv").headers["Location"] == "/c/newsroom/months/2021-05.csv"
    assert client.get("/c/newsroom/months.atom/").headers["Location"] == "/c/newsroom/months.atom"


def test_the_file_is_sent_in_parts_with_no_transaction_between_them(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_lines, "AT_ONCE", 3)
    record(*(gift_fact(f"cs_{number}", 1000 + number) for number in range(10)))
    answer = client.get("/c/newsroom/months/2021-05.csv", buffered=False)
    parts = iter(answer.iter_encoded())
    first = [next(parts), next(parts)]
    # Another gift, while somebody with a slow line is at the beginning.
    record(gift_fact("cs_more", 5000))
    found = b"".join([*first, *parts]).decode().splitlines()
    assert len(found) == 12
    assert found[-1].endswith(",50.00,USD,")


def test_one_address_may_have_so_many_files(client: FlaskClient) -> None:
    for _ in range(60):
        assert client.get("/c/newsroom/months/2021-05.csv").status_code == 200
    assert client.get("/c/newsroom/months/2021-05.csv").status_code == 429


# --- Checking ---------------------------------------------------------------------------------------------------------


def run(command: str, file: bytes) -> str:
    """What a command of the page prints, with the file in place of its download."""
    rest = unescape(command).partition(" | ")[2]
    return subprocess.run(["sh", "-c", rest], input=file, capture_output=True, check=True).stdout.decode()


def commands(page: str) -> list[str]:
    return [one for one in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page) if one.startswith("curl")]


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_what_the_page_says_to_type_prints_what_it_says(client: FlaskClient, app: Flask, currency: str) -> None:
    campaign = replace(NEWSROOM, slug="other", currency=currency, minimum=1000, monthly=(1000,), once=(1000,))
    with writing() as connection:
        campaigns.save(connection, campaign)
    record(
        gift_fact("cs_a", 1_234_500, currency=currency, campaign="other"),
        gift_fact("cs_b", 1_000, currency=currency, campaign="other"),
        gift_fact("cs_c", 900, currency="EUR", campaign="other"),
        refund_fact("cs_b", 1_000, currency=currency),
    )
    page = client.get("/c/other/months/2021-05/check").text
    expected = re.findall(r"<output[^>]*>([^<]+)</output>", page)[0]
    (add_up,) = commands(page)
    assert run(add_up, client.get("/c/other/months/2021-05.csv").data).strip() == expected
    assert expected == {"USD": "12345.00", "JPY": "1234500", "KWD": "1234.500"}[currency]
    assert "This month is still open" in page


def test_a_closed_months_checksum_is_that_of_its_file_for_ever(client: FlaskClient) -> None:
    a_may()
    close()
    page = client.get("/c/newsroom/months/2021-05/check").text
    file = client.get("/c/newsroom/months/2021-05.csv")
    digest = hashlib.sha256(file.data).hexdigest()
    assert f"<code>{digest}</code>" in page
    _, sha = commands(page)
    assert run(sha, file.data).split()[0] == digest
    assert file.get_etag() == (digest, False)
    # What comes later, and another look, change neither.
    record(refund_fact("cs_1", 5_000, key="re_late", at=NOW), gift_fact("cs_late", 700))
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, time_zone="America/New_York", amount_pattern="", locale="de_DE"))
    again = client.get("/c/newsroom/months/2021-05.csv")
    assert again.data == file.data
    assert client.get("/c/newsroom/months/2021-05/check?lang=en").text.count(digest) == 1
    known = client.get("/c/newsroom/months/2021-05.csv", headers={"If-None-Match": f'W/"{digest}"'})
    assert (known.status_code, known.data) == (304, b"")
    with reading() as connection:
        assert public_lines.hash_of(connection, NEWSROOM, MAY, False) == digest


def test_an_edited_line_is_seen_by_whoever_kept_the_checksum(client: FlaskClient) -> None:
    from sqlalchemy import text

    a_may()
    close()
    before = hashlib.sha256(client.get("/c/newsroom/months/2021-05.csv").data).hexdigest()
    with writing() as connection:
        connection.execute(text("UPDATE entry SET amount = 30001 WHERE key = 'cs_1'"))
    assert hashlib.sha256(client.get("/c/newsroom/months/2021-05.csv").data).hexdigest() != before


def test_the_page_says_what_only_an_auditor_can_check(client: FlaskClient) -> None:
    a_may()
    close()
    page = client.get("/c/newsroom/months/2021-05/check").text
    with reading() as connection:
        head = results.result(connection, NEWSROOM, MAY, False).head
    assert "The file cannot show that every line is real, or that none was left out." in page
    assert f"<code>{head}</code>" in page


def test_a_month_closed_before_there_were_checksums_says_so(client: FlaskClient) -> None:
    from sqlalchemy import text

    a_may()
    close()
    with writing() as connection:
        connection.execute(text("UPDATE closed_month SET public_hash = ''"))
    assert "closed before there were checksums" in client.get("/c/newsroom/months/2021-05/check").text
    assert client.get("/c/newsroom/months/2021-05.csv").get_etag() == (None, None)


# --- The feed ---------------------------------------------------------------------------------------------------------


def feed(client: FlaskClient, address: str = "/c/newsroom/months.atom") -> ElementTree.Element:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "application/atom+xml"
    assert answer.headers["Cache-Control"] == "public, no-cache"
    return ElementTree.fromstring(answer.data)


def entries(root: ElementTree.Element) -> dict[str, tuple[str, str, str]]:
    """Title, updated and summary of each month's entry."""
    return {
        one.findtext(f"{ATOM}id", "")[-7:]: tuple(
            one.findtext(f"{ATOM}{name}", "") for name in ("title", "updated", "summary")
        )
        for one in root.findall(f"{ATOM}entry")
    }  # type: ignore[return-value]


def test_the_feed_is_what_rfc_4287_asks_for(client: FlaskClient) -> None:
    a_may()
    root = feed(client)
    assert root.tag == f"{ATOM}feed"
    for one in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{ATOM}{name}")) == 1, name
        datetime.strptime(one.findtext(f"{ATOM}updated", ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert one.findtext(f"{ATOM}id", "").startswith("http://127.0.0.1:5000/c/newsroom/months")
        assert [link.get("rel") for link in one.findall(f"{ATOM}link")].count("alternate") == 1
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "The Courier"
    assert [link.get("href") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"] == [
        "http://127.0.0.1:5000/c/newsroom/months.atom"
    ]
    ids = [one.findtext(f"{ATOM}id") for one in root.findall(f"{ATOM}entry")]
    assert len(ids) == len(set(ids)) == 2


def test_a_months_entry_is_new_when_something_was_added_to_it(client: FlaskClient) -> None:
    record(gift_fact("cs_1", 30_000), at=moment("2021-05-14T09:31"))
    first = entries(feed(client))
    assert first["2021-05"] == (
        "May 2021: 300 $ of 5,000 $", "2021-05-14T09:31:00Z", "One-time gifts: 300 $. Raised: 300 $."
    )  # fmt: skip
    # In Berlin June begins two hours earlier.
    assert first["2021-06"][1] == "2021-05-31T22:00:00Z"
    record(refund_fact("cs_1", 2_000), at=moment("2021-06-02T10:00"))
    assert entries(feed(client))["2021-05"][1:] == (
        "2021-06-02T10:00:00Z",
        "One-time gifts: 300 $. Refunded: −20 $. Raised: 280 $.",
    )
    close()
    assert entries(feed(client))["2021-05"][1] == "2021-06-14T09:31:00Z"
    assert "This month is closed" in entries(feed(client))["2021-05"][2]


def test_a_title_with_anything_in_it_makes_good_xml(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, title="News & <more> \x0b\x1f ]]> für alle"))
    assert feed(client).findtext(f"{ATOM}title") == "News & <more>  ]]> für alle"


def test_the_feed_speaks_the_language_that_is_asked_for(client: FlaskClient) -> None:
    a_may()
    root = feed(client, "/c/newsroom/months.atom?lang=de")
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert "Mai 2021" in entries(root)["2021-05"][0]


def test_pages_name_their_other_forms(client: FlaskClient) -> None:
    one, every = client.get("/c/newsroom/months/2021-05").text, client.get("/c/newsroom/months").text
    for kind, page in (
        ("text/csv", one),
        ("application/atom+xml", one),
        ("application/atom+xml", every),
        ("application/json", every),
    ):
        (address,) = re.findall(rf'<link rel="alternate" type="{re.escape(kind)}"[^>]* href="([^"]+)">', page)
        assert client.get(address).mimetype == kind
