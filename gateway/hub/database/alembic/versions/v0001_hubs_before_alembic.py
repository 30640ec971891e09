"""Stands for each state between 25 November 2026 18:58 (34ebc00), when the hub was first whole, and e924f89.

It never runs: a new database is made from `tables.py` and has the newest revision at once.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change nothing."""
