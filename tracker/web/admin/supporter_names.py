"""Names and messages of supporters: the newsroom reads them before they are shown."""

from flask import Response, abort, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import HiddenField
from wtforms.validators import AnyOf, InputRequired

from tracker.ledger import audit_log, supporters
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.site import campaign_or_404, now, settings

ON_A_PAGE = 50


class ShowForm(FlaskForm):  # type: ignore[misc]
    """One supporter's buttons: `show` is `yes` or `no`."""

    gift = HiddenField(validators=[InputRequired()])
    show = HiddenField(validators=[AnyOf(["yes", "no"])])


@admin.get("/c/<slug>/supporters")
def supporter_names(slug: str) -> str:
    campaign = campaign_or_404(slug)
    place, changed = _place(), request.args.get("changed", "")
    with reading() as session:
        page = supporters.page(
            session, campaign, settings().live, ON_A_PAGE,
            place.get("state"), after=place.get("after", ""), before=place.get("before", ""), also=changed,
        )  # fmt: skip
        waiting = supporters.waiting(session, campaign, settings().live)
    return render_template(
        "admin/supporters.html", campaign=campaign, page=page, waiting=waiting, place=place, form=ShowForm(), changed=changed,
        state_of=supporters.state_of,
    )  # fmt: skip


@admin.post("/c/<slug>/supporters")
def show_supporter(slug: str) -> Response:
    campaign, form = campaign_or_404(slug), ShowForm()
    if not form.validate():
        abort(400)
    gift = form.gift.data
    with writing() as connection:
        if supporters.show(connection, gift, shown=form.show.data == "yes"):
            action = "supporter.shown" if form.show.data == "yes" else "supporter.hidden"
            audit_log.note(connection, who(), now(), action, campaign=slug, about=gift)
    # Back to the same place in the list: the page says there what has changed, and the focus is on its button again.
    # Without a fragment, since browsers that are sent to one of those leave `autofocus` alone.
    back = url_for("admin.supporter_names", slug=campaign.slug, **_place(), changed=gift)
    return redirect(back, 303)  # type: ignore[return-value]


def _place() -> dict[str, str]:
    """Which names the address asks for: `state`, and the gift that they come `after` or `before`."""
    asked = {name: request.args.get(name, "") for name in ("state", "after", "before")}
    if asked["state"] not in supporters.STATES:
        asked["state"] = ""
    return {name: text for name, text in asked.items() if text}
