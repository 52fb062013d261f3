"""The entries as files: the columns, the sums, and cells that no spreadsheet takes for a formula."""

import csv
import io
import json
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from actors import NEWSROOM
from click.testing import Result
from commands import run_command
from flask import Flask
from sqlalchemy import Connection

from tracker.giving.facts import BalanceTransaction, Gift, Payout, Reversal
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, export_files, export_rows, results
from tracker.ledger.store import reading, writing

COLUMNS = "date,month,kind,amount,fee,net,currency,campaign,frequency,tier,source,closed_month,stripe_id,payment_intent,payout"
MAY = datetime(2021, 5, 14, 22, 30, tzinfo=UTC)
GIFT = Gift("cs_1", "once", "newsroom", 1000, "USD", MAY, False, ("ch_1", "pi_1"), tier="1000", source="article-1")


@pytest.fixture
def run(app: Flask, environ: dict[str, str]) -> Callable[..., Result]:
    return lambda *arguments: run_command(environ, *arguments)


def written(month: str = "", form: str = "csv", slug: str = "newsroom") -> bytes:
    made = io.BytesIO()
    with reading() as connection:
        campaign = campaigns.find(connection, slug)
        assert campaign is not None
        export_files.write(
            export_rows.rows(connection, campaign, parse_month(month) if month else None, False, form=form), form, made
        )
    return made.getvalue()


def rows(month: str = "", slug: str = "newsroom") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(month, slug=slug).decode(), newline="")))


def settled(**changes: Any) -> BalanceTransaction:
    return replace(
        BalanceTransaction("txn_1", "gift", ("ch_1",), 1000, 59, 941, "USD", "", MAY, MAY, False), **changes
    )  # fmt: skip


def record(connection: Connection, *facts: Any) -> None:
    for fact in facts:
        assert book.record(connection, fact, MAY) == "recorded"


def test_one_row_for_each_entry(app: Flask) -> None:
    with writing() as connection:
        refund = Reversal("re_1", "refund", -250, "USD", MAY + timedelta(days=40), False, ("pi_1",))
        record(connection, GIFT, refund, settled(), Payout("po_1", MAY, ("txn_1",), False))
        record(connection, replace(GIFT, key="in_1", kind="monthly", known_as=("ch_2",), tier="other", source=""))
    gift, monthly, refund = [list(row.values()) for row in rows()]
    assert written().decode().splitlines()[0] == COLUMNS
    assert gift == [
        "2021-05-15T00:30:00+02:00", "2021-05", "once", "10.00", "0.59", "9.41", "USD", "newsroom", "once", "10.00",
        "article-1", "", "cs_1", "pi_1", "po_1",
    ]  # fmt: skip
    assert monthly[8:] == ["month", "other", "", "", "in_1", "", ""]
    assert refund == [
        "2021-06-24T00:30:00+02:00", "2021-05", "refund", "-2.50", "", "", "USD", "newsroom", "once", "10.00",
        "article-1", "", "re_1", "pi_1", "",
    ]  # fmt: skip


def test_a_fee_in_another_currency_is_not_written_beside_the_amount(app: Flask) -> None:
    with writing() as connection:
        record(connection, GIFT, settled(currency="EUR", amount=900, fee=50, net=850, rate="0.9"))
        record(connection, Payout("po_1", MAY, ("txn_1",), False))
    assert [(row["fee"], row["net"], row["payout"]) for row in rows()] == [("", "", "po_1")]


def test_several_settlements_and_names_make_no_second_row(app: Flask) -> None:
    with writing() as connection:
        record(
            connection,
            replace(GIFT, known_as=("ch_1", "pi_1", "pi_2")),
            settled(),
            settled(key="txn_2", fee=1, net=-1, amount=0),
        )
    assert [(row["fee"], row["net"], row["payment_intent"]) for row in rows()] == [("0.60", "9.40", "pi_1")]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1000"), ("KWD", "1.000"), ("ISK", "10.00")])
def test_amounts_have_all_of_their_currencys_decimals(app: Flask, currency: str, amount: str) -> None:
    with writing() as connection:
        record(connection, replace(GIFT, currency=currency))
    assert rows()[0]["amount"] == amount


@pytest.mark.parametrize("seed", range(3))
def test_a_months_amounts_come_to_what_it_raised(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    with writing() as connection:
        for number in range(150):
            at = datetime(2021, 4, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(90 * 24 * 60))
            amount = chance.randrange(1, 100_000)
            gift = replace(GIFT, key=f"cs_{number}", amount=amount, at=at, known_as=(f"pi_{number}",))
            record(connection, gift)
            for kind, part in (("refund", chance.randrange(3)), ("dispute", chance.randrange(3))):
                if part:
                    taken = Reversal(f"{kind}_{number}", kind, -amount // part, "USD", at, False, (f"pi_{number}",))
                    record(connection, taken)
        found = {
            str(one.month): one.sums.raised
            for one in results.results(connection, NEWSROOM, False, MAY)
            if one.sums.raised
        }
    summed: Counter[str] = Counter()
    for row in rows():
        summed[row["month"]] += int(Decimal(row["amount"]) * 100)
    assert dict(summed) == found
    for month, raised in found.items():
        assert sum(Decimal(row["amount"]) for row in rows(month)) * 100 == raised


LEADS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1"]


@pytest.mark.parametrize("lead", LEADS)
def test_no_cell_is_a_formula(app: Flask, lead: str) -> None:
    with writing() as connection:
        record(connection, replace(GIFT, key=f"{lead}cs".replace("\0", ""), tier=lead, source=lead))
        taken = Reversal("re_1", "refund", -1000, "USD", MAY, False, ("pi_1",))
        record(connection, taken)
    gift, refund = rows()
    # A NUL cannot be stored: it is another character by then.
    if not lead.startswith("\0"):
        assert gift["source"] == gift["tier"] == f"'{lead}"
        assert gift["stripe_id"] == f"'{lead}cs"
    assert not gift["source"].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))
    # A number stays one.
    assert refund["amount"] == "-10.00"
    sheet = zipfile.ZipFile(io.BytesIO(written(form="xlsx"))).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet


