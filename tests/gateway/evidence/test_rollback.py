"""A store that is not the one that the box used last opens nothing, wherever the box was killed."""

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.demo.processes import stop_detached
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, Notification, RingBell
from gateway.domain.visit.events import OwnerAcknowledged
from gateway.evidence.checkpoint import Checkpoint, sign_checkpoint
from gateway.evidence.manifest import FilmGap, FilmSpan, LogExtract, LogPosition, Manifest
from gateway.evidence.rollback import (
    MARK_FILE,
    STORE_FILE,
    MarkWriter,
    StoreDoubt,
    find_doubt,
    foreign_visits,
    load_own_key,
    read_sealed_proofs,
)
from gateway.evidence.succession import SUCCESSION_FILE, finish_key_change, prepare_key_change
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.hash_chain import ChainHead
from gateway.protocol.keys import PRIVATE_KEY_FILE, BoxKey
from gateway.storage.models import CommitResult
from gateway.storage.store import Store
from tests.forkserver import run_python
from tests.gateway.domain.delivery.house import commit_reservation, entrance_state, make_step, receive, visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_home, make_offer
from tests.gateway.storage.test_store import writer_of
from tests.slow_disk import slow_disk
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def box(folder: Path) -> AsyncIterator[Store]:
    """A store with its marks, as a gateway that begins has it."""
    key, line, lost = load_own_key(folder)
    store = await Store.open(folder / STORE_FILE, home=make_home(), now=NOW)
    try:
        proofs, known = read_sealed_proofs(folder, line.keys_of_same_box(key.public)), store.rollback.condition()
        doubt = lost or find_doubt(folder / MARK_FILE, store.log.hash_at, known, key.public, line, proofs)
        if doubt is None:
            await store.rollback.set_signer(key.public.text)
        else:
            others = foreign_visits(proofs, store.log.hash_at, known.foreign_visits)
            await store.rollback.begin_doubt(doubt, NOW, signer=key.public.text, tell_at="front", foreign_visits=others)
        store.box.mark_with(MarkWriter(folder, box="box-1", key=key, is_held=lambda: store.rollback.is_unstored))
        await store.box.record_start(NOW)
        assert await store.box.mark(NOW)
        yield store
    finally:
        await store.close()


async def found(folder: Path) -> StoreDoubt | None:
    """What a gateway that begins here would find; nothing is changed."""
    shutil.rmtree(folder.with_name("looked-at"), ignore_errors=True)
    copy = shutil.copytree(folder, folder.with_name("looked-at"))
    key, line, lost = load_own_key(copy)
    store = await Store.open(copy / STORE_FILE, home=make_home(), now=NOW)
    try:
        proofs = read_sealed_proofs(copy, line.keys_of_same_box(key.public))
        return lost or find_doubt(
            copy / MARK_FILE, store.log.hash_at, store.rollback.condition(), key.public, line, proofs
        )
    finally:
        await store.close()


def kept(folder: Path, to: Path) -> Path:
    """A copy of the store's files, as anybody may make one of a box that is off."""
    to.mkdir()
    for file in folder.glob(f"{STORE_FILE}*"):
        shutil.copy(file, to)
    return to


def put_back(older: Path, folder: Path) -> None:
    for file in folder.glob(f"{STORE_FILE}*"):
        file.unlink()
    for file in older.iterdir():
        shutil.copy(file, folder)


@pytest.fixture
async def used(tmp_path: Path) -> Path:
    """A box whose delivery was announced, and used after a copy of the store was made: `older` beside it."""
    folder = tmp_path / "box"
    folder.mkdir()
    async with box(folder) as store:
        await receive(store, make_offer())
    async with box(folder) as store:
        kept(folder, tmp_path / "older")  # after this start's own mark: only the intent's can show it
        outcome = await commit_reservation(store)
        assert isinstance(outcome, CommitResult)
        assert outcome.is_marked
    return folder


async def test_a_store_put_back_between_two_seals_is_in_doubt(used: Path) -> None:
    assert await found(used) is None
    put_back(used.with_name("older"), used)
    assert await found(used) is StoreDoubt.ROLLED_BACK


