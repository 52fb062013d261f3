"""`tracker sync`: what it says, how it ties, and how it ends."""

import pytest
from account import DAY, SINCE, Account, a_rich_month
from commands import run_command
from flask import Flask
from sqlalchemy import delete, select, update

from tracker.ledger import models, sync_runs
from tracker.ledger.store import reading, writing
from tracker.reconcile import tie_out

DATE = f"{SINCE:%Y-%m-%d}"


@pytest.fixture
def month(hooked: Account) -> Account:
    a_rich_month(hooked)
    return hooked


def tied() -> list[tie_out.TiedMonth]:
    with reading() as connection:
        return tie_out.tie_out(connection, f"{SINCE:%Y-%m}", live=False)


def forget(key: str) -> None:
    with writing() as connection:
        connection.execute(delete(models.settlement).where(models.settlement.c.entry_key == key))


def stripes_balance(account: Account, currency: str) -> dict[str, int]:
    """Gross, fee and net of everything that is ours, from Stripe's own balance."""
    foreign = {row["id"] for row in account.sandbox.store.newest("charge") if not row["metadata"].get("pledgebar")}
    foreign -= {row["id"] for row in account.sandbox.store.newest("charge") if row["customer"] in _ours(account)}
    for kind in ("refund", "dispute"):
        foreign |= {row["id"] for row in account.sandbox.store.newest(kind) if row["charge"] in foreign}
    rows = [
        row
        for row in account.sandbox.store.newest("balance_transaction")
        if row["currency"] == currency and row["type"] != "payout" and row["source"] not in foreign
    ]
    return {name: sum(row[name] for row in rows) for name in ("amount", "fee", "net")}


def _ours(account: Account) -> set[str]:
    return {row["customer"] for row in account.sandbox.store.newest("subscription") if row["metadata"].get("pledgebar")}


def test_the_book_ties_to_stripes_balance_to_the_cent(month: Account) -> None:
    for currency in ("USD", "EUR"):
        months = [one for one in tied() if one.currency == currency]
        settled = [one for month in months for one in month.settled]
        balance = stripes_balance(month, currency.lower())
        assert sum(one.gross for one in settled) == balance["amount"]
        assert sum(one.fee for one in settled) == balance["fee"]
        assert sum(one.net for one in settled) == balance["net"]
        assert [(one.difference, one.unequal, one.pending_count) for one in months] == [(0, (), 0)] * len(months)
        for one in months:
            assert one.raised == sum(part.ledger for part in one.settled) + one.pending + one.offline - one.beyond
    payouts = {payout.key: 0 for one in tied() for part in one.settled for payout in part.payouts}
    for one in tied():
        for part in one.settled:
            for payout in part.payouts:
                payouts[payout.key] += payout.net
    assert len(payouts) >= 2
    assert all(net > 0 for net in payouts.values())


def test_what_refunds_and_disputes_took_beyond_their_gift_is_a_line_of_its_own(month: Account) -> None:
    # 7,000 was given, 3,000 refunded and 7,000 disputed.
    assert sum(one.beyond for one in tied() if one.currency == "USD") == -3000


def test_a_difference_names_the_lines_behind_it(hooked: Account) -> None:
    pending, wrong = hooked.gives(1000)["id"], hooked.gives(2000)["id"]
    forget(pending)
    with writing() as connection:
        changed = update(models.settlement).where(models.settlement.c.entry_key == wrong)
        connection.execute(changed.values(amount=2001))
    (month,) = tied()
    assert (month.difference, month.pending, month.pending_count) == (1, 1000, 1)
    assert [(line.key, line.told, line.settled) for line in month.unequal] == [(wrong, 2000, 2001)]
    assert [line.key for line in month.pending_lines] == [pending]


def test_converted_money_is_not_held_against_the_gift(hooked: Account) -> None:
    key = hooked.gives(1000)["id"]
    with writing() as connection:
        changed = update(models.settlement).where(models.settlement.c.entry_key == key)
        connection.execute(changed.values(currency="EUR", amount=870, fee=30, net=840, rate="0.87"))
    ((one,),) = (month.settled for month in tied())
    assert (one.converted, one.difference, one.ledger, one.gross, one.currency) == (True, 0, 1000, 870, "EUR")


