"""Seals one part of a visit. It writes the manifest last, so a proof is complete or absent."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from gateway.domain.now import Now
from gateway.evidence.checkpoint import Checkpoint, SealedPart, sign_checkpoint
from gateway.evidence.extract import write_extract
from gateway.evidence.log_span import LogSpan
from gateway.evidence.logged_result import as_logged, read_result
from gateway.evidence.manifest import (
    MAX_MANIFEST_BYTES,
    ClipRecord,
    FilmGap,
    LogExtract,
    LogPosition,
    Manifest,
    ManifestDraft,
    log_name,
    manifest_name,
    signature_name,
    undeclared_gaps,
)
from gateway.evidence.permits import are_signed
from gateway.evidence.receipt import RECEIPT_FILE
from gateway.evidence.route import RouteGap, read_route
from gateway.evidence.route_check import times_ascend
from gateway.protocol.hash_chain import ChainEntry
from gateway.protocol.keys import BoxKey
from gateway.system.atomic_file import open_regular, read_regular, write_with_last
from gateway.system.regular_file import FileTooLarge, NotRegularFile

MAX_LOG_BYTES = 64 * 2**20
MAX_SIDECAR_BYTES = 64 * 2**20


class EarlierPartUnsealed(Exception):  # noqa: N818 - the caller seals that part first
    """The part before this one, which its manifest must name, is not sealed yet."""


def seal_part(  # noqa: PLR0913 - the draft, the log, the receipt and the key are four things
    folder: Path, draft: ManifestDraft, *, span: LogSpan, now: Now, key: BoxKey, receipt: bytes | None = None
) -> tuple[SealedPart, Checkpoint]:
    """Write log extract, signature and manifest into the visit's folder durably, the manifest last.

    `span` shows the entries of this visit. The first part has a courier's `receipt`, or the one in the folder. A part
    that is sealed already is returned as it is; a half written one is sealed again. Undeclared time without film gets a
    gap here: `not_filmed`, or `film_lost` if a file is missing. The checkpoint is for the owner's phone.

    Raises:
        EarlierPartUnsealed: seal the part before this one first.
        OSError: something could not be read or written; seal again.
        ValueError: a name is not one that can be sealed (a bug).
    """
    before = _sealed_before(folder, draft, key)
    if before is not None:
        return _proof(*before, key)
    previous = _file_sha256(folder / manifest_name(draft.part - 1)) if draft.part > 1 else None
    if draft.part > 1 and previous is None:
        raise EarlierPartUnsealed
    end = sign_checkpoint(span.last, box=draft.box, now=now, key=key)
    log = write_extract(span, end)
    clips, lost = _clips(folder, draft)
    gaps = (*draft.gaps, *lost)
    gaps += undeclared_gaps(draft.film, cameras=draft.cameras, clips=clips, gaps=gaps)
    version, stated = _stated(span.shown, draft)
    manifest = Manifest(
        **dict(draft) | {"clips": clips, "gaps": gaps} | stated,
        version=version,
        key=key.public.text,
        previous_sha256=previous,
        decisions=tuple(LogPosition(seq=entry.seq, hash=entry.hash.hex()) for entry in span.shown),
        log=LogExtract(
            file=log_name(draft.part),
            sha256=sha256(log).hexdigest(),
            after=LogPosition(seq=span.after.seq, hash=span.after.hash.hex()),
            last=LogPosition(seq=end.seq, hash=end.hash),
        ),
        receipt_sha256=_receipt_sha256(folder, receipt) if draft.part == 1 else None,
        sealed_at=now.utc,
        clock_trusted=now.trusted,
    )
    data = manifest.to_json()
    files = {log_name(draft.part): log, signature_name(draft.part): key.sign(data)}
    if receipt is not None:
        files[RECEIPT_FILE] = receipt
    write_with_last(folder, files, manifest_name(draft.part), data)
    return _proof(manifest, data, key)


def next_part(folder: Path) -> tuple[int, int]:
    """Return the number of the next part, and the last log entry of the part before it (0: there is none).

    Raises:
        OSError: a manifest cannot be read.
    """
    number, last = 1, 0
    while True:
        try:
            data = read_regular(folder / manifest_name(number), at_most=MAX_MANIFEST_BYTES)
            last = Manifest.from_json(data).log.last.seq
        except FileNotFoundError:
            return number, last
        except ValueError as failure:
            raise OSError(f"{folder.name}: {manifest_name(number)} is damaged") from failure
        number += 1


def _stated(entries: Sequence[ChainEntry], draft: ManifestDraft) -> tuple[Literal[2, 4, 5, 6, 7], dict[str, Any]]:
    """Return the way in and the visit's end in these entries, and the manifest's version.

    The version is 2 if they order something open and name no route: the visit began under a release that did not log
    it. It is 7 only if an opening used a supervisor's yes, 6 only if one rested on values that grow old (or used a yes
    before the log had what was signed), and 5 only if the visit collected something or has items: earlier releases read
    version 4.
    """
    bodies = tuple(json.loads(entry.body) for entry in entries if isinstance(entry.body, bytes))
    reading = read_route(bodies, part=draft.part)
    if reading.unexplained:
        return 2, {}
    account, evidence = reading.account, reading.account.evidence
    if account.route and (reading.went_back or not times_ascend(account)):
        evidence = evidence.model_copy(update={"gaps": (*evidence.gaps, RouteGap.CLOCK_STEPPED.value)})
    ended = as_logged(dict(draft), read_result(bodies), is_incomplete=reading.is_incomplete)
    is_new = (account.collected or account.cold_chain) is not None
    version: Literal[4, 5, 6, 7] = 6 if account.permits or account.ages else 5 if is_new else 4
    if are_signed(account.permits):
        version = 7
    return version, dict(account) | {"evidence": evidence} | ended


def _receipt_sha256(folder: Path, receipt: bytes | None) -> str | None:
    return _file_sha256(folder / RECEIPT_FILE) if receipt is None else sha256(receipt).hexdigest()


def _file_sha256(file: Path) -> str | None:
    try:
        return sha256(read_regular(file, at_most=MAX_MANIFEST_BYTES)).hexdigest()
    except FileNotFoundError:
        return None


def _clips(folder: Path, draft: ManifestDraft) -> tuple[tuple[ClipRecord, ...], tuple[FilmGap, ...]]:
    """Return a record of each existing film, with its sidecar, and a gap for each missing one."""
    clips: list[ClipRecord] = []
    lost: list[FilmGap] = []
    for clip in draft.clips:
        try:
            open_regular(folder / clip.file).close()
        except (FileNotFoundError, NotRegularFile):
            lost.append(FilmGap(camera=clip.camera, start=clip.start, end=clip.end, why="film_lost"))
            continue
        sidecar = clip.file.removesuffix(".mp4") + ".jsonl"
        try:
            links = read_regular(folder / sidecar, at_most=MAX_SIDECAR_BYTES)
        except (FileNotFoundError, NotRegularFile, FileTooLarge):
            clips.append(clip)
        else:
            chain = {"sidecar": sidecar, "sidecar_sha256": sha256(links).hexdigest()}
            clips.append(clip.model_copy(update=chain))
    return tuple(clips), tuple(lost)


def _sealed_before(folder: Path, draft: ManifestDraft, key: BoxKey) -> tuple[Manifest, bytes] | None:
    """Return the existing manifest and its bytes; None if it is incomplete or not signed by this key: write anew."""
    try:
        data = read_regular(folder / manifest_name(draft.part), at_most=MAX_MANIFEST_BYTES)
        signature = read_regular(folder / signature_name(draft.part), at_most=64)
    except (FileNotFoundError, NotRegularFile, FileTooLarge):
        return None
    if not key.public.verifies(signature, data):
        return None
    manifest = Manifest.from_json(data)
    if (manifest.visit, manifest.part) != (draft.visit, draft.part):
        raise ValueError(f"{folder.name} holds another visit's proof")
    return manifest, data


def _proof(manifest: Manifest, data: bytes, key: BoxKey) -> tuple[SealedPart, Checkpoint]:
    sealed = SealedPart(visit=manifest.visit, part=manifest.part, manifest_sha256=sha256(data).hexdigest())
    now = Now(utc=manifest.sealed_at, trusted=manifest.clock_trusted, mono=0)
    return sealed, sign_checkpoint(manifest.log.last.head, box=manifest.box, now=now, key=key, sealed=sealed)
