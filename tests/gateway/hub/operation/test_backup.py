"""A hub is put back from a backup, on both databases: whole or not, and nothing that was revoked since counts again."""

import asyncio
import shutil
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import delete, select, update

from gateway.hub import admin
from gateway.hub.boxes import broker
from gateway.hub.config import HubFile
from gateway.hub.database.store import HubStore, StoreUnusable
from gateway.hub.database.tables import api_keys, brand_keys, endpoints, homes, retailers, revocations
from gateway.hub.operation import brands as brand_operation
from gateway.hub.operation import retailers as operation
from gateway.hub.operation.backup import HubBackup, make_backup, read_backup
from gateway.hub.operation.databases import DatabaseToolFailed, kind_of
from gateway.hub.operation.folder import RESTORE_MARK, FolderInUse
from gateway.hub.operation.journal import JOURNAL_FILE
from gateway.hub.operation.restore import Restored, RestoreRefused, WithoutList, restore
from gateway.hub.process import HubProcess
from gateway.protocol.keys import BoxKey
from gateway.system.clock import machine_time
from gateway.system.listed_archive import InvalidBackup
from tests.connecting import HubRetailer
from tests.hubs import RunningHub, make_database, run_hub
from tests.joins import JoiningBox, create_claim, with_boxes
from tests.smalldisk import fill, small_disk


@asynccontextmanager
async def beside(file: HubFile) -> AsyncIterator[HubStore]:
    store = await HubStore.open(file.database)
    try:
        yield store
    finally:
        await store.close()


async def set_up(folder: Path) -> HubFile:
    """A hub that boxes can join, with its broker's files, and its file `hub.yaml` with one beside it."""
    file = with_boxes(folder)
    assert file.boxes is not None
    (folder / "password").write_text("secret\n")
    (folder / "hub.yaml").write_text(f"url: {file.url}\nfolder: hub\nboxes: {{host: localhost}}\n")
    file.folder.mkdir(mode=0o700, exist_ok=True)
    make_database(file.database)
    async with beside(file) as store:
        await broker.set_up(file, file.boxes, store, now=machine_time())
    return file


def backed_up(folder: Path, file: HubFile, name: str = "backup.tar") -> HubBackup:
    return make_backup(file, folder / "hub.yaml", folder / name, machine_time())


async def put_back(
    folder: Path, file: HubFile, *, replace: bool = False, lists: tuple[Path, ...] = (),
    without_list: WithoutList = WithoutList.REFUSE,
) -> Restored:  # fmt: skip
    archive = folder / "backup.tar"
    return await restore(
        archive, read_backup(archive), file, machine_time(), replace=replace, lists=lists, without_list=without_list
    )


async def revoke_much(hub: RunningHub, file: HubFile, shop: HubRetailer, others: list[HubRetailer], home: str) -> None:
    """Revoke one thing of each kind, as retailers do by the API and the operator does by commands."""
    keys = (await shop.call("GET", "/v1/api_keys"))[1]["data"]
    till = next(key["id"] for key in keys if key["label"] == "till")
    assert (await shop.call("DELETE", f"/v1/api_keys/{till}"))[0] == 204
    assert (await shop.call("POST", "/v1/brands/lune/keys/lune-1/revoke"))[0] == 200
    assert (await shop.enrol("lune-2", key=BoxKey.generate()))[0] == 201
    assert (await shop.call("POST", "/v1/brands/lune/keys/lune-2/revoke"))[0] == 200
    (endpoint,) = (await shop.call("GET", "/v1/webhook_endpoints"))[1]["data"]
    assert (await shop.call("DELETE", f"/v1/webhook_endpoints/{endpoint['id']}"))[0] == 204
    suspended, ended, resumed = others
    async with beside(file) as store:
        now = hub.hub.now()
        await operation.suspend(store, suspended.who.id, now)
        await operation.end(store, ended.who.id, now)
        await operation.suspend(store, resumed.who.id, now)
        await operation.resume(store, resumed.who.id, now)
        await brand_operation.end_brand(store, "soleil", now)
        await brand_operation.free_brand(store, "squatted", now)
        await admin.revoke_home(store, home, now=now)


