"""A real mosquitto for tests: killed, paused, started again, always ended by its own pid."""

import asyncio
import contextlib
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from gateway.broker import configuration, free_port, mosquitto_path, password_line


class Mosquitto:
    """One mosquitto on 127.0.0.1 with these accounts (name to password) and this access list."""

    def __init__(self, folder: Path, accounts: Mapping[str, str], acl: str, extra: str) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.accounts = dict(accounts)
        self.log = folder / "mosquitto.log"
        self._conf = folder / "mosquitto.conf"
        self._process: asyncio.subprocess.Process | None = None
        (folder / "access").write_text(acl)
        lines = [password_line(name, word, secrets.token_bytes(12)) for name, word in accounts.items()]
        (folder / "passwords").write_text("\n".join(lines) + "\n")
        for file in ("access", "passwords"):
            (folder / file).chmod(0o600)
        user = "root" if os.geteuid() == 0 else None
        self._conf.write_text(configuration(host=self.host, port=self.port, folder=folder, user=user) + extra)

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
async def mosquitto(accounts: Mapping[str, str], acl: str, *, extra: str = "") -> AsyncIterator[Mosquitto]:
    """Run a mosquitto until left; `extra` is appended to its configuration."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder), accounts, acl, extra)
        await broker.start()
        try:
            yield broker
        finally:
            await broker.kill()
