"""Writes the files of the house's mosquitto and of the radio's, and runs a private broker.

`gateway.config.broker_acl` makes the access list, `gateway.system.mosquitto` the configuration and the passwords.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import structlog

from gateway.config.broker_acl import RADIO_ACCOUNTS, access_list, account_names, bridge_topics, radio_access_list
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.system import mosquitto
from gateway.system.addresses import is_any_address, is_loopback_host
from gateway.system.backoff import Backoff
from gateway.system.clock import machine_time
from gateway.system.parent_death import with_parent_death_signal
from gateway.system.pki.authority import IssuedCertificate
from gateway.system.pki.broker import LOCAL_NAMES, broker_certificate

log = structlog.get_logger(__name__)

MAX_BRIDGE_PACKET_BYTES = 4_194_304  # Zigbee2MQTT publishes its whole list of devices in one message
START_TIMEOUT_S = 10.0  # until a started broker listens
PORT_RELEASE_TIMEOUT_S = 2.0  # until a killed broker has released its port
STOP_TIMEOUT_S = 3.0  # until a broker has ended after SIGTERM
RESTART_BACKOFF = Backoff(first_s=0.5, max_s=5.0)  # until a broker that ended by itself is started again
FIRST_PORT, PORT_COUNT = 20_000, 12_000  # the ports that `free_port` returns

_ports_given = itertools.count()


class RunningBroker(Frozen, kw_only=False):
    """A private broker; the embedded one has no access list and binds no client id to its account."""

    kind: Literal["mosquitto", "embedded"]
    pid: int
    ended: Callable[[], Awaitable[int]]  # waits for its end, and returns its exit status


class BrokerMissing(Exception):  # noqa: N818 - the name says what is wrong
    """No broker can be started; the text says what to do."""


class WeakBrokerSetup(Exception):  # noqa: N818 - the name says what is wrong
    """The requested listeners would be insecure; the text says which and why, `todo` what to do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


def write_house(  # noqa: PLR0913 - each is an option of `perron broker-config`
    folder: Path,
    home: Home,
    *,
    host: str,
    port: int,
    user: str | None = None,
    homeassistant: bool = False,
    lan_listener: mosquitto.BrokerListener | None = None,
    names: Sequence[str] = (),
    now: Callable[[], datetime] = machine_time,
) -> IssuedCertificate | None:
    """Write the house broker's files into `folder`: mosquitto.conf, access, passwords, `<account>.password` for each.

    `user` runs mosquitto when root starts it, and owns the files that mosquitto reads. `homeassistant` adds an account
    for the owner's Home Assistant. `lan_listener` is a second listener for other machines. `names` are further names
    and addresses of the broker in its certificate. Returns the certificate if a listener uses TLS. Existing passwords
    and the authority are kept, so that devices keep theirs. Only the owner of a file may read it.

    Raises:
        AccountTaken: two parts of the house would have the same account; nothing is written.
        WeakBrokerSetup: a listener beyond loopback without TLS, or a certificate without a usable name.
        OSError: the folder cannot be written.
        ValueError: a key or certificate in the folder cannot be used.
    """
    own = mosquitto.BrokerListener(host=host, port=port, tls=home.broker.tls is not None)
    listeners = [own] if lan_listener is None else [own, lan_listener]
    _refuse_weak(listeners, home, names)
    accounts = account_names(home, homeassistant=homeassistant)
    rights = access_list(home, homeassistant=homeassistant)
    folder = mosquitto.make_private_folder(folder, user)
    passwords = mosquitto.write_passwords(folder, accounts, user)
    certificate = None
    if any(listener.tls for listener in listeners):
        all_names = (home.broker.host, *(listener.host for listener in listeners), *names)
        certificate = broker_certificate(folder, box=home.box, names=all_names, now=now())
        mosquitto.hand_over(folder, user)
    mosquitto.write_private(folder / "access", rights, user)
    mosquitto.write_private(folder / "mosquitto.conf", house_configuration(folder, home, listeners, user=user), user)
    mosquitto.write_private(folder / "embedded.toml", _embedded_configuration(host, port, passwords))
    return certificate


