"""A DoorBird door station's LAN API over HTTP, with relays and strikes behind it.

Written from DoorBird's "LAN-2-LAN API", revision 0.36 of 13 November 2023 (abbreviated D here), and from
ways-in.md, section 4 (W). No adapter of Perron was read. A fact marked † stands in neither, or in one place only: it
is a field of `Make`, with the most likely value as its default, and an adapter must bear the others.

Facts, each with its source:
- Every request is authenticated by Basic or Digest (RFC 2617), or by the parameters `http-user` and `http-password`
  (D, "Authentication"). Realm†, order of the challenges† and a nonce's life† are not documented.
- Too many wrong credentials block the address for one minute with 423 (D, "Concurrent connections"). How many†.
- "A maximum of 1 concurrent connection per second" (D): ambiguous, so off unless `requests_apart_s`† is set; what
  comes too early gets 503†. A request that is refused with 401 does not count: Digest needs two.
- `info.cgi`: any user. `RELAYS` and `DEVICE-TYPE` from firmware 000108, `PRIMARY_MAC_ADDR` as in D's example.
- `open-door.cgi?r=RELAY`: the right "watch always", or a ring in the past 5 minutes; otherwise 204 (D). Without `r`
  relay 1. 200 with RETURNCODE "1" says that the order was taken and nothing about a door (W). An unknown relay†: D
  names 400 "parameter missing or invalid" for other calls.
- The relay's time is a setting of the station, 3 to 7 s† (W). An order during it starts the time anew†.
- `image.cgi`: as open-door, but D says 5 minutes in its text and 1 minute in its table†; otherwise 204.
- `monitor.cgi?ring=doorbell[,motionsensor]`: any user; at most 8 streams, the ninth gets 509; a missing or unknown
  parameter 400 (D). Parts of text/plain without a length, delimited by the line `--ioboundary`, although the header's
  boundary has these dashes too, so that by RFC 2046 it would be `----ioboundary`†; DoorBirdPy 3.0.12 reads that form
  only. The states come at once when a stream begins† and again as a keep-alive about every 20 s† (seen by
  homebridge-doorbird's author).
- The older `monitor.cgi?check=` is not in D 0.36 and gets 400.

Not built: sessions, video, audio, history, favourites, schedules, SIP, the UDP broadcasts, TLS.
"""

import asyncio
import io
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from PIL import Image

from tests.peers.authentication import Account, Gatekeeper, Login, Refusal, Scheme
from tests.peers.line import Handler, Line, hang_up, has_left
from tests.peers.strike import Strike

Sensor = Literal["doorbell", "motionsensor"]

SENSORS: tuple[Sensor, ...] = ("doorbell", "motionsensor")
WATCH_ALWAYS = "watch always"  # the one right of D that these calls ask for
OPEN_DOOR, MONITOR = "/bha-api/open-door.cgi", "/bha-api/monitor.cgi"
INFO, IMAGE = "/bha-api/info.cgi", "/bha-api/image.cgi"
BANDWIDTH_LIMIT_EXCEEDED = 509  # no status of `http.HTTPStatus`
LOOK_AGAIN_S = 0.05  # how often a stream looks whether its reader has left

OWNER = Account("ghabcd0001", "owner-password", frozenset({WATCH_ALWAYS}))
VISITOR_ONLY = Account("ghabcd0002", "visitor-password")  # may open after a ring only


