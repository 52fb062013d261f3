"""How much code there is: `python -m benchmarks code`, or beside an older state: `python -m benchmarks code v0.3.0`.

Counts what is in git. The sandbox, the demo and the migrations are left out: nobody has to read them to change the app.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import PurePosixPath
from statistics import median, quantiles

ROOMS_LEFT_OUT = ("tracker/sandbox/", "tracker/demo/", "tracker/ledger/migrations/")


def measure(before: str = "") -> Iterator[str]:
    columns = {"now": _count("HEAD")}
    if before:
        columns = {before: _count(before)} | columns
    yield f"| the app's Python | {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for name in columns["now"]:
        yield f"| {name} | {' | '.join(f'{figures[name]:,}' for figures in columns.values())} |"


def _count(revision: str) -> dict[str, int]:
    sources = {path: _git("show", f"{revision}:{path}") for path in _files(revision)}
    functions = [length for source in sources.values() for length in _functions(source)]
    return {
        "files": len(sources),
        "lines": sum(_lines(source) for source in sources.values()),
        "longest file, lines": max(_lines(source) for source in sources.values()),
        "file names that occur twice": len(sources) - len({_name(path) for path in sources}),
        "functions": len(functions),
        "median function, lines": round(median(functions)),
        "90 % of functions have at most, lines": round(quantiles(functions, n=10)[-1]),
        "longest function, lines": max(functions),
    }


def _files(revision: str) -> list[str]:
    paths = _git("ls-tree", "-r", "--name-only", revision, "tracker/").splitlines()
    return [path for path in paths if path.endswith(".py") and not path.startswith(ROOMS_LEFT_OUT)]


def _name(path: str) -> str:
    """A file's name, or its whole path where it only opens a package."""
    name = PurePosixPath(path).name
    return path if name == "__init__.py" else name


def _lines(source: str) -> int:
    return len(source.splitlines())


def _functions(source: str) -> Iterator[int]:
    """The length of each function, from `def` to its last line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.end_lineno - node.lineno + 1


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout
