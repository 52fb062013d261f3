"""Other systems' files: every ready map on a file with that system's own columns, and reasons in words."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from actors import NEWSROOM
from importing import Nth

from tracker.giving.facts import Gift, Reversal
from tracker.giving.import_map import READY, ImportMap, built_map, map_from_dict, system_of
from tracker.giving.import_rows import Line, read_lines

NOW = datetime(2021, 6, 1, 12, tzinfo=UTC)
PLAIN = ImportMap("file", date="Date", amount="Sum")


def read(text: str, how: ImportMap) -> list[Line]:
    return list(read_lines(io.StringIO(text, newline=""), how, NEWSROOM, False, NOW, Nth()))


def said(text: str, how: ImportMap) -> list[tuple[str, object, object]]:
    """Of each row its outcome, and kind with amount or the reason."""
    return [
        (one.outcome, getattr(one.fact, "kind", one.why), one.fact.amount if one.fact else one.own_id)
        for one in read(text, how)
    ]


FILES = {
    "givewp": (
        "Donation ID,First Name,Donation Total,Currency Code,Donation Status,Donation Date,Donation Time\n"
        '71,Zoë,"1,250.50",USD,Complete,"May 14, 2021",09:31\n'
        "72,Ann,25.00,USD,Pending,05/15/2021,10:00\n73,Ann,25.00,USD,Renewal,2021-05-16,10:00\n",
        [("gift", "once", 125_050), ("left_out", "Donation Status is “Pending”.", "72"), ("gift", "monthly", 2500)],
    ),
    "donorbox": (
        "Name,Amount,Currency,Donated At,Receipt Id,Donation Type,Stripe Charge Id,Recurring Donation\n"
        "Ann,10.00,USD,05/14/2021 09:31:07,r1,stripe,ch_1,\nBob,5.00,USD,2021-05-15 10:00:00,r2,stripe,ch_2,Yes\n",
        [("gift", "once", 1000), ("gift", "monthly", 500)],
    ),
    "givebutter": (
        "Campaign Title,Reference Number,Amount,Currency,Frequency,Payment Captured (UTC),Refund Date (UTC)\n"
        "News,G1,10.00,USD,,2021-05-14 09:31:07,\nNews,G2,5.00,USD,Monthly,2021-05-15 10:00:00,\n"
        "News,G3,5.00,USD,,2021-05-15 10:00:00,2021-05-20\n",
        [("gift", "once", 1000), ("gift", "monthly", 500), ("left_out", "Refund Date (UTC) is “2021-05-20”.", "G3")],
    ),
    "ghost-tips": (
        "id,name,email,amount,currency,donation_message,created_at\n6f,Ann,a@example.com,1250,usd,Well done,2021-05-14 09:31:07\n",
        [("gift", "once", 1250)],
    ),
    "ghost-members": (
        "id,member_id,amount,currency,source,created_at\n6f,7a,500,usd,stripe,2021-05-14T09:31:07.000Z\n",
        [("gift", "monthly", 500)],
    ),
    "stripe": (
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Invoice ID,PaymentIntent ID\n"
        "ch_1,2021-05-14 09:31:07,10.00,0.00,usd,Paid,,pi_1\nch_2,2021-05-14 09:31:07,5.00,2.00,usd,Paid,in_2,pi_2\n"
        "ch_3,2021-05-14 09:31:07,5.00,5.00,usd,Refunded,,pi_3\nch_4,2021-05-14 09:31:07,5.00,5.00,usd,Paid,,pi_4\n",
        [
            ("gift", "once", 1000), ("gift", "monthly", 300), ("left_out", "Status is “Refunded”.", "ch_3"),
            ("left_out", "It was given back in full.", "ch_4"),
        ],
    ),
    "pledgebar": (
        "date,month,kind,amount,fee,net,currency,campaign,frequency,tier,source,closed_month,stripe_id,payment_intent,payout\n"
        "2021-05-14T11:31:07+02:00,2021-05,once,10.00,0.59,9.41,USD,old,once,10.00,,,cs_1,pi_1,\n"
        "2021-05-15T11:31:07+02:00,2021-05,refund,-2.50,,,USD,old,once,10.00,,,re_1,pi_1,\n"
        "2021-05-15T11:31:07+02:00,2021-05,offline,-2.50,,,USD,old,,,,,offline:x,,\n",
        [
            ("gift", "once", 1000), ("back", "refund", -250),
            ("refused", "“-2.50” is not a gift: enter an amount above zero.", "offline:x"),
        ],
    ),
}  # fmt: skip


def test_there_is_a_file_for_every_ready_map() -> None:
    assert set(FILES) == set(READY)


@pytest.mark.parametrize("name", FILES)
def test_a_ready_map_reads_that_systems_columns(name: str) -> None:
    text, expected = FILES[name]
    assert said(text, READY[name]) == expected
    # In whatever order the columns are, and after the map was kept.
    turned = "\n".join(",".join(reversed(line.split(","))) for line in text.splitlines() if '"' not in line)
    assert said(turned, map_from_dict(READY[name].as_dict())) == [
        one for one, line in zip(expected, text.splitlines()[1:], strict=True) if '"' not in line
    ]


def test_a_gift_is_known_by_the_other_systems_id_in_its_mode() -> None:
    (one,) = read(FILES["ghost-tips"][0], READY["ghost-tips"])
    assert isinstance(one.fact, Gift)
    assert one.fact.key == "import:ghost:newsroom:test:id:6f"
    assert (one.fact.at, one.note) == (datetime(2021, 5, 14, 9, 31, 7, tzinfo=UTC), "Well done")
    assert system_of(one.fact.key) == "Ghost"
    assert system_of("cs_1") == ""


def test_stripes_own_ids_go_along_and_what_was_given_back_is_noted() -> None:
    once, part, *_ = read(FILES["stripe"][0], READY["stripe"])
    assert isinstance(once.fact, Gift)
    assert once.fact.known_as == ("ch_1", "pi_1")
    assert part.note == "2.00 of 5.00 given back."


def test_a_refund_in_our_own_file_names_its_gift() -> None:
    _, back, _ = read(FILES["pledgebar"][0], READY["pledgebar"])
    assert isinstance(back.fact, Reversal)
    assert back.fact.gift_known_as == ("pi_1",)


def test_rows_without_an_id_are_known_by_what_they_say() -> None:
    rows = "2021-05-14,5\n2021-05-14,5\n"
    one, other = [line.fact.key for line in read(f"Date,Sum\n{rows}", PLAIN) if line.fact]
    assert one != other
    longer = [line.fact.key for line in read(f"Date,Sum\n2021-05-13,5\n{rows}", PLAIN) if line.fact]
    assert longer[1:] == [one, other]


@pytest.mark.parametrize(
    ("numbers", "text", "amount"),
    [
        ("point", "1,234.50", 123_450), ("point", "$12.50", 1250), ("point", "12.50 USD", 1250), ("point", "1234", 123_400),
        ("comma", "1.234,50", 123_450), ("comma", "12,5", 1250), ("smallest", "1250", 1250), ("plain", "12.5", 1250),
    ],
)  # fmt: skip
def test_amounts_are_read_as_the_map_says(numbers: str, text: str, amount: int) -> None:
    found = read(f'Date;Sum\n2021-05-14;"{text}"\n', replace(PLAIN, numbers=numbers))
    assert [line.fact.amount for line in found if line.fact] == [amount]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ("point", "1.234,50"),
        ("comma", "1,234.50"),
        ("point", "12,50"),
        ("smallest", "12.50"),
        ("plain", "1,000"),
        ("point", ""),
    ],
)
def test_an_amount_of_another_kind_is_refused(numbers: str, text: str) -> None:
    (line,) = read(f'Date;Sum\n2021-05-14;"{text}"\n', replace(PLAIN, numbers=numbers))
    assert line.why.startswith(f"“{text}” is not an amount in USD")


@pytest.mark.parametrize(
    ("row", "how", "why"),
    [
        ("14.5.2021,5", PLAIN, "“14.5.2021” is not a date as expected here."),
        ("2021-06-02,5", PLAIN, "2021-06-02 is in the future."),
        ("2021-06-01T13:00:00Z,5", PLAIN, "2021-06-01 13:00 is in the future."),
        ("2021-05-14,-5", PLAIN, "“-5” is not a gift: enter an amount above zero."),
        ("2021-05-14,5,x", PLAIN, "there are 3 columns, and 2 in the first line."),
    ],
)
def test_a_row_that_is_no_gift_says_why(row: str, how: ImportMap, why: str) -> None:
    assert [(line.number, line.outcome, line.why) for line in read(f"Date,Sum\n{row}\n", how)] == [(2, "refused", why)]


def test_another_currency_and_an_unknown_kind_are_refused() -> None:
    how = replace(PLAIN, currency="Cur", kind_column="Type", kinds={"Monthly": "monthly"})
    found = read(
        "Date,Sum,Cur,Type\n2021-05-14,5,EUR,Monthly\n2021-05-14,5,USD,Weekly\n2021-05-14,5,usd,monthly\n", how
    )
    assert [line.why for line in found] == [
        "it is in EUR, but the campaign counts USD.",
        "“Weekly” in Type does not say whether it is once, monthly or yearly.",
        "",
    ]


def test_a_file_without_the_columns_cannot_be_read() -> None:
    with pytest.raises(ValueError, match=r"There must be one column “Sum” in the first line; it says “Date, Amount”\."):
        read("Date,Amount\n2021-05-14,5\n", PLAIN)
    with pytest.raises(ValueError, match="There must be one column “Sum”"):
        read("Date,Sum,sum\n2021-05-14,5,6\n", PLAIN)


def test_a_map_is_built_from_words() -> None:
    how = built_map(
        None, columns="date=Created,amount=Sum,payments=Charge+Intent", system="shop", numbers="comma", kind="once",
        date_formats=["%d.%m.%Y"], only=["State=ok", "State=done"],
    )  # fmt: skip
    assert how == ImportMap(
        "shop", date="Created", amount="Sum", payments=("Charge", "Intent"), numbers="comma", kind="once",
        date_formats=("%d.%m.%Y",), only={"State": ("ok", "done")},
    )  # fmt: skip
    assert map_from_dict(how.as_dict()) == how
    changed = built_map(READY["givewp"], columns="id=Donation Number")
    assert (changed.id, changed.system) == ("Donation Number", "givewp")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": "date=Created"}, "needs at least the columns date and amount"),
        ({"columns": "date"}, "Write columns as"),
        ({"columns": "date=A,amount=B,colour=C"}, "“colour” is not part of a map"),
        ({"columns": "date=A,amount=B", "kind": "weekly"}, "“weekly” is not a kind"),
        ({"columns": "date=A,amount=B", "numbers": "roman"}, "“roman” is not a way to write numbers"),
        ({"columns": "date=A,amount=B", "system": "Give WP"}, "Name the system in lower-case letters"),
        ({"columns": "date=A,amount=B", "zone": "Berlin"}, "“Berlin” is not a time zone"),
    ],
)
def test_a_map_that_cannot_be_is_refused_in_words(options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        built_map(None, **options)  # type: ignore[arg-type]
