"""The tables of drives and matches. Their sums are kept beside them, as the months' are."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String, exists
from sqlalchemy.orm import Mapped, column_property, mapped_column

from tracker.ledger.models import ID, CampaignRow, Moment, db


class AppealRow(db.Model):
    """A drive, or a match. Whoever has ended is kept as it was."""

    __tablename__ = "appeal"
    __table_args__ = (Index("ix_appeal_campaign_id_starts_at", "campaign_id", "starts_at"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """`drive` or `match`."""
    name: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int] = mapped_column(BigInteger)
    """A drive's goal, or the most that a match adds."""
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime | None] = mapped_column(Moment)


class AppealTotalRow(db.Model):
    """What was given while an appeal ran, in each mode; kept in the same transaction as the entries."""

    __tablename__ = "appeal_total"

    appeal_id: Mapped[int] = mapped_column(ForeignKey("appeal.id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    raised: Mapped[int] = mapped_column(BigInteger)
    gifts: Mapped[int] = mapped_column(BigInteger)


appeal = AppealRow.__table__
appeal_total = AppealTotalRow.__table__

# Read with the campaign, so that whoever has no appeals is never asked for them.
CampaignRow.__mapper__.add_property(
    "has_appeals", column_property(exists().where(AppealRow.campaign_id == CampaignRow.id))
)
