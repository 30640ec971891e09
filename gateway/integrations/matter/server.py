"""The WebSocket of a Matter server: requests with bounded answers, and events.

An answer that comes after its bound is still delivered to whoever holds its future: an invoke that "failed" may have
been obeyed. Nothing is sent twice.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import field

import aiohttp

from devices.reports import OperationError
from gateway.domain.frozen import Frozen
from gateway.integrations.matter.file import MatterServerSection
from gateway.integrations.matter.nodes import PYTHON_CONTROLLER, failure_of

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # the first list has all attributes of all nodes
IN_LOOP_BYTES = 64 * 1024  # a longer message is parsed in a thread
MAX_OPEN_REQUESTS = 64  # without an answer; beyond them the server counts as busy
CONNECT_S = 10.0  # for the connection and the server's first message
LIST_S = 60.0  # for the list of all nodes
HEARTBEAT_S = 20.0  # between two WebSocket pings; a server that hangs is noticed after at most twice as long
SCHEMAS = range(9, 100)  # of its messages: what is used here has not changed since 9


class MatterFailed(Exception):  # noqa: N818 - the name says what happened
    """The server or the device did not do it, or may not have; `failure` says why, the text is safe to log."""

    def __init__(self, failure: OperationError, why: str) -> None:
        super().__init__(why)
        self.failure = failure


class ServerEvent(Frozen):
    """One event of the server, such as `attribute_updated`, with its data."""

    name: str
    data: object


class ServerInfo(Frozen):
    """What the server says at the start. `controller`: its own node id, which its invokes have as their source."""

    controller: int
    software: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


class ServerSession:
    """One connection. `events` must be consumed: it also delivers the answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, info: ServerInfo) -> None:
        self.info = info
        self._socket = socket
        self._numbers = itertools.count(1)
        self._open: dict[str, asyncio.Future[object]] = {}

    async def send(self, command: str, arguments: Mapping[str, object]) -> "asyncio.Future[object]":
        """Send a request once, and return the future of its answer (an exception of it is `MatterFailed`).

        Raises:
            MatterFailed: nothing was sent.
        """
        if len(self._open) >= MAX_OPEN_REQUESTS:
            raise MatterFailed(OperationError.BUSY, f"{command}: {MAX_OPEN_REQUESTS} requests have no answer yet")
        number = str(next(self._numbers))
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_looked_at)
        self._open[number] = answer
        try:
            await self._socket.send_str(json.dumps({"message_id": number, "command": command, "args": arguments}))
        except (aiohttp.ClientError, ConnectionError) as error:
            del self._open[number]
            raise MatterFailed(OperationError.UNREACHABLE, f"{command}: the Matter server is gone") from error
        return answer

    async def ask(self, command: str, arguments: Mapping[str, object], *, within_s: float) -> object:
        """Send a request and return its answer.

        Raises:
            MatterFailed: it was refused, or has no answer within `within_s`.
        """
        return await until_answered(await self.send(command, arguments), command, within_s=within_s)

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Yield events until the connection ends, which raises MatterFailed."""
        try:
            async for message in self._socket:
                body = await _parse(message)
                if not isinstance(body, dict):
                    continue
                if "event" in body:
                    name = body["event"]
                    yield ServerEvent(name=name[:64] if isinstance(name, str) else "", data=body.get("data"))
                else:
                    self._answer(body)
                    await asyncio.sleep(0)  # the caller gets its answer before the next events
            raise MatterFailed(OperationError.UNREACHABLE, "the connection to the Matter server has ended")
        finally:
            self._fail_all()

    def _answer(self, body: Mapping[str, object]) -> None:
        number = body.get("message_id")
        answer = self._open.pop(number, None) if isinstance(number, str) else None
        if answer is None or answer.done():
            return
        if "error_code" in body:
            code, details = body["error_code"], body.get("details")
            text = details[:200] if isinstance(details, str) and details.isprintable() else ""
            answer.set_exception(MatterFailed(failure_of(code, details), f"error {str(code)[:20]} {text}".rstrip()))
        else:
            answer.set_result(body.get("result"))

    def _fail_all(self) -> None:
        """Fail what has no answer: whether it was done is not known."""
        pending, self._open = self._open, {}
        for answer in pending.values():
            if not answer.done():
                answer.set_exception(MatterFailed(OperationError.TIMEOUT, "the Matter server ended before its answer"))


def _looked_at(answer: "asyncio.Future[object]") -> None:
    """Mark its exception as read: nobody may wait any more."""
    if not answer.cancelled():
        answer.exception()


async def until_answered(answer: "asyncio.Future[object]", what: str, *, within_s: float) -> object:
    """Wait for an answer; the future lives on if it is late.

    Raises:
        MatterFailed: it was refused, or is late.
    """
    done, _ = await asyncio.wait({answer}, timeout=max(0.0, within_s))
    if not done:
        raise MatterFailed(OperationError.TIMEOUT, f"{what}: no answer within {within_s:.1f} s; it may have been done")
    return answer.result()


@asynccontextmanager
async def connect(section: MatterServerSection) -> AsyncIterator[ServerSession]:
    """Connect, and read the server's first message.

    Raises:
        MatterFailed: it cannot be reached, or is not a Matter server whose messages are known.
        ConfigError: the authority cannot be read.
    """
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    async with session:
        socket = await _open_socket(session, section)
        try:
            yield ServerSession(socket, await _read_info(socket))
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await socket.close()


async def _open_socket(session: aiohttp.ClientSession, section: MatterServerSection) -> aiohttp.ClientWebSocketResponse:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await session.ws_connect(
                section.url, ssl=section.tls(), max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S
            )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = f"{section.url} does not answer as a Matter server ({type(error).__name__})"
        raise MatterFailed(OperationError.UNREACHABLE, why) from error


async def _read_info(socket: aiohttp.ClientWebSocketResponse) -> ServerInfo:
    try:
        async with asyncio.timeout(CONNECT_S):
            body = await _parse(await socket.receive())
    except TimeoutError as error:
        raise MatterFailed(OperationError.UNREACHABLE, "the Matter server does not say what it is") from error
    schema = body.get("schema_version") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(schema, int) or schema not in SCHEMAS:
        raise MatterFailed(
            OperationError.UNSPECIFIED, "what answers there is no Matter server whose messages are known"
        )
    controller = body.get("controller_node_id")
    is_named = isinstance(controller, int) and not isinstance(controller, bool) and controller > 0
    software = body.get("sdk_version")
    return ServerInfo(
        controller=controller if is_named and isinstance(controller, int) else PYTHON_CONTROLLER,
        software=software[:64] if isinstance(software, str) and software.isprintable() else "",
    )


async def _parse(message: aiohttp.WSMessage) -> object:
    """Return the JSON of a message; None: it is none."""
    text = message.data
    if message.type is not aiohttp.WSMsgType.TEXT or not isinstance(text, str):
        return None
    try:
        return json.loads(text) if len(text) < IN_LOOP_BYTES else await asyncio.to_thread(json.loads, text)
    except (ValueError, RecursionError):
        return None
