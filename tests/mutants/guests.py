"""Faults in stays of guests, and in visits that are not filmed."""

from tests.mutants.mutant import Mutant

TESTS = "tests/gateway/"
VISIT = "gateway/domain/visit/"
STAYS = f"{TESTS}domain/visit/test_stays.py"
LIVES = f"{TESTS}domain/visit/test_guest_seeds.py"
PASSES = f"{TESTS}domain/guests/test_passes.py"
PROVISIONING = f"{TESTS}domain/guests/test_provisioning.py"
RUNTIME = f"{TESTS}runtime/test_guests.py"
PRIVATE = f"{TESTS}video/test_private.py"
STATEMENT = f"{TESTS}evidence/test_stay_statement.py"

MUTANTS = (
    Mutant(
        name="a stay does not keep the cameras from filming",
        file=f"{VISIT}film.py",
        old="return errand.is_filmed and not is_stay(step.state, step.now)",
        new="return errand.is_filmed",
        tests=(STAYS, LIVES),
    ),
    Mutant(
        name="a private errand is filmed",
        file=f"{VISIT}film.py",
        old="return errand.is_filmed and not is_stay(step.state, step.now)",
        new="return not is_stay(step.state, step.now)",
        tests=(STAYS,),
    ),
    Mutant(
        name="a film goes on as a stay begins",
        file=f"{VISIT}film.py",
        old="if recording.is_filmed and recording.is_running:",
        new="if False:",
        tests=(STAYS, LIVES),
    ),
    Mutant(
        name="nobody declares that a stay ended the film",
        file=f"{VISIT}film.py",
        old="gaps = tuple(dict.fromkeys((*recording.gaps, STAY_BEGAN)))",
        new="gaps = recording.gaps",
        tests=(STAYS,),
    ),
    Mutant(
        name="the film of a courier who was turned away by a stay is kept",
        file=f"{VISIT}film.py",
        old="keep=visit.unlock_intent))",
        new="keep=True))",
        tests=(STAYS,),
    ),
    Mutant(
        name="an incident is filmed in a stay",
        file=f"{VISIT}intrusion.py",
        old="if has_unlock_intent(step.state) or not film.may_film(step):",
        new="if has_unlock_intent(step.state):",
        tests=(STAYS,),
    ),
    Mutant(
        name="a picture goes out in a stay",
        file=f"{VISIT}step.py",
        old="picture=picture and self.visit.recording.is_filmed,",
        new="picture=picture,",
        tests=(STAYS,),
    ),
    Mutant(
        name="a courier comes in while guests stay",
        file=f"{VISIT}predicates.py",
        old="if delivery.errand.for_household or not any(stay.start <= now.utc < stay.end for stay in stays):",
        new="if delivery.errand.for_household or stays:",
        tests=(STAYS,),
    ),
    Mutant(
        name="the host's word lets a courier in where the proof needs a film",
        file=f"{VISIT}predicates.py",
        old="if state.rules.is_filmed or not stay.admits_deliveries)",
        new="if not stay.admits_deliveries)",
        tests=(STAYS,),
    ),
    Mutant(
        name="a guest is refused because the household is home",
        file=f"{VISIT}predicates.py",
        old="    if is_household_present(state, now) and not delivery.errand.for_household:\n"
        "        return Refusal.HOUSEHOLD_PRESENT\n    unmet",
        new="    if is_household_present(state, now):\n        return Refusal.HOUSEHOLD_PRESENT\n    unmet",
        tests=(STAYS,),
    ),
    Mutant(
        name="the door is locked against guests who use it after a visit",
        file=f"{VISIT}film.py",
        old="may_come_out = visit.opened and not visit.delivery.errand.for_household",
        new="may_come_out = visit.opened",
        tests=(STAYS,),
    ),
    Mutant(
        name="a guest's hand is an alarm where the household is away",
        file=f"{VISIT}intrusion.py",
        old="if unlocked and is_household_away(step.state) and not is_stay(step.state, step.now):",
        new="if unlocked and is_household_away(step.state):",
        tests=(STAYS,),
    ),
    Mutant(
        name="a parcel counts as delivered by a film that ended before",
        file=f"{VISIT}transitions.py",
        old="is_proven_by_film = step.state.rules.is_filmed and visit.recording.is_filmed",
        new="is_proven_by_film = step.state.rules.is_filmed",
        tests=(STAYS,),
    ),
    Mutant(
        name="a restart films on in a stay",
        file=f"{VISIT}restart.py",
        old="    film.settle_stay(step)\n    if is_before_intent(step.state):\n",
        new="    if is_before_intent(step.state):\n",
        tests=(STAYS,),
    ),
    Mutant(
        name="a film goes on in a stay while no gateway lives",
        file="gateway/video/process.py",
        old="            await self._keep_private()\n            for name, camera in self._cameras.items():",
        new="            for name, camera in self._cameras.items():",
        tests=(PRIVATE,),
    ),
    Mutant(
        name="the video process learns of no stay",
        file="gateway/app.py",
        old="self._inbox.guests.follow_stays(lambda stays: self._video.set_private(private_periods(home, stays)))",
        new="pass",
        tests=(f"{TESTS}test_app.py",),
    ),
    Mutant(
        name="a camera rests in a stay at one of its entrances only",
        file="gateway/runtime/entrance_configuration.py",
        old="if entrances and all(map(stay.holds_at, entrances))",
        new="if any(map(stay.holds_at, entrances))",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="the former household's guests come in",
        file="gateway/storage/handover.py",
        old="    guests.forget_household(db, now)\n",
        new="",
        tests=(f"{TESTS}storage/test_handover.py",),
    ),
    Mutant(
        name="a code counts as withdrawn while the keypad has it",
        file="gateway/domain/guests/provisioning.py",
        old="case CodeState.WITHDRAWING if is_there:",
        new="case CodeState.WITHDRAWING if False:",
        tests=(PROVISIONING,),
    ),
    Mutant(
        name="a code that was never seen counts as gone at once",
        file="gateway/domain/guests/provisioning.py",
        old="is_gone = answers >= max(facts.answers_needed, 2)",
        new="is_gone = answers >= facts.answers_needed",
        tests=(PROVISIONING,),
    ),
    Mutant(
        name="a bridge that remembers a free slot proves that a code is gone",
        file="gateway/domain/guests/provisioning.py",
        old="if facts.answers_needed > 1 and not progress.is_seen:",
        new="if False:",
        tests=(PROVISIONING,),
    ),
    Mutant(
        name="a code of the household in a guest's slot is overwritten",
        file="gateway/domain/guests/provisioning.py",
        old="case CodeState.WANTED if facts.chooses_slot or progress.is_read:",
        new="case CodeState.WANTED:",
        tests=(PROVISIONING, RUNTIME),
    ),
    Mutant(
        name="a code of somebody else in a guest's place is deleted",
        file="gateway/domain/guests/provisioning.py",
        old="may_order = not progress.is_foreign and _is_silent(progress.ordered_at, now)",
        new="may_order = _is_silent(progress.ordered_at, now)",
        tests=(PROVISIONING,),
    ),
    Mutant(
        name="nobody is alarmed of a code that is left",
        file="gateway/domain/guests/provisioning.py",
        old="return replace(code, is_alarmed=True), progress, Do.ALARM",
        new="return replace(code, is_alarmed=True), progress, None",
        tests=(PROVISIONING, RUNTIME),
    ),
    Mutant(
        name="a code that is revoked waits for trusted time",
        file="gateway/domain/guests/provisioning.py",
        old="return replace(code, state=state, ends=min(code.ends, now.utc))",
        new="return replace(code, ends=min(code.ends, now.utc))",
        tests=(PROVISIONING, RUNTIME),
    ),
    Mutant(
        name="an answer that is stored late undoes a revocation",
        file="gateway/storage/guests.py",
        old="if stored is None or (before is not None and (stored.state, stored.ends) != (before.state, before.ends)):",
        new="if stored is None:",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="an answer of before the revocation proves the code gone",
        file="gateway/runtime/keypad_codes.py",
        old="await self._advance(code, facts, answered.get((code.id, code.state)), now)",
        new="await self._advance(code, facts, {one: it for (one, _), it in answered.items()}.get(code.id), now)",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="what the broker stored about a keypad proves something",
        file="gateway/runtime/keypad_codes.py",
        old="if codes is None or asked is None or incoming.retain:",
        new="if codes is None or asked is None:",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="an answer that is older than the order proves it",
        file="gateway/runtime/keypad_codes.py",
        old="return channel is TopicSuffix.RESULT and correlation == self._mark(asked.number)",
        new="return channel is TopicSuffix.RESULT",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="a pass opens outside its hours",
        file="gateway/domain/guests/passes.py",
        old="return None if is_within and now.utc >= held.starts else Refusal.OUTSIDE_WINDOW",
        new="return None if now.utc >= held.starts else Refusal.OUTSIDE_WINDOW",
        tests=(PASSES,),
    ),
    Mutant(
        name="a withdrawn pass keeps its code",
        file="gateway/domain/guests/passes.py",
        old='b"\\0".join((what, held.id.encode(), str(held.version).encode()))',
        new='b"\\0".join((what, held.id.encode()))',
        tests=(PASSES, RUNTIME),
    ),
    Mutant(
        name="a statement about a stay forgets a film that was deleted",
        file="gateway/storage/span_record.py",
        old="for film in _begun(db, start, end) if (film.visit, film.part) not in stored]",
        new="for film in _begun(db, start, end) if False]",
        tests=(STATEMENT,),
    ),
    Mutant(
        name="a statement about a stay forgets a film that still runs",
        file="gateway/storage/span_record.py",
        old="HAVING ended IS NULL OR ended > ?",
        new="HAVING ended > ?",
        tests=(STATEMENT,),
    ),
    Mutant(
        name="a statement about a stay is believed whoever signed it",
        file="gateway/cli/owner.py",
        old="if not statement.is_signed_by(public or signer):",
        new="if not statement.is_signed_by(signer):",
        tests=(STATEMENT,),
    ),
    Mutant(
        name="a wipe leaves the codes of guests at keypads",
        file="gateway/runtime/maintenance/decommission.py",
        old="*(() if codes_too else codes)",
        new="*()",
        tests=("tests/gateway/runtime/test_guests.py",),
    ),
    Mutant(
        name="a keypad with a guest's code is taken out of the house",
        file="gateway/runtime/maintenance/reload.py",
        old="if keypad not in new.devices",
        new="if False",
        tests=("tests/gateway/runtime/test_guests.py",),
    ),
)
