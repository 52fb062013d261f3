"""What a page really looks like, from its pixels: whether its words can be read and its controls be seen."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tracker.giving.bar_style import EDGE_CONTRAST, TEXT_CONTRAST

# So many pixels of a page are looked at: what is below is made like what is above.
HIGH = 2600

# What is to be looked at, as text in its colour and as controls with their edges, wherever in the page it is.
SEEN = """HIGH => {
    const found = [], page = document.documentElement, [wide, high] = [page.clientWidth, Math.min(page.scrollHeight, HIGH)];
    const box = at => ({x: at.x + scrollX, y: at.y + scrollY, width: at.width, height: at.height});
    const isSeen = (at, style) => style.visibility === "visible" && at.width > 3 && at.height > 3
        && at.x >= 0 && at.y >= 0 && at.x + at.width <= wide + 1 && at.y + at.height <= high + 1;
    const CONTROLS = "a.support, .press, .button, button, input, textarea, select, .frequency label, .amounts label";
    const NONE = ".unseen, .hidden, .quiet, [type=radio], [type=checkbox]";
    const NO_WORDS = "style, script, select, noscript, .unseen, .hidden";
    const walk = root => {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode, words = text.data.trim(), of = text.parentElement, range = document.createRange();
            if (!words || !of || of.closest(NO_WORDS)) continue;
            range.selectNodeContents(text);
            const at = box(range.getClientRects()[0] || {width: 0, height: 0, x: 0, y: 0}), style = getComputedStyle(of);
            const colour = of instanceof SVGElement ? style.fill : style.color;
            if (isSeen(at, style)) found.push({kind: "text", words: words.slice(0, 30), at, colour});
        }
        for (const of of root.querySelectorAll("*")) {
            if (of.shadowRoot) walk(of.shadowRoot);
            const style = getComputedStyle(of), at = box(of.getBoundingClientRect());
            if (!of.matches(CONTROLS) || of.matches(NONE) || !isSeen(at, style)) continue;
            const words = (of.innerText || of.name || of.id || of.className).trim().slice(0, 30);
            const edge = parseFloat(style.borderTopWidth) && style.borderTopStyle !== "none" ? style.borderTopColor : "";
            found.push({kind: "control", words, at, edge});
        }
        for (const fill of root.querySelectorAll("svg .fill"))
            found.push({kind: "fill", words: "the fill", at: box(fill.getBoundingClientRect())});
    };
    walk(document);
    return found;
}"""

# For each of these the colour that most of it has, and the colour that most of what is around it has.
PAINTED = """async ([picture, found]) => {
    const image = new Image();
    image.src = "data:image/png;base64," + picture;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const pen = canvas.getContext("2d", {willReadFrequently: true});
    pen.drawImage(image, 0, 0);
    const channel = one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
    const contrast = (one, other) => {
        const [dark, bright] = [light(one), light(other)].sort((x, y) => x - y);
        return (bright + 0.05) / (dark + 0.05);
    };
    const most = ({x, y, width, height}, beyond) => {
        const [left, top] = [Math.max(0, Math.round(x - beyond)), Math.max(0, Math.round(y - beyond))];
        const right = Math.min(canvas.width, Math.round(x + width + beyond));
        const bottom = Math.min(canvas.height, Math.round(y + height + beyond));
        if (right <= left || bottom <= top) return null;
        const data = pen.getImageData(left, top, right - left, bottom - top).data, counts = new Map();
        for (let at = 0; at < data.length; at += 4) {
            const across = left + at / 4 % (right - left), down = top + Math.floor(at / 4 / (right - left));
            // With `beyond` the frame around it alone, and two pixels off, for what is blurred.
            const inside = across >= x - 2 && across <= x + width + 2 && down >= y - 2 && down <= y + height + 2;
            if (beyond && inside) continue;
            const colour = data[at] << 16 | data[at + 1] << 8 | data[at + 2];
            counts.set(colour, (counts.get(colour) || 0) + 1);
        }
        const [colour] = [...counts].sort((one, other) => other[1] - one[1])[0];
        return [colour >> 16, colour >> 8 & 255, colour & 255];
    };
    const looked = found.map(one => ({...one, paper: most(one.at, 0), around: most(one.at, 6)}));
    const read = colour => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    return looked.filter(one => one.paper && one.around).map(one => ({...one,
        reads: one.colour ? contrast(read(one.colour), one.paper) : 0,
        standsOut: Math.max(contrast(one.paper, one.around), one.edge ? contrast(read(one.edge), one.around) : 0)}));
}"""


def looked_at(page: Page, blank: Page) -> list[dict[str, Any]]:
    """Everything on a page that is to be read or pressed, as it is painted; `blank` is a page to read pixels on."""
    found = page.evaluate(SEEN, HIGH)
    whole = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    part = {"x": 0, "y": 0, "width": whole[0], "height": min(whole[1], HIGH)}
    return painted(blank, b64encode(page.screenshot(full_page=True, clip=part)).decode(), found)  # type: ignore[arg-type]


def painted(blank: Page, picture: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What SEEN has found, with its colours on a picture of the page: a PNG in base64."""
    return list(blank.evaluate(PAINTED, [picture, found]))


def not_seen(looked: list[dict[str, Any]], of: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[str]:
    """What cannot be read, or not be told from the paper, in words."""
    faults = []
    for one in filter(of, looked):
        where = f"{one['kind']} “{one['words']}”"
        if one["kind"] == "text" and one["reads"] < TEXT_CONTRAST:
            faults.append(f"{where} has a contrast of {one['reads']:.1f} to {one['paper']}")
        elif one["kind"] in ("control", "fill") and one["standsOut"] < EDGE_CONTRAST:
            faults.append(f"{where} stands out from {one['around']} by {one['standsOut']:.1f}")
    return faults
