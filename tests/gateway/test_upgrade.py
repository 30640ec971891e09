"""Boxes that earlier programs wrote, whole, go on under today's: kept by `databases/boxes.py`.

Each was killed with a courier inside; it has a sealed visit and a delivery to come.
"""

import asyncio
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.demo.plan import DemoPlan, make_plan
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit.state import Phase
from gateway.evidence.checkpoint import Checkpoint
from gateway.evidence.rollback import find_doubt
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import find_break
from gateway.protocol.key_succession import KeyHistory
from gateway.runtime.maintenance.backup import make_backup
from gateway.runtime.maintenance.restore import unpack
from gateway.storage.models import CommitResult
from gateway.storage.schema import migration_scripts
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import reserve_step
from tests.whole_house import run_whole_house

ROOT = Path(__file__).parents[2]
KEPT = sorted((Path(__file__).parent / "databases").glob("*.tar.xz"))
STRACE = shutil.which("strace") or "strace"  # where it is missing this fails: it is never skipped
BOTH = pytest.mark.parametrize("kept", KEPT, ids=lambda file: str(file.name).partition(".")[0])


def laid_out(kept: Path, folder: Path) -> Path:
    """The box's storage folder, as it was left."""
    with tarfile.open(kept, "r:xz") as tar:
        tar.extraction_filter = getattr(tarfile, "tar_filter", None)  # Python 3.11 has it since its fourth release
        tar.extractall(folder)  # noqa: S202 - the archive is ours
    return folder


def of_its_day(folder: Path) -> Now:
    """An hour after it was left."""
    last = Checkpoint.from_json((folder / "last-checkpoint.json").read_bytes())
    return Now(utc=last.at + timedelta(hours=1), trusted=True, mono=1000.0)


def its_house(folder: Path) -> Home:
    house = make_plan(folder, fast=True).home
    broker = house.broker.model_copy(update={"password_file": None})
    return house.model_copy(update={"storage": house.storage.model_copy(update={"folder": folder}), "broker": broker})


def proofs(folder: Path) -> dict[str, Path]:
    """The sealed visits by their delivery."""
    sealed = (path for path in (folder / "visits").iterdir() if (path / "manifest.sig").exists())
    return {json.loads((path / "manifest.json").read_bytes())["delivery"]["id"]: path for path in sealed}


def public(folder: Path) -> PublicKey:
    return PublicKey.from_pem((folder / "key" / "box.pub.pem").read_bytes())


def test_a_box_is_kept_of_each_state_that_was_released() -> None:
    assert [file.name for file in KEPT] == ["2026-11-issue-2.tar.xz", "2026-11-issue-3.tar.xz"]
    assert sum(file.stat().st_size for file in KEPT) < 2_000_000


@BOTH
async def test_an_old_box_opens_with_its_log_its_proofs_and_what_was_promised(tmp_path: Path, kept: Path) -> None:
    folder = laid_out(kept, tmp_path / "box")
    house, now = its_house(folder), of_its_day(folder)
    old = proofs(folder)
    assert old.keys() == {"cdiscount.sealed"}
    assert verify_proof(old["cdiscount.sealed"], public_key=public(folder)).ok
    store = await Store.open(folder / "perron.sqlite3", home=house, now=now)
    try:
        assert find_break(store.log.entries()) is None
        known = store.rollback.condition()
        assert known.mark_due, "it has sealed: from now on it never goes without a mark"
        assert (
            find_doubt(folder / "last-checkpoint.json", store.log.hash_at, known, public(folder), KeyHistory()) is None
        )
        coming, sealed = (
            store.deliveries.facts("cdiscount.coming", now),
            store.deliveries.facts("cdiscount.sealed", now),
        )
        assert coming is not None
        assert sealed is not None
        assert (coming.refusal, coming.openings_left) == (None, 1)
        assert sealed.refusal is Refusal.ALREADY_USED
        front = store.entrances.state("front")
        assert front is not None
        assert front.visit is not None
        assert (front.visit.delivery.id, front.visit.phase) == ("cdiscount.inside", Phase.INSIDE)
        inside = store.deliveries.facts("cdiscount.inside", now)
        assert inside is not None
        assert inside.refusal is Refusal.ALREADY_USED, "the courier who is inside has used it"
        assert isinstance(await store.commit(reserve_step(coming, visit="v-new", now=now)), CommitResult), "it goes on"
    finally:
        await store.close()


@BOTH
async def test_an_old_box_is_backed_up_and_put_back_by_todays_program(tmp_path: Path, kept: Path) -> None:
    folder = laid_out(kept, tmp_path / "box")
    (tmp_path / "home.yaml").write_text("box: perron-demo")
    made = make_backup(its_house(folder), tmp_path / "home.yaml", tmp_path / "b.tar", of_its_day(folder), films=True)
    assert made.damaged == ()
    new = tmp_path / "new"
    new.mkdir()
    unpack(tmp_path / "b.tar", new)
    verdict = verify_proof(proofs(new)["cdiscount.sealed"], public_key=public(folder))
    assert verdict.ok, verdict.problem
    assert len(list((new / "visits").iterdir())) == 1, "the visit that was not over is not in it"


# ---- a migration that is cut short ----------------------------------------------------------------------------------

MIGRATED = """
import sqlite3, sys
from pathlib import Path
from gateway.storage.schema import connect, migrate, migration_scripts
database = connect(Path(sys.argv[1]), writes=True)
migrate(database, migration_scripts())
database.close()
"""

