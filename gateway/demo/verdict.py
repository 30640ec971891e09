"""Judges a run: what was seen at the broker and in the house against what the scenario expects."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

from gateway.cli.lines import relative_path
from gateway.config.home import EntranceSection
from gateway.demo.observers import Body, GatewayObserver
from gateway.demo.result import (
    AlarmAt,
    DemoClip,
    DemoNotification,
    DemoProof,
    PhaseAt,
    PhysicalOpening,
    RefusalAt,
    ScenarioResult,
    door_movements,
    physical_openings,
)
from gateway.demo.scenario import Expectation, Scenario
from gateway.demo.stage import Stage
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.evidence.checkpoint import check_log, read_checkpoints
from gateway.evidence.manifest import Manifest, manifest_name
from gateway.evidence.verdict import ProofDefect
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.storage.audit_log import entries
from gateway.storage.schema import connect


class Judgement(Frozen, kw_only=False):
    """The result, and why it differs from what was expected (empty if it does not).

    `retailer_state`: the last state of the delivery that the retailer received; None: none.
    """

    result: ScenarioResult
    complaints: tuple[str, ...]
    retailer_state: str | None = None


class VerifiedProofs(Frozen, kw_only=False):
    """The sealed folders, their manifests in order of time, and each error of verification."""

    folders: tuple[Path, ...]
    manifests: tuple[Manifest, ...]
    problems: tuple[str, ...]


def judge(scenario: Scenario, stage: Stage, failure: str | None) -> Judgement:
    """Judge a run that has ended; `failure` is why the scenario ended early, or None."""
    stage.log.read_new_lines()
    proofs = read_proofs(stage)
    result = _make_result(scenario, stage, proofs)
    complaints = [*([failure] if failure else []), *_complaints(scenario.expected, stage, proofs, result)]
    state = next(reversed(retailer_states(stage.watch)), None)
    return Judgement(result.model_copy(update={"ok": not complaints}), tuple(complaints), state)


def read_proofs(stage: Stage) -> VerifiedProofs:
    """Verify every visit's folder against the box's public key and the phone's checkpoints, and the whole log."""
    box = stage.plan.home.storage.folder
    public = PublicKey.from_pem((box / "key" / PUBLIC_KEY_FILE).read_bytes())
    phone = stage.checkpoint_file if stage.checkpoint_file.exists() else None
    folders = sorted(path.parent for path in box.glob(f"visits/*/{manifest_name(1)}"))
    manifests = [
        Manifest.from_json((folder / manifest_name(part)).read_bytes())
        for folder in folders
        for part in range(1, 1 + len(tuple(folder.glob("manifest*.json"))))
    ]
    problems = []
    for folder in folders:
        verdict = verify_proof(folder, public_key=public, checkpoint=phone)
        if not verdict.ok:
            problems.append(f"{folder.name}: {verdict.problem} ({verdict.where})")
    with closing(connect(box / "perron.sqlite3", writes=False)) as log:
        remembered = () if phone is None else read_checkpoints(phone)
        try:
            check_log("the box's log", entries(log, after=0, upto=None), remembered=remembered, key=public)
        except ProofDefect as defect:
            problems.append(f"{defect.where}: {defect.problem}")
    manifests.sort(key=lambda manifest: (manifest.film.start, manifest.part))
    return VerifiedProofs(tuple(folders), tuple(manifests), tuple(problems))


def retailer_states(watch: GatewayObserver) -> list[str]:
    """Return the states of the delivery that the retailer received, in order."""
    return [body["state"] for body in watch.bodies("result") if body.get("state")]


def _make_result(scenario: Scenario, stage: Stage, proofs: VerifiedProofs) -> ScenarioResult:
    watch = stage.watch
    alarms = watch.messages(urgent=True)
    refusals = [body for body in watch.events("answer") if body["refusal"] is not None]
    outcomes = watch.events("outcome")
    visits = stage.plan.home.storage.folder / "visits"
    newest = visits / proofs.manifests[-1].visit if proofs.manifests else None
    return ScenarioResult(
        scenario=scenario.title,
        outcome=Outcome(outcomes[-1]["outcome"]) if outcomes else Outcome.REFUSED if refusals else None,
        expected=scenario.expected.outcome,
        house=_read_door_result(watch.events("house"), has_answered=bool(watch.events("answer"))),
        ok=False,
        phases=_phases(watch.events("phase")),
        refusals=tuple(RefusalAt(code=body["refusal"], at=body["at"]) for body in refusals),
        openings=physical_openings(stage.log.lines),
        clips=tuple(_clips(proofs.manifests)),
        alarms=tuple(AlarmAt(code=body["about"], at=body["at"]) for body in alarms),
        messages=tuple(
            DemoNotification(to=body["to"], text=body["text"], at=body["at"])
            for body in sorted((*alarms, *watch.messages(urgent=False)), key=lambda body: str(body["at"]))
        ),
        proof=DemoProof(folder=relative_path(newest) if newest is not None else None, verified=not proofs.problems),
        house_log=relative_path(stage.log.path),
    )


