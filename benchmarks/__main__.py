"""Prints every figure: `python -m benchmarks`, or with names only those: `python -m benchmarks give import`."""

import sys

from benchmarks import first_page, give, imports, ingest

FIGURES = {"first_page": first_page.measure, "give": give.measure, "import": imports.measure, "ingest": ingest.measure}


def main() -> None:
    wanted = sys.argv[1:] or list(FIGURES)
    for name in wanted:
        for line in FIGURES[name]():
            print(line, flush=True)


main()