KILLED_AT_EACH = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from gateway.storage.schema import connect, migrate, migration_scripts
kept, folder = Path(sys.argv[1]), Path(sys.argv[2])
for number in range(1, 500):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept, folder)
    child = os.fork()
    if not child:
        database, left = connect(folder / "perron.sqlite3", writes=True), number
        def seen(_statement):
            global left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        database.set_trace_callback(seen)
        migrate(database, migration_scripts())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    database = sqlite3.connect(folder / "perron.sqlite3")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    whole = database.execute("PRAGMA integrity_check").fetchone()[0]
    tables = sorted(sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL"))
    entries = database.execute("SELECT count(*) FROM entry").fetchone()[0]
    database.close()
    print(version, whole, hash(str(tables)), entries, os.WIFSIGNALED(status))
    if not os.WIFSIGNALED(status):
        break
"""


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


@pytest.mark.slow
async def test_killed_at_any_statement_a_migration_leaves_the_old_store_or_the_new_one_whole(tmp_path: Path) -> None:
    folder = laid_out(KEPT[0], tmp_path / "box")
    done = await asyncio.to_thread(ran, sys.executable, "-c", KILLED_AT_EACH, str(folder), str(tmp_path / "try"))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 20, "there are as many statements at least"
    assert {whole for _, whole, _, _, _ in lines} == {"ok"}
    assert len({entries for _, _, _, entries, _ in lines}) == 1
    assert [killed for *_, killed in lines] == ["True"] * (len(lines) - 1) + ["False"]
    shapes = {(version, tables) for version, _, tables, _, _ in lines}
    versions = sorted(int(version) for version, _ in shapes)
    assert versions == list(range(3, len(migration_scripts()) + 1)), "one shape for each version, and each was seen"


@pytest.mark.slow
@pytest.mark.parametrize(("call", "when"), [("pwrite64", 2), ("pwrite64", 9), ("fdatasync", 1), ("fdatasync", 2)])
async def test_killed_while_a_migration_is_written_it_is_whole_at_the_next_start(
    tmp_path: Path, call: str, when: int
) -> None:
    folder = laid_out(KEPT[0], tmp_path / "box")
    file = folder / "perron.sqlite3"
    hurt = [STRACE, "-f", "-qq", "-y", "-o", "/dev/null", "-P", f"{file}-wal", "-e", f"trace={call}"]
    hurt += ["-e", f"inject={call}:signal=KILL:when={when}", sys.executable, "-c", MIGRATED, str(file)]
    done = await asyncio.to_thread(ran, *hurt)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
    now = of_its_day(folder)
    store = await Store.open(file, home=its_house(folder), now=now)
    try:
        assert find_break(store.log.entries()) is None
        assert store.deliveries.facts("cdiscount.coming", now) is not None
    finally:
        await store.close()


@pytest.mark.slow
async def test_a_box_of_a_newer_program_is_refused_in_words_and_left_alone(tmp_path: Path) -> None:
    folder = laid_out(KEPT[-1], tmp_path / "box")
    (tmp_path / "home.yaml").write_text(json.dumps(its_house(folder).model_dump(mode="json")), encoding="utf-8")
    database = sqlite3.connect(folder / "perron.sqlite3")
    database.execute(f"PRAGMA user_version = {len(migration_scripts()) + 1}")
    database.close()
    before = (folder / "perron.sqlite3").read_bytes()
    run = [sys.executable, "-m", "gateway", "run", "--home", str(tmp_path / "home.yaml")]
    done = await asyncio.to_thread(ran, *run)
    assert done.returncode == 4, "no service manager starts it again: that would not help"
    assert re.search(r"used by a newer perron; install that one again", done.stderr), done.stderr
    assert (folder / "perron.sqlite3").read_bytes() == before


# ---- a courier is inside --------------------------------------------------------------------------------------------


def patient(plan: DemoPlan) -> DemoPlan:
    """The box waits for the lock's answer for 20 s: the 3 s of a demo are too few on a busy machine."""
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update={"command_life": 20.0})})
        for name, one in plan.home.entrances.items()
    }
    return replace(plan, home=plan.home.model_copy(update={"entrances": entrances}))


@pytest.mark.slow
async def test_a_box_that_is_upgraded_while_a_courier_is_inside_ends_his_visit_and_delivers_on(tmp_path: Path) -> None:
    """The oldest kept box, taken over by today's gateway with a real broker and real cameras."""
    box = laid_out(KEPT[0], tmp_path / "box")
    before = public(box)
    async with run_whole_house(tmp_path, patient) as play:
        async with asyncio.timeout(120):
            while "cdiscount.inside" not in proofs(box):  # noqa: ASYNC110 - the disk tells nobody
                await asyncio.sleep(0.1)
        await play.watch.wait_until("the visit's end", lambda: play.watch.state.get("phase") == "ready", within=30)
        await play.deliver(await play.announce_delivery(id_="since", codes=("8L20524752039",)))
    found = proofs(box)
    assert found.keys() == {"cdiscount.sealed", "cdiscount.inside", "cdiscount.since"}
    for name, proof in found.items():
        verdict = verify_proof(proof, public_key=before)
        assert verdict.ok, (name, verdict.problem, verdict.where)
    assert json.loads((found["cdiscount.inside"] / "manifest.json").read_bytes())["house"] == "locked_again"
