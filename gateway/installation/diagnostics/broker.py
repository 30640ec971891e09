"""Examines the broker and, through it, the devices, with the installer's account, which may query and not command."""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Iterator
from typing import Final

from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE, ECHO_TOPIC, entrance_topic
from gateway.installation.device_probe import ProbeKeyUnusable, device_topics, probe_devices
from gateway.installation.diagnostics import devices
from gateway.installation.diagnostics.closures import closure_findings
from gateway.installation.diagnostics.connection_errors import accounts_folder, connection_error, file_error
from gateway.installation.diagnostics.finding import Finding, bad, doubtful, good, overdue
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import Sent
from gateway.mqtt.publisher import is_gateway_online
from gateway.mqtt.tls import certificate_expiry, error_text, tls_context
from gateway.system.clock import machine_time
from gateway.system.config_section import ConfigError
from gateway.system.dates import day_text
from gateway.system.i18n import Text, _, decimal_text, pgettext
from gateway.system.mqtt_settings import BrokerSection

BROKER: Final = _("broker")
DEVICES: Final = _("devices")
GATEWAY: Final = _("gateway")
NOT_QUERIED: Final = doubtful(DEVICES, _("not asked: they speak by the broker"), _("Look again when it is there."))
START_GATEWAY_TODO: Final = _("Start it with `perron run`.")
ECHO_COUNT: Final = 10
CERTIFICATE_WARNING_DAYS: Final = 12  # it is renewed from 15 days before its end
# Nagle's algorithm waits for a delayed acknowledgement (40 ms on Linux)
DELAYED_ACK_RANGE_S: Final = (0.035, 0.060)
CHECK_TIMEOUT_S: Final = 1.0  # for an echo or a certificate
INSTALLER_LOCK_TIMEOUT_S: Final = 1.0  # while another task uses the installer's account


async def examine_broker(
    home: Home, *, installer_lock: asyncio.Lock | None, in_gateway: bool
) -> AsyncIterator[Finding]:
    """Yield the findings about broker, gateway and devices.

    `installer_lock` guards the installer's account, which has one connection. `in_gateway`: the gateway itself runs
    the examination, for its page, which does not tell who is home.
    """
    installer = home.broker.account("installer")
    unready = account_error(installer)
    if unready is not None:
        yield bad(BROKER, *unready)
        yield NOT_QUERIED
        return
    lock = installer_lock or asyncio.Lock()
    try:
        async with asyncio.timeout(INSTALLER_LOCK_TIMEOUT_S):
            await lock.acquire()
    except TimeoutError:
        statement = _(
            "somebody measures, surveys or listens by the account {account} already, which has one connection",
            account=installer.username,
        )
        yield doubtful(BROKER, statement, _("Examine again when that is over."))
        yield NOT_QUERIED
        return
    try:
        async for finding in _probe_through_broker(home, installer, in_gateway=in_gateway):
            yield finding
    except (ConnectionError, ConfigError) as error:  # ConfigError: a file was removed just now
        yield await _connection_finding(BROKER, installer, error)
        yield NOT_QUERIED
    except ProbeKeyUnusable as error:
        file, reason = str(home.storage.folder / "key"), file_error(error.__cause__)
        todo = _("Ask on the box itself, as its own user: a guard answers only what the box's key has signed.")
        yield bad(DEVICES, _("{file} cannot be used: {why}.", file=file, why=reason), todo)
    finally:
        lock.release()


def unqueried_findings(home: Home, findings: list[Finding], seconds: float) -> Iterator[Finding]:
    """Yield the findings for an examination whose time was over before the devices were queried."""
    subjects = {DEVICES, *map(devices.device_subject, home.devices)}
    if not any(finding.subject in subjects for finding in findings):
        yield overdue(BROKER, seconds)
        yield NOT_QUERIED


async def _probe_through_broker(home: Home, installer: BrokerSection, *, in_gateway: bool) -> AsyncIterator[Finding]:
    round_trip = await echo_finding(installer)
    address = f"{installer.host}:{installer.port}"
    yield good(BROKER, _("{where} lets {account} in", where=address, account=installer.username))
    yield round_trip
    if home.broker.tls is not None:
        yield await certificate_finding(home.broker)
    topics = [
        BRIDGE_STATE,
        *(entrance_topic(name, "state") for name in home.entrances),
        *device_topics(home, home.devices),
    ]
    async with connect_once(installer, topics, monotonic=asyncio.get_running_loop().time) as session:
        answers = await probe_devices(
            home, session, home.devices, timeout_s=devices.DEVICE_TIMEOUT_S, correlation_prefix="doctor"
        )
    yield await gateway_finding(home.broker, answers.retained.get(BRIDGE_STATE), in_gateway=in_gateway)
    for id_, device in home.devices.items():
        if device.definition.has_mqtt:
            yield devices.device_finding(id_, device, answers.devices[id_], shows_people=not in_gateway)
    for finding in closure_findings(home, answers.devices, shows_people=not in_gateway):
        yield finding
    for finding in devices.battery_findings(home, answers.retained):
        yield finding


