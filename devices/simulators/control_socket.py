"""Serves the control socket of the simulated house."""

import asyncio
import contextlib
import json
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from devices.simulators.control import MAX_LINE_BYTES, REQUEST, Impossible, Request

Act = Callable[[Request], Awaitable[Mapping[str, object]]]


def listen(path: Path) -> socket.socket:
    """Open the Unix socket `path`: requests wait until `serve` answers. Only the same user may connect.

    Raises:
        OSError: it cannot be opened.
    """
    _clear(path)
    line = socket.socket(socket.AF_UNIX)
    try:
        line.bind(str(path))
        path.chmod(0o600)
        line.listen()
    except OSError:
        line.close()
        raise
    return line


async def serve(line: socket.socket, act: Act) -> None:
    """Answer requests until cancelled; the socket is closed then.

    Raises:
        ExceptionGroup: a bug during a request; asyncio's server by itself would only log it.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):  # the client is gone
                await _converse(reader, writer, act)
        finally:
            writer.close()

    def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.is_serving():
            group.create_task(answer(reader, writer))
        else:
            writer.close()  # it came while the house was ending

    server = await asyncio.start_unix_server(asked, sock=line, limit=MAX_LINE_BYTES, start_serving=False)
    async with asyncio.TaskGroup() as group:
        try:
            await server.start_serving()
            await asyncio.get_running_loop().create_future()  # until cancelled
        finally:
            server.close()


def _clear(path: Path) -> None:
    """Remove a socket that a killed house left behind; anything else stays, and so does one where a house listens."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, act: Act) -> None:
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # longer than the limit; the start of the next request is unknown
            return
        if not line:
            return
        writer.write(json.dumps(await _answer(line, act)).encode() + b"\n")
        await writer.drain()


async def _answer(line: bytes, act: Act) -> Mapping[str, object]:
    try:
        return {"ok": True, **await act(REQUEST.validate_json(line))}
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return {"ok": False, "why": f"{place}: {first['msg']}" if place else first["msg"]}
    except Impossible as error:
        return {"ok": False, "why": str(error)}