def house_configuration(
    folder: Path, home: Home, listeners: Sequence[mosquitto.BrokerListener], *, user: str | None
) -> str:
    """Return mosquitto.conf for this house; `folder` is absolute, `user` as for `write_house`."""
    packet = MAX_BRIDGE_PACKET_BYTES if bridge_topics(home) else mosquitto.MAX_PACKET_BYTES
    return mosquitto.configuration(folder, listeners, packet=packet, user=user)


def _refuse_weak(listeners: Sequence[mosquitto.BrokerListener], home: Home, names: Sequence[str]) -> None:
    for listener in listeners:
        if not listener.tls and not is_loopback_host(listener.host):
            raise WeakBrokerSetup(
                f"{listener.host}:{listener.port} would be a listener beyond this machine without TLS: anybody on that"
                " network reads the passwords and the commands.",
                "Say `tls: {ca: accounts/authority.pem}` under broker in the house file, or listen on 127.0.0.1.",
            )
        has_no_name = home.broker.is_loopback and set(names) <= set(LOCAL_NAMES)
        if listener.tls and is_any_address(listener.host) and has_no_name:
            raise WeakBrokerSetup(
                f"{listener.host}:{listener.port} is every address of this machine, so the certificate would name"
                " none of them and no device could tell this broker from another.",
                "Say how devices reach it: --name perron.home.arpa --name 192.168.1.20",
            )


def write_radio(folder: Path, *, port: int, base: str, user: str | None = None) -> None:
    """Write the files of the radio's own broker: only on 127.0.0.1, only with the accounts `guard` and `bridge`.

    `base` is the radio's base topic, without a slash at its end. Existing passwords are kept.
    """
    folder = mosquitto.make_private_folder(folder, user)
    mosquitto.write_passwords(folder, RADIO_ACCOUNTS, user)
    mosquitto.write_private(folder / "access", radio_access_list(base), user)
    listener = mosquitto.BrokerListener(host="127.0.0.1", port=port)
    conf = mosquitto.configuration(folder, [listener], packet=MAX_BRIDGE_PACKET_BYTES, user=user)
    mosquitto.write_private(folder / "mosquitto.conf", conf, user)


def _embedded_configuration(host: str, port: int, passwords: Mapping[str, str]) -> str:
    """Return the configuration of rumqttd: MQTT 5 with passwords; it has no access lists."""
    secret = "\n".join(f"{name} = {json.dumps(password)}" for name, password in passwords.items())
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
max_payload_size = {mosquitto.MAX_PACKET_BYTES}
max_inflight_count = 200
dynamic_filters = true
[v5.1.connections.auth]
{secret}
"""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now and not returned before, below the range of outgoing connections.

    The kernel gives outgoing connections ports from 32768 on (Linux, ip_local_port_range): such a port may be taken
    before its server listens. Processes that start together begin far apart (the golden section of the range), so that
    none takes a port that another has been given and does not listen on yet.
    """
    for _ in range(PORT_COUNT):
        port = FIRST_PORT + (os.getpid() * 7417 + next(_ports_given)) % PORT_COUNT
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port of 127.0.0.1 is free")


@contextlib.asynccontextmanager
async def private_broker(
    folder: Path, home: Home, *, embedded: bool = False, now: Callable[[], datetime] = machine_time
) -> AsyncIterator[RunningBroker]:
    """Run a private broker at the address of `home.broker` while the context is open; its files go to `folder`.

    It is the machine's mosquitto, or the embedded broker if there is none or `embedded` is set.

    Raises:
        BrokerMissing: as of `run_broker`.
    """
    host, port = home.broker.host, home.broker.port
    await _wait_until_free(host, port)
    write_house(folder, home, host=host, port=port, user=mosquitto.broker_user(), now=now)
    async with run_broker(folder, home, embedded=embedded) as running:
        yield running


