"""When giving looks like card testing, and when it is over."""

from datetime import UTC, datetime, timedelta

import pytest

from tracker.giving.card_testing import QUIET, Counts, Protection, judged, sign_of_attack

NOW = datetime(2021, 5, 14, 20, 0, tzinfo=UTC)
USUAL = 60


@pytest.mark.parametrize(
    ("ten_minutes", "hour", "sign"),
    [
        # An evening of a drive, and its donors who change their minds, mistype and are declined now and then.
        (Counts(opened=59), Counts(opened=300, completed=80, expired=220, declined=12), ""),
        (Counts(), Counts(), ""),
        (Counts(opened=9), Counts(opened=9, declined=9), ""),
        (Counts(opened=10), Counts(opened=10, declined=10, completed=11), ""),
        (Counts(opened=10), Counts(opened=10, declined=10, completed=10), "declined"),
        (Counts(opened=29), Counts(expired=29), ""),
        (Counts(opened=30), Counts(expired=30), "expired"),
        (Counts(opened=30), Counts(expired=30, completed=3), ""),
        (Counts(opened=60), Counts(opened=60, completed=60), "opened"),
    ],
)
def test_what_gives_it_away(ten_minutes: Counts, hour: Counts, sign: str) -> None:
    assert sign_of_attack(ten_minutes, hour, USUAL) == sign


def test_it_begins_with_a_sign_and_is_over_when_there_was_none_for_half_an_hour() -> None:
    calm = Protection()
    assert judged(calm, "", NOW) == calm
    attacked = judged(calm, "declined", NOW)
    assert (attacked.began_at, attacked.asks_everybody) == (NOW, True)
    later = judged(attacked, "opened", NOW + timedelta(minutes=20))
    assert (later.began_at, later.seen_at, later.sign) == (NOW, NOW + timedelta(minutes=20), "opened")
    assert judged(later, "", NOW + timedelta(minutes=49)) == later
    over = judged(later, "", NOW + timedelta(minutes=20) + QUIET)
    assert (over.began_at, over.ended_at, over.asks_everybody) == (None, NOW + timedelta(minutes=50), False)
    assert judged(over, "", NOW + timedelta(days=1)) == over


def test_an_editor_has_the_last_word() -> None:
    attacked = judged(Protection("off"), "opened", NOW)
    assert (attacked.began_at, attacked.asks_everybody) == (NOW, False)
    assert Protection("on").asks_everybody


def test_counts_add_up() -> None:
    assert Counts(1, 2, 3, 4, 5) + Counts(opened=1, refused=1) == Counts(2, 2, 3, 4, 6)
    assert Counts(1, 2, 3, 4, 5) + Counts(1, 2, 3, 4, 5).negative == Counts()
