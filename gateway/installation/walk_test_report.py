"""The report of a walk test: what was tried and what came of it, what each device can promise, what the cameras see.

It is printed and signed by hand; beside it lies what the box has signed of it: the trials and the document's hash.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from gateway.config.home import Home
from gateway.evidence.documents.pdf import HEIGHT, WIDTH, Ink, Sheet
from gateway.installation.capability import Ground, Measurement, Promise, Walked, entrance_promises, promises
from gateway.installation.walk import Ending, Step, Walk, standing
from gateway.installation.words import QUESTIONS, REPORT, TITLES, ending, promised, said, trial
from gateway.protocol.keys import BoxKey, PublicKey
from gateway.protocol.signed_document import UNSIGNED, Hash, Id, Signed, sign
from gateway.system.i18n import Language
from gateway.system.text import inert

MARGIN = 16.0
WITHIN = WIDTH - 2 * MARGIN
FOOT = HEIGHT - 20
SIZE = 9.5
INKS: Mapping[Ending | None, Ink] = {
    Ending.PASSED: Ink.GREEN,
    Ending.FAILED: Ink.RED,
    Ending.BLOCKED: Ink.RED,
    Ending.NOT_HERE: Ink.GREY,
    None: Ink.GREY,
}


class SignedWalk(Signed):
    """What the box signs of a walk test: how it stands, each trial's ending, and the report's SHA-256."""

    kind: Literal["perron walk test 1"] = "perron walk test 1"
    box: Id
    entrance: Id
    begun: AwareDatetime
    by: str
    standing: str
    trials: tuple[tuple[str, str | None, str | None, str | None], ...]  # trial, camera, ending, picture's SHA-256
    sheet_sha256: Hash


def signed(home: Home, walk: Walk, sheet: bytes, key: BoxKey) -> bytes:
    """Sign a walk and its report: one line of canonical JSON."""
    unsigned = SignedWalk(
        box=home.box,
        entrance=walk.entrance,
        begun=walk.begun,
        by=walk.by,
        standing=standing(walk),
        trials=tuple(
            (s.trial.value, s.camera, None if s.ending is None else s.ending.value, s.picture) for s in walk.steps
        ),
        sheet_sha256=sha256(sheet).hexdigest(),
        key=key.public.text,
        signature=UNSIGNED,
    )
    return sign(unsigned, key).to_json()


def verified(document: bytes, sheet: bytes, key: PublicKey | None) -> SignedWalk | str:
    """Check a signed walk test and the report beside it: what was signed, or why it does not hold.

    Without `key` it is only known that whoever holds the key named in it signed this.
    """
    try:
        walk = SignedWalk.from_json(document.strip())
        theirs = key or PublicKey.from_text(walk.key)
    except ValueError:
        return "it is no signed walk test"
    if not walk.is_signed_by(theirs):
        return "the signature does not hold"
    if sha256(sheet).hexdigest() != walk.sheet_sha256:
        return "the report is another than the one that was signed"
    return walk


def walk_sheet(  # noqa: PLR0913 - what a report tells, named one by one
    home: Home,
    walk: Walk,
    measured: Mapping[str, Measurement],
    pictures: Mapping[str, bytes],
    *,
    made: datetime,
    box: PublicKey,
) -> bytes:
    """Draw the report as a PDF, in the house's language."""
    paper = _Paper(home, walk, made)
    paper.head(box)
    paper.trials()
    paper.devices(measured)
    paper.pictures(pictures)
    paper.signature()
    return paper.sheet.pdf()


