"""A sealed visit whose log says what the gateway's own says, with films that are real H.264."""

from datetime import datetime, timedelta
from pathlib import Path

from gateway.domain.visit.state import Now
from gateway.evidence.seal import Draft, Proof, seal
from gateway.protocol.hash_chain import Head, Json, canonical
from gateway.protocol.keys import BoxKey
from gateway.storage.audit_log import rfc3339
from gateway.video.ipc import ClipKey
from tests.gateway.evidence.visits import SCAN, SECONDS, VISIT, chained, draft_of, write_film


def after(seconds: float) -> datetime:
    return SCAN + timedelta(seconds=seconds)


def row(seconds: float, event: dict[str, Json], *commands: dict[str, Json], trusted: bool = True) -> dict[str, Json]:
    """One decision, as `gateway/storage/decisions.py` writes it."""
    return {
        "kind": "step", "at": rfc3339(after(seconds)), "visit": VISIT, "entrance": "front", "trusted": trusted,
        "phase_before": "ready", "phase": "ringing", "event": event, "commands": [*commands],
    }  # fmt: skip


def scan(seconds: float, **changes: bool) -> dict[str, Json]:
    return row(seconds, {"event": "Scanned", "id": VISIT}, **changes)


def bolt(seconds: float, word: str, *, retained: bool = False) -> dict[str, Json]:
    return row(seconds, {"event": "LockHeard", "heard": {"retained": retained}, "report": {"bolt": word}})


def door(seconds: float, word: str, *, retained: bool = False, proven: bool = False) -> dict[str, Json]:
    """The door says something; `proven`: with this the door is locked again."""
    locked: list[dict[str, Json]] = [{"command": "HouseResult", "house": "locked_again"}] if proven else []
    return row(seconds, {"event": "DoorHeard", "heard": {"retained": retained}, "report": {"door": word}}, *locked)


def fridge(seconds: float, temp_c: float | None) -> dict[str, Json]:
    return row(seconds, {"event": "FridgeHeard", "place": "fridge", "cold": {"temp_c": temp_c, "door": "closed"}})


DELIVERY = (
    scan(0.5),
    bolt(1, "unlocked"),
    door(1.5, "open"),
    door(3, "closed"),
    bolt(4, "locked"),
    door(4.5, "closed", proven=True),
)


def sealed(
    root: Path, *rows: dict[str, Json], key: BoxKey | None = None, draft: Draft | None = None
) -> tuple[Path, BoxKey]:
    """Film and seal one visit with this log; the delivery's own where none is given."""
    key, folder = key or BoxKey.fresh(), root / VISIT
    folder.mkdir()
    films = tuple(
        write_film(folder, camera, key=ClipKey(visit=VISIT, part=1), start=SCAN, shade=shade)
        for camera, shade in (("outside", 40), ("hall", 50))
    )
    entries = chained([canonical(one) for one in rows or DELIVERY])
    now = Now(utc=after(SECONDS + 1), trusted=True, mono=1)
    proof = seal(folder, draft or draft_of(films), after=Head(), entries=entries, now=now, key=key)
    assert isinstance(proof, Proof)
    return folder, key
