"""Log entries of a visit in the simulated house, as the store writes them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance
from gateway.evidence.checkpoint import sign_checkpoint
from gateway.evidence.extract import write_extract
from gateway.evidence.route import RouteAccount, read_route
from gateway.evidence.route_check import check_route
from gateway.evidence.seal import seal_part
from gateway.evidence.verdict import ProofDefect
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import ChainHead, canonical_json
from gateway.protocol.keys import BoxKey
from gateway.runtime.log_limits import is_part_of_proof
from gateway.storage.audit_log import encode
from gateway.storage.database import rfc3339
from gateway.storage.decisions import logged_step, visit_of
from gateway.storage.models import StoredDecision
from tests.foreign import proof_route
from tests.foreign import proof_verifier as foreign
from tests.gateway.evidence.visits import VISIT, chain_entries, draft_of, span_of
from tests.house.entrances import PLACE, build, walk
from tests.house.house import SimulatedHome
from tests.house.story import announce_delivery

CODE_KEY = b"k" * 32


class RecordedLog:
    """What the log has of each visit of a house, and which parts were to be sealed after which of the entries."""

    def __init__(self, house: SimulatedHome) -> None:
        self.house = house
        self.rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.seals: list[tuple[str, int, int]] = []  # visit, part, and how many entries it had by then
        self._phase = "ready"
        self._is_unstored = False
        self._being_stored: tuple[str | None, str] | None = None  # the visit of the newest row, and the phase before it
        self._moved, house.oracle.moved = house.oracle.moved, self._record  # type: ignore[method-assign]  # of this house alone
        self._unstored, house.oracle.unstored = house.oracle.unstored, self._skip  # type: ignore[method-assign]  # of this house alone
        self._killed, house.oracle.killed = house.oracle.killed, self._lose  # type: ignore[method-assign]  # of this house alone

    def _skip(self) -> None:
        self._is_unstored = True
        self._unstored()

    def _lose(self) -> None:
        """Drop a decision without commands that a kill finds while it is being stored."""
        if self._being_stored is not None:
            visit, self._phase = self._being_stored
            if visit is not None:
                self.rows[visit].pop()
        self._being_stored = None
        self._killed()

    def _record(self, event: e.Event, old: Entrance, new: Entrance, commands: tuple[c.Command, ...]) -> None:
        is_recorded = isinstance(event, e.UnlockPublished) or is_part_of_proof(event, new)
        self._being_stored = None
        if not (self._is_unstored or (new == old and not commands and not is_recorded)):
            self._append(
                StoredDecision(entrance=new.id, event=event, state=new, commands=commands, now=self.house.now())
            )
        self._is_unstored = False
        self._moved(event, old, new, commands)
        for command in commands:
            if isinstance(command, c.Unlock):
                self.house.later(0.02, partial(self._publish, command))

    def _publish(self, unlock: c.Unlock) -> None:
        self.house.feed(e.UnlockPublished(visit=unlock.visit, closure=unlock.closure, at=self.house.now().utc))

    def _append(self, decision: StoredDecision) -> None:
        visit, commands = visit_of(decision), [encode(command, "command") for command in decision.commands]
        facts = logged_step(decision, commands, phase_before=self._phase, key=CODE_KEY)
        if not commands:
            self._being_stored = visit, self._phase
        self._phase = str(facts["phase"])
        if visit is None:
            return
        row = {**facts, "at": rfc3339(decision.now.utc), "kind": "step", "entrance": "front", "visit": visit}
        self.rows[visit].append(json.loads(canonical_json(row)))
        for command in decision.commands:
            if isinstance(command, c.SealProof):
                self.seals.append((command.visit, command.part, len(self.rows[command.visit])))


def honest_visit(layout: str, *, place: str = PLACE) -> list[dict[str, Any]]:
    """The entries of a visit at this layout until its seal: the courier does all as he should."""
    house = build(layout)
    log = RecordedLog(house)
    house.run(5)
    promise = announce_delivery(house, "d0", place=place)
    house.feed(e.WindowChanged(near=True))
    house.run(12)
    walk(house, promise)
    house.run(120)
    ((visit, _, count),) = log.seals
    return log.rows[visit][:count]


def account_of(rows: Sequence[Any], part: int = 1) -> RouteAccount:
    """What the box seals of these entries."""
    return read_route(rows, part=part).account


def words_of_both(told: RouteAccount, rows: list[Any], part: int = 1) -> tuple[str, str]:
    """The defects that both verifiers find in the way in of a manifest; `ok` if there are none."""
    try:
        check_route(told, read_route(rows, part=part), name="manifest.json")
        ours = "ok"
    except ProofDefect as defect:
        ours = defect.problem.value
    theirs = proof_route.first_wrong({**told.model_dump(mode="json"), "part": part}, rows)
    return ours, "ok" if theirs is None else theirs[0]


def sealed_rows(
    root: Path, rows: Sequence[Mapping[str, Any]], key: BoxKey, change: Mapping[str, Any] | None = None
) -> Path:
    """Seal these entries as a visit without films, with the box's key; `change` alters the manifest."""
    folder = root / VISIT
    folder.mkdir()
    entries = chain_entries([canonical_json(dict(row)) for row in rows])
    when = datetime.fromisoformat(rows[-1]["at"])
    draft = draft_of((), at=when).model_copy(update={"cameras": ()})
    if draft.delivery is not None:
        facts = draft.delivery.model_copy(update=reserved_delivery(rows))
        draft = draft.model_copy(update={"delivery": facts})
    now = Now(utc=when + timedelta(seconds=20), trusted=True, mono=1)
    seal_part(folder, draft, span=span_of(ChainHead(), entries), now=now, key=key)
    if change is not None:
        forge_manifest(folder, key, change)
    return folder


