"""Past gifts in the book: each once, whatever comes first, and every figure still proven."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from actors import NEWSROOM
from click.testing import Result
from commands import run_command
from flask import Flask
from sqlalchemy import select

from tracker.giving.drives import Appeal
from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal
from tracker.giving.import_map import READY, ImportMap
from tracker.giving.journal import balances
from tracker.giving.months import parse_month
from tracker.ledger import (
    appeals,
    book,
    campaigns,
    closing_checks,
    export_files,
    export_rows,
    imports,
    journals,
    month_closing,
    month_figures,
    pending_fetches,
    results,
    settled_totals,
)
from tracker.ledger.models import alias, entry, note, settlement, waiting
from tracker.ledger.store import reading, writing
from tracker.reconcile import tie_out

NOW = datetime(2021, 6, 20, 12, tzinfo=UTC)
AT = datetime(2021, 5, 14, 9, 31, 7, tzinfo=UTC)
STRIPE = (
    "id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Invoice ID,PaymentIntent ID\n"
    "ch_1,2021-05-14 09:31:07,10.00,0.00,usd,Paid,,pi_1\nch_2,2021-05-15 09:31:07,5.00,0.00,usd,Paid,in_2,pi_2\n"
)
GIFT = Gift("cs_1", "once", "newsroom", 1000, "USD", AT, False, ("pi_1", "ch_1"))


def run(text: str, how: ImportMap | str = "stripe", *, write: bool = True) -> imports.Report:
    how = READY[how] if isinstance(how, str) else how
    return imports.run(io.StringIO(text, newline=""), how, NEWSROOM, False, NOW, write=write)


def month(name: str = "2021-05") -> Any:
    with reading() as session:
        assert month_closing.differences(session) == []
        assert month_closing.tampered(session) == []
        assert appeals.differences(session) == []
        return results.result(session, NEWSROOM, parse_month(name), False).sums


def test_what_is_imported_counts_as_its_kind_and_only_once(app: Flask) -> None:
    for expected in ({"new": 2}, {"known": 2}):
        assert dict(run(STRIPE).outcomes) == expected
        assert (month().once, month().monthly, month().raised, month().gifts) == (1000, 500, 1500, 2)


@pytest.mark.parametrize("at_once", [1, 2000])
def test_an_invoice_that_was_paid_in_parts_is_a_gift_for_each_part(
    app: Flask, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However the file falls into parts."""
    monkeypatch.setattr(imports, "AT_ONCE", at_once)
    parts = STRIPE + "ch_3,2021-05-15 09:40:00,2.50,0.00,usd,Paid,in_2,pi_3\n"
    for expected in ({"new": 3}, {"known": 3}):
        assert dict(run(parts).outcomes) == expected
        assert (month().monthly, month().gifts) == (750, 3)


def test_looking_changes_nothing_and_says_the_same(app: Flask) -> None:
    looked = run(STRIPE, write=False)
    assert month().raised == 0
    done = run(STRIPE)
    assert (looked.outcomes, looked.amounts, looked.gifts) == (done.outcomes, done.amounts, done.gifts)


def test_a_gift_that_stripe_told_of_is_not_imported(app: Flask) -> None:
    with writing() as session:
        book.record(session, GIFT, NOW)
        book.record(session, Gift("in_2", "monthly", "newsroom", 500, "USD", AT, False), NOW)
    assert dict(run(STRIPE).outcomes) == {"known": 2}
    assert (month().raised, month().gifts) == (1500, 2)


