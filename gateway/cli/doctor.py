"""`perron doctor`: prints the findings of an examination of the house as a table in English."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.lines import expand_commands, quoted_path
from gateway.config.home import Home
from gateway.installation.diagnostics.finding import FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import examine_house
from gateway.system import i18n

_VERDICT_TEXTS = {
    FindingVerdict.GOOD: Text("ok", style="green"),
    FindingVerdict.DOUBTFUL: Text("?", style="yellow"),
    FindingVerdict.BAD: Text("BAD", style="red"),
}


async def report(home: Home, console: Console) -> bool:
    """Show every finding as a row; True when nothing is red."""
    table = Table("")
    for heading in ("what", "how it is", "what to do"):
        table.add_column(heading, overflow="fold")
    findings = await examine_house(home)
    for finding in findings:
        parts = (finding.subject, finding.statement, finding.todo)
        table.add_row(_VERDICT_TEXTS[finding.verdict], *(Text(_finding_text(part)) for part in parts))
    console.print(table)
    return all(finding.verdict is not FindingVerdict.BAD for finding in findings)


def _finding_text(text: i18n.Text | None) -> str:
    return "" if text is None else expand_commands(sentence_text(text, "en", show=quoted_path))
