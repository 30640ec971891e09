"""Faults in what the household asks for: a pause from-to, a door to be locked now."""

from tests.mutants.mutant import Mutant

TESTS = "tests/gateway/"
PAUSES = f"{TESTS}domain/visit/test_pauses.py"
LOCKUP = f"{TESTS}domain/visit/test_lock_request.py"

MUTANTS = (
    Mutant(
        name="a pause is ignored at a scan",
        file="gateway/domain/visit/predicates.py",
        old="    if is_paused(state, now) and not delivery.errand.for_household:\n        return Refusal.PAUSED\n",
        new="",
        tests=(f"{TESTS}domain/visit/test_refusals.py", PAUSES),
    ),
    Mutant(
        name="a pause goes on for one instant more",
        file="gateway/domain/visit/predicates.py",
        old="    return any(pause.start <= now.utc < pause.end for pause in state.pauses)\n",
        new="    return any(pause.start <= now.utc <= pause.end for pause in state.pauses)\n",
        tests=(PAUSES,),
    ),
    Mutant(
        name="nobody is told when a pause ends",
        file="gateway/domain/visit/decide.py",
        old="for instant in (pause.start, pause.end) if",
        new="for instant in (pause.start,) if",
        tests=(PAUSES,),
    ),
    Mutant(
        name="a retailer learns of each pause that touches his window",
        file="gateway/domain/visit/predicates.py",
        old="return state.stopped or free >= delivery.end",
        new="return state.stopped or free > max(delivery.start, now.utc)",
        tests=(PAUSES,),
    ),
    Mutant(
        name="a pause that was stored meanwhile does not undo the intent",
        file="gateway/storage/decisions.py",
        old="or stop.stopped or paused or",
        new="or stop.stopped or",
        tests=(f"{TESTS}storage/test_pauses.py",),
    ),
    Mutant(
        name="a pause is stored and reaches no entrance",
        file="gateway/runtime/inbox.py",
        old="                running.post(e.PausesChanged(pauses=self._store.pauses.of_entrance(name)))\n",
        new="                pass\n",
        tests=(f"{TESTS}runtime/test_inbox.py",),
    ),
    Mutant(
        name="lock now is sent to a door that did not say closed",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='case "door_before" if view.proves("door", DoorState.CLOSED):',
        new='case "door_before" if not self.opened(view):',
        tests=(LOCKUP,),
    ),
    Mutant(
        name="lock now believes the lock's own word",
        file="gateway/domain/visit/lock_request.py",
        old="    if result is Verdict.DONE:\n        _go_to_next(step)\n",
        new=(
            "    if is_closed and not closure.unsecured(step.view(closure)):\n"
            "        _end(step, LockRequestResult.PROVEN)\n"
            "    elif result is Verdict.DONE:\n"
            "        _go_to_next(step)\n"
        ),
        tests=(LOCKUP,),
    ),
    Mutant(
        name="what was proven is shown though the door says otherwise",
        file="gateway/web/server/fragments.py",
        old="(result is LockRequestResult.PROVEN) is proven",
        new="True",
        tests=(f"{TESTS}web/pages/test_home.py",),
    ),
)
