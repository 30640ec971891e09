"""Speaks with the broker and, through it, with the devices: as the installer, who may ask and never commands."""

import asyncio
import contextlib
import statistics
from collections.abc import Iterator
from typing import Final

from devices.reports import UnreadablePayload
from gateway.config.broker import Broker
from gateway.config.devices import Device, DoorDevice
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.subscriptions import BRIDGE_STATE
from gateway.config.topics import ECHO
from gateway.installation.device_probe import Heard, NoKey, ask, patience, topics
from gateway.installation.diagnostics.batteries import batteries, states
from gateway.installation.diagnostics.finding import Fact, Finding, Said, Verdict
from gateway.installation.diagnostics.trouble import hangs, trouble, why
from gateway.mqtt.client import DELAYED_ACK_RANGE_S, Sent, ShortSession, connect_once
from gateway.mqtt.tls import certificate_expiry, error_text, tls_context
from gateway.system.clock import machine_time

ECHOES: Final = 10
LATE: Final = 12  # days left of the broker's certificate, which is renewed from 15 on
SLOW: Final = 1.0  # seconds that an echo, a certificate or a look at a port may take
LONGEST: Final = 3.0  # seconds for a device to answer: the whole takes under 5
TURN: Final = 1.0  # seconds that we wait for whoever speaks as the installer just now


async def by_the_broker(home: Home, found: list[Finding], *, line: asyncio.Lock | None, here: bool) -> None:
    """Add to `found` what broker, gateway and devices say.

    `line` is held meanwhile by whoever speaks as the installer, who has one connection. `here`: the gateway itself
    looks, so it runs.
    """
    installer = home.broker.account("installer")
    unready = unusable(installer)
    if unready is not None:
        found += [Finding(Said("what.broker"), Verdict.BAD, *unready), *_nobody_asked()]
        return
    async with contextlib.AsyncExitStack() as stack:
        if line is not None:
            try:
                async with asyncio.timeout(TURN):
                    await line.acquire()
            except TimeoutError:
                said, todo = Said("broker.busy", {"account": installer.username}), Said("broker.busy.todo")
                found += [Finding(Said("what.broker"), Verdict.DOUBTFUL, said, todo), *_nobody_asked()]
                return
            stack.callback(line.release)
        try:
            await _spoken_with(home, installer, found, here=here)
        except (ConnectionError, ConfigError) as error:  # the latter: a file that was taken away just now
            found += [await _no_talk("what.broker", installer, error), *_nobody_asked()]
        except NoKey as error:
            facts: dict[str, Fact] = {"file": str(home.storage.folder / "key"), "why": why(error.__cause__)}
            said, todo = Said("devices.no_key", facts), Said("devices.no_key.todo")
            found.append(Finding(Said("what.devices"), Verdict.BAD, said, todo))


def unasked(found: list[Finding], seconds: float) -> Iterator[Finding]:
    """Say what is missing where the time was over before devices were asked."""
    if not any(finding.what.key in ("what.device", "what.devices") for finding in found):
        late = Said("late", {"seconds": f"{seconds:g}"})
        yield Finding(Said("what.broker"), Verdict.BAD, late, Said("late.todo"))
        yield from _nobody_asked()


def _nobody_asked() -> tuple[Finding]:
    said, todo = Said("devices.not_asked"), Said("devices.not_asked.todo")
    return (Finding(Said("what.devices"), Verdict.DOUBTFUL, said, todo),)


