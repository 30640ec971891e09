"""Examinations that several ask for at once: one runs, all see it, and nobody is asked without end."""

import asyncio
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from devices.reports import AlarmPanelReport, AlarmPanelState, LockReport, LockState, PresenceReport, PresenceState
from gateway.config.devices import AnyDevice
from gateway.config.loader import load_home_file
from gateway.installation.device_probe import DeviceAnswer
from gateway.installation.diagnostics.devices import device_finding
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, good, sentence_text
from gateway.installation.diagnostics.house import CLOCK, MIN_PAUSE_S, ExaminationRunner
from gateway.system.i18n import _
from tests.shell.parts import ManualTime

HOME_FILE = Path(__file__).parents[4] / "config" / "home.yaml"
GOOD = good(CLOCK, _("a time service keeps it"))


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
    device = load_home_file(HOME_FILE).devices["front-lock"]
    answer = DeviceAnswer(answer=people, seconds=0.1)
    told = sentence_text(device_finding("phones-at-home", device, answer, shows_people=True).statement, "en")
    assert told == "answers within 0.10 s: presence away, the alarm panel is armed away, the bolt is unknown"
    said = sentence_text(device_finding("phones-at-home", device, answer, shows_people=False).statement, "en")
    assert "away" not in said
    assert "what it says of people is not shown here" in said
    assert "the bolt is unknown" in said


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"kind": "strike", "vendor": "nukihub", "address": "nuki"},
            "online; a door release has no state to ask for",
        ),
        (
            {"kind": "content", "vendor": "esphome", "address": "box/binary_sensor/eye", "answers": False},
            "online; it only reports by itself",
        ),
        ({"kind": "cover", "vendor": "ratgdo", "address": "garage/ratgdo", "reverses": True, "beam": False},
         "online; a cover cannot be asked"),
    ],
    ids=["strike", "content", "cover"],
)  # fmt: skip
def test_what_cannot_be_asked_is_good_while_it_is_online_and_says_why(fields: dict[str, object], told: str) -> None:
    device: AnyDevice = TypeAdapter(AnyDevice).validate_python(fields)
    answer = DeviceAnswer(obstacle=f"a {device.kind} cannot be asked", online=True)
    finding = device_finding("street", device, answer, shows_people=True)
    assert finding.verdict is FindingVerdict.GOOD
    assert sentence_text(finding.statement, "en") == told
