"""Films and proofs: what a visit leaves behind, how long, and what is never claimed."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, Phase
from gateway.evidence.checkpoint import Checkpoint, SealedPart
from gateway.evidence.manifest import Manifest, ManifestDraft, visit_folder
from gateway.evidence.receipt import CourierReceipt
from gateway.evidence.retention import read_tombstone
from gateway.evidence.rollback import MARK_FILE, StoreDoubt, find_doubt
from gateway.evidence.seal import seal_part
from gateway.evidence.verdict import VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey
from gateway.protocol.owner_requests import parse_owner_request
from gateway.storage.browsers import BrowserStore
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.atomic_file import write_whole, write_with_last
from gateway.video.ipc import ClipFacts, ClipKey, ClipsClosed, Gap, StreamFault
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOON, NOW, make_offer
from tests.gateway.evidence.visits import FILM_S, write_film
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import VISIT, entrance_in_visit, make_home
from tests.waiting import assert_stays, wait_until

FILMED = timedelta(seconds=FILM_S)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path) as made, run_tasks(made.archive.run()):
        await receive(made.store, make_offer())
        yield made


def over(made: ShellBox, part: int = 1) -> Entrance:
    """A visit that is locked again, its parcels in."""
    return entrance_in_visit(
        made.home, Phase.LOCKED_AGAIN, outcome=Outcome.DELIVERED,
        door_result=DoorResult.LOCKED_AGAIN, opened=True, part=part,
        parcels=frozenset({"8L20524752032"}),
    )  # fmt: skip


async def filmed(  # noqa: PLR0913 - what a film may be told to be
    made: ShellBox,
    visit: str = VISIT,
    part: int = 1,
    *,
    state: Entrance | None = None,
    at: datetime = NOON,
    hole: bool = False,
) -> ClipsClosed:
    """Begin a film, decide this and that, and end it; the clips as the video process closes them."""
    state = state or over(made, part)
    result = c.ReportDoorResult(visit=visit, delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
    stop = c.StopRecording(visit=visit, part=part, keep=True)
    began = replace(NOW, utc=at)
    made.front.state = state
    commands = (
        (c.StartRecording(visit=visit, part=part), result, stop)
        if state.visit
        else (c.StartRecording(visit=visit, part=part), stop)
    )
    await made.store.commit(make_step(state, *commands, now=began))
    folder = made.home.storage.folder / visit_folder(visit)
    folder.mkdir(parents=True, exist_ok=True)
    key = ClipKey(visit=visit, part=part)
    films = [write_film(folder, camera, key=key, start=at) for camera in ("cam", "hall")]
    made.archive.on_film_end(stop, replace(NOW, utc=at + FILMED))
    gap = Gap(start=at, end=at + timedelta(seconds=2), why=StreamFault.STALL)
    return ClipsClosed(
        clip=key,
        clips=tuple(
            ClipFacts(
                camera=one.camera,
                path=f"{visit_folder(visit)}/{one.file}",
                start=one.start,
                end=one.end,
                sha256=one.sha256,
                fragments=one.fragments,
            )
            for one in films
        ),
        gaps=(("hall", gap),) if hole else (),
    )


async def sealed(made: ShellBox, part: int = 1, *, hole: bool = False) -> Path:
    """A whole part, closed and sealed."""
    closed = await filmed(made, part=part, hole=hole)
    made.archive.add_clips(closed)
    seal = c.SealProof(visit=VISIT, part=part, gaps=())
    made.archive.seal(seal, made.front.state)
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=part) in heard(made))
    return made.home.storage.folder / visit_folder(VISIT)


def heard(made: ShellBox) -> list[e.Event]:
    return list(made.front._event_queue)  # noqa: SLF001 - what waits there is what it will decide on


def judged(made: ShellBox, folder: Path) -> VerificationResult:
    return verify_proof(folder, public_key=made.key.public)


# ---- proofs ----------------------------------------------------------------------------------------------------------


async def test_a_sealed_visit_verifies(made: ShellBox) -> None:
    folder = await sealed(made)
    verdict = judged(made, folder)
    assert verdict.ok, (verdict.problem, verdict.where)
    (part,) = (part.manifest for part in verdict.parts)
    assert (part.outcome, part.house, len(part.clips), part.declared_gaps) == ("delivered", "locked_again", 2, ())
    assert e.FilmClosed(visit=VISIT, part=1) in heard(made)
    (film,) = made.store.recordings.films(visit=VISIT)
    assert film.sealed is not None
    assert [clip.size > 0 for clip in film.clips] == [True, True]


async def test_a_sealed_visit_has_the_names_that_a_report_needs(made: ShellBox) -> None:
    names = Manifest.from_json((await sealed(made) / "manifest.json").read_bytes()).names
    home = made.home
    assert names is not None
    assert (names.house, names.timezone, names.language) == (home.name, home.timezone, home.language)
    assert names.entrances == {"front": home.entrances["front"].name}
    assert names.places == {id_: place.name for id_, place in home.entrances["front"].places.items()}
    assert names.brand


async def test_the_phones_checkpoint_holds_against_the_proof(made: ShellBox, tmp_path: Path) -> None:
    folder = await sealed(made)
    phone = tmp_path / "phone.jsonl"
    phone.write_bytes(b"".join(point.to_json() + b"\n" for point in made.checkpoints))
    assert made.checkpoints
    assert verify_proof(folder, public_key=made.key.public, checkpoint=phone).ok


async def test_a_slow_disk_holds_up_no_door_while_a_proof_is_sealed(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, really = asyncio.get_running_loop(), os.fsync
    went_on: list[bool] = []

    def slow(descriptor: int) -> None:
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        went_on.append(turned.wait(timeout=2))  # in vain if the loop itself waits here
        really(descriptor)

    made.archive.add_clips(await filmed(made))
    monkeypatch.setattr(os, "fsync", slow)
    made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=1) in heard(made))
    proof = 4 + 2  # log, signature, receipt, manifest; their folder before the manifest has its name, and after it
    assert went_on == [True] * (proof + 2), "and the checkpoint with its folder"


async def test_a_visit_is_sealed_while_the_disk_still_writes_anothers_proof(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def slow(folder: Path, draft: ManifestDraft, **given: Any) -> tuple[SealedPart, Checkpoint]:  # noqa: ANN401 - as they are given
        if draft.visit == VISIT:
            assert released.wait(timeout=30)
        return seal_part(folder, draft, **given)

    monkeypatch.setattr("gateway.evidence.archive.seal_part", slow)
    for visit in (VISIT, "other"):
        made.archive.add_clips(await filmed(made, visit))
        made.archive.seal(c.SealProof(visit=visit, part=1, gaps=()), made.front.state)
    await wait_until(lambda: e.ProofSealed(visit="other", part=1) in heard(made))
    assert e.ProofSealed(visit=VISIT, part=1) not in heard(made)
    released.set()
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=1) in heard(made))
    for visit in (VISIT, "other"):
        assert verify_proof(made.home.storage.folder / visit_folder(visit), public_key=made.key.public).ok


async def test_what_is_told_of_a_proof_is_on_the_disk_before(made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, tuple[int, bool]] = {}

    def noting(path: Path, data: bytes) -> None:
        write_whole(path, data)
        said[path.name] = len(made.checkpoints), e.ProofSealed(visit=VISIT, part=1) in heard(made)

    def noting_all(folder: Path, files: Mapping[str, bytes], last: str, data: bytes) -> None:
        write_with_last(folder, files, last, data)
        said[last] = len(made.checkpoints), e.ProofSealed(visit=VISIT, part=1) in heard(made)

    monkeypatch.setattr("gateway.evidence.seal.write_with_last", noting_all)
    monkeypatch.setattr("gateway.evidence.rollback.write_whole", noting)
    await sealed(made)
    assert list(said.items()) == [("manifest.json", (0, False)), (MARK_FILE, (0, False))]
    mark = made.home.storage.folder / MARK_FILE
    assert Checkpoint.from_json(mark.read_bytes()).head == made.checkpoints[-1].head
    inode, size = mark.stat().st_ino, mark.stat().st_size
    made.archive.marks.write(made.store.log.head(), made.clock.now())
    assert (mark.stat().st_ino, mark.stat().st_size) == (inode, size), "the intent's mark is written over it"


async def test_a_checkpoint_that_cannot_be_kept_beside_the_store_is_told_to_the_phone(made: ShellBox) -> None:
    (made.home.storage.folder / MARK_FILE).mkdir()  # not to be written, not even by root
    assert judged(made, await sealed(made)).ok
    assert len(made.checkpoints) == 1


async def test_gaps_are_declared(made: ShellBox) -> None:
    folder = await sealed(made, hole=True)
    verdict = judged(made, folder)
    assert verdict.ok
    assert any("hall" in gap and "stall" in gap for gap in map(str, verdict.parts[0].manifest.declared_gaps))
    assert e.FilmClosed(visit=VISIT, part=1, gaps=("hall:stall",)) in heard(made)


async def test_the_second_part_names_the_first(made: ShellBox) -> None:
    await sealed(made)
    folder = await sealed(made, part=2)
    verdict = judged(made, folder)
    assert verdict.ok, (verdict.problem, verdict.where)
    assert [part.manifest.part for part in verdict.parts] == [1, 2]
    manifest = json.loads((folder / "manifest-2.json").read_bytes())
    assert manifest["previous_sha256"] == made.store.recordings.films(visit=VISIT)[0].manifest_sha256


async def test_a_part_whose_earlier_one_is_not_sealed_seals_it_first(made: ShellBox) -> None:
    made.archive.add_clips(await filmed(made, part=1))
    folder = await sealed(made, part=2)
    assert judged(made, folder).ok
    assert all(film.sealed for film in made.store.recordings.films(visit=VISIT))


async def test_an_incident_is_sealed_without_a_delivery(made: ShellBox) -> None:
    nobody = replace(over(made), visit=None)
    made.archive.add_clips(await filmed(made, "incident-1", state=nobody))
    await wait_until(lambda: made.store.recordings.films(visit="incident-1")[0].sealed)
    verdict = judged(made, made.home.storage.folder / visit_folder("incident-1"))
    assert verdict.ok, (verdict.problem, verdict.where)
    assert verdict.parts[0].manifest.delivery is None


async def test_a_film_that_closes_after_its_visit_is_sealed_with_what_it_came_to(made: ShellBox) -> None:
    closed = await filmed(made)
    made.front.state = replace(made.front.state, visit=None, grace_visit=made.front.state.visit)
    made.archive.add_clips(closed)
    await wait_until(lambda: made.store.recordings.films(visit=VISIT)[0].sealed)
    verdict = judged(made, made.home.storage.folder / visit_folder(VISIT))
    assert (verdict.ok, verdict.parts[0].manifest.outcome) == (True, "delivered")


async def test_a_seal_that_failed_is_not_claimed_and_is_made_later(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        await receive(made.store, make_offer())
        async with run_tasks(made.archive.run()):
            closed = await filmed(made)
            made.archive.add_clips(closed)
            await wait_until(lambda: heard(made))
            folder = tmp_path / visit_folder(VISIT)
            (folder / "manifest.json").mkdir()  # not to be written, not even by root
            made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)

            def claimed() -> tuple[bool, datetime | None, int]:
                told = any(isinstance(event, e.ProofSealed) for event in heard(made))
                return told, made.store.recordings.films(visit=VISIT)[0].sealed, len(made.checkpoints)

            await assert_stays(lambda: claimed() == (False, None, 0), 0.3, "it was claimed")
        (folder / "manifest.json").rmdir()
        made.front.state = replace(made.front.state, visit=None)  # over, with the alarm that its proof is incomplete
        async with run_tasks(made.archive.run()):  # the next tidying
            await wait_until(lambda: made.store.recordings.films(visit=VISIT)[0].sealed)
        verdict = judged(made, folder)
        assert (verdict.ok, verdict.parts[0].manifest.outcome) == (True, "delivered")


async def test_a_hole_in_a_film_is_declared_also_if_the_gateway_began_anew_before_it_was_sealed(tmp_path: Path) -> None:
    hole = Gap(start=NOON + timedelta(seconds=1), end=NOON + timedelta(seconds=2), why=StreamFault.DISK)
    async with box(tmp_path) as made:
        await receive(made.store, make_offer())
        closed = await filmed(made)
        holed = tuple(clip.model_copy(update={"gaps": (hole,)}) for clip in closed.clips)
        async with run_tasks(made.archive.run()):
            made.archive.add_clips(closed.model_copy(update={"clips": holed}))
            await wait_until(lambda: heard(made))
    async with box(tmp_path) as made:
        made.front.state = replace(made.front.state, visit=None)
        async with run_tasks(made.archive.run()):  # the tidying of its start
            await wait_until(lambda: made.store.recordings.films(visit=VISIT)[0].sealed)
        verdict = judged(made, tmp_path / visit_folder(VISIT))
    declared = verdict.parts[0].manifest.gaps
    assert [(gap.camera, gap.start, gap.end) for gap in declared] == [
        ("cam", hole.start, hole.end), ("hall", hole.start, hole.end),
    ]  # fmt: skip


async def test_a_film_that_began_while_the_disk_was_full_is_known_by_its_running_visit(made: ShellBox) -> None:
    made.front.state = over(made)
    unknown = await filmed(made, "other", state=replace(over(made), visit=None))
    made.front.state = replace(made.front.state, incident="other-2")
    moved = unknown.model_copy(update={"clip": ClipKey(visit="other-2", part=1)})
    made.archive.add_clips(moved)
    await wait_until(lambda: made.store.recordings.films(visit="other-2"))
    assert made.store.recordings.films(visit="other-2")[0].entrance == "front"


async def test_clips_of_nobody_and_files_that_are_gone_end_nothing(made: ShellBox) -> None:
    closed = await filmed(made)
    made.archive.add_clips(closed.model_copy(update={"clip": ClipKey(visit="nobody", part=1)}))
    for one in closed.clips:
        (made.home.storage.folder / one.path).unlink()
    made.archive.add_clips(closed)
    made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=1) in heard(made))
    verdict = judged(made, made.home.storage.folder / visit_folder(VISIT))
    assert verdict.ok
    assert any("film_lost" in str(gap) for gap in verdict.parts[0].manifest.declared_gaps)
    assert made.store.recordings.films(visit="nobody") == ()


async def test_a_long_named_delivery_and_a_short_code_can_be_sealed(made: ShellBox) -> None:
    state = over(made)
    assert state.visit is not None
    long = replace(state.visit.delivery, id="b" * 64 + "." + "d" * 64, parcels=frozenset({"é", "ab"}))
    closed = await filmed(made, state=replace(state, visit=replace(state.visit, delivery=long, parcels=long.parcels)))
    made.archive.add_clips(closed)
    made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=1) in heard(made))
    manifest = json.loads((made.home.storage.folder / visit_folder(VISIT) / "manifest.json").read_bytes())
    assert manifest["delivery"]["parcels"] == ["", "b"]  # never more than half of a code


async def test_the_couriers_receipt_verifies(made: ShellBox) -> None:
    folder = await sealed(made)
    issued = CourierReceipt.from_json((folder / "receipt.json").read_bytes())
    assert issued.is_signed_by(made.key.public)
    assert (issued.outcome, issued.parcels, issued.carrier) == (Outcome.DELIVERED, ("2032",), "Colissimo")
    assert issued.left is not None
    assert judged(made, folder).ok


# ---- the end of films ------------------------------------------------------------------------------------------------


async def test_an_erasure_on_request_leaves_a_tombstone_and_verify_says_so(made: ShellBox) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    await made.archive.erase(VISIT, None)
    assert [path.name for path in folder.iterdir()] == ["erased.json"]
    verdict = judged(made, folder)
    assert verdict.ok
    assert verdict.erased is not None
    assert "on request of owner" in verdict.erased
    with pytest.raises(LookupError):
        await made.archive.erase(VISIT, None)
    told_of_it = [
        one.body for one in made.store.log.entries() if isinstance(one.body, bytes) and VISIT.encode() in one.body
    ]
    assert [json.loads(body)["kind"] for body in told_of_it] == ["erased"]


async def test_an_erasure_says_who_asked_for_it_in_the_log_and_on_the_tombstone(made: ShellBox) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    async with run_tasks(made.reception.run()):
        erase = parse_owner_request(f'{{"id":"page-1","do":"erase","visit":"{VISIT}"}}'.encode())
        assert not isinstance(erase, str)
        assert await made.reception.submit_request("front", erase, "ab12cd34") is None
    stone = read_tombstone(folder)
    assert stone is not None
    assert (stone.why, stone.who) == ("request", "ab12cd34")
    assert "on request of ab12cd34" in (judged(made, folder).erased or "")
    (row,) = (row for row in made.store.log.bodies_of_visit(VISIT) if row["kind"] == "erased")
    assert (row["by"], row["why"]) == ("ab12cd34", "owner")


async def test_what_is_erased_while_it_is_being_sealed_is_erased_whole(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, began, go = os.fsync, threading.Event(), threading.Event()

    def first_is_slow(descriptor: int) -> None:
        if not began.is_set():
            began.set()
            go.wait(timeout=10)
        really(descriptor)

    closed = await filmed(made)
    made.front.state = replace(made.front.state, visit=None)  # over: its film closes late
    monkeypatch.setattr(os, "fsync", first_is_slow)
    made.archive.add_clips(closed)
    await wait_until(began.is_set)
    erasing = asyncio.create_task(made.archive.erase(VISIT, None))
    await asyncio.wait({erasing}, timeout=0.3)
    go.set()
    await erasing
    await wait_until(lambda: made.store.recordings.films(visit=VISIT)[0].sealed)
    folder = made.home.storage.folder / visit_folder(VISIT)
    assert [path.name for path in folder.iterdir()] == ["erased.json"]
    assert judged(made, folder).erased


async def test_clips_that_are_told_again_after_an_erasure_bring_nothing_back(made: ShellBox) -> None:
    closed = await filmed(made)
    made.archive.add_clips(closed)
    await wait_until(lambda: heard(made))
    made.front.state = replace(made.front.state, visit=None)
    await made.archive.erase(VISIT, None)
    made.archive.add_clips(closed)
    await assert_stays(lambda: all(film.clips == () for film in made.store.recordings.films(visit=VISIT)), 0.1)
    (film,) = made.store.recordings.films(visit=VISIT)
    assert film.clips == ()
    assert judged(made, made.home.storage.folder / visit_folder(VISIT)).erased


@pytest.mark.parametrize("watched", [False, True])
async def test_a_visit_that_is_not_over_is_not_erased(made: ShellBox, *, watched: bool) -> None:
    await sealed(made)
    if watched:  # for a while somebody may still come out: the next part names this one
        made.front.state = replace(made.front.state, visit=None, grace_visit=made.front.state.visit)
    with pytest.raises(LookupError, match="running"):
        await made.archive.erase(VISIT, None)


async def test_a_held_visit_is_not_erased_neither_on_request_nor_in_time(made: ShellBox) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    await made.store.recordings.set_hold(VISIT, "dispute", NOW)
    with pytest.raises(LookupError, match="held dispute"):
        await made.archive.erase(VISIT, None)
    made.time.mono += timedelta(days=40).total_seconds()
    async with run_tasks(made.archive.run()):
        await assert_stays((folder / "manifest.json").exists, 0.2)
    assert (folder / "manifest.json").exists()
    assert made.store.recordings.films(visit=VISIT)[0].clips


@pytest.mark.parametrize(("days", "gone"), [(29.9, False), (30.1, True)])
async def test_films_are_kept_thirty_days_and_what_was_decided_stays(
    made: ShellBox, days: float, *, gone: bool
) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    made.time.mono += timedelta(days=days).total_seconds()
    async with run_tasks(made.archive.run()):  # as at a start
        if gone:
            await wait_until(lambda: (folder / "erased.json").exists() and not (folder / "cam-1-1.mp4").exists())
        else:
            await assert_stays(lambda: (folder / "cam-1-1.mp4").exists() and not (folder / "erased.json").exists(), 0.3)
    assert ((folder / "erased.json").exists(), (folder / "cam-1-1.mp4").exists()) == (gone, not gone)
    assert (folder / "manifest.json").exists()
    verdict = judged(made, folder)
    assert verdict.ok, (verdict.problem, verdict.where)
    assert (verdict.erased is not None) is gone


@pytest.mark.parametrize(("days", "held", "stays"), [(29.9, False, True), (30.1, False, False), (40, True, True)])
async def test_films_that_a_full_disk_kept_out_of_the_store_have_their_time_too(
    made: ShellBox, days: float, *, held: bool, stays: bool
) -> None:
    folder = made.home.storage.folder / "visits" / ("nobody" if not held else VISIT)
    if held:  # its row is there, its clips could not be noted
        await sealed(made)
        made.front.state = replace(made.front.state, visit=None)
        await made.store.recordings.set_hold(VISIT, "dispute", NOW)
    folder.mkdir(parents=True, exist_ok=True)
    films = {"cam-1-1.mp4", "cam-1-1.jsonl"}
    for name in films:
        (folder / name).write_bytes(b"film")
        os.utime(folder / name, (NOW.utc.timestamp(), NOW.utc.timestamp()))
    made.time.mono += timedelta(days=days).total_seconds()
    async with run_tasks(made.archive.run()):
        if stays:
            await assert_stays(lambda: {path.name for path in folder.glob("cam-1-1.*")} == films, 0.3)
        else:
            await wait_until(lambda: not any(folder.glob("cam-1-1.*")))
    assert {path.name for path in folder.glob("cam-1-1.*")} == (films if stays else set())


async def test_nothing_goes_while_the_time_is_not_trusted(made: ShellBox) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    made.clock.now()
    made.time.skew += timedelta(days=40).total_seconds()  # somebody set the clock
    async with run_tasks(made.archive.run()):
        await assert_stays((folder / "cam-1-1.mp4").exists, 0.2)
    assert (folder / "cam-1-1.mp4").exists()


@pytest.mark.parametrize(
    ("who", "by", "left"),
    [("owner", None, {"erased.json"}), ("owner", "anna", {"erased.json"}), ("retention", None, None)],
)
async def test_an_erasure_that_a_crash_cut_short_ends_as_it_began(
    made: ShellBox, who: str, by: str | None, left: set[str] | None
) -> None:
    folder = await sealed(made)
    made.front.state = replace(made.front.state, visit=None)
    assert await made.store.recordings.mark_erased(VISIT, who, NOW, by=by)  # and then the power went
    made.time.mono += timedelta(days=60).total_seconds()  # and came back after the film's time
    async with run_tasks(made.archive.run()):
        await wait_until(lambda: not made.store.recordings.films(visit=VISIT)[0].clips)
    names = {path.name for path in folder.iterdir()}
    assert names == left or (left is None and "manifest.json" in names and "cam-1-1.mp4" not in names)
    stone = read_tombstone(folder)
    assert stone is not None
    assert stone.who == (by or who)
    assert judged(made, folder).ok


async def test_one_visit_that_cannot_be_erased_keeps_no_other_from_it(made: ShellBox) -> None:
    folder = await sealed(made)
    (folder / "strange").mkdir()
    nobody = replace(over(made), visit=None)
    made.archive.add_clips(await filmed(made, "incident-1", state=nobody, at=NOON + timedelta(minutes=1)))
    await wait_until(lambda: made.store.recordings.films(visit="incident-1")[0].sealed)
    made.time.mono += timedelta(days=31).total_seconds()
    async with run_tasks(made.archive.run()):
        await wait_until(lambda: not made.store.recordings.films(visit="incident-1")[0].clips)


# ---- an older copy ---------------------------------------------------------------------------------------------------


async def test_a_store_put_back_from_an_older_copy_is_noticed_at_the_start(tmp_path: Path) -> None:
    house, file, database = make_home(tmp_path), tmp_path / MARK_FILE, tmp_path / "perron.sqlite3"

    def doubt(store: Store) -> StoreDoubt | None:
        return find_doubt(
            file, store.log.hash_at, store.rollback.condition(), BoxKey.load(tmp_path / "key").public, KeyHistory()
        )

    async with box(tmp_path) as made:
        assert doubt(made.store) is None  # a new box
    older = database.read_bytes()
    async with box(tmp_path) as made, run_tasks(made.archive.run()):
        await receive(made.store, make_offer())
        await sealed(made)
        assert file.exists()
        assert doubt(made.store) is None
    database.write_bytes(older)
    store = await Store.open(database, home=house, now=NOW)
    try:
        assert doubt(store) is StoreDoubt.ROLLED_BACK
    finally:
        await store.close()


async def test_an_older_copy_stays_known_until_the_browsers_that_end_by_it_have_ended_on_the_disk(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_browsers: BrowserStore) -> None:
        raise StoreFailed("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(BrowserStore, "finish_ending", full)
        with pytest.raises(StoreFailed):
            await made.store.browsers.end_all()
        await sealed(made)
        await wait_until(lambda: len(made.checkpoints) == 1)
        assert not (made.home.storage.folder / MARK_FILE).exists()
    await sealed(made, part=2)
    await wait_until((made.home.storage.folder / MARK_FILE).exists)
    assert not made.store.browsers.is_ending


def test_a_checkpoint_can_be_read_again() -> None:
    with pytest.raises(ValueError, match="validation"):
        Checkpoint.from_json(b"{}")
