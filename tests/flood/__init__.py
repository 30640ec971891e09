"""Floods through every way into a box, from a process of their own: `python -m tests.flood FILE`."""
