"""The snippets that a newsroom pastes: one for each carrier of the bar, as HTML or as addresses."""

from dataclasses import dataclass, replace
from html import escape as escaped
from urllib.parse import quote, urlsplit

from tracker.giving.bar import Bar
from tracker.giving.bar_style import NARROW, NONE, SIZES, BarStyle, frame_heights
from tracker.giving.bar_words import say
from tracker.web.embed.svg_layout import MAIL_MARGIN, sheet_for, shown_width

SCHEMES = {"light": "light", "dark": "dark", "auto": "light dark"}
SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"


# A page of this width has margins of 16 px, and a bar that is no narrower than NARROW between them.
NARROW_PAGE = NARROW + 32
# What a page's Content-Security-Policy must let in for each carrier, all of it from our own address.
NEEDS = {"frame": ("frame-src",), "element": ("script-src", "connect-src"), "picture": ("img-src",)}
WIDEST = 640
"""How wide a frame becomes, in pixels: a site's own unit of type would make it as many times smaller as its letters are."""
WALL_HEIGHT = 480
# The page that the bar is on is nobody's business here: `src` names the article, and nothing else is read.
NO_REFERRER = 'referrerpolicy="no-referrer"'


def _safe(text: str) -> str:
    """Text for between double quotes, or between tags."""
    return escaped(text, quote=False).replace('"', "&quot;")


@dataclass(frozen=True)
class Choices:
    """How the bar looks, the article (`src`) it is for, and the place on it, `top` or `bottom`."""

    looks: BarStyle
    src: str = ""
    pos: str = "top"

    @property
    def looks_query(self) -> str:
        """The looks as part of an address, without those that are the default."""
        return "&".join(f"{name}={value}" for name, value in self.looks.named.items())

    def source_query(self, pos: str = "") -> str:
        return "&".join([f"src={quote(self.src)}"] * bool(self.src) + [f"pos={pos or self.pos}"])

    def query(self, pos: str = "") -> str:
        return "&".join(part for part in (self.looks_query, self.source_query(pos)) if part)


@dataclass(frozen=True)
class Picture:
    """One size of the picture, and how large it is shown, in pixels."""

    address: str
    width: int
    height: int

    @property
    def room(self) -> str:
        """A box that keeps its space while the frame loads."""
        return f'width="{self.width}" height="{self.height}"'


