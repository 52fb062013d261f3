"""The table of saved column maps, for files of past gifts."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.ledger.models import ID, db


class ImportMapRow(db.Model):
    """How to read one kind of file, saved under a name that an editor gave it."""

    __tablename__ = "import_map"
    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str] = mapped_column(String(60))
    columns: Mapped[dict[str, Any]] = mapped_column(JSON)
