"""Writes the configuration and accounts of the house's mosquitto, the radio's and the hub's, and runs private ones.

One account is one connection: the broker takes the user name for the client id, so nobody can push another out or
speak in another's name. Who may say what stands in `gateway.config.broker_acl`.
"""

import asyncio
import base64
import contextlib
import getpass
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.config.broker_acl import access_list, account_names, bridge_topics, radio_access_list, radio_accounts
from gateway.config.home import Home
from gateway.system.addresses import is_loopback_host
from gateway.system.clock import machine_time
from gateway.system.parent_death import with_parent_death_signal
from gateway.system.pki.broker import LOCAL_NAMES, BrokerCertificate, broker_certificate
from gateway.system.regular_file import read_text

MAX_PACKET_BYTES = 69_632  # bytes: the 64 KiB that the gateway reads, and room for topic and properties
MAX_BRIDGE_PACKET_BYTES = 4_194_304  # bytes: Zigbee2MQTT tells all its devices and what they can in one message
MAX_REMOTE_CONNECTIONS = (
    500  # connections at a listener beyond this machine: a flood there leaves the loopback one its room
)
FIRST_LINE = "# Written by Perron."  # of each mosquitto.conf that Perron wrote
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - it is recognised, not listened on
PBKDF2_ITERATIONS = 101  # of PBKDF2, mosquitto's own number: the passwords are 192 random bits, not words
START_TIMEOUT_S = 10.0  # seconds for a broker to listen
PORT_RELEASE_TIMEOUT_S = 2.0  # seconds for a killed one to leave the port
STOP_TIMEOUT_S = 3.0  # seconds for it to end by itself


@dataclass(frozen=True, slots=True)
class RunningBroker:
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
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, PBKDF2_ITERATIONS)
    return f"{name}:$7${PBKDF2_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerListener:
    """One address at which the broker is reached; beyond this machine only with `tls`."""

    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesListener:
    """Where boxes reach a hub's broker: by TLS, each with its certificate."""

    host: str
    port: int
    connections: int


class WeakBrokerSetup(Exception):  # noqa: N818 - it names what is the matter
    """What was asked for would let in whom nobody invited; the text says what and where, `todo` what to do."""

    def __init__(self, what: str, todo: str) -> None:
        """Say `what` is weak and where, and what `todo`."""
        super().__init__(what)
        self.todo = todo


def configuration(  # noqa: PLR0913 - the listener's parts, and whose files
    *, host: str, port: int, folder: Path, user: str | None = None, packet: int = MAX_PACKET_BYTES, tls: bool = False,
    beyond: BrokerListener | None = None,
) -> str:  # fmt: skip
    """Write mosquitto.conf for accounts and access list in `folder`; `user` is who it runs as when root starts it.

    `beyond` is a second listener, for the other machines of the house.
    """
    listeners = [BrokerListener(host=host, port=port, tls=tls), *([] if beyond is None else [beyond])]
    own = f"user {user}\n" if user else ""
    lines = [*_for_all(folder, packet), *(line for listener in listeners for line in _listener(listener, folder))]
    return "\n".join(lines) + "\n" + own


