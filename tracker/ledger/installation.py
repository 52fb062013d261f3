"""What tells this installation from others on the same Stripe account."""

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tracker.ledger.models import installation


def mark(session: Session) -> str:
    """The mark that stands in the metadata of every payment that this installation begins. The same for all of its nodes."""
    return session.scalar(select(installation.c.mark)) or ""


def set_mark(session: Session, new: str) -> None:
    """Another mark, for a copy that lives on beside its original."""
    session.execute(delete(installation))
    session.execute(insert(installation).values(mark=new))
