"""A whole delivery filmed by cameras that have no MQTT, one behind an account: nobody but libav ever learns it."""

import asyncio
import base64
import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from devices.simulators.house import CameraPlan
from gateway.demo.plan import DemoPlan
from tests.foreign import ForeignCamera, foreign_camera
from tests.foreign.papers import CertificateFiles, make_certificate
from tests.forkedvideo import BY_EXEC
from tests.forkserver import fork_server
from tests.gateway.cli.terminal import run_perron
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow

USER, SECRET = "perron", "zK7/q:W@4#hunter Ü2"


def spellings() -> tuple[bytes, ...]:
    """How the secret may be written without being less of one."""
    spelt = (SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), repr(SECRET)[1:-1])
    basic = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
    return tuple({text.encode() for text in (*spelt, basic, SECRET.encode("unicode_escape").decode())})


def without_mqtt(
    plan: DemoPlan, front: ForeignCamera, hall: ForeignCamera, account: Path, shows: CertificateFiles
) -> DemoPlan:
    """The doorbell is a foreign camera behind TLS and an account; the one in the hall is a restream of Frigate's."""
    devices = dict(plan.home.devices)
    bare = {"address": "", "clock_region": None}
    doorbell = {"vendor": "rtsp", "url": front.url, "credentials_file": account, "fingerprint": shows.digest, **bare}
    devices["doorbell"] = devices["doorbell"].model_copy(update=doorbell)
    devices["hall-camera"] = devices["hall-camera"].model_copy(update={"vendor": "frigate", "url": hall.url, **bare})
    house = {name: one for name, one in plan.house.devices.items() if not isinstance(one, CameraPlan)}
    return replace(
        plan,
        home=plan.home.model_copy(update={"devices": devices}),
        house=plan.house.model_copy(update={"devices": house}),
    )


def ours() -> set[int]:
    """This test's own processes: those that it or its fork server started, and those that they did.

    The fork server of a worker is a branch of another one (`tests/forkedworkers.py`), so the worker is not its parent.
    """
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = {os.getpid(), fork_server().pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def shown() -> Iterator[tuple[str, bytes]]:
    """What anybody who may look sees of each of them: its command line, its environment, and its limits."""
    for number in ours():
        for what in ("cmdline", "environ", "limits"):
            with contextlib.suppress(OSError):  # it has ended
                yield f"/proc/{number}/{what}", Path(f"/proc/{number}/{what}").read_bytes()


async def test_a_delivery_is_filmed_and_the_camera_s_account_is_seen_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BY_EXEC, "1")
    account = tmp_path.with_name(f"{tmp_path.name}.login")
    account.write_text(f"{USER}:{SECRET}\n", encoding="utf-8")
    account.chmod(0o600)
    seen = []
    shows = make_certificate(account.parent, f"{tmp_path.name}-model", ip=False)
    tls = {"certificate": str(shows.certificate), "key": str(shows.key)}
    with foreign_camera(user=USER, password=SECRET, sound="pcma", **tls) as front, foreign_camera(sound="aac") as hall:
        async with run_whole_house(tmp_path, lambda plan: without_mqtt(plan, front, hall, account, shows)) as play:
            parcels = await play.announce_delivery()
            await play.courier.does("arrive")
            await play.courier.scans(parcels.codes[0])
            await play.courier.scans(parcels.courier_code)
            await play.wait_for_ringing()
            await play.wait_for_unlocked()
            await play.courier.goes_in()
            seen = list(shown())
            doctor = await asyncio.to_thread(run_perron, "doctor", home=tmp_path / "home.yaml")
            (tmp_path / "doctor.txt").write_text(doctor.stdout, encoding="utf-8")
            front.off()  # in the middle of the visit: what is then told and logged is looked at too
            account.write_text(f"{USER}:{SECRET}x\n", encoding="utf-8")
            front.on()
            await play.leave_and_seal()
    seen_nowhere(tmp_path, seen)


def seen_nowhere(folder: Path, seen: list[tuple[str, bytes]]) -> None:
    """Neither in what processes show nor in anything that lies in the folder: store, log, films, proofs."""
    assert "doorbell stream" in (folder / "doctor.txt").read_text(encoding="utf-8"), "the doctor looked too"
    knows = [where.rpartition("/")[0] for where, line in seen if b"\0gateway.video\0" in line]
    assert knows, "the video process was looked at"
    for where, limits in seen:
        if where.endswith("/limits") and where.rpartition("/")[0] in knows:
            assert re.search(rb"Max core file size +0 +0 ", limits), "no crash writes its memory to the disk"
    films = [path for path in folder.rglob("*.mp4") if path.stat().st_size > 10_000]
    assert any("doorbell" in film.name for film in films)
    assert "refuses the user or the password" in (folder / "gateway.log").read_text(encoding="utf-8")
    for text in spellings():
        assert not [where for where, line in seen if text in line]
        assert not [str(path) for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]
