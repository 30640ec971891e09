"""Examines the broker and, through it, the devices, with the installer's account, which may query and not command."""

import asyncio
import contextlib
import statistics
from collections.abc import Iterator
from typing import Final

from devices.reports import UnreadablePayload
from gateway.config.devices import AnyDevice, DoorDevice
from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE, ECHO_TOPIC
from gateway.installation.device_probe import (
    DeviceAnswer,
    ProbeKeyUnusable,
    answer_timeout_s,
    device_topics,
    probe_devices,
)
from gateway.installation.diagnostics.batteries import battery_findings, state_topics
from gateway.installation.diagnostics.connection_errors import connection_error, file_error, needs_port_check
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.mqtt.client import DELAYED_ACK_RANGE_S, Sent, ShortSession, connect_once
from gateway.mqtt.tls import certificate_expiry, error_text, tls_context
from gateway.system.clock import machine_time
from gateway.system.config_section import ConfigError
from gateway.system.mqtt_settings import BrokerSection

ECHO_COUNT: Final = 10
CERTIFICATE_WARNING_DAYS: Final = 12  # it is renewed from 15 days before its end
CHECK_TIMEOUT_S: Final = 1.0  # for an echo, a certificate or a port
DEVICE_TIMEOUT_S: Final = 3.0  # for a device to answer: the whole examination takes less than 5 s
INSTALLER_LOCK_TIMEOUT_S: Final = 1.0  # while another task uses the installer's account


async def examine_broker(
    home: Home, findings: list[Finding], *, installer_lock: asyncio.Lock | None, in_gateway: bool
) -> None:
    """Add the findings about broker, gateway and devices to `findings`.

    `installer_lock` guards the installer's account, which has one connection. `in_gateway`: the gateway itself runs
    the examination.
    """
    installer = home.broker.account("installer")
    unready = account_error(installer)
    if unready is not None:
        findings += [Finding(Sentence("what.broker"), FindingVerdict.BAD, *unready), *_not_probed()]
        return
    async with contextlib.AsyncExitStack() as stack:
        if installer_lock is not None:
            try:
                async with asyncio.timeout(INSTALLER_LOCK_TIMEOUT_S):
                    await installer_lock.acquire()
            except TimeoutError:
                said, todo = Sentence("broker.busy", {"account": installer.username}), Sentence("broker.busy.todo")
                findings += [Finding(Sentence("what.broker"), FindingVerdict.DOUBTFUL, said, todo), *_not_probed()]
                return
            stack.callback(installer_lock.release)
        try:
            await _probe_through_broker(home, installer, findings, in_gateway=in_gateway)
        except (ConnectionError, ConfigError) as error:  # ConfigError: a file was removed just now
            findings += [await _connection_finding("what.broker", installer, error), *_not_probed()]
        except ProbeKeyUnusable as error:
            facts: dict[str, SentenceFact] = {
                "file": str(home.storage.folder / "key"),
                "why": file_error(error.__cause__),
            }
            said, todo = Sentence("devices.no_key", facts), Sentence("devices.no_key.todo")
            findings.append(Finding(Sentence("what.devices"), FindingVerdict.BAD, said, todo))


def unprobed_findings(findings: list[Finding], seconds: float) -> Iterator[Finding]:
    """Yield the findings for an examination whose time was over before the devices were queried."""
    if not any(finding.subject.key in ("what.device", "what.devices") for finding in findings):
        late = Sentence("late", {"seconds": f"{seconds:g}"})
        yield Finding(Sentence("what.broker"), FindingVerdict.BAD, late, Sentence("late.todo"))
        yield from _not_probed()


def _not_probed() -> tuple[Finding]:
    said, todo = Sentence("devices.not_asked"), Sentence("devices.not_asked.todo")
    return (Finding(Sentence("what.devices"), FindingVerdict.DOUBTFUL, said, todo),)


