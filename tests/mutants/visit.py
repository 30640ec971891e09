"""Faults in the decision."""

from tests.mutants.mutant import Mutant

TESTS = "tests/gateway/visit/"
REFUSALS = "tests/gateway/domain/visit/test_refusals.py"
SCANS = "tests/gateway/domain/visit/test_scan.py"
RINGING = "tests/gateway/domain/visit/test_ringing.py"
OPENING = "tests/gateway/domain/visit/test_opening.py"
INSIDE = "tests/gateway/domain/visit/test_door_open.py"
RELOCKING = "tests/gateway/domain/visit/test_relocking.py"
PROOF = "tests/gateway/domain/visit/test_proof.py"
HOUSEHOLD = "tests/gateway/domain/visit/test_intrusion.py"
RESTART = "tests/gateway/domain/visit/test_restart.py"
READINESS = "tests/gateway/domain/visit/test_readiness.py"
BATTERIES = "tests/gateway/domain/visit/test_batteries.py"
FACTS = "tests/gateway/domain/visit/test_facts.py"
SEEDS = "tests/gateway/domain/visit/test_seeds.py"

MUTANTS = (
    Mutant(
        name="an unknown door is taken as closed",
        file="gateway/domain/visit/conditions.py",
        old="return state.door.proven and state.door.value is DoorState.CLOSED",
        new="return state.door.value not in OPEN_DOOR_STATES",
        tests=(FACTS, INSIDE),
    ),
    Mutant(
        name="an unproven closed is taken as closed",
        file="gateway/domain/visit/conditions.py",
        old="return state.door.proven and state.door.value is DoorState.CLOSED",
        new="return state.door.value is DoorState.CLOSED",
        tests=(FACTS, RELOCKING),
    ),
    Mutant(
        name="an unknown lock is taken as locked",
        file="gateway/domain/visit/conditions.py",
        old="return state.bolt.proven and state.bolt.value is LockState.LOCKED",
        new="return state.bolt.value not in NOT_LOCKED",
        tests=(FACTS, REFUSALS),
    ),
    Mutant(
        name="an unasked report proves",
        file="gateway/domain/visit/facts.py",
        old="answers_now = context.answers is not None and context.answers >= fact.min_query_id",
        new="answers_now = True",
        tests=(FACTS,),
    ),
    Mutant(
        name="an answer to an old question proves",
        file="gateway/domain/visit/facts.py",
        old="answers_now = context.answers is not None and context.answers >= fact.min_query_id",
        new="answers_now = context.answers is not None",
        tests=(FACTS,),
    ),
    Mutant(
        name="a retained report is believed",
        file="gateway/domain/visit/facts.py",
        old="return not context.retained and context.session == state.broker_session",
        new="return context.session == state.broker_session",
        tests=(FACTS,),
    ),
    Mutant(
        name="a report of a former session is believed",
        file="gateway/domain/visit/facts.py",
        old="return not context.retained and context.session == state.broker_session",
        new="return not context.retained",
        tests=(FACTS,),
    ),
    Mutant(
        name="a lost broker leaves facts proven",
        file="gateway/domain/visit/facts.py",
        old=(
            "            step.state = replace(step.state, broker_session=None)\n"
            "            presence.forget(step)\n"
            '            lose_observation(step, "lock", "door")\n'
        ),
        new=("            step.state = replace(step.state, broker_session=None)\n            presence.forget(step)\n"),
        tests=(FACTS,),
    ),
    Mutant(
        name="a hole in the sequence goes unnoticed",
        file="gateway/domain/visit/facts.py",
        old="return context.seq != fact.seq + 1 or context.boot != fact.boot",
        new="return False",
        tests=(FACTS, OPENING),
    ),
    Mutant(
        name="liveness is skipped",
        file="gateway/domain/visit/decide.py",
        old="return is_filmed(step.state) if waits else is_courier_seen(step.state)",
        new="return True",
        tests=(RINGING,),
    ),
    Mutant(
        name="a frozen picture of the courier passes",
        file="gateway/domain/visit/decide.py",
        old="return is_filmed(step.state) if waits else is_courier_seen(step.state)",
        new="return is_filmed(step.state)",
        tests=(RINGING,),
    ),
    Mutant(
        name="an unlock leaves before the film is on disk",
        file="gateway/domain/visit/conditions.py",
        old="all(camera.live and camera.recording for",
        new="all(camera.live for",
        tests=(RINGING, SEEDS),
    ),
    Mutant(
        name="nothing is checked again at the intent",
        file="gateway/domain/visit/decide.py",
        old="no = may_open(step.state, visit.delivery, step.now)",
        new="no = None",
        tests=(RINGING,),
    ),
    Mutant(
        name="the intent carries no version of the permission",
        file="gateway/domain/visit/transitions.py",
        old=(
            "            version=visit.delivery.version,\n"
            "            permission_version=visit.delivery.permission_version,\n"
        ),
        new=("            version=visit.delivery.version,\n            permission_version=1,\n"),
        tests=(RINGING,),
    ),
    Mutant(
        name="a spent opening is refunded",
        file="gateway/domain/visit/transitions.py",
        old="if visit.reservation_settled or not never_opened:",
        new="if visit.reservation_settled:",
        tests=(OPENING,),
    ),
    Mutant(
        name="a basic door gives openings back",
        file="gateway/domain/visit/transitions.py",
        old="visit.observed_throughout and step.state.rules.door_answers",
        new="visit.observed_throughout",
        tests=(OPENING,),
    ),
    Mutant(
        name="a gap that only a sequence number shows is forgotten",
        file="gateway/domain/visit/facts.py",
        old="""        _break_observation(step)
    if fact.boot is not None and context.boot != fact.boot:
""",
        new="""        pass
    if fact.boot is not None and context.boot != fact.boot:
""",
        tests=(OPENING,),
    ),
    Mutant(
        name="the unlock is sent again after a restart",
        file="gateway/domain/visit/restart.py",
        old="""            film.begin(step, visit.id, visit.part)
            transitions.wait_then_lock(step, 0)
""",
        new="""            film.begin(step, visit.id, visit.part)
            transitions.order_unlock(step)
""",
        tests=(RESTART,),
    ),
    Mutant(
        name="a retained scan is accepted",
        file="gateway/domain/visit/scan.py",
        old="if scan.retained:",
        new="if scan.retained and not scan.matches:",
        tests=(SCANS,),
    ),
    Mutant(
        name="a parcel that is scanned while the bolt goes out is answered with go",
        file="gateway/domain/visit/scan.py",
        old="ScanAnswer.GO if step.visit.phase in {Phase.UNLOCKED, Phase.INSIDE} else ScanAnswer.WAIT",
        new="ScanAnswer.WAIT if step.visit.phase in BEFORE_INTENT | {Phase.UNLOCKING} else ScanAnswer.GO",
        tests=(f"{RELOCKING}::test_a_parcel_of_the_visit_that_is_scanned_while_the_bolt_goes_out_is_told_to_wait",),
    ),
    Mutant(
        name="a repeated scan is a new one",
        file="gateway/domain/visit/scan.py",
        old="seen = tuple(one for one in attempts.recent_codes if step.now.mono - one[1] < "
        "step.state.rules.timing.merge)",
        new="seen = tuple(one for one in attempts.recent_codes if step.now.mono - one[1] < 0)",
        tests=(SCANS,),
    ),
    Mutant(
        name="the bolt is thrown without a closed door",
        file="gateway/domain/visit/relocking.py",
        old="case RelockStep.DOOR_BEFORE if is_closed(state):",
        new="case RelockStep.DOOR_BEFORE:",
        tests=(RELOCKING, INSIDE),
    ),
    Mutant(
        name="the veto of the ringing is skipped",
        file="gateway/domain/visit/transitions.py",
        old="{Timer.RING: rules.timing.ring, Timer.BELL: rules.timing.bell}",
        new="{Timer.RING: 0.5, Timer.BELL: rules.timing.bell}",
        tests=(RINGING,),
    ),
    Mutant(
        name="somebody who answers is ignored",
        file="gateway/domain/visit/decide.py",
        old="if visit.attended or is_door_open(step.state):",
        new="if is_door_open(step.state):",
        tests=(RINGING,),
    ),
    Mutant(
        name="a bell that never rang is good enough",
        file="gateway/domain/visit/decide.py",
        old="elif not (visit.bell_confirmed and _is_courier_filmed(step)):",
        new="elif not _is_courier_filmed(step):",
        tests=(RINGING, SEEDS),
    ),
    Mutant(
        name="silence is yes where a yes is asked",
        file="gateway/domain/visit/decide.py",
        old="if visit.approved is False or step.timer_expired(Timer.APPROVAL):",
        new=(
            "if step.timer_expired(Timer.APPROVAL):\n"
            "        step.visit = replace(visit, approved=True)\n"
            "        step.clear_timers(Timer.APPROVAL)\n"
            "    if visit.approved is False:"
        ),
        tests=(RINGING,),
    ),
    Mutant(
        name="the window's end is ignored",
        file="gateway/domain/visit/conditions.py",
        old="return delivery.start <= now.utc < delivery.end",
        new="return delivery.start <= now.utc",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="an untrusted clock is trusted",
        file="gateway/domain/visit/conditions.py",
        old="if not now.trusted:",
        new="if not now.trusted and not is_in_window(delivery, now):",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="the stop is ignored at a scan",
        file="gateway/domain/visit/conditions.py",
        old="    if state.stopped:\n        return Refusal.STOPPED_BY_OWNER\n",
        new="",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="the stop is ignored while it rings",
        file="gateway/domain/visit/decide.py",
        old="    if state.stopped:\n        return Refusal.STOPPED_BY_OWNER\n",
        new="",
        tests=(RINGING,),
    ),
    Mutant(
        name="the stop is ignored after the unlock",
        file="gateway/domain/visit/decide.py",
        old=(
            "    elif step.state.stopped:\n"
            "        transitions.refuse_and_relock(step, Refusal.STOPPED_BY_OWNER)\n"
            "    elif is_locked"
        ),
        new="    elif is_locked",
        tests=(OPENING,),
    ),
    Mutant(
        name="the stop locks against a person",
        file="gateway/domain/visit/door_open.py",
        old="elif state.door.value is not DoorState.CLOSED:",
        new="elif state.door.value is not DoorState.CLOSED and not state.stopped:",
        tests=(INSIDE,),
    ),
    Mutant(
        name="an old lift undoes a newer stop",
        file="gateway/domain/visit/decide.py",
        old="if epoch > step.state.stop_epoch:",
        new="if epoch:",
        tests=(RINGING,),
    ),
    Mutant(
        name="wrong codes are not counted",
        file="gateway/domain/visit/scan.py",
        old="        counted = (*counted, (scan.code, mono))\n",
        new="",
        tests=(SCANS,),
    ),
    Mutant(
        name="a restart forgets wrong codes",
        file="gateway/domain/visit/restart.py",
        old=("            tries,\n            unknown_codes=tuple((code, mono) for code, _ in tries.unknown_codes),\n"),
        new=("            tries,\n            wrong=(),\n"),
        tests=(RESTART, SCANS),
    ),
    Mutant(
        name="a known code excuses another label than its own",
        file="gateway/domain/visit/scan.py",
        old="if same_label and not attempts.locked_out and delivery.id not in attempts.excused_deliveries:",
        new="if not attempts.locked_out and delivery.id not in attempts.excused_deliveries:",
        tests=(SCANS,),
    ),
    Mutant(
        name="the courier's proof is not asked",
        file="gateway/domain/visit/scan.py",
        old="proven = CodeKind.COURIER in kinds or not delivery.needs_courier",
        new="proven = True",
        tests=(SCANS,),
    ),
    Mutant(
        name="another delivery's courier counts",
        file="gateway/domain/visit/scan.py",
        old="if half is not None and (_is_same_order(half, delivery) or _also_of_other_brand(half, delivery)):",
        new="if half is not None:",
        tests=(SCANS,),
    ),
    Mutant(
        name="a courier whom an update took back still counts",
        file="gateway/domain/visit/scan.py",
        old="return (pending.delivery, pending.version) == (delivery.id, delivery.version)",
        new="return pending.delivery == delivery.id",
        tests=(SCANS,),
    ),
    Mutant(
        name="half a proof lasts for ever",
        file="gateway/domain/visit/scan.py",
        old="step.set_timer(Timer.HALF, step.state.rules.timing.courier)",
        new="step.clear_timers(Timer.HALF)",
        tests=(SCANS,),
    ),
    Mutant(
        name="the household is ignored",
        file="gateway/domain/visit/conditions.py",
        old="    if is_household_present(state, now):\n        return Refusal.HOUSEHOLD_PRESENT\n",
        new="",
        tests=(REFUSALS, HOUSEHOLD),
    ),
    Mutant(
        name="the family is taken for a burglar",
        file="gateway/domain/visit/intrusion.py",
        old="return report.source is not OperationSource.REMOTE",
        new="return report.source is OperationSource.MANUAL",
        tests=(HOUSEHOLD,),
    ),
    Mutant(
        name="a remote unlock is taken for the family",
        file="gateway/domain/visit/intrusion.py",
        old="return report.source is not OperationSource.REMOTE",
        new="return True",
        tests=(HOUSEHOLD,),
    ),
    Mutant(
        name="a warm fridge is no reason",
        file="gateway/domain/visit/conditions.py",
        old="    if not is_cold_enough(state, delivery):\n        return Refusal.FRIDGE_TOO_WARM\n",
        new="",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="a fridge that says nothing is cold",
        file="gateway/domain/visit/conditions.py",
        old="return fridge is not None and fridge.temp_c is not None and fridge.temp_c <= delivery.cold_max_c",
        new="return fridge is None or fridge.temp_c is None or fridge.temp_c <= delivery.cold_max_c",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="a disk that is not good is good enough",
        file="gateway/domain/visit/conditions.py",
        old="good = is_locked(state) and is_closed(state) and state.disk_ok and not",
        new="good = is_locked(state) and is_closed(state) and not",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="an empty battery is good enough",
        file="gateway/domain/visit/conditions.py",
        old="state.disk_ok and not batteries_at(state, BatteryLevel.CRITICAL)",
        new="state.disk_ok",
        tests=(BATTERIES, SEEDS),
    ),
    Mutant(
        name="locked again is said on an unasked report",
        file="gateway/domain/visit/relocking.py",
        old="case RelockStep.BOLT_ANSWERS if is_locked(state):",
        new="case RelockStep.BOLT_ANSWERS if state.bolt.value is LockState.LOCKED:",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="the door is not asked again after the bolt",
        file="gateway/domain/visit/relocking.py",
        old=("            step.visit = replace(visit, relock=RelockStep.DOOR_AFTER)\n            _query_door(step)\n"),
        new="""            transitions.enter_locked_again(step)
""",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="locked is final while an unlock may still act",
        file="gateway/domain/visit/relocking.py",
        old="if step.now.mono < visit.command_valid_until:",
        new="if step.now.mono < 0:",
        tests=(OPENING,),
    ),
    Mutant(
        name="an unlock of before the crash is forgotten",
        file="gateway/domain/visit/restart.py",
        old="command_valid_until=step.now.mono + timing.command_life + timing.skew)",
        new="command_valid_until=0.0)",
        tests=(RESTART, SEEDS),
    ),
    Mutant(
        name="a jam is tried for ever",
        file="gateway/domain/visit/relocking.py",
        old="if step.visit.lock_tries >= step.state.rules.tries:",
        new="if step.visit.lock_tries > 1000:",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="a relocking without the broker waits for ever",
        file="gateway/domain/visit/relocking.py",
        old=(
            "    elif step.timer_expired(Timer.OUTAGE):\n"
            "        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)\n"
        ),
        new=("    elif step.timer_expired(Timer.OUTAGE):\n        step.clear_timers(Timer.OUTAGE)\n"),
        tests=(RELOCKING,),
    ),
    Mutant(
        name="the alarm of a door handed over stops",
        file="gateway/domain/visit/decide.py",
        old=('        step.emit(c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED))\n        step.query("lock", "door")\n'),
        new='        step.query("lock", "door")\n',
        tests=(RELOCKING,),
    ),
    Mutant(
        name="a bolt in the air goes unnoticed",
        file="gateway/domain/visit/door_open.py",
        old="if is_bolt_thrown_with_door_open(state):",
        new="if is_bolt_thrown_with_door_open(state) and state.stopped:",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a bolt in the air is believed without asking the door",
        file="gateway/domain/visit/door_open.py",
        old="if state.door.answered_query_id > state.bolt.answered_query_id:",
        new="if state.door.answered_query_id:",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a stale locked locks the courier out",
        file="gateway/domain/visit/decide.py",
        old="elif is_locked(step.state) or step.timer_expired(Timer.NEVER):",
        new="elif step.state.bolt.value == 'is_locked' or step.timer_expired(Timer.NEVER):",
        tests=(OPENING,),
    ),
    Mutant(
        name="a door that bounces counts as closed",
        file="gateway/domain/visit/door_open.py",
        old="step.set_timer(Timer.STABLE, max(0.0, state.door.stable_since + "
        "state.rules.timing.stable - step.now.mono))",
        new="step.set_timer(Timer.STABLE, 0.0)",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a camera lost inside is not declared",
        file="gateway/domain/visit/facts.py",
        old=("        step.visit = replace(step.visit, gaps=tuple(dict.fromkeys((*step.visit.gaps, event.camera))))\n"),
        new="",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a visit's film is thrown away",
        file="gateway/domain/visit/film.py",
        old="step.emit(StopRecording(visit=visit.id, part=visit.part, keep=True))",
        new="step.emit(StopRecording(visit=visit.id, part=visit.part, keep=False))",
        tests=(PROOF, SEEDS),
    ),
    Mutant(
        name="an earlier part is never sealed",
        file="gateway/domain/visit/film.py",
        old="waiting = () if visit.sealing else ((visit.part, visit.gaps),)",
        new="waiting: tuple[tuple[int, tuple[str, ...]], ...] = ()",
        tests=(PROOF,),
    ),
    Mutant(
        name="the way out is not watched",
        file="gateway/domain/visit/film.py",
        old="if visit.opened or visit.unlock_unanswered or not step.state.rules.guarded:",
        new="if not step.state.rules.guarded:",
        tests=(PROOF,),
    ),
    Mutant(
        name="the parcels' result waits for the bolt",
        file="gateway/domain/visit/relocking.py",
        old=("    transitions.record_outcome_if_opened(step)\n    if not step.state.rules.garage_door"),
        new="    if not step.state.rules.garage_door",
        tests=(INSIDE, RELOCKING),
    ),
    Mutant(
        name="an unlock held back costs an opening",
        file="gateway/domain/visit/decide.py",
        old=("        transitions.release_unsent_opening(step, REFUSAL_OF_UNSENT[visit.not_sent])\n"),
        new=("        transitions.refuse_and_relock(step, REFUSAL_OF_UNSENT[visit.not_sent])\n"),
        tests=(OPENING,),
    ),
    Mutant(
        name="safe mode lets couriers in",
        file="gateway/domain/visit/conditions.py",
        old="return good and surroundings and state.incident is None and not state.safe_mode",
        new="return good and surroundings",
        tests=(RESTART, HOUSEHOLD),
    ),
    Mutant(
        name="safe mode locks an open door",
        file="gateway/domain/visit/safemode.py",
        old="answered and is_closed(state) and state.bolt",
        new="answered and state.bolt",
        tests=(RESTART,),
    ),
    Mutant(
        name="an entrance whose walk test failed lets couriers in",
        file="gateway/domain/visit/conditions.py",
        old="if not is_ready(state) or walk_test_refuses(state, delivery):",
        new="if not is_ready(state):",
        tests=("tests/gateway/domain/visit/test_barred.py",),
    ),
    Mutant(
        name="a pre-flight takes an unknown camera for good",
        file="gateway/domain/visit/readiness.py",
        old="if not state.cameras.get(name, CameraState()).live",
        new="if name not in state.cameras",
        tests=(READINESS,),
    ),
)
