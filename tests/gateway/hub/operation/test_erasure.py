"""A customer's data is erased at the hub, on both databases: no file has any of it, and no restore brings it back."""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from typer.testing import CliRunner

from gateway.hub.boxes.box_events import EventOutcome
from gateway.hub.config import HubFile
from gateway.hub.database.store import HubStore, new_id
from gateway.hub.database.tables import connections, deliveries, erasures, events, homes, idempotency, jobs, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import erasure as erasing
from gateway.hub.deliveries.retention import Retention
from gateway.hub.operation import databases
from gateway.hub.operation import erasure as operation
from gateway.hub.operation.backup import make_backup, read_backup
from gateway.hub.operation.databases import DUMP_FILE, SQLITE_FILE, kind_of
from gateway.hub.operation.erasure import Customer
from gateway.hub.operation.journal import JOURNAL_FILE
from gateway.hub.operation.restore import restore
from gateway.hub.operation.retailers import NotFound, NotPossible
from gateway.system.clock import machine_time
from tests.announcing import ConnectedHome, connected_home
from tests.boxes import insert_delivery
from tests.gateway.cli.terminal import every_command
from tests.hubs import RunningHub, hub_file, run_hub
from tests.receiver import shared_receiver
from tests.webhookhouse import TEST_WEBHOOKS

REFERENCE, GIFT, NAME, PARCEL = "Frau Quitzow 4711", "a gift for Wendelin", "ORD-XANTHIPPE", "QX987654321FR"
MARKS = (REFERENCE, GIFT, NAME, PARCEL, "xanthippe", "key-of-quitzow")
COUNT = 300  # deliveries of one customer
ENDED: dict[str, Any] = {"house": "locked_again"}


async def customer_of(hub: RunningHub, reference: str, neighbour: ConnectedHome | None = None) -> ConnectedHome:
    home = await connected_home(hub, None if neighbour is None else neighbour.retailer)
    async with hub.hub.store.writing() as tx:
        this = update(connections).where(connections.c.id == home.connection)
        await tx.execute(this.values(reference=reference, return_url="https://shop.example/quitzow"))
    return home


async def order(home: ConnectedHome, *, name: str = NAME, gift: str = GIFT, parcel: str = PARCEL) -> dict[str, Any]:
    body = {"connection": home.connection, "delivery": {**home.promise(parcels=[parcel]), "name": name},
            "metadata": {"note": gift}, "courier": True}  # fmt: skip
    headers = {**home.headers, "Idempotency-Key": "key-of-quitzow" if name == NAME else f"key-of-{name}"}
    status, made = await home.ask("POST", "/v1/deliveries", body, headers=headers)
    assert status == 201, made
    return made


async def delivered(home: ConnectedHome, made: dict[str, Any]) -> None:
    for state, more in (("visiting", {}), ("delivered", ENDED)):
        assert await home.stands(made, state, **more) is EventOutcome.KEPT


async def erase(home: ConnectedHome, **whose: str) -> tuple[int, dict[str, Any]]:
    return await home.ask("POST", "/v1/erasures", whose)