class _Paper:
    """A report that is being drawn, from top to bottom; a page that is full is followed by another."""

    def __init__(self, home: Home, walk: Walk, made: datetime) -> None:
        self._home, self._walk = home, walk
        self._language: Language = home.language
        self._title = f"{self._say('title')} · {inert(home.entrances[walk.entrance].name)}"
        self.sheet = Sheet(title=self._title, language=self._language, made=made)
        self._y = 0.0
        self._page()

    def _say(self, sentence: str, **facts: str) -> str:
        return said(sentence, self._language, facts, REPORT)

    def _page(self) -> None:
        self.sheet.page()
        self._y = MARGIN + 4

    def _room(self, height: float) -> None:
        if self._y + height > FOOT:
            self._page()

    def _line(
        self, words: str, *, bold: bool = False, ink: Ink = Ink.BLACK, size: float = SIZE, indent: float = 0
    ) -> None:
        self._room(6)
        at = (MARGIN + indent, self._y)
        self._y = self.sheet.block(at, words, width=WITHIN - indent, size=size, bold=bold, ink=ink) + 0.6

    def _chapter(self, key: str) -> None:
        self._room(20)
        self._y += 3
        self._line(self._say(key), bold=True, size=12)

    def head(self, box: PublicKey) -> None:
        """Say which house, which door, who, when, and how it stands."""
        walk, zone = self._walk, ZoneInfo(self._home.timezone)
        self._line(self._title, bold=True, size=16)
        self._line(inert(self._home.name), size=12)
        begun = f"{walk.begun.astimezone(zone):%Y-%m-%d %H:%M}"
        made = self._say("made", begun=begun, by=inert(walk.by), box=self._home.box, key=box.fingerprint)
        self._line(made, ink=Ink.GREY)
        how = standing(walk)
        told = said(f"walk.{how}", self._language, {"entrance": walk.entrance}).replace("`", "")
        self._line(told, bold=True, ink=Ink.GREEN if how is Walked.PASSED else Ink.RED, size=11)

    def trials(self) -> None:
        """Say what was tried and what came of it."""
        self._chapter("trials")
        for step in self._walk.steps:
            self._room(6)
            top = self._y
            told, ink = ending(step, self._language), INKS[step.ending]
            self.sheet.text((MARGIN + 118, top), told, size=SIZE, bold=True, ink=ink, within=WITHIN - 118)
            self._y = self.sheet.block((MARGIN, top), self._told(step), width=114, size=SIZE) + 0.8

    def _told(self, step: Step) -> str:
        title, question = trial(TITLES, step, self._language), trial(QUESTIONS, step, self._language)
        return f"{title}. {question}" if question else title

    def devices(self, measured: Mapping[str, Measurement]) -> None:
        """Say what each device of this entrance can promise, and what is missing."""
        self._chapter("devices")
        for of, found in _told_of(self._home, self._walk, measured):
            self._line(of, bold=True)
            for one in found:
                ink = Ink.RED if one.forbids else Ink.GREY if one.ground is Ground.UNKNOWN else Ink.BLACK
                self._line(promised(one, self._language).replace("`", ""), ink=ink, indent=4)

    def pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Show what was looked at: two pictures in a row."""
        if not pictures:
            return
        self._chapter("pictures")
        wide, tall = (WITHIN - 6) / 2, (WITHIN - 6) / 2 * 9 / 16
        for number, (camera, jpeg) in enumerate(pictures.items()):
            left = MARGIN + (number % 2) * (wide + 6)
            if number % 2 == 0:
                self._room(tall + 8)
            self.sheet.picture((left, self._y), (wide, tall), jpeg, told=camera)
            self.sheet.text((left, self._y + tall + 4), camera, size=SIZE, ink=Ink.GREY, within=wide)
            if number % 2 or number == len(pictures) - 1:
                self._y += tall + 10

    def signature(self) -> None:
        """Leave room for whoever answers for it."""
        self._room(34)
        self._y += 6
        self._line(self._say("signature"))
        self.sheet.box((MARGIN, self._y), (WITHIN, 18), line=Ink.GREY)
        self._y += 24
        self._line(self._say("verified").replace("`", ""), ink=Ink.GREY, size=8)


def _told_of(home: Home, walk: Walk, measured: Mapping[str, Measurement]) -> Iterator[tuple[str, tuple[Promise, ...]]]:
    section = home.entrances[walk.entrance]
    cameras = (section.cameras.outside, *section.cameras.inside)
    yield section.name, entrance_promises(home, walk.entrance, {}, standing(walk))
    for id_ in dict.fromkeys((section.lock, section.door, *cameras)):
        found = promises(home, id_, measured.get(id_))
        if found:
            yield id_, found
