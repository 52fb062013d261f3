"""What the newsroom should see to stands above its months, in plain words and with Stripe's id; mostly there is nothing."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from account import WEARY_CARD, Account
from actors import NEWSROOM, Stripe, dispute_of, refund_of, session
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from web_admin import Editor

from tracker.gateway.notices import notice_of
from tracker.ledger.models import waiting
from tracker.ledger.store import writing
from tracker.sandbox import disputes

WARNED_CARD = "4000000000005423"
REFUND_FAILS = "4000000000005126"
BarStyle = Callable[..., list[str]]


@pytest.fixture
def looks(hooked: Account, newsroom: Flask) -> BarStyle:
    """The lines of the list, as an editor reads them."""
    editor = Editor(newsroom)

    def read(campaign: str = "newsroom") -> list[str]:
        page = editor.opens(f"/admin/c/{campaign}/")
        assert page.status_code == 200
        found = re.search(r'<section class="matters".*?</section>', page.text, re.S)
        lines = re.findall(r"<li>(.*?)</li>", found[0], re.S) if found else []
        assert bool(lines) == ("Needs attention" in page.text)
        return [" ".join(unescape(re.sub(r"<[^>]+>", " ", line)).split()) for line in lines]

    return read


def sends(app: Flask, kind: str, about: dict[str, Any], **how: Any) -> None:
    calls = Stripe(app.test_client())
    assert calls.sends(calls.event(kind, about, **how) | {"id": f"evt_{kind}_{about['id']}"}) == 204


def test_where_all_is_well_there_is_no_list(hooked: Account, looks: BarStyle) -> None:
    assert looks() == []
    gift = hooked.gives(1000)
    hooked.gives(500, monthly=True)
    hooked.refunds(gift)
    assert looks() == []


def test_a_dispute_says_until_when_and_goes_once_it_is_decided(hooked: Account, looks: BarStyle) -> None:
    dispute = hooked.disputes(hooked.gives(4200))
    due = datetime.fromtimestamp(
        hooked.sandbox.store.rows[dispute].body["evidence_details"]["due_by"], ZoneInfo(NEWSROOM.time_zone)
    )
    (line,) = looks()
    assert line.startswith(f"A bank disputes a gift: 42 $. Answer in the Stripe dashboard by {due:%Y-%m-%d %H:%M}")
    assert line.endswith(dispute)
    with hooked.sandbox.store.acting(False):
        row = hooked.sandbox.store.rows[dispute].body
        disputes.update_dispute(hooked.sandbox.store, row, {"evidence": {"uncategorized_text": "See here."}})
    hooked.tells()
    assert looks() == [
        f"A dispute about 42 $ is with the bank, which decides. There is nothing to do but wait. {dispute}"
    ]
    hooked.decides(dispute, won=True)
    assert looks() == []


def test_an_inquiry_is_no_dispute_yet(hooked: Account, looks: BarStyle) -> None:
    inquiry = hooked.disputes(hooked.gives(1100), inquiry=True)
    (line,) = looks()
    assert line.startswith("A bank asks about a gift: 11 $. No money has moved yet.")
    hooked.decides(inquiry, won=False)
    assert looks() == []


def test_an_early_fraud_warning_stands_until_the_gift_is_refunded_or_disputed(hooked: Account, looks: BarStyle) -> None:
    refunded, disputed = hooked.gives(4000, card=WARNED_CARD), hooked.gives(3000, card=WARNED_CARD, monthly=True)
    words = "may be fraud, a bank warns. Refund in the Stripe dashboard before it becomes a dispute"
    lines = sorted(looks())
    assert [line.split(" may")[0] for line in lines] == ["A gift of 30 $", "A gift of 40 $"]
    assert all(words in line and " issfr_" in line for line in lines)
    hooked.refunds(refunded)
    assert len(looks()) == 1
    hooked.disputes(disputed)
    assert [line.split(".")[0] for line in looks()] == ["A bank disputes a gift: 30 $"]


def test_a_monthly_gift_that_could_not_be_charged(hooked: Account, looks: BarStyle) -> None:
    weary = hooked.gives(1500, monthly=True, card=WEARY_CARD)
    assert looks() == []
    hooked.renews(weary)
    assert looks() == [
        "A recurring gift of 15 $ could not be charged. Stripe tries again, as its dashboard is set to. "
        + weary["subscription"]
    ]
    hooked.cancels(weary)
    assert looks() == []


def test_a_refund_that_failed_stands_until_there_is_another_one(hooked: Account, looks: BarStyle) -> None:
    gift = hooked.gives(1000, card=REFUND_FAILS)
    failed = hooked.refunds(gift)
    (line,) = looks()
    assert line.startswith("A refund of 10 $ failed and the money came back. The donor is still waiting for it")
    assert line.endswith(failed)
    hooked.passes(60)
    hooked.sandbox.refund(payment_intent=gift["payment_intent"])
    hooked.tells()
    assert looks() == []


def test_what_waits_is_shown_after_a_day(newsroom: Flask, looks: BarStyle) -> None:
    sends(newsroom, "refund.created", refund_of("pi_nobodys", "re_1"))
    sends(newsroom, "charge.dispute.funds_withdrawn", dispute_of("pi_nobodys", -500))
    sends(newsroom, "checkout.session.completed", session("cs_1", metadata=session()["metadata"] | {"campaign": "new"}))
    assert looks() == []
    with writing() as connection:
        connection.execute(update(waiting).values(received_at=datetime.now(UTC) - timedelta(days=1, minutes=1)))
    assert looks() == [
        "A gift is waiting for the campaign “new”, which does not exist here. Create one with this address, and it counts. cs_1",
        "2 refunds or disputes have waited for their gifts for more than a day. Unless it belongs to another product at Stripe, "
        "run tracker sync . re_1",
    ]
    with writing() as connection:
        connection.execute(update(waiting).values(received_at=datetime.now(UTC) - timedelta(days=91)))
    assert looks() == []


def test_money_in_another_currency_is_named_with_what_it_came_in(
    hooked: Account, newsroom: Flask, looks: BarStyle
) -> None:
    gift = hooked.gives(5000, currency="eur")
    other = "came in another currency than the campaign's, and is not part of its figures."
    assert looks() == [f"A gift of €50 {other} {gift['id']}"]
    sends(newsroom, "refund.created", refund_of(gift["payment_intent"], "re_1", 100, currency="usd"))
    with writing() as connection:
        connection.execute(update(waiting).values(received_at=datetime.now(UTC) - timedelta(days=2)))
    cannot = "1 $ was taken back in another currency than the gift's, and cannot be taken off it here."
    assert looks()[0] == f"{cannot} re_1"


def test_deliveries_of_the_other_mode_are_one_line(newsroom: Flask, looks: BarStyle) -> None:
    for key in ("cs_live_1", "cs_live_2"):
        sends(newsroom, "checkout.session.completed", session(key), live=True)
    assert looks() == [
        "2 deliveries were for Stripe's live mode, and count for nothing here. See which endpoint calls this address. "
        "evt_checkout.session.completed_cs_live_2"
    ]


def test_somebody_elses_disputes_and_warnings_are_nobodys_business_here(hooked: Account, looks: BarStyle) -> None:
    hooked.disputes(hooked.gives(9900, foreign=True))
    hooked.gives(8800, foreign=True, card=WARNED_CARD)
    hooked.renews(hooked.gives(700, foreign=True, monthly=True, card=WEARY_CARD))
    hooked.disputes(hooked.gives(1200, currency="eur", campaign="zeitung"))
    assert looks() == []
    assert [line.split(".")[0] for line in looks("zeitung")] == ["A bank disputes a gift: 12 €"]


def test_many_alike_are_five_lines(hooked: Account, looks: BarStyle) -> None:
    for amount in range(1000, 1700, 100):
        hooked.disputes(hooked.gives(amount))
    lines = looks()
    assert len(lines) == 5
    assert lines[-1].startswith("3 more gifts are disputed.")


def test_nothing_personal_is_shown(newsroom: Flask, looks: BarStyle) -> None:
    sends(newsroom, "checkout.session.completed", session(metadata=session()["metadata"] | {"name": "Ada"}))
    evidence = {"customer_name": "Ada Donor", "customer_email_address": "ada@example.org"}
    sends(newsroom, "charge.dispute.created", dispute_of("pi_cs_test_1", -1000, evidence=evidence))
    (line,) = looks()
    assert "Ada" not in line
    assert "@" not in line


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"object": "event"}'])
def test_a_body_that_cannot_be_read_says_nothing(body: bytes) -> None:
    assert notice_of(body) is None


def test_the_list_is_for_those_who_signed_in(client: FlaskClient) -> None:
    assert client.get("/admin/c/newsroom/").status_code == 302
