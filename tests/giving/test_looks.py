"""What an address asks of a bar's looks: the default for whatever is out of range, and colours that everybody can see."""

import re

import pytest

from tracker.giving.bar_colours import Palette, palettes
from tracker.giving.bar_style import (
    ACCENT,
    BarStyle,
    accent_in,
    check_accent,
    check_background,
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
    plain = BarStyle("light", "", "", "", "m", committed=False, count=False, days=False, corners="soft")
    assert read_bar_style({}) == plain
    wrong = {
        "theme": "DARK",
        "background": "transparent",
        "accent": "red",
        "corners": "3px",
        "lang": "<b>",
        "size": "xl",
        "committed": "yes",
        "count": "0",
        "days": "",
    }
    assert read_bar_style(wrong) == plain


def test_an_address_can_ask_for_each_look_alone_and_for_all() -> None:
    asked = {
        "theme": "auto",
        "background": "#FFF1E5",
        "accent": "#8A1C1C",
        "corners": "round",
        "lang": "de-AT",
        "size": "s",
    }
    asked |= {"committed": "1", "count": "1", "days": "1"}
    wanted = {
        "theme": "auto",
        "background": "fff1e5",
        "accent": "8a1c1c",
        "corners": "round",
        "lang": "de_AT",
        "size": "s",
    }
    wanted |= {"committed": True, "count": True, "days": True}
    assert read_bar_style(asked) == BarStyle(**wanted)
    for name, value in asked.items():
        assert read_bar_style({name: value}) == BarStyle(**{name: wanted[name]})
        # The other way round it is in our spelling.
        assert BarStyle(**{name: wanted[name]}).named == {
            name: value.removeprefix("#").lower() if name in ("accent", "background") else value
        }
    assert BarStyle().named == {}
    assert BarStyle(**wanted).named == asked | {"accent": "8a1c1c", "background": "fff1e5"}
    assert read_bar_style({"background": "none"}) == BarStyle(background="none")
    assert BarStyle(background="none").named == {"background": "none"}


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


@pytest.mark.parametrize(
    "text",
    [
        "/2021/05/a-title_1.html~x", "новости-дня", "天気-予報", "مقالة-١٢", "दिन-की-खबर", "ειδήσεις", "Zoë-9²", "a" * 64, "",
    ],
)  # fmt: skip
def test_an_articles_name_stays_as_it_is_in_every_writing(text: str) -> None:
    assert tidy(text, 64) == text


def test_a_copy_out_of_a_sentence_and_a_letter_in_two_parts_are_the_same_article() -> None:
    assert tidy(" “ferry”\n\0", 64) == tidy('ferry"', 64) == "ferry"
    assert tidy("Zoe\u0308", 64) == "Zoë"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a" * 70 + "b", "a" * 70 + "c"),
        ("новости дня", "новостидня"),
        ("a & b", "a + b"),
        ("c#", "c"),
        ("می\u200cخواهم", "میخواهم"),
        ("🎉", "🎂"),
    ],
)
def test_no_article_is_cut_into_another(one: str, other: str) -> None:
    short = [tidy(text, 64) for text in (one, other)]
    assert short[0] != short[1]
    for text, kept in zip((one, other), short, strict=True):
        # The same every time, and wherever it is read again.
        assert tidy(text, 64) == tidy(kept, 64) == kept
        assert len(kept) <= 64
        assert re.fullmatch(r"[\w./~-]+", kept)


def test_what_is_cut_still_says_what_it_was() -> None:
    assert tidy('Zoë’s "top"\n<b>9²', 100) == "Zoëstopb9²~ij2q3j4l"
    assert tidy("a" * 70, 64) == "a" * 55 + "~npk6ka2i"
    assert tidy("?!", 64) == "~" + tidy("?!", 64)[1:]
    assert len(tidy("\ud800" + "x" * 10_000, 64)) == 64


def test_an_address_says_the_article_and_the_place_and_a_campaign_of_somebody_elses_where_it_names_no_article() -> None:
    assert read_source({"src": "ferry", "pos": "top", "utm_source": "mail"}) == {"src": "ferry", "pos": "top"}
    assert read_source({"utm_source": "mail", "utm_campaign": "x"}) == {"src": "mail", "pos": ""}
    assert read_source({"src": " ", "utm_source": "mail"})["src"] == "mail"
    assert read_source({}) == {"src": "", "pos": ""}
    variants = {read_source({"pos": f"top-of-the-article-{name}"})["pos"] for name in "ab"}
    assert len(variants) == 2
    assert all(len(one) == 20 for one in variants)


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
            "#ff8800 is too light: on white paper its contrast is 2.3, and it needs at least 3 for everybody to see it."
            " Choose a darker one.",
        ),
        (
            "959595",  # 2.995
            "#959595 is too light: on white paper its contrast is 2.9, and it needs at least 3 for everybody to see it."
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


# --- On the page's own paper ------------------------------------------------------------------------------------------

LIGHT = Palette("ffffff", "17191c", "5b5f66", "1c4f82", "ffffff")
DARK = Palette("16181b", "eceae4", "a3a6ac", "8fbdf0", "000000")
PINK = Palette("fff1e5", "17191c", "5b5f66", "1c4f82", "ffffff")
BROWN = Palette("1b1512", "eceae4", "a3a6ac", "8fbdf0", "000000")


@pytest.mark.parametrize(
    ("theme", "background", "light", "dark"),
    [
        ("light", "", LIGHT, DARK),
        # A colour says itself whether words on it are dark or light.
        ("light", "fff1e5", PINK, PINK),
        ("dark", "fff1e5", PINK, PINK),
        ("light", "1b1512", BROWN, BROWN),
        # Where the reader's device decides, it is for what it suits.
        ("auto", "fff1e5", PINK, DARK),
        ("auto", "1b1512", LIGHT, BROWN),
    ],
)
def test_colours_follow_the_paper(theme: str, background: str, light: Palette, dark: Palette) -> None:
    looks = BarStyle(theme=theme, background=background)
    assert palettes(looks, "") == {"light": light, "dark": dark}


def test_where_the_page_shows_through_the_theme_says_what_it_is_like() -> None:
    found = palettes(BarStyle(theme="auto", background="none"), "b3261e")
    assert [one.paper for one in found.values()] == ["", ""]
    assert found["light"].ink == LIGHT.ink
    assert found["dark"].ink == DARK.ink
    assert found["light"].accent == "b3261e" != found["dark"].accent


def test_on_every_paper_words_are_read_and_lines_are_seen() -> None:
    greys = [f"{grey:02x}" * 3 for grey in range(256)]
    hues = [f"{r:02x}{g:02x}{b:02x}" for r in range(0, 256, 51) for g in range(0, 256, 51) for b in range(0, 256, 51)]
    for paper in greys + hues:
        for accent in ("", "b3261e", "ffee00", paper):
            one = palettes(BarStyle(background=paper), accent)["light"]
            assert one.paper == paper
            assert contrast(one.ink, paper) >= 4.5
            assert contrast(one.quiet, paper) >= 4.5
            assert contrast(one.accent, paper) >= 3
            assert contrast(one.on_accent, one.accent) >= 4.5


def test_a_background_is_a_colour_or_none() -> None:
    assert check_background(" #FFF1E5 ") == "fff1e5"
    assert check_background("None") == "none"
    assert check_background("") == check_background("  ") == ""
    with pytest.raises(ValueError, match=r"^“salmon” is not a colour\. Write it as #fff1e5\.$"):
        check_background("salmon")
