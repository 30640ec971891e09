"""A sealed visit whose log says what the gateway's own says, with films that are real H.264."""

from datetime import datetime, timedelta
from pathlib import Path

from gateway.domain.now import Now
from gateway.evidence.manifest import ManifestDraft
from gateway.evidence.seal import seal_part
from gateway.protocol.hash_chain import ChainHead, Json, canonical_json
from gateway.protocol.keys import BoxKey
from gateway.storage.database import rfc3339
from gateway.video.ipc import ClipKey
from tests.gateway.evidence.visits import FILM_S, SCAN, VISIT, chain_entries, draft_of, span_of, write_film


def seconds_after(seconds: float) -> datetime:
    return SCAN + timedelta(seconds=seconds)


def log_row(
    seconds: float, event: dict[str, Json], *commands: dict[str, Json], trusted: bool = True
) -> dict[str, Json]:
    """One decision, as `gateway/storage/decisions.py` writes it."""
    return {
        "kind": "step", "at": rfc3339(seconds_after(seconds)), "visit": VISIT, "entrance": "front", "trusted": trusted,
        "phase_before": "ready", "phase": "ringing", "event": event, "commands": [*commands],
    }  # fmt: skip


def scan_event(seconds: float, **changes: bool) -> dict[str, Json]:
    return log_row(seconds, {"event": "Scanned", "id": VISIT}, **changes)


def bolt_event(seconds: float, word: str, *, retained: bool = False) -> dict[str, Json]:
    return log_row(seconds, {"event": "LockHeard", "heard": {"retained": retained}, "report": {"bolt": word}})


def door_event(seconds: float, word: str, *, retained: bool = False, proven: bool = False) -> dict[str, Json]:
    """The door says something; `proven`: with this the door is locked again."""
    locked: list[dict[str, Json]] = [{"command": "HouseResult", "house": "locked_again"}] if proven else []
    return log_row(seconds, {"event": "DoorHeard", "heard": {"retained": retained}, "report": {"door": word}}, *locked)


def fridge_event(seconds: float, temp_c: float | None) -> dict[str, Json]:
    return log_row(seconds, {"event": "FridgeHeard", "place": "fridge", "cold": {"temp_c": temp_c, "door": "closed"}})


DELIVERY_ROWS = (
    scan_event(0.5),
    bolt_event(1, "unlocked"),
    door_event(1.5, "open"),
    door_event(3, "closed"),
    bolt_event(4, "locked"),
    door_event(4.5, "closed", proven=True),
)


def seal_visit(
    root: Path, *rows: dict[str, Json], key: BoxKey | None = None, draft: ManifestDraft | None = None
) -> tuple[Path, BoxKey]:
    """Film and seal one visit with this log; the delivery's own where none is given."""
    key, folder = key or BoxKey.generate(), root / VISIT
    folder.mkdir()
    films = tuple(
        write_film(folder, camera, key=ClipKey(visit=VISIT, part=1), start=SCAN, shade=shade)
        for camera, shade in (("outside", 40), ("hall", 50))
    )
    entries = chain_entries([canonical_json(one) for one in rows or DELIVERY_ROWS])
    now = Now(utc=seconds_after(FILM_S + 1), trusted=True, mono=1)
    seal_part(folder, draft or draft_of(films), span=span_of(ChainHead(), entries), now=now, key=key)
    return folder, key
