"""Real RabbitMQ nodes with the files that `perron hub-config` writes; each ended by its own process group."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.system.parent_death import with_parent_death_signal

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CTL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
START_TIMEOUT_S = 90.0  # seconds for a node to boot, on a machine that has much else to do


def missing() -> list[str]:
    """What this machine lacks for it, as Debian names it."""
    found = {
        "rabbitmq-server": SERVER.exists(),
        "erlang-base": shutil.which("epmd") is not None,
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        "iproute2": shutil.which("ip") is not None,
        "mosquitto": shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None,
    }
    return [package for package, there in found.items() if not there]


async def wait_until_listening(host: str, port: int) -> None:
    """Wait until somebody listens there."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.1)


class RabbitNode:
    """One node, reached at `host` and `port`.

    `before`: what its command begins with (`ip netns exec NAME`); `epmd`: its port mapper's port.
    """

    def __init__(  # noqa: PLR0913 - where it lies and where it is
        self, folder: Path, *, cookie: str, host: str, port: int, epmd: int = 4369, before: Sequence[str] = ()
    ) -> None:
        self.folder, self.log, self.host, self.port = folder, folder / "log", host, port
        self._before, self._cookie, self._epmd_port = list(before), cookie, epmd
        self._mapper: asyncio.subprocess.Process | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def _environment(self) -> Mapping[str, str]:
        own = self.folder / "own"
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
            "HOME": str(own),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_MNESIA_BASE": str(own / "data"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
            "RABBITMQ_PID_FILE": str(own / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
            # Three nodes on two cores: with more threads each turns in empty rounds for work, and wakes the others.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    async def start(self) -> None:
        """Start it; `ready` waits for it."""
        own = self.folder / "own"
        own.mkdir(exist_ok=True)
        secret = own / ".erlang.cookie"
        if not secret.exists():
            secret.write_text(self._cookie)
            secret.chmod(0o400)
        if self._mapper is None:
            self._mapper = await asyncio.create_subprocess_exec(
                *with_parent_death_signal([*self._before, "epmd", "-port", str(self._epmd_port)], signal.SIGKILL),
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            async with asyncio.timeout(START_TIMEOUT_S):
                await wait_until_listening(self.host, self._epmd_port)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal([*self._before, str(SERVER)]),
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=own,  # one that is killed may leave a dump
            )

    async def ready(self, seconds: float = START_TIMEOUT_S) -> None:
        """Wait until boxes may come there. One that ends while it boots is started again, as its supervisor would.

        Short of processor time, Erlang's distribution by TLS may not stop within the second that RabbitMQ's first steps
        allow (seen at a load of 15).
        """
        try:
            async with asyncio.timeout(seconds):
                while await self._wait_for_end_or_listener():
                    await self.start()
        except TimeoutError as error:
            raise AssertionError(f"the node does not start:\n{self.log.read_text()[-3000:]}") from error

    async def _wait_for_end_or_listener(self) -> bool:
        """Wait until somebody may come there, or the process has ended; whether it has."""
        assert self._process is not None
        both = [
            asyncio.ensure_future(wait_until_listening(self.host, self.port)),
            asyncio.ensure_future(self._process.wait()),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return not both[0].done()
        finally:
            for one in both:
                one.cancel()

    async def kill(self) -> None:
        """Kill it as a power cut would (SIGKILL), with all that it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def end(self) -> None:
        """End it for good, and its port mapper."""
        await self.kill()
        if self._mapper is not None:
            with contextlib.suppress(ProcessLookupError):
                self._mapper.kill()
            await self._mapper.wait()

    @property
    def pid(self) -> int:
        """The process id of what it was started by."""
        assert self._process is not None
        return self._process.pid

    async def tells(self, *words: str) -> str:
        """What `rabbitmqctl` says of it."""
        asked = await asyncio.create_subprocess_exec(
            *self._before, str(CTL), "-q", *words, env=self._environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await asked.communicate()
        return told.decode()

    async def lines(self) -> int:
        """How many MQTT connections it has; none, if it does not run."""
        told = (await self.tells("eval", "length(rabbit_mqtt:local_connection_pids()).")).strip()
        return int(told) if told.isdigit() else 0

    def memory(self) -> int:
        """Bytes that it holds (RSS), with what it has started."""
        assert self._process is not None
        total = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == self._process.pid:
                    total += int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return total
