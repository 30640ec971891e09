"""Runs a broker, a simulated house and the gateway on 127.0.0.1, in their own folder."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from devices.simulators.control import HouseControl
from gateway.cli.simulation import control_socket
from gateway.demo.observers import DemoEvent, GatewayObserver, HouseLog
from gateway.demo.plan import GUARD_FILE, MATTER_FILE, DemoPlan, GuardSetup
from gateway.demo.processes import LoggedProcess, SupervisedProcess, is_listening, read_pid, stop_detached
from gateway.demo.rig_control import RigChange, change_box
from gateway.domain.frozen import Frozen
from gateway.integrations.matter.file import MatterFile
from gateway.mqtt.mosquitto.provisioning import RunningBroker, private_broker
from gateway.system.beside import run_beside

OnStart = Callable[[str], None]

START_TIMEOUT_S = 60.0  # seconds for a process to be ready, on a machine that has much else to do
HOUSE_LOG = "house.jsonl"  # what physically happened


class UnriggedGateway(LoggedProcess):
    """`perron run` itself: SIGHUP has it read its house file again."""

    death_signal = signal.SIGTERM


class PrivateBroker:
    """The run's own broker; a scenario can pause it and kill it."""

    def __init__(self, plan: DemoPlan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._stack = AsyncExitStack()
        self._running: RunningBroker | None = None

    async def begin(self) -> RunningBroker:
        """Start it."""
        broker = private_broker(self._folder, self._plan.home)
        self._running = await self._stack.enter_async_context(broker)
        return self._running

    async def end(self) -> None:
        """End it."""
        self._running = None
        await self._stack.aclose()

    def pause(self) -> None:
        """Let it stand still: connections stay, nothing moves."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def crash(self) -> None:
        """Kill the broker; messages that it had not delivered are lost."""
        self._signal(signal.SIGKILL)
        await self.end()

    def _signal(self, number: signal.Signals) -> None:
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.kill(self._running.pid, number)


class Stage(Frozen):
    """The running processes of one run. `folder` contains everything that is left of it afterwards."""

    plan: DemoPlan
    folder: Path
    broker: PrivateBroker
    gateway: SupervisedProcess
    watch: GatewayObserver
    log: HouseLog
    house: HouseControl
    rig_socket: Path

    @property
    def checkpoint_file(self) -> Path:
        """The checkpoints that the owner's phone keeps."""
        return self.folder / "phone.jsonl"

    async def change_box(self, change: RigChange) -> None:
        """Change the rigged gateway's wall clock or disk, or let it crash (as `rig_control.change_box`)."""
        await change_box(self.rig_socket, change)

    def kill_video(self) -> None:
        """Kill the video process; the gateway starts another one."""
        os.kill(read_pid(self.plan.home.storage.folder / "video.pid"), signal.SIGKILL)


@contextlib.asynccontextmanager
async def open_stage(  # noqa: PLR0913 - each part of a run has a name
    plan: DemoPlan,
    folder: Path,
    *,
    on_start: OnStart,
    on_event: Callable[[DemoEvent], None],
    is_rigged: bool = True,
    module: str = "gateway.demo.rigged",
) -> AsyncIterator[Stage]:
    """Start broker, simulated house and gateway; end all of them when the block is left.

    `is_rigged` False starts `perron run` itself, which has no control socket for `rig_control`. `module` is the rigged
    gateway's. `on_start` gets the name of each part before it starts, `on_event` each message and line of the log.

    Raises:
        Failure: a process did not start; the text ends with the last lines of its log.
        gateway.mqtt.mosquitto.provisioning.BrokerMissing: there is no broker.
    """
    plan.write(folder)
    async with AsyncExitStack() as stack:
        box_folder = plan.home.storage.folder
        box_folder.mkdir(mode=0o700, exist_ok=True)
        control, rig_socket = control_socket(plan.home), box_folder / "handles.sock"  # where `perron scan` looks too
        on_start("the house's broker")
        broker = PrivateBroker(plan, folder / "accounts")
        stack.push_async_callback(broker.end)
        stack.callback(broker.resume)  # a paused process does not hear that it should end
        await broker.begin()
        await stack.enter_async_context(_run_guard(plan.guard_setup, folder, on_start))
        await stack.enter_async_context(_run_matter(plan.matter, folder, on_start))
        on_start("the house and the box")
        house = await _start_house(stack, folder, control, reports_first=not plan.starts_secured)

        async def start() -> LoggedProcess:
            rig_socket.unlink(missing_ok=True)
            arguments, log = ["--home", str(folder / "home.yaml")], folder / "gateway.log"
            if is_rigged:
                return await LoggedProcess.start(module, [*arguments, "--control", str(rig_socket)], log)
            return await UnriggedGateway.start("gateway", ["run", *arguments], log)

        gateway = SupervisedProcess(start)
        stack.push_async_callback(stop_detached, box_folder / "video.pid")
        stack.push_async_callback(gateway.end)
        box = await gateway.begin()
        await house.wait_until("the simulated house", lambda: is_listening(control), within=START_TIMEOUT_S)
        if is_rigged:
            await box.wait_until("the gateway", lambda: is_listening(rig_socket), within=START_TIMEOUT_S)
        control_line = await stack.enter_async_context(HouseControl(control))
        log = HouseLog(folder / HOUSE_LOG, on_event)
        watch = GatewayObserver(plan.home.broker.account("observer"), plan.observed, folder / "phone.jsonl", on_event)
        await stack.enter_async_context(run_beside(watch.run(), log.run()))
        on_start("everybody finds each other")
        await _wait_until_ready(watch, plan)
        yield Stage(
            plan=plan, folder=folder, broker=broker, gateway=gateway, watch=watch, log=log, house=control_line,
            rig_socket=rig_socket,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def _run_guard(guard_setup: GuardSetup | None, folder: Path, on_start: OnStart) -> AsyncIterator[None]:
    if guard_setup is None:
        yield
        return
    on_start("the radio's broker and the guard")
    async with private_broker(folder / "radio", guard_setup.home):
        guard = await LoggedProcess.start(
            "gateway", ["guard", "--config", str(folder / GUARD_FILE)], folder / "guard.log"
        )
        try:
            yield
        finally:
            await guard.end()


@contextlib.asynccontextmanager
async def _run_matter(file: MatterFile | None, folder: Path, on_start: OnStart) -> AsyncIterator[None]:
    if file is None:
        yield
        return
    on_start("the process beside the Matter server")
    matter = await LoggedProcess.start(
        "gateway", ["matter", "--config", str(folder / MATTER_FILE)], folder / "matter.log"
    )
    try:
        yield
    finally:
        await matter.end()


async def _start_house(stack: AsyncExitStack, folder: Path, control: Path, *, reports_first: bool) -> LoggedProcess:
    """Start the simulated house, which ends with the stack. `reports_first`: return once its devices have reported.

    The gateway takes a first report that it reads live for a movement by hand.
    """
    options = ["--house", str(folder / "house.yaml"), "--control", str(control), "--log", str(folder / HOUSE_LOG)]
    house = await LoggedProcess.start("devices.simulators", options, folder / "house.log")
    stack.push_async_callback(house.end)
    if reports_first:
        await house.wait_until("the simulated house", lambda: is_listening(control), within=START_TIMEOUT_S)
        async with HouseControl(control) as devices:
            await devices.until_connected()
    return house


async def _wait_until_ready(watch: GatewayObserver, plan: DemoPlan) -> None:
    facts = ("connected", "disk", *(("locked", "closed") if plan.starts_secured else ()))

    def is_ready() -> bool:
        return watch.is_online and all(watch.state.get(fact) for fact in facts)

    await watch.wait_until("the entrance connected, locked and closed", is_ready, within=START_TIMEOUT_S)
    watch.mark_seen()
