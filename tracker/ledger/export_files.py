"""Rows written to a file: as CSV, as lines of JSON, or as a spreadsheet."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from tracker.giving.export_columns import COLUMNS, NUMBERS

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl; charset=utf-8",
}
# What a sheet can hold, its head included.
SHEET_ROWS = 1_048_576
AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - as the format has it


def write(rows: Iterable[Sequence[str | None]], form: str, file: IO[bytes], columns: Sequence[str] = COLUMNS) -> int:
    """Writes the rows to a file in one of the formats, a part at a time. Returns how many there were."""
    counted = _Counted(rows)
    match form:
        case "csv":
            _write_csv(counted, file, columns)
        case "jsonl":
            _write_lines(counted, file, columns)
        case _:
            _write_spreadsheet(counted, file, columns)
    return counted.count


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Sequence[str | None]]) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Sequence[str | None]]:
        for row in self.rows:
            self.count += 1
            yield row


def _write_csv(rows: Iterable[Sequence[str | None]], file: IO[bytes], columns: Sequence[str]) -> None:
    """As RFC 4180 has it: CRLF, and quotation marks where needed. In UTF-8."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    try:
        writer.writerow(columns)
        writer.writerows(rows)
    finally:
        text.detach()


def _write_lines(rows: Iterable[Sequence[str | None]], file: IO[bytes], columns: Sequence[str]) -> None:
    """One object a line. Amounts are strings, so that no program makes floats of them."""
    for row in rows:
        file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False).encode() + b"\n")


def _write_spreadsheet(rows: Iterable[Sequence[str | None]], file: IO[bytes], columns: Sequence[str]) -> None:
    # Put together aside: where a pipe is closed or a disk is full, xlsxwriter itself would break off in disorder.
    with TemporaryFile() as whole:
        _fill(Workbook(whole, {"constant_memory": True}), rows, columns)
        whole.seek(0)
        shutil.copyfileobj(whole, file)


def _fill(workbook: Workbook, rows: Iterable[Sequence[str | None]], columns: Sequence[str]) -> None:
    # In place of the moment of writing: the same rows make the same file, to the byte.
    workbook.set_properties({"created": CREATED})
    formats: dict[int, Any] = {}
    numbers = {index for index, name in enumerate(columns) if name in NUMBERS}
    sheet, line = _new_sheet(workbook, columns), 1
    for row in rows:
        if line == SHEET_ROWS:
            sheet, line = _new_sheet(workbook, columns), 1
        for column, cell in enumerate(row):
            if not cell:
                continue
            if column in numbers and AMOUNT.fullmatch(cell):
                decimals = len(cell.partition(".")[2])
                if decimals not in formats:
                    formats[decimals] = workbook.add_format({"num_format": "0." + "0" * decimals if decimals else "0"})
                sheet.write_number(line, column, Decimal(cell), formats[decimals])
            else:
                # Always as text: nothing here is a formula or a link.
                sheet.write_string(line, column, cell)
        line += 1
    try:
        workbook.close()
    except FileCreateError as trouble:
        raise OSError(f"the spreadsheet could not be put together: {trouble}") from None


def _new_sheet(workbook: Workbook, columns: Sequence[str]) -> Any:
    number = len(workbook.worksheets()) + 1
    sheet = workbook.add_worksheet("Entries" if number == 1 else f"Entries {number}")
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(columns):
        wide = 26 if name in ("date", "stripe_id", "payment_intent", "payout") else 12
        sheet.set_column(column, column, wide)
        sheet.write_string(0, column, name)
    return sheet