def _for_all(folder: Path, packet: int) -> Sequence[str]:
    """What holds whichever way a client comes: no listener has rules of its own that could be weaker."""
    return f"""\
{FIRST_LINE} Everything that is not allowed here is refused.
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


def _listener(listener: BrokerListener, folder: Path, *, most: int | None = None) -> Iterator[str]:
    """What mosquitto has to be told at each listener anew."""
    yield f"listener {listener.port} {listener.host}"
    yield "# One account, one connection: a client cannot take another's id."
    yield "use_username_as_clientid true"
    if listener.tls:
        yield f"certfile {folder / 'tls' / 'broker.pem'}"
        yield f"keyfile {folder / 'tls' / 'broker.key'}"
        yield "tls_version tlsv1.2"
    if most is not None or not is_loopback_host(listener.host):
        yield f"max_connections {MAX_REMOTE_CONNECTIONS if most is None else most}"


def write(  # noqa: PLR0913 - where, for whom, and how it is reached
    folder: Path,
    home: Home,
    *,
    host: str,
    port: int,
    user: str | None = None,
    homeassistant: bool = False,
    beyond: BrokerListener | None = None,
    names: Sequence[str] = (),
    now: Callable[[], datetime] = machine_time,
) -> BrokerCertificate | None:
    """Write a broker's files into `folder`: mosquitto.conf, access, passwords, and `<account>.password` for each.

    `user`: who mosquitto is when root starts it; what it reads belongs to him, what clients read does not.
    `homeassistant`: the owner's Home Assistant has an account too. `beyond`: a second listener. `names`: further names
    and addresses under which the broker is reached. Returns the certificate where a listener speaks TLS. Passwords and
    authority that lie there already are kept, so that devices keep theirs. Only the owner of the files may read them.

    Raises:
        NameTaken: two of the house would have the same account; nothing is written.
        WeakBrokerSetup: a listener beyond this machine without TLS, or one whose certificate would name nobody.
        OSError: the folder cannot be written.
        ValueError: a key or certificate in it is not what it was.
    """
    listeners = [
        BrokerListener(host=host, port=port, tls=home.broker.tls is not None),
        *([] if beyond is None else [beyond]),
    ]
    _refuse_weak(listeners, home, names)
    accounted = account_names(home, homeassistant=homeassistant)
    rights = access_list(home, homeassistant=homeassistant)
    folder = _private_folder(folder, user)
    known = _passwords(folder, accounted, user)
    certificate = None
    if any(listener.tls for listener in listeners):
        reached = (home.broker.host, *(listener.host for listener in listeners), *names)
        certificate = broker_certificate(folder, box=home.box, names=reached, now=now())
        hand_over(folder, user)
    _private(folder / "access", rights, user)
    told = house_configuration(folder, home, host=host, port=port, user=user, beyond=beyond)
    _private(folder / "mosquitto.conf", told, user)
    _private(folder / "embedded.toml", _embedded(host, port, known))
    return certificate


def house_configuration(  # noqa: PLR0913 - the listeners' parts, and whose files
    folder: Path, home: Home, *, host: str, port: int, user: str | None, beyond: BrokerListener | None
) -> str:
    """Return mosquitto.conf for this house; `folder` is absolute, the other arguments are those of `write`."""
    packet = MAX_BRIDGE_PACKET_BYTES if bridge_topics(home) else MAX_PACKET_BYTES
    return configuration(
        host=host, port=port, folder=folder, user=user, packet=packet, tls=home.broker.tls is not None, beyond=beyond
    )


def hand_over(folder: Path, user: str | None) -> None:
    """Let mosquitto's own user read what it has to for TLS; the authority's key stays where it is."""
    for path in (folder / "tls", folder / "tls" / "broker.pem", folder / "tls" / "broker.key"):
        _give(path, user)


def _refuse_weak(listeners: Sequence[BrokerListener], home: Home, names: Sequence[str]) -> None:
    for listener in listeners:
        if not listener.tls and not is_loopback_host(listener.host):
            raise WeakBrokerSetup(
                f"{listener.host}:{listener.port} would be a listener beyond this machine without TLS: anybody on that"
                " network reads the passwords and the commands.",
                "Say `tls: {ca: accounts/authority.pem}` under broker in the house file, or listen on 127.0.0.1.",
            )
        nobody = home.broker.loopback and set(names) <= set(LOCAL_NAMES)
        if listener.tls and listener.host in ANY_ADDRESS and nobody:
            raise WeakBrokerSetup(
                f"{listener.host}:{listener.port} is every address of this machine, so the certificate would name"
                " none of them and no device could tell this broker from another.",
                "Say how devices reach it: --name perron.home.arpa --name 192.168.1.20",
            )


def write_radio(folder: Path, *, port: int, base: str, user: str | None = None) -> None:
    """Write the files of the radio's own broker: on 127.0.0.1 alone, with the accounts `guard` and `bridge` alone.

    `base` is the radio's base topic, without a slash at its end. Passwords that lie there already are kept.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = _private_folder(folder, user)
    _passwords(folder, radio_accounts(), user)
    _private(folder / "access", radio_access_list(base), user)
    told = configuration(host="127.0.0.1", port=port, folder=folder, user=user, packet=MAX_BRIDGE_PACKET_BYTES)
    _private(folder / "mosquitto.conf", told, user)


