"""No proof of an honest box is refused, whatever people, networks and faults did; nor do the verifiers disagree."""

from collections import Counter

import pytest

from gateway.domain.visit.closures import KINDS
from gateway.evidence.route import RouteGap, read_route
from tests.gateway.evidence.route.rows import RecordedLog, account_of, words_of_both
from tests.house import entrance_life, life
from tests.house.house import SimulatedHome

SEEDS_OF_ENTRANCES, SEEDS_OF_FRONT_DOORS = range(120), range(60)
STEPS = 50


def check_all(log: RecordedLog) -> Counter[str]:
    """Both verifiers accept every part that was to be sealed; return what was seen in them."""
    seen: Counter[str] = Counter()
    for visit, part, count in log.seals:
        rows = log.rows[visit][:count]
        told = account_of(rows, part)
        reading = read_route(rows, part=part)
        if reading.went_back:
            gaps = (*told.evidence.gaps, RouteGap.CLOCK_STEPPED.value)
            told = told.model_copy(update={"evidence": told.evidence.model_copy(update={"gaps": gaps})})
        assert words_of_both(told, rows, part) == ("ok", "ok"), (visit, part)
        seen.update(f"secured {closure.kind}" for closure in told.route if closure.secured is not None)
        seen["passed"] += sum(closure.passed is not None for closure in told.route)
        seen["incomplete"] += reading.is_incomplete
        seen["parts"] += 1
    return seen


def test_the_lives_of_entrances_with_any_closures_are_proven() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS_OF_ENTRANCES:
        one = entrance_life.Life(seed, None)
        log = RecordedLog(one.house)
        for number in range(STEPS):
            one.step(number)
        entrance_life.heal(one.house)
        seen += check_all(log)
    kinds = tuple(kind.model_fields["kind"].default for kind in KINDS)
    assert all(seen[f"secured {kind}"] >= 5 for kind in kinds), seen
    assert seen["passed"] >= 10


def test_the_lives_of_front_doors_are_proven_also_where_the_disk_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    logs: list[RecordedLog] = []

    def recorded(*args: object) -> SimulatedHome:
        house = SimulatedHome(*args)  # type: ignore[arg-type]  # what `life` gives it
        logs.append(RecordedLog(house))
        return house

    monkeypatch.setattr(life, "SimulatedHome", recorded)
    seen: Counter[str] = Counter()
    for seed in SEEDS_OF_FRONT_DOORS:
        life.run_life(seed)
    for log in logs:
        seen += check_all(log)
    assert seen["secured bolted_door"] >= 20
    assert seen["incomplete"] >= 1
