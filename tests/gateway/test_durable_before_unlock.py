"""Nothing opens before it is certain that the opening is on record: shown by the kernel's own record of the calls."""

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from devices.vendors.words import TopicSuffix
from gateway.config.topics import device_topic
from gateway.demo.plan import make_plan
from gateway.demo.processes import LoggedProcess
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenarios import find_scenarios
from tests.systemcalls import missing_on_disk, on_disk, parse_record, strace

TOPIC = "perron/front-lock/set"


def traced(record: Path) -> type[LoggedProcess]:
    """A child whose system calls are recorded; of the house only the gateway and what it starts is watched."""

    class Traced(LoggedProcess):
        @classmethod
        async def start(cls, module: str, arguments: Sequence[str], log: Path) -> Self:
            before = strace(record) if module.startswith("gateway.") else []
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    *before, sys.executable, "-m", module, *arguments,
                    stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            return cls(process, log)

    return Traced


@pytest.mark.slow
async def test_the_unlock_leaves_only_after_intent_and_film_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    monkeypatch.setattr("gateway.demo.stage.LoggedProcess", traced(record))
    judged = await run_scenario(find_scenarios("delivered")[0], tmp_path / "run", fast=True, observer=DemoObserver())
    assert judged.complaints == ()

    home = make_plan(tmp_path / "run", fast=True).home
    section = next(iter(home.entrances.values()))
    topic = device_topic(home, section.closure_devices[0], TopicSuffix.SET)
    films = len(section.film_cameras)
    calls = parse_record(record.read_text(encoding="ascii").splitlines())
    assert missing_on_disk(calls, lock_topic=topic, films=films, folder=tmp_path) == []

    unsynced = [call for call in calls if "sync" not in call.name or not call.path.endswith(".mp4.part")]
    assert len(missing_on_disk(unsynced, lock_topic=topic, films=films, folder=tmp_path)) == films
    unsynced = [call for call in calls if "sync" not in call.name or not call.path.endswith("-wal")]
    assert missing_on_disk(unsynced, lock_topic=topic, films=films, folder=tmp_path) == ["the intent's commit"]


def hexed(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def wrote(path: str, data: bytes, offset: int) -> str:
    return f'7 pwrite64(5<{hexed(path.encode())}>, "{hexed(data)}", {len(data)}, {offset}) = {len(data)}'


def appended(path: str, data: bytes) -> str:
    return f'8 write(6<{hexed(path.encode())}>, "{hexed(data)}", {len(data)}) = {len(data)}'


def synced(path: str, pid: int = 8) -> str:
    return f"{pid} fdatasync(6<{hexed(path.encode())}>) = 0"


def box(name: bytes) -> bytes:
    return (12).to_bytes(4, "big") + name + b"1234"


DATABASE, FILM = "/box/perron.sqlite3", "/box/visits/v/front-1-1.mp4.part"
HEAD, FRAGMENT = box(b"ftyp") + box(b"moov"), box(b"moof") + box(b"mdat")


@pytest.fixture
def story(tmp_path: Path) -> dict[str, str]:
    """A record in good order, line by line, of a real database and a film as small as can be."""
    folder = tmp_path / "stored"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE visit (id TEXT, intent TEXT)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO visit VALUES ('v1', 'reserved')")
        stored, wal = (folder / "db").read_bytes(), (folder / "db-wal").read_bytes()
    publication = b"perron/front-lock/set" + b'{"name":"unlock","intent":"v1"}'
    return {
        "schema": wrote(DATABASE, stored, 0),
        "schema synced": synced(DATABASE, 7),
        "head": appended(FILM, HEAD),
        "head synced": synced(FILM),
        "fragment": appended(FILM, FRAGMENT),
        "fragment synced": synced(FILM),
        "commit": wrote(f"{DATABASE}-wal", wal, 0),
        "commit synced": synced(f"{DATABASE}-wal", 7),
        "unlock": f'9 sendto(4<{hexed(b"socket:[1]")}>, "{hexed(publication)}", 1, 0, NULL, 0) = {len(publication)}',
    }


def judged(lines: Sequence[str], folder: Path, *, films: int = 1) -> list[str]:
    return missing_on_disk(parse_record(lines), lock_topic=TOPIC, films=films, folder=folder)


def test_a_record_in_good_order_lacks_nothing(story: dict[str, str], tmp_path: Path) -> None:
    assert judged(list(story.values()), tmp_path) == []


@pytest.mark.parametrize(
    ("late", "missing"),
    [
        ("commit synced", "the intent's commit"),
        ("commit", "the intent's commit"),
        ("fragment synced", "the first fragment of front-1-1.mp4.part"),
        ("fragment", "the first fragment of front-1-1.mp4.part"),
    ],
)
def test_a_write_or_sync_that_comes_after_the_unlock_is_seen(
    story: dict[str, str], tmp_path: Path, late: str, missing: str
) -> None:
    line = story.pop(late)
    assert judged([*story.values(), line], tmp_path) == [missing]
    assert judged(list(story.values()), tmp_path) == [missing], "and so is one that never comes"


@pytest.mark.parametrize("which", ["commit synced", "fragment synced"])
def test_a_sync_that_began_before_the_unlock_and_ended_after_it_does_not_count(
    story: dict[str, str], tmp_path: Path, which: str
) -> None:
    whole = story[which]
    story[which] = whole.replace(") = 0", " <unfinished ...>")
    after = f"{whole.split()[0]} <... fdatasync resumed>) = 0"
    assert len(judged([*story.values(), after], tmp_path)) == 1
    unlock = story.pop("unlock")
    assert judged([*story.values(), after, unlock], tmp_path) == []


def test_a_sync_that_failed_does_not_count(story: dict[str, str], tmp_path: Path) -> None:
    story["commit synced"] = story["commit synced"].replace("= 0", "= -1 EIO (Input/output error)")
    assert judged(list(story.values()), tmp_path) == ["the intent's commit"]


def test_a_write_during_a_sync_is_not_on_disk_by_it(story: dict[str, str]) -> None:
    begun = synced(FILM, 3).replace(") = 0", " <unfinished ...>")
    lines = [story["head"], begun, story["fragment"], "3 <... fdatasync resumed>) = 0"]
    assert on_disk(parse_record(lines), FILM, before=99) == HEAD


def test_a_camera_that_does_not_film_is_missed(story: dict[str, str], tmp_path: Path) -> None:
    assert judged(list(story.values()), tmp_path, films=2) == ["the films of 2 cameras"]


def test_a_record_without_an_unlock_proves_nothing(story: dict[str, str], tmp_path: Path) -> None:
    del story["unlock"]
    with pytest.raises(ValueError, match="no unlock was sent"):
        judged(list(story.values()), tmp_path)


def test_a_write_that_strace_cut_short_is_not_taken_for_whole(story: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_record([story["fragment"].replace('",', '"...,')])
