"""Repetition, for hours if you let it: `python -m tests.soak`."""