async def erased(home: ConnectedHome, id_: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (said := (await home.ask("GET", f"/v1/erasures/{id_}"))[1])["state"] != "erased":  # noqa: ASYNC110 - a worker does it
            await asyncio.sleep(0.1)
    return said


def stored(file: HubFile, folder: Path) -> Iterator[tuple[str, bytes]]:
    """All bytes that the hub has on disk: its SQLite file and what lies beside it, or what pg_dump writes."""
    for path in sorted(file.folder.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()
    if kind_of(file.database) == "postgresql":
        (folder / DUMP_FILE).unlink(missing_ok=True)
        dump = databases.copy_database(file.database, folder)
        command = ["pg_restore", "--data-only", "--file=-", str(dump)]
        yield "dump", subprocess.run(command, check=True, capture_output=True).stdout


def found(file: HubFile, folder: Path, marks: tuple[str, ...] = MARKS) -> set[str]:
    """Which of these are in any byte of them; a token's payload is base64, so its three shapes are looked for too."""
    shapes = {shape: mark for mark in marks for shape in shapes_of(mark)}
    return {shapes[shape] for _, data in stored(file, folder) for shape in shapes if shape in data}


def shapes_of(mark: str) -> set[bytes]:
    raw, plain = mark.encode(), {mark.encode(), mark.encode().hex().encode()}
    inner = {urlsafe_b64encode(b"." * before + raw)[4 if before else 0 :] for before in range(3)}
    encoded = {shape.rstrip(b"=")[:-4] for shape in inner if len(shape) > 12}
    return plain | encoded | {shape.hex().encode() for shape in encoded}


async def test_after_an_erasure_no_byte_of_the_hub_says_anything_of_the_customer_and_all_others_stay(
    tmp_path: Path,
) -> None:
    receiver, file = shared_receiver(), hub_file(tmp_path, webhooks=TEST_WEBHOOKS)
    async with run_hub(file) as hub:
        home = await customer_of(hub, REFERENCE)
        other = await customer_of(hub, "customer 8", home)
        assert (await home.ask("POST", "/v1/webhook_endpoints", {"url": f"{receiver.url}/ok"}))[0] == 201
        made = await order(home)
        kept = await order(other, name="ORD-OTHER", gift="for somebody else", parcel="KX111222333FR")
        await delivered(home, made)
        await delivered(other, kept)
        await receiver.until(6)
        assert found(file, tmp_path) == set(MARKS), "else this test could not fail"
        _, before = await home.ask("GET", "/v1/events?limit=100")
        proof = (await other.ask("GET", f"/v1/deliveries/{kept['id']}/proof"))[1]
        status, begun = await erase(home, reference=REFERENCE)
        assert (status, begun["connections"], begun["cause"]) == (202, [home.connection], "retailer")
        done = await erased(home, begun["id"])
        assert done["deliveries"] == 1

        _, after = await home.ask("GET", "/v1/events?limit=100")
        assert [one["seq"] for one in after["data"]] == [one["seq"] for one in before["data"]], "no number is missing"
        blank = [one for one in after["data"] if one["type"] == "event.erased"]
        assert {(one["about"], json.dumps(one["data"])) for one in blank} == {(done["id"], f'{{"id": "{done["id"]}"}}')}
        assert [one for one in after["data"] if one not in blank] == [
            one for one in before["data"] if one["data"].get("connection") == other.connection
        ]
        last = before["data"][-1]["id"]
        assert (await home.ask("GET", f"/v1/events?after={last}"))[0] == 200, "who read the last one reads on"
        assert (await home.ask("GET", f"/v1/deliveries/{made['id']}"))[0] == 404
        status, gone = await home.ask("GET", f"/v1/connections/{home.connection}")
        assert (status, gone["state"], gone["reference"], gone["return_url"]) == (200, "ended", None, None)
        assert (await other.ask("GET", f"/v1/deliveries/{kept['id']}/proof"))[1] == proof
        assert (await erase(home, reference=REFERENCE))[0] == 404, "nobody of this name is left"

        late = await home.stands(made, "delivered", **ENDED)
        assert late is EventOutcome.KEPT, "the home goes on in its chain"
        assert await home.stands(made, "delivered", missing=1, **ENDED) is EventOutcome.KEPT
        await hub.hub.store.overwrite_deleted()
        assert found(file, tmp_path) == set()
    assert found(file, tmp_path) == set(), "nor when the hub has ended"
    assert found(file, tmp_path, ("for somebody else", "KX111222333FR")) == {"for somebody else", "KX111222333FR"}


async def test_a_delivery_that_is_on_its_way_is_named_and_nothing_is_erased_before_its_end(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await customer_of(hub, REFERENCE)
        made = await order(home)
        status, said = await erase(home, reference=REFERENCE)
        assert (status, said["code"], made["id"] in said["detail"]) == (409, "conflict", True)
        assert (await home.ask("GET", f"/v1/connections/{home.connection}"))[1]["reference"] == REFERENCE
        with pytest.raises(NotPossible, match=made["id"]):
            await operation.erase(
                hub.hub.store, Customer(retailer=home.retailer.id, reference=REFERENCE), hub.hub.now(), print
            )
        await home.stands(made, "cancelled")
        assert (await erase(home, connection=home.connection))[0] == 202
        lost = await customer_of(hub, "customer 9", home)
        made = await order(lost, name="ORD-LOST")
        async with hub.hub.store.writing() as tx:  # its home never told how it ended
            await tx.execute(update(deliveries).values(window_end=hub.hub.now() - timedelta(days=2)))
        status, begun = await erase(lost, reference="customer 9")
        assert status == 202, "two days after its window nothing is on its way"
        await erased(lost, begun["id"])
        for body, wanted in (({}, 422), ({"reference": "x", "connection": home.connection}, 422)):
            assert (await home.ask("POST", "/v1/erasures", body))[0] == wanted
        stranger = await connected_home(hub)
        assert (await erase(stranger, connection=home.connection))[0] == 404
        assert (await stranger.ask("GET", f"/v1/erasures/{begun['id']}"))[0] == 404
        assert (await lost.ask("GET", "/v1/erasures"))[1]["data"][0]["id"] == begun["id"]


async def test_a_home_that_let_the_brand_in_is_informed_and_then_the_hub_forgets_which_one_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "LOOK_AGAIN", timedelta(seconds=1))
    async with run_hub(hub_file(tmp_path)) as hub:
        home, store = await customer_of(hub, REFERENCE), hub.hub.store
        async with store.writing() as tx:
            said = {"statements": {home.brand: "a.b.c", "another": "d.e.f"}}
            await tx.execute(update(homes).where(homes.c.id == home.id).values(said=said))
            created = hub.hub.now() - timedelta(days=2)
            await tx.execute(update(connections).where(connections.c.id == home.connection).values(created=created))
        _, begun = await erase(home, connection=home.connection)
        await erased(home, begun["id"])
        async with asyncio.timeout(10):
            while not await _jobs(store, home.id):  # noqa: ASYNC110 - a worker of the hub makes it
                await asyncio.sleep(0.1)
            while await _due(store, begun["id"]) is not None:  # noqa: ASYNC110 - another worker
                await asyncio.sleep(0.1)
        async with store.reading() as tx:
            row = (await tx.execute(select(connections).where(connections.c.id == home.connection))).one()
            said = await tx.scalar(select(homes.c.said).where(homes.c.id == home.id)) or {}
        assert (row.home, row.end_told, row.asked) == (None, True, {"carriers": ["Chronopost"]})
        assert said["statements"] == {"another": "d.e.f"}, "what the box stated to this brand, such as its postcode"


async def test_the_file_is_written_anew_also_if_the_hub_was_away_between_the_end_of_an_erasure_and_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_written, overwrite = asyncio.Event(), HubStore.overwrite_deleted

    async def overwrite_deleted(store: HubStore) -> None:
        await overwrite(store)
        is_written.set()

    monkeypatch.setattr(HubStore, "overwrite_deleted", overwrite_deleted)
    monkeypatch.setattr(erasing, "LOOK_AGAIN", timedelta(seconds=2))
    monkeypatch.setattr(erasing, "INTERVAL_S", 0.05)
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        home = await customer_of(hub, REFERENCE)
        _, begun = await erase(home, connection=home.connection)
        await erased(home, begun["id"])
    assert not is_written.is_set(), "a transaction that began before the erasure may still add something"
    await asyncio.sleep(2)
    async with run_hub(file), asyncio.timeout(10):
        await is_written.wait()


async def _waits(_tx: object, _connection: object, now: datetime) -> datetime:
    return now + erasing.LOOK_AGAIN


async def _fails(_tx: object, _connection: object, _now: datetime) -> datetime:
    raise ZeroDivisionError


@pytest.mark.parametrize("last_step", [_waits, _fails])
async def test_the_file_is_written_anew_once_however_long_the_last_step_of_an_erasure_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_step: Callable[..., Awaitable[datetime | None]]
) -> None:
    written, steps, overwrite = list[HubStore](), list[datetime](), HubStore.overwrite_deleted

    async def overwrite_deleted(store: HubStore) -> None:
        written.append(store)
        await overwrite(store)

    async def forget_home(tx: Transaction, connection: Any, now: datetime) -> datetime | None:  # noqa: ANN401 - a row
        steps.append(now)
        return await last_step(tx, connection, now)

    monkeypatch.setattr(HubStore, "overwrite_deleted", overwrite_deleted)
    monkeypatch.setattr(erasing, "_forget_home", forget_home)
    monkeypatch.setattr(erasing, "LOOK_AGAIN", timedelta(seconds=0.1))
    monkeypatch.setattr(erasing, "INTERVAL_S", 0.05)
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await customer_of(hub, REFERENCE)
        _, begun = await erase(home, connection=home.connection)
        await erased(home, begun["id"])
        await asyncio.sleep(1)
        assert (len(written), len(steps) > 1) == (1, last_step is _waits)


async def _due(store: HubStore, erasure: str) -> datetime | None:
    async with store.reading() as tx:
        return await tx.scalar(select(erasures.c.due).where(erasures.c.id == erasure))


async def _jobs(store: HubStore, home: str) -> int:
    async with store.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(jobs).where(jobs.c.home == home)) or 0


