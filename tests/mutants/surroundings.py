"""Faults in what stands around the door - who is home, the alarm panel - and at a garage's."""

from tests.mutants.mutant import Mutant

RESIDENTS = "tests/gateway/domain/visit/test_presence.py"
GARAGE = "tests/gateway/domain/visit/test_garage.py"
SURROUNDINGS = "tests/gateway/runtime/adapters/test_presence_fridge_alarm.py"

MUTANTS = (
    Mutant(
        name="who is not known to be away is away",
        file="gateway/domain/visit/presence.py",
        old="not in {None, PresenceState.UNKNOWN} for",
        new="not in {PresenceState.UNKNOWN} for",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a panel that nobody has heard is disarmed",
        file="gateway/domain/visit/presence.py",
        old="panel is AlarmPanelState.DISARMED or",
        new="panel in (AlarmPanelState.DISARMED, AlarmPanelState.UNKNOWN) or",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="what was known of the household outlives a broken link",
        file="gateway/domain/visit/facts.py",
        old="replace(step.state, presence={}, alarm_panel=AlarmPanelState.UNKNOWN)",
        new="replace(step.state)",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a retailer reads that the alarm is armed",
        file="gateway/domain/visit/readiness.py",
        old="CLOSED_BY_HOUSEHOLD if word in PRIVATE_CONDITIONS else word for word in lacking",
        new="word for word in lacking",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a stored disarmed counts",
        file="gateway/runtime/adapters/presence_fridge_alarm.py",
        old="if not (old and (panel in LIVE_ONLY or panel in bypassed)):",
        new="if panel is not None:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a thermometer that fell silent is believed for ever",
        file="gateway/runtime/adapters/presence_fridge_alarm.py",
        old="and mono - at > found.silence_s",
        new="and mono - at > found.silence_s + 1e9",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a garage is sent down though nobody said that he is out",
        file="gateway/domain/visit/closures/garage_door.py",
        old="if not (self.obstruction_sensor and view.now.courier_left and self.opened(view)):",
        new="if not (self.obstruction_sensor and self.opened(view)):",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage without a beam is sent down",
        file="gateway/domain/visit/closures/garage_door.py",
        old=(
            "        if not (self.obstruction_sensor and view.now.courier_left and self.opened(view)):\n"
            "            return Verdict.NOTHING\n"
        ),
        new=(
            "        if not self.obstruction_sensor and self.opened(view) and view.run.tries < MAX_CLOSE_COMMANDS:\n"
            '            return Move(to="sent", send=Order.CLOSE, counts=True, within_s=self.closing)\n'
            "        if not (self.obstruction_sensor and view.now.courier_left and self.opened(view)):\n"
            "            return Verdict.NOTHING\n"
        ),
        tests=(GARAGE,),
    ),
    Mutant(
        name="a broken beam takes no word back",
        file="gateway/domain/visit/facts.py",
        old="if sensor.cancels_exit and event.value not in sensor.needs_answer:",
        new="if sensor.cancels_exit and event.value == UNKNOWN:",
        tests=(GARAGE,),
    ),
    Mutant(
        name="the beam is not asked after the warning",
        file="gateway/domain/visit/closures/garage_door.py",
        old=(
            '            case "warned" if view.is_over:\n'
            '                return Move(to="queried_again", query=("way",))\n'
        ),
        new=(
            '            case "warned" if view.is_over:\n'
            '                return Move(to="sent", send=Order.CLOSE, counts=True, within_s=self.closing)\n'
        ),
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage is sent down without a warning",
        file="gateway/domain/visit/closures/garage_door.py",
        old='return Move(to="warned", prompt=WARNING, within_s=self.warning)',
        new='return Move(to="warned", prompt=WARNING, within_s=0.1)',
        tests=(GARAGE,),
    ),
    Mutant(
        name="a word that was said into a broken beam counts",
        file="gateway/domain/visit/scan.py",
        old="if all(seen.value(role) in closure.sensors[role].needs_answer for role in against):",
        new="if all(seen.value(role) is not None for role in against):",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a lock is sent to a garage's opener",
        file="gateway/domain/visit/closures/garage_door.py",
        old='return Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True)',
        new='return Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True, send=Order.LOCK)',
        tests=(GARAGE,),
    ),
)
