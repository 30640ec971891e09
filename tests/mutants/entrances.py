"""Faults in entrances with several closures: in the core that knows no kind, and in the kinds."""

from tests.mutants.mutant import Mutant

VISIT = "gateway/domain/visit"
STORIES = "tests/gateway/domain/visit/closures"
KILLED, ANY_KIND = f"{STORIES}/test_killed.py", f"{STORIES}/test_any_kind.py"
FLAT, PRIVATE = f"{STORIES}/test_flat.py", f"{STORIES}/test_two_private_doors.py"
COMPARTMENT, KEY_SAFE, GARAGE = (f"{STORIES}/test_{kind}.py" for kind in ("compartment", "key_safe", "garage_door"))
SEEDS = "tests/gateway/domain/visit/test_seeds.py"

MUTANTS = (
    Mutant(
        name="the next closure opens though the one behind is not proven secured",
        file=f"{VISIT}/advancing.py",
        old="elif not behind.secured(seen) or visit.securing.run.step != PROVEN:",
        new="elif behind.opened(seen):",
        tests=(FLAT, SEEDS),
    ),
    Mutant(
        name="the next closure opens though nobody stands there",
        file=f"{VISIT}/advancing.py",
        old="elif _is_way_back_secured(step) and _has_arrived(step):",
        new="elif _is_way_back_secured(step):",
        tests=(FLAT, SEEDS),
    ),
    Mutant(
        name="only the closure right behind him has to be secured",
        file=f"{VISIT}/advancing.py",
        old="elif _is_way_back_secured(step) and _has_arrived(step):",
        new="elif _has_arrived(step):",
        tests=(FLAT,),
    ),
    Mutant(
        name="the next closure opens after a stop",
        file=f"{VISIT}/advancing.py",
        old="has_ended = step.is_stopped or visit.consent.approved is False",
        new="has_ended = visit.consent.approved is False",
        tests=(FLAT, SEEDS),
    ),
    Mutant(
        name="a procedure does not wait until an order to open can act no longer",
        file=f"{VISIT}/procedure.py",
        old="if result.after_expiry and step.now.mono < runner.command_valid_until:",
        new="if result.after_expiry and step.now.mono < 0:",
        tests=(SEEDS,),
    ),
    Mutant(
        name="at the end only the outermost closure has to be secured",
        file=f"{VISIT}/securing.py",
        old="if not left and not unsecured:",
        new="if not left:",
        tests=(FLAT, SEEDS),
    ),
    Mutant(
        name="a visit explains what happens at closures off its way",
        file=f"{VISIT}/predicates.py",
        old="return visit is not None and closure in visit.route",
        new="return visit is not None",
        tests=(FLAT, COMPARTMENT, SEEDS),
    ),
    Mutant(
        name="a neighbour is the household",
        file=f"{VISIT}/intrusion.py",
        old="    if not closure.is_private:\n        return\n",
        new="",
        tests=(FLAT, SEEDS),
    ),
    Mutant(
        name="a second opening is reserved for the next closure of a visit",
        file=f"{VISIT}/predicates.py",
        old="if not has_unlock_intent(state) and (delivery.openings_left < 1",
        new="if (delivery.openings_left < 1",
        tests=(FLAT,),
    ),
    Mutant(
        name="an occupied compartment opens",
        file=f"{VISIT}/closures/compartment.py",
        old='"occupied": has_content_sensor and view.value("content") == OCCUPIED,',
        new='"occupied": False,',
        tests=(COMPARTMENT, SEEDS),
    ),
    Mutant(
        name="an answer of while the lid stood open proves a delivery",
        file=f"{VISIT}/closures/compartment.py",
        old='return Move(to="lid_before", query=("lid",), invalidate=stale)',
        new='return Move(to="lid_before", query=("lid",))',
        tests=(COMPARTMENT, SEEDS),
    ),
    Mutant(
        name="a closure that nobody knows counts as closed",
        file=f"{VISIT}/closures/contract.py",
        old="return view.stable_since(self.leaf) if view.value(self.leaf) == DoorState.CLOSED else None",
        new="return view.stable_since(self.leaf) if view.value(self.leaf) not in OPEN_DOOR_STATES else None",
        tests=(ANY_KIND,),
    ),
    Mutant(
        name="a safe without its key is secured",
        file=f"{VISIT}/closures/key_safe.py",
        old='return view.proves("flap", DoorState.CLOSED) and view.proves("key", PRESENT)',
        new='return view.proves("flap", DoorState.CLOSED)',
        tests=(ANY_KIND, KEY_SAFE),
    ),
    Mutant(
        name="a street door that nobody queried is secured",
        file=f"{VISIT}/closures/strike.py",
        old='    def secured(self, view: View) -> bool:\n        return view.proves("door", DoorState.CLOSED)',
        new='    def secured(self, view: View) -> bool:\n        return view.value("door") == DoorState.CLOSED',
        tests=(ANY_KIND, SEEDS),
    ),
    Mutant(
        name="a garage is sent down on whoever did not report that he left",
        file=f"{VISIT}/closures/closed_by_box.py",
        old="self.obstruction_sensor and view.now.courier_left and self.opened(view)",
        new="self.obstruction_sensor and self.opened(view)",
        tests=(ANY_KIND, GARAGE, SEEDS),
    ),
    Mutant(
        name="a bolt is thrown whatever the door answers",
        file=f"{VISIT}/closures/bolted_door.py",
        old='case "door_before" if view.proves("door", DoorState.CLOSED):',
        new='case "door_before":',
        tests=(ANY_KIND, SEEDS),
    ),
    Mutant(
        name="a restarted gateway sends an order to open once more",
        file=f"{VISIT}/restart.py",
        old="            transitions.consume_opening(step)\n",
        new="            transitions.order_unlock(step, visit.entry.stage)\n",
        tests=(KILLED, SEEDS),
    ),
)
