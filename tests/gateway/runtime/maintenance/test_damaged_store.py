"""A store that is damaged, or something else in its place: said in words, at the start and by the doctor."""

import asyncio
import json
import os
import random
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode
from gateway.config.home import Home
from gateway.evidence.rollback import MARK_FILE, STORE_FILE
from gateway.installation.diagnostics.devices import device_subject
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, good, sentence_text
from gateway.installation.diagnostics.house import store_findings as examined
from gateway.installation.diagnostics.house import with_entrance_verdicts
from gateway.protocol.keys import BoxKey
from gateway.runtime.maintenance.startup_checks import StartError, check_folder
from gateway.runtime.notifications.texts import STORE_DOUBT_TEXTS
from gateway.storage.schema import find_damage
from gateway.storage.store import Store
from gateway.system.i18n import _
from tests.forkserver import run_python
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.evidence.test_rollback import HURT
from tests.gateway.evidence.test_rollback import used as used  # noqa: PLC0414 - a fixture
from tests.shell.house import make_home

ROOT = Path(__file__).parents[4]
SERVICE = ROOT / "config" / "systemd" / "perron.service"


@pytest.fixture
async def house(tmp_path: Path) -> Home:
    """A box that has run: a store of some pages, its key, its house file beside it."""
    made = make_home(tmp_path / "box")
    (tmp_path / "home.yaml").write_text(json.dumps(made.model_dump(mode="json")), encoding="utf-8")
    BoxKey.load_or_create(made.storage.folder / "key")
    store = await Store.open(made.storage.folder / STORE_FILE, home=made, now=NOW)
    for number in range(300):
        await store.log.append("said", {"text": "x" * 200, "number": number}, NOW)
    await store.close()
    return made


def overwritten(file: Path) -> None:
    """Pages in the middle are somebody else's bytes, as after a bad block."""
    with file.open("r+b") as out:
        for page in range(2, file.stat().st_size // 4096, 3):
            out.seek(page * 4096)
            out.write(random.Random(page).randbytes(4096))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def nothing_but_zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def a_socket(file: Path) -> None:
    file.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(file))


def a_folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def a_fifo(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def a_plain_file(file: Path) -> None:
    file.write_bytes(b"mine")


DAMAGED: dict[str, Callable[[Path], None]] = {
    "overwritten": overwritten, "cut": cut, "zeros": nothing_but_zeros,
}  # fmt: skip
IN_THE_WAY: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a folder for the store": (STORE_FILE, a_folder, "is a folder"),
    "a FIFO for the store": (STORE_FILE, a_fifo, "is a FIFO"),
    "a socket for the store": (STORE_FILE, a_socket, "is a socket"),
    "a folder for its log": (f"{STORE_FILE}-wal", a_folder, "is a folder"),
    "a folder for the video's socket": ("video.sock", a_folder, "is a folder"),
    "a FIFO for the video's socket": ("video.sock", a_fifo, "is a FIFO"),
    "a file for the viewers' socket": ("video.live", a_plain_file, "is a plain file"),
    "a folder for the live socket": ("video.live", a_folder, "is a folder"),
}


async def ran(house: Home) -> subprocess.CompletedProcess[str]:
    """`perron run`, as a service manager starts it."""
    file = house.storage.folder.with_name("home.yaml")
    return await asyncio.to_thread(run_python, "-m", "gateway", "run", "--home", file)


def doctor(house: Home) -> Finding:
    (finding,) = examined(house)
    return finding


@pytest.mark.parametrize("how", DAMAGED)
async def test_a_damaged_store_is_said_in_words_and_the_start_ends_with_a_status_of_its_own(
    house: Home, how: str
) -> None:
    DAMAGED[how](house.storage.folder / STORE_FILE)
    done = await ran(house)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == ExitCode.STORE_UNUSABLE, said
    assert "Traceback" not in said
    assert f"{STORE_FILE} is damaged" in said.replace(" ", "").replace("isdamaged", " is damaged")
    assert "perron restore" in said
    finding = doctor(house)
    assert finding.verdict is FindingVerdict.BAD
    assert "is damaged" in sentence_text(finding.statement, "en")
    assert finding.todo is not None
    assert "perron restore" in sentence_text(finding.todo, "en")


@pytest.mark.parametrize("what", IN_THE_WAY)
async def test_what_stands_in_the_place_of_the_store_or_a_socket_is_said_in_words_by_start_and_doctor(
    house: Home, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, put, words = IN_THE_WAY[what]
    monkeypatch.chdir(house.storage.folder)  # a socket's path has at most 107 bytes
    put(house.storage.folder / name)
    done = await ran(house)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == ExitCode.STORE_UNUSABLE, said
    assert "Traceback" not in said
    assert words in said
    finding = doctor(house)
    assert finding.verdict is FindingVerdict.BAD
    assert words in sentence_text(finding.statement, "en")


def test_the_service_does_not_start_a_box_again_whose_store_is_damaged() -> None:
    unit = SERVICE.read_text(encoding="utf-8").splitlines()
    assert f"RestartPreventExitStatus={int(ExitCode.STORE_UNUSABLE)}" in unit
    assert "Restart=always" in unit, "after any other end it is"


async def test_a_whole_store_is_good_and_its_own_sockets_are_in_nobodys_way(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.storage.folder)
    for name in ("video.sock", "video.live"):
        a_socket(house.storage.folder / name)
    check_folder(house.storage.folder)
    assert doctor(house).verdict is FindingVerdict.GOOD
    assert list(examined(make_home(house.storage.folder / "new"))) == [], "of a box that has none yet nothing is said"


async def test_the_look_at_a_large_store_ends_in_its_time_and_is_then_no_finding(house: Home) -> None:
    file = house.storage.folder / STORE_FILE
    with closing(sqlite3.connect(file)) as database:
        rows = ((number, number, "said", os.urandom(3000), bytes(32)) for number in range(10_000, 30_000))
        query = "INSERT INTO entry (seq, at, kind, body, hash) VALUES (?, ?, ?, ?, ?)"
        database.executemany(query, rows)
        database.commit()
    began = time.monotonic()
    assert find_damage(file, within=0.01) is None
    assert time.monotonic() - began < 5


async def test_no_entrance_is_called_good_beside_a_damaged_store(house: Home) -> None:
    cut(house.storage.folder / STORE_FILE)
    with pytest.raises(StartError):
        check_folder(house.storage.folder)
    finding = doctor(house)
    heard = [good(device_subject(name), _("locked")) for name in ("lock", "door")]
    entrance = replace(good(_("entrance"), _("nothing forbids")), entrance="front")
    *_others, judged = with_entrance_verdicts(house, (*heard, entrance))
    assert judged.verdict is FindingVerdict.GOOD
    *_others, judged = with_entrance_verdicts(house, (finding, *heard, entrance))
    assert judged.verdict is FindingVerdict.BAD


@pytest.mark.parametrize("hurt", HURT)
async def test_the_doctor_says_why_a_store_is_in_doubt_and_what_to_do(used: Path, hurt: str) -> None:
    made = make_home(used)
    assert doctor(made).verdict is FindingVerdict.GOOD
    HURT[hurt][0](used)
    finding = doctor(made)
    assert finding.verdict is FindingVerdict.BAD
    assert finding.statement == _("in doubt: {why}", why=STORE_DOUBT_TEXTS[HURT[hurt][1]])
    assert finding.todo is not None
    assert "look after each door" in sentence_text(finding.todo, "en")
    assert not (used / "key" / "box.key.pem.lost-1").exists(), "it only looks"
    assert (used / MARK_FILE).exists() == (hurt != "mark gone")
