"""Defines a finding of an examination as data; `gateway.installation.diagnostics.texts` has its texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from typing import Union

from devices.reports import Report
from gateway.installation.capability import Capability


class FindingVerdict(StrEnum):
    """The verdict on what was examined."""

    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A key of `FINDING_TEXTS` and its facts, which never contain a secret."""

    key: str
    facts: Mapping[str, "SentenceFact"] = field(default_factory=dict)


SentenceFact = Union[str, Path, Sentence, Report, Capability, tuple["SentenceFact", ...]]  # noqa: UP007 - a recursive type needs a name
"""What stands in a sentence; of several, a blank or a comma between them is the table's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `todo` is None if a person need do nothing."""

    subject: Sentence
    verdict: FindingVerdict
    statement: Sentence
    todo: Sentence | None = None
