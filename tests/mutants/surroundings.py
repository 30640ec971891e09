"""Faults in what stands around the door - who is home, the alarm panel - and at a garage's."""

from tests.mutants.mutant import Mutant

RESIDENTS = "tests/gateway/domain/visit/test_presence.py"
GARAGE = "tests/gateway/domain/visit/test_garage.py"
CONDITIONS = "tests/gateway/domain/visit/conditions/test_any_condition.py"
FRIDGE = "tests/gateway/domain/visit/test_door_open.py"
SURROUNDINGS = "tests/gateway/runtime/adapters/test_surroundings.py"

MUTANTS = (
    Mutant(
        name="who is not known to be away is away",
        file="gateway/domain/visit/conditions/presence.py",
        old="return report.presence if isinstance(report, PresenceReported) else PresenceState.UNKNOWN",
        new="return report.presence if isinstance(report, PresenceReported) else PresenceState.AWAY",
        tests=(RESIDENTS, CONDITIONS),
    ),
    Mutant(
        name="a panel that nobody has heard is disarmed",
        file="gateway/domain/visit/conditions/alarm_panel.py",
        old="return mode is AlarmPanelState.DISARMED or",
        new="return mode in (AlarmPanelState.DISARMED, AlarmPanelState.UNKNOWN) or",
        tests=(RESIDENTS, CONDITIONS),
    ),
    Mutant(
        name="what was known of the household outlives a broken link",
        file="gateway/domain/visit/facts.py",
        old="step.state.surroundings.items() if report.proof_place is not None}",
        new="step.state.surroundings.items()}",
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
        file="gateway/domain/visit/conditions/alarm_panel.py",
        old="if not (old and self._is_quiet(report.panel)):",
        new="if report.panel is not None:",
        tests=(SURROUNDINGS, CONDITIONS),
    ),
    Mutant(
        name="a thermometer that fell silent is believed for ever",
        file="gateway/runtime/adapters/surroundings.py",
        old="and mono - spoke[device] > limit_s",
        new="and mono - spoke[device] > limit_s + 1e9",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a stored away counts",
        file="gateway/domain/visit/conditions/presence.py",
        old="if not (old and report.presence is PresenceState.AWAY):",
        new="if report.presence is not None:",
        tests=(SURROUNDINGS, CONDITIONS),
    ),
    Mutant(
        name="a stored temperature counts",
        file="gateway/domain/visit/conditions/cold_chain.py",
        old="if isinstance(report, r.FridgeReport) and not old:",
        new="if isinstance(report, r.FridgeReport):",
        tests=(SURROUNDINGS, CONDITIONS),
    ),
    Mutant(
        name="a thermometer that is lost stays cold",
        file="gateway/domain/visit/conditions/cold_chain.py",
        old="yield FridgeReported(place=place, fridge=FridgeState())",
        new="yield from ()",
        tests=(SURROUNDINGS, CONDITIONS),
    ),
    Mutant(
        name="a measurement of the former session stays",
        file="gateway/runtime/adapters/surroundings.py",
        old="if event.proof_place is not None and event.source in state.surroundings:",
        new="if event.proof_place is None and event.source in state.surroundings:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a person who comes home while the bell rings is not noticed",
        file="gateway/domain/visit/facts.py",
        old="if any(condition.is_arrival(event) for condition in step.state.rules.conditions):",
        new="if not step.state.rules.conditions:",
        tests=(RESIDENTS,),
    ),
    Mutant(
        name="the fridge's alarm comes with every report",
        file="gateway/domain/visit/step.py",
        old="if code not in visit.breaches:",
        new="if True:",
        tests=(FRIDGE,),
    ),
    Mutant(
        name="a fridge that stands open is fine",
        file="gateway/domain/visit/conditions/cold_chain.py",
        old="return AlarmCode.FRIDGE_LEFT_OPEN if is_open else None",
        new="return None",
        tests=(FRIDGE,),
    ),
    Mutant(
        name="a garage is sent down though nobody said that he is out",
        file="gateway/domain/visit/closures/closed_by_box.py",
        old="if not (self.obstruction_sensor and view.now.courier_left and self.opened(view)):",
        new="if not (self.obstruction_sensor and self.opened(view)):",
        tests=(GARAGE,),
    ),
    Mutant(
        name="a garage without a beam is sent down",
        file="gateway/domain/visit/closures/closed_by_box.py",
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
        old="if sensor.cancels_exit_report and event.value not in sensor.needs_answer:",
        new="if sensor.cancels_exit_report and event.value == UNKNOWN:",
        tests=(GARAGE,),
    ),
    Mutant(
        name="the beam is not asked after the warning",
        file="gateway/domain/visit/closures/closed_by_box.py",
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
        file="gateway/domain/visit/closures/closed_by_box.py",
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
        file="gateway/domain/visit/closures/closed_by_box.py",
        old='return Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True)',
        new='return Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True, send=Order.LOCK)',
        tests=(GARAGE,),
    ),
)
