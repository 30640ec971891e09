"""The page Hub, against a real hub: the owner joins by a code, and by no other; what is in the way is said in words."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.config.loader import load_home_file
from gateway.hub import admin
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.config import HubFile
from gateway.hub.database.tables import homes
from gateway.installation.proposal_workflow import Proposals
from gateway.integrations.hub_client import enrolment
from gateway.protocol.enrolment import ClaimCode, proquint_words
from gateway.protocol.support_code import parse_support_code
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from gateway.web.pages.hub import HUB_PATH
from tests.gateway.web.house import ANNA_PASSWORD
from tests.hubs import RunningHub, run_hub
from tests.joins import DAY, JoiningBox, create_claim, with_boxes
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

pytestmark = pytest.mark.slow

ENGLISH = {"Accept-Language": "en"}


@dataclass
class House:
    """The pages of a box that has a house file; `reread`: how often it was told to read that anew."""

    site: ServedSite
    file: Path
    reread: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.site.box.home.storage.folder / "hub"

    async def page(self, who: SessionSecrets | None = None) -> str:
        async with self.site.client(who or self.site.owner) as client, client.get(HUB_PATH, headers=ENGLISH) as answer:
            assert answer.status == 200
            return await answer.text()

    async def post(self, do: str, fields: Mapping[str, str], who: SessionSecrets | None = None) -> tuple[int, str]:
        async with (
            self.site.client(who or self.site.owner) as client,
            client.post(f"{HUB_PATH}/{do}", data=fields, headers=ENGLISH, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()

    async def joins(self, code: ClaimCode) -> tuple[int, str]:
        return await self.post("join", {"code": code.text, "password": ANNA_PASSWORD})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    for folder in ("etc", "box"):
        (tmp_path / folder).mkdir()
    file = tmp_path / "etc" / "home.yaml"
    text = json.dumps(make_home(tmp_path / "box").model_dump(mode="json"))
    file.write_text(f"# the house of the Duponts\n{text}\n", encoding="utf-8")
    reread: list[str] = []
    async with (
        box(tmp_path / "box", load_home_file(file)) as made,
        run_box(made),
        serve_site(made, file=file, reread=lambda: reread.append("again")) as site,
    ):
        yield House(site, file, reread)


@pytest.fixture
def at(tmp_path: Path) -> HubFile:
    return with_boxes(tmp_path)


@pytest.fixture
async def hub(at: HubFile) -> AsyncIterator[RunningHub]:
    async with run_hub(at) as hub:
        yield hub


async def test_the_owner_sees_which_hub_it_is_and_joins_by_his_password(
    house: House, hub: RunningHub, at: HubFile
) -> None:
    code = await create_claim(hub, at)
    assert "no hub" in await house.page()
    status, page = await house.post("code", {"code": f"  {code.text}\n"})
    assert status == 200
    assert at.url in page
    assert proquint_words(code.authority) in page
    assert not house.folder.exists(), "nothing was asked of anybody"
    before = house.file.read_text()
    status, page = await house.post("join", {"code": code.text, "password": "eleven blue ladders"})
    assert (status, "password" in page) == (422, True)
    assert (house.file.read_text(), house.folder.exists()) == (before, False)

    assert (await house.joins(code))[0] == 303
    joined = load_home_file(house.file).hub
    assert joined is not None
    mine = enrolment.read_identity(house.folder)
    assert mine is not None
    assert joined.home == mine.home
    assert joined.tls is not None
    assert joined.tls.certificate == house.folder / "identity.pem"
    assert house.reread == ["again"], "the gateway that runs takes it up"
    assert "# the house of the Duponts" in house.file.read_text()
    assert not (house.folder / "next.pem").exists()
    assert "takes it up as soon as" in await house.page()
    told = enrolment.support_code(house.folder)
    assert told is not None
    async with hub.hub.store.reading() as tx:
        assert parse_support_code(told) == await tx.scalar(select(homes.c.support_code))


@pytest.mark.parametrize("role", [Role.HOUSEHOLD, Role.INSTALLER])
async def test_nobody_but_the_owner_sees_or_joins_a_hub(house: House, hub: RunningHub, at: HubFile, role: Role) -> None:
    code, guest = await create_claim(hub, at), await house.site.guest(role)
    async with house.site.client(guest) as client, client.get(HUB_PATH) as answer:
        assert answer.status == 403
    for do in ("code", "join", "leave"):
        assert (await house.post(do, {"code": code.text, "password": ANNA_PASSWORD}, guest))[0] == 403, do
    async with house.site.client(None) as client, client.get(HUB_PATH, allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith("/enter")
    assert not house.folder.exists()


async def test_a_code_that_is_no_good_is_told_in_plain_words_and_leaves_nothing(
    house: House, hub: RunningHub, at: HubFile, tmp_path: Path
) -> None:
    used, late, good = (
        await create_claim(hub, at),
        await create_claim(hub, at, now=hub.hub.now() - DAY),
        await create_claim(hub, at),
    )
    await JoiningBox.new(tmp_path / "other").join(used)
    before = house.file.read_text()
    for text in ("", "x" * 500, good.text[:-1], "https://hub.example/join", "<script>alert(1)</script>"):
        status, page = await house.post("code", {"code": text})
        assert (status, "no hub&#39;s code" in page) == (422, True), text
        assert "<script>alert" not in page
    for code, says in (
        (used, "used already"),
        (late, "has expired"),
        (replace(good, claim=f"claim-{'a' * 26}"), "does not know"),
        (replace(good, secret="a" * 26), "not the one that the hub made"),
        (replace(good, authority="0" * 64), "not the hub of this code"),
        (replace(good, url="http://127.0.0.1:9"), "does not answer"),
        (replace(good, url="http://192.0.2.1"), "does not answer"),
    ):
        status, page = await house.joins(code)
        assert (status, says in page) == (409, True), (says, re.findall('role="alert">([^<]*)', page))
        assert house.file.read_text() == before
        assert enrolment.read_identity(house.folder) is None, "nothing of it was kept"
    assert (await house.joins(good))[0] == 303, "and the right one still counts"


async def test_another_hub_of_the_same_address_is_not_believed(house: House, hub: RunningHub, at: HubFile) -> None:
    """Somebody has put his hub in the place of the one that gave the code: its web certificate proves nothing."""
    impostor = HubAuthority.load(at.folder.parent / "impostor", now=datetime.now(UTC))
    code = await admin.create_claim(hub.hub.store, url=at.url, fingerprint=impostor.fingerprint, now=hub.hub.now())
    status, page = await house.joins(code)
    assert (status, "not the hub of this code" in page) == (409, True)
    assert enrolment.read_identity(house.folder) is None


async def test_a_house_file_that_cannot_be_written_is_said_before_the_code_is_spent(
    house: House, hub: RunningHub, at: HubFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await create_claim(hub, at)
    with monkeypatch.context() as patch:
        patch.setattr(Proposals, "is_writable", lambda _self: False)
        status, page = await house.joins(code)
        assert (status, "cannot be written" in page) == (409, True)
    assert not house.folder.exists()
    assert (await house.joins(code))[0] == 303


async def test_what_broke_off_between_the_hub_s_yes_and_the_house_file_goes_on_with_the_same_code(
    house: House, hub: RunningHub, at: HubFile
) -> None:
    code = await create_claim(hub, at)
    text = house.file.read_text()
    house.file.write_text("box: [\n", encoding="utf-8")  # somebody is in the middle of writing it at the terminal
    status, page = await house.joins(code)
    assert (status, "same code still counts" in page) == (409, True)
    first = enrolment.read_identity(house.folder)
    assert first is not None
    house.file.write_text(text, encoding="utf-8")
    assert "give the same code once more" in await house.page()
    assert (await house.joins(code))[0] == 303
    again, joined = enrolment.read_identity(house.folder), load_home_file(house.file).hub
    assert again is not None
    assert joined is not None
    assert first.home == again.home == joined.home


async def test_two_who_join_at_once_leave_one_membership(house: House, hub: RunningHub, at: HubFile) -> None:
    one, two = await create_claim(hub, at), await create_claim(hub, at)
    answers = await asyncio.gather(*(house.joins(code) for code in (one, two)))
    assert sorted(status for status, _ in answers) == [303, 409]
    joined, mine = load_home_file(house.file).hub, enrolment.read_identity(house.folder)
    assert joined is not None
    assert mine is not None
    assert joined.home == mine.home
