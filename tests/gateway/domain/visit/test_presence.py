"""Who is home and what the alarm panel does, as devices say it: what a courier meets."""

import pytest

from devices.reports import AlarmPanelState, LockReport, LockState, OperationSource, PresenceState
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import AlarmPanelReported, PresenceReported
from tests.house.house import SimulatedHome
from tests.house.reports import lock_report
from tests.house.story import RINGING_S, announce_delivery, good_day

CLAIRE, LUC = "claire", "luc"


def followed(**rules: object) -> SimulatedHome:
    house = good_day(presence=(CLAIRE, LUC), **rules)
    announce_delivery(house)
    return house


def alarmed(*bypassed: AlarmPanelState) -> SimulatedHome:
    house = good_day(alarm="panel", bypassed=frozenset(bypassed))
    announce_delivery(house)
    return house


def is_said(house: SimulatedHome, who: str, where: PresenceState) -> None:
    house.feed(PresenceReported(device=who, presence=where))


def scanned(house: SimulatedHome) -> str:
    """What comes of a scan: a refusal, or that it rings."""
    house.scan("d0-1")
    house.run(1)
    return house.refusals[-1] if house.refusals else house.phase or ""


@pytest.mark.parametrize(
    ("claire", "luc", "comes"),
    [
        (PresenceState.AWAY, PresenceState.AWAY, "ringing"),
        (PresenceState.HOME, PresenceState.AWAY, "household_present"),
        (PresenceState.AWAY, PresenceState.HOME, "household_present"),
        (PresenceState.HOME, PresenceState.UNKNOWN, "household_present"),
        (PresenceState.AWAY, PresenceState.UNKNOWN, "not_ready"),
        (PresenceState.UNKNOWN, PresenceState.UNKNOWN, "not_ready"),
        (PresenceState.AWAY, None, "not_ready"),
        (None, None, "not_ready"),
    ],
)
def test_nobody_who_is_followed_may_be_home_and_unknown_is_not_away(
    claire: PresenceState | None, luc: PresenceState | None, comes: str
) -> None:
    house = followed()
    for who, where in ((CLAIRE, claire), (LUC, luc)):
        if where is not None:
            is_said(house, who, where)
    assert scanned(house) == comes


def test_where_nobody_is_followed_presence_keeps_no_door_shut() -> None:
    house = good_day()
    announce_delivery(house)
    is_said(house, "a-device-of-another-entrance", PresenceState.HOME)
    assert scanned(house) == "ringing"


def test_who_comes_home_while_it_rings_sees_to_the_courier() -> None:
    house = followed()
    is_said(house, CLAIRE, PresenceState.AWAY)
    is_said(house, LUC, PresenceState.AWAY)
    assert scanned(house) == "ringing"
    is_said(house, LUC, PresenceState.HOME)
    house.run(RINGING_S)
    assert [result.outcome for result in house.all(c.ReportParcelResult)] == ["attended"]
    assert not house.all(c.ReserveOpening)


def test_who_comes_home_during_a_visit_ends_it_no_other_way_than_it_ends() -> None:
    house = followed()
    is_said(house, CLAIRE, PresenceState.AWAY)
    is_said(house, LUC, PresenceState.AWAY)
    scanned(house)
    house.run(RINGING_S)
    house.open()
    house.run(1)
    is_said(house, CLAIRE, PresenceState.HOME)
    house.close()
    house.run(14)
    assert house.phase == "locked_again"


@pytest.mark.parametrize("again", [e.BrokerUp(session=9), e.Restarted()])
def test_what_was_known_before_a_break_is_not_known_after_it(again: e.Event) -> None:
    house = followed(alarm="panel")
    is_said(house, CLAIRE, PresenceState.AWAY)
    is_said(house, LUC, PresenceState.AWAY)
    house.feed(AlarmPanelReported(panel=AlarmPanelState.DISARMED))
    house.feed(again)
    fridge = "fridge/fridge"  # the shell reports the loss of a measurement
    assert house.mem.surroundings.keys() <= ({fridge} if isinstance(again, e.BrokerUp) else set())


@pytest.mark.parametrize("panel", AlarmPanelState)
def test_a_door_opens_only_where_no_siren_would_answer(panel: AlarmPanelState) -> None:
    house = alarmed()
    house.feed(AlarmPanelReported(panel=panel))
    at_home = panel in (AlarmPanelState.ARMED_HOME, AlarmPanelState.ARMED_NIGHT)
    comes = "ringing" if panel is AlarmPanelState.DISARMED else "household_present" if at_home else "not_ready"
    assert scanned(house) == comes


@pytest.mark.parametrize("panel", AlarmPanelState)
def test_a_mode_that_spares_this_door_is_the_only_armed_one_in_which_it_opens(panel: AlarmPanelState) -> None:
    house = alarmed(AlarmPanelState.ARMED_AWAY)
    house.feed(AlarmPanelReported(panel=panel))
    assert (scanned(house) == "ringing") == (panel in (AlarmPanelState.DISARMED, AlarmPanelState.ARMED_AWAY))


def test_a_panel_that_nobody_has_heard_keeps_the_door_shut() -> None:
    assert scanned(alarmed()) == "not_ready"


def test_a_panel_that_is_armed_while_it_rings_is_seen_at_the_intent() -> None:
    house = alarmed()
    house.feed(AlarmPanelReported(panel=AlarmPanelState.DISARMED))
    assert scanned(house) == "ringing"
    house.feed(AlarmPanelReported(panel=AlarmPanelState.ARMING))
    house.run(RINGING_S)
    assert not house.all(c.ReserveOpening)
    assert house.refusals == ["not_ready"]


@pytest.mark.parametrize(
    ("panel", "alarms"),
    [
        (AlarmPanelState.ARMED_AWAY, True),
        (AlarmPanelState.ARMED_VACATION, True),
        (AlarmPanelState.ARMED_NIGHT, False),
        (AlarmPanelState.DISARMED, False),
    ],
)
def test_armed_away_a_hand_at_the_door_is_alarmed_as_if_the_household_had_said_so(
    panel: AlarmPanelState, *, alarms: bool
) -> None:
    house = alarmed(AlarmPanelState.ARMED_AWAY)
    house.feed(AlarmPanelReported(panel=panel))
    report = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.MANUAL)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    assert house.alarms == (["hand_use_while_away"] if alarms else [])


def test_the_owner_hears_what_is_lacking_and_a_retailer_not_that_nobody_is_home() -> None:
    house = good_day(alarm="panel", presence=(CLAIRE,))
    promise = announce_delivery(house)
    house.feed(AlarmPanelReported(panel=AlarmPanelState.ARMED_AWAY))
    house.feed(e.WindowChanged(near=True))
    house.run(1)
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    assert house.all(c.ReportReadiness)[-1].lacking == ("entrance",)
    (told,) = [tell for tell in house.all(c.NotifyOwner) if tell.notification is c.Notification.NOT_READY]
    assert told.detail == "presence, alarm"
    is_said(house, CLAIRE, PresenceState.AWAY)
    house.feed(AlarmPanelReported(panel=AlarmPanelState.DISARMED))
    house.run(5)
    assert house.all(c.ReportReadiness)[-1].lacking == ()