def write_hub(  # noqa: PLR0913 - whose files, and what a broker is told
    folder: Path, *, rights: str, account: str, port: int, packet: int, boxes: BoxesListener, user: str | None = None
) -> None:
    """Write the files of a hub's broker: `account` on 127.0.0.1 alone, boxes by certificate at another listener.

    There the certificate says who comes; what a client says of its name or id counts for nothing. What the broker reads
    beside it lies in `folder` already: authority.pem, revoked.pem, tls/. Nothing is retained, nothing kept for who is
    not there.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = _private_folder(folder, user)
    _passwords(folder, (account,), user)
    _private(folder / "access", rights, user)
    hand_over(folder, user)
    lines = [
        *_for_all(folder, packet),
        "retain_available false",
        *_listener(BrokerListener(host="127.0.0.1", port=port), folder),
        *_listener(BrokerListener(host=boxes.host, port=boxes.port, tls=True), folder, most=boxes.connections),
        f"cafile {folder / 'authority.pem'}",
        f"crlfile {folder / 'revoked.pem'}",
        "require_certificate true",
        "use_identity_as_username true",
        "max_qos 1",
    ]
    own = f"user {user}\n" if user else ""
    _private(folder / "mosquitto.conf", "\n".join(lines) + "\n" + own, user)


def _private_folder(folder: Path, user: str | None) -> Path:
    """Make it, open to nobody else; where mosquitto is another one it may pass through, and lists nothing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _another(user):
        folder.chmod(0o711)
    return folder.resolve()


def _another(user: str | None) -> bool:
    return user is not None and os.geteuid() == 0 and user != getpass.getuser()


def _give(path: Path, user: str | None) -> None:
    if user is not None and _another(user):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def _passwords(folder: Path, names: Sequence[str], user: str | None) -> Mapping[str, str]:
    """Keep each account's password or make a random one, and write what mosquitto compares them with."""
    known: dict[str, str] = {}
    for name in names:
        file = folder / f"{name}.password"
        if file.exists():
            known[name] = read_text(file).rstrip("\n")
        else:
            known[name] = secrets.token_urlsafe(24)
            _private(file, known[name] + "\n")
    lines = [password_line(name, password, secrets.token_bytes(12)) for name, password in known.items()]
    _private(folder / "passwords", "\n".join(lines) + "\n", user)
    return known


def _private(file: Path, text: str, user: str | None = None) -> None:
    """Write a file that only its owner reads: who writes it, or mosquitto's own `user`."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    _give(file, user)


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
max_payload_size = {MAX_PACKET_BYTES}
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


def reload(folder: Path) -> tuple[int, ...]:
    """Let every mosquitto that runs with `folder`'s mosquitto.conf read its files anew; returns their processes.

    Accounts, access list and certificate are read (SIGHUP), and who may still come stays connected; listeners are not.
    It is found by its command line (Linux, proc(5)); one that is another user's is left alone.
    """
    conf = folder.resolve() / "mosquitto.conf"
    told = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").readlink()
            named = any(here / os.fsdecode(word) == conf for word in words[1:])
            if Path(os.fsdecode(words[0])).name == "mosquitto" and named:
                os.kill(int(process.name), signal.SIGHUP)
                told.append(int(process.name))
    return tuple(told)


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
async def private_broker(
    folder: Path, home: Home, *, embedded: bool = False, now: Callable[[], datetime] = machine_time
) -> AsyncIterator[RunningBroker]:
    """Run a broker of our own at `home.broker`'s address until left or killed; its files go to `folder`.

    It is the machine's mosquitto, or, where there is none or `embedded` is set, the embedded one.

    Raises:
        BrokerMissing: neither is there, the port is taken, or it did not listen within 10 s.
    """
    host, port = home.broker.host, home.broker.port
    await _until_free(host, port)
    write(folder, home, host=host, port=port, user=broker_user(), now=now)
    mosquitto = None if embedded else mosquitto_path()
    if mosquitto is None and home.broker.tls is not None:
        raise BrokerMissing("the house's broker speaks TLS, which only mosquitto can: `apt install mosquitto`.")
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
            *with_parent_death_signal(command, signal.SIGKILL),  # a broker that stands still hears nothing else
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only us, and we end it last
        )
    try:
        await _listening(process, host, port, folder / "broker.log")
        yield RunningBroker("mosquitto" if mosquitto is not None else "embedded", process.pid)
    finally:
        await _end(process)


async def _until_free(host: str, port: int) -> None:
    """Whoever listens there would be taken for ours; one that was killed a moment ago may still be letting go."""
    for patience in range(int(PORT_RELEASE_TIMEOUT_S / 0.05), -1, -1):
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
        async with asyncio.timeout(START_TIMEOUT_S):
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
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
