"""The house's own broker: what mosquitto is told, who may log in, and who may say what.

One account is one connection: the broker takes the user name for the client id, so nobody can push another out or
speak in another's name. A device may write its own four topics and read its own two, by one pattern for all.
"""

import asyncio
import base64
import contextlib
import getpass
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from devices.vendors.words import Channel
from gateway.config import Home
from gateway.grammar import PEOPLE
from gateway.leash import leashed
from gateway.topics import ECHO, OFFER, RESULT, SPOKEN, device_topic

PACKET = 69_632  # bytes: the 64 KiB that the gateway reads, and room for topic and properties
ROUNDS = 101  # of PBKDF2, mosquitto's own number: the passwords are 192 random bits, not words
READY = 10.0  # seconds for a broker to listen
LETTING_GO = 2.0  # seconds for a killed one to leave the port
GRACE = 3.0  # seconds for it to end by itself


@dataclass(frozen=True, slots=True)
class Running:
    """A private broker. `enforces_access`: it knows accounts' topics and client ids (the embedded one does not)."""

    kind: Literal["mosquitto", "embedded"]
    pid: int

    @property
    def enforces_access(self) -> bool:
        """Whether anything but the password stands between a client and another's topics."""
        return self.kind == "mosquitto"


class BrokerMissing(Exception):  # noqa: N818 - it names what is the matter
    """There is no broker to start; the text says what to do."""


def passwords(home: Home) -> dict[str, str]:
    """Make a random password for every account: the people's, and one a device."""
    return {name: secrets.token_urlsafe(24) for name in (*PEOPLE, *home.devices)}


def password_line(name: str, password: str, salt: bytes) -> str:
    """Write one line of mosquitto's password file: PBKDF2 with SHA-512 (`$7$`)."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"{name}:$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def access(home: Home) -> str:
    """Write mosquitto's access list."""
    people = {
        "gateway": ["readwrite perron/#"],
        "owner": ["read perron/entrance/#", "read perron/bridge/state", "write perron/entrance/+/set"],
        "retailer": [f"write {OFFER}", f"read {RESULT}"],
        "observer": ["read perron/#"],
        "installer": ["read perron/#", "write perron/+/get", f"write {ECHO}"],
    }
    own: dict[str, list[str]] = {}
    for device, section in home.devices.items():
        for channel in section.topics:
            topic = device_topic(home, device, channel)
            spoken = channel in SPOKEN
            own.setdefault(device, []).append(f"{'write' if spoken else 'read'} {topic}")
            people["gateway"].append(f"{'read' if spoken else 'write'} {topic}")
            people["observer"].append(f"read {topic}")
            people["installer"].append(f"{'write' if channel is Channel.GET else 'read'} {topic}")
    return "\n".join([*_users(people), *_users(own), *_patterns()]) + "\n"


def _users(rules: dict[str, list[str]]) -> Iterable[str]:
    for name, topics in rules.items():
        yield f"user {name}"
        yield from (f"topic {topic}" for topic in topics)


def _patterns() -> Iterable[str]:
    yield from (f"pattern write perron/%u/{channel}" for channel in SPOKEN)
    yield from (f"pattern read perron/%u/{channel}" for channel in (Channel.SET, Channel.GET))


def configuration(*, host: str, port: int, folder: Path, user: str | None = None) -> str:
    """Write mosquitto.conf for accounts and access list in `folder`; `user` is who it runs as when root starts it."""
    return f"""\
# Written by Perron. Everything that is not allowed here is refused.
listener {port} {host}
allow_anonymous false
password_file {folder / "passwords"}
acl_file {folder / "access"}
# One account, one connection: a client cannot take another's id.
use_username_as_clientid true
# Without it every unlock waits 40 ms for a delayed acknowledgement.
set_tcp_nodelay true
max_packet_size {PACKET}
max_inflight_messages 200
# No max_keepalive: with one, mosquitto 2.0.21 cuts clients off at random (its issue 3226).
# Nothing outlives the broker: a command from before a restart is never delivered after it.
persistence false
log_dest stderr
log_type error
log_type warning
log_type notice
""" + (f"user {user}\n" if user else "")


