"""The plugin for WordPress: one PHP file with this newsroom's address, campaign and style in it, packed as WordPress takes it."""

import io
import zipfile
from dataclasses import replace

from flask import Response, render_template, request, send_file

from tracker.giving.bar_style import read_bar_style
from tracker.ledger.store import reading
from tracker.web.admin.blueprint import admin
from tracker.web.admin.html_tags import tags
from tracker.web.admin.snippet_code import Choices, Snippets
from tracker.web.embed.svg_layout import shown_width
from tracker.web.site import VERSION, bar_of, campaign_or_404, now, settings

NAME = "pledgebar/pledgebar.php"
# The smallest can still be read on a phone, and feeds are shown at any width.
FEED_SIZE = "s"


@admin.get("/c/<slug>/wordpress.zip")
def wordpress_plugin(slug: str) -> Response:
    """The style is in the address, as on the page of snippets."""
    campaign = campaign_or_404(slug)
    looks = read_bar_style(request.args)
    with reading() as connection:
        bar = bar_of(connection, campaign, now()).speaking(looks.lang)
    file = zipfile.ZipInfo(NAME, now().timetuple()[:6])
    file.external_attr = 0o644 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file, plugin(Snippets(bar, Choices(looks), settings().public_url)), zipfile.ZIP_DEFLATED)
    packed.seek(0)
    return send_file(packed, mimetype="application/zip", as_attachment=True, download_name="pledgebar.zip")


def plugin(snippets: Snippets) -> str:
    """The PHP file. Its frame is the one that the page of snippets has, so both are always the same."""
    box, frame = [
        tag.attributes for tag in tags(snippets.frame("top")) if tag.name in ("div", "iframe") and not tag.is_end
    ]
    small = replace(snippets.choices.looks, theme="light", size=FEED_SIZE)
    picture = "&".join(filter(None, (Choices(small).looks_query, "mail=1", "scale=2")))
    return render_template(
        "wordpress/pledgebar.php",
        version=VERSION,
        address=quoted(snippets.public_url),
        campaign=quoted(snippets.bar.campaign.slug),
        button=quoted(snippets.bar.support),
        frame=quoted(snippets.choices.looks_query),
        picture=quoted(picture),
        box_style=quoted(box["style"]),
        frame_style=quoted(frame["style"]),
        frame_height=int(frame["height"]),
        picture_width=shown_width(FEED_SIZE),
    )


def quoted(text: str) -> str:
    """Text as PHP reads it between single quotes, where only a backslash and the quote itself mean something else."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
