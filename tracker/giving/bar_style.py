"""How a bar looks, as the address of each carrier says. What is out of range is the default, never an error."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

from tracker.giving.bar_words import has_words
from tracker.giving.money import check_locale
from tracker.giving.months import Month, parse_month
from tracker.giving.refusals import Refusal

THEMES = ("light", "dark", "auto")
SIZES = ("s", "m", "l")
CORNERS = ("soft", "square", "round")
"""The button's corners: slightly rounded, square or fully rounded."""
NONE = "none"
"""No background: the page around the bar shows through."""
PAPER = {"light": "ffffff", "dark": "16181b"}
INK = {"light": "17191c", "dark": "eceae4"}
ACCENT = {"light": "1c4f82", "dark": "8fbdf0"}
HEIGHTS = {"s": (96, 142), "m": (108, 162), "l": (128, 190)}
"""How high a frame of each size must be, in pixels: as it is, and where it is narrower than NARROW."""
NARROW = 420
NOTES_HEIGHT = {"s": 20, "m": 20, "l": 24}
"""What a line of small words under the drawing adds."""
TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3: text against what is behind it."""
EDGE_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11: what is drawn against what is behind it."""
# Nobody makes an address of a longer text; and the punctuation that comes along when an id is copied from a sentence.
_LONGEST = 4000
_AROUND = "".join(map(chr, range(33))) + "\x7f\u00a0\"'<>“”„‘’«»"


@dataclass(frozen=True)
class BarStyle:
    """What a snippet asks for. Colours are six small hexadecimal digits; empty means the campaign's or our own."""

    theme: str = "light"
    background: str = ""
    """Empty for the theme's own paper, `none`, or a colour."""
    accent: str = ""
    lang: str = ""
    """A locale in Babel's spelling whose language we have words in; empty for the campaign's."""
    size: str = "m"
    committed: bool = False
    count: bool = False
    days: bool = False
    corners: str = "soft"

    @property
    def named(self) -> dict[str, str]:
        """As parameters of an address, from which `read_looks` reads them again; what is as ever is left out."""
        named = {
            "theme": self.theme if self.theme != "light" else "",
            "background": self.background,
            "accent": self.accent,
            "corners": self.corners if self.corners != "soft" else "",
            "size": self.size if self.size != "m" else "",
            "lang": self.lang.replace("_", "-"),
            "committed": "1" if self.committed else "",
            "count": "1" if self.count else "",
            "days": "1" if self.days else "",
        }
        return {name: value for name, value in named.items() if value}


def read_bar_style(asked: Mapping[str, str]) -> BarStyle:
    """`theme`, `background`, `accent`, `corners`, `lang`, `size`, and `committed`, `count`, `days` as `1`, from an address.

    Never raises.
    """
    return BarStyle(
        theme=_one_of(THEMES, asked.get("theme"), "light"),
        background=read_background(asked.get("background", "")),
        accent=read_colour(asked.get("accent", "")),
        lang=_read_language(asked.get("lang", "")),
        size=_one_of(SIZES, asked.get("size"), "m"),
        committed=asked.get("committed") == "1",
        count=asked.get("count") == "1",
        days=asked.get("days") == "1",
        corners=_one_of(CORNERS, asked.get("corners"), "soft"),
    )


def frame_heights(looks: BarStyle) -> tuple[int, int]:
    """How high a frame with these looks must be, in pixels: as it is, and where it is narrower than NARROW."""
    others = looks.count or looks.days
    # What is committed is a whole sentence: with anything beside it, it may take a line of its own.
    lines = int(looks.committed) + int(others)
    (wide, narrow), notes = HEIGHTS[looks.size], lines * NOTES_HEIGHT[looks.size]
    return wide + notes, narrow + notes


def read_month(asked: str | None) -> Month | None:
    """`2021-05` as a month. None where none is asked for; raises ValueError where it is none."""
    return parse_month(asked) if asked else None


