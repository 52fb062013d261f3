"""From SVG to PNG: which words our fonts can draw, and one drawing at a time in a process of its own."""

import re
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import structlog
from werkzeug.exceptions import ServiceUnavailable

from tracker.paths import STATIC

log = structlog.get_logger()

FONTS = STATIC / "fonts"
# The renderer looks for a character in one font alone, so writing from right to left has a font with all of its own.
FAMILIES = {"ltr": ("Pledgebar Serif", "Pledgebar Sans"), "rtl": ("Pledgebar RTL", "Pledgebar RTL")}
FILES = {"ltr": ("serif-600.ttf", "sans-400.ttf", "sans-600.ttf"), "rtl": ("rtl-500.ttf",)}

# Resvg holds Python's lock while it draws, so it draws in another process: no reader of the bar waits for a picture.
RENDERER = Path(__file__).with_name("png_process.py")
DRAWING_SECONDS = 10
# Strangers can ask for any accent: one drawing at a time, so many who wait for theirs, and the others come again.
MOST_WAITING = 8
WAITING_SECONDS = 3
MOST_DRAWN = 200

_queue = threading.BoundedSemaphore(MOST_WAITING)
_turn = threading.Lock()
_drawn: dict[tuple[str, int], bytes] = {}


def png(svg: str, zoom: int, direction: str) -> bytes:
    """The SVG drawn at `zoom` times its size, with the fonts for words that run in this direction.

    The same picture is drawn once, however many addresses it has. Raises ServiceUnavailable (503, with Retry-After)
    when too many others are waiting for theirs.
    """
    if picture := _drawn.get((svg, zoom)):
        return picture
    if not _queue.acquire(blocking=False):
        raise ServiceUnavailable(retry_after=WAITING_SECONDS)
    try:
        if not _turn.acquire(timeout=WAITING_SECONDS):
            raise ServiceUnavailable(retry_after=WAITING_SECONDS)
        try:
            # Somebody before us in the queue may have wanted the same one.
            picture = _drawn.get((svg, zoom)) or _draw(svg, zoom, direction)
            if len(_drawn) >= MOST_DRAWN:
                _drawn.clear()
            _drawn[svg, zoom] = picture
            return picture
        finally:
            _turn.release()
    finally:
        _queue.release()


def _draw(svg: str, zoom: int, direction: str) -> bytes:
    fonts = [str(FONTS / name) for name in FILES[direction]]
    # -I: nothing from the folder or the environment that the server was started in.
    command = [sys.executable, "-I", str(RENDERER), str(zoom), *FAMILIES[direction], *fonts]
    try:
        done = subprocess.run(command, input=svg.encode(), capture_output=True, timeout=DRAWING_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or b""
        log.error("picture.failed", error=type(error).__name__, words=words[-500:].decode("utf-8", "replace"))
        raise ServiceUnavailable(retry_after=60) from error
    return done.stdout


# --- Words ------------------------------------------------------------------------------------------------------------


def _characters() -> dict[str, re.Pattern[str]]:
    """What the fonts cannot draw, for each direction; the fonts' characters stand beside them."""
    found = {}
    for line in (FONTS / "characters.txt").read_text(encoding="ascii").splitlines():
        direction, *ranges = line.split()
        ends = [one.partition("-") for one in ranges]
        known = "".join(f"\\u{first}-\\u{last or first}" for first, _, last in ends)
        found[direction] = re.compile(f"[^{known}]")
    return found


_UNKNOWN = _characters()
# Marks that steer the direction of writing are obeyed, not drawn.
_STEERING = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def can_draw(words: str, direction: str) -> bool:
    """Whether our fonts have every character of it."""
    return not _UNKNOWN[direction].search(words.translate(_STEERING))


def drawable(words: str, direction: str) -> str:
    """The words without what our fonts cannot draw: a title's emoji, say."""
    composed = unicodedata.normalize("NFC", words)
    return " ".join(_UNKNOWN[direction].sub(" ", composed.translate(_STEERING)).split())


def for_xml(words: str) -> str:
    """The words without the characters that no XML may hold."""
    return re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", words)


def width(words: str, size: float) -> float:
    """About how many units the words take in a common sans of that size, on the generous side."""
    return size * sum(_share(letter) for letter in words)


def _share(letter: str) -> float:
    if unicodedata.category(letter) in ("Mn", "Cf"):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1
    if letter in " .,:;'’|!()iIjlftr·\u00a0\u202f":
        return 0.31
    return 0.9 if letter in "mwMW%@—ШЩЖЮшщжюмфМФ" else 0.68 if letter.isupper() else 0.56


def lines(words: str, size: float, room: float, most: int) -> list[str]:
    """The words in at most so many lines of `room` units; what does not fit is cut off behind a word, with an ellipsis."""
    made: list[str] = []
    for word in words.split():
        longer = f"{made[-1]} {word}" if made else word
        if made and width(longer, size) <= room:
            made[-1] = longer
        elif len(made) < most:
            made.append(word)
        else:
            made[-1] += " …"
            break
    return [_cut(line, size, room) for line in made]


def _cut(line: str, size: float, room: float) -> str:
    while width(line, size) > room:
        line = line.removesuffix("…").rstrip()
        line = (line.rpartition(" ")[0] + " …") if " " in line else line[:-1] + "…"
    return line
