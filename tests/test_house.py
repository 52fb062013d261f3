"""The rules of the house, as tests: which room may know which, and that the papers are true."""

import ast
import re
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import click
import pytest
from hatchling.build import build_wheel

from tracker import settings
from tracker.cli import main
from tracker.gateway.events import ASKED_FOR

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tracker"

# Which of our own rooms each may import, and which other packages. Imports run one way:
# cli -> server -> web -> reconcile -> {ledger, gateway} -> giving. The ledger and the gateway do not know each other.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "giving": (set(), {"babel"}),
    "ledger": (
        {"giving"},
        {"alembic", "flask", "flask_migrate", "flask_security", "flask_sqlalchemy", "sqlalchemy", "xlsxwriter"},
    ),
    "gateway": ({"giving"}, {"stripe", "structlog"}),
    "reconcile": ({"giving", "ledger", "gateway"}, {"sqlalchemy"}),
    "web": (
        {"giving", "ledger", "gateway", "reconcile", "settings", "paths"},
        {
            "babel", "brotli", "cryptography", "flask", "flask_babel", "flask_limiter", "flask_login", "flask_principal",
            "flask_security", "flask_wtf", "itsdangerous", "limits",
            "markdown_it", "markupsafe", "nh3", "passlib", "prometheus_client", "resvg_py", "segno", "sqlalchemy",
            "structlog", "webauthn", "werkzeug", "wtforms", "zxcvbn",
        },
    ),
    "server": ({"", "ledger", "settings", "web"}, {"flask", "granian", "sqlalchemy", "structlog"}),
    "sandbox": ({"paths"}, {"flask", "markupsafe", "requests", "stripe", "werkzeug"}),
    "demo": (
        {"", "giving", "ledger", "gateway", "web", "sandbox", "settings", "paths", "server"},
        {"flask", "sqlalchemy", "structlog", "werkzeug"},
    ),
    "cli": (
        {"", "giving", "ledger", "gateway", "reconcile", "web", "demo", "paths", "settings", "server"},
        {"click", "flask", "sqlalchemy"},
    ),
    "settings": ({"paths"}, {"limits", "sqlalchemy"}),
    "paths": (set(), set()),
    "__init__": ({"server", "web", "ledger", "paths", "settings"}, {"flask"}),
    "__main__": ({"cli"}, set()),
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts)


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, absolute: `from .. import ledger` in web/x.py is `tracker.ledger`."""
    package = ["tracker", *path.relative_to(PACKAGE).parent.parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            # `from tracker import ledger` names a room; `from tracker.ledger import book` a module of it.
            found |= {f"{name}.{alias.name}" if name == "tracker" else name for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_run_one_way(path: Path) -> None:
    room = room_of(path)
    rooms, packages = ROOMS[room]
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "tracker":
            other = rest[0] if rest and (PACKAGE / rest[0]).exists() | (PACKAGE / f"{rest[0]}.py").exists() else ""
            assert other == room or other in rooms, f"{room} may not import {name}"
        elif top not in sys.stdlib_module_names:
            assert top in packages, f"{room} may not import {name}"


def test_only_the_gateway_and_the_sandbox_import_stripe() -> None:
    importers = {room_of(path) for path in modules() if any(n.split(".")[0] == "stripe" for n in imported(path))}
    assert importers == {"gateway", "sandbox"}


def test_every_module_opens_with_a_sentence() -> None:
    for path in modules():
        if "versions" in path.parts:
            continue
        words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert words, f"{path} does not say what it is for"


def test_create_app_is_a_page_long() -> None:
    assert len((PACKAGE / "__init__.py").read_text(encoding="utf-8").splitlines()) <= 50


def test_no_file_is_longer_than_a_sitting() -> None:
    # The sandbox is a second opinion and looked up rather than read.
    for path in modules():
        if room_of(path) != "sandbox":
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_no_file_name_stands_for_two_things() -> None:
    names = Counter(path.name for path in modules() if room_of(path) != "sandbox" and path.name != "__init__.py")
    assert [name for name, times in names.items() if times > 1] == []


# --- The papers -------------------------------------------------------------------------------------------------------


def test_the_settings_page_names_every_setting_with_its_default_and_help() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for setting in settings.SETTINGS:
        assert f"| `{setting.name}` | {f'`{setting.default}`' if setting.default else ''} | {setting.help} |" in page


def commands(group: click.Group, before: str = "tracker") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        full = f"{before} {name}"
        found += commands(command, full) if isinstance(command, click.Group) else [(full, command)]
    return found


def test_the_settings_page_names_every_command_and_option() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, command in commands(main):
        assert f"### `{name}" in page, name
        section = page.split(f"### `{name}", 1)[1].split("\n### ", 1)[0]
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"
                assert f"`{parameter.opts[0]}" in section, f"{name} {parameter.opts[0]}"


def test_the_doctors_page_names_every_finding() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    named = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z-]+)`", line.split("|")[1])
    }
    calls = [
        node
        for path in (PACKAGE / "cli" / "doctor").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]
    found = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    assert len(calls) > 60
    assert found == named


def test_every_function_that_the_walk_names_is_there() -> None:
    named = re.findall(r"`(tracker/[\w/]+\.py):(\w+)`", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(named) >= 12
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}, (
            f"{file} has no {name}"
        )


def test_every_thread_and_every_lock_is_in_the_picture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Threads and the cache")[2]
    for path in modules():
        if room_of(path) not in ("sandbox", "demo", "cli") and imported(path) & {"threading", "concurrent.futures"}:
            assert f"`{path.relative_to(ROOT)}`" in page, path
    for name in re.findall(r'_repeat\("(\w+)"', (PACKAGE / "server" / "background.py").read_text(encoding="utf-8")):
        assert re.search(rf"  {name}  +every |  {name}  +\d+ times", page), name


def test_the_stripe_page_lists_the_events_that_are_understood() -> None:
    page = (ROOT / "docs" / "stripe.md").read_text(encoding="utf-8")
    assert "\n    ".join(ASKED_FOR) in page


def test_every_file_that_the_papers_link_to_is_there() -> None:
    for paper in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", paper.read_text(encoding="utf-8")):
            assert (paper.parent / target).exists(), f"{paper.name} links to {target}"
        for target in re.findall(
            r"`((?:tracker|templates|tests|benchmarks)/[^` :]+)`", paper.read_text(encoding="utf-8")
        ):
            assert "LOCALE" in target or (ROOT / target).exists(), f"{paper.name} names {target}"


def test_the_readme_is_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 60
    assert "make demo" in readme
    assert "make test" in readme


def test_every_dependency_has_a_line_on_what_it_is_for() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in (*project["dependencies"], *project["optional-dependencies"]["test"]):
        name = re.split(r"[\[<>=,]", wanted)[0]
        assert f"| {name} |" in page, name


def locked(name: str) -> dict[str, str]:
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--index" not in lock
    return {one.partition("==")[0]: one for one in re.split(r"\n(?=[a-z])", lock.strip())}


@pytest.mark.parametrize("name", ["constraints.txt", "requirements.txt"])
def test_the_lock_files_name_no_address_and_have_a_hash_for_everything(name: str) -> None:
    for requirement in locked(name).values():
        assert "--hash=sha256:" in requirement, requirement[:60]


def test_a_server_gets_the_versions_that_were_tested() -> None:
    tested, served = locked("constraints.txt"), locked("requirements.txt")
    assert served.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[\[<>=,]", one)[0] for one in project["dependencies"]} | {"redis"} <= served.keys()
    assert "pytest" not in served
    # The oldest Python wants it, Debian 12's among them; a lock that a newer one made leaves it out.
    assert "async-timeout" in served


# --- The wheel --------------------------------------------------------------------------------------------------------


def test_the_wheel_holds_every_template_static_file_and_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    wheel = zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path)))
    held = set(wheel.namelist())
    wheel.close()
    expected = (
        {
            str(Path("tracker") / path.relative_to(ROOT))
            for folder in ("templates", "static")
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
        }
        | {
            f"tracker/{path.relative_to(ROOT)}"
            for path in (*(ROOT / "docs").glob("*.[mcs]*"), ROOT / "requirements.txt")
        }
        | {
            str(path.relative_to(ROOT))
            for path in PACKAGE.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    )
    assert expected <= held
    assert not [name for name in held if name.startswith(("tests", "instance", "docs"))]
