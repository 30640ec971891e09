"""What of a flood is read: the newest of each sensor, so much of each account, all that a lock and the owner say."""

import json

import pytest

from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.topics import TopicMap
from gateway.mqtt.codec import RawMessage
from gateway.mqtt.rate_limits import (
    ACCOUNT_READINGS_PER_S,
    ALL_READINGS_PER_S,
    TOPIC_LIMITS,
    LimitVerdict,
    RateLimits,
)
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

SENSORS = 200


def sensors(account: str | None) -> list[Subscription]:
    return [
        Subscription(topic=f"s/{n}", wants_retained=True, overflow=OverflowPolicy.KEEP_LATEST, account=account)
        for n in range(SENSORS)
    ]


def flood(limits: RateLimits, topics: list[Subscription], *, per_second: float, seconds: float) -> dict[str, list[int]]:
    """Let each topic say numbers that rise, at this rate; what is read of each, in its order."""
    read: dict[str, list[int]] = {one.topic: [] for one in topics}
    spoken = 0
    for number in range(int(per_second * seconds)):
        mono = number / per_second
        for one in topics:
            spoken += 1
            packet = json.dumps({"topic": one.topic, "number": number}).encode()
            match limits.judge(one.topic.encode(), mono):
                case LimitVerdict.READ:
                    read[one.topic].append(number)
                case LimitVerdict.HELD:
                    limits.hold(
                        one.topic.encode(), RawMessage(one.topic.encode(), retain=False, packet_id=0, rest=packet)
                    )
                case LimitVerdict.DROPPED | LimitVerdict.IGNORED:
                    pass
        for held in limits.take_due(mono):
            body = json.loads(held.rest)
            read[body["topic"]].append(body["number"])
    return read


@pytest.mark.parametrize("account", ["zigbee2mqtt", None])
def test_two_hundred_sensors_at_five_a_second_are_each_read_in_turn_and_never_out_of_order(account: str | None) -> None:
    topics, seconds = sensors(account), 60.0
    read = flood(RateLimits(topics), topics, per_second=5, seconds=seconds)
    rate = ALL_READINGS_PER_S if account is None else ACCOUNT_READINGS_PER_S
    total = sum(map(len, read.values()))
    assert total <= SENSORS + rate * seconds + 1, "each has its stored copy, and then the house's rate holds"
    assert all(numbers == sorted(set(numbers)) for numbers in read.values())
    assert min(map(len, read.values())) >= total / SENSORS - 2, "each in its turn"


def test_the_newest_reading_is_read_when_there_is_room_again() -> None:
    topics = sensors(None)[:1]
    limits = RateLimits(topics)
    read = flood(limits, topics, per_second=25, seconds=2)["s/0"]
    assert len(read) <= TOPIC_LIMITS[OverflowPolicy.KEEP_LATEST].at_once + 3
    assert limits.held_count == 1
    (held,) = limits.take_due(10.0)
    assert json.loads(held.rest)["number"] == 49


def test_an_account_s_flood_costs_another_account_s_sensor_nothing() -> None:
    loud = sensors("zigbee2mqtt")
    quiet = Subscription(topic="other", wants_retained=True, overflow=OverflowPolicy.KEEP_LATEST, account="zwave")
    limits = RateLimits([*loud, quiet])
    flood(limits, loud, per_second=5, seconds=30)
    assert limits.judge(b"other", 30.0) is LimitVerdict.HELD
    limits.hold(b"other", RawMessage(b"other", retain=False, packet_id=0, rest=b"other's"))
    assert RawMessage(b"other", retain=False, packet_id=0, rest=b"other's") in limits.take_due(30.1), "at the next look"


def test_a_scanner_s_garbage_is_dropped_beyond_its_limit_and_the_owner_is_never_limited() -> None:
    scans = Subscription(topic="scan", wants_retained=False, overflow=OverflowPolicy.DROP_AND_COUNT)
    owner = Subscription(topic="set", wants_retained=False, overflow=OverflowPolicy.KEEP, is_urgent=True)
    limits = RateLimits([scans, owner])
    verdicts = [limits.judge(b"scan", number / 10_000) for number in range(10_000)]
    of_scans = TOPIC_LIMITS[OverflowPolicy.DROP_AND_COUNT]
    assert verdicts.count(LimitVerdict.READ) <= of_scans.at_once + of_scans.per_s + 1
    assert set(verdicts) == {LimitVerdict.READ, LimitVerdict.DROPPED}
    assert {limits.judge(b"set", 1.0) for _ in range(10_000)} == {LimitVerdict.READ}


def test_a_bridge_s_sensors_and_buttons_cost_the_lock_behind_it_no_report() -> None:
    bridge = {"vendor": "zigbee2mqtt"}
    home = Home.model_validate(
        {
            "box": "b", "name": "A house",
            "devices": {
                "lock": {"kind": "lock", **bridge, "address": "zigbee2mqtt/lock"},
                "door": {"kind": "door", "vendor": "somfy", "address": "io://1"},
                "cam": {"kind": "camera", "vendor": "rtsp", "address": "", "url": "rtsp://127.0.0.1/c"},
                "scanner": {"kind": "scanner", "vendor": "scanner"},
                "signal": {"kind": "signal", **bridge, "address": "zigbee2mqtt/siren"},
                **{f"f{n}": {"kind": "fridge", **bridge, "address": f"zigbee2mqtt/f{n}"} for n in range(20)},
            },
            "entrances": {
                "front": {
                    "name": "Front", "lock": "lock", "door": "door", "scanners": ["scanner"], "signal": "signal",
                    "cameras": {"outside": "cam", "inside": ["cam"]}, "living_space": False, "way_out_by_hand": True,
                    "places": {"hall": {"name": "Hall"}},
                },
            },
        }
    )  # fmt: skip
    found = {one.topic: one for one in TopicMap(home).subscriptions}
    assert found["zigbee2mqtt/lock"].account is None
    assert found["zigbee2mqtt/bridge/state"].account is None
    assert (found["zigbee2mqtt/siren"].overflow, found["zigbee2mqtt/siren"].account) == (
        OverflowPolicy.DROP_AND_QUERY,
        "zigbee2mqtt",
    )
    assert (found["zigbee2mqtt/f3"].overflow, found["zigbee2mqtt/f3"].account) == (
        OverflowPolicy.KEEP_LATEST,
        "zigbee2mqtt",
    )
    assert found["zigbee2mqtt/f3/availability"].overflow is OverflowPolicy.DROP_AND_QUERY
    assert found["zigbee2mqtt/bridge/logging"].overflow is OverflowPolicy.DROP
    assert found[f"perron/scanner/{TopicSuffix.EVENT}"].overflow is OverflowPolicy.DROP_AND_COUNT
    assert found["perron/entrance/front/set"].is_urgent
    limits = RateLimits(found.values())
    for _ in range(1_000):
        for topic in (b"zigbee2mqtt/siren", *(f"zigbee2mqtt/f{n}/availability".encode() for n in range(20))):
            limits.judge(topic, 0.0)
    at_once = int(TOPIC_LIMITS[OverflowPolicy.DROP_AND_QUERY].at_once)
    verdicts = {limits.judge(b"zigbee2mqtt/lock", 0.0) for _ in range(at_once)}
    assert verdicts == {LimitVerdict.READ}
