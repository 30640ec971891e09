"""Findings as they are read at the terminal."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.config.home import Home
from gateway.installation.diagnostics.finding import Finding, Verdict
from gateway.installation.diagnostics.house import examine
from gateway.installation.diagnostics.words import told


@dataclass(frozen=True)
class Read:
    what: str
    verdict: Verdict
    said: str
    todo: str


def read(finding: Finding) -> Read:
    todo = "" if finding.todo is None else told(finding.todo, "en")
    return Read(told(finding.what, "en"), finding.verdict, told(finding.said, "en"), todo)


def by_what(findings: Iterable[Finding]) -> dict[str, Read]:
    return {one.what: one for one in map(read, findings)}


async def examined(home: Home) -> dict[str, Read]:
    return by_what(await examine(home))
