"""Faults in what stands between the house and a Matter server."""

from tests.mutants.mutant import Mutant

PROCESS = "tests/gateway/integrations/matter/test_process.py"
NODES = "tests/gateway/integrations/matter/test_nodes.py"
FILE = "tests/gateway/integrations/matter/test_file.py"
PAYLOADS = "tests/devices/vendors/test_payloads.py"
VENDOR = "tests/devices/vendors/test_matter.py"
KEYPAD = "tests/devices/vendors/test_matter_keypad.py"
ALIRO = "tests/gateway/integrations/matter/test_aliro.py"
CODES = "tests/gateway/integrations/matter/test_codes.py"

MUTANTS = (
    Mutant(
        name="a Matter server is left to repeat an unlock for as long as it likes",
        file="gateway/integrations/matter/process.py",
        old="""\
"timed_request_timeout_ms": milliseconds,
        "interaction_timeout_ms": milliseconds,
""",
        new='"timed_request_timeout_ms": milliseconds,\n',
        tests=(PROCESS,),
    ),
    Mutant(
        name="an unlock is no timed invoke",
        file="gateway/integrations/matter/process.py",
        old="""\
"timed_request_timeout_ms": milliseconds,
        "interaction_timeout_ms": milliseconds,
""",
        new='"interaction_timeout_ms": milliseconds,\n',
        tests=(PROCESS,),
    ),
    Mutant(
        name="a Matter order is waited for beyond its life",
        file="gateway/integrations/matter/process.py",
        old="within_s = min(ends_mono - self._mono(), self._file.server.timeout)",
        new="within_s = self._file.server.timeout",
        tests=(PROCESS,),
    ),
    Mutant(
        name="a lock order overtakes the unlock before it",
        file="gateway/integrations/matter/process.py",
        old="            await asyncio.wait({before}, timeout=life_s)",
        new="            pass",
        tests=(PROCESS,),
    ),
    Mutant(
        name="what the server remembers of a lock answers a query",
        file="gateway/integrations/matter/process.py",
        old='answer = await session.ask("read_attribute", arguments, within_s=self._file.server.timeout)',
        new='answer = {path: 1 for path in paths} if arguments else await session.ask("x", {}, within_s=0)',
        tests=(PROCESS,),
    ),
    Mutant(
        name="a node that the server lost still counts as reached",
        file="gateway/integrations/matter/process.py",
        old="online=node.available and node.node not in self._flooding",
        new="online=node.node not in self._flooding",
        tests=(PROCESS,),
    ),
    Mutant(
        name="without the Matter server its devices are still online",
        file="gateway/integrations/matter/process.py",
        old='online = b"online" if self._is_listed else b"offline"',
        new='online = b"online"',
        tests=(PROCESS,),
    ),
    Mutant(
        name="a flood of one node is believed",
        file="gateway/integrations/matter/process.py",
        old="        if rate.take(self._mono()):\n            return False",
        new="        rate.take(self._mono())\n        return False",
        tests=(PROCESS,),
    ),
    Mutant(
        name="another controller's unlock is taken for our own",
        file="gateway/integrations/matter/nodes.py",
        old='if not isinstance(data, dict) or data.get("sourceNode") != controller:',
        new="if not isinstance(data, dict):",
        tests=(NODES, PROCESS),
    ),
    Mutant(
        name="a node of the same number in another fabric is our own",
        file="gateway/integrations/matter/nodes.py",
        old='return node.fabric is None or data.get("fabricIndex") == node.fabric',
        new="return True",
        tests=(NODES,),
    ),
    Mutant(
        name="a node that is played from memory is a lock",
        file="gateway/integrations/matter/nodes.py",
        old="number is None or number >= TEST_NODES_FROM or",
        new="number is None or",
        tests=(NODES, PROCESS),
    ),
    Mutant(
        name="a Matter server is reached without a certificate across the network",
        file="gateway/integrations/matter/file.py",
        old="if not secure and not is_loopback_host(self.host):",
        new="if not secure and not self.host:",
        tests=(FILE,),
    ),
    Mutant(
        name="a closure that does not hold is closed",
        file="devices/vendors/matter.py",
        old="elif position == m.FULLY_CLOSED and now.get(m.SECURE_STATE) is True:",
        new="elif position == m.FULLY_CLOSED:",
        tests=(VENDOR, PAYLOADS),
    ),
    Mutant(
        name="a Matter contact is read the other way round",
        file="devices/vendors/matter.py",
        old="known = {True: DoorState.CLOSED, False: DoorState.OPEN}",
        new="known = {True: DoorState.OPEN, False: DoorState.CLOSED}",
        tests=(PAYLOADS, PROCESS),
    ),
    Mutant(
        name="the latch is pulled though nobody wanted it",
        file="devices/vendors/matter.py",
        old='name = "UnboltDoor" if lock_features & m.UNBOLTING and not command.latch else "UnlockDoor"',
        new='name = "UnlockDoor"',
        tests=(VENDOR,),
    ),
    Mutant(
        name="a PIN of a Matter lock is free though only its user is gone",
        file="devices/vendors/matter_keypad.py",
        old="return CodeStatus.UNKNOWN if there else CodeStatus.AVAILABLE",
        new="return CodeStatus.AVAILABLE",
        tests=(KEYPAD, PAYLOADS),
    ),
    Mutant(
        name="a schedule that binds nobody counts as the times of a code",
        file="devices/vendors/matter_keypad.py",
        old='if user is not None and user.get("userType") in (YEAR_DAY_USER, SCHEDULE_RESTRICTED_USER):',
        new="if user is not None:",
        tests=(KEYPAD, PAYLOADS),
    ),
    Mutant(
        name="a PIN that the Matter lock did not store counts as stored",
        file="devices/vendors/matter_keypad.py",
        old='return name == "SetCredential" and (not isinstance(answer, dict) or answer.get("status") != SUCCESS)',
        new="return False",
        tests=(KEYPAD, CODES),
    ),
    Mutant(
        name="half of a code stays at the Matter lock",
        file="gateway/integrations/matter/process.py",
        old="if matter_keypad.is_refused(name, answer):\n                await self._take_back(at, change)",
        new="if matter_keypad.is_refused(name, answer):",
        tests=(CODES,),
    ),
    Mutant(
        name="a slot of the Matter lock that is taken is emptied for the next guest",
        file="gateway/integrations/matter/process.py",
        old="if number:\n                    await self._take_back(at, change)\n                raise",
        new="if True:\n                    await self._take_back(at, change)\n                raise",
        tests=(CODES,),
    ),
    Mutant(
        name="a key of Aliro that the lock did not read back counts as stored",
        file="devices/vendors/matter_aliro.py",
        old='return belongs and user.get("userStatus") == ENABLED and stored == key',
        new='return belongs and user.get("userStatus") == ENABLED',
        tests=(ALIRO,),
    ),
)
