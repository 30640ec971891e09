"""The database file over the versions of the program."""

import sqlite3
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.result import Refusal
from gateway.protocol.hash_chain import find_break
from gateway.storage.models import DatabaseRefused
from gateway.storage.schema import connect, migrate, migration_scripts
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store, visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_home

KEPT = sorted((Path(__file__).parents[1] / "databases").glob("*.sqlite"))


def tables(file: Path) -> list[tuple[str, ...]]:
    database = sqlite3.connect(file)
    found = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").fetchall()
    database.close()
    return found


def test_every_version_that_was_released_has_a_database_kept_for_this_test() -> None:
    assert [file.stem for file in KEPT] == [f"{number:04}" for number in range(1, len(migration_scripts()) + 1)]


@pytest.mark.parametrize("kept", KEPT, ids=lambda file: str(file.stem))
async def test_an_old_database_opens_with_all_that_was_in_it(tmp_path: Path, kept: Path) -> None:
    """`databases/make.py` made each file with the program of its day: one spent delivery, one to come, a stop."""
    copy(kept, tmp_path / "perron.sqlite")
    async with open_store(tmp_path) as store:
        assert visit_delivery(store, "shop.spent", NOW).refusal is Refusal.ALREADY_USED
        assert visit_delivery(store, "shop.coming", NOW).refusal is None
        assert (store.entrances.stop_state("front").stopped, store.entrances.stop_state("front").epoch) == (
            True,
            1,
        )
        assert store.entrances.state("front") is not None
        assert find_break(store.log.entries()) is None
        assert await store.box.next_session_number() == 8
    (tmp_path / "new").mkdir()
    async with open_store(tmp_path / "new"):
        pass
    assert tables(tmp_path / "perron.sqlite") == tables(tmp_path / "new" / "perron.sqlite")


async def test_a_label_that_an_old_database_stored_whole_still_matches_its_scan(tmp_path: Path) -> None:
    """Before, what DPD prints around the parcel's number was a part of the code."""
    label, number = "%008182709980000020045327276", "09980000020045"
    copy(KEPT[8], tmp_path / "perron.sqlite")
    database = sqlite3.connect(tmp_path / "perron.sqlite")
    with database:
        for code in (label, number, "]C1zzz"):  # the last is no code today
            database.execute("INSERT INTO code (value, delivery, kind) VALUES (?, 'shop.coming', 'parcel')", (code,))
    database.close()
    async with open_store(tmp_path) as store:
        assert visit_delivery(store, "shop.coming", NOW).parcels == {"coming", number, "]C1zzz"}
        scanned = normalise(label)
        assert isinstance(scanned, ParcelCode)
        assert [found.delivery.id for found in store.deliveries.matches(scanned.value, now=NOW)] == ["shop.coming"]


async def test_a_database_of_a_newer_program_is_refused_in_words_and_left_alone(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        pass
    file = tmp_path / "perron.sqlite"
    database = sqlite3.connect(file)
    database.execute(f"PRAGMA user_version = {len(migration_scripts()) + 1}")
    database.close()
    before = file.read_bytes()
    with pytest.raises(DatabaseRefused, match="newer perron"):
        await Store.open(file, home=make_home(), now=NOW)
    assert file.read_bytes() == before


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "perron.sqlite")
    database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(DatabaseRefused, match="another program"):
        await Store.open(tmp_path / "perron.sqlite", home=make_home(), now=NOW)


def test_a_migration_that_fails_halfway_leaves_the_version_before_it(tmp_path: Path) -> None:
    database = connect(tmp_path / "x.sqlite", writes=True)
    good = "CREATE TABLE one (x);"
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, [good, "CREATE TABLE two (x); INSERT INTO nowhere VALUES (1);"])
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert [name for (name,) in database.execute("SELECT name FROM sqlite_schema")] == ["one"]
    migrate(database, [good, "CREATE TABLE two (x);"])
    assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()


async def test_the_file_syncs_every_commit_and_only_the_writer_writes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        writer = connect(tmp_path / "perron.sqlite", writes=True)
        pragmas = {name: writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        writer.close()
        reader = connect(tmp_path / "perron.sqlite", writes=False)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM entry")
        reader.close()
        assert store.log.head().seq > 0


def test_what_is_forgotten_is_overwritten_whatever_sqlite_was_built_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    def built_without(*args: Any, **given: Any) -> sqlite3.Connection:  # noqa: ANN401 - whatever is asked
        made: sqlite3.Connection = real(*args, **given)
        made.execute("PRAGMA secure_delete = OFF")
        return made

    monkeypatch.setattr("sqlite3.connect", built_without)
    connection = connect(tmp_path / "perron.sqlite3", writes=True)
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    connection.close()
