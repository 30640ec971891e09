"""Two boxes of one house: each notices the other, and neither opens what the other may have used."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.mqtt.client import MqttClient
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from gateway.mqtt.session_takeover import MIN_TAKEOVERS, TAKEOVER_PERIOD_S, TakeoverDetector
from tests.whole_house import run_whole_house

TAKEN = "[code:142] Session taken over"


def test_once_or_seldom_may_be_a_restart_that_overlaps() -> None:
    rival = TakeoverDetector()
    assert not any(rival.session_lost(TAKEN, at * TAKEOVER_PERIOD_S) for at in range(2 * MIN_TAKEOVERS))
    assert not any(rival.session_lost("connection lost", 1000.0) for _ in range(2 * MIN_TAKEOVERS))
    assert [rival.session_lost(TAKEN, 2000.0 + n) for n in range(MIN_TAKEOVERS + 1)] == [False] * (
        MIN_TAKEOVERS - 1
    ) + [True] * 2


@pytest.mark.slow
async def test_a_second_box_at_the_same_broker_puts_the_first_into_safe_mode(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path) as play:
        parcels = await play.announce_delivery()
        sessions = iter(range(1, 1000))

        async def session() -> int:
            return next(sessions)

        loop = asyncio.get_running_loop()
        twin = MqttClient(
            broker=play.plan.home.broker,
            subscriptions=(),
            session_number=session,
            on_message=lambda _message: None,
            on_up=lambda _session: None,
            on_down=lambda _why: None,
            on_missed=lambda _topic: None,
            monotonic=loop.time,
            birth_and_will=GATEWAY_BIRTH_AND_WILL,
        )
        running = asyncio.create_task(twin.run())
        try:
            await play.watch.wait_until("safe mode", lambda: play.watch.state.get("safe_mode") is True, within=60)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        good = ("connected", "locked", "closed", "safe_mode")
        await play.watch.wait_until("connected", lambda: all(play.watch.state.get(one) for one in good), within=60)
        play.watch.mark_seen()
        await play.scan_codes(parcels)
        await play.wait_for_refusal(Refusal.NOT_READY)
        assert "another_box" in (play.stage.folder / "gateway.log").read_text(encoding="utf-8")
