"""Detects an older copy of the store by a signed mark beside it and by the sealed proofs.

The mark (`last-checkpoint.json`) is a checkpoint of the log. The box writes it after it commits a step that uses up or
revokes access (an intent, a stop, a decision on a brand or a key, a sealed proof, a start), and before it acts on that
step. It waits until the disk has the mark, except for the intent of a visit of which the disk has a mark already, from
its beginning: then it writes the mark, which no end of the process loses, and syncs it just after it has acted. If the
store lacks the entry that its mark names, somebody restored an older copy. A crash between commit and mark
causes no doubt: the store has the entry that the older mark names, and the box had not sent anything.

The store is also in doubt if a mark was written once and no valid one exists, or if the box's key is missing or another
one.

A store that was copied before a visit is thus noticed in any case. One that was copied during a visit, before the
intent, is not noticed if the power fails within the moment between the unlock and the sync.

An attacker can restore an older store together with its older mark. The proofs sealed since then reveal this, because
each names the log entry with which it ends. If the attacker restores the proofs too, or if the box sealed none since
then, the box cannot detect it. The checkpoints on the owner's phone and the hub's chain of events can.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum, auto
from pathlib import Path

import structlog

from gateway.domain.now import Now
from gateway.evidence import succession
from gateway.evidence.checkpoint import Checkpoint, sign_checkpoint
from gateway.evidence.manifest import MAX_MANIFEST_BYTES, VISITS_FOLDER, Manifest
from gateway.protocol.ed25519 import KeyDamaged, KeyUnusable, PublicKey
from gateway.protocol.hash_chain import GENESIS, ChainHead
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey, KeyMissing, set_aside
from gateway.storage.doubts import HashAt, StoreCondition, open_read_only
from gateway.system.atomic_file import overwrite_sector, read_regular, sync_data, write_whole

MARK_FILE = "last-checkpoint.json"
STORE_FILE = "perron.sqlite3"
KEYS_FOLDER = "key"  # the folder of the box's keys, under the storage folder
MAX_COMPARED_PROOFS = 500  # that are compared at a start, the newest: about half a second on a small box
_MAX_MARK_BYTES = 65_536  # bytes of a mark: a hundred times what one has

log = structlog.get_logger(__name__)


class StoreDoubt(StrEnum):
    """Why a store may not be the one that the box used last."""

    ROLLED_BACK = auto()  # its log lacks the entry that the mark names
    MARK_MISSING = auto()
    MARK_DAMAGED = auto()
    MARK_FOREIGN = auto()  # signed by a key that is not the box's
    KEY_LOST = auto()
    KEY_DAMAGED = auto()
    KEY_FOREIGN = auto()  # neither the key noted in the store nor one that followed it
    LINE_DAMAGED = auto()  # the statement by which one key follows another


SealedProof = tuple[str, ChainHead]
"""A proof's visit, and the last entry of the log when the box sealed it."""


def read_sealed_proofs(folder: Path, kin: Collection[PublicKey]) -> tuple[SealedProof, ...]:
    """Read the newest proofs in a storage folder. Proofs that none of these keys signed are ignored."""
    proofs = []
    for manifest in _newest_manifests(folder / VISITS_FOLDER):
        try:
            data = read_regular(manifest, at_most=MAX_MANIFEST_BYTES)
            signature = read_regular(manifest.with_suffix(".sig"), at_most=64)
            if any(key.verifies(signature, data) for key in kin):
                sealed = Manifest.from_json(data)
                proofs.append((sealed.visit, sealed.log.last.head))
        except (OSError, ValueError):  # `perron verify` explains the defect
            continue
    return tuple(proofs)


def _newest_manifests(visits: Path) -> list[Path]:
    try:
        changed = [(path.stat().st_mtime_ns, path) for path in visits.glob("*/manifest*.json")]
    except OSError:
        return []
    return [path for _, path in sorted(changed, reverse=True)[:MAX_COMPARED_PROOFS]]


