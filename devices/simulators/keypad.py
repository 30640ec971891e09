"""Simulates the keypad of the front door's lock: it stores codes, and unlocks the door when a person types one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from devices.commands import ClearCode, Command, SetCode
from devices.reports import CodesReport, CodeStatus, ErrorReport, KeypadCode, OperationError
from devices.simulators.control import Impossible
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.doorway import KEYPAD
from devices.simulators.house import KeypadPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    pin: str
    name: str
    starts: datetime | None
    ends: datetime | None

    def accepts(self, pin: str, at: datetime) -> bool:
        """Return whether this code, typed now, opens."""
        begun = self.starts is None or self.starts <= at
        return self.pin == pin and begun and (self.ends is None or at < self.ends)


class Keypad(SimulatedDevice):
    """Stores codes and answers which ones it has; never a PIN.

    Faults: keeps (it accepts an order to delete a code and keeps the code; asked, it says the truth), refuses (it
    stores no new code and reports that), deaf (it receives no order), silent (it neither reports nor answers), timeless
    (it forgets from when until when a code counts).
    """

    NOUN = "keypad"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = dict.fromkeys(("keeps", "refuses", "deaf", "silent", "timeless"), True)

    def __init__(self, name: str, plan: KeypadPlan, site: DeviceSite) -> None:
        self._doorway, self._codes = site.doorway, dict[int, _Stored]()
        super().__init__(name, plan, plan.vendor, site)

    def on_up(self) -> None:
        """Report the codes."""
        self._publish_codes()

    def execute(self, command: Command) -> None:
        """Store or delete a code."""
        if "deaf" in self.faults:
            return
        match command:
            case SetCode(slot=int(slot)) if "refuses" in self.faults:
                self.log.write("code", device=self.name, slot=slot, state="refused")
                self.publish(ErrorReport(id=command.id, failure=OperationError.UNSPECIFIED))
            case SetCode(slot=int(slot)):
                starts, ends = (None, None) if "timeless" in self.faults else (command.starts, command.ends)
                self._codes[slot] = _Stored(pin=command.pin, name=command.name, starts=starts, ends=ends)
                self.log.write("code", device=self.name, slot=slot, state="stored")
            case ClearCode(slot=slot) if "keeps" not in self.faults:
                self._codes.pop(slot, None)
                self.log.write("code", device=self.name, slot=slot, state="deleted")
            case _:
                pass

    def type_code(self, pin: str, who: str) -> None:
        """Let somebody outside type a code; a right one withdraws the bolt.

        Raises:
            Impossible: no code that counts now is typed.
        """
        self._doorway.arrive(who)
        at = datetime.now(UTC)
        slot = next((slot for slot, stored in self._codes.items() if stored.accepts(pin, at)), None)
        self.log.write("typed", device=self.name, who=who, slot=slot)
        if slot is None:
            raise Impossible("the keypad knows no such code now")
        self._doorway.move_bolt(thrown=False, cause=KEYPAD)

    def answer(self, correlation: bytes | None) -> None:
        """Answer with all codes."""
        if "silent" not in self.faults:
            self.publish_answer((self._report(),), correlation)

    def misbehave(self, fault: str) -> None:
        """Nothing happens at once."""

    def _publish_codes(self) -> None:
        if "silent" not in self.faults:
            self.publish(self._report())

    def _report(self) -> CodesReport:
        codes = (
            KeypadCode(
                slot=slot, status=CodeStatus.ENABLED, name=stored.name, starts=stored.starts, ends=stored.ends
            )
            for slot, stored in sorted(self._codes.items())
        )  # fmt: skip
        return CodesReport(codes=tuple(codes), is_complete=True)

    def physical(self) -> Mapping[str, object]:
        """Return the slots that have a code."""
        return {"slots": sorted(self._codes)}
