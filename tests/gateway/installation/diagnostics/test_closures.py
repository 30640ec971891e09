"""The doctor says what keeps a closure shut now, in the words of the pages: an absent car, a boot that stands open."""

from collections.abc import Mapping

import pytest

from devices import reports as r
from gateway.config.home import Home
from gateway.installation.capability import CAR_NEVER_OPENS
from gateway.installation.device_probe import DeviceAnswer, answer_timeout_s
from gateway.installation.diagnostics.closures import closure_findings
from gateway.installation.diagnostics.devices import device_finding
from gateway.installation.diagnostics.finding import FindingVerdict, sentence_text
from gateway.system.i18n import Language

HERE = {"latitude": 48.8566, "longitude": 2.3522}
PARKED = (
    r.DoorReport(door=r.DoorState.CLOSED), r.LockReport(bolt=r.LockState.LOCKED), r.ParkedReport(parked=True),
)  # fmt: skip
THERE = r.PositionReport(**HERE, accuracy_m=8.0, age_s=5.0)
OLD = r.PositionReport(**HERE, accuracy_m=8.0, age_s=900.0)
AWAY = r.PositionReport(latitude=50.0, longitude=2.3522, accuracy_m=8.0, age_s=5.0)


def make_home(**fence: object) -> Home:
    """A house with a car's boot, and a parcel box whose latch and lid are of one board."""
    boot = {"id": "boot", "kind": "car_boot", "opens": "car", **fence}
    boot["devices"] = {"order": "zoe", **dict.fromkeys(("boot", "locked", "parked", "place"), "zoe")}
    box = {"id": "box", "kind": "compartment", "devices": dict.fromkeys(("order", "latch", "lid", "content"), "board")}
    way = {"living_space": False, "way_out_by_hand": True, "home_refuses": False, "scanners": ["gate"]}
    return Home.model_validate(
        {
            "box": "b", "name": "Home",
            "devices": {
                "zoe": {"kind": "car", "vendor": "ovms", "address": "ovms/marie/zoe"},
                "audi": {"kind": "car", "vendor": "carconnectivity", "address": "carconnectivity/garage/WAUZZZ"},
                "board": {"kind": "compartment", "vendor": "perron"},
                "gate": {"kind": "scanner", "vendor": "scanner"}, "hall": {"kind": "scanner", "vendor": "scanner"},
            },
            "entrances": {
                "car": {"name": "Car", **way, "evidence": "scan", "closures": [boot],
                        "places": {"boot": {"name": "Boot"}}},
                "locker": {"name": "Locker", **way, "evidence": "sensor", "scanners": ["hall"], "closures": [box],
                           "places": {"box": {"name": "Box", "routes": [["box"]]}}},
            },
        },
        strict=False,
    )  # fmt: skip


FENCED = make_home(fence=HERE | {"radius": 60, "fix_age": 120})


def told(
    home: Home, answers: Mapping[str, tuple[r.Report, ...]], *, shows_people: bool = True, language: Language = "en"
) -> dict[str, tuple[FindingVerdict, str]]:
    heard = {id_: DeviceAnswer(answer=reports) for id_, reports in answers.items()}
    return {
        sentence_text(one.subject, language): (one.verdict, sentence_text(one.statement, language))
        for one in closure_findings(home, heard, shows_people=shows_people)
    }


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ((*PARKED, AWAY), "Not ready: the car is not where it must stand."),
        ((*PARKED, OLD), "Not ready: the car's position is not certain."),
        ((r.DoorReport(door=r.DoorState.OPEN), *PARKED[1:], THERE), "Not ready: the boot stands open."),
        ((PARKED[0], r.LockReport(bolt=r.LockState.UNLOCKED), PARKED[2], THERE), "Not ready: the car is unlocked."),
        ((*PARKED[:2], r.ParkedReport(parked=False), AWAY),
         "Not ready: the car is being driven, the car is not where it must stand."),
    ],
)  # fmt: skip
def test_a_car_that_cannot_be_opened_now_is_told_with_the_reason(reports: tuple[r.Report, ...], said: str) -> None:
    assert told(FENCED, {"zoe": reports}) == {"Car boot, entrance car": (FindingVerdict.DOUBTFUL, said)}


def test_a_car_in_its_place_is_good_and_one_without_a_place_is_not() -> None:
    at_home = {"zoe": (*PARKED, THERE)}
    assert [verdict for verdict, _ in told(FENCED, at_home).values()] == [FindingVerdict.GOOD]
    assert told(make_home(), at_home)["Car boot, entrance car"] == (
        FindingVerdict.DOUBTFUL, "Not ready: nobody has set where the car must stand.",
    )  # fmt: skip


def test_a_full_compartment_is_told_as_on_the_pages_in_the_reader_s_language() -> None:
    full = (
        r.LockReport(bolt=r.LockState.LOCKED),
        r.DoorReport(door=r.DoorState.CLOSED),
        r.ContentReport(occupied=True),
    )
    assert told(FENCED, {"board": full}, language="fr") == {
        "Casier, entrée locker": (FindingVerdict.DOUBTFUL, "Pas prête : quelque chose s'y trouve.")
    }


def test_where_the_household_drives_is_not_shown_on_the_page_of_installers() -> None:
    ((verdict, said),) = told(
        FENCED, {"zoe": (*PARKED[:2], r.ParkedReport(parked=False), AWAY)}, shows_people=False
    ).values()
    assert (verdict, said) == (FindingVerdict.DOUBTFUL, "Not ready: what it says of people is not shown here.")


def test_of_a_silent_device_its_own_finding_says_it() -> None:
    assert told(FENCED, {"zoe": PARKED}) == {}, "it did not say where it is"
    assert told(FENCED, {}) == {}


def test_a_car_that_sleeps_may_be_woken_and_one_that_answers_nothing_never_opens() -> None:
    zoe, audi = FENCED.devices["zoe"], FENCED.devices["audi"]
    asleep = device_finding("zoe", zoe, DeviceAnswer(), shows_people=True)
    assert asleep.verdict is FindingVerdict.DOUBTFUL
    assert asleep.todo is not None
    assert "A car that sleeps answers nothing" in sentence_text(asleep.todo, "en")
    assert answer_timeout_s(zoe) == 15.0, "over its mobile network"
    witness = device_finding(
        "audi", audi, DeviceAnswer(obstacle="a car cannot be asked", online=True), shows_people=True
    )
    assert witness.statement == CAR_NEVER_OPENS, "as the page Installation says it"
