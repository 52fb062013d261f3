"""Names and messages of supporters: the newsroom reads them before they are shown."""

from flask import Response, abort, redirect, render_template, request, url_for
from flask_wtf import FlaskForm

from tracker.ledger import supporters
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin
from tracker.web.site import campaign_or_404, settings


@admin.get("/c/<slug>/supporters")
def supporter_names(slug: str) -> str:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        rows = supporters.every(connection, campaign, settings().live, limit=200)
    return render_template("admin/supporters.html", campaign=campaign, rows=rows, form=FlaskForm())


@admin.post("/c/<slug>/supporters")
def show_supporter(slug: str) -> Response:
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate_on_submit():
        abort(400)
    with writing() as connection:
        supporters.show(connection, request.form.get("gift", ""), shown=request.form.get("show") == "yes")
    return redirect(url_for("admin.supporter_names", slug=campaign.slug), 303)  # type: ignore[return-value]
