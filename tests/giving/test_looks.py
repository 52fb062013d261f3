"""What an address asks of a bar's looks: the default for whatever is out of range, and colours that everybody can see."""

import pytest

from tracker.giving.bar_style import (
    ACCENT,
    BarStyle,
    accent_in,
    check_accent,
    contrast,
    frame_heights,
    ink_on,
    read_bar_style,
    read_colour,
    read_month,
    read_source,
    tidy,
)
from tracker.giving.months import Month


def test_an_address_that_asks_for_nothing_gets_the_defaults() -> None:
    plain = BarStyle(theme="light", accent="", lang="", size="m", committed=False, count=False, days=False)
    assert read_bar_style({}) == plain
    wrong = {
        "theme": "DARK",
        "accent": "red",
        "lang": "<b>",
        "size": "xl",
        "committed": "yes",
        "count": "0",
        "days": "",
    }
    assert read_bar_style(wrong) == plain


def test_an_address_can_ask_for_each_look_alone_and_for_all() -> None:
    asked = {"theme": "auto", "accent": "#8A1C1C", "lang": "de-AT", "size": "s"}
    asked |= {"committed": "1", "count": "1", "days": "1"}
    wanted = {"theme": "auto", "accent": "8a1c1c", "lang": "de_AT", "size": "s"}
    wanted |= {"committed": True, "count": True, "days": True}
    assert read_bar_style(asked) == BarStyle(**wanted)
    for name, value in asked.items():
        assert read_bar_style({name: value}) == BarStyle(**{name: wanted[name]})
        # The other way round it is in our spelling.
        assert BarStyle(**{name: wanted[name]}).named == {
            name: value.removeprefix("#").lower() if name == "accent" else value
        }
    assert BarStyle().named == {}
    assert BarStyle(**wanted).named == asked | {"accent": "8a1c1c"}


@pytest.mark.parametrize(
    ("asked", "locale"),
    [
        ("de", "de"), ("DE_at", "de_AT"), ("en", "en"), ("en-GB", "en_GB"), ("nn", "nn"), ("de-Latn-AT", "de_AT"),
        # Languages that we have no words in, that nobody speaks, and what is not a language.
        ("ja", ""), ("zh-Hant-TW", ""), ("xx", ""), ("d", ""), ("de-AT-a-b", ""), ("de\n", ""), ("german", ""),
    ],
)  # fmt: skip
def test_a_language_is_taken_when_the_bar_has_words_in_it(asked: str, locale: str) -> None:
    assert read_bar_style({"lang": asked}).lang == locale


@pytest.mark.parametrize(
    ("looks", "heights"),
    [
        (BarStyle(), (108, 162)),
        (BarStyle(size="s"), (96, 142)),
        (BarStyle(size="l"), (128, 190)),
        (BarStyle(count=True), (128, 182)),
        (BarStyle(days=True), (128, 182)),
        # Both stand in one line; what is committed takes another.
        (BarStyle(count=True, days=True), (128, 182)),
        (BarStyle(committed=True), (128, 182)),
        (BarStyle(committed=True, days=True), (148, 202)),
        (BarStyle(committed=True, count=True, size="l"), (176, 238)),
    ],
)
def test_a_frame_has_room_for_each_line_of_small_words(looks: BarStyle, heights: tuple[int, int]) -> None:
    assert frame_heights(looks) == heights


def test_a_month_is_read_if_one_is_asked_for() -> None:
    assert read_month("2021-05") == Month(2021, 5)
    assert read_month(None) is read_month("") is None
    with pytest.raises(ValueError, match="is not a month"):
        read_month("May")