async def _spoken_with(home: Home, installer: Broker, found: list[Finding], *, here: bool) -> None:
    round_trip = await echo(installer)
    facts: dict[str, Fact] = {"where": f"{installer.host}:{installer.port}", "account": installer.username}
    found += [Finding(Said("what.broker"), Verdict.GOOD, Said("broker.lets_in", facts)), round_trip]
    if home.broker.tls is not None:
        found.append(await certificate(home.broker))
    heard = [BRIDGE_STATE, *states(home), *topics(home, home.devices)]
    async with connect_once(installer, heard, monotonic=asyncio.get_running_loop().time) as guest:
        told = await ask(home, guest, home.devices, longest=LONGEST, word="doctor")
    found.append(await gateway(home.broker, told.stored.get(BRIDGE_STATE), here=here))
    found += [device_of(id_, one, told.devices[id_]) for id_, one in home.devices.items() if one.speaks]
    found += batteries(home, told.stored)


def unusable(account: Broker) -> tuple[Said, Said] | None:
    """What of an account's own files cannot be used, and what to do; None: they can be read."""
    facts: dict[str, Fact] = {"account": account.username, "folder": "FOLDER"}
    try:
        account.password()
    except ConfigError as error:
        if account.password_file is not None:
            facts |= {"file": str(account.password_file), "folder": account.password_file.parent}
        said = Said("broker.no_password", {**facts, "why": why(error.__cause__)})
        return said, Said("broker.no_password.todo", facts)
    try:
        tls_context(account)
    except ConfigError as error:
        file = "" if account.tls is None else str(account.tls.ca)
        return (
            Said("broker.no_authority", {"file": file, "why": why(error.__cause__)}),
            Said("broker.no_authority.todo"),
        )
    return None


async def _no_talk(what: str, account: Broker, error: ConnectionError | ConfigError) -> Finding:
    listens = hangs(str(error), account) and await _listens(account)
    reason, todo = trouble(str(error), account, listens=listens)
    facts: dict[str, Fact] = {
        "where": f"{account.host}:{account.port}", "account": account.username, "why": reason
    }  # fmt: skip
    return Finding(Said(what), Verdict.BAD, Said("broker.no_talk", facts), todo)


async def _listens(broker: Broker) -> bool:
    """Whether the broker's port takes connections."""
    with contextlib.suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(SLOW):
            _, writer = await asyncio.open_connection(broker.host, broker.port)
            writer.transport.abort()
            return True
    return False


async def gateway(account: Broker, stored: bytes | None, *, here: bool = False) -> Finding:
    """Say whether the gateway is connected; where it is not, whether the broker would let its account in.

    Its account is one connection, so it is tried only while the broker itself says that nobody holds it: a second one
    would push the first out.
    """
    if stored == b'{"state":"online"}':
        return Finding(Said("what.gateway"), Verdict.GOOD, Said("gateway.online"))
    unready = unusable(account)
    if unready is not None:
        return Finding(Said("what.gateway"), Verdict.BAD, *unready)
    try:
        async with connect_once(account, [BRIDGE_STATE], monotonic=asyncio.get_running_loop().time):
            pass
    except (ConnectionError, ConfigError) as error:
        return await _no_talk("what.gateway", account, error)
    said = Said("gateway.never" if stored is None and not here else "gateway.away")
    return Finding(
        Said("what.gateway"), Verdict.DOUBTFUL, said, Said("gateway.here.todo" if here else "gateway.away.todo")
    )


async def certificate(broker: Broker) -> Finding:
    """Look whether the broker's certificate is renewed as it should be."""
    what = Said("what.broker_certificate")
    todo = Said("certificate.renew", {"folder": str(broker.password_file.parent) if broker.password_file else "FOLDER"})
    try:
        async with asyncio.timeout(SLOW):
            until = await certificate_expiry(broker)
    except TimeoutError:
        return Finding(what, Verdict.BAD, Said("late", {"seconds": f"{SLOW:g}"}), Said("late.todo"))
    except OSError as error:
        said, _ = trouble(error_text(error.strerror or str(error)), broker, listens=False)
        return Finding(what, Verdict.BAD, said, todo)
    left = None if until is None else (until - machine_time()).days
    if until is None or left is None:
        return Finding(what, Verdict.BAD, Said("certificate.none"), todo)
    facts: dict[str, Fact] = {"until": f"{until:%Y-%m-%d}"}
    if left < LATE:
        return Finding(what, Verdict.DOUBTFUL, Said("certificate.late", facts), todo)
    return Finding(what, Verdict.GOOD, Said("certificate.good", facts))


