"""Defines the results of a verification, with texts that a person without training can act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from types import MappingProxyType

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.system.i18n import SOURCE, Text, _


class ProofProblem(StrEnum):
    """The first defect of a proof."""

    NO_PROOF = auto()
    UNREADABLE = auto()
    NOT_PLAIN = auto()
    MANIFEST_MALFORMED = auto()
    UNSIGNED = auto()
    SIGNATURE_WRONG = auto()
    FOREIGN_KEY = auto()
    KEY_REPLACED = auto()
    SUCCESSION_WRONG = auto()
    PART_MISSING = auto()
    PART_FOREIGN = auto()
    MANIFEST_REPLACED = auto()
    LOG_MISSING = auto()
    LOG_MALFORMED = auto()
    LOG_CHANGED = auto()
    LOG_ENTRY_MISSING = auto()
    LOG_OUT_OF_ORDER = auto()
    LOG_REPEATED = auto()
    LOG_TRUNCATED = auto()
    LOG_REWRITTEN = auto()
    LOG_WENT_BACK = auto()
    CHECKPOINT_UNREADABLE = auto()
    CHECKPOINT_FOREIGN = auto()
    FILM_MISSING = auto()
    FILM_CHANGED = auto()
    FILM_CUT = auto()
    FILM_LONGER = auto()
    FILM_SWAPPED = auto()
    CHAIN_MISSING = auto()
    CHAIN_CHANGED = auto()
    HOLE_UNDECLARED = auto()
    RECEIPT_WRONG = auto()
    RECEIPT_MISSING = auto()
    TOMBSTONE_WRONG = auto()
    ERASURE_UNFINISHED = auto()


_REMEDY_USE_COPY = _("Take an untouched copy from the box or a backup and verify that one.")
_REMEDY_TELL_OWNER = _(
    "Keep this copy as it is and tell the owner: somebody or some fault changed it after it was sealed."
)

PROBLEM_TEXTS: Mapping[ProofProblem, tuple[Text, Text]] = MappingProxyType(
    {
        ProofProblem.NO_PROOF: (
            _("there is no sealed proof"),
            _("Give the folder of one visit, with its manifest.json."),
        ),
        ProofProblem.UNREADABLE: (
            _("a file cannot be read"),
            _("Check the disk and the permissions, then verify again."),
        ),
        ProofProblem.NOT_PLAIN: (_("a file is a link or a device, which is never followed"), _REMEDY_USE_COPY),
        ProofProblem.MANIFEST_MALFORMED: (_("this is not a manifest that this program knows"), _REMEDY_USE_COPY),
        ProofProblem.UNSIGNED: (
            _("the manifest is not signed"),
            _("Let the box seal the visit again; until then it proves nothing."),
        ),
        ProofProblem.SIGNATURE_WRONG: (
            _("manifest or signature was changed: they do not belong together"),
            _REMEDY_TELL_OWNER,
        ),
        ProofProblem.FOREIGN_KEY: (
            _("another box signed this"),
            _("Compare the fingerprints: use the key of the box that filmed."),
        ),
        ProofProblem.KEY_REPLACED: (_("signed by a key that the box no longer had at that time"), _REMEDY_TELL_OWNER),
        ProofProblem.SUCCESSION_WRONG: (_("the line of the box's keys is not as the box signed it"), _REMEDY_USE_COPY),
        ProofProblem.PART_MISSING: (_("a part of the visit is missing"), _REMEDY_USE_COPY),
        ProofProblem.PART_FOREIGN: (_("this part does not belong to the part before it"), _REMEDY_TELL_OWNER),
        ProofProblem.MANIFEST_REPLACED: (
            _("another manifest was sealed, as remembered outside the box"),
            _REMEDY_TELL_OWNER,
        ),
        ProofProblem.LOG_MISSING: (_("the log of the visit is missing"), _REMEDY_USE_COPY),
        ProofProblem.LOG_MALFORMED: (_("the log of the visit is damaged"), _REMEDY_USE_COPY),
        ProofProblem.LOG_CHANGED: (_("an entry of the log was changed"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_ENTRY_MISSING: (_("an entry of the log was taken out"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_OUT_OF_ORDER: (_("entries of the log were put in another order"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_REPEATED: (_("an entry of the log stands twice"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_TRUNCATED: (_("the log was cut off"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_REWRITTEN: (_("the log is not the one remembered outside the box"), _REMEDY_TELL_OWNER),
        ProofProblem.LOG_WENT_BACK: (_("the box's log was rolled back to an older copy"), _REMEDY_TELL_OWNER),
        ProofProblem.CHECKPOINT_UNREADABLE: (
            _("the remembered checkpoint cannot be read"),
            _("Take it from the phone again."),
        ),
        ProofProblem.CHECKPOINT_FOREIGN: (
            _("the remembered checkpoint is another box's, or changed"),
            _("Take this box's own."),
        ),
        ProofProblem.FILM_MISSING: (_("a film is missing without a declared gap"), _REMEDY_USE_COPY),
        ProofProblem.FILM_CHANGED: (_("the film was changed"), _REMEDY_TELL_OWNER),
        ProofProblem.FILM_CUT: (_("the end of the film is missing"), _REMEDY_TELL_OWNER),
        ProofProblem.FILM_LONGER: (_("something was added after the end of the film"), _REMEDY_TELL_OWNER),
        ProofProblem.FILM_SWAPPED: (_("this is another film than the one that was sealed"), _REMEDY_TELL_OWNER),
        ProofProblem.CHAIN_MISSING: (_("the hash chain beside the film is missing"), _REMEDY_USE_COPY),
        ProofProblem.CHAIN_CHANGED: (_("the hash chain beside the film was changed"), _REMEDY_TELL_OWNER),
        ProofProblem.HOLE_UNDECLARED: (_("a camera's film lacks without a declared gap"), _REMEDY_TELL_OWNER),
        ProofProblem.RECEIPT_WRONG: (_("the courier's receipt is not the box's own of this visit"), _REMEDY_TELL_OWNER),
        ProofProblem.RECEIPT_MISSING: (_("the courier's receipt is missing"), _REMEDY_USE_COPY),
        ProofProblem.TOMBSTONE_WRONG: (_("the note of erasure is not the box's own of this visit"), _REMEDY_TELL_OWNER),
        ProofProblem.ERASURE_UNFINISHED: (
            _("erased, yet something is still here"),
            _("Let the box finish the erasure."),
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """The facts of one sealed part, from its manifest."""

    visit: str
    part: int
    entrance: str
    brand: str | None
    carrier: str | None
    outcome: Outcome | None
    house: DoorResult | None
    start: datetime
    end: datetime
    sealed_at: datetime
    clock_trusted: bool
    films: int
    decisions: int
    gaps: tuple[str, ...]
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class ProofDefect:
    """One defect, and its exact place."""

    problem: ProofProblem
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """The result of a verification. `problem` and `where` name the first defect; `parts` are those without one.

    `erased` describes an erasure (then there are no films to check). `notes` are not defects: no key was given to
    compare with, a file that no manifest names.
    """

    ok: bool
    code: ProofProblem | None = None
    problem: str | None = None
    where: str | None = None
    remedies: tuple[str, ...] = ()
    parts: tuple[PartReport, ...] = ()
    notes: tuple[str, ...] = ()
    erased: str | None = None
    fingerprint: str | None = None


def failed_result(
    wrong: ProofDefect, *, parts: tuple[PartReport, ...] = (), fingerprint: str | None = None
) -> VerificationResult:
    """Return the result for this defect."""
    problem, remedy = PROBLEM_TEXTS[wrong.problem]
    return VerificationResult(
        ok=False,
        code=wrong.problem,
        problem=problem.to(SOURCE),
        where=wrong.where,
        remedies=(remedy.to(SOURCE),),
        parts=parts,
        fingerprint=fingerprint,
    )