def test_what_says_where_a_gift_came_from_is_kept_without_anything_odd() -> None:
    assert tidy("/2021/05/a-title_1.html~x", 100) == "/2021/05/a-title_1.html~x"
    assert tidy('Zoë’s "top"\n<b>9²', 100) == "Zostopb9"
    assert tidy("abcdef", 4) == "abcd"
    assert tidy("", 4) == ""
    assert read_source({"src": "a b" * 60, "pos": "to p" * 20}) == {
        "src": ("a b" * 60)[:64].replace(" ", ""),
        "pos": "top" * 5,
    }
    assert read_source({"src": "a" * 70, "pos": "b" * 30}) == {"src": "a" * 64, "pos": "b" * 20}
    assert read_source({}) == {"src": "", "pos": ""}


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#1C4F82", "1c4f82"), ("1c4f82", "1c4f82"), ("1c4f8", ""), ("1c4f822", ""), ("##1c4f82", ""), ("1c4f8g", ""),
        ("red", ""), ("", ""), ("1c4f82\n", ""),
    ],
)  # fmt: skip
def test_a_colour_is_six_hexadecimal_digits(text: str, colour: str) -> None:
    assert read_colour(text) == colour


@pytest.mark.parametrize(
    ("colour", "on_white"),
    [
        # As the calculators of the WCAG have it.
        ("000000", 21), ("ffffff", 1), ("767676", 4.5422), ("ff0000", 3.9985), ("00ff00", 1.3722), ("0000ff", 8.5925),
        # So dark that another formula holds, and just above that.
        ("0a0a0a", 19.7981), ("0b0b0b", 19.6826),
    ],
)  # fmt: skip
def test_contrast_is_that_of_the_wcag_whichever_colour_is_named_first(colour: str, on_white: float) -> None:
    assert contrast(colour, "ffffff") == pytest.approx(on_white, abs=1e-4)
    assert contrast("ffffff", colour) == contrast(colour, "ffffff")


def test_letters_on_the_button_are_white_or_black_whichever_is_read_better() -> None:
    assert [ink_on(colour) for colour in ("1c4f82", "ff0000", "ffdd00")] == ["ffffff", "000000", "000000"]
    for grey in range(256):
        colour = f"{grey:02x}" * 3
        assert contrast(ink_on(colour), colour) >= 4.5


def test_a_newsrooms_colour_is_taken_when_it_is_seen_on_white() -> None:
    assert check_accent(" #1C4F82 ") == "1c4f82"
    assert check_accent("#949494") == "949494"
    assert check_accent("") == check_accent("  ") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" blue ", "“blue” is not a colour. Write it as #1c4f82."),
        ("x" * 21, f"“{'x' * 20}” is not a colour. Write it as #1c4f82."),
        (
            "FF8800",
            "#ff8800 is too light: on white paper its contrast is 2.3, and it takes 3 to be seen by everybody."
            " Choose a darker one.",
        ),
        (
            "959595",  # 2.995
            "#959595 is too light: on white paper its contrast is 2.9, and it takes 3 to be seen by everybody."
            " Choose a darker one.",
        ),
    ],
)
def test_a_colour_that_will_not_do_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        check_accent(text)
    assert str(caught.value) == said


def test_the_first_grey_that_is_too_light_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^#959595 is too light"):
        check_accent("#959595")


@pytest.mark.parametrize(
    ("theme", "accent", "least", "drawn"),
    [
        ("light", "", 3.0, ACCENT["light"]),
        ("dark", "", 3.0, ACCENT["dark"]),
        # Good as they are.
        ("light", "1c4f82", 3.0, "1c4f82"),
        ("dark", "8fbdf0", 3.0, "8fbdf0"),
        # Brightened on dark paper and darkened on light, step by step, and no further than it takes.
        ("dark", "1c4f82", 3.0, "3e6995"),
        ("dark", "000080", 4.5, "8080c0"),
        ("light", "ff8800", 4.5, "b25f00"),
        # What cannot be had on this paper: as much as there is.
        ("dark", "102030", 18.0, "ffffff"),
        ("light", "ffffff", 21.0, "000000"),
    ],
)
def test_an_accent_is_drawn_so_that_it_is_seen_on_its_paper(theme: str, accent: str, least: float, drawn: str) -> None:
    assert accent_in(theme, accent, least) == drawn


def test_an_accent_needs_the_contrast_of_an_edge_unless_more_is_asked_for() -> None:
    assert accent_in("dark", "1c4f82") == accent_in("dark", "1c4f82", 3.0) != accent_in("dark", "1c4f82", 3.2)
