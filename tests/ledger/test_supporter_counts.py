"""Regular supporters as they come and go, in each part of time that is asked for."""

from dataclasses import replace
from datetime import timedelta

from actors import NEWSROOM, moment
from sqlalchemy import Connection, select, update

from tracker.giving.facts import Subscription
from tracker.ledger import models, subscriptions
from tracker.ledger.book import record
from tracker.ledger.supporter_counts import Counts, regulars

NOW = moment("2021-05-14T09:31")
DAY = timedelta(days=1)
ADA = Subscription(
    "sub_1", "newsroom", 500, "USD", "active", NOW + DAY, None, NOW, False, began_at=moment("2021-05-02T10:00")
)  # fmt: skip
MAY = (moment("2021-05-01T00:00"), NOW)
APRIL = (moment("2021-04-01T00:00"), moment("2021-04-14T09:31"))


def test_new_ones_those_who_are_there_and_those_who_ended(book: Connection) -> None:
    for one in (
        ADA,
        replace(ADA, key="sub_2", began_at=moment("2021-04-10T10:00")),
        replace(
            ADA, key="sub_3", began_at=moment("2020-01-01T10:00"), state="ended", ended_at=moment("2021-05-03T10:00")
        ),
        replace(ADA, key="sub_4", began_at=moment("2020-01-01T10:00"), state="failing"),
        replace(
            ADA, key="sub_5", began_at=moment("2021-04-12T10:00"), state="ended", ended_at=moment("2021-04-13T10:00")
        ),
        replace(ADA, key="sub_6", began_at=None, state="failing"),
        replace(ADA, key="sub_7", began_at=None, state="ended"),
        replace(ADA, key="sub_8", frequency="year", state="paused"),
        replace(ADA, key="sub_9", live=True),
    ):
        record(book, one, NOW)
    monthly, yearly = regulars(book, NEWSROOM, False, [MAY, APRIL])
    assert monthly.counts == (Counts(there=3, new=1, ended=1), Counts(there=3, new=2, ended=1))
    assert (monthly.failing, monthly.paused, monthly.any) == (2, 0, True)
    assert (yearly.counts, yearly.paused) == ((Counts(1, 1, 0), Counts()), 1)


def test_where_there_are_none_there_is_nothing_to_count(book: Connection) -> None:
    assert [one.any for one in regulars(book, NEWSROOM, False, [MAY])] == [False, False]


def test_what_is_known_of_the_beginning_stays_when_a_word_does_not_say_it(book: Connection) -> None:
    record(book, ADA, NOW)
    record(book, replace(ADA, began_at=None, told_at=NOW + DAY, state="paused"), NOW)
    row = book.execute(select(models.support)).one()
    assert (row.state, row.began_at) == ("paused", ADA.began_at)


def test_a_beginning_that_is_not_known_yet_is_news_to_sync(book: Connection) -> None:
    record(book, ADA, NOW)
    book.execute(update(models.support).values(began_at=None))
    row = book.execute(select(models.support)).one()
    assert subscriptions.differs(ADA, row)
    assert record(book, replace(ADA, told_at=NOW + DAY), NOW) == "recorded"
    assert book.execute(select(models.support.c.began_at)).scalar() == ADA.began_at