def test_quotation_is_as_rfc_4180_has_it(app: Flask) -> None:
    with writing() as connection:
        record(connection, replace(GIFT, source='a "quoted", ünïcode\r\nline'))
    text = written().decode("utf-8")
    assert '"a ""quoted"", ünïcode\r\nline"' in text
    assert text.endswith("\r\n")
    assert rows()[0]["source"] == 'a "quoted", ünïcode\r\nline'


def test_lines_of_json_have_the_same_names(app: Flask) -> None:
    with writing() as connection:
        record(connection, GIFT)
    (line,) = written(form="jsonl").decode().splitlines()
    assert ",".join(json.loads(line)) == COLUMNS
    assert (json.loads(line)["amount"], json.loads(line)["fee"]) == ("10.00", None)


def test_a_spreadsheet_holds_numbers_and_texts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "SHEET_ROWS", 3)
    with writing() as connection:
        for number in range(3):
            record(connection, replace(GIFT, key=f"cs_{number}", known_as=()))
    first = zipfile.ZipFile(io.BytesIO(written(form="xlsx")))
    # A full sheet is followed by another, each with its head.
    counts = []
    for name in ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"):
        sheet = ElementTree.fromstring(first.read(name))
        counts.append(len(sheet.findall(".//{*}row")))
        amount = sheet.findall(".//{*}row")[1].findall("{*}c")[3]
        assert (amount.get("t"), amount.findtext("{*}v")) == (None, "10.00")
    assert counts == [3, 2]
    assert written(form="xlsx") == written(form="xlsx")


def test_a_campaign_without_entries_is_a_head(app: Flask) -> None:
    assert written("2021-05") == COLUMNS.encode() + b"\r\n"
    assert written("2021-05", "jsonl") == b""


def test_a_spreadsheet_that_does_not_fit_is_an_error_of_the_system(app: Flask) -> None:
    with writing() as connection:
        record(connection, GIFT)
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        reading() as connection,
        pytest.raises(OSError, match="space"),
    ):
        export_files.write(export_rows.rows(connection, NEWSROOM, None, False), "xlsx", full)


# It is the same row again and again, of whichever database.
@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])
def test_memory_stays_as_it_is(app: Flask) -> None:
    import tracemalloc

    def rise(count: int) -> int:
        one = next(iter(_rows()))
        with Path("/dev/null").open("wb") as nowhere:
            tracemalloc.start()
            for form in export_files.FORMATS:
                export_files.write((one for _ in range(count)), form, nowhere if form != "xlsx" else io.BytesIO())
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    def _rows() -> list[Any]:
        with reading() as connection:
            return list(export_rows.rows(connection, NEWSROOM, None, False))

    with writing() as connection:
        record(connection, GIFT)
    rise(10)
    assert rise(4000) < rise(400) + 500_000


# --- The command ------------------------------------------------------------------------------------------------------


def test_export_writes_to_standard_output_or_to_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    with writing() as connection:
        record(connection, GIFT)
    for form in export_files.FORMATS:
        shown = run("export", "newsroom", "--month", "2021-05", "--format", form)
        assert shown.exit_code == 0, shown.output
        assert shown.stdout_bytes == written("2021-05", form)
        assert shown.stderr == "Wrote 1 entries of “newsroom”.\n"
        kept = run("export", "newsroom", "--format", form, "--output", tmp_path / form)
        assert kept.exit_code == 0, kept.output
        assert kept.stdout == ""
        assert (tmp_path / form).read_bytes() == written(form=form)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*export_files.FORMATS, "instance"])


def test_export_writes_into_a_pipe_or_a_device_and_puts_no_file_in_its_place(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    with writing() as connection:
        record(connection, GIFT)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = run("export", "newsroom", "--output", pipe)
    assert done.exit_code == 0, done.output
    with os.fdopen(end, "rb") as read:
        assert read.read() == written()
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "nobody"], "There is no campaign “nobody”"),
        (["export", "newsroom", "--month", "May"], "“May” is not a month"),
        (["export", "newsroom", "--output", "/nowhere/at/all.csv"], "No such file or directory"),
    ],
)
def test_export_says_what_went_wrong(run: Callable[..., Result], arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stdout == ""
