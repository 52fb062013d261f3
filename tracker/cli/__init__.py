"""The operator's commands. Each says what it did in a line, and exits non-zero when it did not."""

from tracker.cli import (
    admin_commands,
    backup_commands,
    campaign_commands,
    doctor,
    donor_commands,
    drive_commands,
    file_commands,
    gift_commands,
    import_commands,
    month_commands,
    notice_commands,
    person_commands,
    portal_commands,
    server_commands,
    stripe_commands,
)
from tracker.cli.base import main

__all__ = [
    "admin_commands", "backup_commands", "campaign_commands", "doctor", "donor_commands", "drive_commands", "file_commands",
    "gift_commands", "import_commands", "main", "month_commands", "notice_commands", "person_commands", "portal_commands",
    "server_commands", "stripe_commands",
]  # fmt: skip
