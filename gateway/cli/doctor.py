"""`perron doctor`: prints the findings of an examination of the house as a table in English."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.lines import expand_commands, quoted_path
from gateway.config.home import Home
from gateway.installation.diagnostics.finding import FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import examine_house
from gateway.system import i18n


async def report(home: Home, console: Console) -> bool:
    """Show every finding as a row; True when nothing is red."""
    table = Table("")
    for heading in ("what", "how it is", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {FindingVerdict.GOOD: "green", FindingVerdict.DOUBTFUL: "yellow", FindingVerdict.BAD: "red"}
    good = True
    for finding in await examine_house(home):
        colour = colours[finding.verdict]
        good = good and finding.verdict is not FindingVerdict.BAD
        word = Text(
            {FindingVerdict.GOOD: "ok", FindingVerdict.DOUBTFUL: "?", FindingVerdict.BAD: "BAD"}[finding.verdict],
            style=colour,
        )
        table.add_row(word, *(Text(_finding_text(part)) for part in (finding.subject, finding.statement, finding.todo)))
    console.print(table)
    return good


def _finding_text(text: i18n.Text | None) -> str:
    return "" if text is None else expand_commands(sentence_text(text, "en", show=quoted_path))
