"""A survey begun on a page, and what goes wrong meanwhile: it is told, and holds up nothing."""

import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.visit import events as e
from gateway.installation import notes
from gateway.installation.survey import OLDEST, Begun, Ended, Surveyed, Why, devices_of
from gateway.installation.survey_jobs import OFTEN, No, Surveys, Trouble, View
from gateway.installation.survey_probe import Holder, claimed
from gateway.storage.models import Changed
from gateway.web.auth.roles import Role
from tests.shell.box import awake, box, running
from tests.shell.house import home
from tests.shell.parts import until
from tests.shell.site import Served, served

PAGE = "/installation"
SURVEY = f"{PAGE}/survey/front"
ENGLISH = {"Accept-Language": "en"}
BEGIN = {"do": "begin", "hours": "1"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    """A box without broker, whose cameras are not there either; a failure counts after a moment."""
    async with box(tmp_path, home(tmp_path, ring=0.2, live=0.2)) as made, awake(made), served(made) as site:
        yield site


def surveys(site: Served) -> Surveys:
    return site.site._box.surveys  # noqa: SLF001 - as its pages see it


async def post(site: Served, fields: dict[str, str], **of: str) -> tuple[int, str]:
    who = site.owner if not of else await site.guest(Role(of["role"]), of["name"])
    async with (
        site.client(who) as client,
        client.post(SURVEY, data=fields, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def page(site: Served, path: str = PAGE) -> str:
    async with site.client(site.owner) as client, client.get(path, headers=ENGLISH) as answer:
        return await answer.text()


async def ended(site: Served) -> Ended:
    """How it ended, once the file tells: a page says so a moment before."""

    def told() -> Ended | None:
        found = notes.survey_of(site.box.home.storage.folder, "front")
        return None if found is None else found.ended

    await until(told)
    found = told()
    assert found is not None
    return found


def kept(site: Served) -> int:
    found = notes.survey_of(site.box.home.storage.folder, "front")
    return 0 if found is None else len(found.looks)


@pytest.mark.slow
async def test_where_broker_and_cameras_are_gone_every_look_counts_as_refused_and_the_page_says_why(
    site: Served,
) -> None:
    assert (await post(site, BEGIN))[0] == 303
    async with running(surveys(site).run()):
        await until(lambda: kept(site) >= 2)
        text = await page(site)
    assert "A survey of cameras and radio runs, begun by Anna" in text
    assert "The broker is not there: every delivery would be refused" in text
    view = surveys(site).view("front")
    assert view.counted is not None
    assert view.counted.refused == view.counted.looks >= 2
    assert set(view.counted.by_device.values()) == {view.counted.looks}
    assert not list(site.box.home.storage.folder.rglob("*.mp4"))


@pytest.mark.slow
async def test_what_is_the_installer_s_account_s_fault_is_no_refusal(site: Served) -> None:
    """The house itself speaks with its broker: that this account does not come in says nothing of a delivery."""
    await site.box.good_day()
    await post(site, BEGIN)
    async with running(surveys(site).run()):
        await until(lambda: surveys(site).view("front").trouble is Trouble.ACCOUNT)
        assert "Not looked at: the broker refuses the account" in await page(site)
    assert kept(site) == 0


@pytest.mark.slow
async def test_a_password_that_is_missing_is_told_and_holds_up_nothing(tmp_path: Path) -> None:
    house = home(tmp_path, ring=0.2, live=0.2)
    broker = house.broker.model_copy(update={"password_file": tmp_path / "nowhere" / "gateway.password"})
    house = house.model_copy(update={"broker": broker})
    async with box(tmp_path, house) as made, awake(made), served(made) as site:
        await post(site, BEGIN)
        async with running(surveys(site).run()):
            await until(lambda: surveys(site).view("front").trouble is Trouble.PASSWORD)
            assert "perron broker-config" in await page(site)
            await made.good_day()  # the door lives on
    assert kept(site) == 0


@pytest.mark.slow
async def test_a_disk_that_takes_nothing_loses_looks_and_not_the_gateway(site: Served) -> None:
    await post(site, BEGIN)
    file = notes.survey_file(site.box.home.storage.folder, "front")
    async with running(surveys(site).run()):
        await until(lambda: kept(site) >= 1)
        text = file.read_bytes()
        file.unlink()
        file.mkdir()  # nothing can be written there
        await until(lambda: surveys(site).view("front").trouble is Trouble.DISK)
        assert "The disk takes nothing" in await page(site)
        file.rmdir()
        file.write_bytes(text)
        before = kept(site)
        await until(lambda: kept(site) > before)
        assert surveys(site).view("front").trouble is not Trouble.DISK


@pytest.mark.slow
async def test_it_stands_aside_while_a_window_is_near_or_the_house_runs_a_camera(site: Served) -> None:
    await post(site, BEGIN)
    pid = site.box.home.storage.folder / "survey.pid"
    async with running(surveys(site).run()):
        await until(lambda: kept(site) >= 1)
        assert pid.exists()
        site.box.front.put(e.WindowChanged(near=True))
        await until(lambda: surveys(site).view("front").trouble is Trouble.NEEDED)
        await until(lambda: not pid.exists())  # the cameras are the house's
        before = kept(site)
        assert "The house comes first" in await page(site)
        site.box.front.put(e.WindowChanged(near=False))
        await until(lambda: kept(site) > before)
        site.box.prove("somebody-looks")
        await until(lambda: surveys(site).view("front").trouble is Trouble.NEEDED)
        site.box.eyes.proofs.clear()
        await until(lambda: surveys(site).view("front").trouble is not Trouble.NEEDED)


@pytest.mark.slow
async def test_a_video_process_that_dies_is_no_refusal_of_a_camera(site: Served) -> None:
    await post(site, BEGIN)
    file = site.box.home.storage.folder / "survey.pid"
    async with running(surveys(site).run()):
        await until(lambda: kept(site) >= 1)
        pid = int(file.read_text())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: file.exists() and file.read_text().strip() not in ("", str(pid)))
        before = kept(site)
        await until(lambda: kept(site) > before)


async def test_one_that_was_ended_stays_ended_and_who_did_what_is_in_the_log(site: Served, tmp_path: Path) -> None:
    await post(site, BEGIN)
    assert (await post(site, BEGIN))[0] == 409
    assert (await post(site, {"do": "end"}))[0] == 303
    assert (await post(site, {"do": "end"}))[0] == 409
    text = await page(site)
    assert "Ended by Anna" in text
    assert "Begin anew" in text
    doings = await page(site, "/settings/sign-ins")
    assert "Anna began a survey (front)" in doings
    assert "Anna ended a survey (front)" in doings
    async with running(surveys(site).run()):
        await until(lambda: not surveys(site)._writing["front"].locked())  # noqa: SLF001 - it has looked once
        assert not (tmp_path / "survey.pid").exists()
    assert kept(site) == 0


@pytest.mark.parametrize("how", ["removed", "household", "handed over"])
async def test_whoever_began_it_and_may_no_longer_has_it_end(site: Served, how: str) -> None:
    assert (await post(site, BEGIN, role="installer", name="Ida"))[0] == 303
    assert "A survey of cameras and radio runs, begun by Ida" in await page(site, "/")
    register, now, anna = site.box.store.register, site.box.clock.now(), site.owner.who.person
    (ida,) = (one for one in register.people() if one.name == "Ida")
    match how:
        case "removed":
            assert await register.remove(ida.id, now, by=anna) is Changed.DONE
        case "household":
            assert await register.set_role(ida.id, Role.HOUSEHOLD, now, by=anna) is Changed.DONE
        case _:
            assert await register.hand_over(now, by=anna) == (ida.id,)
    async with running(surveys(site).run()):
        assert (await ended(site)).why is Why.NOT_ALLOWED
    assert not surveys(site).view("front").ours
    assert "who began it may no longer do so" in await page(site)


async def test_the_household_sees_it_and_neither_begins_nor_ends_one(site: Served) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    assert (await post(site, BEGIN))[0] == 303
    async with site.client(bruno) as client:
        for do in ("begin", "end"):
            async with client.post(SURVEY, data={"do": do, "hours": "1"}) as answer:
                assert answer.status == 403
        async with client.get("/", headers=ENGLISH) as answer:
            assert "A survey of cameras and radio runs, begun by Anna" in await answer.text()
    async with site.client(None) as client, client.post(SURVEY, data=BEGIN, allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith("/enter")
    assert surveys(site).view("front").ours


@pytest.mark.parametrize("why", [Why.DEVICES_CHANGED, Why.TOO_OLD])
async def test_one_of_other_devices_or_of_a_month_ago_is_not_gone_on_with(site: Served, why: Why) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    old = now - OLDEST - timedelta(hours=1) if why is Why.TOO_OLD else now
    devices = devices_of(house, "front") if why is Why.TOO_OLD else ("lock", "another-camera")
    begun = Begun(
        entrance="front", begun=old, every=60, looks=9, devices=devices, by="Anna", person=site.owner.who.person
    )
    notes.keep_survey(house.storage.folder, "front", begun)
    async with running(surveys(site).run()):
        surveys(site)._views["front"] = View(surveyed=Surveyed(begun=begun))  # noqa: SLF001 - as at a start
        assert (await ended(site)).why is why


@pytest.mark.parametrize("hours", ["0", "169", "-1", "1.5", "", "x", "9" * 5000, "²"])
async def test_hours_that_are_none_begin_nothing(site: Served, hours: str) -> None:
    status, text = await post(site, {"do": "begin", "hours": hours})
    assert (status, "1 to 168 hours" in text) == (409, True)
    assert kept(site) == 0
    assert surveys(site).view("front").surveyed is None


async def test_what_is_no_entrance_or_no_word_is_refused(site: Served) -> None:
    assert (await post(site, {"do": "dance"}))[0] == 400
    async with site.client(site.owner) as client, client.post(f"{PAGE}/survey/nowhere", data=BEGIN) as answer:
        assert answer.status == 404


async def test_one_that_the_terminal_runs_is_shown_and_not_begun_beside_it(site: Served) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    folder = house.storage.folder
    begun = Begun(entrance="front", begun=now, every=60, looks=9, devices=devices_of(house, "front"))
    with claimed(folder, "front", Holder.TERMINAL):
        notes.keep_survey(folder, "front", begun)
        async with running(surveys(site).run()):
            await until(lambda: surveys(site).view("front").elsewhere)
            status, text = await post(site, BEGIN)
            assert (status, "terminal surveys this entrance" in text) == (409, True)
            assert (await post(site, {"do": "end"}))[0] == 409
            assert "A survey runs at the box" in await page(site)
    assert notes.survey_of(folder, "front") is not None


async def test_one_that_was_begun_at_the_terminal_is_not_gone_on_with_by_the_gateway(site: Served) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    begun = Begun(entrance="front", begun=now, every=0.01, looks=9, devices=devices_of(house, "front"))
    notes.keep_survey(house.storage.folder, "front", begun)
    async with running(surveys(site).run()):
        await until(lambda: surveys(site).view("front").surveyed is not None)
        assert "Begun at the terminal" in await page(site)
    assert kept(site) == 0


async def test_surveys_that_are_begun_and_ended_without_end_neither_fill_the_log_nor_try_cameras_for_ever(
    site: Served,
) -> None:
    person, last = site.owner.who.person, None
    for _ in range(OFTEN):
        assert await surveys(site).begin("front", 1, by="Anna", person=person) is None
        assert await surveys(site).end("front", by="Anna", person=person) is None
    before = sum(1 for _ in site.box.store.entries())
    for _ in range(5):
        last = await surveys(site).begin("front", 1, by="Anna", person=person)
    assert last is No.OFTEN
    assert sum(1 for _ in site.box.store.entries()) == before
    status, text = await post(site, BEGIN)
    assert (status, "begun many within an hour" in text) == (409, True)
    assert await surveys(site).begin("front", 1, by="Ines", person="ines") is None, "another person may"
