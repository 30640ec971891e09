"""`python -m gateway.demo.rigged --home FILE --control SOCKET`: the real gateway with a control socket for the demo.

It decides as `gateway.app` does. `gateway.demo.rig_control` defines the commands of the socket.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from gateway.app import App
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import entrance_topic
from gateway.demo import rig_control as rig
from gateway.demo.processes import read_pid
from gateway.domain.delivery.permission import DAYS
from gateway.domain.guests.passes import PassProblem, PassState, Stay
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import json_bytes
from gateway.runtime.guests import NewPass
from gateway.system.beside import run_beside
from gateway.system.clock import machine_time


class RiggedApp(App):
    """The gateway with a clock, a disk and crash points that a demo can control."""

    def __init__(self, home: Home) -> None:
        self._clock_offset_s = 0.0
        self._simulated_free_bytes: int | None = None
        self._kill_point: str | None = None
        self._stop_point: str | None = None
        super().__init__(
            home,
            wall_clock=lambda: machine_time().timestamp() + self._clock_offset_s,
            free_bytes=lambda: (
                shutil.disk_usage(home.storage.folder).free
                if self._simulated_free_bytes is None
                else self._simulated_free_bytes
            ),
            crash_point=self._on_crash_point,
        )

    def _on_crash_point(self, point: str) -> None:
        if point == self._kill_point:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == self._stop_point:
            self._stop_point = None
            # In the next turn of the loop, as any message: while the step that reached the point waits for the disk.
            asyncio.get_running_loop().call_soon(self._on_message, self._stop_message())

    def _stop_message(self) -> InboundMessage:
        topic = entrance_topic(next(iter(self.home.entrances)), "set")
        request = json_bytes({"id": "stop-at-a-point", "do": "stop"})
        return InboundMessage(topic=topic, payload=request, retain=False, session=0)

    async def serve(self, control: Path) -> None:
        """Serve the control socket until cancelled."""
        server = await asyncio.start_unix_server(self._listen, control)
        with contextlib.closing(server):  # without wait_closed(): an open client must not delay the end of the box
            await asyncio.get_running_loop().create_future()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            answer = "{}"
            try:
                command = rig.RIG_COMMAND_ADAPTER.validate_json(line)
                if isinstance(command, rig.GetBoxStatus):
                    answer = self._status().model_dump_json()
                elif isinstance(command, rig.GrantPass):
                    answer = (await self._grant(command)).model_dump_json()
                else:
                    await self._apply(command)
            except ValueError as error:
                answer = json.dumps({"why": str(error)})
            writer.write(answer.encode() + b"\n")
            await writer.drain()
        writer.close()

    def _status(self) -> rig.BoxStatus:
        if not self.states():  # nothing is built yet
            return rig.BoxStatus(proofs={}, clock=False)
        return rig.BoxStatus(proofs=dict(self._video.proofs), clock=self._clock.now().trusted)

    async def _grant(self, wish: rig.GrantPass) -> rig.GrantedPass:
        guests, now = self._inbox.guests, self._clock.now().utc
        held = await guests.grant(
            NewPass(
                guest=wish.guest, entrances=frozenset(guests.entrances), starts=now,
                ends=now + timedelta(seconds=wish.seconds), days=frozenset(DAYS),
            ),
            None,
        )  # fmt: skip
        if isinstance(held, PassProblem):
            raise ValueError(held.value)  # noqa: TRY004 - a problem in words, as `_listen` answers
        pins = tuple(code.pin for code in guests.store.guests.codes_of(held.id))
        return rig.GrantedPass(id=held.id, code=guests.code(held), pins=pins)

    async def _plan_stay(self, seconds: float) -> None:
        now = self._clock.now().utc
        problem = await self._inbox.guests.plan_stay(
            Stay(id="stay", guest="", starts=now, ends=now + timedelta(seconds=seconds)), None
        )
        if problem is not None:
            raise ValueError(problem.value)

    async def _apply(self, change: rig.RigChange) -> None:
        match change:
            case rig.SetClock(offset=offset):
                self._clock_offset_s = offset
            case rig.SetFreeSpace(bytes=free):
                self._simulated_free_bytes = free
            case rig.KillAtPoint(point=None):
                os.kill(os.getpid(), signal.SIGKILL)
            case rig.KillAtPoint(point=point):
                self._kill_point = point
            case rig.StopAtPoint(point=point):
                self._stop_point = point
            case rig.PlanStay(seconds=seconds):
                await self._plan_stay(seconds)
            case rig.RevokePass(held=held):
                await self._inbox.guests.change(held, PassState.REVOKED, None)
            case rig.SetPhoneLanguages(languages=languages):
                for phone, language in zip(self._notifications.phones, languages, strict=True):
                    await self._contacts.set_language(phone.name, language)


async def _run(home: Home, control: Path, app_class: Callable[[Home], RiggedApp]) -> None:
    rigged = app_class(home)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _die_with_parent, home.storage.folder / "video.pid")
    async with run_beside(rigged.serve(control)):
        await rigged.run()


def _die_with_parent(video: Path) -> None:
    """End the video process, which outlives a gateway on purpose, then this process: the demo was killed."""
    with contextlib.suppress(OSError, ValueError):  # it has not begun yet, or has ended
        os.kill(read_pid(video), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGKILL)


def main(app_class: Callable[[Home], RiggedApp] = RiggedApp) -> None:
    """Run until SIGTERM; `app_class` builds the gateway."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.rigged", description="The gateway, for the demo.")
    parser.add_argument("--home", type=Path, required=True, help="the house file")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket by which the demo controls it")
    options = parser.parse_args()
    gc.freeze()  # as `perron run` does
    asyncio.run(_run(load_home_file(options.home), options.control, app_class))


if __name__ == "__main__":
    main()
