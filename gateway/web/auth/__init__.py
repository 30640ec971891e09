"""Accounts, roles, passwords, sessions and tokens of the pages."""
