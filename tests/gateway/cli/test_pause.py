"""`perron pause` at a terminal, with a stand-in for the gateway at a real broker."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.pause import end_pause, list_pauses, pause, plan_pause
from gateway.config.home import Home
from gateway.mqtt.client import ShortSession
from tests.gateway.cli.terminal import account_session, next_message, run_perron

FRONT = "perron/entrance/front"
BRIDGE = "perron/bridge/state"


async def obeying(box: ShortSession, wishes: list[dict[str, Any]], why: str | None) -> None:
    """Stand in for the gateway: answers each wish, after somebody else's answer."""
    while True:
        wish = json.loads((await box.receive()).payload)
        wishes.append(wish)
        for ident in ("somebody-else", wish["id"]):
            accepted = why is None and ident == wish["id"]
            body = {"kind": "wish", "id": ident, "accepted": accepted, "why": why}
            box.publish(f"{FRONT}/event", json.dumps(body).encode())


@contextlib.asynccontextmanager
async def standing_in(home: Home, why: str | None = None) -> AsyncIterator[list[dict[str, Any]]]:
    wishes: list[dict[str, Any]] = []
    async with account_session(home, "gateway", f"{FRONT}/set") as box:
        task = asyncio.create_task(obeying(box, wishes, why))
        try:
            yield wishes
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def asked(wish: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wish.items() if name != "id"}


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_pause_in_the_house_s_own_time_is_asked_for_and_its_answer_awaited(home: Home) -> None:
    async with standing_in(home) as wishes:
        told = await plan_pause(home, "front", start="2026-11-28 18:00", end="2026-11-29T02:00")
        assert told == "front: no deliveries from Sat 28 Nov 2026, 18:00 to Sun 29 Nov 2026, 02:00"
        assert (await plan_pause(home, None, start="now", end="+2h")).startswith(
            "all entrances: no deliveries from now on to"
        )
        assert await end_pause(home, "3f2a9c1e") == "Pause 3f2a9c1e is ended."
    first, second, third = map(asked, wishes)
    assert first == {
        "do": "pause", "start": "2026-11-28T17:00:00.000Z", "end": "2026-11-29T01:00:00.000Z", "everywhere": False,
    }  # fmt: skip
    assert set(second) == {"do", "end", "everywhere"}  # the box's own clock says when now is
    assert second["everywhere"] is True
    assert third == {"do": "end_pause", "pause": "3f2a9c1e"}


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_pause_that_is_none_fails_with_the_box_s_reason(home: Home) -> None:
    async with standing_in(home, why="no pause: overlaps"):
        with pytest.raises(Failure, match="Another pause falls into that time") as caught:
            await plan_pause(home, "front", start="now", end="+2h")
        assert caught.value.code == ExitCode.NEGATIVE
    async with standing_in(home, why="not stored: full"):
        with pytest.raises(Failure, match="The gateway says no: not stored: full"):
            await end_pause(home, "3f2a9c1e")


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_the_pauses_that_stand_are_told_by_a_gateway_that_runs_and_by_no_old_state(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    state = {"pauses": [{"id": "p1", "start": night.isoformat(), "end": (night + timedelta(hours=1)).isoformat()}]}
    async with (
        account_session(home, "gateway") as box,
        account_session(home, "observer", f"{FRONT}/state", BRIDGE) as observer,
    ):
        box.publish(f"{FRONT}/state", json.dumps(state).encode(), retain=True)
        box.publish(BRIDGE, b'{"state":"online"}', retain=True)
        await next_message(observer)
        await next_message(observer)
        first, second = (f"Sun 25 Oct 2026, 02:30 (UTC+0{offset}00)" for offset in (2, 1))
        assert await list_pauses(home) == [f"p1  {first} - {second}  front"]
        box.publish(f"{FRONT}/state", b'{"pauses":[]}', retain=True)
        await next_message(observer)
        assert await list_pauses(home) == ["No pause stands."]
        box.publish(BRIDGE, b'{"state":"offline"}', retain=True)
        await next_message(observer)
        monkeypatch.setattr("gateway.cli.pause.RETAINED_TIMEOUT_S", 0.2)
        with pytest.raises(Failure, match="The gateway does not run"):
            await list_pauses(home)


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ({}, "Say one of --to, --list and --end."),
        ({"until": "+2h", "show": True}, "Say one of --to, --list and --end."),
        ({"until": "tomorrow"}, "'tomorrow': This is no date with a time."),
        ({"until": "2027-03-28 02:30"}, "the clocks are put forward"),
        ({"start": "yesterday", "until": "+2h"}, "'yesterday': This is no date with a time."),
    ],
)
def test_what_cannot_be_meant_is_told_before_anybody_is_asked(home_file: Path, asks: dict[str, Any], said: str) -> None:
    with pytest.raises(Failure, match=re.escape(said)) as caught:
        pause(home=home_file, **asks)
    assert caught.value.code == ExitCode.INVALID


@pytest.mark.slow
def test_a_mistake_at_the_terminal_is_told_with_what_to_do(home_file: Path) -> None:
    told = run_perron("pause", "cellar", "--to", "+2h", home=home_file)
    assert told.returncode == ExitCode.INVALID
    assert "no entrance 'cellar'. Known: front." in told.stderr
    assert "Traceback" not in told.stderr
