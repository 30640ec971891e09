"""What the page has shown in the present run, so that each viewer can pause it, go back and see a chapter again."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.demo.page.snapshot import DemoSnapshot, changes_of, snapshot_json
from gateway.demo.page.words import LANGUAGES
from gateway.domain.frozen import Frozen
from gateway.system.i18n import Language

MAX_ENTRIES = 4000  # of one run; the show makes about 400


class TapeEntry(Frozen):
    """What changed on the page, `at` milliseconds after the tape began, for a page in each language."""

    at: int
    is_whole: bool  # the changes are the whole snapshot: nothing before it counts
    changes: Mapping[Language, Mapping[str, Any]]


class DemoTape:
    """The snapshots of one run as changes. A new run begins a new tape, and so does a tape that is full."""

    def __init__(self) -> None:
        self._entries: list[TapeEntry] = []
        self._first = 0  # the number of the first entry that is kept, of all that were ever recorded
        self._bodies: Mapping[Language, Mapping[str, Any]] = {}
        self._run: int | None = None
        self._began_mono = 0.0

    def record(self, snapshot: DemoSnapshot, mono: float) -> None:
        """Record a snapshot that is shown at this moment, in seconds of a monotonic clock."""
        is_whole = snapshot.run != self._run or len(self._entries) >= MAX_ENTRIES
        if snapshot.run != self._run:
            self._run, self._began_mono = snapshot.run, mono
        if is_whole:
            self._first += len(self._entries)
            self._entries.clear()
        bodies = {language: snapshot_json(snapshot, language) for language in LANGUAGES}
        changes = {
            language: body if is_whole else changes_of(body, self._bodies[language])
            for language, body in bodies.items()
        }
        self._bodies = bodies
        self._entries.append(TapeEntry(at=self.now(mono), is_whole=is_whole, changes=changes))

    def now(self, mono: float) -> int:
        """Return a moment on the tape, in milliseconds after it began."""
        return round((mono - self._began_mono) * 1000)

    def entries_from(self, number: int, language: Language) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Return the entries from this number on as JSON for a page in this language, and the next one's number.

        Entries that are not kept any more are left out: then the first one is whole.
        """
        kept = self._entries[max(0, number - self._first) :]
        shown = [{"at": entry.at, "whole": entry.is_whole, "now": entry.changes[language]} for entry in kept]
        return shown, self._first + len(self._entries)
