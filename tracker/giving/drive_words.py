"""What the bar and the pages say of goals in people and of matches, from the catalogues."""

from collections.abc import Callable

from tracker.giving.bar_words import say, say_count
from tracker.giving.drives import Appeal

Write = Callable[[int], str]


def of_supporters(locale: str, goal: int) -> str:
    """What follows the number of supporters: `of 200 supporters`."""
    return say_count(locale, "of %(n)s supporter", "of %(n)s supporters", goal)


def doubled(locale: str, match: Appeal, write: Write) -> str:
    """`Gifts doubled: 1,240 $ of 5,000 $`."""
    return say(locale, "Gifts doubled: %(sum)s of %(cap)s", sum=write(match.matched), cap=write(match.amount))


def doubled_by(locale: str, match: Appeal, write: Write) -> str:
    """`Gifts doubled by Harbour Ltd: 1,240 $ of 5,000 $`."""
    return say(
        locale,
        "Gifts doubled by %(name)s: %(sum)s of %(cap)s",
        name=match.name,
        sum=write(match.matched),
        cap=write(match.amount),
    )


def doubled_in_full(locale: str, match: Appeal, write: Write) -> str:
    """`Gifts are doubled by Harbour Ltd until 5,000 $ is reached: 1,240 $ so far.`"""
    return say(
        locale,
        "Gifts are doubled by %(name)s until %(cap)s is reached: %(sum)s so far.",
        name=match.name,
        sum=write(match.matched),
        cap=write(match.amount),
    )
