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
from gateway.installation.capability import device_capabilities
from gateway.installation.device_probe import ProbeKeyUnusable, device_topics, measure_device
from gateway.mqtt.client import InboundMessage
from gateway.system.clock import read_clock

LOCK_TIMEOUT_S = 60.0  # for a lock request to end, however slow the lock


async def run_device_test(home: Home, device: str, *, times: int, output: Callable[[str], None]) -> bool:
    """Query a device `times` times and store the measurement; return whether it always answered."""
    if device not in home.devices:
        if not home.devices:
            raise Failure("The house has no device yet.", "`perron add ID --kind ...` writes one.")
        raise Failure(f"The house has no device {device!r}. Known: {', '.join(home.devices)}.", "Name one of these.")
    now = read_clock(home.clock).utc
    async with open_session(home.broker.account("installer"), device_topics(home, [device])) as guest:
        with failure_on(ProbeKeyUnusable, "{why}.", "Ask on the box itself, as its own user."):
            measurement = await measure_device(home, guest, device, count=times, now=now)
    if isinstance(measurement, str):
        what = f"{device} cannot be measured: {measurement}."
        raise Failure(what, "The walk test tries it: `perron walk-test`.", ExitCode.NEGATIVE)
    seconds, spread = measurement.seconds, ""
    if seconds:
        spread = f": {min(seconds):.2f} s at least, {median(seconds):.2f} s median, {max(seconds):.2f} s at most"
    output(f"{device}: {len(seconds)} of {measurement.asked} answered{spread}")
    for capability in device_capabilities(home, device, measurement):
        output(f"- {capability.text.to(home.language)}")
    with failure_on(OSError, "What was measured cannot be kept ({why}).", "Look at storage.folder."):
        records.store_measurements(home.storage.folder, {device: measurement})
    return len(seconds) == measurement.asked


async def lock_now(home: Home, device: str, *, output: Callable[[str], None]) -> bool:
    """Let the gateway lock this lock, with all its queries; return whether it is proven locked."""
    entrance = next((name for name, section in home.entrances.items() if section.lock == device), None)
    if entrance is None:
        raise Failure(f"{device} is the lock of no entrance.", "Only the gateway moves a lock, at an entrance.")
    clock, state = asyncio.get_running_loop().time, entrance_topic(entrance, "state")

    def lock_result(incoming: InboundMessage) -> object:
        """Return the result of the lock request; None before the first request and while one runs."""
        result = None if incoming.topic != state or incoming.retain else json_body(incoming).get("lockup")
        return None if result == "running" else result

    async with open_session(home.broker.account("owner"), [state]) as guest:
        began = clock()
        request = {"id": f"test-{secrets.token_hex(4)}", "do": "lock"}
        await publish(guest, entrance_topic(entrance, "set"), json.dumps(request).encode())
        end = await wait_for_message(guest, lambda incoming: lock_result(incoming) is not None, within=LOCK_TIMEOUT_S)
    if end is None:
        what = f"What came of it is not known within {LOCK_TIMEOUT_S:g} s."
        raise Failure(what, "Look at the door.", ExitCode.NO_ANSWER)
    result = lock_result(end)
    output(f"{device}: {result} after {clock() - began:.1f} s")
    return result == "proven"