@dataclass(frozen=True)
class Make:
    """What the station is, and what nobody documents about it; a field marked † in the module's text is a guess."""

    accounts: tuple[Account, ...] = (OWNER, VISITOR_ONLY)
    relays: tuple[str, ...] = ("1", "2", "gggaaa@1")
    firmware: str = "000143"
    build_number: str = "15870439"
    mac: str = "1CCAE3700000"
    device_type: str = "DoorBird D2101V"
    realm: str = "DoorBird"
    schemes: tuple[Scheme, ...] = (Scheme.DIGEST, Scheme.BASIC)
    nonce_s: float = 300.0
    released_s: float = 5.0
    max_streams: int = 8
    keep_alive_s: float = 20.0
    keep_alive: Literal["states", "blank line"] = "states"
    states_first: bool = True
    delimiter: bytes = b"--ioboundary"
    unknown_relay: Literal["400", "RETURNCODE 0"] = "400"
    open_after_ring_s: float = 300.0
    image_after_ring_s: float = 60.0
    blocked_after: int = 5
    blocked_s: float = 60.0
    requests_apart_s: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A request: `user` and `scheme` are None where nobody was let in, `status` where the answer reached nobody."""

    at: float
    path: str
    user: str | None
    scheme: Scheme | None
    status: int | None


@dataclass(frozen=True)
class Order:
    """Somebody with the right to do so had a relay energized."""

    at: float
    relay: str
    user: str


@dataclass(eq=False)
class _Stream:
    sensors: tuple[Sensor, ...]
    lines: deque[str] = field(default_factory=deque)


class _Relay:
    """A relay: closes its contact for a time, then opens it; it cannot see what the strike does."""

    def __init__(self, strike: Strike, released_s: float) -> None:
        self.strike, self._released_s = strike, released_s
        self._timer: asyncio.TimerHandle | None = None

    def energize(self) -> None:
        self.drop()
        self.strike.energize()
        self._timer = asyncio.get_running_loop().call_later(self._released_s, self.drop)

    def drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.strike.deenergize()


class Station:
    """The door station: what a test does to it, and what it saw.

    Attributes:
        line: what goes wrong between it and its clients.
        orders: what was ordered, in order, also where no strike moved.
        asked: every request, noted when it ended; one for a stream has no status, for its reader has left.
        strikes: by relay; their logs are what really moved, their faults are a test's.
        silent: streams stay open, and nothing comes on them, not even a keep-alive.
    """

    def __init__(self, make: Make, clock: Callable[[], float]) -> None:
        self.make, self.clock = make, clock
        self.line = Line()
        self.orders: list[Order] = []
        self.asked: list[Asked] = []
        self.strikes = {name: Strike(clock) for name in make.relays}
        self.silent = False
        self.gatekeeper = Gatekeeper(
            make.accounts, realm=make.realm, schemes=make.schemes, clock=clock, nonce_s=make.nonce_s
        )
        self._relays = {name: _Relay(strike, make.released_s) for name, strike in self.strikes.items()}
        self._states: dict[Sensor, bool] = dict.fromkeys(SENSORS, False)
        self._streams: list[_Stream] = []
        self._rang_at: float | None = None
        self._wrong: dict[str, list[float]] = {}
        self._blocked_until: dict[str, float] = {}
        self._served_at: float | None = None

    @property
    def streams(self) -> int:
        """How many monitor streams are open."""
        return len(self._streams)

    def press(self) -> None:
        """Somebody presses the bell's button and keeps it pressed."""
        self._rang_at = self.clock()
        self._sense("doorbell", on=True)

    def let_go(self) -> None:
        """The button is let go."""
        self._sense("doorbell", on=False)

    def ring(self) -> None:
        """The button is pressed and let go at once; both are on the streams."""
        self.press()
        self.let_go()

    def move(self, *, seen: bool) -> None:
        """The motion sensor sees somebody, or nobody any more."""
        self._sense("motionsensor", on=seen)

    def cut_streams(self) -> None:
        """Every monitor stream and every request under way loses its connection."""
        self._streams.clear()
        self.line.cut()

    def power_off(self) -> None:
        """No answer to anybody, no stream, no current in any strike."""
        self.line.is_up = False
        self.line.forget()
        self.cut_streams()
        for relay in self._relays.values():
            relay.drop()

    def power_on(self) -> None:
        """Up again: it knows no nonce and no ring of before."""
        self.gatekeeper.forget_nonces()
        self._rang_at = None
        self._states = dict.fromkeys(SENSORS, False)
        self.line.is_up = True

    def _sense(self, sensor: Sensor, *, on: bool) -> None:
        self._states[sensor] = on
        for stream in self._streams:
            if sensor in stream.sensors:
                stream.lines.append(self._state_line(sensor))

    def _state_line(self, sensor: Sensor) -> str:
        return f"{sensor}:{'H' if self._states[sensor] else 'L'}"

    # What the handlers use.

    def energize(self, relay: str, user: str) -> None:
        """Take an order for a relay that exists."""
        self.orders.append(Order(self.clock(), relay, user))
        self._relays[relay].energize()

    def may_watch(self, account: Account, after_ring_s: float) -> bool:
        """Whether this account may see and open now."""
        rang = self._rang_at is not None and self.clock() - self._rang_at <= after_ring_s
        return rang or WATCH_ALWAYS in account.rights

    def is_blocked(self, address: str) -> bool:
        """Whether nobody from this address is let in, whatever the credentials."""
        return self.clock() < self._blocked_until.get(address, float("-inf"))

    def note_wrong(self, address: str) -> None:
        """Wrong credentials came from this address."""
        now = self.clock()
        recent = [at for at in self._wrong.get(address, ()) if now - at < self.make.blocked_s]
        self._wrong[address] = [*recent, now]
        if len(self._wrong[address]) >= self.make.blocked_after:
            self._blocked_until[address] = now + self.make.blocked_s
            self._wrong[address] = []

    def comes_too_early(self) -> bool:
        """Whether the request before was less than `requests_apart_s` ago; counts this one if not."""
        now, before = self.clock(), self._served_at
        if before is not None and now - before < self.make.requests_apart_s:
            return True
        self._served_at = now
        return False

    def begin_stream(self, sensors: tuple[Sensor, ...]) -> _Stream | None:
        """A stream with a queue of its own; None when all are taken."""
        if len(self._streams) >= self.make.max_streams:
            return None
        stream = _Stream(sensors)
        if self.make.states_first:
            stream.lines.extend(self._state_line(sensor) for sensor in sensors)
        self._streams.append(stream)
        return stream

    def has(self, stream: _Stream) -> bool:
        """Whether this stream still goes on."""
        return stream in self._streams

    def end_stream(self, stream: _Stream) -> None:
        """Its place is free again."""
        if stream in self._streams:
            self._streams.remove(stream)

    def keep_alive_bytes(self, stream: _Stream) -> bytes:
        """What comes when nothing has happened for a while."""
        if self.make.keep_alive == "blank line":
            return b"\r\n"
        return b"".join(self.part(self._state_line(sensor)) for sensor in stream.sensors)

    def part(self, line: str) -> bytes:
        """One part of a stream, as in D's example."""
        return self.make.delimiter + b"\r\nContent-Type: text/plain\r\n\r\n" + line.encode() + b"\r\n\r\n"