async def test_a_retry_after_the_erasure_does_nothing_twice_and_other_answers_are_kept(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await customer_of(hub, REFERENCE)
        other = await customer_of(hub, "customer 8", home)
        made = await order(home)
        kept = await order(other, name="ORD-OTHER")
        headers = {**home.headers, "Idempotency-Key": "the cancel".replace(" ", "-")}
        assert (await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {}, headers=headers))[0] == 200
        await home.stands({**made, "version": 2}, "cancelled")
        batch = {"items": [{"connection": one.connection, "delivery": one.promise()} for one in (home, other)]}
        again = {**home.headers, "Idempotency-Key": "many"}
        _, many = await home.ask("POST", "/v1/delivery_batches", batch, headers=again)
        await home.stands(many["data"][0]["body"], "refused") if many["data"][0]["status"] == 201 else None
        asked = {**home.headers, "Idempotency-Key": "erase"}
        status, begun = await home.ask("POST", "/v1/erasures", {"connection": home.connection}, headers=asked)
        assert status == 202, begun
        await erased(home, begun["id"])
        assert (await home.ask("POST", "/v1/erasures", {"connection": home.connection}, headers=asked))[1] == begun
        async with hub.hub.store.reading() as tx:
            keys = set((await tx.scalars(select(idempotency.c.key))).all())
        assert keys == {"key-of-ORD-OTHER", "erase", "many"}
        body = {"connection": other.connection, "delivery": {**other.promise(parcels=[PARCEL]), "name": "ORD-OTHER"},
                "metadata": {"note": GIFT}, "courier": True}  # fmt: skip
        replay = {**home.headers, "Idempotency-Key": "key-of-ORD-OTHER"}
        status, same = await other.ask("POST", "/v1/deliveries", body, headers=replay)
        assert (status, same["code"] if status == 422 else same["id"]) in {
            (201, kept["id"]),
            (422, "idempotency_key_reused"),
        }
        status, refused = await home.ask("POST", "/v1/delivery_batches", batch, headers=again)
        assert (status, refused["code"]) == (422, "idempotency_key_reused"), "else the other one's came twice"
        assert "It was done" in refused["detail"]
        _, found = await other.ask("GET", f"/v1/deliveries?connection={other.connection}")
        assert len(found["data"]) == 2


