"""The contract of every kind of condition in the registry: unknown is never good, and only bad news may be old."""

from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import reports as r
from gateway.domain.delivery.temperature import Limits
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.conditions import (
    ALWAYS,
    KINDS,
    REPORTS,
    AlarmPanel,
    AnyCondition,
    ColdChain,
    Presence,
    RobotFit,
    StrayCode,
)
from gateway.domain.visit.conditions.cold_chain import Fridge
from gateway.domain.visit.conditions.contract import ConditionReport, ConditionView, Household
from gateway.runtime.notifications.texts import READINESS_TEXTS

BYPASSED = frozenset({r.AlarmPanelState.ARMED_CUSTOM_BYPASS})
EXAMPLES: Mapping[type[AnyCondition], AnyCondition] = {
    ColdChain: ColdChain(
        fridges={"fridge": Fridge(device="d0"), "cellar": Fridge(device="d1", compartment="box")},
        room_sensors={"cellar": "d0"},
    ),
    Presence: Presence(people=("d0", "d1")),
    AlarmPanel: AlarmPanel(device="d0", bypassed=BYPASSED),
    RobotFit: RobotFit(robots=("d0", "d1")),
    StrayCode: StrayCode(keypads=("d0",)),
}
DEVICES = st.sampled_from(("d0", "d1", "d2"))
REPORTED = st.one_of(
    st.builds(
        r.FridgeReport,
        temp_c=st.sampled_from((None, 0.0, 3.0, 4.0, 9.0)),
        door=st.sampled_from(r.DoorState),
        compartment=st.sampled_from(("", "box")),
    ),
    st.builds(r.ContentReport, occupied=st.sampled_from((None, True, False))),
    st.builds(r.PresenceReport, presence=st.sampled_from(r.PresenceState)),
    st.builds(
        r.RobotReport,
        mode=st.sampled_from(r.RobotMode),
        emergency_stop=st.sampled_from((None, False, True)),
        field_violation=st.sampled_from((None, False, True)),
        requests=st.just(()),
        loads=st.just(()),
    ),
    st.builds(r.AlarmPanelReport, panel=st.sampled_from(r.AlarmPanelState)),
    st.builds(r.DoorReport, door=st.sampled_from(r.DoorState)),
)
HISTORY = st.lists(st.tuples(DEVICES, REPORTED, st.booleans()), max_size=12)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def robot(**wrong: Any) -> r.RobotReport:  # noqa: ANN401 - fields of the report
    """The state of a robot that drives by itself, but for what is wrong."""
    fields = {"mode": r.RobotMode.AUTOMATIC, "emergency_stop": False, "field_violation": False}
    return r.RobotReport(**{**fields, "requests": (), "loads": (), **wrong})


def cold(reports: Mapping[str, ConditionReport]) -> ConditionView:
    """What a condition sees when a robot brings a delivery that has to stay cold."""
    limits = {"fridge": Limits(min_c=1.0, max_c=4.0)}
    return ConditionView(reports=reports, place="fridge", places=frozenset({"fridge"}), limits=limits, robot="d0")


def seen(condition: AnyCondition, history: list[tuple[str, Any, bool]]) -> dict[str, ConditionReport]:
    """The newest report of each source after a history of (device, report, whether it is old)."""
    reports: dict[str, ConditionReport] = {}
    for device, report, old in history:
        reports |= {one.source: one for one in condition.reports(device, report, old=old)}
    return reports


@every_kind
def test_a_kind_has_an_example_here_its_own_word_and_its_text(kind: type[AnyCondition]) -> None:
    assert type(EXAMPLES[kind]) is kind
    assert [other.name for other in KINDS].count(kind.name) == 1
    assert kind.name in READINESS_TEXTS


@every_kind
def test_a_condition_without_a_report_is_not_met_and_implies_nothing_about_the_household(
    kind: type[AnyCondition],
) -> None:
    nothing = cold({})
    condition = EXAMPLES[kind]
    assert not condition.is_met(nothing)
    assert condition.household(nothing) is Household.UNKNOWN
    assert (condition.breach(nothing), condition.left_wrong(nothing)) == (None, None)


@every_kind
@given(history=HISTORY)
def test_only_bad_news_may_be_old(kind: type[AnyCondition], history: list[tuple[str, Any, bool]]) -> None:
    condition = EXAMPLES[kind]
    view = cold(seen(condition, [(device, report, True) for device, report, _ in history]))
    assert not condition.is_met(view) or condition.household(view) is Household.HOME, "who is home refuses by that"


