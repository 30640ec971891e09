"""A real mosquitto for tests: killed, paused, started again, always ended by its own pid."""

import asyncio
import contextlib
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from gateway.mqtt.mosquitto.provisioning import free_port, write_radio
from gateway.system.mosquitto import BrokerListener, broker_user, configuration, mosquitto_path, password_line


class Mosquitto:
    """One mosquitto, started with this configuration. `accounts`: name to password."""

    def __init__(self, conf: Path, port: int, accounts: Mapping[str, str], host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self.accounts = dict(accounts)
        self.log = conf.with_name("mosquitto.log")
        self._conf = conf
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it listens."""
        path = mosquitto_path()
        assert path is not None, "mosquitto is missing: apt install mosquitto"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(path, "-c", str(self._conf), stderr=log, stdout=log)
        async with asyncio.timeout(30):
            while True:
                assert self._process.returncode is None, self.log.read_text()
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(self.host, self.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill it as a power cut would (SIGKILL)."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): its sockets stay open and swallow bytes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def running(
    conf: Path, port: int, accounts: Mapping[str, str], *, host: str = "127.0.0.1"
) -> AsyncIterator[Mosquitto]:
    """Run mosquitto with a configuration that lies there already, until left."""
    broker = Mosquitto(conf, port, accounts, host)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


@contextlib.asynccontextmanager
async def mosquitto(accounts: Mapping[str, str], acl: str, *, extra: str = "") -> AsyncIterator[Mosquitto]:
    """Run a mosquitto with these accounts and this access list; `extra` is appended to its configuration."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "access").write_text(acl)
        lines = [password_line(name, word, secrets.token_bytes(12)) for name, word in accounts.items()]
        (folder / "passwords").write_text("\n".join(lines) + "\n")
        for file in ("access", "passwords"):
            (folder / file).chmod(0o600)
        conf = folder / "mosquitto.conf"
        listener = BrokerListener(host="127.0.0.1", port=port)
        conf.write_text(configuration(folder, [listener], user=broker_user()) + extra)
        async with running(conf, port, accounts) as broker:
            yield broker


@contextlib.asynccontextmanager
async def radio(folder: Path, *, base: str = "zigbee2mqtt") -> AsyncIterator[Mosquitto]:
    """Run the radio's own broker as `perron broker-config --radio` writes it: accounts `guard` and `bridge`."""
    port = free_port()
    write_radio(folder, port=port, base=base, user=broker_user())
    accounts = {name: (folder / f"{name}.password").read_text().strip() for name in ("guard", "bridge")}
    async with running(folder / "mosquitto.conf", port, accounts) as broker:
        yield broker
