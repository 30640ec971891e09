"""Faults in the choice of another place for a parcel that its own entrance cannot take."""

from tests.mutants.mutant import Mutant

CHOICE = "tests/gateway/domain/delivery/test_fallback.py"
MOVES = "tests/gateway/runtime/test_fallback.py"
PURE = "gateway/domain/delivery/fallback.py"
STORE = "gateway/storage/deliveries.py"
SHELL = "gateway/runtime/fallback.py"

MUTANTS = (
    Mutant(
        name="after a stop another entrance opens",
        file=PURE,
        old="if refusal not in FALLBACK_REFUSALS or order.placed >= MAX_MOVES:",
        new="if refusal not in {*FALLBACK_REFUSALS, Refusal.STOPPED_BY_OWNER} or order.placed >= MAX_MOVES:",
        tests=(CHOICE,),
    ),
    Mutant(
        name="a retailer's own list of entrances is ignored",
        file=PURE,
        old="is_accepted = order.entrances is None or entrance in order.entrances",
        new="is_accepted = order.entrances is None or entrance",
        tests=(CHOICE, MOVES),
    ),
    Mutant(
        name="a parcel without a courier's code goes where one is needed",
        file=PURE,
        old="is_provable = order.courier is not None or entrance not in plan.courier_proof",
        new="is_provable = order.courier is not None or entrance",
        tests=(CHOICE,),
    ),
    Mutant(
        name="a parcel is moved without end",
        file=PURE,
        old="if refusal not in FALLBACK_REFUSALS or order.placed >= MAX_MOVES:",
        new="if refusal not in FALLBACK_REFUSALS:",
        tests=(CHOICE,),
    ),
    Mutant(
        name="a parcel goes to a place that refuses it",
        file=PURE,
        old="if refusal_at(place) is None), None)",
        new="), None)",
        tests=(CHOICE, MOVES),
    ),
    Mutant(
        name="a photograph of the label opens the garage",
        file="gateway/domain/delivery/candidate.py",
        old="needs_courier=not (is_own or order.for_robot)"
        " and (order.only_collects or not context.courier_proof.isdisjoint(order.lies_at)),",
        new="needs_courier=not (is_own or order.for_robot) and order.entrance in context.courier_proof,",
        tests=(MOVES,),
    ),
    Mutant(
        name="a parcel whose opening is reserved is moved",
        file=STORE,
        old="if row.usage.visiting or row.usage.used:",
        new="if row.usage.visiting and not row.usage.used:",
        tests=(MOVES,),
    ),
    Mutant(
        name="a parcel is moved to where its brand may not go",
        file=STORE,
        old="if replace(row, order=_moved(row.order, place)).facts(self._context, now).refusal is not None:",
        new="if replace(row, order=_moved(row.order, place)).facts(self._context, now).refusal is Refusal.CANCELLED:",
        tests=(MOVES,),
    ),
    Mutant(
        name="an update of the retailer leaves the parcel where the house moved it",
        file="gateway/storage/offers.py",
        old='" moved_from = NULL, announced_place = NULL,"',
        new='""',
        tests=(MOVES,),
    ),
    Mutant(
        name="a door that only had to answer a query loses its parcel",
        file=SHELL,
        old="is_over = present is None and bool(answer.lacking)",
        new="is_over = False",
        tests=(MOVES,),
    ),
    Mutant(
        name="a courier who scans at the first door again is shown nothing",
        file=SHELL,
        old="return entrance if is_back else order.entrance",
        new="return entrance if is_back else None",
        tests=(MOVES,),
    ),
    Mutant(
        name="with nobody on duty the concierge gets the parcel",
        file="gateway/runtime/reception.py",
        old="return None if self.on_duty() else Refusal.NO_RECEIVER",
        new="return None",
        tests=(MOVES,),
    ),
    Mutant(
        name="a retailer does not get the parcel's new entrance",
        file="gateway/storage/rows.py",
        old="moved_to=None if self.order.moved_from is None else self.order.entrance,",
        new="moved_to=None,",
        tests=(MOVES,),
    ),
    Mutant(
        name="a move loses the owner's tap",
        file="gateway/domain/delivery/candidate.py",
        old="or (is_own and not order.lies_at <= context.without_tap),",
        new="or (is_own and order.entrance not in context.without_tap),",
        tests=("tests/gateway/domain/delivery/test_candidate.py",),
    ),
    Mutant(
        name="a person at home at one entrance is ignored at another",
        file=PURE,
        old="is_empty = refusal not in _SOMEBODY_HOME or entrance not in plan.living_space",
        new="is_empty = refusal not in _SOMEBODY_HOME or entrance",
        tests=(CHOICE,),
    ),
    Mutant(
        name="a moved parcel never comes back",
        file=SHELL,
        old="is_possible = self._refusal_at(back, delivery) is None",
        new="is_possible = False",
        tests=(MOVES,),
    ),
    Mutant(
        name="a parcel that a brand delivered comes in again as the owner's own",
        file=STORE,
        old="comes = {None, Refusal.ALREADY_USED}",
        new="comes = {None}",
        tests=("tests/gateway/runtime/test_own_parcels.py",),
    ),
    Mutant(
        name="a late answer empties a compartment",
        file="gateway/domain/visit/facts.py",
        old="min_query_id = max(min_query_id, measured + 1, _newest_query(fact) + 1)",
        new="min_query_id = max(min_query_id, 0)",
        tests=("tests/gateway/domain/visit/test_two_good_values.py",),
    ),
    Mutant(
        name="the second of two late answers empties a compartment",
        file="gateway/domain/visit/facts.py",
        old="min_query_id = max(min_query_id, measured + 1, _newest_query(fact) + 1)",
        new="min_query_id = max(min_query_id, measured + 1)",
        tests=("tests/gateway/domain/visit/test_two_good_values.py",),
    ),
    Mutant(
        name="a lid stuck at closed makes a second opening available",
        file="gateway/domain/visit/transitions.py",
        old=") and not _may_have_been_filled(step)",
        new=") or _may_have_been_filled(step) is None",
        tests=("tests/gateway/domain/visit/test_two_good_values.py",),
    ),
    Mutant(
        name="a door is used although its key hangs in the safe, without an alarm",
        file="gateway/domain/visit/closures/keyed_door.py",
        old="return KEY_TAKEN in view.now.marks",
        new="return KEY_TAKEN in view.now.marks or True",
        tests=("tests/gateway/domain/visit/closures/test_key_without_key.py",),
    ),
)
