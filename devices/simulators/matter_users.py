"""Simulates the users, PINs and schedules of a Matter lock, as a lock of matter.js 0.17.9 was recorded to answer."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

MAX_USERS = 30
NOT_FOUND = 139
PIN = 1  # type of a credential
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of Matter's epoch-s
OCCUPIED = "InteractionModelError: Failure (0x1, clusterStatus: 3)"
INVALID_COMMAND = "InteractionModelError: InvalidCommand (0x85)"
_COMMANDS = frozenset({
    "SetUser", "GetUser", "ClearUser", "SetCredential", "GetCredentialStatus", "SetYearDaySchedule",
    "GetYearDaySchedule",
})  # fmt: skip


class Refused(Exception):  # noqa: N818 - the server's answer is a refusal
    """The server answers with this error code and text."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self.code = code


class MatterUsers:
    """The memory of one lock. `has_fault`: whether a fault (keeps, refuses) is on."""

    def __init__(self, has_fault: Callable[[str], bool]) -> None:
        self._has_fault = has_fault
        self._users: dict[int, Mapping[str, object]] = {}
        self._keys: dict[tuple[object, int], str] = {}  # type of the credential, slot -> its data
        self._schedules: dict[int, tuple[object, object]] = {}

    @property
    def slots(self) -> frozenset[int]:
        """The slots with a PIN."""
        return frozenset(slot for kind, slot in self._keys if kind == PIN)

    def slot_of(self, pin: str, at: datetime) -> int | None:
        """Return the slot of a PIN that the lock accepts at this time (UTC); None: it accepts no such PIN."""
        data, seconds = base64.b64encode(pin.encode()).decode(), (at - EPOCH).total_seconds()
        slot = next((slot for (kind, slot), stored in self._keys.items() if kind == PIN and stored == data), None)
        starts, ends = self._schedules.get(slot or 0, (None, None))
        has_begun = not isinstance(starts, int) or starts <= seconds
        return slot if has_begun and (not isinstance(ends, int) or seconds < ends) else None

    @staticmethod
    def knows(name: str) -> bool:
        """Return whether a command is about users."""
        return name in _COMMANDS

    def do(self, name: str, arguments: Mapping[str, object]) -> object:
        """Carry out a command, and return its answer.

        Raises:
            Refused: the lock refuses it.
        """
        fields = arguments.get("payload")
        body = fields if isinstance(fields, dict) else {}
        if name.startswith(("Set", "Clear")) and arguments.get("timed_request_timeout_ms") is None:
            raise Refused(0, "InteractionModelError: NeedsTimedInteraction (0xc6)")
        credential = body.get("credential")
        slot = credential.get("credentialIndex") if isinstance(credential, dict) else body.get("userIndex")
        if not isinstance(slot, int) or not 1 <= slot <= MAX_USERS:
            raise Refused(0, INVALID_COMMAND)
        match name:
            case "SetUser" | "SetYearDaySchedule" | "ClearUser":
                self._change(name, slot, body)
                return None
            case "SetCredential":
                return self._set_key(_type_of(credential), slot, str(body.get("credentialData")))
            case "GetUser":
                return self._user(slot)
            case "GetCredentialStatus":
                kind = _type_of(credential)
                there = (kind, slot) in self._keys
                data = None if kind == PIN else self._keys.get((kind, slot))  # a PIN is never reported
                return {"credentialExists": there, "userIndex": slot if there else None, "credentialData": data}
            case _:
                starts, ends = self._schedules.get(slot, (None, None))
                status = NOT_FOUND if starts is None else 0
                return {"yearDayIndex": 1, "userIndex": slot, "status": status,
                        "localStartTime": starts, "localEndTime": ends}  # fmt: skip

    def _change(self, name: str, slot: int, body: Mapping[str, object]) -> None:
        if name == "SetUser":
            if slot in self._users:
                raise Refused(0, OCCUPIED)
            self._users[slot] = dict(body)
        elif name == "SetYearDaySchedule":
            self._schedules[slot] = (body.get("localStartTime"), body.get("localEndTime"))
        elif not self._has_fault("keeps"):
            self._users.pop(slot, None)
            self._schedules.pop(slot, None)
            self._keys = {place: data for place, data in self._keys.items() if place[1] != slot}

    def _set_key(self, kind: object, slot: int, data: str) -> object:
        taken = (kind, slot) in self._keys or data in self._keys.values() or self._has_fault("refuses")
        if not taken:
            self._keys[kind, slot] = data
        return {"status": 1 if taken else 0, "userIndex": None, "nextCredentialIndex": slot + 1}

    def _user(self, slot: int) -> object:
        user = self._users.get(slot)
        following = min((number for number in self._users if number > slot), default=None)
        if user is None:
            return {"userIndex": slot, "userName": None, "userStatus": None, "userType": None, "credentials": None,
                    "nextUserIndex": following}  # fmt: skip
        credentials = [{"credentialType": kind, "credentialIndex": at} for kind, at in self._keys if at == slot]
        return {"userIndex": slot, "userName": user.get("userName"), "userStatus": user.get("userStatus"),
                "userType": user.get("userType"), "credentialRule": 0, "credentials": credentials,
                "creatorFabricIndex": 1, "lastModifiedFabricIndex": 1, "nextUserIndex": following}  # fmt: skip


def _type_of(credential: object) -> object:
    return credential.get("credentialType") if isinstance(credential, dict) else None
