"""Draws the report of a walk test: trials and results, promises of devices, pictures of the cameras.

A person prints and signs it. A file beside it has the gateway's signature of the trials and of the document's hash.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from gateway.config.closures import entrance_closures
from gateway.config.home import Home
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, sensor_name
from gateway.evidence.documents.pdf import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Ink, Sheet
from gateway.installation.capability import (
    Capability,
    CapabilityEvidence,
    Measurement,
    WalkTestStatus,
    device_capabilities,
    entrance_capabilities,
    walk_test_capability,
)
from gateway.installation.texts import TRIAL_QUESTIONS, remedy_text, result_text, trial_text, trial_title
from gateway.installation.walk import TrialResult, WalkTest, walk_test_status
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import Hash, Id, SignedDocument
from gateway.system.dates import moment_text
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized

MARGIN_PT = 16.0
CONTENT_WIDTH_PT = PAGE_WIDTH_MM - 2 * MARGIN_PT
FOOTER_Y_PT = PAGE_HEIGHT_MM - 20
FONT_SIZE_PT = 9.5
RESULT_INKS = {TrialResult.PASSED: Ink.GREEN, TrialResult.FAILED: Ink.RED, TrialResult.BLOCKED: Ink.RED}


class SignedWalkTest(SignedDocument):
    """The part of a walk test that the gateway signs: status, results of the trials, SHA-256 of the report."""

    kind: Literal["perron walk test 1"] = "perron walk test 1"
    box: Id
    entrance: Id
    begun: AwareDatetime
    by: str
    standing: str
    # Trial (`bolt`, `street/wedged`), camera, result, SHA-256 of the picture
    trials: tuple[tuple[str, str | None, str | None, str | None], ...]
    sheet_sha256: Hash


def sign_walk(home: Home, walk: WalkTest, sheet: bytes, key: BoxKey) -> bytes:
    """Sign a walk test and its report; return one line of canonical JSON."""
    statement = SignedWalkTest(
        box=home.box, entrance=walk.entrance, begun=walk.begun, by=walk.by, standing=walk_test_status(walk),
        trials=tuple(
            (sensor_name(s.closure or MAIN_CLOSURE, s.trial), s.camera, s.ending and s.ending.value, s.picture)
            for s in walk.steps
        ),
        sheet_sha256=sha256(sheet).hexdigest(),
    )  # fmt: skip
    return statement.signed(key).to_json()


def verify_walk(document: bytes, sheet: bytes, key: PublicKey | None) -> SignedWalkTest | str:
    """Verify a signed walk test and its report; return what was signed, or why the verification fails.

    Without `key` the result only shows that the holder of the key in the document signed it.
    """
    try:
        walk = SignedWalkTest.from_json(document.strip())
        public_key = key or PublicKey.from_text(walk.key)
    except ValueError:
        return "it is no signed walk test"
    if not walk.is_signed_by(public_key):
        return "the signature does not hold"
    if sha256(sheet).hexdigest() != walk.sheet_sha256:
        return "the report is another than the one that was signed"
    return walk


def draw_report(  # noqa: PLR0913 - each is a separate part of the report
    home: Home,
    walk: WalkTest,
    measured: Mapping[str, Measurement],
    pictures: Mapping[int, bytes],
    *,
    made: datetime,
    box: PublicKey,
) -> bytes:
    """Return the report as a PDF in the house's language."""
    paper = _ReportPainter(home, walk, made)
    paper.head(box)
    paper.trials()
    paper.devices(measured)
    paper.pictures(pictures)
    paper.signature()
    return paper.sheet.pdf()


