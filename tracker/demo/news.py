"""An outside news site with an origin of its own, which embeds the bar exactly as any newsroom would."""

from datetime import datetime
from urllib.parse import urlsplit

from flask import Flask, Response, g, render_template

from tracker.demo import carrier_pages
from tracker.paths import STATIC, TEMPLATES

PAPER = "The Saltmere Courier"

# The articles' slugs, which the snippets hand to the bar as `src`.
FERRY = "harbour-ferry"
LIGHTHOUSE = "lighthouse-paint"


def create_news(app_url: str, campaign: str, old_campaign: str) -> Flask:
    """The paper: a front page, an article of today, one of May 2021, and the bar in every carrier from `app_url`."""
    news = Flask(__name__, template_folder=str(TEMPLATES / "demo"), static_folder=str(STATIC / "demo"))
    news.jinja_env.trim_blocks = news.jinja_env.lstrip_blocks = True
    app_url = app_url.rstrip("/")
    news.register_blueprint(carrier_pages.pages(app_url, campaign))

    @news.context_processor
    def on_every_page() -> dict[str, object]:
        return {"paper": PAPER, "app_url": app_url, "today": datetime.now().astimezone().date()}

    @news.after_request
    def keep_to_ourselves(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = security_policy(app_url, g.get("policy", {}))
        return response

    @news.get("/")
    def front_page() -> str:
        return render_template("front_page.html")

    @news.get(f"/news/{FERRY}")
    def article() -> str:
        return render_template("article.html", slug=FERRY, campaign=campaign)

    @news.get(f"/archive/2021-05/{LIGHTHOUSE}")
    def archive_article() -> str:
        return render_template("archive_article.html", slug=LIGHTHOUSE, campaign=old_campaign, month="2021-05")

    return news


def security_policy(app_url: str, more: dict[str, str]) -> str:
    """As strict as a careful newsroom's: no script at all and frames from the bar's address alone, but for `more`."""
    address = urlsplit(app_url)
    directives = {
        "default-src": "'none'",
        "style-src": "'self' 'unsafe-inline'",  # the snippet carries a style attribute
        "img-src": "'self'",
        "frame-src": f"{address.scheme}://{address.netloc}",
        "form-action": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in (directives | more).items())