def tidy(text: str, most: int) -> str:
    """An article's id or a place's name as used in addresses and in Stripe's metadata, up to this length.

    Letters and digits of every script stay. What is too long, or has other characters, is shortened and ends with a
    mark calculated from all of it: different articles stay different, and one article always gets the same name. Tidy
    names stay as they are.
    """
    text = unicodedata.normalize("NFC", text[:_LONGEST]).strip(_AROUND)
    kept = "".join(letter for letter in text if letter in "-_.~/" or unicodedata.category(letter)[0] in "LMN")
    if kept == text and len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    mark = "~" + base64.b32encode(digest[:5]).decode().lower()
    return kept[: most - len(mark)] + mark


def read_source(asked: Mapping[str, str]) -> dict[str, str]:
    """`src`, the article, and `pos`, the place on it, from an address: both are there, and may be empty. Never raises.

    A link without `src` counts for its `utm_source`, if a newsletter or advertising system has added one.
    """
    source = tidy(asked.get("src", ""), 64) or tidy(asked.get("utm_source", ""), 64)
    return {"src": source, "pos": tidy(asked.get("pos", ""), 20)}


def read_background(text: str) -> str:
    """`none`, or a colour; anything else is the theme's own paper."""
    return NONE if text == NONE else read_colour(text)


def read_colour(text: str) -> str:
    """`#1C4F82` or `1c4f82` as `1c4f82`; anything else is not a colour and gives nothing."""
    match = re.fullmatch(r"#?([0-9a-fA-F]{6})", text)
    return match[1].lower() if match else ""


def _one_of(known: tuple[str, ...], asked: str | None, default: str) -> str:
    return asked if asked in known else default


def _read_language(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4}){0,2}", text):
        return ""
    try:
        locale = check_locale(text)
    except ValueError:
        return ""
    # A language without words of ours would be half in English.
    return locale if has_words(locale) else ""


# --- Colours ----------------------------------------------------------------------------------------------------------


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(accent: str) -> str:
    """Black or white, whichever is read better on that colour. One of the two always has a contrast of 4.5."""
    return max(("ffffff", "000000"), key=lambda ink: contrast(ink, accent))


def check_accent(text: str) -> str:
    """A newsroom's accent as six hexadecimal digits, or nothing for ours. Raises ValueError with a sentence."""
    if not text.strip():
        return ""
    accent = read_colour(text.strip())
    if not accent:
        raise Refusal("“%(text)s” is not a colour. Write it as #1c4f82.", text=text.strip()[:20])
    found = contrast(accent, PAPER["light"])
    if found < EDGE_CONTRAST:
        raise Refusal(
            "%(colour)s is too light: on white paper its contrast is %(contrast)s, and it needs at least %(least)s for"
            " everybody to see it. Choose a darker one.",
            colour=f"#{accent}",
            # Cut and not rounded: 2.99 is not enough, and must not read as if it were.
            contrast=f"{floor(found * 10) / 10:.1f}",
            least=f"{EDGE_CONTRAST:.0f}",
        )
    return accent


def check_background(text: str) -> str:
    """A page's own colour as six hexadecimal digits, `none`, or nothing for ours. Raises ValueError with a sentence."""
    background = read_background(text.strip().lower())
    if text.strip() and not background:
        raise Refusal("“%(text)s” is not a colour. Write it as #fff1e5.", text=text.strip()[:20])
    return background


def accent_in(theme: str, accent: str, least: float = EDGE_CONTRAST) -> str:
    """The accent as it is drawn on light or dark paper: on dark, brightened until its contrast is at least that."""
    return seen_on(PAPER[theme], accent, least) if accent else ACCENT[theme]


def seen_on(paper: str, colour: str, least: float) -> str:
    """A colour that has at least that contrast on a paper, or as much as there can be: towards black or white, step by step."""
    end = 0 if is_light(paper) else 255
    parts = [int(colour[at : at + 2], 16) for at in (0, 2, 4)]
    for step in range(21):
        colour = "".join(f"{round(part + (end - part) * step / 20):02x}" for part in parts)
        if contrast(colour, paper) >= least:
            break
    return colour


def is_light(paper: str) -> bool:
    """Whether black words are easier to read on it than white ones. One of the two always has a contrast of 4.5."""
    return ink_on(paper) == "000000"
