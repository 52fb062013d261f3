"""What holds for every address of the newsroom's, whoever wrote its page."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_principal import Principal
from flask_security import current_user
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

from tracker.settings import Settings
from tracker.web.admin.signin import fresh, unsent
from tracker.web.admin.signin.personal import is_personal
from tracker.web.admin.signin.second_factor import is_set_up
from tracker.web.donate.give_form import came_from_our_page


def init_app(app: Flask, settings: Settings) -> None:
    # Flask-Principal looks for a person before every request; only the newsroom's pages have any, and
    # other pages should not pay for it.
    looks = app.before_request_funcs[None]
    looks[:] = [_only_here(one) if isinstance(getattr(one, "__self__", None), Principal) else one for one in looks]

    @app.before_request
    def from_our_own_page() -> None:
        # Forms have tokens as well; this holds for the one that has none, which signs out.
        ours = not _here() or request.method in ("GET", "HEAD", "OPTIONS")
        if not ours and not came_from_our_page(settings.public_url):
            abort(403)

    @app.before_request
    def forms_only() -> None:
        if is_personal() and request.is_json:
            abort(415)

    @app.before_request
    def second_factor_first() -> ResponseReturnValue | None:
        """Whoever has none yet is led to set one up, and sees nothing else before."""
        needless = settings.second_factor != "required" or is_personal() or not _here()
        if needless or not current_user.is_authenticated or session.get("set_up"):
            return None
        if is_set_up(current_user):
            session["set_up"] = True
            return None
        if request.method == "GET":
            session["after_set_up"] = fresh.here()
        return redirect(url_for("admin.account"))

    @app.before_request
    def say_when_a_form_is_of_another_session() -> None:
        """Its page shows it again with what was typed, but would not say why."""
        if request.method != "POST" or is_personal() or not _here():
            return
        if current_user.is_authenticated:
            try:
                validate_csrf(request.form.get("csrf_token"))
            except ValidationError:
                words = _("Nothing was saved: you signed in again after this page was opened. Please send it again.")
                flash(words, "error")

    @app.after_request
    def not_kept(response: Response) -> Response:
        if _here():
            response.headers["Cache-Control"] = "no-store"
            response.headers.setdefault("Referrer-Policy", "same-origin")
            went_well = response.status_code < 400 or response.status_code == 422
            # What a stranger sends is not even read.
            if request.method == "POST" and went_well and not is_personal() and current_user.is_authenticated:
                unsent.has_arrived()
        return response


def _here() -> bool:
    return request.path.startswith("/admin")


def _only_here(look: Callable[[], Any]) -> Callable[[], Any]:
    """The same look before a request, but for the newsroom's pages alone."""
    return lambda: look() if _here() else None
