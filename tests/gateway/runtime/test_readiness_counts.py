"""Near a window each entrance is checked once a minute; a visit, an incident or an untrusted clock ends the checks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.now import Now
from gateway.domain.visit.state import CameraState, Entrance, Rules
from gateway.runtime.scheduler import READINESS_INTERVAL_S, ReadinessCounter
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.house import entrance_in_visit, make_home

HOME = make_home(Path())
Count = tuple[str, dict[str, bool]]


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self.found: list[Count] = []

    def count(self, entrance: str, devices: Mapping[str, bool], _now: Now) -> None:
        self.found.append((entrance, dict(devices)))


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def counter(counts: Counts) -> ReadinessCounter:
    return ReadinessCounter(HOME, counts.count)


def near_window(**fields: object) -> Entrance:
    state = Entrance(
        id="front", rules=Rules(cameras={"cam": True}), window_near=True, cameras={"cam": CameraState(live=True)}
    )
    return replace(state, **fields)  # type: ignore[arg-type]  # fields by name


def after(seconds: float, **fields: object) -> Now:
    return replace(NOW, mono=NOW.mono + seconds, **fields)  # type: ignore[arg-type]  # the same


def test_a_minute_after_the_window_comes_near_and_each_minute_then(counter: ReadinessCounter, counts: Counts) -> None:
    for seconds in (
        0,
        READINESS_INTERVAL_S - 1,
        READINESS_INTERVAL_S,
        READINESS_INTERVAL_S + 1,
        2 * READINESS_INTERVAL_S,
    ):
        counter.poll(near_window(), after(seconds))
    assert len(counts.found) == 2
    entrance, devices = counts.found[0]
    section = HOME.entrances["front"]
    assert entrance == "front"
    assert devices == {section.lock: False, section.door: False, "cam": True}, "without a broker nothing answers"


@pytest.mark.parametrize(
    ("state", "now"),
    [
        (near_window(window_near=False), after(READINESS_INTERVAL_S)),
        (near_window(incident="i1"), after(READINESS_INTERVAL_S)),
        (replace(entrance_in_visit(HOME), window_near=True), after(READINESS_INTERVAL_S)),
        (near_window(), after(READINESS_INTERVAL_S, trusted=False)),
    ],
    ids=["far from a window", "an incident", "a visit", "an untrusted clock"],
)
def test_meanwhile_nothing_is_counted_and_a_minute_passes_again(
    counter: ReadinessCounter, counts: Counts, state: Entrance, now: Now
) -> None:
    counter.poll(near_window(), NOW)
    counter.poll(state, now)
    counter.poll(near_window(), after(READINESS_INTERVAL_S + 1))
    assert counts.found == []
