"""How much room the bar's words take with whatever font a reader has, and so how small they must be to fit.

A frame has no script that could measure, and nobody here knows a reader's fonts. So every width is that of the widest
font in common use, DejaVu, and what is too long for that is set smaller.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from tracker.giving.bar import Bar
from tracker.giving.bar_style import NARROW, BarStyle

# What a letter takes in parts of its size: of the words, and of the amount and the button, which are bold.
_WIDTHS = {
    "thin": (0.34, 0.40),
    "slim": (0.42, 0.53),
    "figure": (0.64, 0.70),
    "small": (0.67, 0.77),
    "large": (0.80, 0.95),
    "wide": (1.08, 1.31),
}
_THIN, _SLIM, _FIGURES, _WIDE = " \u00a0\u202f.,:·'’|ijlı", "ftrI()-–İІΙ", "$£₺₽", "mwMW%@—ШЩЖЮФшщжюмф₪₴"

EDGES = 2
"""The bar stands a pixel off each side of its frame."""
GAP = 16
"""Between the amount and what stands beside it, in pixels."""
NOTES = 13
"""The size of the small words under the drawing, in pixels."""
LEAST = 1.2
"""So many times as large as its words an amount is at least: it becomes smaller first, and then both do."""
# For frames that are narrower than this no rule is sent to readers.
_NARROWEST = 240


@dataclass(frozen=True)
class Type:
    """How the words of a size are set, in pixels; the amount as so many times its words."""

    words: int
    amount: float
    button: int
    padding: int
    pause: int
    pause_lines: int
    scale: int


# The style sheets say the same.
TYPES = {
    "s": Type(words=13, amount=1.54, button=14, padding=14, pause=12, pause_lines=2, scale=12),
    "m": Type(words=15, amount=1.75, button=15, padding=20, pause=13, pause_lines=3, scale=12),
    "l": Type(words=18, amount=2.22, button=18, padding=24, pause=15, pause_lines=3, scale=14),
}


@dataclass(frozen=True)
class Line:
    """How wide a line is: so many times its size, and so many pixels at most by which a system rounds its letters up."""

    ems: float = 0
    rounding: int = 0

    def __add__(self, other: "Line") -> "Line":
        return Line(self.ems + other.ems, self.rounding + other.rounding)

    def __mul__(self, times: float) -> "Line":
        return Line(self.ems * times, self.rounding)

    def at(self, size: float) -> float:
        """Its width in pixels."""
        return self.ems * size + self.rounding


@dataclass(frozen=True)
class TextWidths:
    """What a bar's words take. All but the lines is in pixels."""

    type: Type
    """How the bar's words are set."""
    amount: Line
    towards: Line
    """What follows the amount in its line, with the space between."""
    notes: Line
    """The longest line of small words where the bar is narrow."""
    notes_wide: Line
    """The longest where it is not."""
    beside: int
    """What stands beside the amount where the bar is not narrow, with the gap before it."""
    pause: int
    """The words in the button's place, in as many lines as there is room for; 0 if there are none."""
    half: int
    """How wide the bar must be for the half's words to stand between the zero's and the goal's."""

    def as_style(self) -> str:
        """Rules for a frame, by which each line is smaller where it would not fit."""
        rules = [
            *self._sum(EDGES, 0, NARROW - 1),
            *self._sum(EDGES + self.beside, NARROW, 9999),
            *self._small_words(),
            f"@media(min-width:{NARROW}px){{.pause{{width:{self.pause}px}}}}" if self.pause else "",
            f"@media(max-width:{self.half - 1}px){{.half{{display:none}}}}" if self.half > _NARROWEST else "",
        ]
        return "".join(rules)

    def _small_words(self) -> list[str]:
        narrow, wide = (line.at(NOTES) + EDGES for line in (self.notes, self.notes_wide))
        if self.notes == self.notes_wide:
            return [_smaller(0, narrow, ".bar .notes", EDGES, self.notes)]
        return [
            _smaller(NARROW, wide, ".bar .notes", EDGES, self.notes_wide),
            _smaller(0, min(narrow, NARROW - 1), ".bar .notes", EDGES, self.notes),
        ]

    def _sum(self, taken: int, least: int, most: int) -> tuple[str, str]:
        """The rules for the amount and the goal in frames from `least` to `most` pixels wide, `taken` by other things."""
        words, both = self.type.words, self.towards + self.amount * LEAST
        but_amount = taken + self.towards.at(words)
        whole = but_amount + self.amount.at(words * self.type.amount)
        smallest = taken + both.at(words)
        return (
            _smaller(least, min(whole, most), ".bar strong", but_amount, self.amount),
            _smaller(least, min(smallest, most), ".bar .sum", taken, both, f".bar strong{{font-size:{LEAST:g}em}}"),
        )

    def as_json(self) -> dict[str, object]:
        """The same for the element, which works it out for the room that it has."""
        lines = {"amount": self.amount, "towards": self.towards, "notes": self.notes_wide}
        return {name: [one.ems, one.rounding] for name, one in lines.items()} | {
            # Where the bar is not narrow, and where it is.
            "lines": [[one.ems, one.rounding] for one in (self.notes_wide, self.notes)],
            "words": self.type.words,
            "times": self.type.amount,
            "beside": self.beside,
            "pause": self.pause,
            "half": self.half,
        }


