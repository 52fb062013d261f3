"""What tells this installation from others on the same Stripe account."""

from sqlalchemy import Connection, delete, insert, select

from tracker.ledger.models import installation


def mark(connection: Connection) -> str:
    """The mark that stands in the metadata of every payment that this installation begins. The same for all of its nodes."""
    return connection.scalar(select(installation.c.mark)) or ""


def set_mark(connection: Connection, new: str) -> None:
    """Another mark, for a copy that lives on beside its original."""
    connection.execute(delete(installation))
    connection.execute(insert(installation).values(mark=new))
