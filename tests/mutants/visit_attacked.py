"""Faults in what an attacker at the door, or a lock that obeys late, may bring about."""

from tests.mutants.mutant import Mutant

VISIT = "tests/gateway/visit/"
LATE = "tests/gateway/domain/visit/test_late.py"
SEEDS = "tests/gateway/domain/visit/test_seeds.py"
SCANS = "tests/gateway/domain/visit/test_scan.py"
ENTRANCE = "tests/gateway/runtime/test_entrance.py"
APP = "tests/gateway/test_app.py"
RELOCKING = "tests/gateway/domain/visit/test_relocking.py"
REFUSED = "tests/gateway/domain/visit/test_lock_errors.py"
CONFIG = "tests/gateway/config/test_home.py"

MUTANTS = (
    Mutant(
        name="a guarded lock is trusted to obey no unlock late",
        file="gateway/domain/visit/film.py",
        old="if may_come_out or visit.entry.unanswered or not is_guarded:",
        new="if may_come_out or not is_guarded:",
        tests=(LATE,),
    ),
    Mutant(
        name="the simulated lives never miss the watch over an unanswered unlock",
        file="gateway/domain/visit/film.py",
        old="if may_come_out or visit.entry.unanswered or not is_guarded:",
        new="if may_come_out or not is_guarded:",
        tests=(SEEDS,),
    ),
    Mutant(
        name="the watch over an unanswered unlock ends without a proof",
        file="gateway/domain/visit/late.py",
        old="if watch is not None and watch.entry.hold_expired and _are_secured(step, watch.entry.unanswered):",
        new="if watch is not None and watch.entry.hold_expired:",
        tests=(LATE,),
    ),
    Mutant(
        name="a late unlock without a source passes for the household's hand",
        file="gateway/domain/visit/closures/contract.py",
        old=("    if origin.unlock_may_act:\n        return origin.source in MANUAL_SOURCES\n"),
        new="",
        tests=(LATE,),
    ),
    Mutant(
        name="an opening is given back though its unlock was never answered",
        file="gateway/domain/visit/transitions.py",
        old="entry.observed_throughout and not entry.unanswered and not",
        new="entry.observed_throughout and not",
        tests=(LATE,),
    ),
    Mutant(
        name="a second unlock leaves while the first may still act",
        file="gateway/domain/visit/predicates.py",
        old=" and held_closures(state).isdisjoint(route)",
        new="",
        tests=(LATE,),
    ),
    Mutant(
        name="after a restart the watch over an unanswered unlock has no end",
        file="gateway/domain/visit/restart.py",
        old="        film.start_grace(step)\n    if state.incident is not None:\n",
        new="        step.set_timer(Timer.WATCH, state.rules.timing.watch)\n    if state.incident is not None:\n",
        tests=(LATE,),
    ),
    Mutant(
        name="a lock that may obey late is not asked",
        file="gateway/domain/visit/decide.py",
        old="held = held_closures(state)\n",
        new="held = frozenset[str]()\n",
        tests=(LATE,),
    ),
    Mutant(
        name="a guard's radio is taken to hold a command no longer than any",
        file="devices/vendors/guard.py",
        old="    command_hold_s=ZIGBEE_COMMAND_HOLD_S,  # only",
        new="    # only",
        tests=(CONFIG,),
    ),
    Mutant(
        name="any known code excuses its label",
        file="gateway/domain/visit/scan.py",
        old=(
            "    route = transitions.route_from(step, delivery, scan.scanner)\n"
            "    robot = None if scan.robot is None else scan.robot.robot\n"
        ),
        new=(
            "    route = transitions.route_from(step, delivery, scan.scanner)\n"
            "    _excuse_label(step, scan, delivery)\n"
            "    robot = None if scan.robot is None else scan.robot.robot\n"
        ),
        tests=(SCANS,),
    ),
    Mutant(
        name="a delivery excuses any number of labels",
        file="gateway/domain/visit/scan.py",
        old="if same_label and not attempts.locked_out and delivery.id not in attempts.excused_deliveries:",
        new="if same_label and not attempts.locked_out:",
        tests=(SCANS,),
    ),
    Mutant(
        name="the count of an hour is not looked at",
        file="gateway/domain/visit/scan.py",
        old="    if too_many or len(attempts.unknown_codes) >= rules.wrong:",
        new="    if len(attempts.unknown_codes) >= rules.wrong:",
        tests=(SCANS,),
    ),
    Mutant(
        name="the end of a lock-out forgets the count of an hour",
        file="gateway/domain/visit/scan.py",
        old="    return ScanLockout(tried_codes=attempts.tried_codes, excused_deliveries=attempts.excused_deliveries)",
        new="    return ScanLockout(excused_deliveries=attempts.excused_deliveries)",
        tests=(SCANS,),
    ),
    Mutant(
        name="a restart forgets the count of an hour",
        file="gateway/domain/visit/restart.py",
        old=(
            "            tried_codes=tuple((code, mono) for code, _ in tries.tried_codes),\n"
            "            label_codes=frozenset(),\n"
        ),
        new=("            tried_codes=(),\n            label_codes=frozenset(),\n"),
        tests=(SCANS,),
    ),
    Mutant(
        name="a camera may guess without end",
        file="gateway/domain/visit/scan.py",
        old=("    if too_many:\n        _lock_out(step, scan.scanner, c.AlarmCode.CAMERA_CODE_LIMIT)\n"),
        new=("    if too_many:\n        pass\n"),
        tests=(SCANS,),
    ),
    Mutant(
        name="a camera that is locked out still knows a right code",
        file="gateway/domain/visit/scan.py",
        old="    if scan.expected_only and (attempts.locked_out or not is_known):",
        new="    if scan.expected_only and not is_known:",
        tests=(SCANS,),
    ),
    Mutant(
        name="a camera's readings fill the scanner's places",
        file="gateway/runtime/event_queue.py",
        old="if self._scan_counts[event.scanner] >= (MAX_QUEUED_LABELS if event.expected_only else MAX_QUEUED_SCANS):",
        new="if self._scan_counts.total() >= MAX_QUEUED_SCANS:",
        tests=(ENTRANCE,),
    ),
    Mutant(
        name="each reading of a camera is a row for ever",
        file="gateway/runtime/entrance.py",
        old="        return event.expected_only",
        new="        return event.retained",
        tests=(ENTRANCE,),
    ),
    Mutant(
        name="the doors wait for the pages to be imported",
        file="gateway/app.py",
        old=("            await self._wait_for_doors()\n"),
        new="",
        tests=(APP,),
    ),
    Mutant(
        name="the loop stands still while the pages are imported",
        file="gateway/app.py",
        old="            await asyncio.to_thread(_import_pages)",
        new="            _import_pages()",
        tests=(f"{APP}::test_no_door_waits_for_the_pages",),
    ),
    Mutant(
        name="what looks after a door imports the pages too",
        file="gateway/app.py",
        old=("from gateway.installation.walk_test_runner import WalkTestRunner\n"),
        new=("from gateway.installation.walk_test_runner import WalkTestRunner\nimport gateway.web.site\n"),
        tests=(APP,),
    ),
    Mutant(
        name="the pages wait for a door that never answers",
        file="gateway/app.py",
        old="async with asyncio.timeout(MAX_DOOR_WAIT_S):",
        new="async with asyncio.timeout(None):",
        tests=(f"{APP}::test_the_pages_begin_although_no_door_answers",),
    ),
    Mutant(
        name="a broker that comes and goes puts the hand-over off for ever",
        file="gateway/domain/visit/securing.py",
        old="is_refunded = securing.refunded < step.state.rules.tries",
        new="is_refunded = True",
        tests=(RELOCKING,),
    ),
    Mutant(
        name="two known codes in turn are a new scan each time",
        file="gateway/domain/visit/scan.py",
        old="    recent_codes = (*recent_codes, (scan.code, step.now.mono))[-MAX_RECENT_CODES:]",
        new="    recent_codes = ((scan.code, step.now.mono),)",
        tests=(SCANS,),
    ),
    Mutant(
        name="each retained scan is a row for ever",
        file="gateway/domain/visit/scan.py",
        old="        if not attempts.retained_noted:  # a scanner that only sends such gets one line",
        new="        if True:",
        tests=(SCANS,),
    ),
    Mutant(
        name="each failure that a lock tells during a lock-up is alarmed",
        file="gateway/domain/visit/lock_errors.py",
        old=" and run.step == run.sent_in and not run.refused",
        new=" and run.step == run.sent_in",
        tests=(REFUSED,),
    ),
    Mutant(
        name="each movement before a camera is a row for ever",
        file="gateway/runtime/entrance.py",
        old="return isinstance(event, e.CameraChanged) and state.visit is None and state.incident is None",
        new="return False",
        tests=(ENTRANCE,),
    ),
)
