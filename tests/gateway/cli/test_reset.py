"""What only somebody at the box's own shell may do: wipe it, and let an owner back in who lost the password."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.maintenance import create_recovery_code, wipe_box
from gateway.config.home import Home, MessagesSection
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.runtime.maintenance import factory_reset, recovery_codes
from gateway.runtime.maintenance.instance_lock import FolderInUse, lock_folder
from gateway.storage.store import Store
from gateway.web.auth.tokens import claim_code_digest
from tests.gateway.cli.terminal import every_command
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.people import digest, invitation, newcomer, sign_in_entry
from tests.guestcodes import leave_code
from tests.shell.house import make_home as shell_home


@pytest.fixture
def house(tmp_path: Path) -> Home:
    (tmp_path / "phones.txt").write_text("ntfys://phone.example/anna")
    phones = MessagesSection(file=tmp_path / "phones.txt")
    return shell_home(tmp_path / "box").model_copy(update={"messages": phones})


@asynccontextmanager
async def store_of(house: Home) -> AsyncIterator[Store]:
    """The box's store, as a running box has it open."""
    house.storage.folder.mkdir(parents=True, exist_ok=True)
    store = await Store.open(house.storage.folder / "perron.sqlite3", home=house, now=NOW)
    try:
        yield store
    finally:
        await store.close()


async def claimed(store: Store) -> None:
    await store.accounts.set_claim_code(digest("code"), NOW)
    await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)


# ---- wipe ------------------------------------------------------------------------------------------------------------


async def test_a_box_that_does_not_run_is_wiped_by_who_types_the_house_s_name(house: Home) -> None:
    async with store_of(house) as store:
        await claimed(store)
    whole, told = wipe_box(house, with_held=False, read_name=lambda: " home ")
    assert whole
    assert "claim it" in told
    assert {path.name for path in house.storage.folder.iterdir()} == {factory_reset.LOCK_FILE}
    assert house.messages is not None
    assert house.messages.file.read_bytes() == b""


async def test_who_wipes_a_box_that_does_not_run_reads_which_keypads_may_still_have_codes(house: Home) -> None:
    async with store_of(house) as store:
        await leave_code(store, NOW, keypad="garden-pad")
    whole, told = wipe_box(house, with_held=False, read_name=lambda: "home")
    assert not whole
    assert "Delete the guests' codes at garden-pad" in told


async def test_another_name_wipes_nothing(house: Home) -> None:
    async with store_of(house):
        pass
    with pytest.raises(Failure, match="not the house's name") as caught:
        wipe_box(house, with_held=False, read_name=lambda: "Homer")
    assert caught.value.code == ExitCode.NEGATIVE
    assert (house.storage.folder / "perron.sqlite3").exists()
    assert not factory_reset.is_marked_for_wipe(house.storage.folder)


async def test_a_box_that_runs_is_not_wiped_behind_its_back(house: Home) -> None:
    async with store_of(house):
        with lock_folder(house.storage.folder), pytest.raises(FolderInUse):
            wipe_box(house, with_held=True, read_name=lambda: "Home")
        assert not factory_reset.is_marked_for_wipe(house.storage.folder)


async def test_what_is_held_as_evidence_is_only_wiped_where_that_is_said(house: Home) -> None:
    async with store_of(house) as store:
        await store.commit(make_step(Entrance(id="front", incident="v1"), c.StartRecording(visit="v1")))
        await store.recordings.set_hold("v1", "a dispute", NOW)
    with pytest.raises(Failure, match="1 visits are held"):
        wipe_box(house, with_held=False, read_name=lambda: "Home")
    assert wipe_box(house, with_held=True, read_name=lambda: "Home")[0]