def reserved_delivery(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return id and version of the delivery that these entries reserve, and the place of their route."""
    reserves = [one for row in rows for one in row["commands"] if one["command"] == "Reserve"]
    places = [row["route"]["place"] for row in rows if "route" in row]
    facts = {"id": reserves[-1]["delivery"], "version": reserves[-1]["version"]} if reserves else {}
    return {**facts, "place": places[0]} if places else facts


def forge_manifest(folder: Path, key: BoxKey, change: Mapping[str, Any]) -> None:
    """Sign an altered manifest with the box's own key."""
    document = json.loads((folder / "manifest.json").read_bytes())
    data = canonical_json({**document, **change})
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(key.sign(data))


def forge_log(folder: Path, key: BoxKey, rows: Sequence[Mapping[str, Any]]) -> None:
    """Sign, with the box's own key, a manifest that is unchanged except for a log of other entries."""
    document = json.loads((folder / "manifest.json").read_bytes())
    entries = chain_entries([canonical_json(dict(row)) for row in rows])
    head = ChainHead(seq=entries[-1].seq, hash=entries[-1].hash)
    now = Now(utc=datetime.fromisoformat(document["sealed_at"]), trusted=True, mono=1)
    log = write_extract(span_of(ChainHead(), entries), sign_checkpoint(head, box=document["box"], now=now, key=key))
    (folder / "log.jsonl").write_bytes(log)
    last = {"seq": head.seq, "hash": head.hash.hex()}
    decisions = [{"seq": entry.seq, "hash": entry.hash.hex()} for entry in entries]
    told = {**document["log"], "sha256": sha256(log).hexdigest(), "last": last}
    forge_manifest(folder, key, {"log": told, "decisions": decisions})


def verdicts(folder: Path, key: BoxKey) -> tuple[str, str, str]:
    """The word of each verifier, and where ours found it."""
    ours = verify_proof(folder, public_key=key.public)
    try:
        foreign.verify(folder, key.public.text)
        theirs = "ok"
    except foreign.WrongError as wrong:
        theirs = wrong.word
    return (ours.code or "ok"), theirs, ours.where or ""
