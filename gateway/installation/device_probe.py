"""Queries all devices at once through the installer's account, and measures how long each takes."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from devices import reports as r
from devices.commands import QueryCodes, QueryState
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.devices import AnyDevice, DoorDevice, KeypadDevice
from gateway.config.home import Home
from gateway.config.topics import device_topic, inbound_topics
from gateway.installation.capability import Measurement
from gateway.mqtt.client import ShortSession
from gateway.mqtt.packets import InboundMessage, NotSent
from gateway.protocol.ed25519 import KeyUnusable
from gateway.runtime.guard_client import GuardClient

RETAINED_WAIT_S = 1.0  # for the broker to send its retained messages
MIN_MEASURE_TIMEOUT_S = 10.0  # for each answer of a measured device
DEFAULT_ANSWER_TIMEOUT_S = 3.0  # of a device that declares no latency
# These answer a query without correlation data.
ANSWERING_REPORTS = (
    r.LockReport, r.DoorReport, r.FridgeReport, r.GarageDoorReport, r.ContentReport, r.KeyReport, r.CodesReport,
)  # fmt: skip


class ProbeKeyUnusable(Exception):  # noqa: N818 - the name says what is wrong
    """The gateway's key cannot be used, and a guard answers only signed queries: probe on the gateway's machine."""


@dataclass(slots=True)
class DeviceAnswer:
    """The answer of one device to a query."""

    obstacle: str | None = None  # why it cannot be queried
    answer: tuple[r.Report, ...] | None = None  # its reports; None: it has not answered
    seconds: float | None = None  # until its answer
    online: bool | None = None


@dataclass(slots=True)
class ProbeRound:
    """The answers of one round of queries by device, and the retained messages of other topics by topic."""

    devices: dict[str, DeviceAnswer]
    retained: dict[str, bytes] = field(default_factory=dict)


def device_topics(home: Home, devices: Iterable[str]) -> list[str]:
    """Return each topic on which these devices publish; devices behind one bridge share some."""
    return sorted({topic for id_ in devices for topic in inbound_topics(home, id_).values()})


def answer_timeout_s(device: AnyDevice) -> float:
    """Return the seconds within which this device must answer: as long as it declares itself, else a default."""
    latency = device.closure_facts.get("latency")
    return latency if isinstance(latency, float) else DEFAULT_ANSWER_TIMEOUT_S


async def probe_devices(  # noqa: PLR0913 - each parameter is an independent option of a probe
    home: Home,
    session: ShortSession,
    devices: Iterable[str],
    *,
    timeout_s: float,
    correlation_prefix: str,
    min_wait_s: float = RETAINED_WAIT_S,
    ignores_latency: bool = False,
) -> ProbeRound:
    """Query all devices at once; return when each has answered or its latency (at most `timeout_s`) has passed.

    It takes at least `min_wait_s` seconds, in which the broker sends its retained messages. The correlation data of
    the queries begin with `correlation_prefix`. `ignores_latency`: each device gets the whole `timeout_s`.

    Raises:
        ProbeKeyUnusable: the gateway's key cannot be used.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        guard_client = GuardClient(home, publisher=session, monotonic=loop.time)
    except (KeyUnusable, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ProbeKeyUnusable(f"{home.storage.folder / 'key'} cannot be used: {reason}") from error
    result = ProbeRound({id_: _send_query(home, guard_client, id_, correlation_prefix) for id_ in devices})
    until = {
        id_: began + (timeout_s if ignores_latency else min(timeout_s, answer_timeout_s(home.devices[id_])))
        for id_, device in result.devices.items()
        if not device.obstacle
    }
    topics = set(device_topics(home, result.devices))

    def end() -> float:
        """Return until when an answer may come."""
        return max((began + min_wait_s, *(at for id_, at in until.items() if result.devices[id_].answer is None)))

    while (left := end() - loop.time()) > 0:
        try:
            async with asyncio.timeout(left):
                incoming = await session.receive()
        except TimeoutError:
            continue
        if incoming.topic not in topics:
            result.retained[incoming.topic] = incoming.payload
        for id_, message in _authenticated(guard_client, home, result.devices, incoming):
            reports, answers = _decode(home, id_, message, correlation_prefix)
            device = result.devices[id_]
            for report in reports:
                if isinstance(report, r.AvailabilityReport):
                    device.online = report.online
            if answers and device.obstacle is None and device.answer is None and not message.retain:
                device.answer, device.seconds = reports, loop.time() - began
    return result


def _authenticated(
    guard_client: GuardClient, home: Home, ids: Collection[str], incoming: InboundMessage
) -> Iterator[tuple[str, InboundMessage]]:
    """Yield each device with its part of a message; behind a guard only what the guard signed."""
    guarded = [id_ for id_ in ids if home.devices[id_].definition.is_behind_guard]
    yield from ((id_, incoming) for id_ in ids if id_ not in guarded)
    channels = {
        id_: channel
        for id_ in guarded
        for channel, topic in inbound_topics(home, id_).items()
        if topic == incoming.topic
    }
    if channels:
        senders = tuple(channels)
        for device, channel, message in guard_client.on_message(senders, channels[senders[0]], incoming):
            if device in guarded:
                yield device, replace(message, topic=device_topic(home, device, channel))


def _send_query(home: Home, guard_client: GuardClient, id_: str, correlation_prefix: str) -> DeviceAnswer:
    device = home.devices[id_]
    if isinstance(device, DoorDevice) and not device.answers:
        return DeviceAnswer(obstacle="a basic door cannot be asked")
    if not device.can_be_queried:
        return DeviceAnswer(obstacle=f"a {device.kind} cannot be asked")
    correlation = f"{correlation_prefix}:{id_}"
    try:
        query = (
            QueryCodes(slot=device.first_slot, echo=correlation)
            if isinstance(device, KeypadDevice)
            else QueryState(echo=correlation)
        )
        publication = VENDORS[device.vendor].encode_command(query, device.device_ref)
    except ValueError:
        return DeviceAnswer(obstacle=f"a {device.kind} cannot be asked")
    sent = guard_client.publish(
        device_topic(home, id_, publication.suffix),
        publication.payload,
        correlation=correlation.encode(),
        response_topic=device_topic(home, id_, TopicSuffix.RESULT),
    )
    if isinstance(sent, NotSent):
        return DeviceAnswer(obstacle=f"the question did not leave: {sent.value}")
    return DeviceAnswer()


def _decode(
    home: Home, id_: str, incoming: InboundMessage, correlation_prefix: str
) -> tuple[tuple[r.Report, ...], bool]:
    """Return this device's reports in a message, and whether they answer the query; empty if it is another device's."""
    device = home.devices[id_]
    vendor = VENDORS[device.vendor]
    channel = next((suffix for suffix, topic in inbound_topics(home, id_).items() if topic == incoming.topic), None)
    if channel is None:
        return (), False
    reports = vendor.decode_report(channel, incoming.payload, device.device_ref)
    if not vendor.DEFINITION.correlates:
        return reports, any(isinstance(report, ANSWERING_REPORTS) for report in reports)
    correlation = f"{correlation_prefix}:{id_}"
    echo = r.CorrelationReport(echo=correlation)  # from a device whose MQTT has no correlation data
    others = tuple(report for report in reports if report != echo)
    has_echo = incoming.correlation == correlation.encode() or echo in reports
    return others, channel is TopicSuffix.RESULT and has_echo


async def measure_device(
    home: Home, session: ShortSession, id_: str, *, count: int, now: datetime
) -> Measurement | str:
    """Query a device `count` times, one after the other; return the measurement, or why it cannot be queried."""
    timeout_s = max(2 * answer_timeout_s(home.devices[id_]), MIN_MEASURE_TIMEOUT_S)
    seconds, reports = list[float](), list[r.Report]()
    for number in range(count):
        result = await probe_devices(
            home, session, [id_], timeout_s=timeout_s, correlation_prefix=f"test-{number}", min_wait_s=0.0,
            ignores_latency=True,
        )  # fmt: skip
        device = result.devices[id_]
        if device.obstacle is not None:
            return device.obstacle
        if device.answer is not None and device.seconds is not None:
            seconds.append(device.seconds)
            reports.extend(device.answer)
    bolts = [report.bolt is not r.LockState.UNKNOWN for report in reports if isinstance(report, r.LockReport)]
    doors = [report.door is not r.DoorState.UNKNOWN for report in reports if isinstance(report, r.DoorReport)]
    bolt, door = (all(states) if states else None for states in (bolts, doors))
    return Measurement(at=now, asked=count, seconds=tuple(seconds), bolt=bolt, door=door)