@contextlib.asynccontextmanager
async def run_broker(folder: Path, home: Home, *, embedded: bool = False) -> AsyncIterator[RunningBroker]:
    """Run a broker with the files that `write_house` wrote into `folder` while the context is open.

    It is the machine's mosquitto, or the embedded broker if there is none or `embedded` is set.

    Raises:
        BrokerMissing: there is neither, the port is taken, or the broker did not listen within 10 s.
    """
    host, port = home.broker.host, home.broker.port
    await _wait_until_free(host, port)
    program = None if embedded else mosquitto.mosquitto_path()
    if program is None and home.broker.tls is not None:
        raise BrokerMissing("the house's broker speaks TLS, which only mosquitto can: `apt install mosquitto`.")
    if program is None and find_spec("iotcore") is None:
        raise BrokerMissing(
            "there is no MQTT broker on this machine. Install one: `apt install mosquitto`, or the embedded one, good"
            " for a demonstration: `.venv/bin/pip install -e '.[demo]'` in the clone (`make demo` does it)."
        )
    if program is not None:
        command = [program, "-c", str(folder / "mosquitto.conf")]
    else:
        options = ["--config", str(folder / "embedded.toml"), "--log-level", "CRITICAL"]
        command = [sys.executable, "-P", "-m", "iotcore", *options]
    with (folder / "broker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *with_parent_death_signal(command, signal.SIGKILL),  # a stopped process handles no other signal
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only this process, which ends the broker last
        )
    try:
        await _wait_until_listening(process, host, port, folder / "broker.log")
        yield RunningBroker("mosquitto" if program is not None else "embedded", process.pid, process.wait)
    finally:
        await end_process(process, within=STOP_TIMEOUT_S)


@contextlib.asynccontextmanager
async def keep_broker(folder: Path, home: Home) -> AsyncIterator[None]:
    """Run a broker as `run_broker` does, and start it again whenever it ends by itself.

    Raises:
        BrokerMissing: the first start failed.
    """
    started = asyncio.Event()
    keeping = asyncio.create_task(_keep_broker(folder, home, started))
    starting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({keeping, starting}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            await keeping  # raises why it did not start
        yield
    finally:
        for task in (starting, keeping):
            task.cancel()
        await asyncio.gather(starting, keeping, return_exceptions=True)


async def _keep_broker(folder: Path, home: Home, started: asyncio.Event) -> None:
    failures = 0
    while True:
        why = "it ended"
        try:
            async with run_broker(folder, home) as running:
                started.set()
                why = f"exit status {await running.ended()}"
        except BrokerMissing as missing:
            if not started.is_set():
                raise
            why = str(missing)
        log.warning("own_broker_ended", why=why)
        await asyncio.sleep(RESTART_BACKOFF.delay_s(failures))
        failures += 1


async def is_listening(host: str, port: int) -> bool:
    """Return whether somebody listens at this TCP port."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False


async def _wait_until_free(host: str, port: int) -> None:
    """Wait until the port is free: another server would be taken for the private broker."""
    for tries_left in range(int(PORT_RELEASE_TIMEOUT_S / 0.05), -1, -1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if tries_left == 0:
                    text = f"{host}:{port} cannot be listened on: {error.strerror}. Take another port."
                    raise BrokerMissing(text) from error
            else:
                return
        await asyncio.sleep(0.05)


async def _wait_until_listening(process: asyncio.subprocess.Process, host: str, port: int, log: Path) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)
    raise BrokerMissing(f"the private broker does not listen on {host}:{port}; its own words are in {log}.")


async def end_process(process: asyncio.subprocess.Process, *, within: float) -> None:
    """Send SIGTERM to a process, and SIGKILL if it does not end within so many seconds."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(within):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
