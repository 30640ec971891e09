"""Detects an older copy of the store by a signed mark beside it and by the sealed proofs.

The mark (`last-checkpoint.json`) is a checkpoint of the log. The box writes it after it commits a step that uses up or
revokes access (an intent, a stop, a decision on a brand or a key, a sealed proof, a start), and before it acts on that
step. If the store lacks the entry that its mark names, somebody restored an older copy. A crash between commit and mark
causes no doubt: the store has the entry that the older mark names, and the box had not sent anything.

The store is also in doubt if a mark was written once and no valid one exists, or if the box's key is missing or another
one.

An attacker can restore an older store together with its older mark. The proofs sealed since then reveal this, because
each names the log entry with which it ends. If the attacker restores the proofs too, or if the box sealed none since
then, the box cannot detect it. The checkpoints on the owner's phone and the hub's chain of events can.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from typing import Protocol

import structlog

from gateway.domain.visit.state import Now
from gateway.evidence import succession
from gateway.evidence.checkpoint import Checkpoint, checkpoint
from gateway.evidence.manifest import Manifest
from gateway.protocol.hash_chain import GENESIS, Head
from gateway.protocol.key_succession import Line
from gateway.protocol.keys import BoxKey, KeyDamaged, KeyGone, KeyUnusable, PublicKey, set_aside
from gateway.storage.doubts import Known, doubted, read
from gateway.system.atomic_file import read_regular, write_whole

LAST_CHECKPOINT = "last-checkpoint.json"
STORE = "perron.sqlite3"
KEYS = "key"  # the folder of the box's keys, under the storage folder
PROOFS = "visits"  # the folder of films and proofs, under the storage folder
MAX_PROOFS = 500  # that are compared at a start, the newest: about half a second on a small box
MAX_MANIFEST_BYTES = 1_048_576
_LARGEST = 65_536  # bytes of a mark: a hundred times what one has

log = structlog.get_logger(__name__)


class Doubt(StrEnum):
    """Why a store may not be the one that the box used last."""

    ROLLED_BACK = auto()  # its log lacks the entry that the mark names
    MARK_MISSING = auto()
    MARK_DAMAGED = auto()
    MARK_FOREIGN = auto()  # signed by a key that is not the box's
    KEY_LOST = auto()
    KEY_DAMAGED = auto()
    KEY_FOREIGN = auto()  # another key than the one noted in the store, and none that follows it
    LINE_DAMAGED = auto()  # the statement by which one key follows another


@dataclass(frozen=True, slots=True)
class Sealed:
    """A proof's visit, and the last entry of the log when the box sealed it."""

    visit: str
    head: Head


def sealed(folder: Path, kin: Collection[PublicKey]) -> tuple[Sealed, ...]:
    """Read the newest proofs in a storage folder. Proofs that none of these keys signed are ignored."""
    found = []
    for manifest in _newest(folder / PROOFS):
        try:
            data = read_regular(manifest, at_most=MAX_MANIFEST_BYTES)
            signature = read_regular(manifest.with_suffix(".sig"), at_most=64)
            if any(key.verifies(signature, data) for key in kin):
                said = Manifest.from_json(data)
                found.append(Sealed(said.visit, said.log.last.head))
        except (OSError, ValueError):  # no proof: `perron verify` says what is wrong with it
            continue
    return tuple(found)


def _newest(visits: Path) -> list[Path]:
    try:
        changed = [(path.stat().st_mtime_ns, path) for path in visits.glob("*/manifest*.json")]
    except OSError:
        return []
    return [path for _, path in sorted(changed, reverse=True)[:MAX_PROOFS]]


def strange(proofs: Sequence[Sealed], store: "Log", acknowledged: Collection[str]) -> tuple[str, ...]:
    """Return the visits whose proofs name a log entry that the store lacks, except the `acknowledged` ones."""
    return tuple(
        sorted({
            one.visit for one in proofs
            if one.visit not in acknowledged and store.hash_at(one.head.seq) != one.head.hash
        })
    )  # fmt: skip


class Log(Protocol):
    """The part of the store that is compared with the mark."""

    def hash_at(self, seq: int) -> bytes | None:
        """Return the chain's hash at an entry; None: there is none."""
        ...


