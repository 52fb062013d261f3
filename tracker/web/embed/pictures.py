"""The bar as a picture: SVG, PNG, a card for social networks, and a QR code for print."""

import io
from dataclasses import replace

import segno
from flask import Blueprint, Response, render_template, request
from segno import QRCode

from tracker.giving.bar import Bar
from tracker.giving.bar_style import NONE, BarStyle
from tracker.ledger.store import end_reading
from tracker.web.embed import png_drawing
from tracker.web.embed.bar_views import asked_bar, colours, with_embed_headers
from tracker.web.embed.svg_layout import MAIL_MARGIN, Sheet, sheet_for
from tracker.web.gates import leave_gate
from tracker.web.headers import hash_of
from tracker.web.site import settings

bp = Blueprint("pictures", __name__)

QR_POINTS = 1000
"""So many points at least are the sides of the code as a PNG: 8 cm in print at 300 dpi."""


@bp.get("/embed/<slug>.svg")
def svg(slug: str) -> Response:
    """The bar as a picture that loads nothing, in the reader's language and with the fonts of the reader's system."""
    bar, looks = asked_bar(slug)
    return with_embed_headers(_as_svg(bar_svg(bar, looks, sheet_for(bar, looks))), bar, "svg")


@bp.get("/embed/<slug>.png")
def png(slug: str) -> Response:
    """The same picture with our own fonts; `mail=1` with its time, for what is opened at any time.

    A picture for e-mails has its own background, light unless the newsroom names another: some mail programs show
    e-mails on black.
    """
    bar, looks = asked_bar(slug)
    mail = request.args.get("mail") == "1"
    # A picture of points cannot follow the reader's setting.
    looks = replace(looks, theme="light" if mail or looks.theme == "auto" else looks.theme)
    looks = replace(looks, background="" if mail and looks.background == NONE else looks.background)
    bar = in_our_fonts(replace(bar, stale=bar.stale or mail), looks)
    sheet = sheet_for(bar, looks, margin=MAIL_MARGIN if mail else 2)
    response = _as_png(bar_svg(bar, looks, sheet), bar, 2 if request.args.get("scale") == "2" else 1)
    response = with_embed_headers(response, bar, "png")
    if mail:
        # Mail services keep pictures for all their readers for as long as they may.
        response.headers["Cache-Control"] = "no-cache, max-age=0"
    return response


@bp.get("/embed/<slug>/card.png")
def card(slug: str) -> Response:
    """What social networks and messengers show beside a link to the campaign's page."""
    bar, looks = asked_bar(slug)
    looks = BarStyle("dark" if looks.theme == "dark" else "light", accent=looks.accent, lang=looks.lang)
    bar = in_our_fonts(bar, looks)
    return with_embed_headers(_as_png(card_svg(bar, looks), bar, 1), bar, "card")


# --- Drawing ----------------------------------------------------------------------------------------------------------


def bar_svg(bar: Bar, looks: BarStyle, sheet: Sheet) -> str:
    """The bar as the source of a picture."""
    return png_drawing.for_xml(render_template("embed/bar.svg", bar=bar, sheet=sheet, style=style(bar, looks)))


def card_svg(bar: Bar, looks: BarStyle) -> str:
    sheet = sheet_for(bar, looks, margin=0, across=520, button=False)
    title = png_drawing.drawable(bar.campaign.title, bar.direction)
    return png_drawing.for_xml(
        render_template(
            "embed/card.svg", bar=bar, sheet=sheet, style=style(bar, looks),
            title=png_drawing.lines(title, 62, 1040, 3), newsroom=png_drawing.drawable(settings().newsroom, bar.direction),
        )
    )  # fmt: skip


def style(bar: Bar, looks: BarStyle) -> str:
    """The colours, as rules that browsers and our renderer understand; `auto` follows the reader's own setting."""
    if looks.theme != "auto":
        return _colours(bar, looks, looks.theme)
    return _colours(bar, looks, "light") + f"@media(prefers-color-scheme:dark){{{_colours(bar, looks, 'dark')}}}"


def _colours(bar: Bar, looks: BarStyle, theme: str) -> str:
    one = colours(bar, looks)[theme]
    return (
        f".paper{{fill:{f'#{one.paper}' if one.paper else 'none'}}}.ink{{fill:#{one.ink}}}.quiet{{fill:#{one.quiet}}}"
        f".accent{{fill:#{one.accent}}}.on{{fill:#{one.on_accent}}}.line{{fill:none;stroke:#{one.quiet}}}"
        f".edge{{stroke:#{one.ink};stroke-width:2}}.hatch{{stroke:#{one.accent}}}"
    )


def in_our_fonts(bar: Bar, looks: BarStyle) -> Bar:
    """The bar in its own language if our fonts can draw that, else in English."""
    bar = _drawable_names(bar)
    said = [bar.month_label, bar.raised, bar.rest_of_sentence, bar.support, *bar.scale, bar.doubled, *bar.notes(looks)]
    return bar if png_drawing.can_draw("".join(said), bar.direction) else _drawable_names(bar.speaking("en"))


def _drawable_names(bar: Bar) -> Bar:
    """The names of a drive and a match with what our fonts can draw of them, as titles have it."""
    if not (bar.appeals.drive or bar.appeals.match):
        return bar
    drive, match = (
        one and replace(one, name=png_drawing.drawable(one.name, bar.direction))
        for one in (bar.appeals.drive, bar.appeals.match)
    )
    return replace(bar, appeals=replace(bar.appeals, drive=drive, match=match))


def _as_svg(source: str) -> Response:
    """Opened by itself an SVG is a page of ours: it may use its own style, load nothing and run nothing."""
    style = source.partition("<style>")[2].partition("</style>")[0]
    response = Response(source, mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {hash_of(style)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    )
    return response


def _as_png(source: str, bar: Bar, zoom: int) -> Response:
    # Another process draws it.
    end_reading()
    leave_gate()
    return Response(png_drawing.png(source, zoom, bar.direction), mimetype="image/png")


# --- Print ------------------------------------------------------------------------------------------------------------


@bp.get("/embed/<slug>/qr.svg")
def qr_svg(slug: str) -> Response:
    """The way to the campaign's page on paper, black on white with its quiet zone; `src` is `print` if none is named."""
    bar, _ = asked_bar(slug)
    file = io.BytesIO()
    qr_code(bar).save(file, kind="svg", scale=8, dark="#000", light="#fff", title=bar.campaign.title, xmldecl=False)
    return with_embed_headers(_as_svg(png_drawing.for_xml(file.getvalue().decode())), bar, "qr")


@bp.get("/embed/<slug>/qr.png")
def qr_png(slug: str) -> Response:
    """The same as points, a thousand of them or more on each side."""
    bar, _ = asked_bar(slug)
    file, code = io.BytesIO(), qr_code(bar)
    code.save(file, kind="png", scale=-(-QR_POINTS // code.symbol_size()[0]), dark="#000", light="#fff")
    return with_embed_headers(Response(file.getvalue(), mimetype="image/png"), bar, "qr")


def qr_code(bar: Bar) -> QRCode:
    """Error correction M: up to 15 % of it may be dirty or torn."""
    address = bar.give_url
    if "src=" not in address:
        address += ("&" if "?" in address else "?") + "src=print"
    return segno.make_qr(address, error="m", boost_error=False)