def _smaller(least: int, needed: float, what: str, taken: float, words: Line, more: str = "") -> str:
    """The rule for frames from `least` to `needed` pixels wide, `taken` of them by other things; empty if there are none."""
    if needed <= max(least, _NARROWEST):
        return ""
    where = f"(min-width:{least}px) and " * bool(least) + f"(max-width:{ceil(needed)}px)"
    return f"@media{where}{{{what}{{font-size:calc((100vw - {taken + words.rounding:g}px)/{words.ems:g})}}{more}}}"


def text_widths(bar: Bar, looks: BarStyle, notes: Iterable[str]) -> TextWidths:
    """The room that a bar needs with these looks and these lines of small words."""
    of = TYPES[looks.size]
    pause = ceil(_column(bar.pause, of.pause_lines).at(of.pause)) if bar.pause else 0
    button = ceil(line(bar.support, bold=True).at(of.button)) + 2 * of.padding
    amount, towards = line(bar.raised, bold=True), line(f" {bar.towards}")
    # With the dot before the next one.
    lines = [line(f"{one} ·") for one in notes]
    longest, longest_wide = (
        max((*lines, line(f"{match} ·" if match else "")), key=lambda one: one.at(NOTES))
        for match in (bar.doubled_short, bar.doubled)
    )
    return TextWidths(of, amount, towards, longest, longest_wide, GAP + (pause or button), pause, _half(bar, of.scale))


def _half(bar: Bar, size: int) -> int:
    """How wide a bar must be for all three words of its scale, in pixels; 0 where it has none."""
    if not bar.shown.goal or bar.match:
        return 0
    zero, half, goal = (line(words).at(size) for words in bar.scale)
    half_at, goal_at = bar.shown.half_at, bar.shown.goal_at
    # The goal's words end at the bar's end or, where the bar goes on, stand in the middle of its mark.
    end, reach = (1.0, goal) if goal_at > 0.9 else (goal_at, goal / 2)
    return ceil(max((zero + half / 2 + GAP / 2) / half_at, (half / 2 + reach + GAP / 2) / (end - half_at))) + EDGES


def line(words: str, *, bold: bool = False) -> Line:
    """How wide words are in the widest common font. Systems that set letters on whole pixels add half a pixel to each, or more."""
    kinds = [kind for letter in words if (kind := _kind(letter))]
    return Line(ceil(sum(10 * _WIDTHS[kind][bold] for kind in kinds)) / 10, ceil(len(kinds) * 0.6))


def _kind(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in ("Mn", "Me", "Cf"):
        return ""
    for kind, letters in (("thin", _THIN), ("slim", _SLIM), ("figure", _FIGURES), ("wide", _WIDE)):
        if letter in letters:
            return kind
    if unicodedata.east_asian_width(letter) in "WF":
        return "wide"
    # Writing without capitals has letters of all widths.
    return {"Lu": "large", "Lo": "large", "Nd": "figure"}.get(category, "small")


def _column(words: str, lines: int) -> Line:
    """The narrowest column in which words take no more than so many lines."""
    parts = [line(word) for word in words.split()]
    ends = range(1, len(parts) + 1)
    runs = [
        sum(parts[start + 1 : end], parts[start]) + line(" ") * (end - start - 1)
        for end in ends
        for start in range(end)
    ]
    widest = max(part.ems for part in parts)
    fits = (run for run in runs if run.ems >= widest and _lines(parts, run.ems) <= lines)
    return min(fits, key=lambda run: run.ems)


def _lines(parts: list[Line], width: float) -> int:
    lines, taken = 1, 0.0
    for part in parts:
        longer = taken + line(" ").ems + part.ems if taken else part.ems
        if taken and longer > width:
            lines, longer = lines + 1, part.ems
        taken = longer
    return lines