async def test_a_store_put_back_is_in_doubt_also_when_it_has_grown_longer_than_the_lost_one(used: Path) -> None:
    put_back(used.with_name("older"), used)
    store = await Store.open(used / STORE_FILE, home=make_home(), now=NOW)
    while store.log.head().seq < 50:
        await store.log.append("another life", {}, NOW)
    await store.close()
    assert await found(used) is StoreDoubt.ROLLED_BACK


def folder_in_place_of(file: Path) -> None:
    file.unlink()
    file.mkdir()


HURT: dict[str, tuple[Callable[[Path], object], StoreDoubt]] = {
    "mark gone": (lambda folder: (folder / MARK_FILE).unlink(), StoreDoubt.MARK_MISSING),
    "mark cut": (lambda folder: (folder / MARK_FILE).write_bytes(b'{"at":"20'), StoreDoubt.MARK_DAMAGED),
    "mark empty": (lambda folder: (folder / MARK_FILE).write_bytes(b""), StoreDoubt.MARK_DAMAGED),
    "mark a folder": (lambda folder: folder_in_place_of(folder / MARK_FILE), StoreDoubt.MARK_DAMAGED),
    "mark of another box": (
        lambda folder: (folder / MARK_FILE).write_bytes(
            sign_checkpoint(ChainHead(), box="box-1", now=NOW, key=BoxKey.generate()).to_json()
        ),
        StoreDoubt.MARK_FOREIGN,
    ),
    "key gone": (lambda folder: (folder / "key" / PRIVATE_KEY_FILE).unlink(), StoreDoubt.KEY_LOST),
    "all keys gone": (lambda folder: shutil.rmtree(folder / "key"), StoreDoubt.KEY_LOST),
    "key cut": (lambda folder: (folder / "key" / PRIVATE_KEY_FILE).write_bytes(b"-----BEGIN"), StoreDoubt.KEY_DAMAGED),
    "key of another box": (
        lambda folder: (folder / "key" / PRIVATE_KEY_FILE).write_bytes(BoxKey.generate().pem),
        StoreDoubt.KEY_FOREIGN,
    ),
    "line of keys damaged": (
        lambda folder: (folder / "key" / SUCCESSION_FILE).write_bytes(b"{}\n"),
        StoreDoubt.LINE_DAMAGED,
    ),
}


@pytest.mark.parametrize("older", [True, False], ids=["older store", "same store"])
@pytest.mark.parametrize("hurt", HURT)
async def test_a_box_whose_mark_or_key_is_gone_damaged_or_anothers_is_in_doubt(
    used: Path, hurt: str, *, older: bool
) -> None:
    if older:
        put_back(used.with_name("older"), used)
    does, doubt = HURT[hurt]
    does(used)
    assert await found(used) is doubt