def test_a_settlement_without_its_entry_is_an_orphan(hooked: Account) -> None:
    key = hooked.gives(1000)["id"]
    with writing() as connection:
        connection.execute(delete(models.entry).where(models.entry.c.key == key))
        assert [line.key for line in tie_out.orphans(connection, live=False)] == [key]
        assert tie_out.orphans(connection, live=True) == []


# --- The command ------------------------------------------------------------------------------------------------------


def test_sync_says_what_was_missing_and_how_it_ties(account: Account, newsroom: Flask, environ: dict[str, str]) -> None:
    account.gives(1000)
    account.refunds(account.gives(2500), 500)
    account.gives(9900, foreign=True)
    account.passes(4 * DAY)
    (payout,) = account.pays_out()
    looked = run_command(environ, "sync", "--since", DATE, "--dry-run")
    assert looked.exit_code == 1
    assert "Something is missing: run it again without --dry-run." in looked.output
    assert "Missing: 2 gifts, 1 refund, 3 settlements, 1 payout; would be recorded." in looked.output
    done = run_command(environ, "sync", "--since", DATE)
    assert done.exit_code == 0, done.output
    assert "Missing: 2 gifts, 1 refund, 3 settlements, 1 payout; recorded now." in done.output
    assert "From other products on the same account: 1 session, 1 charge." in done.output
    assert "raised 30.00, pending 0.00" in done.output
    assert "settled 30.00 USD: gross 30.00, fee 1.62, net 28.38 USD" in done.output
    assert f"{payout['id']}, " in done.output
    assert "Difference: 0.00" in done.output
    again = run_command(environ, "sync", "--since", DATE, "--dry-run")
    assert (again.exit_code, "Missing: nothing." in again.output) == (0, True)


def test_sync_ends_with_an_error_when_something_is_wrong(
    hooked: Account, newsroom: Flask, environ: dict[str, str]
) -> None:
    key = hooked.gives(1000)["id"]
    with writing() as connection:
        connection.execute(update(models.entry).values(told=900, amount=900))
    done = run_command(environ, "sync", "--since", DATE)
    assert done.exit_code == 1
    assert f"{key}: the book has 900 USD, Stripe 1000 USD" in done.output
    assert "Error: 1 is wrong." in done.output


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("yesterday", "is not a date"),
        ("2021-13-01", "is not a date"),
        ("2999-01-01", "is in the future"),
        ("1999-01-01", "before"),
    ],
)
def test_an_odd_day_is_refused_in_a_line(newsroom: Flask, environ: dict[str, str], since: str, words: str) -> None:
    done = run_command(environ, "sync", "--since", since)
    assert done.exit_code == 1
    assert words in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY is not set"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, "Stripe did not answer"),
    ],
)
def test_a_stripe_that_cannot_be_asked_is_a_line(
    newsroom: Flask, environ: dict[str, str], changes: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The SDK waits between its attempts.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    done = run_command(environ | changes, "sync", "--since", DATE)
    assert done.exit_code == 1
    assert words in done.output
    assert len(done.output.splitlines()) == 1


# --- What is noted of it ----------------------------------------------------------------------------------------------


def runs() -> list[sync_runs.SyncRun]:
    with reading() as connection:
        return sync_runs.since(connection, False, SINCE)


def test_each_run_that_comes_to_its_end_is_noted_with_what_it_found(
    account: Account, newsroom: Flask, environ: dict[str, str]
) -> None:
    key = account.gives(1000)["id"]
    run_command(environ, "sync", "--since", DATE, "--dry-run")
    assert runs() == []
    run_command(environ, "sync", "--since", DATE)
    (first,) = runs()
    assert (first.since, first.mended, first.is_clean) == (SINCE, 2, True)
    with reading() as connection:
        recorded = connection.scalar(select(models.entry.c.recorded_at).where(models.entry.c.key == key))
    assert recorded == first.began_at <= first.ended_at
    with writing() as connection:
        changed = update(models.settlement).where(models.settlement.c.entry_key == key)
        connection.execute(changed.values(amount=999))
    assert run_command(environ, "sync", "--since", DATE).exit_code == 1
    newest, _ = runs()
    assert (newest.mended, newest.wrong, newest.untied, newest.is_clean) == (0, 1, 1, False)
    with reading() as connection:
        assert sync_runs.newest(connection, False) == newest
        assert sync_runs.newest(connection, True) is None
