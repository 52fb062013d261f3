"""Prints every figure: `python -m benchmarks`, or with names only those: `python -m benchmarks months --entries 1000000`."""

import sys
from collections.abc import Callable, Iterator

from benchmarks import bar, code, crowd, files, first_page, freshness, give, imports, ingest, lighthouse, months, pages

FIGURES: dict[str, Callable[..., Iterator[str]]] = {
    "bar": bar.measure,
    "code": code.measure,
    "crowd": crowd.measure,
    "files": files.measure,
    "first_page": first_page.measure,
    "freshness": freshness.measure,
    "give": give.measure,
    "import": imports.measure,
    "ingest": ingest.measure,
    "lighthouse": lighthouse.measure,
    "months": months.measure,
    "pages": pages.measure,
}


def main() -> None:
    names = [one for one in sys.argv[1:] if one in FIGURES]
    options = [one for one in sys.argv[1:] if one not in FIGURES]
    for name in names or FIGURES:
        for line in FIGURES[name](*options):
            print(line, flush=True)


main()
