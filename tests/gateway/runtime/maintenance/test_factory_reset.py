"""Wiping the box: all of it, once it was decided, however often it is killed on the way."""

import os
import re
import signal
from pathlib import Path

import pytest

from gateway.config.bookings import IcsSource
from gateway.config.home import HubSection
from gateway.evidence import rollback
from gateway.evidence.manifest import VISITS_FOLDER
from gateway.integrations.homeassistant import bridge
from gateway.integrations.hub_client import enrolment, unenrolment
from gateway.runtime.maintenance import factory_reset, reload
from gateway.runtime.notifications import contacts
from gateway.storage.store import Store
from gateway.system import fault_log
from gateway.system.mqtt_settings import BrokerTls
from gateway.system.pki import pages
from tests.forkserver import run_python
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.house import make_home

SECRET = b"Anna Dupont, 12 rue des Lilas"
OTHERS = ("home.yaml", "house.jsonl", "another/home.yaml")
ROOT = Path(__file__).parents[4]


def lived_in(folder: Path) -> Path:
    """A box's folder with something of everything, and what others keep beside it."""
    for name in (
        "key/box.key.pem", "key/links.key", "key/push.key.pem", "pages/authority.key", "pages/pages.pem",
        "claim-code", "way-in",
        "perron.sqlite3", "perron.sqlite3-wal", "perron.sqlite3-shm", "last-checkpoint.json",
        ".last-checkpoint.json.new", "visits/v1/cam-1.mp4", "visits/v1/manifest.json", "visits/v2/erased.json",
        "pocket/x.jpg", "installation/survey-front.jsonl", "installation/survey-front.lock", *OTHERS,
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(SECRET)
    phones = folder / "phones.txt"
    phones.write_bytes(SECRET)
    return phones


def what_is_left(folder: Path) -> set[str]:
    """Whose words can still be read."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() for path in files if SECRET in path.read_bytes()}


def test_all_that_the_box_wrote_goes_and_nothing_of_others(tmp_path: Path) -> None:
    phones = lived_in(tmp_path)
    factory_reset.mark_for_wipe(tmp_path)
    assert factory_reset.is_marked_for_wipe(tmp_path)
    assert factory_reset.finish_wipe(tmp_path, phones=phones)
    assert what_is_left(tmp_path) == set(OTHERS)
    assert not factory_reset.is_marked_for_wipe(tmp_path)
    assert phones.read_bytes() == b""


def test_what_proves_at_a_hub_that_the_box_is_this_home_goes_too(tmp_path: Path) -> None:
    files = [tmp_path / "hub" / name for name in ("home.key", "home.pem", "home.password")]
    files[0].parent.mkdir()
    for file in (*files, tmp_path / "hub" / "authority.pem"):
        file.write_bytes(SECRET)
    tls = BrokerTls(ca=tmp_path / "hub" / "authority.pem", certificate=files[1], key=files[0])
    hub = HubSection(url="https://hub.example", home="home-1", host="hub.example", tls=tls, password_file=files[2])
    (tmp_path / "box").mkdir()
    factory_reset.mark_for_wipe(tmp_path / "box")
    house = make_home(tmp_path / "box")
    house = house.model_copy(
        update={"hub": hub, "storage": house.storage.model_copy(update={"folder": tmp_path / "box"})}
    )
    unenrolment.finish_wipe_at_hub(house)  # what a start does before anything is opened
    assert not any(file.exists() for file in files)
    assert not factory_reset.is_marked_for_wipe(tmp_path / "box")
    folder = tmp_path / "proc"
    folder.symlink_to("/proc/self")
    assert factory_reset.delete_credentials((folder / "status",)) == (folder / "status",), (
        "what cannot be deleted is told"
    )


def test_what_opens_the_household_s_bookings_is_emptied_and_what_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    address = tmp_path / "airbnb.address"
    address.write_bytes(SECRET)
    house = make_home(tmp_path / "box")
    house = house.model_copy(
        update={
            "bookings": {"airbnb": IcsSource(kind="ics", address_file=address)},
            "storage": house.storage.model_copy(update={"folder": tmp_path / "box"}),
        }
    )
    factory_reset.mark_for_wipe(tmp_path / "box")
    unenrolment.finish_wipe_at_hub(house)
    assert address.read_bytes() == b""
    assert factory_reset.empty_secrets((tmp_path, tmp_path / "none")) == (tmp_path,)


KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.runtime.maintenance import factory_reset
left = int(sys.argv[2])
def watch(event, said):
    global left
    if event in ("os.remove", "os.rmdir", "os.truncate", "os.rename") and (said[-1] != -1 or os.path.lexists(said[0])):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
folder = Path(sys.argv[1])
factory_reset.mark_for_wipe(folder)
factory_reset.finish_wipe(folder, phones=folder / "phones.txt")
"""


def killed_after(folder: Path, steps: int) -> bool:
    """Wipe in a process that is killed (SIGKILL) just before its next change of the disk; False: it came to its end."""
    ended = run_python("-c", KILLED, folder, str(steps))
    assert ended.returncode in (0, -signal.SIGKILL)
    return ended.returncode != 0


@pytest.mark.slow
def test_killed_at_any_point_the_next_start_finishes_it(tmp_path: Path) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        phones = lived_in(folder)
        killed = killed_after(folder, steps)
        if killed and not factory_reset.is_marked_for_wipe(folder):
            assert what_is_left(folder) >= {"visits/v1/cam-1.mp4", "key/box.key.pem"}, "wiped without a mark"
        elif killed:
            factory_reset.finish_wipe(folder, phones=phones)
            assert what_is_left(folder) == set(OTHERS), steps
        if not killed:
            assert what_is_left(folder) == set(OTHERS)
            break
        steps += 1
    assert steps > len(factory_reset.OWN_NAMES)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_all_the_same(tmp_path: Path) -> None:
    lived_in(tmp_path)
    deaths = 0
    while killed_after(tmp_path, 4):
        deaths += 1
        assert deaths < 50, "it begins from the start each time"
    assert deaths > 3
    assert what_is_left(tmp_path) == set(OTHERS)


def test_films_on_another_disk_go_too_and_the_disk_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "v1").mkdir(parents=True)
    (disk / "v1" / "cam.mp4").write_bytes(SECRET)
    box = tmp_path / "box"
    box.mkdir()
    (box / "visits").symlink_to(disk)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "letter").write_bytes(SECRET)
    (disk / "link").symlink_to(elsewhere)
    (disk / "v1" / "link").symlink_to(elsewhere)
    factory_reset.mark_for_wipe(box)
    factory_reset.finish_wipe(box, phones=tmp_path / "phones.txt")
    assert list(disk.iterdir()) == []
    assert what_is_left(tmp_path) == {"elsewhere/letter"}, "a link goes itself, not what it leads to"
    assert not (box / "visits").is_symlink()


