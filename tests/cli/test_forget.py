"""One person's data is found by address or gift, handed out, and erased: with every sum, and the chain, as they were."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from account import DAY, SINCE, Account
from actors import count
from commands import run_command
from flask import Flask
from sqlalchemy import delete, insert, select, text
from web_admin import Editor, says

from tracker.gateway.notices import notice_of
from tracker.gateway.personal_data import without_person
from tracker.giving.import_map import ImportMap
from tracker.ledger import audit_log, book, campaigns, donor_data, imports, month_closing, supporters
from tracker.ledger.audit_log import Filter
from tracker.ledger.models import alias, delivery, entry
from tracker.ledger.store import reading, writing
from tracker.web.webhook.body_retention import drop_old_bodies

ADA, BEN = "Ada.Lovelace@example.org", "ben@example.org"
WORDS = {"name": "Ada Lovelace", "message": "For the court reports"}


def gives(account: Account, email: str, amount: int = 1000, *, monthly: bool = False, **words: str) -> dict[str, Any]:
    session = account.sandbox.create_checkout_session(account.asks(amount, monthly=monthly, **words))
    paid = account.sandbox.pay(session["id"], email=email, name=words.get("name"))
    account.happens()
    return paid


@pytest.fixture
def gifts(hooked: Account) -> dict[str, Any]:
    """Two of Ada's, one of which renews, and one of Ben's."""
    made = {
        "once": gives(hooked, ADA.lower(), **WORDS),
        "monthly": gives(hooked, ADA.lower(), 500, monthly=True, **WORDS),
        "ben": gives(hooked, BEN, 700, name="Ben", message="Go on"),
    }
    hooked.renews(made["monthly"])
    hooked.disputes(made["once"], 200)
    return made


def sums() -> list[Any]:
    with reading() as session:
        assert month_closing.differences(session) == []
        assert month_closing.tampered(session) == []
        return list(session.execute(select(entry.c.key, entry.c.amount, entry.c.chain).order_by(entry.c.id)))


def bodies() -> str:
    with reading() as session:
        return "\n".join(bytes(body).decode() for body in session.scalars(select(delivery.c.body)) if body)


def kept(kind: str) -> int:
    """How many deliveries of a kind still have a body."""
    with reading() as session:
        these = select(delivery.c.event_id).where(delivery.c.type == kind, delivery.c.body.is_not(None))
        return len(session.scalars(these).all())


def names() -> list[str]:
    with reading() as session:
        campaign = campaigns.find(session, "newsroom")
        assert campaign
        return [row.name for row in supporters.page(session, campaign, False, 100).rows]


TABLES = ("supporter", "waiting", "note", "gift_note")


def is_named() -> bool:
    with reading() as session:
        rows = str([session.execute(text(f"SELECT * FROM {name}")).all() for name in TABLES])
    everything = (bodies() + rows).casefold()
    return any(word in everything for word in ("lovelace", "court reports"))


@pytest.mark.parametrize("wanted", [ADA, "once", "monthly", "intent"])
def test_a_person_is_forgotten_and_every_sum_stays(
    hooked: Account, gifts: dict[str, Any], environ: dict[str, str], wanted: str
) -> None:
    before = sums()
    assert is_named()
    with reading() as session:
        invoice = session.scalar(select(entry.c.key).where(entry.c.kind == "monthly"))
    who = {"once": gifts["once"]["id"], "monthly": invoice, "intent": hooked.intent_of(gifts["once"])}.get(
        wanted, wanted
    )
    done = run_command(environ, "forget", who, "--yes")
    assert done.exit_code == 0, done.output
    assert "2 names" in done.output
    assert "Their entries stay: 4." in done.output
    assert not is_named()
    assert (names(), sums()) == (["Ben"], before)
    assert BEN in bodies()
    assert run_command(environ, "rebuild", "--check").exit_code == 0


def test_so_is_what_was_imported_of_them_and_made_way_for_stripes_own(
    hooked: Account, gifts: dict[str, Any], environ: dict[str, str]
) -> None:
    known_as = hooked.intent_of(gifts["once"])
    how = ImportMap("old", date="D", amount="A", id="I", note="N", payments=("P",), kind="once")
    row = f"D,A,I,N,P\n2021-05-14,10,1,Thanks to Ada Lovelace,{known_as}\n"
    with reading() as session:
        campaign = campaigns.find(session, "newsroom")
    assert campaign
    with writing() as session:
        # As if the file had come before Stripe told of the gift.
        session.execute(delete(alias).where(alias.c.stripe_id == known_as))
    imports.run(io.StringIO(row), how, campaign, False, datetime.now(UTC), write=True)
    with writing() as session:
        session.execute(insert(alias).values(stripe_id=known_as, gift_key=gifts["once"]["id"]))
    assert run_command(environ, "forget", ADA, "--yes").exit_code == 0
    assert not is_named()


def test_nothing_brings_the_name_back(
    hooked: Account, gifts: dict[str, Any], environ: dict[str, str], newsroom: Flask
) -> None:
    told = [json.loads(line) for line in bodies().splitlines()]
    run_command(environ, "forget", ADA, "--yes")
    before = sums()
    for event in told:
        # Stripe sends it again, and tells the same in another event.
        for again in (event, event | {"id": f"{event['id']}_again"}):
            hooked._deliver(*signed(again))
    assert run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}").exit_code in (0, 1)
    assert not is_named()
    hooked.renews(gifts["monthly"])
    disputes = kept("charge.dispute.created")
    hooked.disputes(gifts["monthly"], 100)
    assert not is_named()
    # Editors still hear of it.
    assert kept("charge.dispute.created") == disputes + 1
    assert names() == ["Ben"]
    assert sums()[: len(before)] == before


def signed(event: dict[str, Any]) -> tuple[bytes, str, str]:
    from actors import WEBHOOK_SECRET
    from stripe import WebhookSignature

    body = json.dumps(event)
    moment = int(datetime.now(UTC).timestamp())
    return body.encode(), WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, moment), ""


def test_a_gift_that_never_came_here_is_recorded_without_a_name_once_the_person_was_forgotten(
    hooked: Account, gifts: dict[str, Any], environ: dict[str, str]
) -> None:
    hooked.sandbox.sender.attempt = lambda row, deliver: 204  # type: ignore[method-assign, assignment]
    lost = gives(hooked, ADA.lower(), 1500, **WORDS)
    run_command(environ, "forget", ADA, "--yes")
    run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}")
    with reading() as session:
        assert session.scalar(select(entry.c.amount).where(entry.c.key == lost["id"])) == 1500
    assert not is_named()


def test_what_is_kept_is_handed_out(hooked: Account, gifts: dict[str, Any], environ: dict[str, str]) -> None:
    done = run_command(environ, "person", ADA)
    told = json.loads(done.stdout)
    assert (told["email"], len(told["entries"]), len(told["deliveries"]) > 3) == (ADA, 4, True)
    first = told["entries"][0]
    assert (first["name"], first["message"], first["amount"]) == ("Ada Lovelace", "For the court reports", "10.00")
    assert is_named()
    with reading() as session:
        (line,) = audit_log.lines(session, Filter(action="person.exported"))
    assert "lovelace" not in repr(line).casefold()
    assert line.after["entries"] == 4


def test_an_offline_gift_has_a_note_alone(newsroom: Flask, account: Account, environ: dict[str, str]) -> None:
    editor = Editor(newsroom)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    editor.sends("/admin/c/newsroom/offline", amount="50", date=today, note="Ada Lovelace, by cheque")
    (before,) = sums()
    gift = f"/admin/c/newsroom/gifts/{before.key}"
    editor.sends(gift, to=f"{gift}/notes", words="Mrs Lovelace asks for a receipt.")
    with reading() as session:
        told = donor_data.find(session, {before.key}, (), ())
    assert told.notes[before.key] == "Ada Lovelace, by cheque\nMrs Lovelace asks for a receipt."
    done = run_command(environ, "forget", before.key, stdin="y\n")
    assert "1 note" in done.output
    assert (sums(), is_named()) == ([before], False)


@pytest.mark.parametrize(
    ("wanted", "says_what"),
    [
        ("nobody@example.org", "Nothing is kept here about this person."),
        ("cs_nobody", "There is no gift “cs_nobody” here."),
    ],
)
def test_whoever_is_not_here_cannot_be_forgotten(
    hooked: Account, gifts: dict[str, Any], environ: dict[str, str], wanted: str, says_what: str
) -> None:
    done = run_command(environ, "forget", wanted, "--yes")
    assert (done.exit_code, says_what in done.output) == (1, True)
    assert is_named()


def test_nothing_is_erased_while_stripe_is_away(app: Flask, environ: dict[str, str]) -> None:
    done = run_command(environ, "forget", ADA, "--yes")
    assert (done.exit_code, "Stripe did not answer" in done.output) == (1, True)
    assert count_of("audit_line") == 0


def count_of(table: str) -> int:
    with reading() as session:
        return count(session.connection(), table)


def test_a_gift_that_waits_for_its_campaign_is_forgotten_too(
    hooked: Account, newsroom: Flask, environ: dict[str, str]
) -> None:
    gives(hooked, ADA.lower(), campaign="later", **WORDS)
    assert is_named()
    run_command(environ, "forget", ADA, "--yes")
    assert not is_named()
    run_command(environ, "campaign", "set", "later", "--title", "Later")
    assert len(sums()) == 1
    assert not is_named()


# --- On the page ------------------------------------------------------------------------------------------------------


def test_an_owner_looks_up_downloads_and_erases(hooked: Account, gifts: dict[str, Any], newsroom: Flask) -> None:
    owner = Editor(newsroom)
    page = "/admin/personal-data"
    found = owner.sends(page, wanted=ADA, do="find")
    assert (found.status_code, "For the court reports" in found.text) == (200, True)
    file = owner.sends(page, wanted=ADA, do="export")
    assert file.headers["Content-Disposition"] == "attachment; filename=personal-data.json"
    assert len(json.loads(file.text)["entries"]) == 4
    before = sums()
    assert owner.sends(page, wanted=ADA, do="erase").status_code == 303
    assert (is_named(), sums() == before) == (False, True)
    assert "stay in every sum" in owner.opens(page).text
    log = owner.opens("/admin/audit").text
    assert "Personal data erased" in log
    assert "lovelace" not in log.casefold()
    assert "There is no gift with this id here." in says(owner.sends(page, wanted="cs_nobody", do="find"))
    assert "Nothing." in owner.sends(page, wanted="nobody@example.org", do="erase").text


def test_the_page_says_when_stripe_is_away(app: Flask) -> None:
    answer = Editor(app).sends("/admin/personal-data", wanted=ADA, do="erase")
    assert (answer.status_code, "Stripe could not be asked" in says(answer)) == (422, True)


# --- Bodies -----------------------------------------------------------------------------------------------------------


def test_what_editors_are_told_of_a_dispute_is_the_same_without_the_person(
    hooked: Account, gifts: dict[str, Any]
) -> None:
    with reading() as session:
        rows = session.scalars(select(delivery.c.body).where(delivery.c.type == "charge.dispute.created"))
        (body,) = map(bytes, rows)
    reduced = without_person(body, [ADA])
    assert reduced is not None
    assert notice_of(reduced) == notice_of(body) is not None
    assert without_person(b"[" * 100_000, [ADA]) is None


def test_bodies_go_with_time_though_nothing_comes_any_more(app: Flask) -> None:
    now = datetime(2021, 5, 14, tzinfo=UTC)
    with writing() as session:
        for number, age in enumerate((91, 89)):
            came = book.Delivery(f"evt_{number}", "x", "2026", False, now, b"{}")
            book.receive(session, came, [], True, now - timedelta(days=age))
    assert [drop_old_bodies(now), drop_old_bodies(now)] == [1, 0]
    assert drop_old_bodies(now + timedelta(seconds=2 * DAY)) == 1
    assert bodies() == ""
    assert count_of("delivery") == 2