async def _probe_through_broker(
    home: Home, installer: BrokerSection, findings: list[Finding], *, in_gateway: bool
) -> None:
    round_trip = await echo_finding(installer)
    facts: dict[str, SentenceFact] = {"where": f"{installer.host}:{installer.port}", "account": installer.username}
    findings += [Finding(Sentence("what.broker"), FindingVerdict.GOOD, Sentence("broker.lets_in", facts)), round_trip]
    if home.broker.tls is not None:
        findings.append(await certificate_finding(home.broker))
    heard = [BRIDGE_STATE, *state_topics(home), *device_topics(home, home.devices)]
    async with connect_once(installer, heard, monotonic=asyncio.get_running_loop().time) as guest:
        told = await probe_devices(home, guest, home.devices, timeout_s=DEVICE_TIMEOUT_S, correlation_prefix="doctor")
    findings.append(await gateway_finding(home.broker, told.retained.get(BRIDGE_STATE), in_gateway=in_gateway))
    with_mqtt = ((id_, one) for id_, one in home.devices.items() if one.definition.has_mqtt)
    findings += [device_finding(id_, one, told.devices[id_]) for id_, one in with_mqtt]
    findings += battery_findings(home, told.retained)


def account_error(account: BrokerSection) -> tuple[Sentence, Sentence] | None:
    """Return which file of an account cannot be used and what to do; None: all can be read."""
    facts: dict[str, SentenceFact] = {"account": account.username, "folder": "FOLDER"}
    try:
        account.password()
    except ConfigError as error:
        if account.password_file is not None:
            facts |= {"file": str(account.password_file), "folder": account.password_file.parent}
        said = Sentence("broker.no_password", {**facts, "why": file_error(error.__cause__)})
        return said, Sentence("broker.no_password.todo", facts)
    try:
        tls_context(account)
    except ConfigError as error:
        file = "" if account.tls is None else str(account.tls.ca)
        return (
            Sentence("broker.no_authority", {"file": file, "why": file_error(error.__cause__)}),
            Sentence("broker.no_authority.todo"),
        )
    return None


async def _connection_finding(what: str, account: BrokerSection, error: ConnectionError | ConfigError) -> Finding:
    listens = needs_port_check(str(error), account) and await _is_listening(account)
    reason, todo = connection_error(str(error), account, is_listening=listens)
    facts: dict[str, SentenceFact] = {
        "where": f"{account.host}:{account.port}", "account": account.username, "why": reason
    }  # fmt: skip
    return Finding(Sentence(what), FindingVerdict.BAD, Sentence("broker.no_talk", facts), todo)


async def _is_listening(broker: BrokerSection) -> bool:
    """Return whether the broker's port accepts connections."""
    with contextlib.suppress(OSError):  # also TimeoutError
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(broker.host, broker.port)
            writer.transport.abort()
            return True
    return False


async def gateway_finding(account: BrokerSection, retained: bytes | None, *, in_gateway: bool = False) -> Finding:
    """Return whether the gateway is connected; if not, whether the broker would accept its account.

    An account has one connection, and a second one would end the first. So the account is tried only if the gateway's
    retained state says that it is offline.
    """
    if retained == b'{"state":"online"}':
        return Finding(Sentence("what.gateway"), FindingVerdict.GOOD, Sentence("gateway.online"))
    unready = account_error(account)
    if unready is not None:
        return Finding(Sentence("what.gateway"), FindingVerdict.BAD, *unready)
    try:
        async with connect_once(account, [BRIDGE_STATE], monotonic=asyncio.get_running_loop().time):
            pass
    except (ConnectionError, ConfigError) as error:
        return await _connection_finding("what.gateway", account, error)
    said = Sentence("gateway.never" if retained is None and not in_gateway else "gateway.away")
    return Finding(
        Sentence("what.gateway"),
        FindingVerdict.DOUBTFUL,
        said,
        Sentence("gateway.here.todo" if in_gateway else "gateway.away.todo"),
    )


async def certificate_finding(broker: BrokerSection) -> Finding:
    """Return whether the broker's certificate is renewed in time."""
    what = Sentence("what.broker_certificate")
    todo = Sentence(
        "certificate.renew", {"folder": str(broker.password_file.parent) if broker.password_file else "FOLDER"}
    )
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            until = await certificate_expiry(broker)
    except TimeoutError:
        return Finding(
            what, FindingVerdict.BAD, Sentence("late", {"seconds": f"{CHECK_TIMEOUT_S:g}"}), Sentence("late.todo")
        )
    except OSError as error:
        said, _ = connection_error(error_text(error.strerror or str(error)), broker, is_listening=False)
        return Finding(what, FindingVerdict.BAD, said, todo)
    left = None if until is None else (until - machine_time()).days
    if until is None or left is None:
        return Finding(what, FindingVerdict.BAD, Sentence("certificate.none"), todo)
    facts: dict[str, SentenceFact] = {"until": f"{until:%Y-%m-%d}"}
    if left < CERTIFICATE_WARNING_DAYS:
        return Finding(what, FindingVerdict.DOUBTFUL, Sentence("certificate.late", facts), todo)
    return Finding(what, FindingVerdict.GOOD, Sentence("certificate.good", facts))