@asynccontextmanager
async def opened(file: HubFile) -> AsyncIterator[HubStore]:
    store = await HubStore.open(file.database)
    try:
        yield store
    finally:
        await store.close()


async def full_house(hub: RunningHub, count: int) -> ConnectedHome:
    home = await customer_of(hub, REFERENCE)
    async with hub.hub.store.writing() as tx:
        for number in range(count):
            await insert_delivery(tx, home.connection, f"xanthippe-{number}", now=hub.hub.now() - timedelta(days=9))
        mine = deliveries.c.connection == home.connection
        await tx.execute(update(deliveries).where(mine).values(state="delivered", metadata={"note": GIFT}))
        ids = (await tx.scalars(select(deliveries.c.id).where(mine))).all()
        for seq, id_ in enumerate(ids, 1):
            row = {"id": new_id("evt"), "retailer": home.retailer.id, "type": "delivery.changed", "object": id_,
                   "data": {"note": GIFT, "connection": home.connection}, "sandbox": False, "seq": seq,
                   "at": hub.hub.now()}  # fmt: skip
            await tx.execute(insert(events).values(row))
        await tx.execute(update(retailers).values(told=len(ids)))
    return home


async def said_by(*words: str, typed: str = "") -> tuple[int, str]:
    """What a command of the operator says, and how it ends."""
    done = await asyncio.to_thread(CliRunner().invoke, every_command(), ["hub", "erase", *words], input=typed)
    return done.exit_code, done.output


async def test_a_command_that_is_killed_in_the_middle_is_finished_by_the_next_hub(tmp_path: Path) -> None:
    file, config = hub_file(tmp_path), tmp_path / "hub.yaml"
    config.write_text(json.dumps({"url": file.url, "folder": str(file.folder), "store": file.database}))
    async with run_hub(file) as hub:
        home = await full_house(hub, COUNT)
    whose = (home.retailer.id, "--config", str(config), "--reference", REFERENCE)
    code, text = await said_by(*whose, "--dry-run")
    assert (code, [line.split() for line in text.splitlines()][:2]) == (
        0, [["1", "connections"], [str(COUNT), "deliveries"]],
    )  # fmt: skip
    assert (await said_by(*whose, typed="n\n"))[0] == 1, "it asks first"
    assert GIFT in found(file, tmp_path), "neither erases anything"
    command = (sys.executable, "-m", "gateway", "hub", "erase", *whose[:-2], "--yes")
    running = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(f"{REFERENCE}\n".encode())
    while f"of {COUNT}".encode() not in await running.stdout.readline():
        pass
    running.kill()
    await running.communicate()
    async with opened(file) as store, store.reading() as tx:
        left = await tx.scalar(select(func.count()).select_from(deliveries)) or 0
    assert 0 < left < COUNT, "it was in the middle"
    async with run_hub(file) as hub:
        home.hub = hub
        (only,) = (await home.ask("GET", "/v1/erasures"))[1]["data"]
        assert (only["state"], only["deliveries"], only["cause"]) == ("erased", COUNT, "operator"), "before it answers"
        await hub.hub.store.overwrite_deleted()
        told = (await home.ask("GET", "/v1/events?limit=100"))[1]["data"]
        assert {one["type"] for one in told} == {"event.erased"}
    assert found(file, tmp_path) == set()
    same = Customer(retailer=home.retailer.id, reference=REFERENCE)
    async with opened(file) as store:
        with pytest.raises(NotFound, match="was erased before"):
            await operation.erase(store, same, machine_time(), print)


