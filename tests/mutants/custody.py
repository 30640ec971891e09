"""Faults in who holds a parcel at a reception."""

from tests.mutants.mutant import Mutant

CUSTODY = "tests/gateway/domain/test_custody.py"
EPCIS = "tests/gateway/evidence/test_epcis.py"
KEY = "tests/gateway/protocol/test_key_custody.py"
DUTY = "tests/gateway/domain/test_duty.py"

MUTANTS = (
    Mutant(
        name="a receiver takes a parcel that no courier offered",
        file="gateway/domain/custody.py",
        old="if state.stage is not CustodyStage.OFFERED or seconds_in_stage(state, now) >= OFFER_LIFE_S:",
        new="if state.stage in TAKEN:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="an offer waits for ever",
        file="gateway/domain/custody.py",
        old="if state.stage is CustodyStage.OFFERED and seconds_in_stage(state, now) >= OFFER_LIFE_S:",
        new="if state.stage is CustodyStage.OFFERED and seconds_in_stage(state, now) >= 1e9:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a receiver off duty takes parcels",
        file="gateway/domain/custody.py",
        old="return None if on_duty else CustodyRefusal.NOT_ON_DUTY",
        new="return None",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a courier is sent to a reception where nobody is",
        file="gateway/domain/custody.py",
        old="if refusal is None and not event.on_duty:",
        new="if refusal is not None and not event.on_duty:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a courier's scan takes a parcel back from the receiver",
        file="gateway/domain/custody.py",
        old="if refusal is None and state.stage in TAKEN:",
        new="if refusal is None and state.stage is CustodyStage.CONFIRMED:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="any receiver hands over what another one holds",
        file="gateway/domain/custody.py",
        old="    if state.holder != event.receiver:",
        new="    if state.holder is None:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="the owner confirms what the receiver still holds",
        file="gateway/domain/custody.py",
        old="            if state.stage is not CustodyStage.HANDED_OVER:\n                decision = _refused(",
        new="            if state.stage not in TAKEN:\n                decision = _refused(",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a perishable parcel waits without an alarm",
        file="gateway/domain/custody.py",
        old="    if _keep_limit(state) <= seconds_in_stage(state, now):",
        new="    if _keep_limit(state) <= 0.0:",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="the alarm of a perishable parcel repeats at each event",
        file="gateway/domain/custody.py",
        old="replace(state, warned=True)",
        new="replace(state, warned=False)",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="the time while the box was off does not count",
        file="gateway/domain/custody.py",
        old="return max(by_wall, by_mono, 0.0)",
        new="return max(by_mono, 0.0)",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a clock that was put back gives a perishable parcel more time",
        file="gateway/domain/custody.py",
        old="return max(by_wall, by_mono, 0.0)",
        new="return max(by_wall, 0.0)",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a delivery of which one parcel was taken is delivered",
        file="gateway/domain/custody.py",
        old="if all_stages and not missing:",
        new="if all_stages and missing < len(all_stages):",
        tests=(CUSTODY,),
    ),
    Mutant(
        name="a duty never ends",
        file="gateway/domain/duty.py",
        old="duty.since <= now.utc < end",
        new="duty.since <= now.utc",
        tests=(DUTY,),
    ),
    Mutant(
        name="without trusted time somebody is on duty",
        file="gateway/domain/duty.py",
        old="    if not now.trusted:",
        new="    if now.mono < 0:",
        tests=(DUTY,),
    ),
    Mutant(
        name="an EPCIS document is made from a proof that does not hold",
        file="gateway/evidence/epcis_export.py",
        old="if not verdict.ok or verdict.erased is not None:",
        new="if verdict.erased is not None:",
        tests=(EPCIS,),
    ),
    Mutant(
        name="the id of an event leaves out who has the parcel",
        file="gateway/evidence/epcis.py",
        old='case "type" | "eventID" | "recordTime":',
        new='case "type" | "eventID" | "recordTime" | "destinationList":',
        tests=(EPCIS,),
    ),
    Mutant(
        name="a declined parcel passes to the receiver",
        file="gateway/evidence/epcis.py",
        old='return self._event(step.at, epcs, "inspecting", _DECLINED[step.reason or DeclineReason.DECLINED])',
        new='return self._event(step.at, epcs, "receiving", "in_progress", location=receiver)',
        tests=(EPCIS,),
    ),
    Mutant(
        name="the hook returns a key that nobody took",
        file="gateway/protocol/key_custody.py",
        old="            case KeyWord.RETURNED | KeyWord.LOST:\n                if out:",
        new="            case KeyWord.RETURNED | KeyWord.LOST:\n                if holder != 7:",
        tests=(KEY,),
    ),
)
