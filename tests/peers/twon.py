"""A 2N intercom's HTTP API, with switches and strikes behind it.

Written from 2N's "HTTP API manual for 2N devices" as its wiki has it (2.3 Replies to Requests, 5.1.1, 5.1.2, 5.4.1 to
5.4.3, 5.10.1 to 5.10.4, 5.17.3; called M here) and from ways-in.md, section 4 (W). No adapter of Perron was read. A
fact marked † stands in neither, or in one place only: it is a field of `Make`, with the most likely value as its
default, and an adapter must bear the others.

Facts, each with its source:
- Success is {"success": true} with `result` where there is one; an error {"success": false, "error": {"code", "param",
  "description"}}, with status 200, or 401 where nobody was let in (M 2.3).
- Codes (M 2.3): 1 function is not supported, 2 invalid request path, 3 invalid request method, 7 invalid connection
  type, 8 invalid authentication method (Basic where Digest is set), 9 authorization required, 10 insufficient user
  privileges, 11 missing mandatory parameter, 12 invalid parameter value, 14 processing error, "action failed" for
  switches (M 5.4.3). py2n 0.6 has the same numbers.
- GET or POST, parameters in the URL or as application/x-www-form-urlencoded (M).
- `system/info`: no privilege (M 5.1.1). `system/status`: system control. Authentication for it as for the rest†.
- `switch/caps`, `switch/status`: switch monitoring; M 5.4.2 names "Switch Control" for the status, so either†.
- `switch/ctrl`: `on, off, trigger, lock, unlock, hold, release`. A locked switch is off and cannot be operated; a held
  one is on and cannot be operated; locked wins over held. 14 when the wanted state cannot be reached, and for
  everything on a disabled switch; locking and holding always succeed. `timeout` 1 to 86400 s for `hold`. `response`
  replaces the answer's body (M 5.4.3). A monostable switch goes off by itself after `switchOnDuration`; being switched
  on again starts the time anew†. Lock and hold outlive a restart (access unit manual,
  5.3.1), a hold's `timeout` does not†.
- `log/subscribe`: `include` new | all | -t (the last t seconds), `filter`, `duration` (90 s unless given, 10 to 3600†)
  that each pull extends (M 5.10.2). An unknown event in `filter` gets 12†. So many channels at most†, then 14†.
- `log/pull`: waits up to `timeout` s for the first event, 128 at most in one answer. An id that is unknown, expired or
  unsubscribed is an error (M 5.10.3): 12 with param "id"†.
- Events {id, tzShift minutes, utcTime, upTime, event, params}; id 1 after a restart, when `DeviceState` "startup" comes
  (M 5.10.4). Events that the user may not see do not reach his channel: KeyPressed, KeyReleased need keypad monitoring,
  SwitchStateChanged I/O monitoring, CallStateChanged call monitoring (M 5.10.2). 10,000 are kept.
- SwitchStateChanged {switch, state, originator "api" | "ap" | ...}; of a switch that goes off by itself the originator
  is that of its going on†. The event speaks of the switch: no strike is asked.
- `accesspoint/grantaccess` {id 0 | 1, user uuid}: access control. {"accessGranted": true}, or false with reason
  invalidAp | invalidCredential | accessBlocked; each successful call logs ApiAccessRequested (M 5.17.3). Granted, the
  access point's switch goes on with originator "ap"†.
- A restart closes every channel† and every connection.

Not built, answered with code 1: what M has beside these.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from aiohttp import web

from tests.peers.authentication import Account, Gatekeeper, Login, Refusal, Scheme
from tests.peers.line import Handler, Line, has_left
from tests.peers.strike import Strike
from tests.peers.twon_switch import Switch, SwitchMake
from tests.peers.twon_words import EVENTS, GROUPS, ApiError, Code, Right

MAX_BATCH = 128
MAX_HISTORY = 10_000
MAX_HOLD_S = 86_400
UINT32 = 2**32

CTRL, STATUS, CAPS = "/api/switch/ctrl", "/api/switch/status", "/api/switch/caps"
INFO, SYSTEM_STATUS = "/api/system/info", "/api/system/status"
LOG_CAPS, SUBSCRIBE, PULL, UNSUBSCRIBE = "/api/log/caps", "/api/log/subscribe", "/api/log/pull", "/api/log/unsubscribe"
GRANT_ACCESS = "/api/accesspoint/grantaccess"
OWNER = Account("perron", "owner-password", frozenset(Right))
READER = Account("reader", "reader-password", frozenset({Right.SWITCH_MONITORING}))
RESIDENT = "3a6d2f44-6a0e-4b6c-9d3a-1f0f4a6f8a11"


@dataclass(frozen=True)
class Make:
    """What the intercom is, and what nobody documents about it; a field marked † in the module's text is a guess."""

    accounts: tuple[Account, ...] = (OWNER, READER)
    users: frozenset[str] = frozenset({RESIDENT})
    switches: Mapping[int, SwitchMake] = field(
        default_factory=lambda: {1: SwitchMake(), 2: SwitchMake(mode="bistable"), 3: SwitchMake(enabled=False)}
    )
    access_points: Mapping[int, int] = field(default_factory=lambda: {0: 1})  # access point: its switch
    scheme: Scheme = Scheme.DIGEST
    realm: str = "HTTP API"
    nonce_s: float = 300.0
    needs_tls: bool = False
    serial_number: str = "00-0000-0005"
    mac: str = "7C-1E-B3-00-00-05"
    firmware: str = "2.46.0.56.5"
    durations_s: tuple[int, int] = (10, 3600)
    max_channels: int = 32
    unknown_filter: Literal["refused", "ignored"] = "refused"
    unknown_channel: Code = Code.INVALID_VALUE
    tz_shift_min: int = 60


