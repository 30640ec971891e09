"""`perron doctor`: what an examination of the house has found, as a table in English."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.lines import pasted, typed
from gateway.config.home import Home
from gateway.installation.diagnostics.finding import Said, Verdict
from gateway.installation.diagnostics.house import examine
from gateway.installation.diagnostics.words import told


async def report(home: Home, console: Console) -> bool:
    """Show every finding as a row; True when nothing is red."""
    table = Table("")
    for heading in ("what", "how it is", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {Verdict.GOOD: "green", Verdict.DOUBTFUL: "yellow", Verdict.BAD: "red"}
    good = True
    for finding in await examine(home):
        colour = colours[finding.verdict]
        good = good and finding.verdict is not Verdict.BAD
        word = Text({Verdict.GOOD: "ok", Verdict.DOUBTFUL: "?", Verdict.BAD: "BAD"}[finding.verdict], style=colour)
        table.add_row(word, *(Text(_typed(part)) for part in (finding.what, finding.said, finding.todo)))
    console.print(table)
    return good


def _typed(said: Said | None) -> str:
    return "" if said is None else typed(told(said, "en", show=pasted))
