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
SEVERAL = "tests/gateway/domain/visit/closures/test_several_closures.py"

MUTANTS = (
    Mutant(
        name="no kind is asked for its own marks and gaps",
        file="gateway/domain/visit/state.py",
        old="for closure in self.closures if closure.has_own(method))",
        new="for closure in self.closures if False)",
        tests=("tests/gateway/domain/visit/closures/test_any_kind.py",),
    ),
    Mutant(
        name="a copy keeps what followed from the fields before",
        file="gateway/domain/frozen.py",
        old="before = instance.__dict__ if cls._is_plain else _fields_of(instance)",
        new="before = instance.__dict__",
        tests=("tests/gateway/domain/test_frozen.py",),
    ),
    Mutant(
        name="an unknown door is taken as closed",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='return self.holds(view) and view.proves("door", DoorState.CLOSED)',
        new="return self.holds(view) and not self.opened(view)",
        tests=(FACTS, INSIDE),
    ),
    Mutant(
        name="an unproven closed is taken as closed",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='return self.holds(view) and view.proves("door", DoorState.CLOSED)',
        new='return self.holds(view) and view.value("door") == DoorState.CLOSED',
        tests=(FACTS, RELOCKING),
    ),
    Mutant(
        name="an unknown lock is taken as locked",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='return view.proves("lock", LockState.LOCKED)',
        new='return view.value("lock") not in NOT_LOCKED',
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
            "            forget_surroundings(step)\n"
            "            lose_all_observation(step)\n"
        ),
        new=(
            "            step.state = replace(step.state, broker_session=None)\n            forget_surroundings(step)\n"
        ),
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
        file="gateway/domain/visit/predicates.py",
        old="all(camera.live and camera.recording for",
        new="all(camera.live for",
        tests=(RINGING, SEEDS),
    ),
    Mutant(
        name="nothing is checked again at the intent",
        file="gateway/domain/visit/decide.py",
        old="no = may_open(step.state, visit.delivery, step.now, visit.route)",
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
        old="if entry.reservation_settled or not never_opened:",
        new="if entry.reservation_settled:",
        tests=(OPENING,),
    ),
    Mutant(
        name="a basic door gives openings back",
        file="gateway/domain/visit/transitions.py",
        old="not entry.unanswered and not _has_basic_sensor(step)",
        new="not entry.unanswered",
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
        old=("            film.resume(step)\n            transitions.wait_then_lock(step, 0)\n"),
        new=("            film.resume(step)\n            transitions.order_unlock(step)\n"),
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
        old="is_open = step.visit.phase in {Phase.UNLOCKED, Phase.INSIDE} and not is_at_next",
        new="is_open = step.visit.phase not in BETWEEN_INTENTS | {Phase.UNLOCKING} and not is_at_next",
        tests=(f"{RELOCKING}::test_a_parcel_of_the_visit_that_is_scanned_while_the_bolt_goes_out_is_told_to_wait",),
    ),
    Mutant(
        name="a repeated scan is a new one",
        file="gateway/domain/visit/scan.py",
        old="entry for entry in attempts.recent_codes if step.now.mono - entry[1] < step.state.rules.timing.merge",
        new="entry for entry in attempts.recent_codes if step.now.mono - entry[1] < 0",
        tests=(SCANS,),
    ),
    Mutant(
        name="the bolt is thrown without a closed door",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='case "door_before" if view.proves("door", DoorState.CLOSED):',
        new='case "door_before":',
        tests=(RELOCKING, INSIDE),
    ),
    Mutant(
        name="the veto of the ringing is skipped",
        file="gateway/domain/visit/transitions.py",
        old="{Timer.RING: ring_s, Timer.BELL: rules.timing.bell}",
        new="{Timer.RING: 0.5, Timer.BELL: rules.timing.bell}",
        tests=(RINGING,),
    ),
    Mutant(
        name="somebody who answers is ignored",
        file="gateway/domain/visit/decide.py",
        old="if not is_own and (visit.consent.attended or (is_in_use(step.state) and rules.household_refuses)):",
        new="if not is_own and is_in_use(step.state) and rules.household_refuses:",
        tests=(RINGING,),
    ),
    Mutant(
        name="a bell that never rang is good enough",
        file="gateway/domain/visit/decide.py",
        old="elif not (visit.consent.bell_confirmed and is_filmed_now):",
        new="elif not is_filmed_now:",
        tests=(RINGING, SEEDS),
    ),
    Mutant(
        name="silence is yes where a yes is asked",
        file="gateway/domain/visit/decide.py",
        old="if visit.consent.approved is False or step.timer_expired(Timer.APPROVAL):",
        new=(
            "if step.timer_expired(Timer.APPROVAL):\n"
            "        step.visit = replace(visit, consent=replace(visit.consent, approved=True))\n"
            "        step.clear_timers(Timer.APPROVAL)\n"
            "    if visit.consent.approved is False:"
        ),
        tests=(RINGING,),
    ),
    Mutant(
        name="the window's end is ignored",
        file="gateway/domain/visit/predicates.py",
        old="return delivery.start <= now.utc < delivery.end",
        new="return delivery.start <= now.utc",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="an untrusted clock is trusted",
        file="gateway/domain/visit/predicates.py",
        old="if not now.trusted:",
        new="if not now.trusted and not is_in_window(delivery, now):",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="the stop is ignored at a scan",
        file="gateway/domain/visit/predicates.py",
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
            "    elif step.is_stopped:\n"
            "        transitions.refuse_and_relock(step, _stop_refusal(step))\n"
            "    elif visit.entry.not_sent"
        ),
        new="    elif visit.entry.not_sent",
        tests=(OPENING,),
    ),
    Mutant(
        name="after a stop an open door counts as closed",
        file="gateway/domain/visit/door_open.py",
        old="closed_since = closure.closed_since(seen)",
        new="closed_since = step.now.mono if state.stopped else closure.closed_since(seen)",
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
        new=("            tries,\n            unknown_codes=(),\n"),
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
        old="else CodeKind.COURIER in kinds or not delivery.needs_courier",
        new="else True",
        tests=(SCANS,),
    ),
    Mutant(
        name="another delivery's courier counts",
        file="gateway/domain/visit/scan.py",
        old="if pending is not None and _goes_with(pending, delivery):",
        new="if pending is not None:",
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
        file="gateway/domain/visit/predicates.py",
        old="    if is_household_present(state, now) and not delivery.errand.for_household:\n"
        "        return Refusal.HOUSEHOLD_PRESENT\n",
        new="",
        tests=(REFUSALS, HOUSEHOLD),
    ),
    Mutant(
        name="the family is taken for a burglar",
        file="gateway/domain/visit/closures/contract.py",
        old="return origin.source is not OperationSource.REMOTE",
        new="return origin.source is OperationSource.MANUAL",
        tests=(HOUSEHOLD,),
    ),
    Mutant(
        name="a remote unlock is taken for the family",
        file="gateway/domain/visit/closures/contract.py",
        old="return origin.source is not OperationSource.REMOTE",
        new="return True",
        tests=(HOUSEHOLD,),
    ),
    Mutant(
        name="a warm fridge is no reason",
        file="gateway/domain/visit/predicates.py",
        old="    return next(iter(unmet), None)\n",
        new="    return None\n",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="a fridge that says nothing is cold",
        file="gateway/domain/visit/conditions/cold_chain.py",
        old="if celsius is None or limits.is_too_warm(celsius):",
        new="if celsius is not None and limits.is_too_warm(celsius):",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="a disk that is not good is good enough",
        file="gateway/domain/visit/predicates.py",
        old="is_box_ready = state.disk_ok and not batteries_at(",
        new="is_box_ready = not batteries_at(",
        tests=(REFUSALS,),
    ),
    Mutant(
        name="an empty battery is good enough",
        file="gateway/domain/visit/predicates.py",
        old="state.disk_ok and not batteries_at(state, BatteryLevel.CRITICAL)",
        new="state.disk_ok",
        tests=(BATTERIES, SEEDS),
    ),
    Mutant(
        name="locked again is said on an unasked report",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='return view.proves("lock", LockState.LOCKED)',
        new='return view.value("lock") == LockState.LOCKED',
        tests=(RELOCKING,),
    ),
    Mutant(
        name="the door is not asked again after the bolt",
        file="gateway/domain/visit/closures/bolted_door.py",
        old=(
            '            case "bolt_answers" if self.holds(view):\n'
            '                return Move(to="door_after", query=("door",))\n'
        ),
        new='            case "bolt_answers" if self.holds(view):\n                return Verdict.DONE\n',
        tests=(RELOCKING,),
    ),
    Mutant(
        name="locked is final while an unlock may still act",
        file="gateway/domain/visit/procedure.py",
        old="if result.after_expiry and step.now.mono < runner.command_valid_until:",
        new="if result.after_expiry and step.now.mono < 0:",
        tests=(OPENING,),
    ),
    Mutant(
        name="an unlock of before the crash is forgotten",
        file="gateway/domain/visit/restart.py",
        old="valid_until = mono + timing.command_life + timing.skew",
        new="valid_until = mono",
        tests=(RESTART, SEEDS),
    ),
    Mutant(
        name="a jam is tried for ever",
        file="gateway/domain/visit/securing.py",
        old="if step.visit.securing.run.tries >= step.state.rules.tries:",
        new="if step.visit.securing.run.tries > 1000:",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="a relocking without the broker waits for ever",
        file="gateway/domain/visit/securing.py",
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
        old=(
            "        step.emit(c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED, closure=step.named(unsecured)))\n"
            "        step.query_all()\n"
        ),
        new="        step.query_all()\n",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="a bolt in the air goes unnoticed",
        file="gateway/domain/visit/door_open.py",
        old="if isinstance(result, AlarmCode):",
        new="if isinstance(result, AlarmCode) and step.state.stopped:",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a bolt in the air is believed without asking the door",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='if view.answered("door") > view.answered("lock"):',
        new="if self.opened(view):",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a stale locked locks the courier out",
        file="gateway/domain/visit/decide.py",
        old="elif closure.holds(seen) or step.timer_expired(Timer.NEVER):",
        new="elif not closure.unsecured(seen) or step.timer_expired(Timer.NEVER):",
        tests=(OPENING,),
    ),
    Mutant(
        name="a door that bounces counts as closed",
        file="gateway/domain/visit/door_open.py",
        old="step.set_timer(Timer.STABLE, max(0.0, closed_since + state.rules.timing.stable - step.now.mono))",
        new="step.set_timer(Timer.STABLE, 0.0)",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a camera lost inside is not declared",
        file="gateway/domain/visit/facts.py",
        old="        step.visit = replace(step.visit, recording=replace(recording, gaps=gaps))\n",
        new="",
        tests=(INSIDE,),
    ),
    Mutant(
        name="a visit's film is thrown away",
        file="gateway/domain/visit/film.py",
        old="step.emit(StopRecording(visit=visit.id, part=recording.part, keep=True))",
        new="step.emit(StopRecording(visit=visit.id, part=recording.part, keep=False))",
        tests=(PROOF, SEEDS),
    ),
    Mutant(
        name="an earlier part is never sealed",
        file="gateway/domain/visit/film.py",
        old="waiting = () if recording.is_sealing else ((recording.part, recording.gaps),)",
        new="waiting: tuple[tuple[int, tuple[str, ...]], ...] = ()",
        tests=(PROOF,),
    ),
    Mutant(
        name="the way out is not watched",
        file="gateway/domain/visit/film.py",
        old="if may_come_out or visit.entry.unanswered or not is_guarded:",
        new="if not is_guarded:",
        tests=(PROOF,),
    ),
    Mutant(
        name="the parcels' result waits for the bolt",
        file="gateway/domain/visit/securing.py",
        old="        step.alarm_once(condition.left_wrong(seen))\n    transitions.record_outcome_if_opened(step)\n",
        new="        step.alarm_once(condition.left_wrong(seen))\n",
        tests=(INSIDE, RELOCKING),
    ),
    Mutant(
        name="an unlock held back costs an opening",
        file="gateway/domain/visit/decide.py",
        old=("    if len(step.visit.entry.ordered_at) == 1:\n        transitions.release_unsent_opening(step, why)\n"),
        new="    if len(step.visit.entry.ordered_at) == 1:\n        transitions.refuse_and_relock(step, why)\n",
        tests=(OPENING,),
    ),
    Mutant(
        name="safe mode lets couriers in",
        file="gateway/domain/visit/predicates.py",
        old="and surroundings and state.incident is None and not state.safe_mode",
        new="and surroundings",
        tests=(RESTART, HOUSEHOLD),
    ),
    Mutant(
        name="safe mode locks an open door",
        file="gateway/domain/visit/closures/bolted_door.py",
        old='case "door_before" if view.proves("door", DoorState.CLOSED):',
        new='case "door_before" if view.now.ordered_at is None or view.proves("door", DoorState.CLOSED):',
        tests=(SEVERAL,),
    ),
    Mutant(
        name="safe mode tries to lock for ever",
        file="gateway/domain/visit/safemode.py",
        old="if not closure.is_private or safe.first_query_id == 0 or safe.lock_tries >= rules.tries:",
        new="if not closure.is_private or safe.first_query_id == 0:",
        tests=(RESTART,),
    ),
    Mutant(
        name="safe mode locks against a hand",
        file="gateway/domain/visit/safemode.py",
        old="if step.state.broker_session is None or _is_in_use(step):",
        new="if step.state.broker_session is None:",
        tests=(SEVERAL,),
    ),
    Mutant(
        name="safe mode believes what was said before its round",
        file="gateway/domain/visit/safemode.py",
        old="seen.answered(role) >= safe.first_query_id",
        new="seen.answered(role) >= -1",
        tests=(RESTART, SEVERAL),
    ),
    Mutant(
        name="an entrance whose walk test failed lets couriers in",
        file="gateway/domain/visit/predicates.py",
        old="or walk_test_refuses(state, delivery) or Refusal.NOT_READY in unmet:",
        new="or Refusal.NOT_READY in unmet:",
        tests=("tests/gateway/domain/visit/test_barred.py",),
    ),
    Mutant(
        name="a pre-flight takes an unknown camera for good",
        file="gateway/domain/visit/readiness.py",
        old="if not state.cameras.get(name, CameraState()).live",
        new="if name not in state.cameras",
        tests=(READINESS,),
    ),
    Mutant(
        name="the house is called ready while the owner has to check the door",
        file="gateway/domain/visit/readiness.py",
        old="visit.phase is Phase.HANDED_TO_OWNER):\n        return PresentReadiness(is_now=PresentState.ATTENTION)\n",
        new="visit.phase is Phase.HANDED_TO_OWNER):\n        return PresentReadiness(is_now=PresentState.READY)\n",
        tests=(READINESS,),
    ),
    Mutant(
        name="the house is called ready while somebody is home",
        file="gateway/domain/visit/readiness.py",
        old=(
            "    if is_household_present(state, now):\n        return PresentReadiness(is_now=PresentState.HOUSEHOLD)\n"
        ),
        new="",
        tests=(READINESS,),
    ),
)
