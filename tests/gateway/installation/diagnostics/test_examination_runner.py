"""Examinations that several ask for at once: one runs, all see it, and nobody is asked without end."""

import asyncio

import pytest

from devices.reports import AlarmPanelReport, AlarmPanelState, LockReport, LockState, PresenceReport, PresenceState
from gateway.installation.diagnostics.examination_runner import MIN_PAUSE_S, ExaminationRunner, without_presence
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence
from gateway.installation.diagnostics.texts import sentence_text
from tests.shell.parts import ManualTime

GOOD = Finding(Sentence("what.clock"), FindingVerdict.GOOD, Sentence("clock.kept"))


class Looks:
    """An examination that takes until it is let go."""

    def __init__(self) -> None:
        self.times = 0
        self.go = asyncio.Event()

    async def look(self) -> tuple[Finding, ...]:
        self.times += 1
        await self.go.wait()
        return (GOOD,)


async def test_two_who_press_at_once_see_the_same_examination() -> None:
    looks, time = Looks(), ManualTime()
    rounds = ExaminationRunner(looks.look, time.clock())
    both = asyncio.gather(rounds.examine(), rounds.examine())
    await asyncio.sleep(0)
    looks.go.set()
    assert all(await both)
    assert looks.times == 1
    assert rounds.last is not None
    assert rounds.last.findings == (GOOD,)


async def test_whoever_presses_again_and_again_waits_some_seconds_between_two() -> None:
    looks, time = Looks(), ManualTime()
    looks.go.set()
    rounds = ExaminationRunner(looks.look, time.clock())
    assert [await rounds.examine() for _ in range(20)] == [True] + 19 * [False]
    assert looks.times == 1
    time.mono += MIN_PAUSE_S
    assert await rounds.examine()
    assert looks.times == 2


async def test_whoever_goes_away_takes_the_examination_from_nobody_else() -> None:
    looks, time = Looks(), ManualTime()
    rounds = ExaminationRunner(looks.look, time.clock())
    impatient, patient = asyncio.create_task(rounds.examine()), asyncio.create_task(rounds.examine())
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    looks.go.set()
    assert await patient
    assert looks.times == 1


def test_whether_somebody_is_home_is_not_told_to_whoever_may_see_diagnostics() -> None:
    bolt, panel = LockReport(bolt=LockState.UNKNOWN), AlarmPanelReport(panel=AlarmPanelState.ARMED_AWAY)
    people = (PresenceReport(presence=PresenceState.AWAY), panel, bolt)
    finding = Finding(
        Sentence("what.device", {"id": "phones-at-home"}),
        FindingVerdict.GOOD,
        Sentence("device.answers", {"seconds": "0.10", "reports": people}),
    )
    (shown,) = without_presence((finding,))
    said = sentence_text(shown.statement, "en")
    assert "away" not in said
    assert "what it says of people is not shown here" in said
    assert "the bolt is unknown" in said
