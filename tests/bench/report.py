"""The result as a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.line import BenchLine

REPORT = Path(__file__).parents[2] / "docs" / "contributor" / "bench.md"

HEAD = """\
# How fast it is

For contributors: the speed of each part, its goal, and the measured cause where a goal is missed.
`python -m tests.bench --write` writes this page (`make bench` measures the same). Each ratio compares two things that
were measured in one run, in turn. We never change what is measured to meet a goal.
"""


def report(lines: Sequence[BenchLine], machine: str, *, note: str, quick: bool) -> str:
    """Lay it out."""
    day = datetime.now(UTC).date().isoformat()
    text = [HEAD, f"{day}; {machine}.{f' {note}' if note else ''}{' Quick run: few samples.' if quick else ''}", ""]
    text += ["| what | value | ratio | goal | |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:.2f} x {line.against}"
        text.append(f"| {line.what} | {line.told} | {ratio} | {line.goal} | {line.verdict} |")
    parts = [line for line in lines if line.parts]
    if parts:
        text += ["", "## Parts", ""]
        text += [
            f"- {line.what}: {', '.join(f'{name} {value}' for name, value in line.parts.items())}." for line in parts
        ]
    missed = [line for line in lines if line.met is False]
    if missed:
        text += ["", "## Goals missed, and why", ""]
        text += [f"- {line.what} ({line.told}, goal {line.goal}): {line.why}." for line in missed]
    return "\n".join(text) + "\n"
