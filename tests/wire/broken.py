"""Broken payloads without end: real ones with bytes changed, cut and put in, and bytes that nobody ever sent."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from devices.reports import UnreadablePayload
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix
from devices.vendors.zigbee2mqtt_exposes import read_devices

PAYLOADS = Path(__file__).parents[1] / "devices" / "payloads"
KINDS = (
    "",
    "lock",
    "cover",
    "door",
    "strike",
    "compartment",
    "content",
    "key",
    "camera",
    "scanner",
    "signal",
    "fridge",
    "presence",
    "alarm",
    "parcels",
)
INSERTIONS = (
    b"\x00",
    b"{",
    b"[" * 40,
    b'"',
    b"null",
    b"9" * 5_000,
    b"\xff",
    b"1e999",
    b"true",
    b"\\u0000",
    b'{"state":',
)


def golden_payloads() -> tuple[bytes, ...]:
    """Every golden payload."""
    found = []
    for file in sorted(PAYLOADS.glob("*.json")):
        golden = json.loads(file.read_text(encoding="utf-8"))
        for entry in golden["reports"] + golden["commands"]:
            if "payload" in entry:
                found.append(json.dumps(entry["payload"]).encode())
            else:
                found.append(entry["text"].encode())
    return tuple(found)


def _device_refs() -> Iterator[DeviceRef]:
    """Nothing, something, and every golden device."""
    yield from (DeviceRef(), DeviceRef("a/b"))
    for file in sorted(PAYLOADS.glob("*.json")):
        golden = json.loads(file.read_text(encoding="utf-8"))
        yield DeviceRef(golden["address"], golden.get("keys", {}))


DEVICE_REFS = tuple(_device_refs())


def broken_payloads(rng: random.Random) -> Iterator[bytes]:
    """Bytes that may be anything; one in eight was never near a device."""
    known = golden_payloads()
    while True:
        if rng.randrange(8) == 0:
            yield rng.randbytes(rng.randrange(64))
            continue
        broken = bytearray(rng.choice(known)) or bytearray(b"0")
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(broken) + 1)
            match rng.randrange(3):
                case 0:
                    broken[at : at + 1] = bytes((rng.randrange(256),))
                case 1:
                    del broken[at : at + rng.randint(1, 8)]
                case _:
                    broken[at:at] = rng.choice(INSERTIONS)
        yield bytes(broken)


def read_broken_payloads(seed: int, number: int) -> int:
    """Let every vendor read so many payloads in all, as reports and as commands; how many were readable.

    Raises:
        AssertionError: a complaint is none that may be logged.
    """
    rng = random.Random(seed)
    readable = 0
    channels = tuple(TopicSuffix)
    for payload in islice(broken_payloads(rng), -(-number // len(VENDORS))):
        channel, device_ref = rng.choice(channels), replace(rng.choice(DEVICE_REFS), kind=rng.choice(KINDS))
        for vendor in VENDORS.values():
            command = vendor.decode_command(channel, payload, device_ref)
            said = (*vendor.decode_report(channel, payload, device_ref), command)
            complaints = [one.why for one in said if isinstance(one, UnreadablePayload)]
            assert all(why.isprintable() and 0 < len(why) < 120 for why in complaints), complaints
            readable += len(complaints) < len(said)
    return readable


def read_broken_lists(seed: int, number: int) -> None:
    """Let the reader of a bridge's devices read so many broken lists."""
    rng = random.Random(seed)
    whole = (PAYLOADS / "bridges" / "zigbee2mqtt_devices.json").read_bytes()
    for _ in range(number):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            broken[rng.randrange(len(broken))] = rng.choice(b'{}[]",:0tfn\x00\xff')
        read_devices(bytes(broken[: rng.randint(1, len(broken))] if rng.randrange(4) == 0 else broken))
