"""The table of loads and clicks of the bar."""

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tracker.ledger.models import db


class VisitRow(db.Model):
    """How often a carrier of the bar was loaded, or its button pressed, on one day: only counts, nothing about readers."""

    __tablename__ = "visit"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    """On the campaign's own calendar, as `2021-05-14`."""
    carrier: Mapped[str] = mapped_column(String(10), primary_key=True)
    """`frame`, `json`, `svg`, `png` and so on; `click` for the button."""
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(20), primary_key=True)
    times: Mapped[int] = mapped_column(BigInteger)


visit = VisitRow.__table__
