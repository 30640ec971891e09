"""Exceptions of every kind while the guard reads what both brokers carry: the message ends, the guard goes on."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from gateway.integrations.lock_guard import process
from gateway.integrations.lock_guard.process import GuardProcess
from gateway.protocol import guard_message
from tests.gateway.integrations.lock_guard.yard import LOCK, guard_testbed
from tests.raising import ARBITRARY_EXCEPTIONS
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


async def test_whatever_a_message_raises_the_guard_opens_for_the_next_signed_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds, opened, decoded = (
        itertools.cycle(ARBITRARY_EXCEPTIONS),
        guard_message.verify_guard_message,
        GuardProcess._decode,  # noqa: SLF001 - where faults are thrown in
    )
    raised = 0

    def throw() -> None:
        nonlocal raised
        raised += 1
        kind = next(kinds)
        raise kind()

    def from_house(payload: bytes, *more: Any) -> Any:  # noqa: ANN401 - its own
        if payload.startswith(b"poison"):
            throw()
        return opened(payload, *more)

    def from_radio(self: GuardProcess, part: Any, channel: Any, incoming: Any) -> Any:  # noqa: ANN401 - its own
        if incoming.payload.startswith(b"poison"):
            throw()
        return decoded(self, part, channel, incoming)

    monkeypatch.setattr(process, "verify_guard_message", from_house)
    monkeypatch.setattr(GuardProcess, "_decode", from_radio)
    async with guard_testbed(tmp_path) as here, here.guard():
        await here.ready()
        for number in range(len(ARBITRARY_EXCEPTIONS)):
            await here.attacker.say(f"perron/{LOCK}/set", b"poison %d" % number)
        await wait_until(lambda: raised == len(ARBITRARY_EXCEPTIONS))
        await here.unlocks("visit-1")