STATION = web.AppKey("STATION", Station)
LOGIN = web.RequestKey("LOGIN", Login)


def create_app(make: Make | None = None, *, clock: Callable[[], float] = time.monotonic) -> web.Application:
    """The station as an application; `app[STATION]` is what a test holds on to.

    Args:
        make: what the station is; a default one otherwise.
        clock: seconds, never going back: times of logs, rights and blocks. Relays and keep-alives run on the loop's.
    """
    app = web.Application(middlewares=[_note, _connect, _authenticate, _trouble])
    app[STATION] = Station(make or Make(), clock)
    app.router.add_get(INFO, _info)
    app.router.add_get(OPEN_DOOR, _open_door)
    app.router.add_get(MONITOR, _monitor)
    app.router.add_get(IMAGE, _image)
    app.on_shutdown.append(_power_off)
    return app


async def _power_off(app: web.Application) -> None:
    app[STATION].power_off()


@web.middleware
async def _note(request: web.Request, handler: Handler) -> web.StreamResponse:
    station, status = request.app[STATION], None
    try:
        response = await handler(request)
        status = None if has_left(request) else response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        login = request.get(LOGIN)
        user, scheme = (login.account.name, login.scheme) if login else (None, None)
        station.asked.append(Asked(station.clock(), request.path, user, scheme, status))
    return response


