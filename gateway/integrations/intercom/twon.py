"""A 2N intercom, by its HTTP API: `switch/ctrl`, `switch/caps`, `switch/status`, `log/subscribe` and `log/pull`.

Source: 2N's "HTTP API manual for 2N devices". An answer {"success": true} says that the switch was ordered, and nothing
about a door. `trigger` toggles a bistable switch, so such a switch is never ordered: it would leave the door released.
"""

from collections.abc import AsyncGenerator, Mapping

from devices.reports import DoorbellPressed, OperationError
from gateway.domain.frozen import Frozen
from gateway.integrations.intercom.file import TwoNSection
from gateway.integrations.intercom.line import IntercomFailed, IntercomLine, raise_for_status

CTRL, CAPS, STATUS = "/api/switch/ctrl", "/api/switch/caps", "/api/switch/status"
SUBSCRIBE, PULL = "/api/log/subscribe", "/api/log/pull"
PULL_S = 20  # seconds for which the intercom waits for an event
CHANNEL_S = 90  # seconds for which it keeps a channel that nobody reads
# The errors of its manual: invalid authentication, authorization required, privileges, value, action failed.
_FAILURES = {
    8: OperationError.INVALID_CREDENTIAL,
    9: OperationError.INVALID_CREDENTIAL,
    10: OperationError.DISABLED_USER_DENIED,
    14: OperationError.RESTRICTED,
}


class RelayState(Frozen):
    """Whether the switch gives current: the word of the intercom, and nothing about the strike or the door."""

    on: bool


class EventLog:
    """Reads pulled events: each once, in order. A lower uptime is a restart, after which ids begin at 1 again."""

    def __init__(self, switch: int, bell: tuple[str, ...]) -> None:
        self._switch, self._bell = switch, bell
        self._last = (0, 0)  # uptime in seconds, id

    def read(self, events: object) -> list[DoorbellPressed | RelayState]:
        """Return what happened; an event that cannot be read is left out and hides no other."""
        found: list[DoorbellPressed | RelayState] = []
        for event in events if isinstance(events, list) else ():
            if isinstance(event, dict) and self._is_new(event):
                found += self._meaning(event)
        return found

    def _is_new(self, event: Mapping[str, object]) -> bool:
        id_, uptime = event.get("id"), event.get("upTime")
        if not isinstance(id_, int) or not isinstance(uptime, int) or isinstance(id_, bool) or isinstance(uptime, bool):
            return False
        seen_uptime, seen_id = self._last
        if uptime >= seen_uptime and id_ <= seen_id:
            return False
        self._last = uptime, id_
        return True

    def _meaning(self, event: Mapping[str, object]) -> list[DoorbellPressed | RelayState]:
        params = event.get("params")
        if not isinstance(params, dict):
            return []
        match event.get("event"):
            case "KeyPressed" if params.get("key") in self._bell:
                return [DoorbellPressed()]
            case "SwitchStateChanged" if params.get("switch") == self._switch and isinstance(params.get("state"), bool):
                return [RelayState(on=params["state"])]
            case _:
                return []


class TwoN:
    """One intercom."""

    def __init__(self, section: TwoNSection, line: IntercomLine) -> None:
        self._section, self._line = section, line
        self._is_monostable: bool | None = None

    async def release(self, within_s: float) -> None:
        """Have the switch close once; IntercomFailed: the order was not taken, or nobody knows."""
        if self._is_monostable is not True:
            raise IntercomFailed(OperationError.RESTRICTED, "it is not known that the switch goes off by itself")
        await self._call(CTRL, {"switch": str(self._section.switch), "action": "trigger"}, within_s=within_s)

    async def check(self) -> None:
        """Ask whether it is there, and whether the switch goes off by itself; IntercomFailed: not so."""
        switch = {"switch": str(self._section.switch)}
        caps = _switch(await self._call(CAPS, switch), self._section.switch)
        self._is_monostable = caps.get("enabled") is True and caps.get("mode") == "monostable"
        if not self._is_monostable:
            raise IntercomFailed(
                OperationError.RESTRICTED,
                f"switch {self._section.switch} must be enabled and monostable: it would stay on",
            )
        state = _switch(await self._call(STATUS, switch), self._section.switch)
        if state.get("locked") is True or state.get("held") is True:
            word = "locked" if state.get("locked") is True else "held"
            raise IntercomFailed(OperationError.RESTRICTED, f"switch {self._section.switch} is {word}")

    async def events(self) -> AsyncGenerator[DoorbellPressed | RelayState, None]:
        """Yield what happens, from now on, until the channel is lost, which raises IntercomFailed.

        What happened while nobody listened is never told: a channel that was lost is not read again.
        """
        wanted = {"include": "new", "filter": "KeyPressed,SwitchStateChanged", "duration": str(CHANNEL_S)}
        result = await self._call(SUBSCRIBE, wanted)
        channel = result.get("id") if isinstance(result, dict) else None
        if not isinstance(channel, int) or isinstance(channel, bool):
            raise IntercomFailed(OperationError.UNSPECIFIED, f"{SUBSCRIBE} gives no channel")
        log = EventLog(self._section.switch, self._section.bell)
        while True:
            answer = await self._call(PULL, {"id": str(channel), "timeout": str(PULL_S)}, within_s=PULL_S + 5.0)
            for event in log.read(answer.get("events") if isinstance(answer, dict) else None):
                yield event

    async def _call(self, path: str, query: Mapping[str, str], *, within_s: float | None = None) -> object:
        status, body = await self._line.ask(path, query, within_s=within_s)
        raise_for_status(status, path)
        if isinstance(body, dict) and body.get("success") is True:
            return body.get("result")
        error = body.get("error") if isinstance(body, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        failure = (
            _FAILURES.get(code, OperationError.UNSPECIFIED) if isinstance(code, int) else OperationError.UNSPECIFIED
        )
        raise IntercomFailed(failure, f"{path}: error {code if isinstance(code, int) else 'unknown'}")


def _switch(result: object, number: int) -> Mapping[str, object]:
    """Return what the answer says of this switch; empty if nothing."""
    switches = result.get("switches") if isinstance(result, dict) else None
    for one in switches if isinstance(switches, list) else ():
        if isinstance(one, dict) and one.get("switch") == number:
            return one
    return {}
