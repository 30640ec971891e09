import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, encode_basic_auth
from yarl import URL

from tests.peers.authentication import Account, Scheme
from tests.peers.client import Clock, LostError, open_session
from tests.peers.line import serve
from tests.peers.strike import Fault
from tests.peers.twon import (
    CAPS,
    CTRL,
    GRANT_ACCESS,
    INFO,
    INTERCOM,
    LOG_CAPS,
    OWNER,
    PULL,
    READER,
    RESIDENT,
    STATUS,
    SUBSCRIBE,
    SYSTEM_STATUS,
    UNSUBSCRIBE,
    Intercom,
    Make,
    create_app,
)
from tests.peers.twon_switch import SwitchMake
from tests.waiting import wait_until

QUICK = Make(switches={1: SwitchMake(on_s=0.1), 2: SwitchMake(mode="bistable"), 3: SwitchMake(enabled=False)})
SLOW = Make()  # its first switch is on for longer than a test


class House:
    """An intercom that listens, and clients of it."""

    def __init__(self, url: URL, intercom: Intercom, clock: Clock) -> None:
        self.url, self.intercom, self.clock = url, intercom, clock
        self.sessions: dict[Account | None, ClientSession] = {}

    def client(self, account: Account | None = OWNER) -> ClientSession:
        if account not in self.sessions:
            self.sessions[account] = open_session(self.url, account)
        return self.sessions[account]

    async def ask(
        self, path: str, named: Mapping[str, object] | None = None, *, by: Account | None = OWNER, **more: object
    ) -> dict[str, Any]:
        parameters = {name: str(value) for name, value in {**(named or {}), **more}.items()}
        async with self.client(by).get(path, params=parameters) as answer:
            said: dict[str, Any] = await answer.json()
            return said

    async def error(
        self, path: str, named: Mapping[str, object] | None = None, *, by: Account | None = OWNER, **more: object
    ) -> tuple[int, str | None]:
        said = await self.ask(path, {**(named or {}), **more}, by=by)
        assert said["success"] is False
        assert said["error"]["description"]
        return said["error"]["code"], said["error"].get("param")

    async def order(self, action: str, switch: int = 1, **more: object) -> bool:
        said = await self.ask(CTRL, {"switch": switch, "action": action, **more})
        assert said == {"success": True} or said["error"]["code"] == 14
        succeeded: bool = said["success"]
        return succeeded

    async def switch(self, number: int = 1) -> tuple[bool, bool, bool]:
        [one] = (await self.ask(STATUS, switch=number))["result"]["switches"]
        assert one["switch"] == number
        return one["active"], one["locked"], one["held"]

    async def subscribe(self, *, by: Account = OWNER, **parameters: object) -> int:
        number: int = (await self.ask(SUBSCRIBE, parameters, by=by))["result"]["id"]
        return number

    async def pull(self, number: int, timeout: int = 0, *, by: Account = OWNER) -> list[dict[str, Any]]:  # noqa: ASYNC109 - the wire's own parameter
        events: list[dict[str, Any]] = (await self.ask(PULL, by=by, id=number, timeout=timeout))["result"]["events"]
        return events


@asynccontextmanager
async def listening(make: Make = QUICK) -> AsyncIterator[House]:
    clock = Clock()
    app = create_app(make, clock=clock, utc=lambda: clock() + 1_000_000)
    async with serve(app) as url:
        house = House(url, app[INTERCOM], clock)
        try:
            yield house
        finally:
            for session in house.sessions.values():
                await session.close()


async def test_without_credentials_it_answers_401_with_code_9_and_offers_digest_alone() -> None:
    async with listening() as house, house.client(None).get(INFO) as answer:
        assert answer.status == 401
        assert [one.split()[0] for one in answer.headers.getall("WWW-Authenticate")] == ["Digest"]
        said = {"success": False, "error": {"code": 9, "description": "authorization required"}}
        assert await answer.json() == said


async def test_basic_where_digest_is_set_gets_code_8() -> None:
    basic = {"Authorization": encode_basic_auth(OWNER.name, OWNER.password)}
    async with listening() as house, house.client(None).get(INFO, headers=basic) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == 8
    async with listening(Make(scheme=Scheme.BASIC)) as house, house.client(None).get(INFO, headers=basic) as answer:
        assert (await answer.json())["success"] is True


async def test_a_wrong_password_gets_code_9() -> None:
    async with listening() as house:
        assert await house.error(INFO, by=Account(OWNER.name, "wrong")) == (9, None)
        assert house.intercom.asked[-1].user is None


