"""The words of 2N's HTTP API: privileges, errors, events; each source is in `tests.peers.twon`."""

from enum import IntEnum, StrEnum
from typing import Any

# Groups of functions in 2N's manual; a path in one that is not built is a function that this model does not have.
GROUPS = frozenset(
    {"access", "accesspoint", "audio", "automation", "call", "camera", "cert", "config", "dir", "display", "email"}
    | {"firmware", "io", "lift", "log", "lpr", "mobilekey", "pcap", "phone", "switch", "system"}
)


class Right(StrEnum):
    """Privileges of an account, as M names them."""

    SYSTEM_CONTROL = "System Control"
    SWITCH_MONITORING = "Switch Monitoring"
    SWITCH_CONTROL = "Switch Control"
    KEYPAD_MONITORING = "Keypad Monitoring"
    IO_MONITORING = "I/O Monitoring"
    CALL_MONITORING = "Call/Phone Monitoring"
    ACCESS_CONTROL = "Access Control"


class Code(IntEnum):
    """Errors of M 2.3."""

    NOT_SUPPORTED = 1
    INVALID_PATH = 2
    INVALID_METHOD = 3
    INVALID_CONNECTION = 7
    INVALID_AUTHENTICATION = 8
    AUTHORIZATION_REQUIRED = 9
    INSUFFICIENT_PRIVILEGES = 10
    MISSING_PARAMETER = 11
    INVALID_VALUE = 12
    ACTION_FAILED = 14


DESCRIPTIONS = {
    Code.NOT_SUPPORTED: "function is not supported",
    Code.INVALID_PATH: "invalid request path",
    Code.INVALID_METHOD: "invalid request method",
    Code.INVALID_CONNECTION: "invalid connection type",
    Code.INVALID_AUTHENTICATION: "invalid authentication method",
    Code.AUTHORIZATION_REQUIRED: "authorization required",
    Code.INSUFFICIENT_PRIVILEGES: "insufficient user privileges",
    Code.MISSING_PARAMETER: "missing mandatory parameter",
    Code.INVALID_VALUE: "invalid parameter value",
    Code.ACTION_FAILED: "action failed",
}

# The events that this peer sends, each with the privilege it needs.
EVENTS: dict[str, Right | None] = {
    "DeviceState": None,
    "ApiAccessRequested": None,
    "KeyPressed": Right.KEYPAD_MONITORING,
    "KeyReleased": Right.KEYPAD_MONITORING,
    "SwitchStateChanged": Right.IO_MONITORING,
    "CallStateChanged": Right.CALL_MONITORING,
}


class ApiError(Exception):
    """The request is answered with this error."""

    def __init__(self, code: Code, param: str | None = None) -> None:
        super().__init__(DESCRIPTIONS[code])
        self.code, self.param = code, param

    def body(self) -> dict[str, Any]:
        """The answer."""
        error: dict[str, Any] = {"code": int(self.code)}
        if self.param is not None:
            error["param"] = self.param
        return {"success": False, "error": {**error, "description": DESCRIPTIONS[self.code]}}
