"""The page on which the house file grows, under attack: kills, floods, and what changes between look and word."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.config.editor import build_section, with_item, write_home
from gateway.config.loader import load_home_file
from gateway.installation import proposal_workflow
from gateway.installation.proposal_checks import MAX_PROPOSAL_BYTES, ProposalRequest
from gateway.installation.proposal_workflow import Proposals
from gateway.runtime.maintenance.reload import ReloadReport, write_report
from gateway.web.auth.roles import Role
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.pages.house_file import ENGLISH, PAGE, Home, posted
from tests.gateway.web.pages.test_add_device import CAMERA, DOOR, house, problems, waiting
from tests.shell.site import make_proposals

pytestmark = pytest.mark.slow

__all__ = ["house"]  # the fixture

SIGN = "\U0001f6aa"  # four bytes


class Killed(BaseException):
    """As a process that is killed there."""


async def test_what_waits_is_bounded_in_bytes_however_many_its_letters_take(house: Home) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        long = "\n".join(f"keys.{c}={'.'.join([SIGN * 60] * 8)}" for c in "abc")
        body = f"kind=lock&id=back-lock&vendor=somfy&address=x&more={long}".replace("\n", "%0A").encode()
        assert MAX_PROPOSAL_BYTES < len(body) < 3 * MAX_PROPOSAL_BYTES, "few letters, many bytes"
        kind = {"Content-Type": "application/x-www-form-urlencoded", **ENGLISH}
        async with client.post(PAGE, data=body, headers=kind) as answer:
            assert (answer.status, "too long" in await answer.text()) == (422, True)


async def test_what_was_withdrawn_since_the_owner_looked_is_not_accepted_in_part(house: Home) -> None:
    ines, owner = await house.site.guest(Role.INSTALLER, "Ines"), house.site.owner
    await house.post(ines, DOOR)
    await house.post(ines, CAMERA)
    seen = waiting(await house.page(owner))
    assert len(seen) == 2
    await house.post(ines, {"proposal": seen[0]}, "withdraw")
    await house.post(ines, DOOR | {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/other"})
    before = house.file.read_bytes()
    async with house.site.client(owner) as client:
        ticked = [*(("take", one) for one in seen), ("password", ANNA_PASSWORD)]
        async with client.post(f"{PAGE}/accept", data=ticked, allow_redirects=False) as answer:
            assert answer.status == 409
    assert (house.file.read_bytes(), house.reread) == (before, [])


async def test_two_who_accept_at_once_write_it_once(house: Home) -> None:
    owner = house.site.owner
    await house.post(await house.site.guest(Role.INSTALLER), DOOR)
    (one,) = waiting(await house.page(owner))
    form = {"take": one, "password": ANNA_PASSWORD}
    outcomes = await asyncio.gather(*(house.post(owner, form, "accept") for _ in range(2)))
    assert sorted(status for status, _ in outcomes) == [303, 409]
    assert house.reread == [""]
    assert (await house.post(owner, form, "accept"))[0] == 409, "the same form once more"


@pytest.mark.parametrize("killed_at", ["copied", "noted"])
async def test_a_kill_between_two_writes_leaves_no_password_once_it_is_refused(
    house: Home, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    owner, made = house.site.owner, house.site.box
    await house.post(await house.site.guest(Role.INSTALLER), CAMERA)
    (one,) = waiting(await house.page(owner))
    first = make_proposals(made, house.file, lambda: None)

    def dies(*_: object) -> None:
        raise Killed

    if killed_at == "copied":
        monkeypatch.setattr(first, "_store", dies)
    else:
        first._writer.crash_point = dies  # noqa: SLF001 - as a process that is killed there
    with pytest.raises(Killed):
        await first.accept([one], by=owner.user.person, now=made.clock.now())
    beside = house.file.parent / "cameras"
    assert [file.name for file in beside.iterdir()] == ["porch.login"], "the kill came where it was meant to"
    half = house.folder / f".{one}.login.new"
    half.write_text("admin:half")
    again = make_proposals(made, house.file, lambda: None)
    assert again.waiting_count == 1
    assert not half.exists()
    assert await again.discard(one, by=owner.user.person, now=made.clock.now(), refused=True)
    assert list(beside.iterdir()) == []
    assert house.lies() == ["proposals.json"]


async def test_a_full_disk_while_accepting_leaves_no_password_beside_the_house_file(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, made = house.site.owner, house.site.box
    await house.post(await house.site.guest(Role.INSTALLER), CAMERA)
    (one,) = waiting(await house.page(owner))
    first = make_proposals(made, house.file, lambda: None)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(first, "_store", full)
    (why,) = await first.accept([one], by=owner.user.person, now=made.clock.now())
    assert why.text_key == "unwritable"
    assert list((house.file.parent / "cameras").iterdir()) == []


@pytest.mark.parametrize("at", ["_store_login", "_store"])
async def test_a_kill_while_proposing_leaves_nothing_that_could_never_be_accepted(
    house: Home, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    made = house.site.box
    first = make_proposals(made, house.file, lambda: None)

    def dies(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(first, at, dies)
    camera = ProposalRequest(
        kind="camera", name="porch", fields={"vendor": "rtsp", "url": "rtsp://h/s"}, login=("a", "b")
    )
    with pytest.raises(Killed):
        await first.propose(camera, by="ines", now=made.clock.now())
    monkeypatch.undo()
    assert len(house.lies()) == (at == "_store"), "the kill came where it was meant to"
    assert make_proposals(made, house.file, lambda: None).waiting_count == 0
    assert house.lies() == []


async def _accepted(house: Home) -> Proposals:
    """The door is accepted and written, and the gateway runs as before, for no house began with it."""
    made, owner = house.site.box, house.site.owner
    await house.post(await house.site.guest(Role.INSTALLER), DOOR)
    (one,) = waiting(await house.page(owner))
    kept = make_proposals(made, house.file, lambda: None)
    assert await kept.accept([one], by=owner.user.person, now=made.clock.now()) == ()
    write_report(made.home.storage.folder, ReloadReport(id="1", said="refused", problems=("the port is taken",)))
    return kept


async def test_what_the_owner_wrote_anew_at_the_terminal_is_not_taken_out_again(house: Home) -> None:
    await _accepted(house)
    text = house.file.read_text(encoding="utf-8")
    mine = build_section("door", {"vendor": "esphome", "heartbeat": 60})
    write_home(house.file, with_item(text, house.file, "back-door", mine, replace=True))
    before = house.file.read_bytes()
    make_proposals(house.site.box, house.file, lambda: None)
    assert house.file.read_bytes() == before
    write_home(house.file, text)
    assert make_proposals(house.site.box, house.file, lambda: None).waiting_count == 1
    assert "back-door" not in load_home_file(house.file).devices, "as it was proposed it is taken out"


@pytest.mark.parametrize("text", ["{", "a: 1\na: 2\n", "devices: &a [*a]\n", ""])
async def test_a_gateway_begins_beside_a_house_file_that_was_spoilt_after_an_acceptance(house: Home, text: str) -> None:
    await _accepted(house)
    house.file.write_text(text, encoding="utf-8")
    make_proposals(house.site.box, house.file, lambda: None)
    assert house.file.read_text(encoding="utf-8") == text


async def test_a_link_stays_a_link_and_rights_stay_rights(house: Home, tmp_path: Path) -> None:
    owner, real = house.site.owner, tmp_path / "real.yaml"
    house.file.rename(real)
    house.file.symlink_to(real)
    real.chmod(0o640)
    await house.post(await house.site.guest(Role.INSTALLER), DOOR)
    (one,) = waiting(await house.page(owner))
    mask = os.umask(0o077)
    try:
        assert (await house.post(owner, {"take": one, "password": ANNA_PASSWORD}, "accept"))[0] == 303
    finally:
        os.umask(mask)
    assert house.file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "back-door" in load_home_file(house.file).devices


async def test_a_page_that_many_ask_for_at_once_is_read_by_one_thread(house: Home) -> None:
    now = 0
    async with house.site.client(await house.site.guest(Role.INSTALLER)) as installer:
        for n in range(3):
            assert (await posted(installer, DOOR | {"id": f"d{n}"}))[0] == 303
    kept = make_proposals(house.site.box, house.file, lambda: None)
    most, seen = 0, kept._make_views  # noqa: SLF001 - how many threads read at once is seen nowhere else

    def counted(permitted: frozenset[str]) -> object:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return seen(permitted)
        finally:
            now -= 1

    kept._make_views = counted  # type: ignore[method-assign,assignment]  # noqa: SLF001 - the same
    await asyncio.gather(*(kept.read_views() for _ in range(8)))
    assert most == 1


async def test_a_flood_of_proposals_does_not_fill_the_log_that_is_kept_for_good(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, kept = house.site.box, make_proposals(house.site.box, house.file, lambda: None)
    monkeypatch.setattr(proposal_workflow, "MAX_PROPOSALS_PER_HOUR", 5)  # the real number takes its time
    before = sum(1 for _ in made.store.log.entries())
    door = ProposalRequest(kind="door", name="back-door", fields={"vendor": "esphome"})
    said = set()
    for _ in range(8):
        said |= {one.text_key for one in await kept.propose(door, by="ines", now=made.clock.now())}
        for one in await kept.read_views():
            await kept.discard(one.proposal.id, by="ines", now=made.clock.now(), refused=False)
    assert said == {"often"}
    assert sum(1 for _ in made.store.log.entries()) == before + 2 * 5
    assert await kept.propose(door, by="anna", now=made.clock.now()) == (), "the owner is not kept from it"


async def test_further_keys_that_take_long_to_read_are_not_read(house: Home) -> None:
    async with house.site.client(await house.site.guest(Role.INSTALLER, "Ines")) as client:
        body = f"kind=door&id=back-door&vendor=esphome&more=keys=[{'a,' * 7000}a]".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded", **ENGLISH}
        async with client.post(PAGE, data=body, headers=kind) as answer:
            text = await answer.text()
    assert (answer.status, problems(text)) == (422, ["more"])
    assert "It is too long" in text
