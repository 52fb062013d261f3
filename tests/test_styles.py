"""Every style sheet says a thing in words that old browsers know before it says it in newer ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tinycss2
from browser.old_browser import FUNCTIONS, UNITS

from tracker.paths import STATIC, TEMPLATES

SELECTOR = re.compile(r":(has|is|where)\(|&")
# The element has its style sheet in its script, and the frame of nothing in its page.
SHEETS = {
    **{str(path.relative_to(STATIC)): path.read_text(encoding="utf-8") for path in sorted(STATIC.rglob("*.css"))},
    "the element": re.findall(r"= `([^`]*)`", (STATIC / "embed" / "bar.js").read_text(encoding="utf-8"))[0],
    "the frame of nothing": " ".join(
        re.findall(r"[a-z]+\{[^{}%]+\}", (TEMPLATES / "embed" / "error.html").read_text(encoding="utf-8"))
    ),
}  # fmt: skip


def faults(rules: list[Any]) -> Iterator[str]:
    """What stands in newer words alone. What is in @supports is read only by those who know it."""
    for rule in rules:
        if rule.type == "at-rule" and rule.at_keyword == "media":
            yield from faults(tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True))
        elif rule.type == "at-rule":
            if rule.at_keyword != "supports":
                yield f"@{rule.at_keyword}"
        else:
            yield from in_rule(tinycss2.serialize(rule.prelude).strip(), rule.content)


def in_rule(selector: str, content: Any) -> Iterator[str]:
    if SELECTOR.search(selector):
        yield selector
    said: set[str] = set()
    for one in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if one.type != "declaration":
            yield f"{selector}: a rule within it"
        elif not is_newer(one.value):
            said.add(one.lower_name)
        elif one.lower_name.replace("-inline", "-left") not in said:
            yield f"{selector}: {one.lower_name}"


def is_newer(tokens: Any) -> bool:
    return any(
        (token.type == "function" and (token.lower_name in FUNCTIONS or is_newer(token.arguments)))
        or (token.type == "dimension" and token.lower_unit in UNITS)
        for token in tokens
    )


@pytest.mark.parametrize("name", SHEETS)
def test_what_is_newer_stands_behind_what_it_replaces(name: str) -> None:
    rules = tinycss2.parse_stylesheet(SHEETS[name], skip_comments=True, skip_whitespace=True)
    assert not [rule for rule in rules if rule.type == "error"]
    assert list(faults(rules)) == []


def test_newer_words_alone_are_found() -> None:
    sheet = """a { color: light-dark(red, red) } b { width: 1px; width: min(1px, 2px) } c:has(d) { color: red }
        @media print { e { height: calc(1cqw + 1px) } f { --x: light-dark(red, red) } } @container (a) { g { color: red } }
        @supports (color: light-dark(red, red)) { h { color: light-dark(red, red) } } i { j { color: red } }"""
    found = list(faults(tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)))
    assert found == ["a: color", "c:has(d)", "e: height", "f: --x", "@container", "i: a rule within it"]


def test_the_colours_of_paper_and_ink_are_the_same_wherever_they_are_written() -> None:
    def read(sheet: str, which: int = 0) -> dict[str, str]:
        return dict(
            re.findall(r"--(ink|paper|quiet|accent|accent-ink): (?:var\([\w-]+, )?(#\w+)", SHEETS[sheet])[
                which : which + 5
            ]
        )

    light, dark = read("bar.css"), read("frame-dark.css")
    assert len(light) == len(dark) == 5
    assert read("the element") == light
    assert read("the element", 5) == dark
    assert read("page.css") == dark


def test_the_elements_script_has_no_grammar_that_would_stop_an_old_browser() -> None:
    """A word of it that a browser cannot read is an error on somebody's page; one that it does not have is not."""
    script = re.sub(r"(?m)`[^`]*`|\"[^\"]*\"|^\s*//.*", '""', (STATIC / "embed" / "bar.js").read_text(encoding="utf-8"))
    newer = {
        "optional chaining": r"\?\.[a-zA-Z\[(]", "a default for nothing": r"\?\?", "a private field": r"[\s.]#\w",
        "a function that waits": r"\basync\b|\bawait\b",
        "a catch without a name": r"\bcatch\s*\{", "an object's spread": r"\{\s*\.\.\.", "a logical assignment": r"(\|\||&&|\?\?)=",
        "a power": r"\*\*",
    }  # fmt: skip
    assert {name for name, pattern in newer.items() if re.search(pattern, script)} == set()
    # Within the class there are methods alone, so what stands at their depth ends with a brace.
    members = re.findall(r"^  (?! )(\S.*)$", script[script.index("class extends") :], re.MULTILINE)
    assert members
    assert {line[-1] for line in members} == {"{", "}"}


@pytest.mark.parametrize("name", ["wordpress.js", "frame.js", "ticker.js"])
def test_a_frames_scripts_have_no_newer_grammar(name: str) -> None:
    script = Path(STATIC / "embed" / name).read_text(encoding="utf-8")
    assert not re.search(r"\?\.|\?\?|\basync\b", script)
