"""The small pictures of visits: taken once a visit is sealed, of what was sealed only, and gone with the film."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.manifest import visit_folder
from gateway.evidence.thumbnails import THUMBNAILS_FOLDER, kept_thumbnails, take_thumbnails, thumbnail_file
from gateway.evidence.verify import verify_proof
from gateway.runtime.maintenance import factory_reset
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOON, make_offer
from tests.gateway.evidence.documents.visits import seal_visit
from tests.gateway.evidence.test_archive import filmed, sealed
from tests.gateway.evidence.visits import VISIT as SEALED_VISIT
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import VISIT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path) as made, run_tasks(made.archive.run()):
        await receive(made.store, make_offer())
        yield made


def storage_of(made: ShellBox) -> Path:
    return made.home.storage.folder


async def test_a_sealed_visit_gets_small_pictures_that_are_no_part_of_its_proof(made: ShellBox) -> None:
    folder = await sealed(made)
    await wait_until(lambda: kept_thumbnails(storage_of(made), VISIT), within=120)
    kept = kept_thumbnails(storage_of(made), VISIT)
    assert kept == (PhotoMoment.ARRIVAL, PhotoMoment.LOCKED)  # this log has no door that opens
    for moment in kept:
        with Image.open(thumbnail_file(storage_of(made), VISIT, moment)) as picture:
            assert picture.format == "JPEG"
    verdict = verify_proof(folder, public_key=made.key.public)
    assert verdict.ok
    assert not any("jpg" in note for note in verdict.notes)


def test_the_pictures_are_of_the_scan_of_the_parcel_of_the_closed_door_and_of_the_end(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    seal_visit(tmp_path / "visits")
    taken = take_thumbnails(tmp_path, SEALED_VISIT)
    assert tuple(taken) == (PhotoMoment.ARRIVAL, PhotoMoment.LOCKED, PhotoMoment.CARRYING, PhotoMoment.CLOSED)
    for jpeg in taken.values():
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert picture.size == (64, 48)


def test_a_film_that_is_not_what_was_sealed_gives_no_picture(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    folder, _ = seal_visit(tmp_path / "visits")
    for film in folder.glob("*.mp4"):
        data = bytearray(film.read_bytes())
        data[len(data) // 2] ^= 1
        film.write_bytes(data)
    assert take_thumbnails(tmp_path, SEALED_VISIT) == {}


async def test_the_pictures_go_when_the_film_goes(made: ShellBox) -> None:
    await sealed(made)
    await wait_until(lambda: kept_thumbnails(storage_of(made), VISIT), within=120)
    made.front.state = replace(made.front.state, visit=None)
    await made.archive.erase(VISIT)
    assert not (storage_of(made) / THUMBNAILS_FOLDER / VISIT).exists()


async def test_a_visit_that_an_earlier_release_sealed_gets_its_pictures_at_the_start(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        await receive(made.store, make_offer())
        async with run_tasks(made.archive.run()):
            await sealed(made)
            await wait_until(lambda: kept_thumbnails(storage_of(made), VISIT), within=120)
        thumbnail_file(storage_of(made), VISIT, PhotoMoment.ARRIVAL).unlink()
        made.archive.__post_init__()  # the box starts anew
        async with run_tasks(made.archive.run()):
            await wait_until(lambda: kept_thumbnails(storage_of(made), VISIT), within=120)


async def test_pictures_of_a_visit_that_the_box_does_not_know_are_deleted(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        forgotten = thumbnail_file(storage_of(made), "forgotten", PhotoMoment.ARRIVAL)
        forgotten.parent.mkdir(parents=True)
        forgotten.write_bytes(b"\xff\xd8\xff")
        async with run_tasks(made.archive.run()):
            await wait_until(lambda: not forgotten.parent.exists())


async def test_films_that_cannot_be_decoded_leave_the_box_sealing_the_next_visit(made: ShellBox) -> None:
    closed = await filmed(made)
    for film in (storage_of(made) / visit_folder(VISIT)).glob("*.mp4"):
        film.write_bytes(b"no film")
    made.archive.add_clips(closed)
    made.archive.seal(c.SealProof(visit=VISIT, part=1, gaps=()), made.front.state)
    made.archive.add_clips(await filmed(made, part=2, at=NOON + timedelta(minutes=1)))
    made.archive.seal(c.SealProof(visit=VISIT, part=2, gaps=()), made.front.state)
    await wait_until(lambda: e.ProofSealed(visit=VISIT, part=2) in list(made.front._event_queue))  # noqa: SLF001 - what waits there
    assert kept_thumbnails(storage_of(made), VISIT) == ()


def test_a_wipe_takes_the_pictures_too() -> None:
    assert THUMBNAILS_FOLDER in factory_reset.OWN_NAMES
