"""Where everything stands on a picture of the bar: what a browser works out for the frame, worked out for SVG."""

from dataclasses import dataclass

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.web.embed.text_width import Line, line

SERIF = "Charter, 'Bitstream Charter', 'Sitka Text', Georgia, serif"
SANS = "system-ui, sans-serif"

WIDTHS = {"s": 320, "m": 600, "l": 600}
# A large one is the middle one with everything half as large again.
ZOOM = {"s": 1.0, "m": 1.0, "l": 1.5}
TEXT = 15
AMOUNT = 1.75
"""How much larger the amount is than the words beside it."""
GAP = 16
MAIL_MARGIN = 16
"""Around a picture in an e-mail, which has a background of its own."""
BUTTON = 44
RADIUS = {"square": 0, "soft": 3, "round": BUTTON // 2}


@dataclass(frozen=True)
class Words:
    """A line of the sentence: the amount, the rest of the words, or both."""

    y: float
    size: float
    amount: str
    rest: str


@dataclass(frozen=True)
class Mark:
    """A label of the scale."""

    x: float
    anchor: str
    words: str


@dataclass(frozen=True)
class Button:
    x: float
    y: float
    width: float
    size: float
    radius: int
    """How round its corners are."""


@dataclass(frozen=True)
class Sheet:
    """Lengths in units of the picture; `zoom` times as many points wide and high where it is shown."""

    width: int
    height: int
    zoom: float
    margin: int
    rtl: bool
    month_y: float
    month_size: float
    sum_lines: tuple[Words, ...]
    bar_y: float
    still: float
    marks: tuple[Mark, ...]
    notes: str
    notes_y: float
    notes_size: float
    button: Button | None
    serif: str = SERIF
    sans: str = SANS

    @property
    def room(self) -> int:
        return self.width - 2 * self.margin

    def at(self, part: float) -> float:
        """Where a part of the bar, 0 to 1, stands on the sheet."""
        return _at(part, self.margin, self.room, self.rtl)

    def left(self, one: float, other: float) -> float:
        """The left edge of what lies between two parts of the bar."""
        return min(self.at(one), self.at(other))


def shown_width(size: str) -> int:
    """How many pixels wide the picture is meant to be shown."""
    return int(WIDTHS[size] * ZOOM[size])


def _at(part: float, margin: int, room: int, rtl: bool) -> float:
    return margin + room * (1 - part if rtl else part)


def sheet_for(bar: Bar, looks: BarStyle, *, margin: int = 2, across: int = 0, button: bool = True) -> Sheet:
    """The sheet for a bar with these looks, `across` units wide where the size does not say it."""
    wide = across or WIDTHS[looks.size]
    room, rtl = wide - 2 * margin, bar.direction == "rtl"
    narrow = wide < 420
    shown = button and not bar.campaign.paused
    button_width = 0.0
    if shown:
        button_width = room if narrow else min(line(bar.support, bold=True).at(TEXT) + 36, room / 2)
    beside = 0 if narrow or not shown else button_width + GAP

    top = max(margin, 8)
    y = top + 10
    month_y = y
    sum_lines = _sum_lines(bar, y + 32, room - beside)
    y = sum_lines[-1].y
    bar_y = y + 16
    y = bar_y + (12 if bar.match else 31) if bar.shown.goal else y
    notes = _notes(bar, looks, room)
    notes_size = _fitting(line(notes), 12, room)
    notes_y = y + 22
    y = notes_y if notes else y
    place = None
    if shown:
        size = _fitting(line(bar.support, bold=True), TEXT, button_width - 16)
        x = margin if narrow or rtl else wide - margin - button_width
        place = Button(x, y + 14 if narrow else top + 2, button_width, size, RADIUS[looks.corners])
        y = max(y, place.y + BUTTON - 6)
    height = round(y + max(margin, 10))
    return Sheet(
        width=wide,
        # Even, so that one and a half times as much is a whole number of points.
        height=height + height % 2,
        zoom=ZOOM[looks.size],
        margin=margin,
        rtl=rtl,
        month_y=month_y,
        month_size=_fitting(line(bar.heading) + Line(0.06 * len(bar.heading)), 12, room - beside),
        sum_lines=sum_lines,
        bar_y=bar_y,
        still=bar.committed_to - bar.shown.fill if looks.committed else 0,
        marks=_marks(bar, margin, room),
        notes=notes,
        notes_y=notes_y,
        notes_size=notes_size,
        button=place,
    )


def _notes(bar: Bar, looks: BarStyle, room: float) -> str:
    """The small words in one line, and before them the match, with the name where there is room for it."""
    said = [" · ".join(one for one in (match, *bar.notes(looks)) if one) for match in (bar.doubled, bar.doubled_short)]
    return said[0] if line(said[0]).at(11) <= room else said[1]


def _sum_lines(bar: Bar, y: float, room: float) -> tuple[Words, ...]:
    """The amount and what follows it in one line, or in two where that is too long; small enough to fit in any case."""
    amount, rest = line(bar.raised, bold=True) * AMOUNT, line(bar.rest_of_sentence)
    if (amount + line(" ") * AMOUNT + rest).at(TEXT) <= room:
        return (Words(y, TEXT, bar.raised, bar.rest_of_sentence),)
    return (
        Words(y, _fitting(amount, TEXT, room), bar.raised, ""),
        Words(y + 22, _fitting(rest, TEXT, room), "", bar.rest_of_sentence),
    )


def _fitting(words: Line, size: int, room: float) -> float:
    """The size at which a line fits, no larger than `size`."""
    return size if words.at(size) <= room else (room - words.rounding) / words.ems


def _marks(bar: Bar, margin: int, room: int) -> tuple[Mark, ...]:
    """The goal, zero and the half, as far as each does not run into those before it."""
    if not bar.shown.goal or bar.match:
        return ()
    rtl, p = bar.direction == "rtl", bar.shown
    zero, half, goal = bar.scale
    made: list[Mark] = []
    taken: list[tuple[float, float]] = []
    for part, words in ((p.goal_at, goal), (0.0, zero), (p.half_at, half)):
        reach = line(words).at(12) / 2 / room
        middle = min(max(part, reach), 1 - reach)
        if any(abs(middle - other) < reach + others_reach + 8 / room for other, others_reach in taken):
            continue
        taken.append((middle, reach))
        # At the ends the label stands flush with the bar.
        end = 0.0 if middle > part else 1.0 if middle < part else None
        anchor = "middle" if end is None else "end" if (end == 1) != rtl else ""
        made.append(Mark(_at(part if end is None else end, margin, room, rtl), anchor, words))
    return tuple(made)
