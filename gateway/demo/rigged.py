"""`python -m gateway.demo.rigged --home FILE --control SOCKET`: the real gateway with handles that only a demo needs.

Nothing in it decides otherwise than `gateway.app` does; what can be turned stands in `gateway.demo.handles`.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.app import App
from gateway.config.home import Home
from gateway.config.loader import load
from gateway.config.topics import entrance_topic
from gateway.demo.handles import HANDLE, DieAt, Look, SetClock, SetFree, Sight, Speak, StopAt, Turned
from gateway.demo.processes import read_pid
from gateway.installation.survey_jobs import Pace
from gateway.mqtt.client import InboundMessage
from gateway.mqtt.publisher import json_bytes


class Rigged(App):
    """The gateway with its handles."""

    def __init__(self, home: Home) -> None:
        self._offset = 0.0
        self._free: int | None = None
        self._dies_at: str | None = None
        self._stops_at: str | None = None
        super().__init__(
            home,
            wall=lambda: time.time() + self._offset,  # the raw reading that `gateway.system.clock` is given
            free_bytes=lambda: shutil.disk_usage(home.storage.folder).free if self._free is None else self._free,
            reached=self._at,
            pace=Pace(ahead=1.0, every=0.25),  # of a survey: nobody waits for a played house's hours
        )

    def _at(self, point: str) -> None:
        if point == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == self._stops_at:
            self._stops_at = None
            # In the next turn of the loop, as any message: while the step that reached the point waits for the disk.
            asyncio.get_running_loop().call_soon(self._on_message, self._stop())

    def _stop(self) -> InboundMessage:
        entrance = next(iter(self.home.entrances))
        wish = json_bytes({"id": "stop-at-a-point", "do": "stop"})
        return InboundMessage(topic=entrance_topic(entrance, "set"), payload=wish, retain=False, session=0)

    async def serve(self, control: Path) -> None:
        """Let the handles be turned until cancelled."""
        server = await asyncio.start_unix_server(self._listen, control)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()  # not waited for: whoever looks on does not hold up the box's end

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            answer: dict[str, Any] = {}
            try:
                handle = HANDLE.validate_json(line)
                if isinstance(handle, Look):
                    answer = self._sight().model_dump(mode="json")
                else:
                    await self._turn(handle)
            except ValueError as error:
                answer = {"why": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _sight(self) -> Sight:
        if not self.states():  # nothing is built yet
            return Sight(proofs={}, clock=False)
        return Sight(proofs=dict(self._video.proofs), clock=self._clock.now().trusted)

    async def _turn(self, handle: Turned) -> None:
        match handle:
            case SetClock(offset=offset):
                self._offset = offset
            case SetFree(bytes=free):
                self._free = free
            case DieAt(point=None):
                os.kill(os.getpid(), signal.SIGKILL)
            case DieAt(point=point):
                self._dies_at = point
            case StopAt(point=point):
                self._stops_at = point
            case Speak(languages=languages):
                for phone, language in zip(self._pocket.phones, languages, strict=True):
                    await self._phonebook.speak(phone.name, language)


async def _run(home: Home, control: Path, made: Callable[[Home], Rigged]) -> None:
    rigged = made(home)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _left_behind, home.storage.folder / "video.pid")
    serving = asyncio.create_task(rigged.serve(control))
    try:
        await rigged.run()
    finally:
        serving.cancel()
        await asyncio.wait([serving])


def _left_behind(video: Path) -> None:
    """End at once, and the video process too, which outlives a gateway on purpose: the demo was killed."""
    with contextlib.suppress(OSError, ValueError):  # it has not begun yet, or has ended
        os.kill(read_pid(video), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGKILL)


def main(made: Callable[[Home], Rigged] = Rigged) -> None:
    """Run until SIGTERM; `made` builds the gateway."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.rigged", description="The gateway, for the demo.")
    parser.add_argument("--home", type=Path, required=True, help="the house file")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket of its handles")
    options = parser.parse_args()
    gc.freeze()  # as `perron run` does
    asyncio.run(_run(load(options.home), options.control, made))


if __name__ == "__main__":
    main()
