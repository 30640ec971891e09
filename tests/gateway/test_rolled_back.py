"""A box whose store was put back from an older copy knows it at its start, by the checkpoint beside the store."""

from pathlib import Path

import pytest

from gateway.archive import was_rolled_back
from gateway.proof.checkpoint import checkpoint
from gateway.proof.keys import BoxKey
from gateway.store import Store
from tests.gateway.delivery.house import opened
from tests.gateway.delivery.shop import NOW


def keep(store: Store, key: BoxKey, file: Path) -> None:
    file.write_bytes(checkpoint(store.head(), box="box-1", now=NOW, key=key).to_json())


@pytest.fixture
def key(tmp_path: Path) -> BoxKey:
    return BoxKey.at(tmp_path / "key")


async def test_an_older_copy_is_noticed(tmp_path: Path, key: BoxKey) -> None:
    file, database = tmp_path / "last", tmp_path / "perron.sqlite"
    async with opened(tmp_path) as store:
        await store.note("one", {}, NOW)
    older = database.read_bytes()
    async with opened(tmp_path) as store:
        await store.note("two", {}, NOW)
        keep(store, key, file)
        assert not was_rolled_back(file, store, key)
        await store.note("three", {}, NOW)
        assert not was_rolled_back(file, store, key), "a log that went on is the same log"
    database.write_bytes(older)
    async with opened(tmp_path) as store:
        assert was_rolled_back(file, store, key)
        while store.head().seq < 20:
            await store.note("another life", {}, NOW)
        assert was_rolled_back(file, store, key), "also when it has grown longer than the old one"


async def test_no_checkpoint_or_one_that_is_not_ours_says_nothing(tmp_path: Path, key: BoxKey) -> None:
    file, stranger = tmp_path / "last", BoxKey.at(tmp_path / "other")
    async with opened(tmp_path) as store:
        await store.note("one", {}, NOW)
        assert not was_rolled_back(file, store, key)
        file.write_bytes(b"{}")
        assert not was_rolled_back(file, store, key)
    (tmp_path / "elsewhere").mkdir()
    async with opened(tmp_path / "elsewhere") as other:
        for _ in range(5):
            await other.note("another box", {}, NOW)
        keep(other, stranger, file)
    async with opened(tmp_path) as store:
        assert not was_rolled_back(file, store, key)
