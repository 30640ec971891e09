"""Backup, restore, reload, factory reset, hand-over and the checks at the start."""