async def test_info_needs_no_privilege_and_the_system_s_status_does() -> None:
    async with listening() as house:
        assert (await house.ask(INFO, by=READER))["result"]["serialNumber"] == "00-0000-0005"
        assert await house.error(SYSTEM_STATUS, by=READER) == (10, None)
        house.clock.now += 42.5
        assert (await house.ask(SYSTEM_STATUS))["result"] == {"systemTime": 1_001_042, "upTime": 42}


async def test_plain_http_is_refused_where_tls_is_needed() -> None:
    async with listening(Make(needs_tls=True)) as house:
        assert await house.error(INFO) == (7, None)


async def test_what_the_manual_has_and_this_does_not_differs_from_nonsense() -> None:
    async with listening() as house:
        assert await house.error("/api/camera/caps") == (1, None)
        assert await house.error("/api/switch/frobnicate") == (1, None)
        assert await house.error("/api/nonsense/caps") == (2, None)
        async with house.client().put(CTRL) as answer:
            assert (await answer.json())["error"]["code"] == 3


async def test_a_reader_may_look_and_not_touch() -> None:
    async with listening() as house:
        assert (await house.ask(STATUS, by=READER))["success"]
        assert await house.error(CTRL, by=READER, switch=1, action="on") == (10, None)
        assert house.intercom.orders == []
        assert house.intercom.strikes[1].log == []


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"action": "on"}, (11, "switch")),
        ({"switch": 1}, (11, "action")),
        ({"switch": 9, "action": "on"}, (12, "switch")),
        ({"switch": "one", "action": "on"}, (12, "switch")),
        ({"switch": 1, "action": "open"}, (12, "action")),
        ({"switch": 1, "action": "hold", "timeout": 0}, (12, "timeout")),
        ({"switch": 1, "action": "hold", "timeout": 86_401}, (12, "timeout")),
    ],
)
async def test_an_order_that_says_too_little_or_nonsense(parameters: dict[str, object], error: tuple[int, str]) -> None:
    async with listening() as house:
        assert await house.error(CTRL, parameters) == error
        assert house.intercom.orders == []


async def test_an_order_by_post_counts_as_well() -> None:
    async with listening(SLOW) as house:
        async with house.client().post(CTRL, data={"switch": "1", "action": "on"}) as answer:
            assert await answer.json() == {"success": True}
        assert await house.switch() == (True, False, False)


async def test_capabilities_tell_how_the_switches_are_set_up() -> None:
    async with listening(SLOW) as house:
        assert (await house.ask(CAPS))["result"]["switches"] == [
            {"switch": 1, "enabled": True, "mode": "monostable", "type": "normal", "switchOnDuration": 5.0},
            {"switch": 2, "enabled": True, "mode": "bistable", "type": "normal"},
            {"switch": 3, "enabled": False},
        ]


@pytest.mark.parametrize("action", ["on", "trigger"])
async def test_a_monostable_switch_goes_off_by_itself_and_the_strike_follows(action: str) -> None:
    async with listening() as house:
        assert await house.order(action)
        assert house.intercom.strikes[1].is_released
        house.clock.now += 3
        await wait_until(lambda: not house.intercom.strikes[1].is_released)
        assert [(one.at, one.released) for one in house.intercom.strikes[1].log] == [(1000.0, True), (1003.0, False)]
        assert await house.switch() == (False, False, False)


async def test_a_bistable_switch_is_toggled() -> None:
    async with listening() as house:
        assert await house.order("trigger", 2)
        assert await house.switch(2) == (True, False, False)
        assert await house.order("trigger", 2)
        assert await house.switch(2) == (False, False, False)


async def test_a_locked_switch_is_off_and_cannot_be_switched_on() -> None:
    async with listening(SLOW) as house:
        assert await house.order("on")
        assert await house.order("lock")
        assert await house.switch() == (False, True, False)
        assert not await house.order("on")
        assert not await house.order("trigger")
        assert await house.order("off")
        assert await house.order("unlock")
        assert await house.switch() == (False, False, False)


async def test_unlocking_what_is_not_locked_leaves_it_on() -> None:
    async with listening(SLOW) as house:
        assert await house.order("on")
        assert await house.order("unlock")
        assert await house.order("release")
        assert await house.switch() == (True, False, False)


async def test_a_held_switch_is_on_until_released_and_locked_wins() -> None:
    async with listening() as house:
        assert await house.order("hold")
        assert not await house.order("off")
        assert await house.order("on")
        assert await house.switch() == (True, False, True)
        assert await house.order("lock")
        assert await house.switch() == (False, True, True)
        assert await house.order("unlock")
        assert await house.switch() == (True, False, True)
        assert await house.order("release")
        assert await house.switch() == (False, False, False)


