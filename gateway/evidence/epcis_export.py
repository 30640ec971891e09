"""Exports one verified proof as a signed EPCIS document: `NAME.json`, and `NAME.json.sig` beside it.

The signature is the box's, over the exact bytes of the document: 64 raw bytes, Ed25519, as `manifest.sig`.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.evidence.epcis import epcis_document
from gateway.evidence.extract import entry_bodies
from gateway.evidence.manifest import Manifest
from gateway.evidence.seal import MAX_LOG_BYTES
from gateway.evidence.verdict import VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey
from gateway.system.atomic_file import read_regular, write_whole

SIGNATURE_SUFFIX = ".sig"


class ProofNotVerified(Exception):  # noqa: N818 - the result of the verification, which the caller words
    """The proof does not hold, or its films and log were erased, so nothing is exported from it."""

    def __init__(self, verdict: VerificationResult) -> None:
        super().__init__(f"{verdict.problem}: {verdict.where}" if not verdict.ok else f"erased: {verdict.erased}")
        self.verdict = verdict


def signed_epcis(  # noqa: PLR0913 - the proof, the key, and what the log leaves out
    folder: Path,
    *,
    key: BoxKey,
    line: KeyHistory,
    zone: ZoneInfo,
    made: datetime,
    codes: Mapping[str, str],
) -> tuple[bytes, bytes]:
    """Return the document of a proof's folder, and the box's signature over its bytes. Arguments as `epcis_document`.

    `zone` counts where the proof names none. `line` is the history of the box's keys: the proof may be signed with an
    earlier one.

    Raises:
        ProofNotVerified: the proof does not hold.
        OSError: a log could not be read a second time.
    """
    verdict = verify_proof(folder, public_key=key.public, line=line)
    if not verdict.ok or verdict.erased is not None:
        raise ProofNotVerified(verdict)
    manifests = tuple(part.manifest for part in verdict.parts)
    bodies: dict[int, object] = {}
    for manifest in manifests:
        bodies |= entry_bodies(read_regular(folder / manifest.log.file, at_most=MAX_LOG_BYTES))
    in_order = [bodies[seq] for seq in sorted(bodies)]
    written = epcis_document(manifests, in_order, zone=_sealed_zone(manifests) or zone, made=made, codes=codes)
    # Keys stay in their order: known implementations of the event hash read the type of a party before its name.
    document = json.dumps(written, ensure_ascii=False, indent=2).encode() + b"\n"
    return document, key.sign(document)


def _sealed_zone(manifests: Sequence[Manifest]) -> ZoneInfo | None:
    """Return the house's time zone as the newest part says it; None: it says none that this machine knows."""
    for manifest in reversed(manifests):
        if manifest.names is not None:
            with suppress(ZoneInfoNotFoundError, ValueError):
                return ZoneInfo(manifest.names.timezone)
    return None


def write_epcis(target: Path, document: bytes, signature: bytes) -> None:
    """Write both files, the signature first, so that no document lies there unsigned."""
    write_whole(target.with_name(target.name + SIGNATURE_SUFFIX), signature)
    write_whole(target, document)
