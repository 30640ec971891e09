"""The house's own broker, and the radio's: what mosquitto is told and who may log in.

One account is one connection: the broker takes the user name for the client id, so nobody can push another out or
speak in another's name. Who may say what stands in `gateway.accesslist`.
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
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.accesslist import access, accounts, bridges, radio_access, radio_accounts
from gateway.config import Home
from gateway.leash import leashed

PACKET = 69_632  # bytes: the 64 KiB that the gateway reads, and room for topic and properties
BRIDGE_PACKET = 4_194_304  # bytes: Zigbee2MQTT tells all its devices and what they can in one message
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


def password_line(name: str, password: str, salt: bytes) -> str:
    """Write one line of mosquitto's password file: PBKDF2 with SHA-512 (`$7$`)."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"{name}:$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One address at which the broker is reached."""

    host: str
    port: int


def configuration(*, host: str, port: int, folder: Path, user: str | None = None, packet: int = PACKET) -> str:
    """Write mosquitto.conf for accounts and access list in `folder`; `user` is who it runs as when root starts it."""
    own = f"user {user}\n" if user else ""
    return "\n".join([*_for_all(folder, packet), *_listener(Listener(host=host, port=port))]) + "\n" + own


def _for_all(folder: Path, packet: int) -> Sequence[str]:
    """What holds whichever way a client comes: no listener has rules of its own that could be weaker."""
    return f"""\
# Written by Perron. Everything that is not allowed here is refused.
per_listener_settings false
allow_anonymous false
password_file {folder / "passwords"}
acl_file {folder / "access"}
# Without it every unlock waits 40 ms for a delayed acknowledgement.
set_tcp_nodelay true
max_packet_size {packet}
max_inflight_messages 200
# Of a client that stands still so much is kept, then the newest is dropped.
max_queued_messages 1000
max_queued_bytes {max(8_388_608, 2 * packet)}
# No max_keepalive: with one, mosquitto 2.0.21 cuts clients off at random (its issue 3226).
# Nothing outlives the broker: a command from before a restart is never delivered after it.
persistence false
persistent_client_expiration 1d
log_dest stderr
log_type error
log_type warning
log_type notice""".splitlines()


def _listener(listener: Listener) -> Sequence[str]:
    """What mosquitto has to be told at each listener anew."""
    return f"""\
listener {listener.port} {listener.host}
# One account, one connection: a client cannot take another's id.
use_username_as_clientid true""".splitlines()


def write(  # noqa: PLR0913 - where, for whom, and how it is reached
    folder: Path, home: Home, *, host: str, port: int, user: str | None = None, homeassistant: bool = False
) -> None:
    """Write a broker's files into `folder`: mosquitto.conf, access, passwords, and `<account>.password` for each.

    `homeassistant`: the owner's Home Assistant has an account too.
    Passwords that lie there already are kept, so that devices keep theirs. Only the owner of the files may read them.

    Raises:
        NameTaken: two of the house would have the same account; nothing is written.
        OSError: the folder cannot be written.
    """
    names = accounts(home, homeassistant=homeassistant)
    rights = access(home, homeassistant=homeassistant)
    folder = _private_folder(folder)
    known = _passwords(folder, names)
    packet = BRIDGE_PACKET if bridges(home) else PACKET
    _private(folder / "access", rights)
    _private(folder / "mosquitto.conf", configuration(host=host, port=port, folder=folder, user=user, packet=packet))
    _private(folder / "embedded.toml", _embedded(host, port, known))


def write_radio(folder: Path, *, port: int, base: str, user: str | None = None) -> None:
    """Write the files of the radio's own broker: on 127.0.0.1 alone, with the accounts `guard` and `bridge` alone.

    `base` is the radio's base topic, without a slash at its end. Passwords that lie there already are kept.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = _private_folder(folder)
    _passwords(folder, radio_accounts())
    _private(folder / "access", radio_access(base))
    _private(
        folder / "mosquitto.conf",
        configuration(host="127.0.0.1", port=port, folder=folder, user=user, packet=BRIDGE_PACKET),
    )


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _passwords(folder: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Keep each account's password or make a random one, and write what mosquitto compares them with."""
    known: dict[str, str] = {}
    for name in names:
        file = folder / f"{name}.password"
        if file.exists():
            known[name] = file.read_text(encoding="utf-8").rstrip("\n")
        else:
            known[name] = secrets.token_urlsafe(24)
            _private(file, known[name] + "\n")
    lines = [password_line(name, password, secrets.token_bytes(12)) for name, password in known.items()]
    _private(folder / "passwords", "\n".join(lines) + "\n")
    return known


def _private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)


def _embedded(host: str, port: int, known: Mapping[str, str]) -> str:
    """Write rumqttd's configuration: MQTT 5, passwords, and no access list, for it knows none."""
    secret = "\n".join(f"{name} = {json.dumps(password)}" for name, password in known.items())
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
{secret}
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
