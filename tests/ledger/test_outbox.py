"""What is to be sent: once for each reader whoever finds it, to those alone who want it, and tried again for two days."""

import threading
from datetime import timedelta

import pytest
from actors import count, moment
from flask import Flask
from sqlalchemy import text

from tracker.giving.notice_rules import PAUSES, TOO_LATE, Due
from tracker.ledger import outbox
from tracker.ledger.outbox import WEBHOOK, Notice
from tracker.ledger.store import reading, writing
from tracker.web.admin.signin import create_admin

NOW = moment("2021-05-14T09:31")
GOAL = Due("goal_reached", "2021-05", "newsroom", {"what": "month"})
MAIL = "mail:1"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ana(app: Flask) -> None:
    """Ana has confirmed her address and wants to hear of goals; so does the webhook."""
    create_admin("ana@example.org", "a long password for tests")
    with writing() as session:
        outbox.confirm(session, 1, "ana@example.org", NOW)
        for reader in (MAIL, WEBHOOK):
            outbox.choose(session, reader, ["goal_reached"], NOW - DAY)


def put(due: Due = GOAL, *, mail: bool = True, webhook: bool = True) -> int:
    with writing() as session:
        to = outbox.readers(session, mail=mail, webhook=webhook)
        return outbox.put(session, due, to.get(due.kind, ()), False, NOW)


def take(at: timedelta = timedelta(), *, live: bool = False, mail: bool = True, webhook: bool = True) -> Notice | None:
    with writing() as session:
        return outbox.take_due(session, live, NOW + at, mail=mail, webhook=webhook)


def states() -> list[str]:
    with reading() as session:
        return [one.state for one in outbox.newest(session, False, 10)][::-1]


def test_a_notice_is_put_once_for_each_reader() -> None:
    assert (put(), put()) == (2, 0)
    assert put(Due("goal_reached", "2021-06", "newsroom", {"what": "month"})) == 2
    with reading() as session:
        to = outbox.readers(session, mail=True, webhook=True)
        assert outbox.are_new(session, [GOAL], False, to) == []
        assert outbox.are_new(session, [GOAL], True, to) == [GOAL]


def test_whoever_chooses_later_gets_what_is_still_so_but_not_last_mondays_week() -> None:
    with writing() as session:
        outbox.choose(session, MAIL, ["goal_reached", "weekly"], NOW)
    put(webhook=False)
    assert put(Due("weekly", "2021-05-10", since=NOW - DAY)) == 0
    assert put(Due("weekly", "2021-05-17", since=NOW)) == 1
    assert put() == 1


def test_nobody_gets_what_they_have_not_chosen() -> None:
    assert put(Due("weekly", "2021-05-10")) == 0


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE user_account SET active = :no",
        "DELETE FROM notice_address",
        "UPDATE user_account SET email = 'other@example.org'",
    ],
)
def test_nothing_is_sent_to_an_account_that_is_closed_or_an_address_that_is_not_confirmed(words: str) -> None:
    put()
    with writing() as session:
        session.execute(text(words), {"no": False} if ":no" in words else {})
    with reading() as session:
        assert [one.reader for one in outbox.readers(session, mail=True, webhook=True)["goal_reached"]] == [WEBHOOK]
    # Nor what was waiting already.
    found = take()
    assert found is not None
    assert found.reader == WEBHOOK
    assert states() == ["ended", "due"]


def test_what_is_taken_is_not_given_to_another_process_meanwhile() -> None:
    put(webhook=False)
    one = take()
    assert one is not None
    assert (one.email, one.tries) == ("ana@example.org", 1)
    assert take() is None
    # The process that had it was killed: another one tries it later.
    again = take(PAUSES[0])
    assert again is not None
    assert (again.id, again.tries) == (one.id, 2)


def test_a_way_that_is_not_set_up_any_more_is_left_alone() -> None:
    put()
    found = take(mail=False)
    assert found is not None
    assert found.reader == WEBHOOK
    assert take(mail=False) is None
    assert take(mail=False, webhook=False) is None
    assert take() is not None


def test_live_notices_and_those_of_test_mode_never_meet() -> None:
    put()
    assert take(live=True) is None


def test_a_failed_try_is_made_again_until_the_last() -> None:
    put(webhook=False)
    at, tries = timedelta(), 0
    while one := take(at):
        tries += 1
        with writing() as session:
            is_over = outbox.failed(
                session, one, NOW + at, "no_answer", "Connection\0 refused" + "x" * 500, for_good=False
            )
        assert is_over is (tries == 8)
        at += PAUSES[min(tries, len(PAUSES)) - 1]
    assert tries == 8
    with reading() as session:
        (last,) = outbox.newest(session, False, 1)
    assert (last.state, last.reason, len(last.detail)) == ("failed", "no_answer", 300)


def test_what_will_never_work_is_not_tried_again() -> None:
    put(webhook=False)
    one = take()
    assert one is not None
    with writing() as session:
        assert outbox.failed(session, one, NOW, "recipient", "550 No such user", for_good=True)
    assert take(DAY) is None
    assert states() == ["failed"]


def test_what_was_sent_is_sent() -> None:
    put(webhook=False)
    one = take()
    assert one is not None
    with writing() as session:
        outbox.sent(session, one.id, NOW)
    assert (take(DAY), states(), put(webhook=False)) == (None, ["sent"], 0)


def test_old_news_is_not_sent_when_the_mail_server_is_there_again() -> None:
    put(webhook=False)
    assert take(TOO_LATE + timedelta(seconds=1)) is None
    with reading() as session:
        (last,) = outbox.newest(session, False, 1)
    assert (last.state, last.reason) == ("failed", "too_late")


def test_whoever_ends_a_kind_does_not_get_what_was_waiting() -> None:
    put()
    with writing() as session:
        outbox.choose(session, MAIL, [], NOW)
    assert states() == ["ended", "due"]
    with writing() as session:
        outbox.choose(session, MAIL, ["goal_reached"], NOW)
    # It is still the same notice.
    assert put() == 0


def test_only_one_process_looks_at_a_time() -> None:
    every = timedelta(minutes=2)
    with writing() as session:
        turns = [outbox.take_turn(session, "soon", NOW + timedelta(minutes=late), every) for late in (0, 1, 2, 3, 4)]
    assert turns == [True, False, True, False, True]


def test_processes_that_look_at_the_same_moment_put_it_once_and_one_of_them_has_it(app: Flask) -> None:
    start, added, taken = threading.Barrier(4), [], []

    def looks() -> None:
        with app.app_context():
            start.wait(30)
            added.append(put(webhook=False))
            taken.append(take())

    threads = [threading.Thread(target=looks) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (sum(added), len([one for one in taken if one])) == (1, 1)


def test_notices_of_more_than_a_year_ago_are_forgotten(app: Flask) -> None:
    put()
    with writing() as session:
        session.execute(text("UPDATE notice SET state = 'sent', made_at = '2020-01-01 00:00:00+00:00'"))
    assert put(Due("goal_reached", "2021-06", "newsroom")) == 2
    with reading() as session:
        assert count(session, "notice") == 2
