"""Files for editors and their accountants: entries, months, and journals for bookkeeping."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO, Any

import structlog
from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from tracker.gateway.stripe_history import HistoryUnavailable
from tracker.giving.campaign import Campaign
from tracker.giving.export_columns import MONTH_COLUMNS
from tracker.giving.journal import PROGRAMS, read_accounts, write_journal
from tracker.giving.months import Month
from tracker.ledger import audit_log, export_files, export_rows, journals, results
from tracker.ledger.store import end_reading, reading, writing
from tracker.reconcile import donors as reconcile_donors
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import in_words
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.gates import leave_gate
from tracker.web.site import campaign_or_404, history, month_or_404, now, settings

log = structlog.get_logger()

KINDS = {
    "once": lazy_gettext("One-time gifts"), "monthly": lazy_gettext("Monthly gifts"),
    "yearly": lazy_gettext("Yearly gifts"), "offline": lazy_gettext("Offline gifts"),
    "refund": lazy_gettext("Refunds"), "dispute": lazy_gettext("Disputes"),
}  # fmt: skip
FREQUENCIES = {"once": lazy_gettext("Once"), "month": lazy_gettext("Every month"), "year": lazy_gettext("Every year")}


@admin.get("/c/<slug>/files")
def files(slug: str) -> str:
    campaign = campaign_or_404(slug)
    with reading() as session:
        months = [one.month for one in results.results(session, campaign, settings().live, now())]
    programs = {name: words for name, words in PROGRAMS.items() if name}
    years = sorted({month.year for month in months}, reverse=True)
    return render_template(
        "admin/files.html",
        campaign=campaign,
        months=months,
        kinds=KINDS,
        frequencies=FREQUENCIES,
        programs=programs,
        years=years,
    )


@admin.get("/c/<slug>/files/entries")
def filtered(slug: str) -> Response:
    """What the form chose, as the address of its file."""
    chosen = {name: value for name, value in request.args.items() if value and name != "form"}
    return redirect(url_for("admin.entries", slug=slug, form=request.args.get("form", "csv"), **chosen))  # type: ignore[arg-type, return-value]


@admin.get("/c/<slug>/entries.<form>")
@fresh_required
def entries(slug: str, form: str) -> Response:
    """A month's entries as a file, or all of the campaign's, or those that the filters leave."""
    campaign = campaign_or_404(slug)
    _check(form)
    wanted = _month(campaign)
    names = ("kind", "frequency", "source", "place", "imported_from")
    # Anything may be asked for, but PostgreSQL would refuse a NUL.
    filters = export_rows.Filters(**{name: request.args.get(name, "").replace("\0", "") for name in names})

    def write(session: Session, file: IO[bytes]) -> None:
        rows = export_rows.rows(session, campaign, wanted, settings().live, *filters.conditions(), form=form)
        export_files.write(rows, form, file)

    return _file(campaign, f"{campaign.slug}-{wanted or 'all'}.{form}", export_files.FORMATS[form], write)


@admin.get("/c/<slug>/every-month.<form>")
@fresh_required
def every_month(slug: str, form: str) -> Response:
    campaign, moment = campaign_or_404(slug), now()
    _check(form)

    def write(session: Session, file: IO[bytes]) -> None:
        found = results.results(session, campaign, settings().live, moment)
        export_files.write(export_rows.months(found, campaign), form, file, MONTH_COLUMNS)

    return _file(campaign, f"{campaign.slug}-months.{form}", export_files.FORMATS[form], write)


@admin.get("/c/<slug>/journal.csv")
@fresh_required
def journal(slug: str) -> Response:
    """A month or a payout for bookkeeping, in the program's format."""
    campaign, moment, program = campaign_or_404(slug), now(), request.args.get("for", "")
    wanted, payout = _month(campaign), request.args.get("payout", "").replace("\0", "")
    if program not in PROGRAMS or (wanted is None and not payout):
        abort(404)
    try:
        with reading() as session:
            if wanted:
                bookings = journals.of_month(session, campaign, wanted, settings().live)
            else:
                bookings = journals.of_payout(session, campaign, payout, settings().live)
        made = write_journal(bookings, read_accounts(settings().journal_accounts), program, moment)
    except ValueError as error:
        flash(in_words(error), "error")
        return redirect(url_for("admin.files", slug=slug), 303)  # type: ignore[return-value]
    answer = Response(made, content_type="text/csv")
    name = "-".join(one for one in (campaign.slug, "journal", program, str(wanted or payout)) if one)
    answer.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return answer


@admin.get("/c/<slug>/donors.csv")
@fresh_required
def donors(slug: str) -> Response:
    """A year's donors, fetched from Stripe now and not kept."""
    campaign, asked = campaign_or_404(slug), request.args.get("year", "")
    if not re.fullmatch(r"(19[7-9]|[2-9][0-9][0-9])[0-9]", asked):
        abort(404)
    # Stripe may take its time: meanwhile no transaction is open, and no worker's place is taken.
    end_reading()
    leave_gate()
    try:
        with history() as stripe:
            found = reconcile_donors.of_year(stripe, campaign, settings().live, int(asked))
    except HistoryUnavailable as error:
        flash(str(error), "error")
        return redirect(url_for("admin.files", slug=slug), 303)  # type: ignore[return-value]
    with writing() as session:
        audit_log.note(
            session, who(), now(), "donors.exported", campaign=slug, about=asked, after={"donors": len(found)}
        )
    log.info("donors.exported", campaign=slug, year=asked, donors=len(found))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(reconcile_donors.rows(found))
    answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{slug}-donors-{asked}.csv")
    return answer


def _check(form: str) -> None:
    if form not in export_files.FORMATS:
        abort(404)


def _month(campaign: Campaign) -> Month | None:
    asked = request.args.get("month", "")
    return month_or_404(asked, campaign, now()) if asked else None


def _file(campaign: Campaign, name: str, content_type: str, write: Callable[[Session, IO[bytes]], Any]) -> Response:
    """Written to disk first: the database is done before a slow connection takes the file, and it needs little memory."""
    file = TemporaryFile()  # noqa: SIM115 - closed once it is sent
    # It may take a while, and other pages need not wait for it.
    end_reading()
    leave_gate()
    try:
        with reading() as session:
            write(session, file)
    except (SQLAlchemyError, OSError) as error:
        file.close()
        log.error("export.failed", campaign=campaign.slug, file=name, why=type(error).__name__)
        raise ServiceUnavailable(retry_after=60) from None
    finally:
        end_reading()
    response = Response(_sent(file), content_type=content_type)
    response.content_length = file.seek(0, os.SEEK_END)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        yield from iter(lambda: file.read(65_536), b"")
