"""The headers of every answer: what a page may load, who may frame it, and what it tells others."""

import base64
import hashlib
from typing import Any

from flask import Flask, Response, g

from tracker.settings import Settings

# A page that is kept apart from other sites (Cross-Origin-Embedder-Policy) shows only frames that say both.
FOR_OTHER_SITES = {"Cross-Origin-Resource-Policy": "cross-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def init_app(app: Flask, settings: Settings) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        if g.get("framed"):
            response.headers.update(FOR_OTHER_SITES)
        for name, value in usual(settings, g.get("policy", {})).items():
            response.headers.setdefault(name, value)
        return response

    @app.context_processor
    def for_templates() -> dict[str, Any]:
        return {"settings": settings}


def usual(settings: Settings, policy: dict[str, str]) -> dict[str, str]:
    """What an answer says if nothing else is said, but for the directives in `policy`."""
    directives = {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "script-src": "'self'",
        # Our scripts ask for nothing; but what reads a page for its owner, such as Lighthouse, asks from within for robots.txt.
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    } | policy
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in directives.items() if value),
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers would then send “Origin: null” with the form, and the check would fail.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return headers | ({"Strict-Transport-Security": "max-age=31536000"} if settings.secure else {})


def may_be_framed(settings: Settings, *, style: str, script: str = "", follows: bool = False) -> None:
    """Lets this answer be shown in a frame on other sites, with one inline style, one script at most, and nothing else.

    If it follows the number, it may also run our own script and send requests to us.
    """
    scripts = ["'self'"] * follows + [hash_of(script)] * bool(script)
    g.framed = True
    g.policy = {
        "style-src": hash_of(style),
        "img-src": "'none'",
        "script-src": " ".join(scripts) or "'none'",
        "connect-src": "'self'" if follows else "",
        "form-action": "'none'",
        # And on our own page of snippets, which shows it beforehand.
        "frame-ancestors": settings.embed_on if settings.embed_on == "*" else f"{settings.embed_on} 'self'",
    }


def may_hold(style: str) -> None:
    """Lets this page carry one inline style beside our stylesheets."""
    g.policy = g.get("policy", {}) | {"style-src": f"'self' {hash_of(style)}"}


def hash_of(style: str) -> str:
    """What a policy names an inline style or script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


def may_show_previews() -> None:
    """Lets this page show our own frames."""
    g.policy = g.get("policy", {}) | {"frame-src": "'self'"}


def may_work_aside() -> None:
    """Lets this page's script work in a thread of its own; the second is how older browsers call it."""
    g.policy = g.get("policy", {}) | {"worker-src": "'self'", "child-src": "'self'"}


def form_may_reach(origins: tuple[str, ...]) -> None:
    """Lets this page's form be answered with a redirect to Stripe: browsers check where a form ends up, too."""
    g.policy = g.get("policy", {}) | {"form-action": " ".join(("'self'", *origins))}