def test_what_cannot_be_deleted_leaves_the_mark_and_the_box_shut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_in(tmp_path)
    factory_reset.mark_for_wipe(tmp_path)

    def stuck(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", stuck)
        with pytest.raises(PermissionError):
            factory_reset.finish_wipe(tmp_path, phones=tmp_path / "phones.txt")
    assert factory_reset.is_marked_for_wipe(tmp_path)
    factory_reset.finish_wipe(tmp_path, phones=tmp_path / "phones.txt")
    assert what_is_left(tmp_path) == set(OTHERS)


def test_a_phones_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "phones").mkdir()  # nobody can write a folder as a file, not even root
    factory_reset.mark_for_wipe(tmp_path)
    assert not factory_reset.finish_wipe(tmp_path, phones=tmp_path / "phones")
    assert not factory_reset.is_marked_for_wipe(tmp_path)


async def test_what_the_log_was_kept_in_goes_with_its_wal(tmp_path: Path) -> None:
    """The real store, whose newest words stand in the WAL only: nobody can read them afterwards."""
    store = await Store.open(tmp_path / "perron.sqlite3", home=make_home(tmp_path), now=NOW)
    await store.log.append("said", {"text": SECRET.decode()}, NOW)
    assert what_is_left(tmp_path) == {"perron.sqlite3-wal"}
    factory_reset.mark_for_wipe(tmp_path)
    factory_reset.finish_wipe(tmp_path, phones=tmp_path / "phones.txt")
    assert what_is_left(tmp_path) == set()
    await store.close()


def test_whatever_the_gateway_writes_under_its_storage_folder_is_known_to_the_wipe() -> None:
    """By the source: a new file there that nobody adds to `factory_reset.OURS` would outlive its owner."""
    constants = {
        "VISITS_FOLDER": VISITS_FOLDER,
        "MARK_FILE": rollback.MARK_FILE,
        "rollback.MARK_FILE": rollback.MARK_FILE,
        "rollback.STORE_FILE": rollback.STORE_FILE,
        "KEYS_FOLDER": rollback.KEYS_FOLDER,
        "SCRATCH_FOLDER": contacts.SCRATCH_FOLDER,
        "HUB_FOLDER": enrolment.HUB_FOLDER,
        "enrolment.HUB_FOLDER": enrolment.HUB_FOLDER,
        "PAGES_FOLDER": pages.PAGES_FOLDER,
        "REPORT_FILE": reload.REPORT_FILE,
        "STORE_FILE": rollback.STORE_FILE,
        "fault_log.FAULTS_FILE": fault_log.FAULTS_FILE,
        "RECORD_FILE": bridge.RECORD_FILE,
    }
    written = set()
    sources = [
        file
        for name in ("app.py", "supervisor.py", "config", "runtime", "web", "installation", "integrations", "evidence")
        for file in sorted((ROOT / "gateway").rglob(name if name.endswith(".py") else f"{name}/**/*.py"))
    ]
    for path in sources:
        text = path.read_text(encoding="utf-8")
        written |= set(re.findall(r"(?:storage\.folder|self\._services\.films_folder) / ([\w.\"-]+(?:\()?)", text))
        if path.name in ("app.py", "instance_lock.py", "reload.py"):
            written |= set(re.findall(r"\bfolder / ([\w.\"-]+)", text))
    names = {constants.get(one, one.strip('"')) for one in written}
    assert names - factory_reset.OWN_NAMES == {
        "phones.txt",
        "video.sock",
        "factory_reset.LOCK_FILE",
        "visit_folder(",
        "facts.path",
        "clip.path",
    }
    assert len(names & factory_reset.OWN_NAMES) > 5


def test_a_mark_is_on_the_disk_before_anything_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    factory_reset.mark_for_wipe(tmp_path)
    assert len(synced) == 2, "the file and the folder"
