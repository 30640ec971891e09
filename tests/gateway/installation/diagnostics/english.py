"""Findings as they are read at the terminal."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.config.home import Home
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import examine_house


@dataclass(frozen=True)
class FindingText:
    what: str
    verdict: FindingVerdict
    said: str
    todo: str


def read_finding(finding: Finding) -> FindingText:
    todo = "" if finding.todo is None else sentence_text(finding.todo, "en")
    return FindingText(
        sentence_text(finding.subject, "en"), finding.verdict, sentence_text(finding.statement, "en"), todo
    )


def by_subject(findings: Iterable[Finding]) -> dict[str, FindingText]:
    return {one.what: one for one in map(read_finding, findings)}


async def findings_of(home: Home) -> dict[str, FindingText]:
    return by_subject(await examine_house(home))
