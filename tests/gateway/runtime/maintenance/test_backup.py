"""A backup of a box that delivers, and a box that is put back out of it: real gateway, real broker, real films."""

import asyncio
import json
import os
import subprocess
import tarfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.cli.maintenance import backup
from gateway.cli.maintenance import restore as restore_backup
from gateway.config.home import Home
from gateway.demo import actors
from gateway.demo.processes import stop_detached
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.result import Refusal
from gateway.evidence.verify import verify_proof
from gateway.installation import records
from gateway.installation.capability import WalkTestStatus
from gateway.installation.trials import WalkTrial
from gateway.installation.walk import TrialResult, WalkTest, WalkTestStep
from gateway.mqtt.mosquitto.folder_check import folder_faults
from gateway.mqtt.mosquitto.provisioning import write_house as write_broker
from gateway.protocol.keys import BoxKey, push_key
from gateway.runtime.maintenance import factory_reset, restore
from gateway.runtime.maintenance.backup import EXCLUDED_NAMES, make_backup
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.storage.store import Store
from gateway.system.clock import machine_time
from gateway.system.listed_archive import InvalidBackup
from gateway.system.mqtt_settings import BrokerTls
from tests.forkserver import run_python
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.house import make_home
from tests.whole_house import run_whole_house


async def perron(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, as in a shell."""
    return await asyncio.to_thread(run_python, "-m", "gateway", *arguments)


async def box_dies(play: ScenarioRun) -> None:
    """Gateway and video process end, and the box's disk is gone."""
    box = play.plan.home.storage.folder
    await play.stage.gateway.end()
    await stop_detached(box / "video.pid")
    box.rename(box.with_name("dead"))


def moves(play: ScenarioRun) -> int:
    """How often the bolt was withdrawn, by the house's own log."""
    return sum(line["what"] == "bolt" and line["state"] == "withdrawn" for line in play.log.lines)


async def in_vain(play: ScenarioRun, codes: tuple[str, str], refusal: Refusal) -> None:
    """The codes are shown and refused."""
    play.watch.mark_seen()
    await play.courier.does("arrive")
    for code in codes:
        await play.courier.scans(code)
    await play.wait_for_refusal(refusal)
    await play.courier.does("leave")
    await play.wait_for_new_scan()


@pytest.mark.slow
async def test_what_was_delivered_after_the_backup_opens_no_door_of_the_restored_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, archive = tmp_path / "home.yaml", tmp_path / "backup.tar"
    async with run_whole_house(tmp_path) as play:
        box = play.plan.home.storage.folder
        later = await play.announce_delivery(codes=("8L20524752033",), id_="later")
        during = await play.retailer.promise(codes=("8L20524752034",), id_="during")
        play.watch.mark_seen()
        await play.enter_with_parcel(during)
        made = await perron("backup", "--home", file, archive)
        assert made.returncode == 0, made.stderr
        assert "Not in it: the films of 1 visits that are not over yet" in made.stdout
        assert archive.stat().st_mode & 0o777 == 0o600
        await play.leave_and_seal()
        assert all(verify_proof(folder).ok for folder in (box / "visits").iterdir()), "the visit was not disturbed"
        await play.wait_until_ready()
        play.watch.mark_seen()
        await play.deliver(later)  # after the backup: the copy does not know
        withdrawn = moves(play)
        assert withdrawn == 2

        alive = len(play.watch.seen)
        await box_dies(play)
        restored = await perron("restore", "--home", file, archive)
        assert restored.returncode == 0, restored.stderr
        assert "Nothing opens yet" in restored.stdout
        await play.stage.gateway.begin()
        await play.watch.wait_for_reconnect(alive, within=60)
        await play.watch.wait_until("safe mode", lambda: play.watch.state.get("safe_mode") is True, within=30)
        await in_vain(play, (later.codes[0], later.courier_code), Refusal.ANNOUNCE_AGAIN)
        await play.owner.send_request("acknowledge")
        await play.watch.wait_until("no safe mode", lambda: play.watch.state.get("safe_mode") is False, within=30)
        await play.owner.send_request("permit", brand=later.brand)
        await play.wait_until_ready()
        await in_vain(play, (later.codes[0], later.courier_code), Refusal.ANNOUNCE_AGAIN)
        await in_vain(play, (during.codes[0], during.courier_code), Refusal.ALREADY_USED)
        assert moves(play) == withdrawn, "no second opening"

        # Of what is signed within the tolerated minute nobody knows whether it is older.
        monkeypatch.setattr(actors, "machine_time", lambda: machine_time() + timedelta(seconds=58))
        anew = await play.retailer.promise(codes=("8L20524752035",), starts_in=-180, id_="anew")
        assert anew.answer["accepted"], anew.answer
        await play.wait_until_ready()
        play.watch.mark_seen()
        await play.deliver(anew)
        assert moves(play) == withdrawn + 1


# ---- without a house ------------------------------------------------------------------------------------------------


@pytest.fixture
async def lived_in(tmp_path: Path) -> Home:
    """A box with a store, keys, a film, and its house file."""
    house = make_home(tmp_path / "box")
    (tmp_path / "home.yaml").write_text(json.dumps(house.model_dump(mode="json")), encoding="utf-8")
    film = tmp_path / "box" / "visits" / "v1" / "cam-1.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"a film")
    (tmp_path / "box" / "claim-code").write_text("secret")
    (tmp_path / "box" / "perron.sqlite3").parent.mkdir(exist_ok=True)
    BoxKey.load_or_create(tmp_path / "box" / "key")
    push_key(tmp_path / "box" / "key")
    store = await Store.open(tmp_path / "box" / "perron.sqlite3", home=house, now=NOW)
    await store.close()
    return house


def backed_up(tmp_path: Path) -> Path:
    backup(tmp_path / "backup.tar", tmp_path / "home.yaml")
    return tmp_path / "backup.tar"


def gone(house: Home) -> None:
    house.storage.folder.rename(house.storage.folder.with_name("gone"))


async def test_the_new_hardware_gets_house_file_store_keys_and_films(
    tmp_path: Path, lived_in: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = backed_up(tmp_path)
    gone(lived_in)
    (tmp_path / "home.yaml").rename(tmp_path / "old.yaml")
    restore_backup(archive, tmp_path / "home.yaml")
    assert (tmp_path / "home.yaml").read_bytes() == (tmp_path / "old.yaml").read_bytes()
    folder = lived_in.storage.folder
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {
        "perron.sqlite3", "last-checkpoint.json", "key/box.key.pem", "key/box.pub.pem", "key/push.key.pem",
        "visits/v1/cam-1.mp4", factory_reset.LOCK_FILE,
    }  # fmt: skip
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*") if path.is_file()} == {0}
    assert "is back" in capsys.readouterr().out


async def test_all_that_a_box_writes_is_in_its_backup_or_left_out_on_purpose(tmp_path: Path, lived_in: Home) -> None:
    """By the list of what a wipe deletes: what is added there is missed here."""
    folder = lived_in.storage.folder
    for name in factory_reset.OWN_NAMES - EXCLUDED_NAMES - {"perron.sqlite3", "key"}:
        path = folder / name if "." in name else folder / name / "deep" / "file"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(b"kept")
    for name in EXCLUDED_NAMES:
        if not (folder / name).exists() and not name.startswith("perron.sqlite3"):
            (folder / name).write_bytes(b"not kept")
    archive = backed_up(tmp_path)
    gone(lived_in)
    restore_backup(archive, tmp_path / "home.yaml")
    there = {path.name for path in in_it(folder)}
    assert there == factory_reset.OWN_NAMES - EXCLUDED_NAMES | {factory_reset.LOCK_FILE}
    assert (folder / "installation" / "deep" / "file").read_bytes() == b"kept"


async def test_devices_trust_the_new_hardwares_broker_as_they_trusted_the_old_ones(
    tmp_path: Path, lived_in: Home
) -> None:
    accounts = tmp_path / "accounts"
    tls = BrokerTls(ca=accounts / "authority.pem")
    broker = lived_in.broker.model_copy(update={"password_file": accounts / "gateway.password", "tls": tls})
    house = lived_in.model_copy(update={"broker": broker})
    (tmp_path / "home.yaml").write_text(json.dumps(house.model_dump(mode="json")), encoding="utf-8")
    before = write_broker(accounts, house, host="127.0.0.1", port=1883)
    password = (accounts / "gateway.password").read_text()
    archive = backed_up(tmp_path)
    gone(lived_in)
    for name in ("home.yaml", "accounts"):
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    restore_backup(archive, tmp_path / "home.yaml")
    after = write_broker(accounts, house, host="127.0.0.1", port=1883)
    assert before is not None
    assert after is not None
    assert (after.fingerprint, after.is_new) == (before.fingerprint, False)
    assert (accounts / "gateway.password").read_text() == password
    assert folder_faults(accounts, house) == ()


@pytest.mark.parametrize("readable", [True, False])
async def test_what_the_walk_test_forbade_the_new_hardware_forbids_too(
    tmp_path: Path, lived_in: Home, *, readable: bool
) -> None:
    picture = WalkTestStep(trial=WalkTrial.PICTURE, camera="doorbell", ending=TrialResult.BLOCKED)
    records.store_walk(lived_in.storage.folder, WalkTest(entrance="front", begun=NOW.utc, by="Ida", steps=(picture,)))
    if not readable:
        records.walk_file(lived_in.storage.folder, "front").write_text("{")
    archive = backed_up(tmp_path)
    gone(lived_in)
    restore_backup(archive, tmp_path / "home.yaml")
    assert records.read_walk_status(lived_in, "front") is (
        WalkTestStatus.BLOCKED if readable else WalkTestStatus.FAILED
    )


def test_a_hole_of_terabytes_in_a_backup_is_refused_before_it_is_read(tmp_path: Path) -> None:
    archive, data = tmp_path / "backup.tar", f"1\n{2**50}\n1\n".encode().ljust(512, b"\0") + b"x"
    hole = tarfile.TarInfo("visits/v1/cam-1.mp4")
    hole.size = len(data)
    hole.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": hole.name,
                        "GNU.sparse.realsize": str(2**50 + 1)}  # fmt: skip
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(hole, BytesIO(data))
    with pytest.raises(InvalidBackup, match="holds what no backup holds"):
        restore.read_backup(archive)


async def test_a_box_is_never_written_over(tmp_path: Path, lived_in: Home) -> None:
    archive = backed_up(tmp_path)
    before = (lived_in.storage.folder / "perron.sqlite3").read_bytes()
    with pytest.raises(Failure, match="is not empty"):
        restore_backup(archive, tmp_path / "home.yaml")
    with pytest.raises(Failure, match="exists"):
        backup(archive, tmp_path / "home.yaml")
    assert (lived_in.storage.folder / "perron.sqlite3").read_bytes() == before
    gone(lived_in)
    lived_in.storage.folder.mkdir()
    with lock_folder(lived_in.storage.folder), pytest.raises(Failure) as failure:
        restore_backup(archive, tmp_path / "home.yaml")
    assert isinstance(failure.value.__cause__, FolderInUse)


@pytest.mark.parametrize("hurt", ["cut", "changed", "not one"])
async def test_a_backup_that_was_hurt_is_known_before_anything_is_touched(
    tmp_path: Path, lived_in: Home, hurt: str
) -> None:
    archive = backed_up(tmp_path)
    data = bytearray(archive.read_bytes())
    match hurt:
        case "cut":
            data = data[: len(data) // 2]
        case "changed":
            at = data.index(b"a film")
            data[at] ^= 1
        case _:
            data = bytearray(os.urandom(10_000))
    archive.write_bytes(data)
    gone(lived_in)
    with pytest.raises(Failure, match="Nothing was touched"):
        restore_backup(archive, tmp_path / "home.yaml")
    assert not lived_in.storage.folder.exists()
    with pytest.raises(Failure):
        restore_backup(archive, check=True)


def in_it(folder: Path) -> set[Path]:
    return set(folder.iterdir()) if folder.is_dir() else set()


async def test_nothing_half_has_the_backups_name(
    tmp_path: Path, lived_in: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.system.listed_archive.os.fsync", full)
    before = in_it(tmp_path)
    with pytest.raises(Failure, match="No space left"):
        backup(tmp_path / "backup.tar", tmp_path / "home.yaml")
    assert in_it(tmp_path) == before
    del lived_in


@pytest.mark.slow
async def test_killed_anywhere_in_a_restore_no_gateway_begins_and_a_restore_finishes_it(
    tmp_path: Path, lived_in: Home
) -> None:
    archive = backed_up(tmp_path)
    gone(lived_in)
    file, folder = tmp_path / "home.yaml", lived_in.storage.folder
    killed = 0
    for steps in (0, 6, 25, 60, 10_000):
        done = await asyncio.to_thread(run_python, "-c", KILLED, archive, file, str(steps))
        if done.returncode == 0:
            break
        killed += 1
        assert restore.is_unfinished(folder) or not in_it(folder) - {folder / factory_reset.LOCK_FILE}
        if killed == 3:
            ended = await perron("run", "--home", file)
            assert (ended.returncode, "say" in ended.stderr) == (2, True), ended.stderr
    assert killed >= 3
    assert not restore.is_unfinished(folder)
    assert (folder / "visits" / "v1" / "cam-1.mp4").read_bytes() == b"a film"


KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.cli.maintenance import restore as restore_backup
left = int(sys.argv[3])
def watch(event, said):
    global left
    writes = event == "open" and isinstance(said[2], int) and said[2] & (os.O_WRONLY | os.O_RDWR)
    if "/box" in str(said[:1]) and (event in ("os.remove", "os.rename", "os.mkdir") or writes):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
restore_backup(Path(sys.argv[1]), Path(sys.argv[2]))
"""


async def test_a_film_that_was_changed_since_it_was_closed_is_told(tmp_path: Path, lived_in: Home) -> None:
    made = make_backup(lived_in, tmp_path / "home.yaml", tmp_path / "backup.tar", NOW, films=True)
    assert made.damaged == ()
    assert made.outside == ()
