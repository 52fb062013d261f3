"""How the bar gets onto every article in each system: the code of each recipe, with this newsroom's address in it."""

import re
from collections.abc import Callable
from dataclasses import replace

from flask import render_template

from tracker.web.admin.blueprint import admin
from tracker.web.admin.snippet_code import Snippets

# Stands for the article until the system's own placeholder takes its place.
MARK = "ARTICLE"


@admin.context_processor
def for_recipes() -> dict[str, Callable[..., str]]:
    return {"recipe": recipe}


def recipe(name: str, snippets: Snippets) -> str:
    """The code of a recipe, from a file in templates/recipes."""
    marked = replace(snippets, choices=replace(snippets.choices, src=MARK))

    def frame(pos: str, article: str = MARK, back: str = "") -> str:
        """The frame with what the system replaces with an article's id, and with its address as part of another one."""
        source = f"src={article}" + (f"&amp;back={back}" if back else "")
        return boxed(marked.frame(pos).replace(f"src={MARK}", source))

    anywhere = replace(snippets, choices=replace(snippets.choices, src=""))
    address = snippets.public_url
    return render_template(
        f"recipes/{name}.txt",
        frame=frame,
        anywhere=anywhere,
        address=address,
        pattern=re.escape(re.sub("^https?://", "", address)),
    ).strip()


def boxed(frame: str) -> str:
    """The frame in a box that the theme makes as wide as the text: one that says how wide it may be would leave the column."""
    return f"<div>\n{frame}\n</div>"