def write(folder: Path, home: Home, *, host: str, port: int, user: str | None = None) -> None:
    """Write a broker's files into `folder`: mosquitto.conf, access, passwords, and `<account>.password` for each.

    Passwords that lie there already are kept, so that devices keep theirs. Only the owner of the files may read them.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    accounts = passwords(home)
    for name in accounts:
        file = folder / f"{name}.password"
        if file.exists():
            accounts[name] = file.read_text(encoding="utf-8").rstrip("\n")
        else:
            _private(file, accounts[name] + "\n")
    lines = [password_line(name, password, secrets.token_bytes(12)) for name, password in accounts.items()]
    _private(folder / "passwords", "\n".join(lines) + "\n")
    _private(folder / "access", access(home))
    _private(folder / "mosquitto.conf", configuration(host=host, port=port, folder=folder, user=user))
    _private(folder / "embedded.toml", _embedded(host, port, accounts))


def _private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)


def _embedded(host: str, port: int, accounts: dict[str, str]) -> str:
    """Write rumqttd's configuration: MQTT 5, passwords, and no access list, for it knows none."""
    known = "\n".join(f"{name} = {json.dumps(password)}" for name, password in accounts.items())
    return f"""\
id = 0
[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {PACKET}
max_inflight_count = 200
dynamic_filters = true
[v5.1.connections.auth]
{known}
"""


def broker_user() -> str | None:
    """Whom mosquitto must stay: started as root it would become `mosquitto`, who cannot read root's private files."""
    return getpass.getuser() if os.geteuid() == 0 else None


def mosquitto_path() -> str | None:
    """Find the machine's mosquitto (Debian keeps it out of an ordinary user's PATH)."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Find a TCP port of 127.0.0.1 that is free now, drawn by lot from those that no connection takes by itself.

    The kernel gives outgoing connections ports from 32768 on (Linux, ip_local_port_range): one of those may be gone
    before its server has begun.
    """
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port of 127.0.0.1 is free")


@contextlib.asynccontextmanager
async def private_broker(folder: Path, home: Home, *, embedded: bool = False) -> AsyncIterator[Running]:
    """Run a broker of our own at `home.broker`'s address until left or killed; its files go to `folder`.

    It is the machine's mosquitto, or, where there is none or `embedded` is set, the embedded one.

    Raises:
        BrokerMissing: neither is there, the port is taken, or it did not listen within 10 s.
    """
    host, port = home.broker.host, home.broker.port
    await _until_free(host, port)
    write(folder, home, host=host, port=port, user=broker_user())
    mosquitto = None if embedded else mosquitto_path()
    if mosquitto is None and find_spec("iotcore") is None:
        raise BrokerMissing(
            "there is no MQTT broker on this machine. Install one: `apt install mosquitto`, or the embedded one, good"
            " for a demonstration: `.venv/bin/pip install -e '.[demo]'` in the clone (`make demo` does it)."
        )
    command = (
        [mosquitto, "-c", str(folder / "mosquitto.conf")]
        if mosquitto is not None
        else [
            sys.executable,
            "-P",
            "-m",
            "iotcore",
            "--config",
            str(folder / "embedded.toml"),
            "--log-level",
            "CRITICAL",
        ]
    )
    log = (folder / "broker.log").open("ab")
    with log:
        process = await asyncio.create_subprocess_exec(
            *leashed(command, signal.SIGKILL),  # a broker that stands still hears nothing else
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only us, and we end it last
        )
    try:
        await _listening(process, host, port, folder / "broker.log")
        yield Running("mosquitto" if mosquitto is not None else "embedded", process.pid)
    finally:
        await _end(process)


async def _until_free(host: str, port: int) -> None:
    """Whoever listens there would be taken for ours; one that was killed a moment ago may still be letting go."""
    for patience in range(int(LETTING_GO / 0.05), -1, -1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if patience == 0:
                    raise BrokerMissing(
                        f"{host}:{port} cannot be listened on: {error.strerror}. Take another port."
                    ) from error
            else:
                return
        await asyncio.sleep(0.05)


async def _listening(process: asyncio.subprocess.Process, host: str, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(READY):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    raise BrokerMissing(f"the private broker does not listen on {host}:{port}; its own words are in {log}.")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the broker by its own process, for good: a paused one too."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
