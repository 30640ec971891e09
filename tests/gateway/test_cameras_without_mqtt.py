"""A whole delivery filmed by cameras that have no MQTT, one behind an account: nobody but libav ever learns it."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from rich.console import Console

from devices.simulators.house import CameraPlan
from gateway.cli import doctor
from gateway.demo.plan import Plan
from gateway.equipment import CameraDevice
from tests.foreign import ForeignCamera, foreign_camera
from tests.whole_house import playing

pytestmark = pytest.mark.slow

USER, SECRET = "perron", "zK7/q:W@4#hunter Ü2"


def spellings() -> tuple[bytes, ...]:
    """How the secret may be written without being less of one."""
    spelt = (SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), repr(SECRET)[1:-1])
    basic = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
    return tuple({text.encode() for text in (*spelt, basic, SECRET.encode("unicode_escape").decode())})


def without_mqtt(plan: Plan, front: ForeignCamera, account: Path) -> Plan:
    """The doorbell is a foreign camera behind an account; the one in the hall is a restream of Frigate's."""
    devices = dict(plan.home.devices)
    doorbell, hall = devices["doorbell"], devices["hall-camera"]
    assert isinstance(doorbell, CameraDevice)
    assert isinstance(hall, CameraDevice)
    bare = {"address": "", "clock_region": None}
    devices["doorbell"] = doorbell.model_copy(
        update={"vendor": "rtsp", "url": front.url, "credentials_file": account, **bare}
    )
    devices["hall-camera"] = hall.model_copy(update={"vendor": "frigate", **bare})
    house = {name: one for name, one in plan.house.devices.items() if name != "doorbell"}
    assert any(isinstance(one, CameraPlan) for one in house.values())
    return replace(
        plan,
        home=plan.home.model_copy(update={"devices": devices}),
        house=plan.house.model_copy(update={"devices": house}),
    )


def processes() -> Iterator[tuple[str, bytes]]:
    """What anybody who may look sees of every process: its command line and its environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            for what in ("cmdline", "environ"):
                try:
                    yield f"{folder}/{what}", (folder / what).read_bytes()
                except OSError:  # it has ended, or is not ours to see
                    continue


async def test_a_delivery_is_filmed_and_the_camera_s_account_is_seen_nowhere(tmp_path: Path) -> None:
    account = tmp_path.with_name(f"{tmp_path.name}.login")
    account.write_text(f"{USER}:{SECRET}\n", encoding="utf-8")
    account.chmod(0o600)
    told = Console(file=(tmp_path / "doctor.txt").open("w", encoding="utf-8"), width=300)
    seen = []
    with foreign_camera(user=USER, password=SECRET, sound="pcma") as front:
        async with playing(tmp_path, lambda plan: without_mqtt(plan, front, account)) as play:
            parcels = await play.promised()
            await play.courier.arrives()
            await play.courier.scans(parcels.codes[0])
            await play.courier.scans(parcels.courier_code)
            await play.rung()
            await play.may_enter()
            await play.courier.goes_in()
            seen = list(processes())
            await doctor.report(play.plan.home, told)
            front.off()  # in the middle of the visit: what is then told and logged is looked at too
            account.write_text(f"{USER}:{SECRET}x\n", encoding="utf-8")
            front.on()
            await play.comes_out()
    told.file.close()
    seen_nowhere(tmp_path, seen)


def seen_nowhere(folder: Path, seen: list[tuple[str, bytes]]) -> None:
    """Neither in what processes show nor in anything that lies in the folder: store, log, films, proofs."""
    assert "640x360" in (folder / "doctor.txt").read_text(encoding="utf-8"), "the doctor saw it too"
    assert any(b"gateway.video" in line for _, line in seen), "the video process was looked at"
    films = [path for path in folder.rglob("*.mp4") if path.stat().st_size > 10_000]
    assert any("doorbell" in film.name for film in films)
    assert "refuses the user or the password" in (folder / "gateway.log").read_text(encoding="utf-8")
    for text in spellings():
        assert [where for where, line in seen if text in line] == []
        assert [str(path) for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()] == []