async def test_a_store_that_cannot_be_read_may_hold_evidence(house: Home) -> None:
    house.storage.folder.mkdir()
    (house.storage.folder / "perron.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 99)
    with pytest.raises(Failure, match="cannot be read"):
        wipe_box(house, with_held=False, read_name=lambda: "Home")
    assert wipe_box(house, with_held=True, read_name=lambda: "Home")[0]


async def test_a_wipe_that_was_begun_is_finished_without_being_asked_again(house: Home) -> None:
    async with store_of(house):
        pass
    factory_reset.mark_for_wipe(house.storage.folder)

    def nobody() -> str:
        raise AssertionError("it was decided already")

    assert wipe_box(house, with_held=False, read_name=nobody)[0]
    assert not (house.storage.folder / "perron.sqlite3").exists()


def said(*arguments: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(every_command(), [*map(str, arguments)], input=typed)


def test_the_command_says_what_it_does_and_asks_first(home_file: Path, home: Home) -> None:
    assert all(word in said("wipe", "--help").output for word in ("Examples", "--held", "--yes", "house file stays"))
    home.storage.folder.mkdir(parents=True)
    (home.storage.folder / "claim-code").write_text("7K")
    for typed in (None, "another house\n"):
        assert said("wipe", "--home", home_file, typed=typed).exit_code != 0
        assert (home.storage.folder / "claim-code").exists()
    done = said("wipe", "--home", home_file, "--yes")
    assert (done.exit_code, "Wiped" in done.output) == (0, True), done.output
    assert not (home.storage.folder / "claim-code").exists()
    assert home_file.exists()


# ---- the way back in -------------------------------------------------------------------------------------------------


async def test_a_code_is_made_for_an_owner_while_the_box_runs(house: Home) -> None:
    async with store_of(house) as store:
        await claimed(store)
        code = create_recovery_code(house, " ANNA ")
        read = recovery_codes.read_codes(house.recovery_codes_file)
    found = recovery_codes.find_code(
        read, claim_code_digest(code) or b"", boot=recovery_codes.boot_id(), mono=read[-1].mono + 1
    )
    assert found is not None
    assert (found[0].person, found[1]) == ("p-anna", True)
    assert code not in house.recovery_codes_file.read_text()


async def test_the_only_owner_needs_no_name(house: Home) -> None:
    async with store_of(house) as store:
        await claimed(store)
        assert len(create_recovery_code(house, None)) > 8


async def test_who_is_no_owner_gets_none_and_is_told_who_is(house: Home) -> None:
    async with store_of(house) as store:
        await claimed(store)
        await store.accounts.add_invitation(invitation("bob"), NOW, lives=NOW.utc - NOW.utc.replace(year=2025))
        await store.accounts.redeem_invitation(
            invitation("bob"), newcomer("Bob", "household"), sign_in_entry("bob"), NOW
        )
        for name in ("Bob", "Nobody"):
            with pytest.raises(Failure, match=f"No owner is called '{name}'") as caught:
                create_recovery_code(house, name)
            assert "`perron way-in Anna`" in caught.value.todo
            assert "Bob" not in caught.value.todo
    assert not house.recovery_codes_file.exists()


async def test_a_box_without_an_owner_has_its_claim_code(house: Home) -> None:
    house.storage.folder.mkdir()
    with pytest.raises(Failure, match="no owner yet") as caught:
        create_recovery_code(house, "Anna")
    assert "claim-code" in caught.value.todo


async def test_the_command_shows_the_code_and_how_long_it_is_good(home_file: Path, home: Home) -> None:
    assert "perron way-in Anna" in said("way-in", "--help").output
    async with store_of(home) as store:
        await claimed(store)
        shown = said("way-in", "anna", "--home", home_file)
    code, how = shown.stdout.strip(), shown.stderr
    assert (shown.exit_code, claim_code_digest(code) is not None, "15 minutes, once" in how) == (0, True, True)


# ---- the notice at the door ------------------------------------------------------------------------------------------


async def test_the_notice_at_the_door_tells_the_days_that_were_chosen_on_the_page(
    home_file: Path, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(
        "gateway.evidence.documents.notice.notice_for",
        lambda home, _entrance, **_rest: told.append(home.storage.retention_days),
    )
    monkeypatch.setattr("gateway.evidence.documents.notice.door_notice", lambda *_given, **_named: b"%PDF")
    async with store_of(home) as store:
        await store.privacy.set_retention(9, 30, NOW, by="p-anna")
        assert said("door-notice", tmp_path / "n.pdf", "--home", home_file).exit_code == 0
    assert told == [9]
