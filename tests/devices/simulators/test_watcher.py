"""Cameras as devices: their link, their bell, and what becomes of their pictures."""

import asyncio
from pathlib import Path

import pytest

from devices.reports import AvailabilityReport, DoorbellPressed, MotionReport, StreamReport
from devices.simulators.control import Arrive, HideLabel, Impossible, Leave, PressBell, ReadState, SetLink, ShowLabel
from tests.devices.street import HouseClient, connected_house

pytestmark = pytest.mark.slow
DOORBELL = {
    "kind": "camera", "vendor": "alexa", "address": "doorbell-1", "sees": "outside", "bell": True,
    "width": 320, "height": 180, "fps": 10,
}  # fmt: skip
HALL = {**DOORBELL, "address": "hall-1", "sees": "inside", "bell": False, "scene": "static_hall"}


async def stream(there: HouseClient, device: str = "doorbell") -> str:
    state = await there.house.ask(ReadState())
    assert isinstance(state["devices"], dict)
    return str(state["devices"][device]["stream"])


async def described(uri: str) -> int:
    """RTSP's answer to DESCRIBE."""
    host, _, port = uri.removeprefix("rtsp://").partition("/")[0].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"DESCRIBE {uri} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_a_camera_says_where_its_stream_is_and_it_is_there(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"doorbell": DOORBELL}) as there:
        uri = await stream(there)
        number = await there.question("doorbell")
        await there.until(lambda said: said.correlation == number and StreamReport(uri=uri) in said.reports)
        await there.until_said("doorbell", AvailabilityReport(online=True))
        assert await described(uri) == 200


async def test_a_camera_without_its_link_has_no_pictures(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"doorbell": DOORBELL}) as there:
        uri = await stream(there)
        await there.house.ask(SetLink(device="doorbell", up=False))
        await there.until_said("doorbell", AvailabilityReport(online=False))
        assert await described(uri) == 404
        await there.house.ask(SetLink(device="doorbell", up=True))
        await there.house.until_connected()
        assert await described(uri) == 200


async def test_the_bell_rings_at_the_camera_that_has_one(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"doorbell": DOORBELL, "hall-camera": HALL}) as there:
        await there.house.ask(PressBell())
        await there.until_said("doorbell", DoorbellPressed())
        with pytest.raises(Impossible, match="no bell"):
            await there.house.ask(PressBell(camera="hall-camera"))


async def test_each_camera_sees_its_side_of_the_door(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"doorbell": DOORBELL, "hall-camera": HALL}) as there:
        await there.house.ask(Arrive())
        await there.until_said("doorbell", MotionReport(detected=True))
        await there.house.ask(Leave())
        await there.until_said("doorbell", MotionReport(detected=False))
        assert not [said for said in there.said if said.device == "hall-camera" and said.channel == "event"]


async def test_a_label_can_be_held_before_a_camera_and_its_faults_switched(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"doorbell": DOORBELL}) as there:
        await there.house.ask(ShowLabel(camera="doorbell", code="8L20524752032"))
        await there.house.ask(HideLabel(camera="doorbell"))
        for fault in ("frozen", "black", "stall", "stuck_timestamps", "garbled"):
            await there.fault("doorbell", fault)
            await there.fault("doorbell", "reset")
            await there.fault("doorbell", fault, on=False)
        with pytest.raises(Impossible, match="frozen"):
            await there.fault("doorbell", "blind")