def foreign_visits(proofs: Sequence[SealedProof], hash_at: HashAt, acknowledged: Collection[str]) -> tuple[str, ...]:
    """Return the visits whose proofs name a log entry that the store lacks, except the `acknowledged` ones."""
    foreign = {visit for visit, head in proofs if visit not in acknowledged and hash_at(head.seq) != head.hash}
    return tuple(sorted(foreign))


@dataclass(eq=False, repr=False)
class MarkWriter:
    """Writes the mark, from the store's thread and from others, unless `is_held()` says that it must stay as it is.

    `crash_point` is called with the name of each point at which a test may end the process.
    """

    folder: Path
    _: KW_ONLY
    box: str
    key: BoxKey
    is_held: Callable[[], bool] = lambda: False
    crash_point: Callable[[str], None] = lambda _point: None

    def __post_init__(self) -> None:
        self._file = self.folder / MARK_FILE
        self._lock = threading.Lock()
        self._seq = -1  # the entry that the mark names, once one was written
        self._is_intact = False  # this process wrote the file, and the disk took all that was synced
        self._synced_seq = -1

    @property
    def synced_seq(self) -> int:
        """The entry that a mark on the disk names for certain; -1: none of this process."""
        return self._synced_seq

    def write(self, head: ChainHead, now: Now, *, is_synced: bool = True) -> bool:
        """Write the mark, unless a newer one exists; False if it was not written: the old one is unchanged.

        It is on the disk then, or with `is_synced` False only safe from the end of this process, until `finish`.
        """
        self.crash_point("before-mark")
        try:
            signed = sign_checkpoint(head, box=self.box, now=now, key=self.key)
            is_written = self.write_signed(signed, is_synced=is_synced)
        except OSError as failure:
            log.error("mark_not_written", file=str(self._file), why=str(failure))
            return False
        self.crash_point("after-mark")
        return is_written

    def finish(self, head: ChainHead, now: Now) -> None:
        """Have a mark that names this entry, or a newer one, on the disk."""
        if not self._sync_written(head.seq):
            self.write(head, now)

    def _sync_written(self, seq: int) -> bool:
        """Sync the mark that was written last; return False if it names an older entry than `seq` or the sync fails."""
        with self._lock:
            if self._synced_seq < seq <= self._seq and self._is_intact:
                self._is_intact = False  # if the sync fails, the next mark is a new file
                try:
                    sync_data(self._file)
                except OSError as failure:
                    log.error("mark_not_written", file=str(self._file), why=str(failure))
                else:
                    self._synced_seq, self._is_intact = self._seq, True
            return self._synced_seq >= seq

    def write_signed(self, signed: Checkpoint, *, is_synced: bool = True) -> bool:
        """Keep a checkpoint as the mark; False: it is held as it is. OSError: the disk did not take it.

        The mark does not have what was sealed: so all marks have one length, and the next one is written over this one.
        """
        if signed.sealed is not None:
            signed = signed.model_copy(update={"sealed": None}).signed(self.key)
        with self._lock:
            if self.is_held():
                return False
            if signed.seq >= self._seq:
                is_synced = self._store(signed.to_json(), is_synced=is_synced)
                self._seq = signed.seq
                self._synced_seq = signed.seq if is_synced else self._synced_seq
        return True

    def _store(self, data: bytes, *, is_synced: bool) -> bool:
        is_intact, self._is_intact = self._is_intact, False
        is_over = is_intact and overwrite_sector(self._file, data, is_synced=is_synced)
        if not is_over:
            write_whole(self._file, data)
        self._is_intact = True
        return is_synced or not is_over


