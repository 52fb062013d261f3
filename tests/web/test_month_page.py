"""One month on one page: what it says, that every other way to the number says the same, and what it leaves unsaid."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
import time_machine
from actors import MAY, NEWSROOM, dispute_fact, gift_fact, moment, refund_fact
from flask import Flask
from flask.testing import FlaskClient
from web_admin import Editor

from tracker.giving.facts import BalanceTransaction, Fact, Payout, Subscription
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import book, breakdowns, campaigns, export_files, export_rows, month_closing
from tracker.ledger.offline_gifts import write_down
from tracker.ledger.store import reading, writing

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def record(*facts: Fact) -> None:
    with writing() as session:
        for fact in facts:
            book.record(session, fact, NOW)


def words(page: str) -> str:
    """What a reader sees, without the chart."""
    page = re.sub(r'<span class="unseen">.*?</span>', "", page)
    whole = re.sub(r"</?(span|code|strong|a|bdi)\b[^>]*>", "", page[page.index("<main") :])
    bare = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", whole, flags=re.DOTALL)
    return " ".join(unescape(bare).split())


def this_month(editor: Editor, address: str = "month") -> str:
    answer = editor.opens(f"/admin/c/newsroom/{address}")
    assert answer.status_code == 200
    return answer.text


# --- The sentence -----------------------------------------------------------------------------------------------------


def test_one_sentence_says_how_the_month_stands(editor: Editor) -> None:
    record(gift_fact("cs_1", 342_000), gift_fact("cs_april", 300_000, at=moment("2021-04-10T10:00")))
    record(gift_fact("cs_later", 900_000, at=moment("2021-04-20T10:00")))
    page = words(this_month(editor))
    assert "May 2021: 3,420 $ of 5,000 $ with 17 days to go, 14 % ahead of April 2021 on the same day" in page
    assert "This month is running. As of 2021-05-14 11:31." in page
    april = words(this_month(editor, "months/2021-04"))
    assert "April 2021: 12,000 $ of 5,000 $" in april
    assert "This month is over and not closed yet." in april
    assert "to go" not in april


@pytest.mark.parametrize(
    ("now", "may", "says"),
    [
        ("2021-05-31T09:00", 1000, "with less than a day to go, level with April 2021 on the same day"),
        ("2021-05-30T09:00", 500, "with 1 day to go, 50 % behind April 2021 on the same day"),
        ("2021-06-02T09:00", 2000, "May 2021: 20 $ of 5,000 $, 100 % more than in April 2021"),
        ("2021-06-02T09:00", 500, "May 2021: 5 $ of 5,000 $, 50 % less than in April 2021"),
        ("2021-06-02T09:00", 1000, "May 2021: 10 $ of 5,000 $, as much as in April 2021"),
    ],
)
def test_the_sentence_has_words_for_every_day(app: Flask, now: str, may: int, says: str) -> None:
    record(gift_fact("cs_1", may), gift_fact("cs_april", 1000, at=moment("2021-04-10T10:00")))
    with time_machine.travel(moment(now), tick=False):
        assert says in words(this_month(Editor(app), "months/2021-05"))


def test_the_first_month_is_compared_with_nothing(editor: Editor) -> None:
    page = this_month(editor)
    assert "May 2021: 0 $ of 5,000 $ with 17 days to go" in words(page)
    assert "Nothing was given in this month" in page
    assert "Compared with earlier months" not in page
    assert 'role="img"' not in page


def test_months_lead_to_the_one_before_and_after(editor: Editor) -> None:
    record(gift_fact("cs_april", 1000, at=moment("2021-04-10T10:00")))
    april, may = this_month(editor, "months/2021-04"), this_month(editor)
    assert 'rel="next" href="/admin/c/newsroom/months/2021-05"' in april
    assert 'rel="prev" href="/admin/c/newsroom/months/2021-04"' in may
    assert 'rel="next"' not in may


def test_a_campaign_that_is_over_opens_with_the_month_it_shows(editor: Editor) -> None:
    record(gift_fact("cs_april", 1000, at=moment("2021-04-10T10:00")))
    with writing() as session:
        campaigns.save(session, replace(NEWSROOM, held_month="2021-04"))
    page = words(this_month(editor))
    assert "April 2021: 10 $ of 5,000 $" in page
    assert "This campaign has ended and keeps showing this month." in page


# --- The chart and the figures ----------------------------------------------------------------------------------------


def a_full_month() -> None:
    for number in range(24):
        day = number % 13 + 1
        record(gift_fact(f"cs_{number}", 1000 + number, at=moment(f"2021-05-{day:02d}T10:00"), tier="1000"))
        record(gift_fact(f"cs_a{number}", 900, at=moment(f"2021-04-{day + 9:02d}T10:00")))
        record(gift_fact(f"cs_y{number}", 700, at=moment(f"2020-05-{day:02d}T10:00")))


def test_the_chart_is_named_and_its_table_has_every_day(editor: Editor) -> None:
    a_full_month()
    page = this_month(editor)
    (label,) = re.findall(r'role="img" aria-label="([^"]*)"', page)
    assert unescape(label).startswith("May 2021: 242.76 $ by day 14. April 2021 on the same day: ")
    assert "Likely to end between" in label
    table = page[page.index("Every day as a table</summary>") :]
    rows = re.findall(r"<tr><th scope=\"row\">(\d+)</th>(.*?)</tr>", table[: table.index("</table>")])
    assert [row[0] for row in rows] == [str(day) for day in range(1, 32)]
    cells = re.findall(r"<td>(.*?)</td>", rows[12][1])
    assert cells == ["242.76 $", "72 $", "168 $"]
    assert re.findall(r"<td>(.*?)</td>", rows[14][1])[0] == "–"
    assert "<style" not in page
    assert "style=" not in page


@pytest.mark.parametrize(("day", "gifts", "shown"), [(4, 12, False), (5, 12, True), (14, 9, False), (14, 10, True)])
def test_no_range_is_shown_while_there_is_too_little_to_go_on(app: Flask, day: int, gifts: int, shown: bool) -> None:
    record(*(gift_fact(f"cs_{number}", 1000, at=moment("2021-05-02T10:00")) for number in range(gifts)))
    with time_machine.travel(NOW.replace(day=day), tick=False):
        assert ("Likely to end between" in this_month(Editor(app))) is shown


def test_earlier_months_stand_beside_it_as_they_were_on_the_same_day(editor: Editor) -> None:
    a_full_month()
    page = this_month(editor)
    table = words("<main" + page[page.index('class="figures beside"') : page.index("By amount and frequency")])
    # Of April four days of thirteen, twice: the gift of the fifth came half an hour later. Of May a year ago all of them.
    assert "Raised 242.76 $ 72.00 $ now 237 % more 168.00 $ now 44 % more" in table
    assert "Gifts 24 8 now 200 % more 24 the same" in table
    assert "Median gift 10.11 $ 9.00 $ 7.00 $" in table


def test_one_amount_with_cents_gives_them_to_all_of_the_table(editor: Editor) -> None:
    record(gift_fact("cs_1", 1050), gift_fact("in_1", 500, kind="monthly"))
    record(gift_fact("cs_april", 1000, at=moment("2021-04-10T10:00")))
    page = words(this_month(editor))
    assert "One-time 10.50 $ 10.00 $ now 5 % more Monthly 5.00 $ – more" in page


def test_supporters_come_and_go(editor: Editor) -> None:
    ada = Subscription(
        "sub_1", "newsroom", 500, "USD", "active", NOW + timedelta(days=2), None, NOW, False, began_at=NOW
    )
    record(gift_fact("cs_1"), gift_fact("cs_april", at=moment("2021-04-10T10:00")), ada)
    record(replace(ada, key="sub_2", state="failing", began_at=moment("2021-03-01T10:00")))
    record(
        replace(
            ada, key="sub_3", state="ended", began_at=moment("2021-03-01T10:00"), ended_at=moment("2021-05-03T10:00")
        )
    )
    page = words(this_month(editor))
    assert "Monthly supporters Total now 2 2 the same New 1 – Ended 1 – Last charge failed 1" in page
    assert "Still to come 5 $ from regular supporters this month" in page


def test_gifts_stand_by_amount_and_frequency(editor: Editor) -> None:
    record(gift_fact("cs_1", 1000, tier="1000"), gift_fact("cs_2", 1000, tier="1000"))
    record(gift_fact("cs_3", 3350, tier="other"), gift_fact("in_1", 500, kind="monthly", tier="500"))
    page = this_month(editor)
    table = words("<main" + page[page.index(">By amount and frequency") : page.index("Where it came from")])
    assert "Once 10 $ 2 10.00 $ 20.00 $ 34 %" in table
    assert "Once Another amount 1 33.50 $ 33.50 $ 57 %" in table
    assert "Monthly 5 $ 1 5.00 $ 5.00 $ 9 %" in table
    assert "Given, before refunds 4 10.00 $ 58.50 $" in table


def test_an_amount_and_an_article_lead_to_their_gifts(editor: Editor) -> None:
    record(gift_fact("cs_1", 1000, tier="1000", source="harbour & ferry"), gift_fact("cs_2", 1000, tier="1000"))
    record(gift_fact("in_1", 500, kind="monthly", tier="500"), gift_fact("cs_3", 700))
    record(gift_fact("cs_april", 1000, tier="1000", source="harbour & ferry", at=moment("2021-04-10T10:00")))
    page = this_month(editor)
    found = {unescape(address) for address in re.findall(r'href="(/admin/c/newsroom/gifts\?[^"]+)"', page)}
    lists = {address.partition("?")[2]: re.findall(r'/gifts/(\w+)">', editor.opens(address).text) for address in found}
    # What has neither an article nor an amount that was offered cannot be looked up by them.
    assert lists == {
        "month=2021-05&source=harbour+%26+ferry": ["cs_1"],
        "month=2021-05&kind=once&tier=1000": ["cs_2", "cs_1"],
        "month=2021-05&kind=monthly&tier=500": ["in_1"],
    }


def test_while_nothing_is_given_the_month_leads_to_the_bar(editor: Editor) -> None:
    assert "Put the bar on your site" in this_month(editor)
    record(gift_fact("cs_april", 1000, at=moment("2021-04-10T10:00")))
    assert "Put the bar on your site" not in this_month(editor)


# --- Money ------------------------------------------------------------------------------------------------------------


def test_each_payout_has_its_line_and_what_is_not_settled_its_reason(editor: Editor) -> None:
    record(*(gift_fact(f"cs_{number}", 1000) for number in range(3)))
    for number in range(2):
        record(
            BalanceTransaction(
                f"txn_{number}", "gift", (f"pi_cs_{number}",), 1000, 59, 941, "USD", "", MAY, MAY, False
            )
        )  # fmt: skip
    record(Payout("po_1", moment("2021-05-17T00:00"), ("txn_0",), False))
    page = this_month(editor)
    money = words("<main" + page[page.index(">Money to the cent") : page.index("3 entries</h2>")])
    assert "Raised 30 $ Through Stripe 30 $ Not settled yet: 1 entry −10 $ Settled at Stripe 20 $" in money
    assert "po_1 2021-05-17 1 10 $ −0.59 $ 9.41 $" in money
    assert "In Stripe's balance, not paid out yet – 1 10 $ −0.59 $ 9.41 $" in money
    assert "Settled at Stripe 2 20 $ −1.18 $ 18.82 $" in money
    assert "The ledger and Stripe's balance agree to the cent." in money
    assert "Why 1 entry is not settled" in money
    assert "2021-05-14 11:32 – cs_2" in money
    assert "Net at Stripe 18.82 $ Fees: 1.18 $" in words(page)


def test_a_difference_between_the_ledger_and_stripe_is_said_at_once(editor: Editor) -> None:
    record(gift_fact("cs_1", 1000))
    record(BalanceTransaction("txn_1", "gift", ("pi_cs_1",), 999, 59, 940, "USD", "", MAY, MAY, False))
    assert "Stripe's balance and the ledger differ by −0.01 $: run tracker sync." in words(this_month(editor))


# --- Every way to the number ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("added_up", [False, True])
def test_the_page_the_bar_and_every_file_say_the_same(editor: Editor, client: FlaskClient, added_up: bool) -> None:
    april = moment("2021-04-10T10:00")
    record(gift_fact("cs_april", 70_050, at=april), gift_fact("in_april", 1999, kind="monthly", at=april))
    record(refund_fact("cs_april", 1050, "re_early", at=moment("2021-04-12T10:00")))
    with writing() as session:
        month_closing.close(session, NEWSROOM, parse_month("2021-04"), False, NOW)
        write_down(session, [offline_gift(NEWSROOM, False, NOW.date(), 5000, "", "1")], NOW)
    record(refund_fact("cs_april", 2000, "re_late"), gift_fact("cs_1", 12_345), gift_fact("in_1", 500, kind="monthly"))
    record(gift_fact("in_2", 6000, kind="yearly"), dispute_fact("cs_1", 345), gift_fact("cs_eur", 900, currency="EUR"))
    record(gift_fact("cs_live", 99, live=True))
    if added_up:
        breakdowns.keep_up(enough=1)
    public = {one["month"]: one for one in client.get("/c/newsroom/months.json").get_json()["months"]}
    months_table = words(this_month(editor, ""))
    for month, raised in (("2021-04", 70_999), ("2021-05", 21_500)):
        shown = NEWSROOM.write(raised)
        page = this_month(editor, f"months/{month}")
        assert f"Raised {shown}" in words(page[page.index("<main") :])
        (tile,) = re.findall(r'<p class="name">Raised</p>\s*<p class="value figure">(.*?)</p>', page)
        assert tile == shown
        assert f": {shown} of 5,000 $" in months_table or shown in months_table
        assert public[month]["raised"] == raised
        bar = client.get(f"/embed/newsroom.json?month={month}").get_json()
        assert (bar["raised"], bar["labels"]["raised"]) == (raised, shown)
        assert shown in client.get(f"/embed/newsroom.txt?month={month}").text
        assert client.get(f"/c/newsroom/months/{month}").status_code == 200
        lines = csv.DictReader(io.StringIO(client.get(f"/c/newsroom/months/{month}.csv").text))
        in_dollars = sum(Decimal(line["amount"]) for line in lines if line["currency"] == "USD")
        assert (in_dollars * 100, in_files(month, "csv"), in_files(month, "xlsx")) == (raised, raised, raised)
        by_day = re.findall(r"<tr><th scope=\"row\">\d+</th><td>(.*?)</td>", page)
        assert f"{Decimal(raised) / 100:,.2f} $" in by_day or shown in by_day


def in_files(month: str, form: str) -> int:
    """What the amounts in dollars of a month's file add up to, in cents."""
    file = io.BytesIO()
    with reading() as session:
        export_files.write(export_rows.rows(session, NEWSROOM, parse_month(month), False), form, file)
    if form == "csv":
        rows = csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig")))
        return int(sum(Decimal(row["amount"]) for row in rows if row["currency"] == "USD") * 100)
    sheet = zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml").decode()
    total = Decimal(0)
    for row in re.findall(r"<row .*?</row>", sheet)[1:]:
        cells = dict(re.findall(r'<c r="([A-Z]+)\d+"[^>]*>(?:<is><t[^>]*>|<v>)(.*?)<', row))
        total += Decimal(cells["D"]) if cells["G"] == "USD" else 0
    return int(total * 100)