def test_what_stripe_tells_later_takes_the_place_of_what_was_imported(app: Flask) -> None:
    run(STRIPE)
    with writing() as session:
        book.record(session, Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",)), NOW)
    assert (month().raised, month().gifts) == (1250, 2)
    for _ in range(2):
        with writing() as session:
            book.record(session, GIFT, NOW)
    assert (month().raised, month().once, month().gifts) == (1250, 1000, 2)
    # Nor does it come back with the file.
    assert dict(run(STRIPE).outcomes) == {"known": 2}
    assert month().raised == 1250


def test_a_refund_that_waited_finds_the_imported_gift(app: Flask) -> None:
    with writing() as session:
        book.record(session, Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",)), NOW)
    run(STRIPE)
    assert (month().refunds, month().raised) == (250, 1250)
    with reading() as session:
        assert session.execute(select(waiting)).all() == []


def test_stripe_is_asked_for_no_fee_of_it_and_the_tie_out_expects_none(app: Flask) -> None:
    run(STRIPE)
    with reading() as session:
        assert not pending_fetches.is_any_due(session, False, datetime(2031, 1, 1, tzinfo=UTC))
        (found,) = tie_out.tie_out(session, "2021-05", False)
        assert (found.pending_count, found.offline) == (0, 1500)


def test_a_closed_month_takes_nothing_in(app: Flask) -> None:
    with writing() as session:
        month_closing.close(session, NEWSROOM, parse_month("2021-05"), False, NOW)
    report = run(STRIPE)
    assert dict(report.outcomes) == {"refused": 2}
    assert report.refused[0].why.startswith("2021-05 is closed")
    assert month("2021-06").raised == month().raised == 0


def test_drives_and_matches_count_what_was_given_while_they_ran(app: Flask) -> None:
    with writing() as session:
        for kind in ("drive", "match"):
            wanted = Appeal(kind, kind, 5000, datetime(2021, 5, 14, tzinfo=UTC), datetime(2021, 5, 15, tzinfo=UTC))  # type: ignore[arg-type]
            appeals.save(session, NEWSROOM, wanted, datetime(2021, 5, 1, tzinfo=UTC))
    run(STRIPE)
    month()
    with reading() as session:
        assert {one.raised for one in appeals.every(session, NEWSROOM, False)} == {1000}


def test_our_own_file_of_another_installation_comes_to_the_same(app: Flask) -> None:
    with writing() as session:
        book.record(session, GIFT, NOW)
        book.record(session, Gift("in_2", "monthly", "newsroom", 500, "USD", AT, False, ("pi_2",)), NOW)
        book.record(session, Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",)), NOW)
        campaigns.save(session, replace(NEWSROOM, slug="second", id=0))
    made = io.BytesIO()
    with reading() as session:
        export_files.write(export_rows.rows(session, NEWSROOM, None, False), "csv", made)
        second = campaigns.find(session, "second")
        assert second
    # On another Stripe account: here the ids are already another campaign's.
    text = made.getvalue().decode().replace("pi_", "pi_old").replace("cs_", "cs_old").replace("in_", "in_old")
    for expected in ({"new": 3}, {"known": 3}):
        done = imports.run(io.StringIO(text, newline=""), READY["pledgebar"], second, False, NOW, write=True)
        assert dict(done.outcomes) == expected
        with reading() as session:
            here, there = (
                results.result(session, one, parse_month("2021-05"), False).sums for one in (NEWSROOM, second)
            )
            assert here == there
            assert month_closing.differences(session) == []


def test_a_refund_without_its_gift_is_refused_and_waits_for_nothing(app: Flask) -> None:
    head = "date,kind,amount,currency,stripe_id,payment_intent\n"
    report = run(f"{head}2021-05-15,refund,-2.50,USD,re_1,pi_9\n", "pledgebar")
    assert report.refused[0].why == "its gift is not in the ledger."
    with reading() as session:
        assert session.execute(select(waiting)).all() == []


def test_an_import_that_was_interrupted_is_run_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 10)
    rows = "".join(f"2021-05-14,{number}.00,{number}\n" for number in range(1, 36))
    how = ImportMap("old", date="date", amount="amount", id="id", kind="once")

    def stops(text: str) -> Any:
        for number, line in enumerate(io.StringIO(text)):
            if number == 25:
                raise KeyboardInterrupt
            yield line

    with pytest.raises(KeyboardInterrupt):
        imports.run(stops(f"date,amount,id\n{rows}"), how, NEWSROOM, False, NOW, write=True)
    assert 0 < month().gifts < 35
    kept = month().gifts
    assert dict(run(f"date,amount,id\n{rows}", how).outcomes) == {"known": kept, "new": 35 - kept}
    assert month().raised == 100 * sum(range(1, 36))


def test_filters_and_files_name_where_it_came_from(app: Flask) -> None:
    run(STRIPE)
    with reading() as session:
        for system, expected in (("stripe", 2), ("givewp", 0), ("-", 0)):
            these = export_rows.Filters(imported_from=system).conditions()
            assert len(list(export_rows.rows(session, NEWSROOM, None, False, *these))) == expected
        (first, _) = export_rows.rows(session, NEWSROOM, None, False)
        assert first[12:14] == ("import:stripe:newsroom:test:id:ch_1", "pi_1")


def test_saved_maps_belong_to_their_campaign_and_replace_each_other(app: Flask) -> None:
    one, other = (ImportMap("old", date="D", amount=name) for name in ("A", "B"))
    with writing() as session:
        imports.save_map(session, NEWSROOM, " Our  old shop ", one)
        imports.save_map(session, NEWSROOM, "Our old shop", other)
    with reading() as session:
        assert imports.saved_maps(session, NEWSROOM) == {"Our old shop": other}
        assert imports.saved_maps(session, replace(NEWSROOM, id=2)) == {}


# --- What Stripe tells as well ----------------------------------------------------------------------------------------

LINK = InvoicePayment("in_2", ("pi_2",), False)
INVOICE = Gift("in_2", "monthly", "newsroom", 500, "USD", AT, False)
OWN = (
    "date,kind,amount,currency,stripe_id,payment_intent\n"
    "2021-05-14,once,10.00,USD,cs_old1,pi_1\n2021-05-15,refund,-2.50,USD,re_1,pi_1\n"
)
REFUND = Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",))


def records(*facts: Fact) -> None:
    for fact in facts:
        with writing() as session:
            book.record(session, fact, NOW)


@pytest.mark.parametrize("facts", [(LINK, INVOICE), (INVOICE, LINK)])
def test_an_invoice_takes_the_place_of_what_was_imported_whatever_comes_first(app: Flask, facts: tuple[Fact]) -> None:
    run(STRIPE)
    records(*facts)
    assert (month().raised, month().monthly, month().gifts) == (1500, 500, 2)


def test_our_own_file_brings_nothing_back_into_the_ledger_that_it_is_from(app: Flask) -> None:
    records(GIFT, REFUND)
    made = io.BytesIO()
    with reading() as session:
        export_files.write(export_rows.rows(session, NEWSROOM, None, False), "csv", made)
    assert dict(run(made.getvalue().decode(), "pledgebar").outcomes) == {"known": 2}
    assert (month().refunds, month().raised) == (250, 750)


def test_a_refund_of_a_gift_that_stripe_told_of_is_left_to_stripe(app: Flask) -> None:
    records(GIFT)
    report = run(OWN, "pledgebar")
    assert dict(report.outcomes) == {"known": 1, "left_out": 1}
    assert "tracker sync" in report.some[0].why
    records(REFUND)
    assert (month().refunds, month().raised) == (250, 750)


@pytest.mark.parametrize("facts", [(GIFT, REFUND), (REFUND, GIFT)])
def test_an_imported_refund_makes_way_as_its_gift_does(app: Flask, facts: tuple[Fact]) -> None:
    for _ in range(2):
        run(OWN, "pledgebar")
    assert (month().refunds, month().raised) == (250, 750)
    records(*facts)
    assert (month().refunds, month().raised, month().gifts) == (250, 750, 1)
    run(OWN, "pledgebar")
    assert (month().refunds, month().raised) == (250, 750)


def test_stripes_word_of_an_imported_refund_counts_once_where_its_gift_never_comes(app: Flask) -> None:
    run(OWN, "pledgebar")
    records(REFUND, REFUND)
    assert (month().refunds, month().raised) == (250, 750)
    run(OWN, "pledgebar")
    assert (month().refunds, month().raised) == (250, 750)


def test_a_refund_that_stripe_told_of_an_imported_gift_is_not_imported(app: Flask) -> None:
    gift, refund = OWN.splitlines(keepends=True)[1:]
    head = OWN.splitlines(keepends=True)[0]
    run(head + gift, "pledgebar")
    records(REFUND)
    assert dict(run(head + gift + refund, "pledgebar").outcomes) == {"known": 2}
    assert (month().refunds, month().raised) == (250, 750)


def test_what_was_given_back_outside_of_stripe_is_imported_and_stays(app: Flask) -> None:
    run(OWN.replace("re_1", "outside:test:x"), "pledgebar")
    records(GIFT)
    assert (month().refunds, month().raised) == (250, 750)


def test_a_refund_comes_off_stripes_own_gift_and_not_off_the_one_that_made_way(app: Flask) -> None:
    # The file has no times: it is from before the gift, by the clock.
    how = replace(READY["stripe"], kind="offline", kind_column="", date_formats=("iso",))
    run(
        "id,Created date (UTC),Amount,Currency,Status,PaymentIntent ID\nch_1,2021-05-14 00:00:00,10.00,usd,Paid,pi_1\n",
        how,
    )
    records(GIFT, REFUND)
    with reading() as session:
        rows = session.execute(select(entry.c.gift_key, entry.c.amount).where(entry.c.kind == "refund")).all()
    assert [tuple(row) for row in rows if row.amount] == [("cs_1", -250)]


def test_stripe_is_not_asked_for_an_imported_refund(app: Flask) -> None:
    run(OWN, "pledgebar")
    with reading() as session:
        assert not pending_fetches.is_any_due(session, False, datetime(2031, 1, 1, tzinfo=UTC))


SETTLED = BalanceTransaction("txn_1", "gift", ("ch_1", "pi_1"), 1000, 59, 941, "USD", "", AT, AT, False)
RETURNED = BalanceTransaction("txn_2", "refund", ("re_1",), -250, 0, -250, "USD", "", AT, AT, False)


@pytest.mark.parametrize("facts", [(SETTLED, GIFT), (GIFT, SETTLED)])
def test_the_fee_is_that_of_stripes_own_gift(app: Flask, facts: tuple[Fact]) -> None:
    run(STRIPE)
    records(*facts)
    with reading() as session:
        assert session.scalars(select(settlement.c.entry_key)).all() == ["cs_1"]
        assert settled_totals.differences(session) == 0


def test_every_table_of_money_adds_up_when_stripe_gives_back_an_imported_gift(app: Flask) -> None:
    run(STRIPE)
    records(REFUND, RETURNED, Payout("po_1", AT, ("txn_2",), False))
    may = parse_month("2021-05")
    with reading() as session:
        (tied,) = tie_out.tie_out(session, "2021-05", False)
        settled = sum(one.ledger for one in tied.settled)
        assert (tied.raised, tied.offline, settled, tied.pending, tied.beyond) == (1250, 1500, -250, 0, 0)
        money = month_figures.figures(session, NEWSROOM, may, False, NOW).own.money
        assert (money.raised, money.imported, money.settled, money.unsettled, money.beyond) == (1250, 1500, -250, 0, 0)
        assert money.unsettled_of == 0
        checks = closing_checks.check(session, NEWSROOM, may, False, NOW)
        assert (checks.unsettled, checks.is_paid_out) == ([], True)
        booked = balances(journals.of_month(session, NEWSROOM, may, False))
    # What Stripe gave back left its balance, and came off the bank.
    assert (booked["earlier", "USD"], booked["bank", "USD"], booked["clearing", "USD"]) == (1500, -250, 0)


def test_words_in_place_of_a_payments_id_make_no_gift_known(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 1)
    rows = "".join(f"2021-05-14,10,{number},n/a\n" for number in range(3))
    how = ImportMap("old", date="D", amount="A", id="I", payments=("P",), kind="once")
    assert dict(run(f"D,A,I,P\n{rows}", how).outcomes) == {"new": 3}
    assert month().raised == 3000


@pytest.mark.parametrize("odd", ["pi_1\0", "pi_" + "1" * 300])
def test_an_id_that_no_database_holds_is_refused(app: Flask, odd: str) -> None:
    report = run(OWN.replace("pi_1", odd), "pledgebar")
    assert dict(report.outcomes) == {"refused": 2}
    assert month().raised == 0


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bring(app: Flask, environ: dict[str, str], tmp_path: Path) -> Callable[..., Result]:
    def imports_it(text: str, *more: object) -> Result:
        (tmp_path / "gifts.csv").write_text(text, encoding="utf-8")
        return run_command(environ, "import", tmp_path / "gifts.csv", "--campaign", "newsroom", *more)

    return imports_it


OLD = "Created;Sum;Kind\n14.05.2021;1.250,50;Monthly\n15.05.2021;5;Once\n16.05.2021;x;Once\n"
HOW = (
    "--columns", "date=Created,amount=Sum,kind_column=Kind", "--kinds", "Monthly=monthly,*=once", "--system", "shop",
    "--date-format", "%d.%m.%Y", "--numbers", "comma",
)  # fmt: skip


def test_one_refused_row_stops_everything_unless_it_is_to_be_skipped(
    bring: Callable[..., Result], tmp_path: Path
) -> None:
    first = bring(OLD, *HOW)
    assert first.exit_code == 1
    assert "Line 4: “x” is not an amount in USD: write it as 10 or 12,50." in first.stderr
    assert "1 row is refused. Nothing was written." in first.stderr
    assert month().raised == 0
    done = bring(OLD, *HOW, "--skip-refused", "--save-map", "Shop", "--report", tmp_path / "report.csv")
    assert done.exit_code == 0, done.output
    assert "Recorded 2 gifts from shop in “newsroom”. Refused: 1.\n2021-05: 1,255.50 $, 2 gifts\n" in done.stdout
    assert (month().monthly, month().once) == (125_050, 500)
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["line"], row["outcome"], row["month"], row["amount"]) for row in rows] == [
        ("2", "new", "2021-05", "1250.50"), ("3", "new", "2021-05", "5.00"), ("4", "refused", "", ""),
    ]  # fmt: skip
    again = bring(OLD, "--map", "Shop", "--dry-run")
    assert (
        again.stdout
        == "Would record 0 gifts from shop in “newsroom”. Already in the ledger, and not counted again: 2. Refused: 1.\n"
    )
    assert again.exit_code == 0


def test_a_map_may_be_a_file_and_one_that_is_none_is_named(bring: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text('{"system": "shop", "date": "D", "amount": "A", "kind": "yearly"}')
    assert bring("D,A\n2021-05-14,5\n", "--map", tmp_path / "map.json").exit_code == 0
    assert month().yearly == 500
    (tmp_path / "map.json").write_text("[1]")
    for name in ("nothing", tmp_path / "map.json"):
        done = bring("D,A\n2021-05-14,5\n", "--map", name)
        assert done.exit_code == 1
        assert "map" in done.stderr


def test_notes_and_the_payments_ids_are_kept(app: Flask) -> None:
    run(STRIPE.replace("5.00,0.00", "5.00,2.00"))
    with reading() as session:
        assert session.scalars(select(note.c.words)).all() == ["2.00 of 5.00 given back."]
        assert set(session.scalars(select(alias.c.stripe_id))) == {"ch_1", "pi_1", "ch_2", "pi_2", "in_2"}
        assert {row.kind for row in session.execute(select(entry.c.kind))} == {"once", "monthly"}
