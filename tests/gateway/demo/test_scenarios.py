"""Every scenario, played by the real gateway in the simulated house, judged by the house's own log."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.demo.result import ScenarioResult
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from tests.forkserver import run_python

PROMISED = """
delivered into-fridge wrong-code three-wrong-codes several-codes-on-one-label too-early too-late already-used
scan-replayed courier-not-proven somebody-answers family-key closes-behind-him three-trips never-entered door-left-open
empty-dark-hall camera-frozen camera-offline camera-lost-inside lock-jammed lock-silent lock-late lock-lies
basket basket:too-cold basket:gap-is-unknown basket:gateway-killed
bolt-in-the-air fridge-left-open fridge-too-warm owner-stops:before owner-stops:at owner-stops:after owner-stops:inside
return return:left return:outside drop-and-take drop-and-take:gateway-killed
own-parcel own-parcel:not-out-for-delivery own-parcel:living-space-tap
broker-restart broker-paused gateway-killed:before-commit gateway-killed:after-commit gateway-killed:before-publish
gateway-killed:after-publish gateway-killed:after-acknowledgement gateway-killed:after-report video-killed
brand-refused
disk-full-inside clock-stepped-back window-ends-inside approval-silent not-ready forced-door safe-mode cancelled
cancelled-before-offer guarded guarded:broker-paused paused lock-now code-collision part-delivered label-by-camera
garage concierge concierge:declined concierge:gateway-killed concierge:nobody concierge:late
flat flat:neighbour-follows flat:street-wedged locker locker:occupied locker:full locker:lid-does-not-catch
flat:gateway-killed flat:gateway-killed-at-the-flat locker:gateway-killed key-safe:gateway-killed key-safe
key-safe:key-late key-safe:key-out key-safe:stranger garage:home-assistant-cover fallback fallback:gateway-killed
fallback:gateway-killed-after-the-move locker:too-big flat:gateway-killed-before-commit flat:gateway-killed-after-commit
flat:gateway-killed-after-the-second-commit locker:gateway-killed-before-commit locker:gateway-killed-after-commit
own-parcel:gateway-killed-before-commit own-parcel:gateway-killed-after-commit
key-safe:gateway-killed-before-commit key-safe:gateway-killed-after-commit
garage:gateway-killed garage:gateway-killed-before-commit garage:gateway-killed-after-commit
car car:unlocks-all car:no-closing-scan car:moved car:fix-too-old car:elsewhere car:gateway-killed
car:gateway-killed-after-commit matter-lock matter-lock:asleep matter-lock:guest-code
matter-lock:keeps-guest-code concierge:gateway-killed-while-offered
concierge:gateway-killed-before-confirmation guest guest:code-not-withdrawn stay:nothing-filmed
attended attended:nobody-opened late-courier late-courier:no-time next-courier next-courier:not-today
robot robot:no-yes robot:old-yes robot:stranded robot:killed robot:killed-before-commit robot:killed-after-commit
robot:killed-at-release two-robots
""".split()  # noqa: SIM905 - the list as the promise words it


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
async def test_what_must_come_of_it_comes_of_it(scenario: Scenario, tmp_path: Path) -> None:
    judged = await run_scenario(scenario, tmp_path, fast=True, observer=DemoObserver())
    assert not judged.complaints, "\n".join(judged.complaints)
    assert judged.result.ok


COORDINATES = re.compile(rb"(?<![\d:.])(48\.8[57]\d*|2\.352\d*)")
OF_CONFIGURATION = frozenset({"home.yaml", "house.yaml"})  # where the car must stand, and where the simulated one does


def files_with(pattern: re.Pattern[bytes], folder: Path) -> set[str]:
    """The names of all files below a folder in which this stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name for path in files if pattern.search(path.read_bytes())}


@pytest.mark.slow
async def test_where_the_car_is_stands_in_no_proof_log_message_or_database(tmp_path: Path) -> None:
    """The car stands in its place, is driven two kilometres off, and comes back; all that was written is searched."""
    (scenario,) = (one for one in SCENARIOS if one.title == "car:moved")
    judged = await run_scenario(scenario, tmp_path, fast=True, observer=DemoObserver())
    assert judged.result.ok
    assert files_with(COORDINATES, tmp_path) == OF_CONFIGURATION, "the fence and the house, and nothing else"
    assert "log.jsonl" in files_with(re.compile(rb"SensorReported"), tmp_path), "what was searched has the visit"


@pytest.mark.slow
async def test_a_delivery_at_real_times(tmp_path: Path) -> None:
    (scenario,) = find_scenarios("delivered")
    judged = await run_scenario(scenario, tmp_path, fast=False, observer=DemoObserver())
    assert not judged.complaints, "\n".join(judged.complaints)
    ringing, unlocking = judged.result.phases[0].at, judged.result.phases[1].at
    assert 19.5 < (unlocking - ringing).total_seconds() < 40, "it rings for 20 s; a loaded machine sees that late"


@pytest.mark.slow
async def test_a_scenario_in_which_nothing_happens_does_not_pass(tmp_path: Path) -> None:
    async def nothing(_play: object) -> None:
        """The courier never comes."""

    (scenario,) = find_scenarios("delivered")
    judged = await run_scenario(replace(scenario, play=nothing), tmp_path, fast=True, observer=DemoObserver())
    assert not judged.result.ok
    assert any("what doors and bolts did" in complaint for complaint in judged.complaints)


@pytest.mark.slow
def test_one_json_object_a_scenario_and_a_picture_of_the_visit(tmp_path: Path) -> None:
    words = ("wrong-code", "--fast", "--json", "--folder", tmp_path / "run")
    done = run_python("-m", "gateway", "demo", *words, timeout=180)
    assert done.returncode == 0, done.stderr
    result = ScenarioResult.model_validate_json(done.stdout)
    assert (result.scenario, result.ok) == ("wrong-code", True)
    assert [refusal.code.value for refusal in result.refusals] == ["unknown_code"]
    assert result.openings == ()
    assert "</svg>" in (tmp_path / "run" / "visit.svg").read_text()


def test_the_list_names_exactly_the_promised_scenarios() -> None:
    assert {scenario.title for scenario in SCENARIOS} == set(PROMISED)
    assert len({scenario.title for scenario in SCENARIOS}) == len(SCENARIOS)
    assert all(scenario.summary.to("en") and "\n" not in scenario.summary.to("en") for scenario in SCENARIOS)


def test_a_bare_name_means_all_its_variants() -> None:
    assert {scenario.title.partition(":")[2] for scenario in find_scenarios("owner-stops")} == {
        "before", "at", "after", "inside",
    }  # fmt: skip


def test_an_unknown_name_is_told_where_to_look() -> None:
    with pytest.raises(Failure, match="no scenario 'nonsense'") as refused:
        find_scenarios("nonsense")
    assert "perron demo --list" in refused.value.todo
