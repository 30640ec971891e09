"""Signs checkpoints of the log, and compares the box's log with one that the owner's phone kept.

The hash chain alone reveals edits only if its end is known. A checkpoint names an end: a log that does not contain it
was changed, cut or rolled back. `check_log` and `check_rollback` raise `ProofDefect` for the first defect of the log.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from gateway.domain.now import Now
from gateway.evidence.verdict import ProofDefect, ProofProblem
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import ChainEntry, ChainFault, ChainHead, find_break
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import CanonicalModel, FileName, Hash, Id, SignedDocument
from gateway.system.atomic_file import read_regular
from gateway.system.dates import utc_text
from gateway.system.i18n import SOURCE

_MAX_FILE_BYTES = 16 * 2**20  # bytes of a phone's file: 40,000 checkpoints


class SealedPart(CanonicalModel):
    """A part of a visit that is sealed: the SHA-256 of its manifest."""

    visit: FileName
    part: int = Field(ge=1)
    manifest_sha256: Hash


class Checkpoint(SignedDocument):
    """At `at` the log of `box` ended with entry `seq`, whose hash was `hash`; `sealed`: what was sealed just then."""

    kind: Literal["perron checkpoint 1"] = "perron checkpoint 1"
    box: Id
    seq: int = Field(ge=0)
    hash: Hash
    at: AwareDatetime
    clock_trusted: bool
    sealed: SealedPart | None = None

    @property
    def head(self) -> ChainHead:
        """The end of the log that this checkpoint names."""
        return ChainHead(seq=self.seq, hash=bytes.fromhex(self.hash))


def sign_checkpoint(
    head: ChainHead, *, box: str, now: Now, key: BoxKey, sealed: SealedPart | None = None
) -> Checkpoint:
    """Sign the end of the log for the owner's phone. The box does it after each sealing and at least daily."""
    return Checkpoint(
        box=box, seq=head.seq, hash=head.hash.hex(), at=now.utc, clock_trusted=now.trusted, sealed=sealed
    ).signed(key)


def read_checkpoints(path: Path) -> tuple[Checkpoint, ...]:
    """Read a file of checkpoints kept outside the box: one a line, in any order.

    Raises:
        ValueError: a line is not a checkpoint.
        OSError: the file cannot be read.
    """
    checkpoints = []
    for number, line in enumerate(read_regular(path, at_most=_MAX_FILE_BYTES).splitlines(), start=1):
        if line.strip():
            try:
                checkpoints.append(Checkpoint.from_json(line.strip()))
            except ValueError as failure:
                raise ValueError(f"{path.name}, line {number}: not a checkpoint") from failure
    return tuple(checkpoints)


def _defect(problem: ProofProblem, file: str, seq: int, point: Checkpoint | None = None) -> ProofDefect:
    known = "" if point is None else f" (remembered: entry {point.seq} at {utc_text(point.at).to(SOURCE)})"
    return ProofDefect(problem, f"{file}, entry {seq}{known}")


_CHAIN_PROBLEMS: Mapping[ChainFault, ProofProblem] = {
    ChainFault.CHANGED: ProofProblem.LOG_CHANGED,
    ChainFault.MISSING: ProofProblem.LOG_ENTRY_MISSING,
    ChainFault.OUT_OF_ORDER: ProofProblem.LOG_OUT_OF_ORDER,
    ChainFault.REPEATED: ProofProblem.LOG_REPEATED,
}


def check_log(  # noqa: PLR0913 - a log, and what it is compared with
    file: str,
    entries: Iterable[ChainEntry],
    *,
    remembered: Sequence[Checkpoint],
    key: PublicKey,
    kin: Collection[PublicKey] = (),
    after: ChainHead | None = None,
) -> None:
    """Check the log in `file` (or the part of it that follows `after`) in itself and against remembered checkpoints.

    `kin` are the keys that the box had before `key`, or has since. Checkpoints of entries before the part prove nothing
    about it.
    """
    start = after or ChainHead()
    for point in remembered:
        if not any(point.is_signed_by(own_key) for own_key in (key, *kin)):
            raise _defect(ProofProblem.CHECKPOINT_FOREIGN, file, point.seq, point)
    log_entries = tuple(entries)
    broken = find_break(log_entries, after=start)
    if broken is not None:
        raise _defect(_CHAIN_PROBLEMS[broken.fault], file, broken.seq)
    hashes = {start.seq: start.hash} | {entry.seq: entry.hash for entry in log_entries}
    for point in sorted(remembered, key=lambda point: point.seq):
        if point.seq < start.seq:
            continue
        if point.seq not in hashes:
            raise _defect(ProofProblem.LOG_TRUNCATED, file, max(hashes) + 1, point)
        if hashes[point.seq] != point.head.hash:
            raise _defect(ProofProblem.LOG_REWRITTEN, file, point.seq, point)


def check_rollback(file: str, own: Checkpoint, remembered: Iterable[Checkpoint]) -> None:
    """Check that the log in `file`, which ends with `own`, was not rolled back: one that only grows never gets shorter.

    Only trusted times are compared: these never go back.
    """
    for point in remembered:
        if point.seq == own.seq and point.hash != own.hash:
            raise _defect(ProofProblem.LOG_REWRITTEN, file, own.seq, point)
        if point.seq > own.seq and point.at < own.at and point.clock_trusted and own.clock_trusted:
            raise _defect(ProofProblem.LOG_WENT_BACK, file, own.seq + 1, point)