@dataclass(frozen=True)
class Asked:
    """A request: `user` is None where nobody was let in, `code` is the answer's error, None for success."""

    at: float
    path: str
    user: str | None
    scheme: Scheme | None
    code: int | None
    answered: bool


@dataclass(frozen=True)
class Order:
    """Somebody with the right to do so gave a switch an order; it may have failed."""

    at: float
    switch: int
    action: str
    user: str


@dataclass(frozen=True)
class Event:
    """An entry of the log; `at` is in seconds of the test's clock."""

    at: float
    name: str
    wire: dict[str, Any]


@dataclass(eq=False)
class Channel:
    """A subscription: its own queue, of the events that its user may see."""

    rights: frozenset[str]
    names: frozenset[str]
    duration_s: int
    expires_at: float
    queue: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_HISTORY))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0

    def offer(self, event: Event) -> None:
        """Queue an event, if it is for this channel."""
        needed = EVENTS[event.name]
        if event.name in self.names and (needed is None or needed in self.rights):
            self.queue.append(event)
            self.arrived.set()

    def take(self) -> list[dict[str, Any]]:
        """The next events, 128 at most."""
        batch = [self.queue.popleft().wire for _ in range(min(MAX_BATCH, len(self.queue)))]
        if not self.queue:
            self.arrived.clear()
        return batch


