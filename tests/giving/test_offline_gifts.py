"""Offline gifts as a newsroom writes them down: read strictly, named in their line when wrong, and known again."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from actors import NEWSROOM
from importing import Nth

from tracker.giving.facts import Gift
from tracker.giving.import_map import OWN
from tracker.giving.import_rows import read_lines
from tracker.giving.offline_gift import Offline, offline_gift, parse_day, tidy_note

NOW = datetime(2021, 6, 1, 21, 59, tzinfo=UTC)  # a minute before midnight in Berlin
HEAD = "The first line must name the columns: date,amount and, if there are any, note and id"


def read(text: str, *, live: bool = False) -> list[Offline]:
    """The gifts in a file; the first row that is refused is an error."""
    gifts = []
    for line in read_lines(io.StringIO(text, newline=""), OWN, NEWSROOM, live, NOW, Nth()):
        if not isinstance(line.fact, Gift):
            raise ValueError(f"Line {line.number}: {line.why}")
        gifts.append(Offline(line.fact, line.note))
    return gifts


def keys(text: str) -> list[str]:
    return [one.gift.key for one in read(text)]


def refused(text: str) -> str:
    with pytest.raises(ValueError, match=r"[a-z]") as caught:
        read(text)
    return str(caught.value)


def test_a_gift_is_of_noon_on_the_campaigns_clock_in_its_currency_and_mode() -> None:
    made = offline_gift(NEWSROOM, True, date(2021, 5, 14), 700, "a cheque", "id:17")
    noon = datetime(2021, 5, 14, 10, tzinfo=UTC)
    assert made == Offline(
        Gift("offline:newsroom:live:id:17", "offline", "newsroom", 700, "USD", noon, True), "a cheque"
    )
    tried = offline_gift(NEWSROOM, False, date(2021, 5, 14), 700, "", "id:17").gift
    assert (tried.key, tried.live) == ("offline:newsroom:test:id:17", False)


def test_a_file_says_who_gave_what_and_when() -> None:
    first, second = read('date,amount,note,id\n2021-05-14,50.00,"Cheque, no. 17", A1 \n2021-06-01,12.5,,\n', live=True)
    assert first.gift.key == "offline:newsroom:live:id:A1"
    assert (first.gift.amount, first.gift.at, first.note) == (
        5000,
        datetime(2021, 5, 14, 10, tzinfo=UTC),
        "Cheque, no. 17",
    )
    assert (second.gift.amount, second.gift.live, second.note) == (1250, True, "")


def test_columns_may_stand_in_any_order_and_empty_lines_anywhere() -> None:
    (one,) = read("\ufeff\nnote,amount,date\n\n,,\n a tin , 5 ,2021-05-14\r\n")
    assert (one.gift.amount, one.note, one.gift.at.day) == (500, "a tin", 14)


def test_a_row_without_an_id_is_known_again_by_what_it_says_and_how_often_it_was_said() -> None:
    row = "2021-05-14,5,a tin\n"
    once, again, third = keys("date,amount,note\n" + row * 3)
    assert len({once, again, third}) == 3
    assert once.startswith("offline:newsroom:test:row:")
    assert len(once.removeprefix("offline:newsroom:test:row:")) == 32
    # In a longer file, with other rows between, and under another spelling of the same.
    assert keys(f"date,amount,note\n2021-05-13,5,a tin\n{row}2021-05-14,5.00, a  tin\n")[1:] == [once, again]
    other = keys("date,amount,note\n2021-05-15,5,a tin\n2021-05-14,6,a tin\n2021-05-14,5,a box\n")
    assert not {once, again, third} & set(other)
    assert len(set(other)) == 3


def test_keys_of_rows_never_change_or_every_file_would_count_again() -> None:
    assert keys("date,amount,note\n2021-05-14,5,a tin\n2021-05-14,5,a tin\n") == [
        "offline:newsroom:test:row:b2213d8ff9e65151e2ddc3ce9f3c06c5",
        "offline:newsroom:test:row:24cbe80637d8c099f63159fde1ef20f6",
    ]


def test_an_id_is_known_again_whatever_else_its_row_says() -> None:
    assert keys("date,amount,id\n2021-05-14,5,A1\n") == keys("date,amount,id\n2021-05-15,6,A1\n")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "2021-05-14,5\n2021-05-14,\n",
            "Line 3: “” is not an amount in USD: write it as 10 or 12.50.",
        ),
        ("2021-05-14,0\n", "Line 2: “0” is not a gift: enter an amount above zero."),
        ("2021-05-14,-0.01\n", "Line 2: “-0.01” is not a gift: enter an amount above zero."),
        ("2021-05-14,5,6\n", "Line 2: there are 3 columns, and 2 in the first line."),
        ("2021-05-14\n", "Line 2: there are 1 columns, and 2 in the first line."),
        ("\n\n14.5.2021,5\n", "Line 4: “14.5.2021” is not a date. Write it as 2021-05-14."),
        (
            f"2021-05-14,{'9' * 21}\n",
            f"Line 2: “{'9' * 20}” is not an amount in USD: write it as 10 or 12.50.",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(rows: str, said: str) -> None:
    assert refused(f"date,amount\n{rows}") == said


def test_a_quote_that_never_ends_is_named_in_the_line_where_it_begins() -> None:
    said = refused('date,amount\n2021-05-14,5\n2021-05-14,"5\n2021-05-15,6\n')
    assert said == "Line 3: this is not CSV (unexpected end of data)."
    assert refused('date,"amount\n').startswith("Line 1: this is not CSV")


def test_one_cent_is_a_gift_and_needs_no_note() -> None:
    assert [(one.gift.amount, one.note) for one in read("date,amount\n2021-05-14,0.01\n")] == [(1, "")]


def test_a_row_over_several_lines_counts_them_all() -> None:
    said = refused('date,amount,note\n2021-05-14,5,"one\ntwo"\n2021-05-14,x,\n')
    assert said.startswith("Line 4: “x” is not an amount")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("", f"{HEAD}; it says “”."),
        ("date,sum", f"{HEAD}; it says “date,sum”."),
        ("date", f"{HEAD}; it says “date”."),
        ("date,amount,who", f"{HEAD}; it says “date,amount,who”."),
        ("date,amount,amount", f"{HEAD}; it says “date,amount,amount”."),
        ("date,amount," + "x" * 99, f"{HEAD}; it says “date,amount,{'x' * 68}”."),
        ("date;amount", f"{HEAD}. Separate them with commas, not with semicolons or tabs."),
        ("date\tamount", f"{HEAD}. Separate them with commas, not with semicolons or tabs."),
        ("date;x,amount", f"{HEAD}; it says “date;x,amount”."),
    ],
)
def test_a_first_line_of_another_make_is_refused(head: str, said: str) -> None:
    assert refused(f"{head}\n") == said


def test_one_id_twice_in_a_file_is_no_two_gifts() -> None:
    said = refused("date,amount,id\n2021-05-14,5,A\n2021-05-14,5,\n2021-05-14,5,\n2021-05-14,6,A\n")
    assert said == "Line 5: the id “A” is already used in line 2."


def test_an_id_can_be_a_hundred_characters_that_are_seen() -> None:
    assert keys(f"date,amount,id\n2021-05-14,5,{'A' * 100}\n")[0].endswith("A" * 100)
    for own_id in ("A" * 101, "A\x00B"):
        said = refused(f"date,amount,id\n2021-05-14,5,{own_id}\n")
        assert said == "Line 2: an id can have at most 100 characters, all of them visible."


def test_a_day_is_written_in_one_way_and_not_after_today_on_the_campaigns_clock() -> None:
    assert parse_day("2021-06-01", NEWSROOM, NOW) == date(2021, 6, 1)
    assert parse_day("1970-01-01", NEWSROOM, NOW) == date(1970, 1, 1)
    with pytest.raises(ValueError, match=r"^2021-06-02 is in the future\.$"):
        parse_day("2021-06-02", NEWSROOM, NOW)
    assert parse_day("2021-06-02", replace(NEWSROOM, time_zone="Asia/Tokyo"), NOW) == date(2021, 6, 2)


@pytest.mark.parametrize("text", ["1969-12-31", "2021-02-30", "2021-5-14", "20210514", "2021-05-14\n", "2021-W19-5"])
def test_what_is_no_day_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date") as caught:
        parse_day(text, NEWSROOM, NOW)
    assert str(caught.value) == f"“{text}” is not a date. Write it as 2021-05-14."


def test_a_long_text_is_cut_in_the_sentence_about_it() -> None:
    with pytest.raises(ValueError, match=f"^“{'x' * 20}” is not a date"):
        parse_day("x" * 21, NEWSROOM, NOW)


def test_a_note_is_one_line_of_three_hundred_characters() -> None:
    assert tidy_note("  Zoë’s \x00\n tin ") == "Zoë’s tin"
    assert tidy_note("n" * 300) == "n" * 300
    with pytest.raises(ValueError, match=r"^a note can have at most 300 characters\.$"):
        tidy_note("n" * 301)