async def echo_finding(broker: BrokerSection) -> Finding:
    """Measure the echo of own messages: 40 ms each is Nagle's algorithm in the broker.

    With a subscription of QoS 0 the client does not answer the copy that comes first, so the broker's acknowledgement
    behind it waits for the delayed TCP acknowledgement of this system, each time if the broker lacks TCP_NODELAY.

    Raises:
        ConnectionError: the broker cannot be reached.
    """
    what, took = Sentence("what.round_trip"), list[float]()
    folder = "FOLDER" if broker.password_file is None else str(broker.password_file.parent)
    async with connect_once(broker, [ECHO_TOPIC], monotonic=asyncio.get_running_loop().time, qos=0) as guest:
        for n in range(ECHO_COUNT):
            sent = guest.publish(ECHO_TOPIC, str(n).encode())
            back = await _receives_echo(guest)
            if not back or not isinstance(sent, Sent) or not (await sent.acknowledged).accepted:
                said = Sentence("echo.none", {"seconds": f"{CHECK_TIMEOUT_S:g}"})
                return Finding(what, FindingVerdict.BAD, said, Sentence("echo.none.todo", {"folder": folder}))
            took.append((await sent.acknowledged).seconds)
    median = statistics.median(took)
    if DELAYED_ACK_RANGE_S[0] <= median <= DELAYED_ACK_RANGE_S[1]:
        said = Sentence("echo.stall", {"ms": f"{median * 1000:.0f}"})
        return Finding(what, FindingVerdict.BAD, said, Sentence("echo.stall.todo"))
    return Finding(what, FindingVerdict.GOOD, Sentence("echo.good", {"ms": f"{median * 1000:.1f}"}))


async def _receives_echo(session: ShortSession) -> bool:
    """Return whether an own message comes back within CHECK_TIMEOUT_S."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            while (await session.receive()).retain:
                pass
    except TimeoutError:
        return False
    return True


def device_finding(id_: str, device: AnyDevice, answer: DeviceAnswer) -> Finding:
    """Return the finding about a device's answer; a device that cannot be queried is judged by its availability."""
    what, slow = (
        Sentence("what.device", {"id": id_}),
        {"seconds": f"{DEVICE_TIMEOUT_S:g}", "patience": f"{answer_timeout_s(device):g}"},
    )
    if answer.online is False:
        return Finding(what, FindingVerdict.BAD, Sentence("device.offline"), Sentence("device.offline.todo"))
    if answer.obstacle is not None:
        known = FindingVerdict.DOUBTFUL if answer.online is None else FindingVerdict.GOOD
        todo = None if answer.online else Sentence("device.silent.todo")
        said = Sentence(
            "device.online" if answer.online else "device.silent",
            {"why": _not_probed_sentence(device, answer.obstacle)},
        )
        return Finding(what, known, said, todo)
    if answer.answer is None and answer_timeout_s(device) > DEVICE_TIMEOUT_S:
        todo = Sentence("device.slow.todo", {"id": id_})
        return Finding(what, FindingVerdict.DOUBTFUL, Sentence("device.slow", dict(slow)), todo)
    if answer.answer is None:
        said = Sentence("device.dumb", {"seconds": f"{answer_timeout_s(device):g}"})
        return Finding(what, FindingVerdict.BAD, said, Sentence("device.dumb.todo"))
    if any(isinstance(report, UnreadablePayload) for report in answer.answer):
        todo = Sentence("device.unreadable.todo", {"vendor": device.vendor, "kind": device.kind})
        return Finding(what, FindingVerdict.BAD, Sentence("device.unreadable"), todo)
    said = Sentence("device.answers", {"seconds": f"{answer.seconds or 0:.2f}", "reports": answer.answer})
    return Finding(what, FindingVerdict.GOOD, said)


def _not_probed_sentence(device: AnyDevice, reason: str) -> Sentence:
    """Return the sentence for an obstacle that `gateway.installation.device_probe` reports."""
    if isinstance(device, DoorDevice) and not device.can_be_queried:
        return Sentence("device.basic")
    return Sentence("device.unsent") if "did not leave" in reason else Sentence("device.unasked", {"kind": device.kind})
