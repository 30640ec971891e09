"""The files of a house are put back whole or not at all, wherever the command is killed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.cli.maintenance import restore as restore_backup
from gateway.config.loader import load_home_file, restore_mark
from gateway.protocol.keys import BoxKey
from gateway.runtime.maintenance import atomic_restore, restore
from gateway.runtime.maintenance.backup import make_backup
from gateway.storage.store import Store
from gateway.system.config_section import ConfigError
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.house import make_home

OLD, NEW = "old", "new"
NAMED = ("mqtt.secret", "phones.txt", "certs/ca.pem")


@pytest.fixture
async def archive(tmp_path: Path) -> Path:
    """A backup of a box whose house file names a few files beside it."""
    old = tmp_path / OLD
    house = make_home(old / "box")
    document = house.model_dump(mode="json", exclude_unset=True)
    document["storage"]["folder"] = "box"
    document["broker"] = {"username": "gateway", "password_file": NAMED[0]}
    document["messages"] = {"file": NAMED[1]}
    document["devices"]["cam"] |= {"url": "rtsps://127.0.0.1/a", "ca": NAMED[2]}
    for name in NAMED:
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(f"# {name}\n", encoding="utf-8")
    (old / "home.yaml").write_text(json.dumps(document), encoding="utf-8")
    made = load_home_file(old / "home.yaml")
    made.storage.folder.mkdir()
    BoxKey.load_or_create(made.storage.folder / "key")
    store = await Store.open(made.storage.folder / "perron.sqlite3", home=made, now=NOW)
    await store.close()
    target = tmp_path / "backup.tar"
    make_backup(made, old / "home.yaml", target, NOW, films=True)
    return target


def house_files(folder: Path) -> dict[str, bytes]:
    """What stands beside the box."""
    box = folder / "box"
    paths = (path for path in folder.rglob("*") if path.is_file() and path != box and box not in path.parents)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.cli.maintenance import restore as restore_backup
archive, where, steps = Path(sys.argv[1]), Path(sys.argv[2]), 0
while True:
    folder = where / f"new{steps}"
    folder.mkdir()
    child = os.fork()
    if not child:
        left = steps
        def watch(event, said):
            global left
            writes = event == "open" and isinstance(said[2], int) and said[2] & (os.O_WRONLY | os.O_RDWR)
            path = str(said[0]) if said else ""
            ours = path.startswith(str(folder)) and not path.startswith(str(folder / "box"))
            if ours and (event in ("os.remove", "os.rename", "os.mkdir") or writes):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
        sys.addaudithook(watch)
        restore_backup(archive, folder / "home.yaml")
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != -signal.SIGKILL:
        sys.exit(ended)
    steps += 1
"""


@pytest.mark.slow
def test_killed_before_each_write_the_house_is_not_there_or_whole_and_the_next_restore_ends_it(
    tmp_path: Path, archive: Path
) -> None:
    whole = house_files(tmp_path / OLD)
    assert set(whole) == {"home.yaml", *NAMED}
    command = [sys.executable, "-c", KILLED, str(archive), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    folders = sorted(tmp_path.glob(f"{NEW}*"), key=lambda path: int(path.name.removeprefix(NEW)))
    assert house_files(folders.pop()) == whole, "the last one was killed nowhere"
    for folder in folders:
        file = folder / "home.yaml"
        if file.exists():
            assert whole.items() <= house_files(folder).items()
            assert restore.is_unfinished(load_home_file(file).storage.folder), "no gateway begins there"
        elif restore_mark(file).exists():
            with pytest.raises(ConfigError, match="cut short"):
                load_home_file(file)
        else:
            assert not set(house_files(folder)) - {f"{restore_mark(file).name}.new", f".{restore_mark(file).name}.new"}
        restore_backup(archive, file)
        assert house_files(folder) == whole
        assert not restore.is_unfinished(load_home_file(file).storage.folder)
    assert len(folders) > 2 * len(whole), "each file is opened and renamed"


async def test_what_was_cut_short_is_taken_back_and_what_is_anothers_stays(tmp_path: Path, archive: Path) -> None:
    folder = tmp_path / NEW
    folder.mkdir()
    file = folder / "home.yaml"
    files = {**restore.house_files(archive)}
    atomic_restore.write_files(files, file)
    (folder / NAMED[0]).write_text("somebody wrote here meanwhile", encoding="utf-8")
    atomic_restore.roll_back(file)
    assert house_files(folder) == {NAMED[0]: b"somebody wrote here meanwhile"}
    with pytest.raises(FileExistsError):
        atomic_restore.write_files(files, file)
    assert list(house_files(folder)) == [NAMED[0]]


async def test_a_house_that_was_made_after_a_cut_is_never_written_over(tmp_path: Path, archive: Path) -> None:
    folder = tmp_path / NEW
    folder.mkdir()
    file = folder / "home.yaml"
    atomic_restore.write_files(restore.house_files(archive), file)
    file.write_text("another: house\n", encoding="utf-8")
    with pytest.raises(Failure):
        restore_backup(archive, file)
    assert file.read_text(encoding="utf-8") == "another: house\n"
    assert not restore_mark(file).exists()


def _occupied(folder: Path) -> None:
    (folder / "box").mkdir()
    (folder / "box" / "letters").write_text("mine", encoding="utf-8")


def _full(folder: Path) -> None:
    (folder / "box").write_text("no folder", encoding="utf-8")


@pytest.mark.parametrize("wrong", [_occupied, _full])
async def test_a_restore_that_is_refused_leaves_no_file_of_the_house(
    tmp_path: Path, archive: Path, wrong: Callable[[Path], None]
) -> None:
    folder = tmp_path / NEW
    folder.mkdir()
    wrong(folder)
    before = house_files(folder)
    with pytest.raises(Failure):
        restore_backup(archive, folder / "home.yaml")
    assert house_files(folder) == before