async def test_a_hold_ends_after_its_time() -> None:
    async with listening() as house:
        assert await house.order("hold", timeout=1)
        assert await house.switch() == (True, False, True)
        await wait_until(lambda: not house.intercom.switches[1].active)
        assert not house.intercom.switches[1].held


async def test_a_disabled_switch_obeys_nothing() -> None:
    async with listening() as house:
        assert not any([await house.order(action, 3) for action in ("on", "off", "lock", "hold")])


async def test_an_answer_of_one_s_own() -> None:
    said = {"switch": "1", "action": "on", "response": "DONE"}
    async with listening() as house, house.client().get(CTRL, params=said) as answer:
        assert await answer.text() == "DONE"


async def test_a_dead_strike_stays_though_success_and_event_say_otherwise() -> None:
    async with listening(SLOW) as house:
        house.intercom.strikes[1].fault = Fault.DEAD
        channel = await house.subscribe()
        assert await house.order("on")
        [event] = await house.pull(channel)
        assert event["params"] == {"switch": 1, "state": True, "originator": "api"}
        assert house.intercom.strikes[1].log == []


async def test_a_long_poll_ends_with_the_first_event() -> None:
    async with listening() as house:
        channel = await house.subscribe(filter="KeyPressed,CallStateChanged")
        waiting = asyncio.create_task(house.pull(channel, 20))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        house.clock.now += 7
        house.intercom.press("%1")
        [pressed] = await waiting
        house.intercom.call("ringing")
        [ringing] = await house.pull(channel)
        assert pressed == {
            "id": 2,
            "tzShift": 60,
            "utcTime": 1_001_007,
            "upTime": 7,
            "event": "KeyPressed",
            "params": {"key": "%1"},
        }
        assert (ringing["event"], ringing["params"]["state"]) == ("CallStateChanged", "ringing")
        assert await house.pull(channel) == []


async def test_a_long_poll_without_an_event_ends_empty() -> None:
    async with listening() as house:
        async with asyncio.timeout(5):
            assert await house.pull(await house.subscribe(), 1) == []


async def test_a_batch_has_128_events_and_none_is_lost_or_twice() -> None:
    async with listening() as house:
        channel = await house.subscribe(filter="CallStateChanged")
        for number in range(300):
            house.intercom.call("ringing", call=number)
        batches = [await house.pull(channel, 5) for _ in range(3)]
        assert [len(batch) for batch in batches] == [128, 128, 44]
        assert [event["params"]["call"] for batch in batches for event in batch] == list(range(300))


async def test_what_was_before_comes_along_as_included() -> None:
    async with listening() as house:
        house.clock.now += 100
        house.intercom.press()
        assert await house.pull(await house.subscribe()) == []
        recent = await house.pull(await house.subscribe(include="-50"))
        assert [event["event"] for event in recent] == ["KeyPressed", "KeyReleased"]
        everything = await house.pull(await house.subscribe(include="all"))
        assert [event["id"] for event in everything] == [1, 2, 3]
        assert everything[0]["params"] == {"state": "startup"}


async def test_events_need_their_privilege() -> None:
    async with listening() as house:
        channel = await house.subscribe(by=READER, include="all")
        house.intercom.press()
        assert await house.order("on")
        assert [event["event"] for event in await house.pull(channel, by=READER)] == ["DeviceState"]


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"include": "old"}, "include"),
        ({"include": "-"}, "include"),
        ({"duration": 9}, "duration"),
        ({"duration": 3601}, "duration"),
        ({"filter": "KeyPressed,Nonsense"}, "filter"),
    ],
)
async def test_a_subscription_to_nonsense_is_refused(parameters: dict[str, object], param: str) -> None:
    async with listening() as house:
        assert await house.error(SUBSCRIBE, parameters) == (12, param)
        assert house.intercom.channels == 0


async def test_an_unknown_event_in_a_filter_may_be_ignored() -> None:
    async with listening(Make(unknown_filter="ignored")) as house:
        channel = await house.subscribe(filter="KeyPressed,Nonsense", include="all")
        house.intercom.press()
        assert [event["event"] for event in await house.pull(channel)] == ["KeyPressed"]


async def test_every_event_of_the_capabilities_can_be_subscribed_to() -> None:
    async with listening() as house:
        names = (await house.ask(LOG_CAPS))["result"]["events"]
        assert await house.subscribe(filter=",".join(names)) > 0


