"""Breaks the rules of giving and the book in two thousand small ways, and counts what the tests notice: `make mutants`.

mutmut works in a copy of the checkout. It leaves functions with a decorator alone, and every month, goal and sum is a
property; so in the copy these are written as `name = property(name)` behind the function, which is the same.
What an earlier run has found out is kept for functions that are as they were; `again` asks about the survivors anew.
"""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WORK = ROOT / ".mutants"
NEEDED = ("tracker", "templates", "static", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")
# What is broken, and the tests that should notice it; where a database is needed, on SQLite alone.
PARTS = {
    "giving": (["tracker/giving/*"], ["tests/giving"]),
    "book": (
        [f"tracker/ledger/{name}.py" for name in ("book", "entries", "reversals", "pending_facts", "stripe_ids")],
        [
            "tests/ledger/test_book_recording.py",
            "tests/ledger/test_book_closing.py",
            "tests/ledger/test_book_reopening.py",
            "tests/ledger/test_book_any_order.py",
            "tests/ledger/test_settlements.py",
            "tests/ledger/test_supports.py",
            "tests/ledger/test_taken_back.py",
            "tests/web/test_give_back.py",
        ],
    ),
}
OPTIONS = ["-p", "fewer_examples", "-k", "not postgresql"]
# 4: the module could not even be imported.
NOTICED = (1, 3, 4)
# A test that does not come to its end has noticed it as well.
ENDLESS = (-24, 24, 36, 152, 255)


def undecorated(source: str) -> str:
    """The same program, with each decorator of a function as a call behind it."""
    lines = source.splitlines()
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.decorator_list]
    for node in sorted(found, key=lambda one: one.lineno, reverse=True):
        (decorator,) = node.decorator_list
        assert node.end_lineno is not None
        call = f"{' ' * node.col_offset}{node.name} = {ast.unparse(decorator)}({node.name})"
        lines[node.end_lineno : node.end_lineno] = [call]
        del lines[decorator.lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def prepare(part: str) -> Path:
    """A copy of the checkout for one part, beside what an earlier run has found out."""
    folder = WORK / part
    folder.mkdir(parents=True, exist_ok=True)
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, folder / name)
    broken, tests = PARTS[part]
    for path in (path for pattern in broken for path in folder.glob(pattern)):
        if path.suffix == ".py":
            path.write_text(undecorated(path.read_text(encoding="utf-8")), encoding="utf-8")
    settings: dict[str, list[str]] = {
        "source_paths": ["tracker"],
        "only_mutate": broken,
        "also_copy": [name for name in NEEDED if name != "tracker"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": OPTIONS,
        "process_isolation": ["forkserver"],
        "timeout_constant": ["10"],
        "timeout_multiplier": ["1"],
        "use_git_change_detection": ["false"],
    }
    written = "".join(
        f"{name} = {values[0]}\n"
        if name in ("process_isolation", "timeout_constant", "timeout_multiplier", "use_git_change_detection")
        else f"{name} =\n" + "".join(f"    {value}\n" for value in values)
        for name, values in settings.items()
    )
    (folder / "setup.cfg").write_text(f"[mutmut]\n{written}", encoding="utf-8")
    return folder


def ends(folder: Path) -> dict[str, dict[str, int | None]]:
    """By file, how the tests of each mutant ended."""
    metas = sorted((folder / "mutants" / "tracker").rglob("*.py.meta"))
    found = {meta.stem: json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"] for meta in metas}
    return {name: told for name, told in found.items() if told}


def report(folder: Path) -> None:
    """The score of each file, and every mutant that no test has noticed."""
    for name, told in ends(folder).items():
        asked = {mutant: end for mutant, end in told.items() if end is not None}
        alive = [mutant for mutant, end in asked.items() if end not in NOTICED + ENDLESS]
        endless = sum(end in ENDLESS for end in asked.values())
        score = f"{1 - len(alive) / len(asked):.1%}" if asked else "–"
        print(
            f"{name:14} {len(told):5} mutants, {len(asked):5} asked, {len(alive):3} alive, {endless:3} endless: {score}"
        )
        print("".join(f"    {mutant}\n" for mutant in alive), end="")


def main(mutmut: str, part: str, *how: str) -> int:
    folder = prepare(part)
    names: list[str] = []
    if how:
        told = {mutant: end for file in ends(folder).values() for mutant, end in file.items()}
        names = [mutant for mutant, end in told.items() if end not in NOTICED]
    done = subprocess.run([mutmut, "run", "--max-children", "1", *names], cwd=folder, check=False)
    report(folder)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
