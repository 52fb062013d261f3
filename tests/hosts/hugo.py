"""Hugo from Debian, with the smallest site that has articles."""

import subprocess
from pathlib import Path

LAYOUT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{{{ .Title }}}}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>html {{ font-size: 62.5% }} body {{ font: 1.8rem/1.5 serif }}
main {{ max-width: 68rem; margin: auto; padding: 0 1.6rem }}</style>
</head><body><main><h1>{{{{ .Title }}}}</h1>
{single}
</main></body></html>
"""
STORY = """The ferry across the harbour will run again from Monday, the port authority said on Thursday, after eleven weeks in dock.
Commuters had to take the long way round."""


def built(folder: Path, url: str, single: str) -> Path:
    """Builds a site with two articles, one of them a folder of its own, and returns what it is published from."""
    files = {
        "config.toml": f'baseURL = "{url}/"\ntitle = "The Courier"\ndisableKinds = ["taxonomy", "term", "RSS", "sitemap"]\n',
        "layouts/_default/single.html": LAYOUT.format(single=single),
        "layouts/_default/list.html": '{{ range .Pages }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }}',
        "content/news/harbour-ferry.md": f'+++\ntitle = "The ferry"\n+++\n{STORY}\n',
        "content/news/night-ferry/index.md": f'+++\ntitle = "The night ferry"\n+++\n{STORY}\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(["hugo", "--quiet", "--source", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "public"