async def echo(broker: Broker) -> Finding:
    """Send ourselves messages: 40 ms each is Nagle's algorithm in the broker.

    Heard with QoS 0 we have nothing to say to the copy that comes first, so the broker's acknowledgement behind it
    waits for our system's delayed one: every time, where the broker lacks TCP_NODELAY.

    Raises:
        ConnectionError: the broker cannot be spoken to.
    """
    what, took = Said("what.round_trip"), list[float]()
    folder = "FOLDER" if broker.password_file is None else str(broker.password_file.parent)
    async with connect_once(broker, [ECHO], monotonic=asyncio.get_running_loop().time, qos=0) as guest:
        for n in range(ECHOES):
            sent = guest.publish(ECHO, str(n).encode())
            back = await _back(guest)
            if not back or not isinstance(sent, Sent) or not (await sent.acknowledged).accepted:
                said = Said("echo.none", {"seconds": f"{SLOW:g}"})
                return Finding(what, Verdict.BAD, said, Said("echo.none.todo", {"folder": folder}))
            took.append((await sent.acknowledged).seconds)
    median = statistics.median(took)
    if DELAYED_ACK_RANGE_S[0] <= median <= DELAYED_ACK_RANGE_S[1]:
        said = Said("echo.stall", {"ms": f"{median * 1000:.0f}"})
        return Finding(what, Verdict.BAD, said, Said("echo.stall.todo"))
    return Finding(what, Verdict.GOOD, Said("echo.good", {"ms": f"{median * 1000:.1f}"}))


async def _back(guest: ShortSession) -> bool:
    """Whether a message of ours comes back in time."""
    try:
        async with asyncio.timeout(SLOW):
            while (await guest.receive()).retain:
                pass
    except TimeoutError:
        return False
    return True


def device_of(id_: str, device: Device, heard: Heard) -> Finding:
    """Judge what a device answered; of one that cannot be asked only its own word of being online is known."""
    what, slow = Said("what.device", {"id": id_}), {"seconds": f"{LONGEST:g}", "patience": f"{patience(device):g}"}
    if heard.online is False:
        return Finding(what, Verdict.BAD, Said("device.offline"), Said("device.offline.todo"))
    if heard.why is not None:
        known = Verdict.DOUBTFUL if heard.online is None else Verdict.GOOD
        todo = None if heard.online else Said("device.silent.todo")
        said = Said("device.online" if heard.online else "device.silent", {"why": _mute(device, heard.why)})
        return Finding(what, known, said, todo)
    if heard.answer is None and patience(device) > LONGEST:
        todo = Said("device.slow.todo", {"id": id_})
        return Finding(what, Verdict.DOUBTFUL, Said("device.slow", dict(slow)), todo)
    if heard.answer is None:
        said = Said("device.dumb", {"seconds": f"{patience(device):g}"})
        return Finding(what, Verdict.BAD, said, Said("device.dumb.todo"))
    if any(isinstance(report, UnreadablePayload) for report in heard.answer):
        todo = Said("device.unreadable.todo", {"vendor": device.vendor, "kind": device.kind})
        return Finding(what, Verdict.BAD, Said("device.unreadable"), todo)
    said = Said("device.answers", {"seconds": f"{heard.seconds or 0:.2f}", "reports": heard.answer})
    return Finding(what, Verdict.GOOD, said)


def _mute(device: Device, reason: str) -> Said:
    """Why it was not asked, as `gateway.installation.device_probe` says it."""
    if isinstance(device, DoorDevice) and not device.asked:
        return Said("device.basic")
    return Said("device.unsent") if "did not leave" in reason else Said("device.unasked", {"kind": device.kind})