def account_error(account: BrokerSection) -> tuple[Text, Text] | None:
    """Return which file of an account cannot be used and what to do; None: all can be read."""
    try:
        account.password()
    except ConfigError as error:
        statement = _("{file}: the password of the account '{account}' cannot be read ({why}).")
        todo = _(
            "Write it with `perron broker-config {folder}`, or correct broker.password_file: the passwords of all "
            "accounts lie beside it.",
            folder=accounts_folder(account),
        )
        facts = {"file": str(account.password_file), "account": account.username}
        return statement.with_facts(**facts, why=file_error(error.__cause__)), todo
    try:
        tls_context(account)
    except ConfigError as error:
        file = "" if account.tls is None else str(account.tls.ca)
        statement = _("{file}: the authority of the broker cannot be read ({why}).", file=file)
        todo = _("Copy authority.pem out of the folder that `perron broker-config` wrote, or correct broker.tls.ca.")
        return statement.with_facts(why=file_error(error.__cause__)), todo
    return None


async def _connection_finding(subject: Text, account: BrokerSection, error: ConnectionError | ConfigError) -> Finding:
    reason, todo = await asyncio.to_thread(connection_error, str(error), account, checks_port=True)
    address = f"{account.host}:{account.port}"
    statement = _("The broker cannot be used at {where} as '{account}': {why}.")
    return bad(subject, statement.with_facts(where=address, account=account.username, why=reason), todo)


async def gateway_finding(account: BrokerSection, retained: bytes | None, *, in_gateway: bool = False) -> Finding:
    """Return whether the gateway is connected; if not, whether the broker would accept its account.

    An account has one connection, and a second one would end the first. So the account is tried only if the gateway's
    retained state says that it is offline.
    """
    if is_gateway_online(retained):
        return good(GATEWAY, _("it runs and is connected"))
    unready = account_error(account)
    if unready is not None:
        return bad(GATEWAY, *unready)
    try:
        async with connect_once(account, [BRIDGE_STATE], monotonic=asyncio.get_running_loop().time):
            pass
    except (ConnectionError, ConfigError) as error:
        return await _connection_finding(GATEWAY, account, error)
    was_here = in_gateway or retained is not None
    statement = _("it is not connected") if was_here else _("it has never been here")
    todo = _("The broker lets its account in: it tries again by itself.")
    return doubtful(GATEWAY, statement, todo if in_gateway else START_GATEWAY_TODO)


async def certificate_finding(broker: BrokerSection) -> Finding:
    """Return whether the broker's certificate is renewed in time."""
    subject = _("broker certificate")
    todo = _("`perron broker-config {folder} --renew`, daily", folder=accounts_folder(broker))
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            until = await certificate_expiry(broker)
    except TimeoutError:
        return overdue(subject, CHECK_TIMEOUT_S)
    except OSError as error:
        reason, _todo = connection_error(error_text(error.strerror or str(error)), broker)
        return bad(subject, reason, todo)
    if until is None:
        return bad(subject, _("it shows none"), todo)
    day = day_text(until.date())
    if (until - machine_time()).days < CERTIFICATE_WARNING_DAYS:
        return doubtful(subject, _("good until {until}: nobody renews it", until=day), todo)
    return good(subject, pgettext("a certificate", "good until {until}", until=day))


async def echo_finding(broker: BrokerSection) -> Finding:
    """Measure the echo of own messages: 40 ms each is Nagle's algorithm in the broker.

    With a subscription of QoS 0 the client does not answer the copy that comes first, so the broker's acknowledgement
    behind it waits for the delayed TCP acknowledgement of this system, each time if the broker lacks TCP_NODELAY.

    Raises:
        ConnectionError: the broker cannot be reached.
    """
    subject, seconds = _("round trip"), list[float]()
    async with connect_once(broker, [ECHO_TOPIC], monotonic=asyncio.get_running_loop().time, qos=0) as session:
        for number in range(ECHO_COUNT):
            sent = session.publish(ECHO_TOPIC, str(number).encode())
            returned = await _receives_echo(session)
            if not returned or not isinstance(sent, Sent) or not (await sent.acknowledged).accepted:
                todo = _(
                    "Look at the broker's load, and write its access list anew with `perron broker-config {folder}`."
                )
                todo = todo.with_facts(folder=accounts_folder(broker))
                return bad(subject, _("no echo within {seconds} s", seconds=f"{CHECK_TIMEOUT_S:g}"), todo)
            seconds.append((await sent.acknowledged).seconds)
    median = statistics.median(seconds)
    if DELAYED_ACK_RANGE_S[0] <= median <= DELAYED_ACK_RANGE_S[1]:
        statement = _("{ms} ms: small packets wait for a delayed acknowledgement", ms=f"{median * 1000:.0f}")
        return bad(subject, statement, _("Say `set_tcp_nodelay true` in mosquitto.conf (`perron broker-config` does)."))
    return good(subject, _("{ms} ms", ms=decimal_text(median * 1000, 1)))


async def _receives_echo(session: ShortSession) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            while (await session.receive()).retain:
                pass
            return True
    return False
