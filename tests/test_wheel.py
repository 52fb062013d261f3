"""The wheel alone runs the whole demo, from a folder that knows nothing of the checkout."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
from contextlib import chdir
from pathlib import Path
from urllib.request import urlopen

import pytest
from hatchling.build import build_wheel
from ports import free_port

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new virtual environment's programs, with the wheel in it; dependencies come from ours."""
    folder = tmp_path_factory.mktemp("wheel")
    with chdir(ROOT):
        wheel = folder / build_wheel(str(folder))
    home = folder / "venv"
    venv.create(home)
    packages = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # A path file adds the folder of our dependencies, but not what is written in that folder's own path files: so the
    # checkout, which is installed there as editable, stays out of it.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet", "--no-deps",
         "--no-index", "--disable-pip-version-check", str(wheel)],
        check=True,
    )  # fmt: skip
    assert (packages / "tracker" / "templates").is_dir()
    return home / "bin"


def test_help_points_to_papers_that_are_there(installed: Path) -> None:
    for command in ((), ("doctor",), ("export",)):
        said = subprocess.run(
            [installed / "tracker", *command, "--help"], check=True, capture_output=True, text=True,
            env=os.environ | {"COLUMNS": "400"},
        ).stdout  # fmt: skip
        (paper,) = re.findall(r"/\S+/docs/[a-z]+\.md", re.sub(r"\n +", "", said))
        assert Path(paper).is_file(), paper
        assert installed.parent in Path(paper).parents
    for name in ("nginx.conf", "pledgebar.service", "../requirements.txt"):
        assert (Path(paper).parent / name).is_file(), name


def test_a_wheel_runs_the_demo_from_another_folder(installed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    port = free_port(neighbours=2)
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("TRACKER_", "PYTHON"))}
    environ |= {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "data")}
    with subprocess.Popen(
        [installed / "tracker", "demo", "--port", str(port)],
        cwd=elsewhere, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if line.startswith("Ready after"):
                break
        words = "".join(said)
        article = re.search(r"http://\S+/news/\S+", words)
        assert article, words
        with urlopen(article[0]) as page:
            assert f"http://127.0.0.1:{port}/embed/newsroom" in page.read().decode()
        with urlopen(f"http://127.0.0.1:{port}/embed/may-2021.json") as data:
            assert json.load(data)["labels"] == {
                "scale": ["0 $", "2,500 $", "5,000 $"],
                "goal": "5,000 $",
                "raised": "340 $",
                "month": "MAY 2021",
                "support": "Support us",
            }
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(20) == 0, rest
        assert rest.strip().endswith("Stopped.")
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "data" / "pledgebar" / "demo" / "pledgebar.sqlite3").exists()
