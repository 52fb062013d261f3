"""The walk of a gift, over HTTP: a supporter gives, Stripe calls, and the bar moves. The real SDK against the sandbox."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from actors import NEWSROOM
from sqlalchemy import select
from town import Town

from tracker.ledger import campaigns, installation
from tracker.ledger.models import EntryRow
from tracker.ledger.store import reading, writing

DECLINED = "4000 0000 0000 0002"


def test_a_supporter_gives_ten_dollars_and_the_bar_moves(town: Town) -> None:
    thanks = town.gives(frequency="once", tier_once="1000")
    assert thanks.startswith(f"{town.app_url}/c/newsroom/thanks?session_id=cs_test_")
    town.waits_for(1000)
    assert "Your gift has arrived" in town.browser.get(thanks).text
    bar = town.bar()
    assert (bar["gifts"], bar["percent"], bar["labels"]["raised"]) == (1, 0.2, "10 $")
    assert not town.browser.cookies


def test_a_monthly_gift_counts_its_first_month_and_each_renewal(town: Town) -> None:
    thanks = town.gives(frequency="month", tier_month="500")
    town.waits_for(500)
    town.waits_for_thanks(thanks)
    (subscription,) = (row["id"] for row in town.sandbox.store.newest("subscription"))
    town.sandbox.renew(subscription)
    town.waits_for(1000)
    assert (town.month()["monthly"], town.month()["once"], town.month()["gifts"]) == (1000, 0, 2)


def test_a_yearly_gift_counts_each_year_in_a_line_of_its_own(town: Town) -> None:
    with town.app.app_context(), writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, yearly=(5000, 10_000)))
    assert "yearly" not in town.month()
    thanks = town.gives(frequency="year", tier_year="5000")
    town.waits_for(5000)
    town.waits_for_thanks(thanks)
    (subscription,) = town.sandbox.store.newest("subscription")
    assert subscription["items"]["data"][0]["price"]["recurring"]["interval"] == "year"
    assert subscription["metadata"]["frequency"] == "year"
    town.sandbox.renew(subscription["id"])
    town.waits_for(10_000)
    assert (town.month()["yearly"], town.month()["monthly"], town.month()["gifts"]) == (10_000, 0, 2)
    assert "Yearly gifts" in town.browser.get(f"{town.app_url}/c/newsroom/months/{town.month()['month']}").text


@pytest.mark.parametrize("frequency", ["once", "month"])
def test_a_fee_on_top_is_part_of_the_gift_and_stands_apart_from_the_tier(town: Town, frequency: str) -> None:
    with town.app.app_context(), writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, cover_percent=290, cover_fixed=30))
    checkout = town.opens_checkout(frequency=frequency, **{f"tier_{frequency}": "1000"}, cover="290+30")
    assert "Covers the payment fee" in town.browser.get(checkout).text
    assert town.pays(checkout).status_code == 303
    town.waits_for(1061)
    with town.app.app_context(), reading() as connection:
        (entry,) = connection.execute(select(EntryRow.amount, EntryRow.tier))
        assert tuple(entry) == (1061, "1000")
        (row,) = town.sandbox.store.newest("subscription" if frequency == "month" else "payment_intent")
        assert (row["metadata"]["tier"], row["metadata"]["cover"]) == ("1000", "61")
    if frequency == "month":
        town.sandbox.renew(row["id"])
        town.waits_for(2122)


def test_a_declined_card_counts_nothing_and_the_next_one_does(town: Town) -> None:
    checkout = town.opens_checkout(frequency="once", tier_once="2500")
    declined = town.pays(checkout, DECLINED)
    assert declined.status_code != 303
    assert "declined" in declined.text
    assert town.pays(checkout).status_code == 303
    town.waits_for(2500)
    assert town.bar()["gifts"] == 1


def test_the_same_form_sent_twice_opens_one_checkout(town: Town) -> None:
    page = town.page()
    first, second = (town.presses_give(page, frequency="once", tier_once="1000") for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    other = town.presses_give(page, frequency="once", tier_once="2500")
    assert other.headers["Location"] != first.headers["Location"]


def test_a_direct_debit_counts_when_its_money_comes(town: Town) -> None:
    with town.app.app_context(), writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="zeitung", currency="EUR", locale="de_DE", amount_pattern=""))
    town.campaign = "zeitung"  # SEPA debits are in euros only
    town.sandbox.delays["debit"] = 60.0  # three seconds at twenty times the speed
    paid = town.pays(town.opens_checkout(frequency="once", tier_once="1000"), iban="AT611904300234573201")
    assert "Ihre Spende wird bestätigt" in town.browser.get(paid.headers["Location"]).text
    assert town.bar()["raised"] == 0
    town.waits_for(1000)
    town.waits_for_thanks(paid.headers["Location"] + "&lang=en")


def test_refunds_of_one_time_and_monthly_gifts_come_off_the_bar(town: Town) -> None:
    town.gives(frequency="once", tier_once="5000")
    town.gives(frequency="month", tier_month="2000")
    town.waits_for(7000)
    monthly, once = (row["id"] for row in town.sandbox.store.newest("payment_intent"))
    town.sandbox.refund(payment_intent=once, amount=1500)
    town.sandbox.refund(payment_intent=monthly)
    town.waits_for(3500)
    assert town.month()["refunds"] == 3500


def test_a_lost_dispute_comes_off_and_a_won_one_comes_back(town: Town) -> None:
    town.gives(frequency="once", tier_once="5000")
    town.gives(frequency="once", tier_once="2500")
    town.waits_for(7500)
    newer, older = (row["id"] for row in town.sandbox.store.newest("payment_intent"))
    lost, won = town.sandbox.open_dispute(newer), town.sandbox.open_dispute(older)
    town.waits_for(0)
    town.sandbox.close_dispute(lost["id"], won=False)
    town.sandbox.close_dispute(won["id"], won=True)
    town.waits_for(5000)
    assert town.month()["disputes"] == 2500


def test_what_the_sandbox_took_is_what_the_form_said(town: Town) -> None:
    with town.app.app_context(), writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, newsletter="Send me the newsletter."))
    town.gives(
        frequency="once", tier_once="other", other_amount="1,234.56", name="Ada", message="Go on.", newsletter="yes"
    )
    town.waits_for(123456)
    (session,) = town.sandbox.store.newest("checkout.session")
    with town.app.app_context(), reading() as connection:
        own_mark = installation.mark(connection)
    assert session["metadata"] == {
        "pledgebar": "1", "campaign": "newsroom", "frequency": "once", "tier": "other", "src": "harbour", "pos": "top",
        "name": "Ada", "message": "Go on.", "newsletter": "yes", "instance": own_mark,
    }  # fmt: skip
    intent = town.sandbox.store.rows[session["payment_intent"]].body
    assert intent["metadata"] == session["metadata"]
    assert session["submit_type"] == "donate"
    assert 3000 <= session["expires_at"] - session["created"] <= 3660


def test_a_hook_that_was_down_gets_everything_once_it_is_up(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = town.app.extensions["settings"]
    monkeypatch.setitem(town.app.extensions, "settings", replace(settings, stripe_webhook_secrets=()))
    town.gives(frequency="once", tier_once="1000")
    time.sleep(0.5)
    assert town.bar()["raised"] == 0
    monkeypatch.setitem(town.app.extensions, "settings", settings)
    town.waits_for(1000)


def test_a_form_that_stood_open_for_five_hours_still_opens_a_checkout(town: Town) -> None:
    import time_machine

    hours = datetime.fromtimestamp(time.time() - 5 * 3600, UTC)
    with time_machine.travel(hours, tick=True):
        page = town.page()
    answer = town.presses_give(page, frequency="once", tier_once="1000")
    assert answer.status_code == 303, answer.text