async def test_an_unknown_or_closed_channel_is_an_error() -> None:
    async with listening() as house:
        channel = await house.subscribe()
        assert (await house.ask(UNSUBSCRIBE, id=channel)) == {"success": True}
        for path in (PULL, UNSUBSCRIBE):
            assert await house.error(path, id=channel) == (12, "id")
            assert await house.error(path) == (11, "id")


async def test_a_channel_lapses_unless_it_is_pulled() -> None:
    async with listening() as house:
        kept, left = await house.subscribe(duration=60), await house.subscribe(duration=60)
        house.clock.now += 40
        assert await house.pull(kept) == []
        house.clock.now += 40
        assert await house.pull(kept) == []
        assert await house.error(PULL, id=left) == (12, "id")


async def test_who_never_unsubscribes_has_no_channel_left() -> None:
    async with listening(Make(max_channels=2)) as house:
        await house.subscribe()
        await house.subscribe()
        assert await house.error(SUBSCRIBE) == (14, None)


async def test_a_reader_that_left_takes_no_event_along() -> None:
    async with listening() as house:
        channel = await house.subscribe(filter="KeyPressed")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await house.pull(channel, 30)
        await asyncio.sleep(0.1)
        house.intercom.press()
        assert [event["event"] for event in await house.pull(channel, 5)] == ["KeyPressed"]


async def test_a_reboot_loses_subscriptions_and_counts_anew() -> None:
    async with listening() as house:
        channel = await house.subscribe()
        house.clock.now += 500
        house.intercom.press()
        waiting = asyncio.create_task(house.pull(await house.subscribe(), 30))
        await asyncio.sleep(0.1)
        house.intercom.reboot()
        with pytest.raises(LostError):
            await waiting
        assert await house.error(PULL, id=channel) == (12, "id")
        house.clock.now += 3
        house.intercom.press()
        events = await house.pull(await house.subscribe(include="all"))
        assert [(event["id"], event["upTime"], event["event"]) for event in events] == [
            (1, 0, "DeviceState"),
            (2, 3, "KeyPressed"),
            (3, 3, "KeyReleased"),
        ]


async def test_a_reboot_ends_the_current_and_keeps_lock_and_hold() -> None:
    async with listening(SLOW) as house:
        assert await house.order("on")
        assert await house.order("hold", 2)
        house.intercom.power_off()
        assert not house.intercom.strikes[2].is_released
        with pytest.raises(LostError):
            await house.switch()
        house.intercom.power_on()
        assert await house.switch(1) == (False, False, False)
        assert await house.switch(2) == (True, False, True)
        assert house.intercom.strikes[2].is_released


async def test_access_is_granted_to_a_known_user_at_a_known_point() -> None:
    async with listening(SLOW) as house:
        channel = await house.subscribe()
        granted = await house.ask(GRANT_ACCESS, id=0, user=RESIDENT)
        assert granted["result"] == {"accessGranted": True}
        asked, switched = await house.pull(channel)
        assert (asked["event"], asked["params"]["valid"]) == ("ApiAccessRequested", True)
        assert switched["params"] == {"switch": 1, "state": True, "originator": "ap"}
        assert house.intercom.strikes[1].is_released


async def test_access_is_refused_with_its_reason_and_nothing_moves() -> None:
    async with listening() as house:

        async def reason(point: int, user: str) -> str:
            result = (await house.ask(GRANT_ACCESS, id=point, user=user))["result"]
            assert result["accessGranted"] is False
            word: str = result["reason"]
            return word

        assert await reason(1, RESIDENT) == "invalidAp"
        assert await reason(0, "nobody") == "invalidCredential"
        house.intercom.blocked_access_points.add(0)
        assert await reason(0, RESIDENT) == "accessBlocked"
        assert await house.error(GRANT_ACCESS, user=RESIDENT) == (11, "id")
        assert await house.error(GRANT_ACCESS, id=0) == (11, "user")
        assert await house.error(GRANT_ACCESS, id=2, user=RESIDENT) == (12, "id")
        assert await house.error(GRANT_ACCESS, by=READER, id=0, user=RESIDENT) == (10, None)
        assert house.intercom.strikes[1].log == []


async def test_a_lost_answer_to_an_order_has_moved_the_strike() -> None:
    async with listening(SLOW) as house:
        house.intercom.line.on(CTRL).answers_lost = 1
        with pytest.raises(LostError):
            await house.order("on")
        assert house.intercom.strikes[1].is_released
        assert not house.intercom.asked[-1].answered
