"""Wagtail from its registry: a project as `wagtail start` makes it, with a page of articles and the recipe in its settings."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hosts.conftest import HOSTS, running
from ports import free_port

PYTHON = HOSTS / "wagtail" / "bin" / "python"
MODELS = """
from django.db import models
from wagtail.admin.panels import FieldPanel
from wagtail.blocks import RichTextBlock
from wagtail.embeds.blocks import EmbedBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page


class HomePage(Page):
    pass


class Article(Page):
    body = RichTextField(blank=True)
    parts = StreamField([("text", RichTextBlock()), ("embed", EmbedBlock())], blank=True)
    content_panels = [*Page.content_panels, FieldPanel("body"), FieldPanel("parts")]
"""
TEMPLATE = """{{% load wagtailcore_tags %}}<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{{{{ page.title }}}}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>html {{ font: 18px/1.5 serif }} main {{ max-width: 42rem; margin: auto; padding: 0 16px }}
{style}</style></head><body><main><h1>{{{{ page.title }}}}</h1>
{body}
{{% for part in page.parts %}}{{% include_block part %}}{{% endfor %}}
</main></body></html>
"""
# As Wagtail's own documentation has it, for frames that keep their proportions.
RESPONSIVE = """.responsive-object { position: relative }
.responsive-object iframe { position: absolute; top: 0; left: 0; width: 100%; height: 100% }"""


@dataclass
class Wagtail:
    url: str
    folder: Path

    def runs(self, code: str) -> str:
        done = subprocess.run(
            [PYTHON, "manage.py", "shell", "-v0", "-c", code],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def writes(self, title: str, body: str = "", parts: str = "[]") -> str:
        """Publishes an article and returns its address."""
        code = (
            "import json; from home.models import Article, HomePage\n"
            f"made = Article(title={title!r}, body={body!r}, parts=json.dumps({parts}))\n"
            "page = HomePage.objects.first().add_child(instance=made)\n"
            "page.save_revision().publish(); print(page.pk, page.url_path)"
        )
        number, path = self.runs(code).splitlines()[-1].split()
        return f"{self.url}/{path.removeprefix('/home/')}#{number}"

    def shows(self, body: str, style: str = "") -> None:
        (self.folder / "home" / "templates" / "home" / "article.html").write_text(
            TEMPLATE.format(body=body, style=style), encoding="utf-8"
        )


@contextmanager
def wagtail(folder: Path, settings: str) -> Iterator[Wagtail]:
    port = free_port()
    made = Wagtail(f"http://127.0.0.1:{port}", folder / "courier")
    made.folder.mkdir()
    start = [PYTHON, "-m", "wagtail.bin.wagtail", "start", "courier", str(made.folder)]
    subprocess.run([str(one) for one in start], check=True, capture_output=True)
    (made.folder / "home" / "models.py").write_text(MODELS)
    for old in (made.folder / "home" / "migrations").glob("0*.py"):
        if not old.name.startswith(("0001", "0002")):
            old.unlink()
    with (made.folder / "courier" / "settings" / "base.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{settings}\nWAGTAILEMBEDS_RESPONSIVE_HTML = True\nALLOWED_HOSTS = ['*']\n")
        # Templates are read anew for each page, since they change.
        loaders = [f"django.template.loaders.{one}.Loader" for one in ("filesystem", "app_directories")]
        file.write(f"TEMPLATES[0]['APP_DIRS'] = False\nTEMPLATES[0]['OPTIONS']['loaders'] = {loaders}\n")
        # Hundreds of migrations: none of them need outlive a loss of power.
        file.write('DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA synchronous=OFF"}\n')
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    for command in (["makemigrations", "-v0"], ["migrate", "-v0"]):
        done = subprocess.run(
            [str(PYTHON), "manage.py", *command],
            cwd=made.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    made.runs(f"from wagtail.models import Site; Site.objects.update(hostname='127.0.0.1', port={port})")
    command = [str(PYTHON), "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with running(command, port, folder / "log", cwd=made.folder, env=environment):
        yield made