async def test_one_bit_of_the_mark_flipped_is_a_doubt_whichever_it_is(used: Path) -> None:
    file = used / MARK_FILE
    whole = file.read_bytes()
    key, line, _ = load_own_key(used)
    store = await Store.open(used / STORE_FILE, home=make_home(), now=NOW)
    try:
        known = store.rollback.condition()
        assert find_doubt(file, store.log.hash_at, known, key.public, line) is None
        for bit in range(len(whole) * 8):
            hurt = bytearray(whole)
            hurt[bit // 8] ^= 1 << bit % 8
            file.write_bytes(hurt)
            assert find_doubt(file, store.log.hash_at, known, key.public, line) is not None, f"bit {bit}"
    finally:
        await store.close()


async def test_a_lost_key_is_never_replaced_without_a_doubt_and_nothing_of_the_old_one_is_deleted(used: Path) -> None:
    keys = used / "key"
    old, public = (keys / PRIVATE_KEY_FILE).read_bytes(), (keys / "box.pub.pem").read_bytes()
    (keys / PRIVATE_KEY_FILE).write_bytes(old[:40])
    first, _, lost = load_own_key(used)
    assert lost is StoreDoubt.KEY_DAMAGED
    assert (keys / f"{PRIVATE_KEY_FILE}.lost-1").read_bytes() == old[:40]
    assert (keys / "box.pub.pem.lost-1").read_bytes() == public
    assert await found(used) is StoreDoubt.KEY_FOREIGN, "killed before that was noted: the next start sees it too"
    (keys / PRIVATE_KEY_FILE).unlink()
    second, _, lost = load_own_key(used)
    assert lost is StoreDoubt.KEY_LOST
    assert first.public != second.public


async def test_a_key_that_others_can_read_is_refused_and_stays_where_it_is(used: Path) -> None:
    (used / "key" / PRIVATE_KEY_FILE).chmod(0o644)
    with pytest.raises(KeyUnusable, match="read by others"):
        load_own_key(used)
    assert (used / "key" / PRIVATE_KEY_FILE).exists()


async def test_a_key_that_follows_the_old_one_by_its_own_word_is_no_doubt(used: Path) -> None:
    prepare_key_change(used / "key")
    assert finish_key_change(used / "key", box="box-1", now=NOW) is not None
    assert await found(used) is None, "the mark is signed by the key before"
    async with box(used) as store:
        assert store.rollback.condition().signer == BoxKey.load(used / "key").public.text
    assert await found(used) is None


async def test_a_change_of_the_key_that_was_prepared_is_given_up_with_a_key_that_is_lost(used: Path) -> None:
    prepare_key_change(used / "key")
    (used / "key" / PRIVATE_KEY_FILE).unlink()
    key, _, lost = load_own_key(used)
    assert lost is StoreDoubt.KEY_LOST
    assert finish_key_change(used / "key", box="box-1", now=NOW) is None
    assert BoxKey.load(used / "key").public == key.public


async def test_a_new_box_and_one_that_is_upgraded_have_no_mark_yet_and_are_in_no_doubt(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    for _ in range(2):
        async with box(folder) as store:
            assert store.rollback.condition().in_doubt == frozenset()
            assert store.rollback.condition().mark_due
    upgraded = tmp_path / "upgraded"
    upgraded.mkdir()
    shutil.copy(ROOT / "tests" / "gateway" / "databases" / "0009.sqlite", upgraded / STORE_FILE)
    BoxKey.load_or_create(upgraded / "key")
    assert await found(upgraded) is None
    async with box(upgraded) as store:
        assert store.rollback.condition().mark_due, "from now on one is due"
    (upgraded / MARK_FILE).unlink()
    assert await found(upgraded) is StoreDoubt.MARK_MISSING


async def test_what_takes_access_away_is_marked_too(used: Path) -> None:
    deeds: tuple[Callable[[Store], Awaitable[object]], ...] = (
        lambda store: store.entrances.set_stop("front", NOW, on=True),
        lambda store: store.brands.decide("shop", PermissionStatus.REVOKED, NOW),
        lambda store: store.brands.distrust(store.brands.all_keys()[0].x, NOW),
    )
    for number, deed in enumerate(deeds):
        older = kept(used, used.with_name(f"older-{number}"))
        async with box(used) as store:
            await store.close()  # what a later start adds must not be what shows it
        key, _, _ = load_own_key(used)
        store = await Store.open(used / STORE_FILE, home=make_home(), now=NOW)
        store.box.mark_with(MarkWriter(used, box="box-1", key=key))
        before = kept(used, used.with_name(f"before-{number}"))
        await deed(store)
        await store.close()
        assert await found(used) is None
        newest = kept(used, used.with_name(f"newest-{number}"))
        for copy in (older, before):
            put_back(copy, used)
            assert await found(used) is StoreDoubt.ROLLED_BACK
        put_back(newest, used)


async def test_in_doubt_what_was_promised_waits_to_be_announced_anew_and_the_owner_ends_it_at_each_entrance(
    used: Path,
) -> None:
    put_back(used.with_name("older"), used)
    async with box(used) as store:
        known = store.rollback.condition()
        assert known.doubt == StoreDoubt.ROLLED_BACK
        assert known.in_doubt == {"front", "garage"}
        assert visit_delivery(store).refusal is Refusal.ANNOUNCE_AGAIN
        (said,) = store.messages.unsent()
        assert (said.entrance, Notification.STORE_IN_DOUBT.value in said.body.decode()) == ("front", True)
    async with box(used) as store:
        assert store.rollback.condition().in_doubt == {"front", "garage"}, "it outlives a start, though the mark is new"
        await store.commit(make_step(entrance_state(), event=OwnerAcknowledged(visit=None)))
        assert store.rollback.condition().in_doubt == {"garage"}
        assert visit_delivery(store).refusal is Refusal.ANNOUNCE_AGAIN, (
            "what was used before is not open again after his yes"
        )


async def test_a_mark_that_cannot_be_written_lets_nothing_open(used: Path) -> None:
    async with box(used) as store:
        await receive(store, make_offer(id="d2", parcels=("other",), courier_sha256="b" * 64))
        (used / MARK_FILE).unlink()
        (used / MARK_FILE).mkdir()  # not to be written, not even by root
        outcome = await commit_reservation(store, "shop.d2", visit="v2")
        assert isinstance(outcome, CommitResult)
        assert not outcome.is_marked


async def test_after_a_sync_that_failed_the_mark_is_a_new_file(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = MarkWriter(used, box="box-1", key=load_own_key(used)[0])
    mark, failing = used / MARK_FILE, {"sync": False}
    really, inodes = os.fdatasync, []

    def fdatasync(descriptor: int) -> None:
        if failing["sync"]:
            raise OSError(errno.EIO, "the disk is gone")
        really(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    for seq, fails in ((51, False), (52, False), (53, True), (54, False), (55, False)):
        failing["sync"] = fails
        assert marks.write(ChainHead(seq=seq, hash=bytes(32)), NOW) is not fails
        inodes.append(mark.stat().st_ino)
    assert inodes[0] == inodes[1] == inodes[2], "written over in its place"
    assert inodes[3] == inodes[4] != inodes[2], "the kernel may have dropped what it could not write"
    assert Checkpoint.from_json(mark.read_bytes()).seq == 55


async def test_after_the_unlock_its_mark_is_synced_and_not_written_again(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks, heads = MarkWriter(used, box="box-1", key=load_own_key(used)[0]), [ChainHead(seq=51, hash=bytes(32))]
    heads.append(ChainHead(seq=52, hash=bytes(32)))
    assert marks.write(heads[0], NOW)
    assert marks.write(heads[1], NOW, is_synced=False)
    mark = used / MARK_FILE
    inode, failing, calls = mark.stat().st_ino, [True, False], list[str]()

    def fdatasync(_descriptor: int) -> None:
        calls.append("sync")
        if failing.pop(0):
            raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(os, "pwrite", lambda *_: pytest.fail("it is written already"))
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    marks.finish(heads[1], NOW)
    assert mark.stat().st_ino != inode, "the kernel may have dropped what it could not write"
    assert (calls, marks.synced_seq) == (["sync"], 52)
    monkeypatch.undo()
    heads.append(ChainHead(seq=53, hash=bytes(32)))
    assert marks.write(heads[2], NOW, is_synced=False)
    assert marks.synced_seq == 52
    monkeypatch.setattr(os, "pwrite", lambda *_: pytest.fail("it is written already"))
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    marks.finish(heads[2], NOW)
    marks.finish(heads[2], NOW)
    assert (calls, marks.synced_seq) == (["sync", "sync"], 53)


class OrderedMarks(MarkWriter):
    """The box's marks; `order` says what happened, marks among it."""

    order: list[str]

    def finish(self, head: ChainHead, now: Now) -> None:
        self.order.append("mark")
        super().finish(head, now)


async def test_the_mark_of_a_ring_waits_until_nobody_waits_for_the_store(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with box(used) as store:
        marks = OrderedMarks(used, box="box-1", key=BoxKey.load(used / "key"))
        marks.order = []
        store.box.mark_with(marks)
        await receive(store, make_offer(id="d2", parcels=("p2",), courier_sha256="2" * 64))
        ring = make_step(entrance_state(visit_delivery(store, "shop.d2"), visit="v2"), RingBell(visit="v2"))
        async with slow_disk(writer_of(store), monkeypatch):  # one job a commit
            marks.order.clear()
            ringing = asyncio.ensure_future(store.commit(ring))
            jobs = [asyncio.ensure_future(writer_of(store).do(lambda _db: marks.order.append("job"))) for _ in "ab"]
            await asyncio.sleep(0)
        await asyncio.gather(ringing, *jobs)
        await wait_until(lambda: marks.synced_seq == store.log.head().seq)
        assert marks.order == ["job", "job", "mark"]


# ---- killed ----------------------------------------------------------------------------------------------------------

KILLED = """
import asyncio, os, shutil, signal, sys
from pathlib import Path
from gateway.evidence.rollback import STORE_FILE, MarkWriter, load_own_key
from gateway.storage.store import Store
from gateway.domain.visit.commands import RingBell
from tests.gateway.domain.delivery.house import commit_reservation, entrance_state, make_step, visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_home
folder, at = Path(sys.argv[1]), sys.argv[2]
is_begun = False
def reached(point):
    if point == at and is_begun:
        os.kill(os.getpid(), signal.SIGKILL)
synced, data_synced, replace = os.fsync, os.fdatasync, Path.replace
def fsync(descriptor):
    name = os.readlink(f"/proc/self/fd/{descriptor}")
    what = "folder" if name == str(folder) else "file"
    reached(f"before sync of {what}")
    synced(descriptor)
    reached(f"after sync of {what}")
def fdatasync(descriptor):
    reached("written over")
    data_synced(descriptor)
    reached("after sync of data")
def replaced(self, target):
    replace(self, target)
    reached("renamed")
async def main():
    store = await Store.open(folder / STORE_FILE, home=make_home(), now=NOW)
    key, _, _ = load_own_key(folder)
    marks = MarkWriter(folder, box="box-1", key=key, crash_point=reached)
    store.box.mark_with(marks)
    if sys.argv[3] == "over":  # the first mark of a process is a new file
        await store.box.mark(NOW)
    if sys.argv[3] == "visit":  # it began a moment ago, and the disk has a mark of that
        await store.commit(make_step(entrance_state(visit_delivery(store), visit="v1"), RingBell(visit="v1")))
        while marks.synced_seq < store.log.head().seq:
            await asyncio.sleep(0.001)
        within = folder.parent / "within"
        within.mkdir()
        for file in folder.glob(f"{STORE_FILE}*"):
            shutil.copy(file, within)
        shutil.copy(folder / "last-checkpoint.json", folder.parent / "mark-before")
    global is_begun
    is_begun = True
    os.fsync, os.fdatasync, Path.replace = fsync, fdatasync, replaced
    reached("before-commit")
    outcome = await commit_reservation(store)
    reached("after-commit")
    assert outcome.is_marked
    (folder.parent / "published").write_bytes(b"the unlock")
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
NEW_FILE = [
    "before-commit", "before-mark", "before sync of file", "after sync of file", "renamed", "before sync of folder",
    "after sync of folder", "after-mark", "after-commit", "published",
]  # fmt: skip
WRITTEN_OVER = [
    "before-commit", "before-mark", "written over", "after sync of data", "after-mark", "after-commit", "published",
]  # fmt: skip

BEGUN_VISIT = ["before-commit", "before-mark", "after-mark", "after-commit", "published"]


async def killed_at(point: str, way: str, tmp_path: Path) -> tuple[Path, Path]:
    """A box with one delivery, killed at this point of its intent; a copy of its store from before."""
    folder = tmp_path / "box"
    folder.mkdir()
    async with box(folder) as store:
        await receive(store, make_offer())
    older = kept(folder, tmp_path / "older")
    done = await asyncio.to_thread(run_python, "-c", KILLED, folder, point, way)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "published").exists() == (point == "published")
    assert await found(folder) is None, "a kill alone is no doubt"
    return folder, older


@pytest.mark.parametrize("point", BEGUN_VISIT)
async def test_killed_around_the_mark_of_a_visit_that_has_a_mark_already_its_delivery_never_opens_again(
    tmp_path: Path, point: str
) -> None:
    folder, older = await killed_at(point, "visit", tmp_path)
    newest = kept(folder, tmp_path / "newest")
    put_back(older, folder)
    assert await found(folder) is StoreDoubt.ROLLED_BACK, "the mark of the visit's beginning shows it"
    put_back(tmp_path / "within", folder)
    is_marked = BEGUN_VISIT.index(point) >= BEGUN_VISIT.index("after-mark")
    assert await found(folder) is (StoreDoubt.ROLLED_BACK if is_marked else None)
    shutil.copy(tmp_path / "mark-before", folder / MARK_FILE)  # the power failed before the intent's mark was synced
    put_back(newest, folder)
    assert await found(folder) is None
    put_back(older, folder)
    assert await found(folder) is StoreDoubt.ROLLED_BACK


class NotedMarks(MarkWriter):
    """The box's marks; `waited` says of each that somebody waits for whether he waits for the disk too."""

    waited: list[bool]

    def write(self, head: ChainHead, now: Now, *, is_synced: bool = True) -> bool:
        self.waited.append(is_synced)
        return super().write(head, now, is_synced=is_synced)

    def finish(self, head: ChainHead, now: Now) -> None:
        before = len(self.waited)
        super().finish(head, now)
        del self.waited[before:]


async def test_the_mark_of_an_intent_waits_for_the_disk_unless_the_visit_has_one_already(used: Path) -> None:
    async with box(used) as store:
        marks = NotedMarks(used, box="box-1", key=BoxKey.load(used / "key"))
        marks.waited = []
        store.box.mark_with(marks)
        for number, visit, begins in ((2, "v2", False), (3, "v3", True)):
            await receive(store, make_offer(id=f"d{number}", parcels=(f"p{number}",), courier_sha256=f"{number}" * 64))
            under = visit_delivery(store, f"shop.d{number}")
            if begins:
                await store.commit(make_step(entrance_state(under, visit=visit), RingBell(visit=visit)))
                await wait_until(lambda: marks.synced_seq == store.log.head().seq)
            assert isinstance(await commit_reservation(store, f"shop.d{number}", visit=visit), CommitResult)
            mark = Checkpoint.from_json((used / MARK_FILE).read_bytes())
            assert mark.seq == store.log.head().seq, "it is written before anybody hears of the intent"
        await wait_until(lambda: marks.synced_seq == store.log.head().seq)
        await store.entrances.set_stop("front", NOW, on=True)
        assert marks.waited == [True, False, True]


@pytest.mark.parametrize(
    ("way", "points", "point"),
    [("new", NEW_FILE, point) for point in NEW_FILE] + [("over", WRITTEN_OVER, point) for point in WRITTEN_OVER],
)
async def test_killed_at_any_point_around_the_mark_a_used_delivery_never_opens_again(
    tmp_path: Path, way: str, points: list[str], point: str
) -> None:
    folder, older = await killed_at(point, way, tmp_path)
    put_back(older, folder)
    if points.index(point) >= points.index("renamed" if way == "new" else "written over"):
        assert await found(folder) is StoreDoubt.ROLLED_BACK
    else:
        assert await found(folder) is None, "nothing was sent: the delivery is as good as it was"


# ---- a whole house ---------------------------------------------------------------------------------------------------


async def killed(play: ScenarioRun) -> Path:
    """Gateway and video process are gone, without a word."""
    folder = play.plan.home.storage.folder
    await play.stage.gateway.end(at_once=True)
    await stop_detached(folder / "video.pid")
    return folder


def moves(play: ScenarioRun) -> int:
    """How often the bolt was withdrawn, by the house's own log."""
    return sum(line["what"] == "bolt" and line["state"] == "withdrawn" for line in play.log.lines)


def guards(play: ScenarioRun) -> bool:
    return all(play.watch.state.get(fact) for fact in ("safe_mode", "locked", "closed"))


def prove(folder: Path, store: Store, key: BoxKey, visit: str = "v1", *, gaps: int = 0) -> None:
    """Seal a proof as the box does after a visit: signed, and ending with the log's newest entry."""
    proof = folder / "visits" / visit
    proof.mkdir(parents=True)
    head = store.log.head()
    at = LogPosition(seq=head.seq, hash=head.hash.hex())
    hole = FilmGap(start=NOW.utc, end=NOW.utc + timedelta(seconds=1), camera=None, why="unreachable")
    manifest = Manifest(
        box="box-1",
        key=key.public.text,
        entrance="front",
        visit=visit,
        part=1,
        previous_sha256=None,
        delivery=None,
        outcome=None,
        house=None,
        film=FilmSpan(start=NOW.utc, end=NOW.utc + timedelta(seconds=1)),
        cameras=(),
        clips=(),
        gaps=(hole,) * gaps,
        notes=(),
        decisions=(),
        sealed_at=NOW.utc,
        clock_trusted=True,
        log=LogExtract(file="log.jsonl", sha256="0" * 64, after=LogPosition(seq=0, hash="0" * 64), last=at),
    )
    (proof / "manifest.json").write_bytes(manifest.to_json())
    (proof / "manifest.sig").write_bytes(key.sign(manifest.to_json()))


async def test_an_older_store_that_is_put_back_with_its_older_mark_is_in_doubt_by_the_proofs_sealed_since(
    used: Path,
) -> None:
    older = used.with_name("older-pair")
    kept(used, older)
    shutil.copy(used / MARK_FILE, older)
    async with box(used) as store:
        await store.box.record_start(NOW)
        prove(used, store, load_own_key(used)[0])
        assert await store.box.mark(NOW)
    assert await found(used) is None
    put_back(older, used)
    assert await found(used) is StoreDoubt.ROLLED_BACK
    async with box(used) as store:
        assert store.rollback.condition().foreign_visits == {"v1"}
    assert await found(used) is None, "a doubt that was told is not begun anew by the same proofs"


def gone(folder: Path) -> None:
    for file in (*folder.glob(f"{STORE_FILE}*"), folder / MARK_FILE):
        file.unlink()


@pytest.mark.parametrize("gaps", [0, 20_000], ids=["small", "of two MiB"])
async def test_a_store_and_a_mark_that_are_both_gone_are_in_doubt_where_a_proof_is_left(used: Path, gaps: int) -> None:
    async with box(used) as store:
        prove(used, store, load_own_key(used)[0], gaps=gaps)
    gone(used)
    assert await found(used) is StoreDoubt.ROLLED_BACK


async def test_what_another_box_has_sealed_makes_no_doubt(used: Path, tmp_path: Path) -> None:
    async with box(used) as store:
        prove(used, store, BoxKey.load_or_create(tmp_path / "another" / "key"))
    gone(used)
    assert await found(used) is None, "nothing of the box's own says that it was used"


@pytest.mark.slow
@pytest.mark.parametrize("hurt", ["nothing more", "mark gone", "key gone"])
async def test_a_used_delivery_opens_no_door_of_a_house_whose_older_store_was_put_back(
    tmp_path: Path, hurt: str
) -> None:
    """Announced, killed, copied, scanned, killed with the courier inside, put back, scanned."""
    async with run_whole_house(tmp_path) as play:
        parcels = await play.announce_delivery()
        alive = len(play.watch.seen)
        folder = await killed(play)
        older = kept(folder, tmp_path / "older")
        await play.stage.gateway.begin()
        await play.watch.wait_for_reconnect(alive, within=60)
        await play.wait_until_ready()
        await play.wait_for_cameras()
        play.watch.mark_seen()
        await play.enter_with_parcel(parcels)
        alive = len(play.watch.seen)
        await killed(play)
        withdrawn = moves(play)
        assert withdrawn == 1
        await play.courier.comes_out()
        put_back(older, folder)
        if hurt != "nothing more":
            HURT[hurt][0](folder)
        await play.stage.gateway.begin()
        await play.watch.wait_for_reconnect(alive, within=60)
        await play.wait_for_alarm(AlarmCode.SAFE_MODE)
        await play.wait_for_notification(Notification.STORE_IN_DOUBT)
        await play.watch.wait_until("safe mode, locked", lambda: guards(play), within=30)
        for code in (parcels.codes[0], parcels.courier_code):
            await play.courier.scans(code)
        await play.watch.wait_for_event("answer", within=30, word="no")
        await play.owner.send_request("acknowledge")
        await play.watch.wait_until("no safe mode", lambda: play.watch.state.get("safe_mode") is False, within=30)
        play.watch.mark_seen()
        await play.wait_for_new_scan()
        for code in (parcels.codes[0], parcels.courier_code):
            await play.courier.scans(code)
        await play.wait_for_refusal(Refusal.ANNOUNCE_AGAIN)
        assert moves(play) == withdrawn, "no second opening"
