"""A finding of an examination, as data; `gateway.installation.diagnostics.texts` puts it into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path
from typing import Union

from devices.reports import Report
from gateway.installation.capability import Capability


class FindingVerdict(StrEnum):
    """How a thing is."""

    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence by its name in the table of words, and the facts in it. None of them is ever a secret."""

    key: str
    facts: Mapping[str, "SentenceFact"] = field(default_factory=dict)


SentenceFact = Union[str, Path, Sentence, Report, Capability, tuple["SentenceFact", ...]]  # noqa: UP007 - it names itself
"""What stands in a sentence; of several, a blank or a comma between them is the table's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried; `todo` is None where nothing need be done."""

    subject: Sentence
    verdict: FindingVerdict
    statement: Sentence
    todo: Sentence | None = None