async def test_nothing_that_was_revoked_after_the_backup_counts_after_it_was_put_back(tmp_path: Path) -> None:
    file = await set_up(tmp_path)
    box, later_box = JoiningBox.new(tmp_path / "box"), JoiningBox.new(tmp_path / "later")
    async with run_hub(file) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        others = [HubRetailer(hub, await hub.retailer(name)) for name in ("suspended", "ended", "resumed")]
        await shop.brand()
        assert (await shop.enrol())[0] == 201
        assert (await others[2].brand("soleil", "Soleil"))[0] == 201
        assert (await others[0].brand("squatted", "S"))[0] == 201
        till = (await shop.call("POST", "/v1/api_keys", {"label": "till"}))[1]["token"]
        url = {"url": "https://shop.example/hooks"}
        assert (await shop.call("POST", "/v1/webhook_endpoints", url))[0] == 201
        member = await box.join(await create_claim(hub, file))
        unused = await create_claim(hub, file)
        backed_up(tmp_path, file)
        late = await later_box.join(await create_claim(hub, file))
        await revoke_much(hub, file, shop, others, member.home)
        async with beside(file) as store:
            await admin.revoke_home(store, late.home, now=hub.hub.now())
        with pytest.raises(FolderInUse):
            await put_back(tmp_path, file, replace=True)
    with pytest.raises(RestoreRefused, match="not empty"):
        await put_back(tmp_path, file)
    done = await put_back(tmp_path, file, replace=True)
    _check_kept(done)
    serials = {revoked.serial_number for crl in _lists(file) for revoked in crl}
    own = {_serial(one) for one in (box, later_box)}
    assert own <= serials, "before the hub starts the broker's file names them, also the one that joined since"
    async with run_hub(file) as hub:
        assert (await box.counts(file)) is False
        shop = HubRetailer(hub, shop.who)
        assert (await shop.call("GET", "/v1/brands"))[0] == 200, "what was not revoked counts"
        async with hub.http.get("/v1/brands", headers={"Authorization": f"Bearer {till}"}) as answer:
            assert answer.status == 401
        keys = {key["kid"]: key["revoked"] for key in (await shop.call("GET", "/v1/brands/lune/keys"))[1]["data"]}
        assert set(keys) == {"lune-1", "lune-2"}
        assert None not in keys.values()
        assert (await shop.enrol("lune-2", key=BoxKey.generate()))[0] == 409, "its name is never given again"
        (endpoint,) = (await shop.call("GET", "/v1/webhook_endpoints"))[1]["data"]
        assert (endpoint["enabled"], endpoint["disabled"]) == (False, "asked")
        statuses = [(await HubRetailer(hub, one.who).call("GET", "/v1/brands"))[0] for one in others]
        assert statuses == [403, 401, 200]
        asked = {"brand": "soleil", "asked": {"carriers": ["Chronopost"]}}
        assert (await HubRetailer(hub, others[2].who).call("POST", "/v1/connections", asked))[0] == 409
        assert (await shop.brand("squatted"))[0] == 201
        with pytest.raises(Exception, match="claim"):
            await JoiningBox.new(tmp_path / "third").join(unused)


def _check_kept(done: Restored) -> None:
    """All that was revoked is known, and what was there lies beside."""
    assert (done.had_list, done.unkept, done.again >= 11) == (True, None, True)
    assert done.before is not None
    kept = {path.name for path in done.before.iterdir()}
    assert {"hub.key.pem", JOURNAL_FILE} < kept
    assert kept & {"hub.sqlite3", "database.pgdump"}, "the database that was there too"


def _lists(file: HubFile) -> list[x509.CertificateRevocationList]:
    end = b"-----END X509 CRL-----"
    pem = (file.folder / "broker" / "revoked.pem").read_bytes()
    return [x509.load_pem_x509_crl(part + end) for part in pem.split(end)[:-1]]