class _ReportPainter:
    """Draws a report from top to bottom, with a new page when one is full."""

    def __init__(self, home: Home, walk: WalkTest, made: datetime) -> None:
        self._home, self._walk = home, walk
        self._language: Language = home.language
        self._closures = entrance_closures(home, walk.entrance)
        self._title = f"{_('Walk test').to(home.language)} · {sanitized(home.entrances[walk.entrance].name)}"
        self.sheet = Sheet(title=self._title, language=self._language, made=made)
        self._y = 0.0
        self._new_page()

    def _new_page(self) -> None:
        self.sheet.add_page()
        self._y = MARGIN_PT + 4

    def _ensure_room(self, height: float) -> None:
        if self._y + height > FOOTER_Y_PT:
            self._new_page()

    def _draw_line(
        self, words: str, *, bold: bool = False, ink: Ink = Ink.BLACK, size: float = FONT_SIZE_PT, indent: float = 0
    ) -> None:
        self._ensure_room(6)
        at = (MARGIN_PT + indent, self._y)
        self._y = self.sheet.block(at, words, width=CONTENT_WIDTH_PT - indent, size=size, bold=bold, ink=ink) + 0.6

    def _draw_heading(self, heading: Text) -> None:
        self._ensure_room(20)
        self._y += 3
        self._draw_line(heading.to(self._language), bold=True, size=12)

    def head(self, box: PublicKey) -> None:
        walk, zone = self._walk, ZoneInfo(self._home.timezone)
        self._draw_line(self._title, bold=True, size=16)
        self._draw_line(sanitized(self._home.name), size=12)
        origin = _("Begun on {begun} by {by}. Box {box}, key {key}.").to(
            self._language, begun=moment_text(walk.begun, zone), by=sanitized(walk.by),
            box=self._home.box, key=box.fingerprint,
        )  # fmt: skip
        self._draw_line(origin, ink=Ink.GREY)
        status = walk_test_status(walk)
        status_text = walk_test_capability(status, walk.entrance).text.to(self._language)
        ink = Ink.GREEN if status is WalkTestStatus.PASSED else Ink.RED
        self._draw_line(status_text, bold=True, ink=ink, size=11)

    def trials(self) -> None:
        self._draw_heading(_("What was tried"))
        for step in self._walk.steps:
            self._ensure_room(6)
            ink = Ink.GREY if step.ending is None else RESULT_INKS.get(step.ending, Ink.GREY)
            self.sheet.text(
                (MARGIN_PT + 118, self._y), result_text(step, self._language), size=FONT_SIZE_PT, bold=True, ink=ink,
                within=CONTENT_WIDTH_PT - 118,
            )  # fmt: skip
            title = trial_title(step, self._language, self._closures)
            question = trial_text(TRIAL_QUESTIONS, step, self._language, self._closures)
            trial = f"{title}. {question}" if question else title
            self._y = self.sheet.block((MARGIN_PT, self._y), trial, width=114, size=FONT_SIZE_PT) + 0.8
            remedy = remedy_text(step, self._language, self._closures)
            if remedy:
                self._draw_line(remedy, ink=Ink.RED, indent=4)

    def devices(self, measured: Mapping[str, Measurement]) -> None:
        self._draw_heading(_("What each device can promise"))
        home, walk, section = self._home, self._walk, self._home.entrances[self._walk.entrance]
        self._draw_promises(section.name, entrance_capabilities(home, walk.entrance, {}, walk_test_status(walk)))
        for id_ in dict.fromkeys((*section.closure_devices, *section.film_cameras)):
            self._draw_promises(id_, tuple(device_capabilities(home, id_, measured.get(id_))))

    def _draw_promises(self, subject: str, promises: Sequence[Capability]) -> None:
        if promises:
            self._draw_line(subject, bold=True)
        for promise in promises:
            is_unknown = promise.evidence is CapabilityEvidence.UNKNOWN
            ink = Ink.RED if promise.forbids else Ink.GREY if is_unknown else Ink.BLACK
            self._draw_line(promise.text.to(self._language).replace("`", ""), ink=ink, indent=4)

    def pictures(self, pictures: Mapping[int, bytes]) -> None:
        if not pictures:
            return
        self._draw_heading(_("What the cameras see"))
        wide, tall = (CONTENT_WIDTH_PT - 6) / 2, (CONTENT_WIDTH_PT - 6) / 2 * 9 / 16
        for number, (step, jpeg) in enumerate(pictures.items()):
            caption = trial_title(self._walk.steps[step], self._language, self._closures)
            left = MARGIN_PT + (number % 2) * (wide + 6)
            if number % 2 == 0:
                self._ensure_room(tall + 8)
            self.sheet.picture((left, self._y), (wide, tall), jpeg, alt_text=caption)
            self.sheet.text((left, self._y + tall + 4), caption, size=FONT_SIZE_PT, ink=Ink.GREY, within=wide)
            if number % 2 or number == len(pictures) - 1:
                self._y += tall + 10

    def signature(self) -> None:
        self._ensure_room(34)
        self._y += 6
        self._draw_line(_("Date and signature of the installer").to(self._language))
        self.sheet.box((MARGIN_PT, self._y), (CONTENT_WIDTH_PT, 18), line=Ink.GREY)
        self._y += 24
        hint = _("The box has signed this report: `perron walk-test --verify` checks it.")
        self._draw_line(hint.to(self._language).replace("`", ""), ink=Ink.GREY, size=8)