async def test_a_restore_of_an_older_backup_erases_again_before_a_hub_starts(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    (tmp_path / "hub.yaml").write_text(f"url: {file.url}\nfolder: hub\n")
    async with run_hub(file) as hub:
        home = await full_house(hub, 3)
        make_backup(file, tmp_path / "hub.yaml", tmp_path / "backup.tar", machine_time())
        with pytest.raises(NotFound):
            await operation.erase(hub.hub.store, Customer(retailer="ret-x"), hub.hub.now(), print)
        whose = Customer(retailer=home.retailer.id, reference=REFERENCE)
        counted, on_their_way = await operation.count(hub.hub.store, whose, hub.hub.now())
        assert (counted.deliveries, counted.events, on_their_way) == (3, 3, ())
        await operation.erase(hub.hub.store, whose, hub.hub.now(), lambda _: None)
    journal = (file.folder / JOURNAL_FILE).read_text()
    assert home.connection in journal
    assert REFERENCE not in journal, "the list itself says nothing of the customer"
    archive = tmp_path / "backup.tar"
    done = await restore(archive, read_backup(archive), file, machine_time(), replace=True)
    assert (done.again, done.before is not None) == (1, True)
    for kept in (done.before or tmp_path).iterdir():
        if kept.name in {SQLITE_FILE, DUMP_FILE} or "sqlite3" in kept.name:
            kept.unlink()
    assert found(file, tmp_path) == set()
    async with run_hub(file) as hub:
        home.hub = hub
        (only,) = (await home.ask("GET", "/v1/erasures"))[1]["data"]
        assert (only["state"], only["deliveries"]) == ("erased", 3)


async def test_a_connection_that_ended_long_ago_forgets_its_customer_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.database.sqlite.MAX_REWRITTEN_BYTES", 0)  # a large file is not written anew
    kept = Retention(
        deliveries=timedelta(days=10),
        jobs=timedelta(days=10),
        events=timedelta(days=400),
        connections=timedelta(days=50),
        responses=timedelta(days=1),
    )
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        home = await customer_of(hub, REFERENCE)
        other = await customer_of(hub, "customer 8", home)
        made, store, now = await order(home), hub.hub.store, hub.hub.now()
        await delivered(home, made)
        assert (await home.ask("POST", f"/v1/connections/{home.connection}/end"))[0] == 200
        for day, begun in ((9, 0), (49, 0), (52, 1)):
            assert (await kept.sweep(store, now + timedelta(days=day)))["connections"] == begun, day
        await erasing.finish(store, now + timedelta(days=52))
        await store.overwrite_deleted()
        assert found(file, tmp_path) == set(), "also in events that are kept longer than their delivery"
        (only,) = (await home.ask("GET", "/v1/erasures"))[1]["data"]
        assert (only["cause"], only["connections"]) == ("retention", [home.connection])
        assert (await other.ask("GET", f"/v1/connections/{other.connection}"))[1]["reference"] == "customer 8"
        assert not (file.folder / JOURNAL_FILE).read_text(), "a restored hub does this again by itself"

        ids = [new_id("con") for _ in range(40)]
        async with store.writing() as tx:
            row = (await tx.execute(select(connections).where(connections.c.id == other.connection))).one()
            ended = {**row._asdict(), "state": "ended", "decided": now, "end_told": True}
            await tx.execute(insert(connections), [{**ended, "id": id_} for id_ in ids])
        late = now + timedelta(days=52)
        await asyncio.gather(kept.sweep(store, late), kept.sweep(store, late))
        async with store.reading() as tx:
            each = [",".join(row.connections) for row in (await tx.execute(select(erasures))).all()]
        assert sorted(each) == sorted([home.connection, *ids]), "two hubs begin each of them once"
