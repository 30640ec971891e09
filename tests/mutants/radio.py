"""Faults in what stands behind a radio's bridge, in a refusal, a latch, a handle, a battery."""

from tests.mutants.mutant import Mutant

ENTRANCE = "tests/gateway/runtime/test_entrance_behind_a_radio.py"
PAYLOADS = "tests/devices/vendors/test_payloads.py"
REFUSED = "tests/gateway/domain/visit/test_lock_errors.py"
MORE = "tests/gateway/domain/visit/test_handle_and_latch.py"
BATTERIES = "tests/gateway/domain/visit/test_batteries.py"

MUTANTS = (
    Mutant(
        name="a bridge's memory at its start answers a question",
        file="gateway/runtime/reconnects.py",
        old="return mono - self._reconnected_mono.get(device, -SETTLE_TIME_S) < SETTLE_TIME_S",
        new="return mono < 0 and device in self._reconnected_mono",
        tests=(ENTRANCE,),
    ),
    Mutant(
        name="an operation answers a question",
        file="gateway/runtime/entrance.py",
        old="return isinstance(report, said.LockReport) and report.event",
        new="return isinstance(report, said.LockReport) and report.event and report.user is not None",
        tests=(ENTRANCE,),
    ),
    Mutant(
        name="an answer may come at any time",
        file="gateway/runtime/effects.py",
        old="late = self.clock.mono() - since > timeout_s",
        new="late = self.clock.mono() - since > 1000 * timeout_s",
        tests=(ENTRANCE,),
    ),
    Mutant(
        name="an old state beside an action is believed",
        file="devices/vendors/zigbee2mqtt.py",
        old="        yield from _movement_report(action, body)\n        return\n",
        new="        yield from _movement_report(action, body)\n",
        tests=(PAYLOADS, ENTRANCE),
    ),
    Mutant(
        name="another node's answer is this lock's",
        file="devices/vendors/zwave.py",
        old='about.get("property")) == (node_number(device_ref), 98, prop)',
        new='about.get("property")) == (about.get("nodeId"), 98, prop)',
        tests=(PAYLOADS, "tests/devices/vendors/test_zwave.py"),
    ),
    Mutant(
        name="a refused unlock waits for the latency",
        file="gateway/domain/visit/lock_errors.py",
        old=("    if not visit.refused:\n        return False\n"),
        new=("    if not visit.refused or not visit.entry.queried:\n        return False\n"),
        tests=(REFUSED,),
    ),
    Mutant(
        name="a refusal of another order ends this one's waiting",
        file="gateway/domain/visit/lock_errors.py",
        old='return event.command is None or event.command == order or event.command.startswith(f"{order}-")',
        new="return bool(order)",
        tests=(REFUSED,),
    ),
    Mutant(
        name="a bolt without its latch lets the courier in",
        file="gateway/domain/visit/closures/bolted_door.py",
        old="(bolt == LockState.UNLOCKED and not self.unlatch)",
        new="bolt == LockState.UNLOCKED",
        tests=(MORE,),
    ),
    Mutant(
        name="nobody is told to lift the handle",
        file="gateway/domain/visit/securing.py",
        old="if prompt.notification is not None and not step.notified_once(Once.PROMPT):",
        new="if prompt.notification is not None and step.notified_once(Once.PROMPT):",
        tests=(MORE,),
    ),
    Mutant(
        name="a sinking battery is told when it is empty",
        file="gateway/domain/visit/batteries.py",
        old="or (left is not None and left <= REPLACEMENT_NOTICE_DAYS)",
        new="or (left is not None and left <= 0)",
        tests=(BATTERIES,),
    ),
    Mutant(
        name="a contact that sleeps is offered as one that can be asked",
        file="gateway/installation/discovery.py",
        old="case UsableKind.DOOR if not use.answers:",
        new="case UsableKind.DOOR if use.answers:",
        tests=("tests/gateway/installation/test_discovery.py",),
    ),
    Mutant(
        name="another part of the lock is a door sensor of its own",
        file="gateway/config/topics.py",
        old='(device.address.partition("#")[0] for device in (one, other))',
        new="(device.address for device in (one, other))",
        tests=("tests/gateway/installation/test_capability.py",),
    ),
    Mutant(
        name="a bridge whose base topic has two levels is heard at the first",
        file="devices/vendors/zigbee2mqtt.py",
        old='base = device_ref.keys.get("base", device_ref.address.partition("/")[0])',
        new='base = device_ref.address.partition("/")[0]',
        tests=(PAYLOADS, ENTRANCE),
    ),
)