class Intercom:
    """The intercom: what a test does to it, and what it saw.

    Attributes:
        line: what goes wrong between it and its clients.
        orders: what switches were ordered, in order, also where nothing moved.
        asked: every request, noted when it ended, `answered` unless its answer reached nobody.
        strikes: by switch; their logs are what really moved, their faults are a test's.
    """

    def __init__(self, make: Make, clock: Callable[[], float], utc: Callable[[], float]) -> None:
        self.make, self.clock, self.utc = make, clock, utc
        self.line = Line()
        self.orders: list[Order] = []
        self.asked: list[Asked] = []
        self.strikes = {number: Strike(clock) for number in make.switches}
        self.switches = {
            number: Switch(one, self.strikes[number], partial(self._switched, number))
            for number, one in make.switches.items()
        }
        self.gatekeeper = Gatekeeper(
            make.accounts, realm=make.realm, schemes=(make.scheme,), clock=clock, nonce_s=make.nonce_s
        )
        self.blocked_access_points: set[int] = set()
        self._channels: dict[int, Channel] = {}
        self._history: deque[Event] = deque(maxlen=MAX_HISTORY)
        self._started_at = clock()
        self._next_id = 1
        self.log("DeviceState", state="startup")

    @property
    def channels(self) -> int:
        """How many subscriptions are open."""
        self._drop_expired()
        return len(self._channels)

    @property
    def up_time_s(self) -> int:
        """Whole seconds since the last start."""
        return int(self.clock() - self._started_at)

    def log(self, event: str, **params: object) -> None:
        """Write an event and hand it to every channel.

        Raises:
            KeyError: when `EVENTS` does not have it.
        """
        wire = {
            "id": self._next_id,
            "tzShift": self.make.tz_shift_min,
            "utcTime": int(self.utc()),
            "upTime": self.up_time_s,
            "event": event,
            "params": params,
        }
        self._next_id += 1
        entry = Event(self.clock(), event, wire)
        self._history.append(entry)
        self._drop_expired()
        for channel in self._channels.values():
            channel.offer(entry)

    def press(self, key: str = "%1") -> None:
        """Somebody presses a button: `%1` is the first call button; 0 to 9, *, # the keypad's."""
        self.log("KeyPressed", key=key)
        self.log("KeyReleased", key=key)

    def call(self, state: Literal["connecting", "ringing", "connected", "terminated"], *, call: int = 1) -> None:
        """A call that the bell has started changes its state."""
        self.log(
            "CallStateChanged", direction="outgoing", state=state, peer="sip:flat@10.0.0.9", session=call, call=call
        )

    def power_off(self) -> None:
        """No answer to anybody, no subscription, no current in any strike."""
        self.line.is_up = False
        self.line.forget()
        for channel in self._channels.values():
            channel.arrived.set()
        self._channels.clear()
        self.line.cut()
        for switch in self.switches.values():
            switch.stop()
            switch.strike.deenergize()

    def power_on(self) -> None:
        """Up again: empty log, ids from 1, no nonce of before; lock and hold are as they were."""
        self._history.clear()
        self._next_id, self._started_at = 1, self.clock()
        self.gatekeeper.forget_nonces()
        for switch in self.switches.values():
            switch.restart()
        self.line.is_up = True
        self.log("DeviceState", state="startup")

    def reboot(self) -> None:
        """Off and at once on again."""
        self.power_off()
        self.power_on()

    def _switched(self, number: int, on: bool, originator: str) -> None:
        self.log("SwitchStateChanged", switch=number, state=on, originator=originator)

    # What the handlers use.

    def subscribe(self, rights: frozenset[str], names: frozenset[str], duration_s: int, since: float | None) -> int:
        """Open a channel with the events from `since` (in the clock's seconds; None for none); its id.

        Raises:
            ApiError: when too many are open.
        """
        if self.channels >= self.make.max_channels:
            raise ApiError(Code.ACTION_FAILED)
        channel = Channel(rights, names, duration_s, self.clock() + duration_s)
        for event in self._history if since is not None else ():
            if since is not None and event.at >= since:
                channel.offer(event)
        number = secrets.randbelow(UINT32 - 1) + 1
        self._channels[number] = channel
        return number

    def channel(self, number: int) -> Channel:
        """An open channel.

        Raises:
            ApiError: when there is none with this id.
        """
        self._drop_expired()
        if number not in self._channels:
            raise ApiError(self.make.unknown_channel, "id")
        return self._channels[number]

    def unsubscribe(self, number: int) -> None:
        """Close a channel; who waits on it gets an error.

        Raises:
            ApiError: when there is none with this id.
        """
        self.channel(number).arrived.set()
        del self._channels[number]

    async def pull(self, number: int, timeout_s: int, is_gone: Callable[[], bool]) -> list[dict[str, Any]]:
        """The channel's next events, waited for if there are none; then the channel lives on for its duration.

        A reader that has left while it waited takes none with it.

        Raises:
            ApiError: when there is no such channel, or it was closed meanwhile.
        """
        channel = self.channel(number)
        channel.readers += 1
        try:
            async with asyncio.timeout(timeout_s):
                await channel.arrived.wait()
        except TimeoutError:
            pass  # an empty list says so
        finally:
            channel.readers -= 1
            channel.expires_at = self.clock() + channel.duration_s
        if self._channels.get(number) is not channel:
            raise ApiError(self.make.unknown_channel, "id")
        return [] if is_gone() else channel.take()

    def _drop_expired(self) -> None:
        now = self.clock()
        expired = [number for number, one in self._channels.items() if not one.readers and now > one.expires_at]
        for number in expired:
            del self._channels[number]


INTERCOM = web.AppKey("INTERCOM", Intercom)
LOGIN = web.RequestKey("LOGIN", Login)
PARAMETERS = web.RequestKey("PARAMETERS", dict[str, str])
CODE = web.RequestKey("CODE", int)


def create_app(
    make: Make | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    utc: Callable[[], float] = time.time,
) -> web.Application:
    """The intercom as an application; `app[INTERCOM]` is what a test holds on to.

    Args:
        make: what the intercom is; a default one otherwise.
        clock: seconds, never going back: times of logs, channels and upTime. Switches and long polls run on the loop's.
        utc: seconds since 1970, for the events' utcTime.
    """
    app = web.Application(middlewares=[_connect, _note, _errors, _authenticate, _trouble])
    app[INTERCOM] = Intercom(make or Make(), clock, utc)
    for path, handler in FUNCTIONS.items():
        app.router.add_route("*", path, handler)
    app.router.add_route("*", "/api/{group}/{function:.*}", _not_built)
    app.on_shutdown.append(_power_off)
    return app


async def _power_off(app: web.Application) -> None:
    app[INTERCOM].power_off()