@every_kind
@given(history=HISTORY)
def test_a_device_that_is_lost_leaves_nothing_good_behind(
    kind: type[AnyCondition], history: list[tuple[str, Any, bool]]
) -> None:
    condition = EXAMPLES[kind]
    reports = seen(condition, history)
    for device in condition.devices:
        reports |= {one.source: one for one in condition.lost(device)}
    lost = cold(reports)
    assert not condition.is_met(lost)
    assert condition.household(lost) is Household.UNKNOWN
    assert condition.left_wrong(lost) is None
    # A robot that is lost may stand in the doorway; of anything else its loss tells nothing
    assert condition.breach(lost) == (AlarmCode.ROBOT_STRANDED if kind is RobotFit else None)


@every_kind
@given(history=HISTORY)
def test_devices_that_it_does_not_watch_change_nothing(
    kind: type[AnyCondition], history: list[tuple[str, Any, bool]]
) -> None:
    condition = EXAMPLES[kind]
    others = [entry for entry in history if entry[0] not in condition.devices]
    assert seen(condition, others) == {}
    assert list(condition.lost("d9")) == []
    assert condition.silence_s("d9") is None


@every_kind
@given(history=HISTORY)
def test_a_breach_and_what_is_met_exclude_each_other(
    kind: type[AnyCondition], history: list[tuple[str, Any, bool]]
) -> None:
    condition = EXAMPLES[kind]
    view = cold(seen(condition, history))
    assert not (condition.is_met(view) and condition.breach(view) is not None)


@pytest.mark.parametrize(
    ("kind", "device", "good"),
    [
        (ColdChain, "d0", r.FridgeReport(temp_c=4.0, door=r.DoorState.CLOSED, compartment="")),
        (AlarmPanel, "d0", r.AlarmPanelReport(panel=r.AlarmPanelState.DISARMED)),
        (AlarmPanel, "d0", r.AlarmPanelReport(panel=r.AlarmPanelState.ARMED_CUSTOM_BYPASS)),
        (RobotFit, "d0", robot()),
        (RobotFit, "d0", robot(mode=r.RobotMode.SEMIAUTOMATIC)),
    ],
)
def test_live_good_news_is_believed(kind: type[AnyCondition], device: str, good: r.Report) -> None:
    condition = EXAMPLES[kind]
    assert condition.is_met(cold(seen(condition, [(device, good, False)])))


@pytest.mark.parametrize(
    "wrong",
    [
        {"emergency_stop": True}, {"emergency_stop": None}, {"field_violation": True}, {"field_violation": None},
        *({"mode": mode} for mode in r.RobotMode if mode not in (r.RobotMode.AUTOMATIC, r.RobotMode.SEMIAUTOMATIC)),
    ],
    ids=str,
)  # fmt: skip
def test_a_robot_that_is_stopped_or_driven_by_a_person_is_not_fit(wrong: dict[str, Any]) -> None:
    condition = EXAMPLES[RobotFit]
    for history in ([("d0", robot(**wrong), False)], [("d0", robot(), False), ("d0", robot(**wrong), True)]):
        view = cold(seen(condition, history))
        assert not condition.is_met(view)
        assert condition.breach(view) is AlarmCode.ROBOT_STRANDED


def test_an_old_good_state_of_a_robot_proves_nothing() -> None:
    assert not EXAMPLES[RobotFit].is_met(cold(seen(EXAMPLES[RobotFit], [("d0", robot(), True)])))


def test_a_robot_that_does_not_come_need_not_be_fit() -> None:
    view = ConditionView(reports=seen(EXAMPLES[RobotFit], [("d0", robot(emergency_stop=True), False)]))
    assert EXAMPLES[RobotFit].is_met(view)
    assert EXAMPLES[RobotFit].breach(view) is None


def test_each_kind_of_report_has_the_class_that_the_log_names() -> None:
    assert all(issubclass(one, ConditionReport) for one in REPORTS)
    assert all(get_type_hints(one) for one in REPORTS)


def test_at_an_entrance_without_a_fridge_nothing_is_ever_cold_enough() -> None:
    (always,) = ALWAYS
    assert not always.is_met(ConditionView(reports={}, place="hall", limits={"hall": Limits(max_c=4.0)}))
    assert always.is_met(ConditionView(reports={}, place="hall"))