def load_own_key(folder: Path) -> tuple[BoxKey, KeyHistory, StoreDoubt | None]:
    """Load the box's key and the history of its keys. A box without a store makes its first key.

    If a box with a store has lost its key, this function makes a new one and returns the doubt. It sets aside what is
    left of the old key and never deletes it.

    Raises:
        KeyUnusable: others may read the key, or a new box finds a damaged one.
        OSError: the folder cannot be read or written.
    """
    keys, used = folder / KEYS_FOLDER, (folder / STORE_FILE).exists()
    doubt: StoreDoubt | None = None
    try:
        line = succession.read_key_history(keys)
    except ValueError:
        doubt, line = StoreDoubt.LINE_DAMAGED, KeyHistory()
    try:
        key = BoxKey.load(keys)
    except KeyMissing:
        key, doubt = None, StoreDoubt.KEY_LOST
    except KeyDamaged:
        if not used:
            raise
        key, doubt = None, StoreDoubt.KEY_DAMAGED
    if doubt is not None or (key is not None and line.steps and key.public not in line.keys):
        line = KeyHistory()
        if used:
            set_aside(keys, succession.SUCCESSION_FILE, *(() if key is not None else succession.KEY_FILES))
    if key is None:
        key = BoxKey.load_or_create(keys)
        log.warning("key_made", fingerprint=key.public.fingerprint)
    return key, line, doubt if used else None


def _read_mark(file: Path) -> Checkpoint:
    """Return the mark. ValueError: it is damaged. OSError: it cannot be read."""
    mark = Checkpoint.from_json(read_regular(file, at_most=_MAX_MARK_BYTES))
    if not mark.is_signed_by(PublicKey.from_text(mark.key)):
        raise ValueError("the mark is not signed by the key that it names")
    return mark


def find_doubt(  # noqa: PLR0913, PLR0917 - a store and all that it is compared with
    file: Path,
    hash_at: HashAt,
    condition: StoreCondition,
    key: PublicKey,
    line: KeyHistory,
    proofs: Sequence[SealedProof] = (),
) -> StoreDoubt | None:
    """Compare a store with the mark in `file`; None: it is the one that the box used last, as far as can be known.

    `line` is that of the box's keys: one of before may have signed the mark. `proofs`: what `read_sealed_proofs` found.
    """
    kin = line.keys_of_same_box(key)
    if condition.signer is not None and condition.signer not in {own_key.text for own_key in kin}:
        return StoreDoubt.KEY_FOREIGN
    try:
        last = _read_mark(file)
    except FileNotFoundError:
        if foreign_visits(proofs, hash_at, condition.foreign_visits):
            return StoreDoubt.ROLLED_BACK
        return StoreDoubt.MARK_MISSING if condition.mark_due else None
    except (OSError, ValueError):
        return StoreDoubt.MARK_DAMAGED
    if not any(last.is_signed_by(own_key) for own_key in kin):
        return StoreDoubt.MARK_FOREIGN
    stored_hash = GENESIS if last.seq == 0 else hash_at(last.seq)
    if stored_hash == last.head.hash and not foreign_visits(proofs, hash_at, condition.foreign_visits):
        return None
    return StoreDoubt.ROLLED_BACK


def current_doubt(folder: Path, entrances: Collection[str]) -> str | None:
    """Return why the store in `folder` is in doubt (a `StoreDoubt`), or None. A gateway may run meanwhile.

    The doubt is that of the next start, or that of the last one if an owner did not acknowledge it at these entrances.

    Raises:
        KeyUnusable: others may read the key.
        OSError: store or key cannot be read.
    """
    keys = folder / KEYS_FOLDER
    try:
        key, line = BoxKey.load(keys).public, succession.read_key_history(keys)
    except KeyMissing:
        return StoreDoubt.KEY_LOST
    except KeyDamaged:
        return StoreDoubt.KEY_DAMAGED
    except KeyUnusable:
        raise
    except ValueError:
        return StoreDoubt.LINE_DAMAGED
    with open_read_only(folder / STORE_FILE) as store:
        if store is None:
            return None  # an older version's: the next start migrates it
        condition, hash_at = store
        proofs = read_sealed_proofs(folder, line.keys_of_same_box(key))
        doubt = find_doubt(folder / MARK_FILE, hash_at, condition, key, line, proofs)
        if doubt is StoreDoubt.MARK_DAMAGED:  # or the gateway was just writing over it
            doubt = find_doubt(folder / MARK_FILE, hash_at, condition, key, line, proofs)
        return condition.doubt if doubt is None and not condition.in_doubt.isdisjoint(entrances) else doubt
