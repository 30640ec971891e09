"""What is dropped when more arrives than is read: one topic's flood costs no other's message, and never the stop."""

from gateway.mqtt.connection import MAX_INBOUND_PAYLOAD_BYTES
from gateway.mqtt.inbound_limits import ReceiveQueue
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.rate_limits import TOPIC_LIMITS
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

MAX_WAITING_SCANS = int(TOPIC_LIMITS[OverflowPolicy.DROP_AND_COUNT].max_waiting)
MAX_WAITING_REPORTS = int(TOPIC_LIMITS[OverflowPolicy.DROP_AND_QUERY].max_waiting)


def message(topic: str, payload: bytes = b"x") -> InboundMessage:
    return InboundMessage(topic=topic, payload=payload, retain=False, session=1)


def subscriptions(**policies: OverflowPolicy) -> list[Subscription]:
    return [Subscription(topic=topic, wants_retained=False, overflow=policy) for topic, policy in policies.items()]


def test_a_flood_of_scans_drowns_neither_reports_nor_the_owners_stop() -> None:
    missed: list[str] = []
    inbox = ReceiveQueue(
        subscriptions(scan=OverflowPolicy.DROP_AND_COUNT, stop=OverflowPolicy.KEEP, lock=OverflowPolicy.DROP_AND_QUERY),
        on_missed=missed.append,
        max_payload_bytes=MAX_INBOUND_PAYLOAD_BYTES,
    )
    for _ in range(MAX_WAITING_SCANS + 100):
        inbox.put(message("scan"))
    inbox.put(message("lock", b"locked"))
    inbox.put(message("stop", b"stop"))
    waiting = list(iter(inbox.take, None))
    assert [m.payload for m in waiting[:2]] == [b"stop", b"locked"]
    inbox.put(message("scan"))  # there is room again
    assert missed == ["scan"] * 100


def test_a_flood_of_offers_costs_no_scan() -> None:
    missed: list[str] = []
    inbox = ReceiveQueue(
        subscriptions(scan=OverflowPolicy.DROP_AND_COUNT, offer=OverflowPolicy.DROP_AND_COUNT),
        on_missed=missed.append,
        max_payload_bytes=MAX_INBOUND_PAYLOAD_BYTES,
    )
    for topic in (*["offer"] * (MAX_WAITING_SCANS + 1), "scan"):
        inbox.put(message(topic))
    assert missed == ["offer"]


def test_a_flood_of_one_devices_reports_costs_no_other_device_a_report() -> None:
    missed: list[str] = []
    inbox = ReceiveQueue(
        subscriptions(lock=OverflowPolicy.DROP_AND_QUERY, fridge=OverflowPolicy.DROP_AND_QUERY),
        on_missed=missed.append,
        max_payload_bytes=MAX_INBOUND_PAYLOAD_BYTES,
    )
    for topic in (*["fridge"] * (MAX_WAITING_REPORTS + 5), "lock"):
        inbox.put(message(topic))
    assert missed == ["fridge"] * 5


def test_reports_that_overflow_are_said_to_be_missed_and_the_owners_stop_never_is() -> None:
    missed: list[str] = []
    inbox = ReceiveQueue(
        subscriptions(stop=OverflowPolicy.KEEP, lock=OverflowPolicy.DROP_AND_QUERY),
        on_missed=missed.append,
        max_payload_bytes=MAX_INBOUND_PAYLOAD_BYTES,
    )
    for _ in range(MAX_WAITING_REPORTS + 1):
        inbox.put(message("lock"))
        inbox.put(message("stop"))
    assert missed == ["lock"]