@web.middleware
async def _connect(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await request.app[INTERCOM].line.outside(request, handler)


@web.middleware
async def _note(request: web.Request, handler: Handler) -> web.StreamResponse:
    intercom, answered = request.app[INTERCOM], False
    try:
        response = await handler(request)
        answered = not has_left(request)
    finally:
        login = request.get(LOGIN)
        user, scheme = (login.account.name, login.scheme) if login else (None, None)
        code = request.get(CODE)
        intercom.asked.append(Asked(intercom.clock(), request.path, user, scheme, code, answered))
    return response


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        request[CODE] = int(error.code)
        return web.json_response(error.body())


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    intercom = request.app[INTERCOM]
    if request.method not in {"GET", "POST"}:
        raise ApiError(Code.INVALID_METHOD)
    if intercom.make.needs_tls and not request.secure:
        raise ApiError(Code.INVALID_CONNECTION)
    match intercom.gatekeeper.check(request):
        case Login() as login:
            request[LOGIN] = login
        case Refusal() as refusal:
            return _refused(request, refusal)
    form = await request.post() if request.method == "POST" else {}
    request[PARAMETERS] = {**request.query, **{key: value for key, value in form.items() if isinstance(value, str)}}
    return await handler(request)


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    other = refusal is Refusal.OTHER_SCHEME
    code = Code.INVALID_AUTHENTICATION if other else Code.AUTHORIZATION_REQUIRED
    request[CODE] = int(code)
    response = web.json_response(ApiError(code).body(), status=401)
    for name, value in request.app[INTERCOM].gatekeeper.challenges(stale=refusal is Refusal.STALE):
        response.headers.add(name, value)
    return response


@web.middleware
async def _trouble(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await request.app[INTERCOM].line.inside(request, handler)


def _demand(request: web.Request, *rights: Right) -> None:
    """Let nobody on who has none of these privileges.

    Raises:
        ApiError: with code 10.
    """
    if not request[LOGIN].account.rights & set(rights):
        raise ApiError(Code.INSUFFICIENT_PRIVILEGES)


def _number(request: web.Request, name: str, *, default: int | None = None, limit: int = UINT32) -> int:
    """A parameter that is a whole number from 0, below the limit.

    Raises:
        ApiError: with code 11 when it is missing and has no default, with code 12 when it is no such number.
    """
    text = request[PARAMETERS].get(name)
    if text is None:
        if default is None:
            raise ApiError(Code.MISSING_PARAMETER, name)
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < limit):
        raise ApiError(Code.INVALID_VALUE, name)
    return int(text)


def _success(result: object = None) -> web.Response:
    return web.json_response({"success": True} if result is None else {"success": True, "result": result})


async def _not_built(request: web.Request) -> web.Response:
    known = request.match_info["group"] in GROUPS
    raise ApiError(Code.NOT_SUPPORTED if known else Code.INVALID_PATH)


async def _info(request: web.Request) -> web.Response:
    make = request.app[INTERCOM].make
    return _success(
        {
            "devType": "2-14-0-0",
            "variant": "2N IP Verso",
            "variantId": 14,
            "customerId": 0,
            "serialNumber": make.serial_number,
            "macAddr": make.mac,
            "hwVersion": "570v1",
            "swVersion": make.firmware,
            "buildType": "release",
            "firmwarePackage": "verso",
            "deviceName": "2N IP Verso",
        }
    )


async def _system_status(request: web.Request) -> web.Response:
    _demand(request, Right.SYSTEM_CONTROL)
    intercom = request.app[INTERCOM]
    return _success({"systemTime": int(intercom.utc()), "upTime": intercom.up_time_s})


def _chosen(request: web.Request) -> dict[int, Switch]:
    """The switch that the request names, or all."""
    switches = request.app[INTERCOM].switches
    if "switch" not in request[PARAMETERS]:
        return switches
    number = _number(request, "switch")
    if number not in switches:
        raise ApiError(Code.INVALID_VALUE, "switch")
    return {number: switches[number]}


async def _switch_caps(request: web.Request) -> web.Response:
    _demand(request, Right.SWITCH_MONITORING)
    listed: list[dict[str, Any]] = []
    for number, switch in _chosen(request).items():
        make = switch.make
        one: dict[str, Any] = {"switch": number, "enabled": make.enabled}
        if make.enabled:
            one |= {"mode": make.mode, "type": "normal"}
            one |= {"switchOnDuration": make.on_s} if make.mode == "monostable" else {}
        listed.append(one)
    return _success({"switches": listed})


async def _switch_status(request: web.Request) -> web.Response:
    _demand(request, Right.SWITCH_MONITORING, Right.SWITCH_CONTROL)
    listed = [
        {"switch": number, "active": switch.active, "locked": switch.locked, "held": switch.held}
        for number, switch in _chosen(request).items()
    ]
    return _success({"switches": listed})


async def _switch_ctrl(request: web.Request) -> web.Response:
    _demand(request, Right.SWITCH_CONTROL)
    intercom, parameters = request.app[INTERCOM], request[PARAMETERS]
    number = _number(request, "switch")
    if number not in intercom.switches:
        raise ApiError(Code.INVALID_VALUE, "switch")
    action = parameters.get("action")
    if action is None:
        raise ApiError(Code.MISSING_PARAMETER, "action")
    if action not in {"on", "off", "trigger", "lock", "unlock", "hold", "release"}:
        raise ApiError(Code.INVALID_VALUE, "action")
    hold_s = None
    if action == "hold" and "timeout" in parameters:
        hold_s = _number(request, "timeout", limit=MAX_HOLD_S + 1)
        if hold_s == 0:
            raise ApiError(Code.INVALID_VALUE, "timeout")
    intercom.orders.append(Order(intercom.clock(), number, action, request[LOGIN].account.name))
    if not intercom.switches[number].control(action, hold_s, "api"):
        raise ApiError(Code.ACTION_FAILED)
    return web.Response(text=parameters["response"]) if "response" in parameters else _success()


async def _log_caps(_request: web.Request) -> web.Response:
    return _success({"events": sorted(EVENTS)})


def _since(request: web.Request) -> float | None:
    """From when on a channel begins with events that were; None for none.

    Raises:
        ApiError: with code 12.
    """
    now, include = request.app[INTERCOM].clock(), request[PARAMETERS].get("include", "new")
    if include == "new":
        return None
    if include == "all":
        return float("-inf")
    seconds = include.removeprefix("-")
    if not include.startswith("-") or not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10):
        raise ApiError(Code.INVALID_VALUE, "include")
    return now - int(seconds)