@web.middleware
async def _connect(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await request.app[STATION].line.outside(request, handler)


@web.middleware
async def _trouble(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await request.app[STATION].line.inside(request, handler)


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    station, address = request.app[STATION], request.remote or ""
    if station.is_blocked(address):
        return web.Response(status=423)
    match _who(station.gatekeeper, request):
        case Login() as login:
            request[LOGIN] = login
        case Refusal() as refusal:
            if refusal is Refusal.WRONG:
                station.note_wrong(address)
            return _refused(station, refusal)
    if station.comes_too_early():
        return web.Response(status=503)
    return await handler(request)


def _who(gatekeeper: Gatekeeper, request: web.Request) -> Login | Refusal:
    if "http-user" in request.query:
        return gatekeeper.by_password(request.query["http-user"], request.query.get("http-password", ""), Scheme.QUERY)
    return gatekeeper.check(request)


def _refused(station: Station, refusal: Refusal) -> web.Response:
    response = web.Response(status=401)
    for name, value in station.gatekeeper.challenges(stale=refusal is Refusal.STALE):
        response.headers.add(name, value)
    return response


async def _info(request: web.Request) -> web.Response:
    make = request.app[STATION].make
    version = {
        "FIRMWARE": make.firmware,
        "BUILD_NUMBER": make.build_number,
        "PRIMARY_MAC_ADDR": make.mac,
        "RELAYS": list(make.relays),
        "DEVICE-TYPE": make.device_type,
    }
    return web.json_response({"BHA": {"RETURNCODE": "1", "VERSION": [version]}})


async def _open_door(request: web.Request) -> web.Response:
    station, account = request.app[STATION], request[LOGIN].account
    relay = request.query.get("r", "1")
    if not station.may_watch(account, station.make.open_after_ring_s):
        return web.Response(status=204)
    if relay not in station.strikes:
        if station.make.unknown_relay == "400":
            return web.Response(status=400)
        return web.json_response({"BHA": {"RETURNCODE": "0"}})
    station.energize(relay, account.name)
    return web.json_response({"BHA": {"RETURNCODE": "1"}})


async def _image(request: web.Request) -> web.Response:
    station = request.app[STATION]
    if not station.may_watch(request[LOGIN].account, station.make.image_after_ring_s):
        return web.Response(status=204)
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 110, 130)).save(picture, "JPEG")
    return web.Response(body=picture.getvalue(), content_type="image/jpeg")


async def _monitor(request: web.Request) -> web.StreamResponse:
    station = request.app[STATION]
    named = request.query.get("ring", "").split(",")
    sensors = tuple(sensor for sensor in SENSORS if sensor in named)
    if not set(named) <= set(SENSORS):
        return web.Response(status=400)
    stream = station.begin_stream(sensors)
    if stream is None:
        return web.Response(status=BANDWIDTH_LIMIT_EXCEEDED)
    response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=--ioboundary"})
    try:
        await response.prepare(request)
        await _feed(station, stream, request, response)
    except ConnectionResetError:
        pass  # its reader has left
    finally:
        station.end_stream(stream)
    return response


async def _feed(station: Station, stream: _Stream, request: web.Request, response: web.StreamResponse) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + station.make.keep_alive_s
    while station.has(stream):
        if has_left(request):
            return
        if station.silent:
            await asyncio.sleep(LOOK_AGAIN_S)
        elif stream.lines:
            await response.write(station.part(stream.lines.popleft()))
            due = loop.time() + station.make.keep_alive_s
        elif loop.time() >= due:
            await response.write(station.keep_alive_bytes(stream))
            due = loop.time() + station.make.keep_alive_s
        else:
            await asyncio.sleep(min(LOOK_AGAIN_S, max(0.0, due - loop.time())))
    hang_up(request)