class Marks:
    """Writes the mark, from the store's thread and from others. `held`: it must stay as it is for now.

    `reached` is called with the name of each point at which a test may end the process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        box: str,
        key: BoxKey,
        held: Callable[[], bool] = lambda: False,
        reached: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._file = folder / LAST_CHECKPOINT
        self._box, self._key, self._held, self._reached = box, key, held, reached
        self._lock = threading.Lock()
        self._seq = -1  # the entry that the mark names, once one was written

    def write(self, head: Head, now: Now) -> bool:
        """Write durably that the log has come so far; False: the disk did not take it, and what stood there still does.

        A mark that is newer already stays.
        """
        self._reached("before-mark")
        try:
            kept = self.keep(checkpoint(head, box=self._box, now=now, key=self._key))
        except OSError as failure:
            log.error("mark_not_written", file=str(self._file), why=str(failure))
            return False
        self._reached("after-mark")
        return kept

    def keep(self, signed: Checkpoint) -> bool:
        """Keep a checkpoint as the mark; False: it is held as it is.

        Raises:
            OSError: the disk did not take it.
        """
        with self._lock:
            if self._held():
                return False
            if signed.seq >= self._seq:
                write_whole(self._file, signed.to_json())
                self._seq = signed.seq
        return True


def own_key(folder: Path) -> tuple[BoxKey, Line, Doubt | None]:
    """Load the box's key and the line of those before it. A box without a store makes its first one.

    Where a box that has a store has lost its key, a new one is made, and the doubt says so. What is left of the old
    one is set aside, never deleted.

    Raises:
        KeyUnusable: others may read the key, or a new box finds a damaged one.
        OSError: the folder cannot be read or written.
    """
    keys, used = folder / KEYS, (folder / STORE).exists()
    doubt: Doubt | None = None
    try:
        line = succession.line_in(keys)
    except ValueError:
        doubt, line = Doubt.LINE_DAMAGED, Line()
    try:
        key = BoxKey.load(keys)
    except KeyGone:
        key, doubt = None, Doubt.KEY_LOST
    except KeyDamaged:
        if not used:
            raise
        key, doubt = None, Doubt.KEY_DAMAGED
    if doubt is not None or (key is not None and line.steps and key.public not in line.keys):
        line = Line()
        if used:
            set_aside(keys, succession.SUCCESSION, *(() if key is not None else succession.FILES))
    if key is None:
        key = BoxKey.at(keys)
        log.warning("key_made", fingerprint=key.public.fingerprint)
    return key, line, doubt if used else None


def examine(  # noqa: PLR0913, PLR0917 - a store and all that it is compared with
    file: Path, store: Log, found: Known, key: PublicKey, line: Line, proofs: Sequence[Sealed] = ()
) -> Doubt | None:
    """Compare a store with the mark in `file`; None: it is the one that the box used last, as far as can be known.

    `line` is that of the box's keys: one of before may have signed the mark. `proofs`: what `sealed` found.
    """
    kin = line.kin(key)
    if found.signer is not None and found.signer not in {one.text for one in kin}:
        return Doubt.KEY_FOREIGN
    try:
        last = Checkpoint.from_json(read_regular(file, at_most=_LARGEST))
        intact = last.is_signed_by(PublicKey.from_text(last.key))
    except FileNotFoundError:
        if strange(proofs, store, found.strange):
            return Doubt.ROLLED_BACK
        return Doubt.MARK_MISSING if found.mark_due else None
    except (OSError, ValueError):
        return Doubt.MARK_DAMAGED
    if not intact:
        return Doubt.MARK_DAMAGED
    if not any(last.is_signed_by(one) for one in kin):
        return Doubt.MARK_FOREIGN
    there = GENESIS if last.seq == 0 else store.hash_at(last.seq)
    if there == last.head.hash and not strange(proofs, store, found.strange):
        return None
    return Doubt.ROLLED_BACK


def standing(folder: Path, entrances: Collection[str]) -> str | None:
    """Why the store in `folder` is in doubt, told from beside a gateway; a word of `Doubt`, or None.

    It is what the next start would find, or what the last one found and nobody has acknowledged at these entrances.

    Raises:
        KeyUnusable: others may read the key.
        OSError: store or key cannot be read.
    """
    keys = folder / KEYS
    try:
        key, line = BoxKey.load(keys).public, succession.line_in(keys)
    except KeyGone:
        return Doubt.KEY_LOST
    except KeyDamaged:
        return Doubt.KEY_DAMAGED
    except KeyUnusable:
        raise
    except ValueError:
        return Doubt.LINE_DAMAGED
    with read(folder / STORE) as seen:
        if seen is None:
            return None  # an older program's: the next start brings it up to date
        known, log_of_it = seen
        doubt = examine(folder / LAST_CHECKPOINT, log_of_it, known, key, line, sealed(folder, line.kin(key)))
        return doubted(known, entrances) if doubt is None else doubt
