"""`perron test`: queries a device several times and prints how long it took; it may lock a lock, never unlock."""

import asyncio
import json
import secrets
from collections.abc import Callable
from statistics import median

from gateway.cli.broker import json_body, open_session, publish, wait_for_message
from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation import records
from gateway.installation.capability import Measurement, device_capabilities
from gateway.installation.device_probe import ProbeKeyUnusable, device_topics, measure_device
from gateway.system.clock import read_clock

LOCK_TIMEOUT_S = 60.0  # for a lock request to end, however slow the lock


async def run_device_test(home: Home, device: str, *, times: int, output: Callable[[str], None]) -> bool:
    """Query a device `times` times and store the measurement; return whether it always answered.

    Raises:
        Failure: the device does not exist or cannot be queried, or the broker is unreachable.
    """
    if device not in home.devices:
        if not home.devices:
            raise Failure("The house has no device yet.", "`perron add ID --kind ...` writes one.")
        raise Failure(f"The house has no device {device!r}. Known: {', '.join(home.devices)}.", "Name one of these.")
    now = read_clock(home.clock).utc
    async with open_session(home.broker.account("installer"), device_topics(home, [device])) as guest:
        with failure_on(ProbeKeyUnusable, "{why}.", "Ask on the box itself, as its own user."):
            found = await measure_device(home, guest, device, count=times, now=now)
    if isinstance(found, str):
        raise Failure(
            f"{device} cannot be measured: {found}.", "The walk test tries it: `perron walk-test`.", ExitCode.NEGATIVE
        )
    for line in measurement_lines(home, device, found):
        output(line)
    with failure_on(OSError, "What was measured cannot be kept ({why}).", "Look at storage.folder."):
        records.store_measurements(home.storage.folder, {device: found})
    return len(found.seconds) == found.asked


def measurement_lines(home: Home, device: str, found: Measurement) -> tuple[str, ...]:
    """Return the measurement, then what the device can promise by it, in the house's language."""
    spread = ""
    if found.seconds:
        fastest, middle, slowest = min(found.seconds), median(found.seconds), max(found.seconds)
        spread = f": {fastest:.2f} s at least, {middle:.2f} s median, {slowest:.2f} s at most"
    first = f"{device}: {len(found.seconds)} of {found.asked} answered{spread}"
    return (first, *(f"- {one.text.to(home.language)}" for one in device_capabilities(home, device, found)))


async def lock_now(home: Home, device: str, *, output: Callable[[str], None]) -> bool:
    """Let the gateway lock this lock, with all its queries; return whether it is proven locked.

    Raises:
        Failure: it is the lock of no entrance, or the gateway does not report a result.
    """
    entrance = next((name for name, section in home.entrances.items() if section.lock == device), None)
    if entrance is None:
        raise Failure(f"{device} is the lock of no entrance.", "Only the gateway moves a lock, at an entrance.")
    loop = asyncio.get_running_loop()
    state = entrance_topic(entrance, "state")
    async with open_session(home.broker.account("owner"), [state]) as guest:
        began = loop.time()
        ident = f"test-{secrets.token_hex(4)}"
        await publish(guest, entrance_topic(entrance, "set"), json.dumps({"id": ident, "do": "lock"}).encode())
        ended = await wait_for_message(
            guest,
            lambda i: i.topic == state and not i.retain and _lock_result(json_body(i)) is not None,
            within=LOCK_TIMEOUT_S,
        )
    if ended is None:
        raise Failure(
            f"What came of it is not known within {LOCK_TIMEOUT_S:g} s.", "Look at the door.", ExitCode.NO_ANSWER
        )
    result = _lock_result(json_body(ended))
    output(f"{device}: {result} after {loop.time() - began:.1f} s")
    return result == "proven"


def _lock_result(body: dict[str, object]) -> str | None:
    """Return the result of the lock request; None before the first request and while one runs."""
    lockup = body.get("lockup")
    return lockup if isinstance(lockup, str) and lockup != "running" else None