def _read_door_result(events: Sequence[Body], *, has_answered: bool) -> DoorResult | None:
    """Return the door's result; "handed to owner" stays, also after the owner has locked the door."""
    results = [DoorResult(body["house"]) for body in events]
    if DoorResult.HANDED_TO_OWNER in results:
        return DoorResult.HANDED_TO_OWNER
    if results:
        return results[-1]
    return DoorResult.NOT_OPENED if has_answered else None


def _phases(events: Iterable[Body]) -> tuple[PhaseAt, ...]:
    """List the phases without the repetitions of a new session; the first `ready` is not a visit's end."""
    phases: list[PhaseAt] = []
    for body in events:
        phase = PhaseAt(phase=body["phase"], at=body["at"])
        if phase.phase != (phases[-1].phase if phases else "ready"):
            phases.append(phase)
    return tuple(phases)


def _clips(manifests: Iterable[Manifest]) -> Iterator[DemoClip]:
    for manifest in manifests:
        for clip in manifest.clips:
            gaps = tuple(
                (hole.start, hole.end)
                for hole in manifest.gaps
                if hole.camera == clip.camera and clip.start <= hole.start and hole.end <= clip.end
            )
            yield DemoClip(
                camera=clip.camera, path=clip.file, start=clip.start, end=clip.end, sha256=clip.sha256, gaps=gaps
            )


def _complaints(expected: Expectation, stage: Stage, proofs: VerifiedProofs, result: ScenarioResult) -> Iterator[str]:
    watch = stage.watch
    notifications = [body["about"] for body in watch.messages(urgent=False, since_start=False)]
    required = [about for about in notifications if about not in expected.optional_notifications]
    states = retailer_states(watch)
    phases = tuple(phase.phase for phase in result.phases)
    refusals = tuple(refusal.code for refusal in result.refusals)
    results: dict[str, tuple[object, object]] = {  # what came of it, and what was expected
        "outcome": (result.outcome, expected.outcome),
        "house": (result.house, expected.house),
        "what doors and bolts did": (door_movements(stage.log.lines), expected.movements),
        "phases": (expected.phases if phases == expected.phases_after_loss else phases, expected.phases),
        "refusals": (expected.refusals if refusals == expected.refusals_after_loss else refusals, expected.refusals),
        "alarms": (distinct_codes(result.alarms), tuple(sorted(expected.alarms))),
        "what the owner was told": (tuple(about for about, _ in groupby(required)), expected.notifications),
        "sealed visits": (len(proofs.folders), expected.sealed_visits),
        "sealed parts": (len(proofs.manifests), expected.sealed_visits + expected.further_parts),
        "cameras with gaps": (
            frozenset(hole.camera for manifest in proofs.manifests for hole in manifest.gaps),
            expected.cameras_with_gaps,
        ),
        "deaths of the gateway": (tuple(stage.gateway.deaths), (-9,) * expected.gateway_deaths),
    }
    if expected.retailer_state is not None:
        results["the retailer's last word"] = (states[-1] if states else None, expected.retailer_state)
    for name, (value, expected_value) in results.items():
        if value != expected_value:
            yield f"{name}: expected {_text_of(expected_value)}, found {_text_of(value)}"
    yield from proofs.problems
    yield from _unfilmed_openings(stage.plan.section, expected, proofs.manifests, result.openings)


def distinct_codes(alarms: Iterable[AlarmAt]) -> tuple[str, ...]:
    """Return the codes of alarms, each once, sorted: the pace decides which of two deadlines is over first."""
    return tuple(sorted({alarm.code for alarm in alarms}))


def _text_of(value: object) -> str:
    if isinstance(value, tuple | frozenset):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return "none" if value is None else str(value)


def _unfilmed_openings(
    section: EntranceSection, expected: Expectation, manifests: Iterable[Manifest], openings: Iterable[PhysicalOpening]
) -> Iterator[str]:
    """Yield each camera that did not film a whole opening, from before the bolt moved until it was thrown again."""
    clips = [clip for manifest in manifests for clip in manifest.clips]
    cameras = {*section.film_cameras} - expected.cameras_with_gaps
    for opening in openings:
        if opening.unlocked_at is None or not expected.sealed_visits or not expected.is_filmed:
            continue
        locked_at = opening.locked_at or opening.opened_at
        for camera in sorted(cameras):
            films = [clip for clip in clips if clip.camera == camera]
            if not any(film.start <= opening.unlocked_at and locked_at <= film.end for film in films):
                yield f"{camera} did not film the whole opening of {opening.unlocked_at:%H:%M:%S}"
