"""The columns of the files of entries, and no cell that a spreadsheet would take for a formula."""

COLUMNS = (
    "date", "month", "kind", "amount", "fee", "net", "currency", "campaign", "frequency", "tier", "source", "closed_month",
    "stripe_id", "payment_intent", "payout",
)  # fmt: skip
"""The names and their order are a contract (docs/files.md)."""
MONTH_COLUMNS = (
    "month", "goal", "raised", "once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts", "currency", "campaign",
    "closed",
)  # fmt: skip
"""Of the file of months, a contract as well: refunds and disputes are negative, so that the columns add up to `raised`."""
NUMBERS = (
    "amount", "fee", "net", "tier", "goal", "raised", "once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts",
    "debit", "credit",
)  # fmt: skip
"""Columns with numbers; a tier may also be a word, such as `other`."""

SUSPICIOUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""Characters that programs take for the beginning of a formula, or skip before one."""


def harmless(text: str) -> str:
    """A text made safe for a CSV file: one that begins like a formula gets a `'` in front."""
    return f"'{text}" if text.startswith(SUSPICIOUS) else text