def _serial(box: JoiningBox) -> int:
    return x509.load_pem_x509_certificate((box.folder / "identity.pem").read_bytes()).serial_number


async def test_a_database_that_was_put_back_by_hand_is_brought_up_to_the_list_at_the_start(tmp_path: Path) -> None:
    file = await set_up(tmp_path)
    async with run_hub(file) as hub:
        shop = await hub.retailer()
    async with beside(file) as store:
        older = await _suspended_since(store)
        await operation.suspend(store, shop.id, machine_time())
    async with run_hub(file):
        pass  # it copies the suspension into the list
    async with beside(file) as store, store.writing() as tx:  # as it was before
        await tx.execute(update(retailers).values(suspended=older[shop.id]))
        await tx.execute(delete(revocations))
    async with run_hub(file), beside(file) as store:
        assert (await _suspended_since(store))[shop.id] is not None
    (file.folder / JOURNAL_FILE).write_text('{"number": 1\n{}\n')
    with pytest.raises(StoreUnusable, match=rf"{JOURNAL_FILE}:1: this line is no entry"):
        async with run_hub(file):
            pass


async def _suspended_since(store: HubStore) -> dict[str, object]:
    async with store.reading() as tx:
        return dict((await tx.execute(select(retailers.c.id, retailers.c.suspended))).tuples().all())


async def test_a_machine_that_is_lost_with_its_list_is_put_back_only_by_a_word_about_that(tmp_path: Path) -> None:
    file = await set_up(tmp_path)
    async with run_hub(file) as hub:
        shop = await hub.retailer()
        assert (await HubRetailer(hub, shop).brand())[0] == 201
        assert (await HubRetailer(hub, shop).enrol())[0] == 201
        url = {"url": "https://shop.example/hooks"}
        assert (await HubRetailer(hub, shop).call("POST", "/v1/webhook_endpoints", url))[0] == 201
        box = JoiningBox.new(tmp_path / "box")
        await box.join(await create_claim(hub, file))
        backed_up(tmp_path, file)
        async with beside(file) as store:
            await operation.suspend(store, shop.id, hub.hub.now())
    async with run_hub(file):
        pass
    elsewhere = tmp_path / "copy.jsonl"
    shutil.copy(file.folder / JOURNAL_FILE, elsewhere)
    is_sqlite = kind_of(file.database) == "sqlite"

    def lose() -> None:
        shutil.rmtree(file.folder)

    lose()
    replace = not is_sqlite  # of a lost machine the other one's database is still there
    with pytest.raises(RestoreRefused, match="it would be valid again"):
        await put_back(tmp_path, file, replace=replace)
    assert not any(file.folder.glob("hub*3")), "nothing was put back"
    assert (await put_back(tmp_path, file, replace=replace, lists=(elsewhere,))).again == 1
    async with beside(file) as store:
        assert (await operation.list_retailers(store))[0].state == "suspended"
    lose()
    done = await put_back(tmp_path, file, replace=replace, without_list=WithoutList.NOTHING_WAS)
    assert (done.again, done.had_list) == (0 if is_sqlite else 1, False)
    async with beside(file) as store:
        state = (await operation.list_retailers(store))[0].state
        assert state == ("active" if is_sqlite else "suspended"), "the other machine's database knows it"
    lose()
    await put_back(tmp_path, file, replace=replace, without_list=WithoutList.ASK_ANEW)
    async with run_hub(file) as hub:
        assert (await HubRetailer(hub, shop).call("GET", "/v1/brands"))[0] == 401
        assert (await box.counts(file)) is False
        await _check_nothing_counts(hub.hub.store)
    await put_back(tmp_path, file, replace=True)
    async with beside(file) as store:
        await _check_nothing_counts(store)


