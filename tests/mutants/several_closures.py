"""Faults in the store and in the shell of an entrance whose visits open several closures."""

from tests.mutants.mutant import Mutant

TESTS = "tests/gateway/"
INTENTS = f"{TESTS}storage/test_intents.py"
GO = f"{TESTS}domain/visit/closures/test_answered_with_go.py"
STATES = f"{TESTS}storage/test_entrance_state.py"
BAD_NEWS = f"{TESTS}runtime/test_bad_news_before_an_unlock.py"
SENSORS = f"{TESTS}runtime/adapters/test_sensors.py"
INBOX = f"{TESTS}runtime/test_inbox.py"
OWN_OPENING = f"{INBOX}::test_what_a_visit_hears_of_its_delivery_does_not_count_its_own_opening"

MUTANTS = (
    # ---- the store ----
    Mutant(
        name="a closure that a motor opens answers no scan",
        file="gateway/domain/visit/transitions.py",
        old="if step.visit.phase is Phase.UNLOCKING:\n",
        new="if step.visit.phase is Phase.UNLOCKED:\n",
        tests=(GO,),
    ),
    Mutant(
        name="the flat is answered at the street door",
        file="gateway/domain/visit/scan.py",
        old="scanner=scan.scanner, entry=replace(",
        new="entry=replace(",
        tests=(GO,),
    ),
    Mutant(
        name="a visit's own opening rolls its next intent back",
        file="gateway/storage/decisions.py",
        old="row = row_in_visit(db, key, visit)",
        new="row = row_of(db, key)",
        tests=(INTENTS,),
    ),
    Mutant(
        name="the first intent of a visit needs no opening and no withdrawal that is left",
        file="gateway/storage/decisions.py",
        old="free = facts.refusal is None and facts.openings_left >= 1 and facts.withdrawals_left >= 1",
        new="free = facts.refusal is None",
        tests=(f"{TESTS}storage/test_store.py",),
    ),
    Mutant(
        name="the next closure's intent is a visit of its own",
        file="gateway/storage/decisions.py",
        old="    if command.stage == 0:\n        db.insert(",
        new="    if command.stage >= 0:\n        db.insert(",
        tests=(INTENTS,),
    ),
    Mutant(
        name="one intent may be stored twice",
        file="gateway/storage/decisions.py",
        old='    db.insert("opening", visit=visit,',
        new='    db.execute("DELETE FROM opening")\n    db.insert("opening", visit=visit,',
        tests=(INTENTS,),
    ),
    Mutant(
        name="a change of its delivery tells a visit that its own opening is used up",
        file="gateway/runtime/inbox.py",
        old="self.store.deliveries.facts(key, now, visit=_visit_on_its_way(running.state))",
        new="self.store.deliveries.facts(key, now)",
        tests=(OWN_OPENING,),
    ),
    Mutant(
        name="a former visit that rang only has an intent now",
        file="gateway/storage/former_state.py",
        old='"ordered_at": {closure: 0.0} if old.get("unlock_intent") else {},',
        new='"ordered_at": {closure: 0.0},',
        tests=(STATES,),
    ),
    Mutant(
        name="a former visit's intent is forgotten",
        file="gateway/storage/former_state.py",
        old='"ordered_at": {closure: 0.0} if old.get("unlock_intent") else {},',
        new='"ordered_at": {},',
        tests=(STATES,),
    ),
    Mutant(
        name="a former visit was observed while nobody was there to observe",
        file="gateway/storage/former_state.py",
        old='"observed_throughout": False,',
        new='"observed_throughout": True,',
        tests=(STATES,),
    ),
    Mutant(
        name="a former visit's opening is settled a second time",
        file="gateway/storage/former_state.py",
        old='"reservation_settled": old.get("reservation_settled", False),\n            "not_sent"',
        new='"reservation_settled": False,\n            "not_sent"',
        tests=(STATES,),
    ),
    Mutant(
        name="a former visit's unanswered command is forgotten",
        file="gateway/storage/former_state.py",
        old='"unanswered": [closure] if old.get("unlock_unanswered") else [],',
        new='"unanswered": [],',
        tests=(STATES,),
    ),
    Mutant(
        name="a former safe mode ends with the new release",
        file="gateway/storage/former_state.py",
        old='"safe": {} if old.get("safe_mode") else None,',
        new='"safe": None,',
        tests=(STATES,),
    ),
    # ---- bad news before a command to open ----
    Mutant(
        name="an unlock leaves though bad news waits for its decision",
        file="gateway/runtime/effects.py",
        old="if self.has_turned_bad(route_sensors(state, command)):",
        new="if self.has_turned_bad(()):",
        tests=(BAD_NEWS,),
    ),
    Mutant(
        name="bad news of a closure further in holds nothing back",
        file="gateway/runtime/effects.py",
        old="left = route[route.index(command.closure) :] if command.closure in route else (command.closure,)",
        new="left = (command.closure,) if command.closure in route else route",
        tests=(BAD_NEWS,),
    ),
    Mutant(
        name="a neighbour at the street door holds an unlock back",
        file="gateway/runtime/effects.py",
        old="if closure.id in left and closure.is_private",
        new="if closure.id in left",
        tests=(BAD_NEWS,),
    ),
    Mutant(
        name="only a sensor that fell silent is bad news that waits",
        file="gateway/runtime/entrance.py",
        old="event.sensor in sensors and is_bad_news(self.state.rules, event)",
        new="event.sensor in sensors and isinstance(event, e.SensorOffline)",
        tests=(BAD_NEWS,),
    ),
    Mutant(
        name="what a broker retained is bad news that waits",
        file="gateway/runtime/adapters/sensors.py",
        old="return not event.context.retained and found is not None and event.value not in found[2].needs_answer",
        new="return found is not None and event.value not in found[2].needs_answer",
        tests=(SENSORS, BAD_NEWS),
    ),
    # ---- what a report means ----
    Mutant(
        name="a board that tells its lid tells its latch too",
        file="gateway/runtime/adapters/sensors.py",
        old="if binding.device == device and binding.quantity is quantity:",
        new="if binding.device == device:",
        tests=(SENSORS,),
    ),
    Mutant(
        name="any device speaks for a sensor of its quantity",
        file="gateway/runtime/adapters/sensors.py",
        old="if binding.device == device and binding.quantity is quantity:",
        new="if binding.quantity is quantity:",
        tests=(SENSORS,),
    ),
    Mutant(
        name="a compartment whose sensor cannot tell is empty",
        file="gateway/runtime/adapters/sensors.py",
        old="return Quantity.CONTENT, UNKNOWN if occupied is None else OCCUPIED if occupied else EMPTY",
        new="return Quantity.CONTENT, OCCUPIED if occupied else EMPTY",
        tests=(SENSORS,),
    ),
    Mutant(
        name="a key whose hook cannot tell hangs there",
        file="gateway/runtime/adapters/sensors.py",
        old="return Quantity.KEY, UNKNOWN if present is None else PRESENT if present else ABSENT",
        new="return Quantity.KEY, ABSENT if present is False else PRESENT",
        tests=(SENSORS,),
    ),
    Mutant(
        name="an opener that says nothing of its beam has a clear one",
        file="gateway/runtime/adapters/sensors.py",
        old="case r.GarageDoorReport(clear=clear) if clear is not None:",
        new="case r.GarageDoorReport(clear=clear) if clear is not False:",
        tests=(SENSORS,),
    ),
    Mutant(
        name="any sensor's mere word counts as if it could not be asked",
        file="gateway/runtime/adapters/sensors.py",
        old="return event.sensor in rules.basic_sensors and found is not None and event.value in found[2].needs_answer",
        new="return found is not None and event.value in found[2].needs_answer",
        tests=(SENSORS,),
    ),
    Mutant(
        name="a board of many sensors is asked once for each",
        file="gateway/runtime/adapters/sensors.py",
        old="newest[devices.get(command.sensor)] == command.number",
        new="newest[devices.get(command.sensor)] >= command.number",
        tests=(SENSORS,),
    ),
)
