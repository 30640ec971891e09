"""A result of a run, for the tests of what is made of it."""

from datetime import UTC, datetime, timedelta

from gateway.demo.result import DemoClip, DemoNotification, DemoProof, PhaseAt, PhysicalOpening, ScenarioResult
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.state import Phase

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def result(text: str = "Chronopost is at the door", folder: str = "visits/1") -> ScenarioResult:
    return ScenarioResult(
        scenario="delivered",
        outcome=Outcome.DELIVERED,
        expected=Outcome.DELIVERED,
        house=DoorResult.LOCKED_AGAIN,
        ok=True,
        phases=(PhaseAt(phase=Phase.RINGING, at=at(1)), PhaseAt(phase="ready", at=at(9))),
        refusals=(),
        openings=(PhysicalOpening(unlocked_at=at(3), opened_at=at(4), closed_at=at(5), locked_at=at(6)),),
        clips=(DemoClip(camera="doorbell", path="a.mp4", start=at(0), end=at(9), sha256="0", gaps=((at(2), at(3)),)),),
        alarms=(),
        messages=(DemoNotification(to="owner", text=text, at=at(1)),),
        proof=DemoProof(folder=folder, verified=True),
        house_log="house.jsonl",
    )
