"""A browser of some years ago, as far as Chromium can be made one: without the CSS and the JavaScript that came since 2017.

Style sheets are read as such a browser reads them: a rule, a declaration or a block that it does not know is not there.
"""

import re
from collections.abc import Callable
from typing import Any

import tinycss2
from playwright.sync_api import BrowserContext, Route

FUNCTIONS = {"light-dark", "min", "max", "clamp", "color-mix"}
UNITS = {"cqw", "cqh", "cqi", "cqb", "dvh", "svh", "lvh", "dvw"}
SELECTORS = re.compile(r":(has|is|where)\(|:focus-visible|:not\([^)]*[ ,:]|&")
# Also what has come under another name: the older one is still read. Not color-scheme, which came years before light-dark():
# a browser that knows the one and not the other makes the paper black and leaves the words black, too.
PROPERTIES = re.compile(
    r"gap|row-gap|column-gap|inset.*|zoom|(margin|padding|border)-(inline|block).*|container.*|accent-color"
    r"|forced-color-adjust|clip-path|text-wrap|text-underline-offset|aspect-ratio"
)
VALUES = {("overflow", "clip"), ("display", "contents"), ("overflow-wrap", "anywhere"), ("width", "fit-content")}
CONDITIONS = re.compile(r"forced-colors|range|[<>]")

# In the order in which a page meets them.
WITHOUT = """
Object.defineProperty(window, "CSSStyleSheet", {value: function () { throw new TypeError("Illegal constructor"); }});
for (const one of [Document, ShadowRoot]) delete one.prototype.adoptedStyleSheets;
delete CSS.supports;
delete window.ResizeObserver;
delete window.IntersectionObserver;
delete Element.prototype.ariaLabel;
delete Element.prototype.replaceChildren;
delete Array.prototype.at;
delete Array.prototype.flat;
delete Object.fromEntries;
delete String.prototype.replaceAll;
"""


def read_as_old(css: str) -> str:
    """A style sheet without what an old browser would not understand of it."""
    return "".join(_kept(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)))


def _kept(rules: list[Any]) -> list[str]:
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selector = tinycss2.serialize(rule.prelude)
            if not SELECTORS.search(selector):
                kept.append(f"{selector}{{{declarations(rule.content)}}}")
        elif rule.type == "at-rule" and rule.at_keyword == "media":
            condition = tinycss2.serialize(rule.prelude)
            if not CONDITIONS.search(condition):
                inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                kept.append(f"@media{condition}{{{''.join(_kept(inside))}}}")
    return kept


def declarations(content: Any) -> str:
    """Declarations without those that an old browser drops, and without the rules that are nested between them."""
    found = tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
    return ";".join(filter(None, map(_declaration, found)))


def _declaration(one: Any) -> str:
    if one.type != "declaration":
        return ""
    if one.name.startswith("--"):
        # Anything may stand in a variable. What an old browser does not know shows where the variable is used.
        return f"{one.name}:{'never(known)' if _is_newer(one.value) else tinycss2.serialize(one.value)}"
    words = {(one.lower_name, token.lower_value) for token in one.value if token.type == "ident"}
    is_dropped = PROPERTIES.fullmatch(one.lower_name) or words & VALUES or _is_newer(one.value)
    return "" if is_dropped else str(one.serialize())


def _is_newer(tokens: Any) -> bool:
    for token in tokens:
        if token.type == "function" and (token.lower_name in FUNCTIONS or _is_newer(token.arguments)):
            return True
        if token.type == "dimension" and token.lower_unit in UNITS:
            return True
    return False


def grow_old(context: BrowserContext) -> None:
    """From now on this context is an old browser. It must have been made with `bypass_csp`, since styles are rewritten."""
    context.add_init_script(WITHOUT)
    context.route("**/*", _rewritten)


def _rewritten(route: Route) -> None:
    if route.request.method != "GET" or route.request.resource_type not in ("document", "stylesheet", "script"):
        route.continue_()
        return
    answer = route.fetch(max_redirects=0)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    rewrite = {
        "text/css": read_as_old,
        "text/html": _old_html,
        "text/javascript": _old_script,
    }.get(kind)
    if rewrite is None or 300 <= answer.status < 400:
        route.continue_()
        return
    route.fulfill(response=answer, body=rewrite(answer.text()))


def _old_html(html: str) -> str:
    html = re.sub(r"(<style>)(.*?)(</style>)", _within(read_as_old), html, flags=re.DOTALL)
    return re.sub(r'( style=")([^"]*)(")', _within(declarations), html)


def _old_script(script: str) -> str:
    """The element has its style sheet in a template literal."""
    return re.sub(r"(const STYLE = `)([^`]*)(`;)", _within(read_as_old), script)


def _within(rewrite: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    return lambda match: match[1] + rewrite(match[2]) + match[3]
