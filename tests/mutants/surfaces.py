"""Faults in how pages, Home Assistant, messages and the walk test show each closure."""

from tests.mutants.mutant import Mutant

ENTITIES = "tests/gateway/integrations/homeassistant/test_closures.py"
TRIALS = "tests/gateway/installation/test_trials.py"
PAGES = "tests/gateway/web/server/test_closures_on_pages.py"
NAMED = "tests/gateway/domain/visit/closures/test_messages_name_it.py"
HOMEASSISTANT = "gateway/integrations/homeassistant/closures.py"
WALK = "gateway/installation/walk.py"
PROVEN = f"{ENTITIES}::test_no_kind_is_shown_locked_closed_empty_or_with_its_key_before_that_is_proven"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a closure's lock in Home Assistant is locked while it is closed",
        file=HOMEASSISTANT,
        old='    if closure.secured(seen):\n        return "LOCKED"\n',
        new='    if closure.closed_since(seen) is not None:\n        return "LOCKED"\n',
        tests=(PROVEN,),
    ),
    Mutant(
        name="a garage door in Home Assistant is closed unless it is open",
        file=HOMEASSISTANT,
        old='return "closed" if is_secured else "open" if is_loose else UNKNOWN',
        new='return "open" if is_loose else "closed"',
        tests=(PROVEN,),
    ),
    Mutant(
        name="a compartment or a safe in Home Assistant is locked unless it is open",
        file=HOMEASSISTANT,
        old="return OFF if is_secured else ON if is_loose else UNKNOWN",
        new="return ON if is_loose else OFF",
        tests=(PROVEN,),
    ),
    Mutant(
        name="Home Assistant shows each sensor's unproven report",
        file=HOMEASSISTANT,
        old="is_believed = fact.proven or fact.value not in sensor.needs_answer",
        new="is_believed = fact.value != UNKNOWN",
        tests=(PROVEN,),
    ),
    Mutant(
        name="Home Assistant shows a street door as locked",
        file=HOMEASSISTANT,
        old="    elif closure.is_private:\n        yield SECURED, _SECURED\n",
        new="    else:\n        yield SECURED, _SECURED\n",
        tests=(f"{ENTITIES}::test_a_door_that_neighbours_use_too_is_never_called_locked",),
    ),
    Mutant(
        name="a closure is shut on the pages without its devices",
        file="gateway/web/server/fragments.py",
        old="summary.ClosureState.UNKNOWN if state.broker_session is None else summary.closure_state(state, one)",
        new="summary.closure_state(state, one)",
        tests=(f"{PAGES}::test_without_the_devices_nothing_is_shown_as_shut",),
    ),
    Mutant(
        name="the pages draw an open closure as a closed one",
        file="gateway/web/server/closure_drawings.py",
        old="self.opened if state is ClosureState.OPEN else self.closed",
        new="self.opened if state is None else self.closed",
        tests=(f"{PAGES}::test_each_kind_is_drawn_from_its_row_and_open_otherwise_than_closed",),
    ),
    Mutant(
        name="the pages show the courier at the door that he has left",
        file="gateway/web/server/fragments.py",
        old="        case Phase.ADVANCING if place == stage + 1:\n",
        new="        case Phase.ADVANCING if place == stage:\n",
        tests=(f"{PAGES}::test_a_visit_shows_at_which_closure_its_courier_is",),
    ),
    Mutant(
        name="a trial passes whatever the house claims meanwhile",
        file=WALK,
        old="return any(_is_shown(goal, step, observation) for goal in forbidden)",
        new="return any(not goal for goal in forbidden) and step.closure == observation",
        tests=(f"{TRIALS}::test_a_closure_s_trial_ends_by_what_the_house_shows",),
    ),
    Mutant(
        name="a sensor's unproven report ends a trial",
        file=WALK,
        old="all(fact.value == DoorState.CLOSED and fact.proven for fact in contacts)",
        new="all(fact.value == DoorState.CLOSED for fact in contacts)",
        tests=(f"{TRIALS}::test_an_unproven_closed_ends_no_trial",),
    ),
    Mutant(
        name="a wedged door counts after a moment",
        file=WALK,
        old="all(seen.mono - fact.stable_since >= RESTS_OPEN_S for fact in contacts)",
        new="all(seen.mono >= fact.stable_since for fact in contacts)",
        tests=(f"{TRIALS}::test_a_closure_s_trial_ends_by_what_the_house_shows",),
    ),
    Mutant(
        name="a safe counts as shut without its key while its flap is open",
        file=WALK,
        old="return is_out and (is_closed or goal is TrialGoal.KEY_OUT)",
        new="return is_out or is_closed",
        tests=(f"{TRIALS}::test_a_closure_s_trial_ends_by_what_the_house_shows",),
    ),
    Mutant(
        name="a parcel seen with the lid open passes its trial",
        file=WALK,
        old="return is_closed and any(fact.value == wanted and fact.proven for fact in of(Quantity.CONTENT))",
        new="return any(fact.value == wanted and fact.proven for fact in of(Quantity.CONTENT))",
        tests=(f"{TRIALS}::test_a_closure_s_trial_ends_by_what_the_house_shows",),
    ),
    Mutant(
        name="a delivery to one compartment passes the trial of another",
        file=WALK,
        old="        and (step.closure is None or visit.route[-1] == step.closure)\n",
        new="",
        tests=(f"{TRIALS}::test_a_delivery_to_another_compartment_passes_no_trial",),
    ),
    Mutant(
        name="a code that is refused at one scanner passes the trial of another",
        file=WALK,
        old="return step.closure is None or state.rules.scanners.get(scanner) == step.closure",
        new="return True or scanner == step.closure",
        tests=(f"{TRIALS}::test_a_wrong_code_counts_at_the_scanner_of_its_closure_only",),
    ),
    Mutant(
        name="a walk test that was passed with other closures stays passed",
        file=WALK,
        old="fitted = (devices, [(one.id, one.kind) for one in section.closures]) if section.closures else devices",
        new="fitted = devices",
        tests=(f"{TRIALS}::test_what_was_passed_with_other_closures_is_stale",),
    ),
    Mutant(
        name="no message names its closure",
        file="gateway/domain/visit/step.py",
        old=(
            'return "" if closure is None or [one.id for one in self.state.rules.closures] == [MAIN_CLOSURE] '
            "else closure"
        ),
        new='return "" if self.state.rules.closures else closure or ""',
        tests=(NAMED,),
    ),
    Mutant(
        name="the closure that opened last is blamed for one behind it that does not close",
        file="gateway/domain/visit/transitions.py",
        old="return securing if securing is not None and step.visit.phase is Phase.RELOCKING else step.here.id",
        new="return step.here.id",
        tests=(f"{NAMED}::test_a_street_door_that_is_wedged_is_named_and_not_the_flat",),
    ),
)
