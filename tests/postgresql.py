"""A PostgreSQL of its own for tests: Debian's, on a socket in a folder of its own, ended by its process id.

It refuses to run as root: then it runs as the user `postgres` that Debian's package makes. What it has acknowledged
outlives its processes, not the machine: nothing is synced to the disk.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gateway.hub.database.store import HubStore

_SETTINGS = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "jit": "off",
    "max_connections": "200", "autovacuum": "off",
}  # fmt: skip
_TIMEOUT_S = 30.0  # seconds: on a busy machine


_EMPTY_DATABASE = """
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid)
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN ('about', 'alembic_version') LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences;
END $$
"""


class PostgreSQL:
    """One server. `folder` is its own; databases are made by `database`."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self._settings = {"listen_addresses": ""} if durable else _SETTINGS
        self._server: subprocess.Popen[bytes] | None = None
        self._make_folder: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The process whose children serve the connections."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not (self.folder / "data").exists():
            made = [_program("initdb"), "-D", str(self.folder / "data"), "-U", "perron", "-A", "trust", "-N",
                    "-E", "UTF8", "--locale", "C", "--wal-segsize", "1"]  # fmt: skip
            subprocess.run(made, check=True, stdout=subprocess.DEVNULL, **_unprivileged_user())
        until = time.monotonic() + _TIMEOUT_S
        while not self._try_start():
            if time.monotonic() > until:
                raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _try_start(self) -> bool:
        """Start it where it does not run, and ask it; after a kill -9 it refuses until its children have gone."""
        if self._server is None or self._server.poll() is not None:
            given = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
            with (self.folder / "log").open("ab") as log:
                self._server = subprocess.Popen(
                    [_program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *given],
                    stdout=log, stderr=log, **_unprivileged_user(),
                )  # fmt: skip
        return self._psql("postgres", "SELECT 1", check=False).returncode == 0

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: at once, as a crash would (SIGQUIT), or as the system does for want of memory (SIGKILL)."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(_TIMEOUT_S)
            self._server = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nobody be answered any more, while every connection stays open."""
        assert self._server is not None
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        both = [self._server.pid, *map(int, children)]
        for pid in both:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in both:
                os.kill(pid, signal.SIGCONT)

    def database(self, name: str, *, like: str = "template1") -> str:
        """Make a database, a copy of another; the URL by which a hub opens it.

        By copying files: by the write-ahead log, as is usual, it costs two and a half times the processor time.
        """
        self._psql("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{like}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Delete a database, whoever is at it."""
        self._psql("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def empty(self, name: str) -> None:
        """Delete all rows of a hub's database but the version of its tables, whoever is at it.

        This costs a sixteenth of what a drop and another copy cost.
        """
        self._psql(name, _EMPTY_DATABASE)

    def url(self, name: str) -> str:
        """How a hub's file names it."""
        return f"postgresql+asyncpg://perron@/{name}?host={self.folder}"

    def ask(self, name: str, statement: str) -> str:
        """Ask it something beside every hub."""
        return self._psql(name, statement).stdout.decode().strip()

    def _psql(self, name: str, statement: str, *, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        asked = [_program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "perron", "-d", name]
        return subprocess.run([*asked, "-c", statement], check=check, capture_output=True)


@contextlib.contextmanager
def postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """Run one until the block ends, with a database `perron` that has a hub's tables.

    `durable`: each commit is synced to the disk, and it is set up as Debian does: to be measured.
    """
    folder = Path(tempfile.mkdtemp(prefix="perron-pg-", dir="/tmp"))  # a short path, which another user comes to
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)
    server = PostgreSQL(folder, durable=durable)
    try:
        server.start()
        url = server.database("perron")

        async def make() -> None:
            await (await HubStore.open(url)).close()

        with ThreadPoolExecutor(1) as thread:  # a bench has an event loop already
            thread.submit(asyncio.run, make()).result()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """Debian keeps the server's programs beside each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(found[-1]) if found else name


def _unprivileged_user() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": "/"}
