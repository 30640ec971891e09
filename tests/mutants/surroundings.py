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
        file="gateway/domain/visit/presence.py",
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
        file="gateway/domain/visit/garage.py",
        old="not (rules.obstruction_sensor and visit.courier_left and is_door_open(step.state))",
        new="not (rules.obstruction_sensor and is_door_open(step.state))",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage without a beam is sent down",
        file="gateway/domain/visit/garage.py",
        old="not (rules.obstruction_sensor and visit.courier_left and is_door_open(step.state))",
        new="not (visit.courier_left and is_door_open(step.state))",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a broken beam takes no word back",
        file="gateway/domain/visit/facts.py",
        old=("    if event.obstruction is not Obstruction.CLEAR:\n        _reset_courier_left(step)"),
        new=("    if event.obstruction is Obstruction.UNKNOWN:\n        _reset_courier_left(step)"),
        tests=(GARAGE,),
    ),
    Mutant(
        name="the beam is not asked after the warning",
        file="gateway/domain/visit/garage.py",
        old=(
            "        case ClosingStep.WARNED if step.timer_expired(Timer.CLOSE):\n"
            "            _query(step, ClosingStep.ASKED_AGAIN)"
        ),
        new=("        case ClosingStep.WARNED if step.timer_expired(Timer.CLOSE):\n            _send_down(step)"),
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage is sent down without a warning",
        file="gateway/domain/visit/garage.py",
        old="_set_step(step, ClosingStep.WARNED, rules.warning)",
        new="_set_step(step, ClosingStep.WARNED, 0.1)",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a word that was said into a broken beam counts",
        file="gateway/domain/visit/garage.py",
        old="    if step.state.obstruction.value is Obstruction.CLEAR:",
        new="    if step.state.obstruction.value is not None:",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a lock is sent to a garage's opener",
        file="gateway/runtime/effects.py",
        old="            case c.Lock() if state.rules.garage_door:",
        new="            case c.LockDoor() if state.rules.garage_door and command.n > 9:",
        tests=("tests/gateway/runtime/adapters/test_garage.py",),
    ),
)
