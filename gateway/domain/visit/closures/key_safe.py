"""A key safe: its flap springs open, a named keeper takes the key, and it has to be back on its hook in time.

Everybody who has the key can enter the home, so nothing is "secured" while the key is out, whatever the flap reports.
Only the sensor under the hook reports that the key is back; the keeper's own statement does not count.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.reports import DoorState
from gateway.domain.visit.closures.contract import (
    KEY_RETURNED,
    KEY_TAKEN,
    LEAF_CONTACT,
    OPEN_DOOR_STATES,
    Closure,
    Deposit,
    DeviceSeconds,
    Move,
    Next,
    Opening,
    Overdue,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
)
from gateway.domain.visit.commands import AlarmCode, Notification

PRESENT, ABSENT = "present", "absent"


class KeySafe(Closure):
    """A safe with the key of a door, and a sensor under the key's hook."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"lock", "strike"})
    roles: ClassVar[Mapping[str, Quantity]] = {"flap": Quantity.CONTACT, "key": Quantity.KEY}
    leaf: ClassVar[str] = "flap"
    independent_roles: ClassVar[frozenset[str]] = frozenset({"key"})
    announced_marks: ClassVar[Mapping[str, Notification]] = {KEY_TAKEN: Notification.KEY_TAKEN}

    kind: Literal["key_safe"] = "key_safe"
    """Kind: a safe with a key on a hook, with a sensor of its flap and one of the key."""
    release: DeviceSeconds = 30.0
    back_within: Annotated[float, Field(gt=0, le=86400, json_schema_extra={"x-unit": "seconds"})] = 900.0
    """Back within: the time in which the key has to be on its hook again. Then the keeper and the owner are
    reminded."""
    reminders: Annotated[int, Field(ge=1, le=20, json_schema_extra={"x-unit": "reminders"})] = 3
    """Reminders: how often the gateway reminds of a key that is out before the owner has to look after it."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        return {
            "flap": LEAF_CONTACT,
            "key": Sensor(quantity=Quantity.KEY, needs_answer=frozenset({PRESENT})),
        }

    @property
    def key_back_within_s(self) -> float | None:
        return self.back_within

    def not_ready(self, view: View) -> tuple[str, ...]:
        faults = {
            "flap": not view.proves("flap", DoorState.CLOSED),
            "key_out": view.value("key") == ABSENT,
            "key": view.value("key") != ABSENT and not view.proves("key", PRESENT),
        }
        return tuple(word for word, is_wrong in faults.items() if is_wrong)

    def opening(self) -> Opening:
        return Opening(invalidate=("flap",), query=("flap", "key"), passable_for_s=self.release)

    def passable(self, view: View) -> bool:
        return self.opened(view)

    def opened(self, view: View) -> bool:
        return super().opened(view) or view.value("key") == ABSENT

    def in_use(self, view: View) -> bool:
        return False  # a person with the key may be anywhere

    def closed_since(self, view: View) -> float | None:
        flap_since = super().closed_since(view)
        if flap_since is None or view.value("key") != PRESENT:
            return None
        return max(flap_since, view.stable_since("key"))

    def secured(self, view: View) -> bool:
        return view.proves("flap", DoorState.CLOSED) and view.proves("key", PRESENT)

    def secure(self, view: View) -> Next:
        match view.run.step:
            case "start":
                return Move(to="before", query=("flap", "key"))
            case "before" if self.secured(view):
                return Move(to="after", query=("flap", "key"), after_expiry=True)
            case "after" if self.secured(view):
                return Verdict.DONE
            case _:
                return Verdict.AGAIN if view.is_over else Verdict.WAIT

    def close(self, view: View) -> Next:
        return Verdict.GIVE_UP if view.now.reminders > self.reminders else Verdict.NOTHING

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        """The household takes its key with the safe's own code; if all are away, nobody may take it."""
        if sensor == "key" and before == PRESENT and view.value("key") == ABSENT:
            return Use.UNEXPECTED if view.now.is_away else Use.OPENED_BY_HAND
        opens = sensor == "flap" and before == DoorState.CLOSED and view.value("flap") in OPEN_DOOR_STATES
        return Use.MOVED if opens else Use.NONE

    def marks(self, view: View) -> frozenset[str]:
        if view.value("key") == ABSENT:
            return frozenset({KEY_TAKEN})
        is_back = KEY_TAKEN in view.now.marks and view.proves("key", PRESENT)
        return frozenset({KEY_RETURNED}) if is_back else frozenset()

    def deposited(self, view: View) -> Deposit:
        """Without the key nobody carried anything in; with it, the film or the keeper's own scan is the evidence."""
        return Deposit.BY_FILM if KEY_TAKEN in view.now.marks else Deposit.NOTHING

    def overdue(self, view: View) -> Overdue:
        """The time begins when the key is taken, whatever is opened and closed with it meanwhile."""
        out_for_s = view.now.mono - view.stable_since("key") if view.value("key") == ABSENT else 0.0
        return Overdue(
            alarm=AlarmCode.KEY_LATE,
            notification=Notification.KEY_MISSED,
            limit_s=max(1.0, self.back_within - out_for_s),
        )