async def _check_nothing_counts(store: HubStore) -> None:
    async with store.reading() as tx:
        for valid in (
            select(api_keys.c.id).where(api_keys.c.revoked.is_(None)),
            select(endpoints.c.id).where(endpoints.c.enabled),
            select(homes.c.id).where(homes.c.revoked.is_(None)),
        ):
            assert (await tx.execute(valid)).all() == []
        brands_keys = select(brand_keys.c.kid).where(brand_keys.c.revoked.is_(None))
        assert (await tx.execute(brands_keys)).all() != [], "homes know them, and the hub cannot give them anew"


async def test_a_backup_that_was_cut_or_changed_is_known_before_anything_is_touched(tmp_path: Path) -> None:
    file = await set_up(tmp_path)
    async with run_hub(file) as hub:
        await hub.retailer()
        written = backed_up(tmp_path, file)
    names = {item.name for item in written.listing.files}
    belongs = (
        "hub.key.pem", "authority/authority.key", "sandbox/box.key.pem", "broker/mosquitto.conf", "broker/passwords",
        "broker/tls/broker.key",
    )  # fmt: skip
    assert {"config/hub.yaml", *(f"folder/{name}" for name in belongs)} <= names, names
    assert not any("sqlite3" in name and name.startswith("folder/") for name in names)
    assert f"folder/{JOURNAL_FILE}" not in names
    archive, whole = tmp_path / "backup.tar", (tmp_path / "backup.tar").read_bytes()
    assert archive.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        backed_up(tmp_path, file)
    before = (file.folder / "hub.key.pem").read_bytes()
    at = whole.index(before) + 40
    for broken, why in (
        (whole[: len(whole) // 2], "cut"),
        (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], "hub.key.pem was changed"),
        (b"", "no backup"),
        (whole.replace(b'"url":"http', b'"url":"httq'), "listing.json was changed"),
        (_with_member(tmp_path, whole, "folder/../../evil"), "holds what no backup holds"),
    ):
        archive.write_bytes(broken)
        with pytest.raises(InvalidBackup, match=why):
            await put_back(tmp_path, file, replace=True)
        assert (file.folder / "hub.key.pem").read_bytes() == before
        assert not (file.folder / RESTORE_MARK).exists()
    archive.write_bytes(whole)
    other = file.model_copy(update={"url": "https://other.example"})
    with pytest.raises(RestoreRefused, match=r"other\.example"):
        await put_back(tmp_path, other, replace=True)


def _with_member(folder: Path, whole: bytes, name: str) -> bytes:
    made = folder / "made.tar"
    with tarfile.open(fileobj=BytesIO(whole)) as source, tarfile.open(made, "w") as target:
        info = tarfile.TarInfo(name)
        info.size = 1
        target.addfile(info, BytesIO(b"x"))
        for one in source:
            target.addfile(one, source.extractfile(one))
    return made.read_bytes()


async def test_no_hub_starts_in_a_folder_that_is_restored_by_half_and_the_next_restore_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await set_up(tmp_path)
    async with run_hub(file) as hub:
        shop = await hub.retailer()
        backed_up(tmp_path, file)
        async with beside(file) as store:
            await operation.suspend(store, shop.id, hub.hub.now())
    async with run_hub(file):
        pass

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("gateway.hub.operation.restore.sync_folder", full)
        with pytest.raises(OSError, match="No space left"):
            await put_back(tmp_path, file, replace=True)
    with pytest.raises(StoreUnusable, match="was interrupted"):
        async with asyncio.timeout(20):
            await HubProcess(file, signals=False).run()
    await put_back(tmp_path, file)
    async with run_hub(file) as hub:
        status, said = await HubRetailer(hub, shop).call("GET", "/v1/brands")
        assert (status, said["code"]) == (403, "retailer_suspended")


async def test_a_backup_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    file = await set_up(tmp_path)
    with small_disk(tmp_path / "small", "1m") as place:
        ballast = fill(place)
        with pytest.raises((OSError, DatabaseToolFailed)):
            make_backup(file, tmp_path / "hub.yaml", place / "backup.tar", machine_time())
        assert [path.name for path in place.iterdir()] == [ballast.name]
