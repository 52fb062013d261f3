"""Rows written to a file: as CSV, as lines of JSON, or as a spreadsheet."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from tracker.giving.export_columns import COLUMNS, Row, cells, harmless
from tracker.giving.money import exponent

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl; charset=utf-8",
}
# What a sheet can hold, its head included.
SHEET_ROWS = 1_048_576
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - as the format has it


def write(rows: Iterable[Row], form: str, file: IO[bytes]) -> int:
    """Writes the rows to a file in one of the formats, one at a time. Returns how many there were."""
    counted = _Counted(rows)
    match form:
        case "csv":
            _write_csv(counted, file)
        case "jsonl":
            _write_lines(counted, file)
        case _:
            _write_spreadsheet(counted, file)
    return counted.count


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


def _write_csv(rows: Iterable[Row], file: IO[bytes]) -> None:
    """As RFC 4180 has it: CRLF, and quotation marks where needed. In UTF-8."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    try:
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([harmless(cell) for cell in cells(row)])
    finally:
        text.detach()


def _write_lines(rows: Iterable[Row], file: IO[bytes]) -> None:
    """One object a line. Amounts are strings, so that no program makes floats of them."""
    for row in rows:
        written = {
            name: str(cell) if isinstance(cell, Decimal) else cell
            for name, cell in zip(COLUMNS, cells(row), strict=True)
        }
        file.write(json.dumps(written, ensure_ascii=False).encode() + b"\n")


def _write_spreadsheet(rows: Iterable[Row], file: IO[bytes]) -> None:
    # Put together aside: where a pipe is closed or a disk is full, xlsxwriter itself would break off in disorder.
    with TemporaryFile() as whole:
        _fill(Workbook(whole, {"constant_memory": True}), rows)
        whole.seek(0)
        shutil.copyfileobj(whole, file)


def _fill(workbook: Workbook, rows: Iterable[Row]) -> None:
    # In place of the moment of writing: the same rows make the same file, to the byte.
    workbook.set_properties({"created": CREATED})
    formats: dict[int, Any] = {}
    sheet, line = _new_sheet(workbook), 1
    for row in rows:
        if line == SHEET_ROWS:
            sheet, line = _new_sheet(workbook), 1
        decimals = exponent(row.currency)
        if decimals not in formats:
            formats[decimals] = workbook.add_format({"num_format": "0." + "0" * decimals if decimals else "0"})
        for column, cell in enumerate(cells(row)):
            if isinstance(cell, Decimal):
                sheet.write_number(line, column, cell, formats[decimals])
            elif cell:
                # Always as text: nothing here is a formula or a link.
                sheet.write_string(line, column, cell)
        line += 1
    try:
        workbook.close()
    except FileCreateError as trouble:
        raise OSError(f"the spreadsheet could not be put together: {trouble}") from None


def _new_sheet(workbook: Workbook) -> Any:
    number = len(workbook.worksheets()) + 1
    sheet = workbook.add_worksheet("Entries" if number == 1 else f"Entries {number}")
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(COLUMNS):
        wide = 26 if name in ("date", "stripe_id", "payment_intent", "payout") else 12
        sheet.set_column(column, column, wide)
        sheet.write_string(0, column, name)
    return sheet
