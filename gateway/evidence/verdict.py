"""Defines the results of a verification, with texts that a person without training can act on."""

from enum import StrEnum
from typing import Self

from gateway.domain.frozen import Frozen
from gateway.evidence.manifest import Manifest
from gateway.system.i18n import SOURCE, Text, _

_USE_COPY = _("Take an untouched copy from the box or a backup and verify that one.")
_BOX_CONTRADICTS = _(
    "Keep this copy unchanged, and inform the owner and the person who maintains the box: the box itself sealed this "
    "content."
)
_TELL_OWNER = _("Keep this copy as it is and tell the owner: somebody or some fault changed it after it was sealed.")


class ProofProblem(StrEnum):
    """A defect of a proof: its code, its text, and what to do about it."""

    text: Text
    remedy: Text

    def __new__(cls, code: str, text: Text, remedy: Text = _TELL_OWNER) -> Self:
        """Make a member whose value is its code."""
        problem = str.__new__(cls, code)
        problem._value_ = code
        problem.text, problem.remedy = text, remedy
        return problem

    NO_PROOF = "no_proof", _("there is no sealed proof"), _("Give the folder of one visit, with its manifest.json.")
    UNREADABLE = "unreadable", _("a file cannot be read"), _("Check the disk and the permissions, then verify again.")
    NOT_PLAIN = "not_plain", _("a file is a link or a device, which is never followed"), _USE_COPY
    MANIFEST_MALFORMED = "manifest_malformed", _("this is not a manifest that this program knows"), _USE_COPY
    MANIFEST_NEWER = (
        "manifest_newer",
        _("a later release of the program sealed this in a format that this release does not know"),
        _("Verify it with that release or a later one."),
    )
    UNSIGNED = (
        "unsigned",
        _("the manifest is not signed"),
        _("Let the box seal the visit again; until then it proves nothing."),
    )
    SIGNATURE_WRONG = "signature_wrong", _("manifest or signature was changed: they do not belong together")
    FOREIGN_KEY = (
        "foreign_key",
        _("another box signed this"),
        _("Compare the fingerprints: use the key of the box that filmed."),
    )
    KEY_REPLACED = "key_replaced", _("signed by a key that the box no longer had at that time")
    SUCCESSION_WRONG = "succession_wrong", _("the line of the box's keys is not as the box signed it"), _USE_COPY
    PART_MISSING = "part_missing", _("a part of the visit is missing"), _USE_COPY
    PART_FOREIGN = "part_foreign", _("this part does not belong to the part before it")
    MANIFEST_REPLACED = "manifest_replaced", _("another manifest was sealed, as remembered outside the box")
    LOG_MISSING = "log_missing", _("the log of the visit is missing"), _USE_COPY
    LOG_CHANGED = "log_changed", _("an entry of the log was changed")
    LOG_ENTRY_MISSING = "log_entry_missing", _("an entry of the log was taken out")
    LOG_OUT_OF_ORDER = "log_out_of_order", _("entries of the log were put in another order")
    LOG_REPEATED = "log_repeated", _("an entry of the log stands twice")
    LOG_TRUNCATED = "log_truncated", _("the log was cut off")
    LOG_REWRITTEN = "log_rewritten", _("the log is not the one remembered outside the box")
    LOG_WENT_BACK = "log_went_back", _("the box's log was rolled back to an older copy")
    CHECKPOINT_UNREADABLE = (
        "checkpoint_unreadable",
        _("the remembered checkpoint cannot be read"),
        _("Take it from the phone again."),
    )
    CHECKPOINT_FOREIGN = (
        "checkpoint_foreign",
        _("the remembered checkpoint is another box's, or changed"),
        _("Take this box's own."),
    )
    ROUTE_DIFFERS = "route_differs", _("the manifest differs from the log about the way in"), _BOX_CONTRADICTS
    ROUTE_TIMES = "route_times", _("the times of the way in are not in order"), _BOX_CONTRADICTS
    ROUTE_ORDER = (
        "route_order",
        _(
            "a closure was ordered open without its stored intent, or before the closure in front of it was proven "
            "secured"
        ),
        _BOX_CONTRADICTS,
    )
    ROUTE_STALE = "route_stale", _("an answer is older than the last order"), _BOX_CONTRADICTS
    ROUTE_UNPROVEN = (
        "route_unproven",
        _("a closure is stated as secured without the answers that prove it"),
        _BOX_CONTRADICTS,
    )
    OPENING_UNPERMITTED = (
        "opening_unpermitted",
        _("something was opened without the supervisor's yes that it needs"),
        _BOX_CONTRADICTS,
    )
    FILM_MISSING = "film_missing", _("a film is missing without a declared gap"), _USE_COPY
    FILM_CHANGED = "film_changed", _("the film was changed")
    FILM_CUT = "film_cut", _("the end of the film is missing")
    FILM_LONGER = "film_longer", _("something was added after the end of the film")
    FILM_SWAPPED = "film_swapped", _("this is another film than the one that was sealed")
    CHAIN_MISSING = "chain_missing", _("the hash chain beside the film is missing"), _USE_COPY
    CHAIN_CHANGED = "chain_changed", _("the hash chain beside the film was changed")
    HOLE_UNDECLARED = "hole_undeclared", _("a camera's film lacks without a declared gap")
    RECEIPT_WRONG = "receipt_wrong", _("the courier's receipt is not the box's own of this visit")
    RECEIPT_MISSING = "receipt_missing", _("the courier's receipt is missing"), _USE_COPY
    TOMBSTONE_WRONG = "tombstone_wrong", _("the note of erasure is not the box's own of this visit")
    ERASURE_UNFINISHED = (
        "erasure_unfinished",
        _("erased, yet something is still here"),
        _("Let the box finish the erasure."),
    )


class ProofDefect(Exception):  # noqa: N818 - verification turns it into its result
    """The first defect of a proof, and its exact place."""

    def __init__(self, problem: ProofProblem, where: str) -> None:
        super().__init__(problem, where)
        self.problem, self.where = problem, where


class VerifiedPart(Frozen, kw_only=False):
    """A sealed part without a defect: its manifest, and the SHA-256 of that."""

    manifest: Manifest
    sha256: str


class VerificationResult(Frozen):
    """The result of a verification. `code` and `where` name the first defect; `parts` are those without one.

    `erased` describes an erasure (then there are no films to check). `notes` are not defects: no key was given to
    compare with, a file that no manifest names.
    """

    code: ProofProblem | None = None
    where: str | None = None
    parts: tuple[VerifiedPart, ...] = ()
    notes: tuple[str, ...] = ()
    erased: str | None = None
    fingerprint: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the proof holds."""
        return self.code is None

    @property
    def problem(self) -> str | None:
        """The first defect in words."""
        return None if self.code is None else self.code.text.to(SOURCE)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do about the defect."""
        return () if self.code is None else (self.code.remedy.to(SOURCE),)