@dataclass(frozen=True)
class Snippets:
    """Every snippet of a bar. All addresses begin with `public_url`; `bar` is in the readers' language."""

    bar: Bar
    choices: Choices
    public_url: str

    def frame(self, pos: str) -> str:
        """The plain frame. Its height follows the room it gets; where styles are forbidden it is small and high enough.

        The box around it has no width of its own: systems that keep an article's parts in a column apply that to the
        box.
        """
        wide, narrow = frame_heights(self.choices.looks)
        height = f"clamp({wide}px,({NARROW}px - 100cqw)*999,{narrow}px)"
        scheme = SCHEMES[self.choices.looks.theme]
        return (
            f'<div style="container-type:inline-size">\n'
            f'<iframe src="{_safe(self._embed("", self.choices.query(pos)))}"\n'
            f'  title="{_safe(self._title(pos))}"\n'
            f'  height="{narrow}" loading="lazy" {NO_REFERRER}\n'
            f'  style="border:0;display:block;width:100%;max-width:{WIDEST}px;height:{height};color-scheme:{scheme}"></iframe>\n'
            f"</div>"
        )

    def page_address(self) -> str:
        return f"{self.public_url}/c/{self.bar.campaign.slug}?{self.choices.query()}"

    def element(self) -> str:
        """The element with its link. Its style keeps the room that the numbers will need, so that nothing moves."""
        wide, narrow = frame_heights(self.choices.looks)
        height = f"clamp({wide}px,({NARROW_PAGE}px - 100vw)*999,{narrow}px)"
        return (
            f'<pledge-bar src="{_safe(self._embed("", self.choices.query()))}"\n'
            f'  style="display:block;min-height:{height}">\n'
            f'  <a href="{_safe(self._go())}" {NO_REFERRER}>{_safe(self.bar.support)}</a>\n'
            f"</pledge-bar>\n"
            f'<script src="{_safe(self.public_url)}/embed/bar.js" {NO_REFERRER} async></script>'
        )

    def picture_width(self) -> int:
        return shown_width(self.choices.looks.size)

    def picture(self, kind: str) -> str:
        """A linked picture: `png` for letters and feeds, `svg` for strict sites.

        Phones, and programs that take only one picture, get the small one, whose words can still be read there. It is
        in a paragraph, since some systems place a picture on its own outside the article's column.
        """
        *larger, small = self._pictures(kind)
        sources = [
            f'  <source media="(min-width: {one.width}px)" srcset="{_safe(one.address)}" {one.room}>' for one in larger
        ]
        lazy, border = ("", ";border:0") if kind == "png" else ('loading="lazy" ', "")
        lines = [
            f'<p><a href="{_safe(self._go(kind))}" {NO_REFERRER}>' + "<picture>" * bool(larger),
            *sources,
            f'  <img src="{_safe(small.address)}" {NO_REFERRER}',
            f'  {small.room} {lazy}style="max-width:100%;height:auto{border}"',
            f'  alt="{self._alt}">' + "</picture>" * bool(larger) + "</a></p>",
        ]
        return "\n".join(lines)

    def amp(self) -> str:
        """The same by the rules of AMP pages: a picture for each size of window, which loads only where it is for that."""
        *larger, small = self._pictures("svg")
        lines = [f'<p><a href="{_safe(self._go())}" rel="noreferrer">']
        most = ""
        for one in (*larger, small):
            least = f"(min-width: {one.width}px)" if one is not small else ""
            media = " and ".join(part for part in (least, most) if part)
            said = f'media="{media}" ' if media else ""
            lines.append(
                f'  <amp-img {said}layout="intrinsic" {one.room}\n'
                f'    src="{_safe(one.address)}" alt="{self._alt}"></amp-img>'
            )
            most = f"(max-width: {one.width - 1}px)"
        return "\n".join([*lines, "</a></p>"])

    def _pictures(self, kind: str) -> list[Picture]:
        """The picture as it is chosen, and smaller ones for smaller windows."""
        looks, mail = self.choices.looks, kind == "png"
        if mail and looks.background == NONE:
            looks = replace(looks, background="")
        found = []
        for size in SIZES[SIZES.index(looks.size) :: -1]:
            this = replace(looks, size=size)
            sheet = sheet_for(self.bar, this, margin=MAIL_MARGIN) if mail else sheet_for(self.bar, this)
            query = [
                replace(self.choices, looks=this).looks_query,
                "mail=1&scale=2" if mail else "",
                self._source(kind),
            ]
            address = self._embed(f".{kind}", "&".join(part for part in query if part))
            found.append(Picture(address, shown_width(size), round(sheet.height * sheet.zoom)))
        return found

    @property
    def _alt(self) -> str:
        return _safe(f"{self.bar.support}. {self.bar.sentence}")

    def _source(self, kind: str) -> str:
        # An e-mail has no top and bottom, and is not an article unless somebody says so.
        return f"src={quote(self.choices.src or 'newsletter')}" if kind == "png" else self.choices.source_query()

    def policy(self, carrier: str) -> str:
        """What a site's Content-Security-Policy must have for a carrier: `frame-src https://give.example.org`."""
        parts = urlsplit(self.public_url)
        return "; ".join(f"{directive} {parts.scheme}://{parts.netloc}" for directive in NEEDS[carrier])

    def wall(self) -> str:
        """The supporters' wall: a frame that scrolls where the names are higher than it."""
        return (
            f'<iframe src="{_safe(self._embed("/wall", self.choices.query()))}"\n'
            f'  title="{_safe(self.bar.campaign.title)}: {_safe(say(self.bar.speaks, "From supporters"))}"\n'
            f'  height="{WALL_HEIGHT}" loading="lazy" {NO_REFERRER}\n'
            f'  style="border:0;display:block;width:100%;max-width:{WIDEST}px;'
            f'color-scheme:{SCHEMES[self.choices.looks.theme]}"></iframe>'
        )

    def json_address(self) -> str:
        return self._embed(".json", "")

    def text_address(self) -> str:
        lang = self.choices.looks.lang.replace("_", "-")
        notes = [
            part for part in self.choices.looks_query.split("&") if part.startswith(("committed", "count", "days"))
        ]
        return self._embed(".txt", "&".join(([f"lang={lang}"] if lang else []) + notes))

    def qr_address(self, kind: str) -> str:
        return f"{self.public_url}/embed/{self.bar.campaign.slug}/qr.{kind}"

    def _title(self, pos: str) -> str:
        """Two frames on one page need two names, in the readers' language: figures where it is not English."""
        if self.bar.speaks.startswith("en"):
            return f"{self.bar.campaign.title}: this month's goal ({pos} of article)"
        return f"{self.bar.campaign.title} ({1 if pos == 'top' else 2})"

    def _embed(self, ending: str, query: str) -> str:
        return f"{self.public_url}/embed/{self.bar.campaign.slug}{ending}" + (f"?{query}" if query else "")

    def _go(self, kind: str = "") -> str:
        return f"{self.public_url}/go/{self.bar.campaign.slug}?{self._source(kind)}"
