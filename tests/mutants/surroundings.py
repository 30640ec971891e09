"""Faults in what stands around the door - who is home, the alarm panel - and at a garage's."""

from tests.mutants.words import Mutant

RESIDENTS = "tests/gateway/domain/visit/test_presence.py"
GARAGE = "tests/gateway/domain/visit/test_garage.py"
SURROUNDINGS = "tests/gateway/runtime/adapters/test_presence_fridge_alarm.py"

MUTANTS = (
    Mutant(
        name="who is not known to be away is away",
        file="gateway/domain/visit/presence.py",
        old="state.presence.get(name, Presence.UNKNOWN) is not Presence.UNKNOWN",
        new="state.presence.get(name, Presence.AWAY) is not Presence.UNKNOWN",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a panel that nobody has heard is disarmed",
        file="gateway/domain/visit/presence.py",
        old="state.panel is Panel.DISARMED or",
        new="state.panel in (Panel.DISARMED, Panel.UNKNOWN) or",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="what was known of the household outlives a broken link",
        file="gateway/domain/visit/presence.py",
        old="replace(step.state, presence={}, panel=Panel.UNKNOWN)",
        new="replace(step.state)",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a retailer reads that the alarm is armed",
        file="gateway/domain/visit/readiness.py",
        old="SHUT if word in RESIDENTS else word for word in lacking",
        new="word for word in lacking",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="a stored disarmed counts",
        file="gateway/runtime/adapters/presence_fridge_alarm.py",
        old="if not (old and (panel in NEVER_OLD or panel in bypassed)):",
        new="if panel is not None:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a thermometer that fell silent is believed for ever",
        file="gateway/runtime/adapters/presence_fridge_alarm.py",
        old="and mono - at > found.silence",
        new="and mono - at > found.silence + 1e9",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a garage is sent down though nobody said that he is out",
        file="gateway/domain/visit/garage.py",
        old="not (rules.beam and visit.out and door_open(step.state))",
        new="not (rules.beam and door_open(step.state))",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage without a beam is sent down",
        file="gateway/domain/visit/garage.py",
        old="not (rules.beam and visit.out and door_open(step.state))",
        new="not (visit.out and door_open(step.state))",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a broken beam takes no word back",
        file="gateway/domain/visit/facts.py",
        old="    if event.way is not Way.CLEAR:\n        _not_out(step)",
        new="    if event.way is Way.UNKNOWN:\n        _not_out(step)",
        tests=(GARAGE,),
    ),
    Mutant(
        name="the beam is not asked after the warning",
        file="gateway/domain/visit/garage.py",
        old="        case Closing.WARNED if step.passed(Why.CLOSE):\n            _ask(step, Closing.ASKED_AGAIN)",
        new="        case Closing.WARNED if step.passed(Why.CLOSE):\n            _send_down(step)",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage is sent down without a warning",
        file="gateway/domain/visit/garage.py",
        old="_go_to(step, Closing.WARNED, rules.warning)",
        new="_go_to(step, Closing.WARNED, 0.1)",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a word that was said into a broken beam counts",
        file="gateway/domain/visit/garage.py",
        old="    if step.state.way.value is Way.CLEAR:",
        new="    if step.state.way.value is not None:",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a lock is sent to a garage's opener",
        file="gateway/runtime/effects.py",
        old="            case c.Lock() if self._garage:",
        new="            case c.Lock() if self._garage and command.n > 9:",
        tests=("tests/gateway/runtime/adapters/test_garage.py",),
    ),
)
