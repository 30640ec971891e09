"""Sealed custodies and visits without films, whose logs a test writes row by row."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from gateway.domain.delivery.result import Outcome
from gateway.domain.now import Now
from gateway.evidence.manifest import DeliveryFacts, FilmSpan, ManifestDraft
from gateway.evidence.seal import seal_part
from gateway.protocol.hash_chain import ChainHead, Json, canonical_json
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.visits import SCAN, chain_entries, span_of

CODE_KEY = b"k" * 32
SSCC, S10 = "340123450000000017", "LX123456785FR"
CUSTODY = "custody-0f3a"


def digest(code: str) -> str:
    return hmac.new(CODE_KEY, code.encode(), sha256).hexdigest()


def codes(*known: str) -> dict[str, str]:
    return {digest(code): code for code in known}


def at(seconds: float) -> str:
    return (SCAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def custody_row(  # noqa: PLR0913 - what a row may say
    before: str, stage: str, seconds: float, *, code: str = SSCC, receiver: str | None = None, reason: str | None = None
) -> dict[str, Json]:
    return {
        "kind": "custody", "at": at(seconds), "entrance": "desk", "visit": CUSTODY, "trusted": True,
        "code": {"hmac": digest(code), "last": code[-4:]}, "stage_before": before, "stage": stage,
        "receiver": receiver, "reason": reason,
    }  # fmt: skip


def step_row(seconds: float, event: Mapping[str, Json], *commands: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "kind": "step", "at": at(seconds), "entrance": "front", "visit": CUSTODY, "trusted": True,
        "event": dict(event), "commands": [dict(command) for command in commands], "phase": "", "phase_before": "",
    }  # fmt: skip


def scan_row(seconds: float, code: str, *commands: Mapping[str, Json], kind: str = "parcel") -> dict[str, Json]:
    event: dict[str, Json] = {
        "event": "Scanned", "id": CUSTODY, "code": {"hmac": digest(code), "last": code[-4:]},
        "matches": [{"kind": kind, "delivery": "lune.d-1"}],
    }  # fmt: skip
    return step_row(seconds, event, *commands)


def sealed(  # noqa: PLR0913 - what a test may choose
    root: Path,
    rows: Sequence[Mapping[str, Json]],
    key: BoxKey,
    *,
    entrance: str = "desk",
    outcome: Outcome = Outcome.DELIVERED,
    when: datetime = SCAN,
) -> Path:
    """Seal these rows as the proof of one custody, and return its folder."""
    folder = root / CUSTODY
    folder.mkdir()
    draft = ManifestDraft(
        box="perron-1",
        entrance=entrance,
        visit=CUSTODY,
        part=1,
        delivery=DeliveryFacts(
            id="lune.d-1", version=1, brand="Maison Lune", carrier="Chronopost", place=entrance,
            window=FilmSpan(start=when, end=when + timedelta(hours=2)), parcels=("0017",),
        ),
        outcome=outcome,
        house=None,
        film=FilmSpan(start=when, end=when),
        cameras=(),
        clips=(),
    )  # fmt: skip
    entries = chain_entries([canonical_json(dict(row)) for row in rows])
    now = Now(utc=when + timedelta(hours=1), trusted=True, mono=1)
    seal_part(folder, draft, span=span_of(ChainHead(), entries), now=now, key=key)
    return folder