async def _subscribe(request: web.Request) -> web.Response:
    intercom = request.app[INTERCOM]
    least, most = intercom.make.durations_s
    duration_s = _number(request, "duration", default=90)
    if not least <= duration_s <= most:
        raise ApiError(Code.INVALID_VALUE, "duration")
    names = frozenset(request[PARAMETERS].get("filter", ",".join(EVENTS)).split(","))
    if intercom.make.unknown_filter == "refused" and not names <= EVENTS.keys():
        raise ApiError(Code.INVALID_VALUE, "filter")
    rights = request[LOGIN].account.rights
    return _success({"id": intercom.subscribe(rights, names, duration_s, _since(request))})


async def _pull(request: web.Request) -> web.Response:
    number, timeout_s = _number(request, "id"), _number(request, "timeout", default=0)
    intercom = request.app[INTERCOM]
    return _success({"events": await intercom.pull(number, timeout_s, lambda: has_left(request))})


async def _unsubscribe(request: web.Request) -> web.Response:
    request.app[INTERCOM].unsubscribe(_number(request, "id"))
    return _success()


async def _grant_access(request: web.Request) -> web.Response:
    _demand(request, Right.ACCESS_CONTROL)
    intercom = request.app[INTERCOM]
    access_point = _number(request, "id", limit=2)
    user = request[PARAMETERS].get("user")
    if user is None:
        raise ApiError(Code.MISSING_PARAMETER, "user")
    reason = _no_access(intercom, access_point, user)
    intercom.log("ApiAccessRequested", ap=access_point, valid=reason is None, uuid=user)
    if reason is not None:
        return _success({"accessGranted": False, "reason": reason})
    number = intercom.make.access_points[access_point]
    intercom.orders.append(Order(intercom.clock(), number, "grantaccess", request[LOGIN].account.name))
    intercom.switches[number].control("on", None, "ap")
    return _success({"accessGranted": True})


def _no_access(intercom: Intercom, access_point: int, user: str) -> str | None:
    if access_point not in intercom.make.access_points:
        return "invalidAp"
    if access_point in intercom.blocked_access_points:
        return "accessBlocked"
    return None if user in intercom.make.users else "invalidCredential"


FUNCTIONS: dict[str, Callable[[web.Request], Any]] = {
    INFO: _info,
    SYSTEM_STATUS: _system_status,
    CAPS: _switch_caps,
    STATUS: _switch_status,
    CTRL: _switch_ctrl,
    LOG_CAPS: _log_caps,
    SUBSCRIBE: _subscribe,
    PULL: _pull,
    UNSUBSCRIBE: _unsubscribe,
    GRANT_ACCESS: _grant_access,
}
