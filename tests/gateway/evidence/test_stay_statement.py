"""What the box states of a stay: nothing was filmed, or what was; and what its log has of that time."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.cli.owner import verify_folder
from gateway.domain.guests.passes import Stay
from gateway.domain.visit import commands as c
from gateway.evidence.stay_statement import StayStatement, state_stay
from gateway.protocol.hash_chain import ChainEntry
from gateway.protocol.keys import BoxKey
from gateway.storage.models import StoreFailed
from gateway.storage.recordings import begin_film
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import make_offer
from tests.gateway.runtime.test_guests import granted, guest_home
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import PARCEL
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

HOUR = timedelta(hours=1)
NAME = "0123456789ab"


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, guest_home(tmp_path), time=ManualTime(mono=7300.0)) as made:  # in the parcel's window
        await receive(made.store, make_offer(courier_sha256=None))
        async with run_box(made):
            await made.good_day()
            yield made


def stay(made: ShellBox, *, begins: timedelta = -HOUR, entrances: frozenset[str] = frozenset()) -> Stay:
    now = made.clock.now().utc
    return Stay(id=NAME, guest="Anna", starts=now + begins, ends=now + 2 * HOUR, entrances=entrances)


def stated(made: ShellBox, one: Stay) -> StayStatement:
    made.time.mono += 1
    return state_stay(one, made.home, made.clock.now())


def entries(made: ShellBox, statement: StayStatement) -> list[ChainEntry]:
    return list(made.store.log.entries(after=statement.after.seq, upto=statement.last.seq))


async def test_of_a_stay_in_which_a_guest_came_in_it_is_stated_that_nothing_was_filmed(made: ShellBox) -> None:
    one = stay(made, begins=timedelta(0))
    assert await made.reception.guests.plan_stay(one, "anna") is None
    before = made.store.log.head().seq
    made.time.mono += 1
    held = await granted(made)
    made.scan(made.reception.guests.code(held))
    await wait_until(lambda: made.commands(c.Unlock))
    statement = stated(made, one)
    assert (statement.films, statement.entrances, statement.box) == (
        (),
        tuple(sorted(made.home.entrances)),
        made.home.box,
    )
    assert statement.is_signed_by(made.key.public)
    assert statement.end == made.clock.now().utc, "the stay goes on"
    found = entries(made, statement)
    assert [one.seq for one in found] == list(range(statement.after.seq + 1, statement.last.seq + 1))
    assert statement.after.seq < before < statement.last.seq
    assert found[-1].hash.hex() == statement.last.hash


async def test_a_guest_s_visit_that_is_over_and_sealed_is_no_film(made: ShellBox) -> None:
    one = stay(made, begins=timedelta(0))
    assert await made.reception.guests.plan_stay(one, "anna") is None
    held = await granted(made)
    made.scan(made.reception.guests.code(held))
    await wait_until(lambda: made.commands(c.Unlock))
    (visit,) = {command.visit for command in made.commands(c.ReserveOpening)}
    await made.store.recordings.write(
        lambda db: begin_film(db, visit, 1, entrance="front", delivery=held.key, utc=made.clock.now().utc)
    )  # as its seal does
    assert stated(made, one).films == ()


async def test_a_film_at_an_entrance_that_the_house_file_names_no_longer_is_stated(made: ShellBox) -> None:
    await made.ring(PARCEL)
    made.time.mono += 1
    left = {name: section for name, section in made.home.entrances.items() if name != "front"}
    statement = state_stay(stay(made), made.home.model_copy(update={"entrances": left}), made.clock.now())
    assert [film.entrance for film in statement.films] == ["front"]
    assert "front" in statement.entrances


async def test_a_film_whose_log_was_erased_is_still_stated(made: ShellBox) -> None:
    visit = await made.ring(PARCEL)
    await made.store.recordings.write(
        lambda db: db.execute("UPDATE entry SET digest = zeroblob(32), body = NULL WHERE visit = ?", (visit,))
    )
    (film,) = stated(made, stay(made)).films
    assert film.entrance == "front"


async def test_a_film_that_touches_the_time_is_stated_at_its_entrance_only(made: ShellBox) -> None:
    await made.ring(PARCEL)
    everywhere, elsewhere = stated(made, stay(made)), stated(made, stay(made, entrances=frozenset({"garage"})))
    (film,) = everywhere.films
    assert (film.entrance, film.ended) == ("front", None)
    assert elsewhere.films == ()


async def test_a_film_that_ran_when_the_stay_began_is_stated(made: ShellBox) -> None:
    await made.ring(PARCEL)
    made.time.mono += 10
    (film,) = stated(made, stay(made, begins=timedelta(seconds=-5))).films
    assert film.began < made.clock.now().utc - timedelta(seconds=5)


async def test_a_film_that_was_deleted_since_nobody_came_in_is_stated_from_the_log(made: ShellBox) -> None:
    visit = await made.ring(PARCEL)
    await made.store.recordings.write(lambda db: db.execute("DELETE FROM film WHERE visit = ?", (visit,)))
    (film,) = stated(made, stay(made)).films
    assert film.entrance == "front"


async def test_what_was_filmed_before_or_after_is_not_of_the_stay(made: ShellBox) -> None:
    await made.ring(PARCEL)
    one = stay(made)
    earlier = Stay(id=NAME, guest="", starts=one.starts - 48 * HOUR, ends=one.starts - 24 * HOUR)
    statement = stated(made, earlier)
    assert statement.films == ()
    assert statement.after == statement.last, "no entry of the log belongs to that time"


async def test_without_a_store_that_can_be_read_nothing_is_stated(made: ShellBox, tmp_path: Path) -> None:
    nowhere = made.home.model_copy(
        update={"storage": made.home.storage.model_copy(update={"folder": tmp_path / "nowhere"})}
    )
    with pytest.raises(StoreFailed):
        state_stay(stay(made), nowhere, made.clock.now())


async def test_perron_verify_reads_it_and_finds_a_changed_byte_and_another_key(made: ShellBox, tmp_path: Path) -> None:
    file, key, other = (tmp_path / name for name in ("stay.json", "box.pem", "other.pem"))
    key.write_bytes(made.key.public.pem)
    other.write_bytes(BoxKey.generate().public.pem)
    text = stated(made, stay(made)).to_json()
    file.write_bytes(text)
    holds, said = verify_folder(file, key=key, checkpoint=None)
    assert holds
    assert "the box filmed nothing at front, garage" in said
    holds, said = verify_folder(file, key=None, checkpoint=None)
    assert holds
    assert "cannot prove whose key it is" in said
    holds, said = verify_folder(file, key=other, checkpoint=None)
    assert not holds
    assert "not signed by the key that you gave" in said
    file.write_bytes(
        text.replace(b'"films":[]', b'"films":[{"began":"2026-06-10T12:00:00Z","ended":null,"entrance":"front"}]')
    )
    assert not verify_folder(file, key=key, checkpoint=None)[0]
    await made.ring(PARCEL)
    file.write_bytes(stated(made, stay(made)).to_json())
    holds, said = verify_folder(file, key=key, checkpoint=None)
    assert holds
    assert "the box filmed 1 film at" in said
    assert "filmed at front from" in said
