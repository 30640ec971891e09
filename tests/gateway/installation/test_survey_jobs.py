"""A survey begun on a page, and what goes wrong meanwhile: it is told, and holds up nothing."""

import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.visit import events as e
from gateway.installation import notes
from gateway.installation.survey import (
    MAX_SURVEY_AGE,
    SurveyEnd,
    SurveyEndReason,
    SurveyPlan,
    SurveyRecord,
    surveyed_devices,
)
from gateway.installation.survey_jobs import MAX_SURVEYS_PER_HOUR, SurveyError, SurveyObstacle, SurveyRunner, SurveyView
from gateway.installation.survey_probe import SurveyHolder, claim_survey
from gateway.storage.models import AccountChangeResult
from gateway.web.auth.roles import Role
from tests.shell.box import box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import wait_until
from tests.shell.site import ServedSite, serve_site

PAGE = "/installation"
SURVEY = f"{PAGE}/survey/front"
ENGLISH = {"Accept-Language": "en"}
BEGIN = {"do": "begin", "hours": "1"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """A box without broker, whose cameras are not there either; a failure counts after a moment."""
    async with box(tmp_path, make_home(tmp_path, ring=0.2, live=0.2)) as made, run_box(made), serve_site(made) as site:
        yield site


def surveys(site: ServedSite) -> SurveyRunner:
    return site.site._services.surveys  # noqa: SLF001 - as its pages see it


async def post(site: ServedSite, fields: dict[str, str], **of: str) -> tuple[int, str]:
    who = site.owner if not of else await site.guest(Role(of["role"]), of["name"])
    async with (
        site.client(who) as client,
        client.post(SURVEY, data=fields, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def page(site: ServedSite, path: str = PAGE) -> str:
    async with site.client(site.owner) as client, client.get(path, headers=ENGLISH) as answer:
        return await answer.text()


async def ended(site: ServedSite) -> SurveyEnd:
    """How it ended, once the file tells: a page says so a moment before."""

    def told() -> SurveyEnd | None:
        found = notes.read_survey(site.box.home.storage.folder, "front")
        return None if found is None else found.ended

    await wait_until(told)
    found = told()
    assert found is not None
    return found


def kept(site: ServedSite) -> int:
    found = notes.read_survey(site.box.home.storage.folder, "front")
    return 0 if found is None else len(found.looks)


@pytest.mark.slow
async def test_where_broker_and_cameras_are_gone_every_look_counts_as_refused_and_the_page_says_why(
    site: ServedSite,
) -> None:
    assert (await post(site, BEGIN))[0] == 303
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: kept(site) >= 2)
        text = await page(site)
    assert "A survey of cameras and radio runs, begun by Anna" in text
    assert "The broker is not there: every delivery would be refused" in text
    view = surveys(site).view("front")
    assert view.counted is not None
    assert view.counted.refused == view.counted.looks >= 2
    assert set(view.counted.by_device.values()) == {view.counted.looks}
    assert not list(site.box.home.storage.folder.rglob("*.mp4"))


@pytest.mark.slow
async def test_what_is_the_installer_s_account_s_fault_is_no_refusal(site: ServedSite) -> None:
    """The house itself speaks with its broker: that this account does not come in says nothing of a delivery."""
    await site.box.good_day()
    await post(site, BEGIN)
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: surveys(site).view("front").trouble is SurveyObstacle.ACCOUNT)
        assert "Not looked at: the broker refuses the account" in await page(site)
    assert kept(site) == 0


@pytest.mark.slow
async def test_a_password_that_is_missing_is_told_and_holds_up_nothing(tmp_path: Path) -> None:
    house = make_home(tmp_path, ring=0.2, live=0.2)
    broker = house.broker.model_copy(update={"password_file": tmp_path / "nowhere" / "gateway.password"})
    house = house.model_copy(update={"broker": broker})
    async with box(tmp_path, house) as made, run_box(made), serve_site(made) as site:
        await post(site, BEGIN)
        async with run_tasks(surveys(site).run()):
            await wait_until(lambda: surveys(site).view("front").trouble is SurveyObstacle.PASSWORD)
            assert "perron broker-config" in await page(site)
            await made.good_day()  # the door lives on
    assert kept(site) == 0


@pytest.mark.slow
async def test_a_disk_that_takes_nothing_loses_looks_and_not_the_gateway(site: ServedSite) -> None:
    await post(site, BEGIN)
    file = notes.survey_file(site.box.home.storage.folder, "front")
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: kept(site) >= 1)
        text = file.read_bytes()
        file.unlink()
        file.mkdir()  # nothing can be written there
        await wait_until(lambda: surveys(site).view("front").trouble is SurveyObstacle.DISK)
        assert "The disk takes nothing" in await page(site)
        file.rmdir()
        file.write_bytes(text)
        before = kept(site)
        await wait_until(lambda: kept(site) > before)
        assert surveys(site).view("front").trouble is not SurveyObstacle.DISK


@pytest.mark.slow
async def test_it_stands_aside_while_a_window_is_near_or_the_house_runs_a_camera(site: ServedSite) -> None:
    await post(site, BEGIN)
    pid = site.box.home.storage.folder / "survey.pid"
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: kept(site) >= 1)
        assert pid.exists()
        site.box.front.put(e.WindowChanged(near=True))
        await wait_until(lambda: surveys(site).view("front").trouble is SurveyObstacle.NEEDED)
        await wait_until(lambda: not pid.exists())  # the cameras are the house's
        before = kept(site)
        assert "The house comes first" in await page(site)
        site.box.front.put(e.WindowChanged(near=False))
        await wait_until(lambda: kept(site) > before)
        site.box.prove("somebody-looks")
        await wait_until(lambda: surveys(site).view("front").trouble is SurveyObstacle.NEEDED)
        site.box.eyes.proofs.clear()
        await wait_until(lambda: surveys(site).view("front").trouble is not SurveyObstacle.NEEDED)


@pytest.mark.slow
async def test_a_video_process_that_dies_is_no_refusal_of_a_camera(site: ServedSite) -> None:
    await post(site, BEGIN)
    file = site.box.home.storage.folder / "survey.pid"
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: kept(site) >= 1)
        pid = int(file.read_text())
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: file.exists() and file.read_text().strip() not in ("", str(pid)))
        before = kept(site)
        await wait_until(lambda: kept(site) > before)


async def test_one_that_was_ended_stays_ended_and_who_did_what_is_in_the_log(site: ServedSite, tmp_path: Path) -> None:
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
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: not surveys(site)._file_locks["front"].locked())  # noqa: SLF001 - it has looked once
        assert not (tmp_path / "survey.pid").exists()
    assert kept(site) == 0


@pytest.mark.parametrize("how", ["removed", "household", "handed over"])
async def test_whoever_began_it_and_may_no_longer_has_it_end(site: ServedSite, how: str) -> None:
    assert (await post(site, BEGIN, role="installer", name="Ida"))[0] == 303
    assert "A survey of cameras and radio runs, begun by Ida" in await page(site, "/")
    register, now, anna = site.box.store.accounts, site.box.clock.now(), site.owner.user.person
    (ida,) = (one for one in register.all_people() if one.name == "Ida")
    match how:
        case "removed":
            assert await register.remove_account(ida.id, now, by=anna) is AccountChangeResult.DONE
        case "household":
            assert await register.set_role(ida.id, Role.HOUSEHOLD, now, by=anna) is AccountChangeResult.DONE
        case _:
            assert await register.remove_installers(now, by=anna) == (ida.id,)
    async with run_tasks(surveys(site).run()):
        assert (await ended(site)).why is SurveyEndReason.NOT_ALLOWED
    assert not surveys(site).view("front").ours
    assert "who began it may no longer do so" in await page(site)


async def test_the_household_sees_it_and_neither_begins_nor_ends_one(site: ServedSite) -> None:
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


@pytest.mark.parametrize("why", [SurveyEndReason.DEVICES_CHANGED, SurveyEndReason.TOO_OLD])
async def test_one_of_other_devices_or_of_a_month_ago_is_not_gone_on_with(
    site: ServedSite, why: SurveyEndReason
) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    old = now - MAX_SURVEY_AGE - timedelta(hours=1) if why is SurveyEndReason.TOO_OLD else now
    devices = surveyed_devices(house, "front") if why is SurveyEndReason.TOO_OLD else ("lock", "another-camera")
    begun = SurveyPlan(
        entrance="front", begun=old, every=60, looks=9, devices=devices, by="Anna", person=site.owner.user.person
    )
    notes.append_survey(house.storage.folder, "front", begun)
    async with run_tasks(surveys(site).run()):
        surveys(site)._views["front"] = SurveyView(surveyed=SurveyRecord(begun=begun))  # noqa: SLF001 - as at a start
        assert (await ended(site)).why is why


@pytest.mark.parametrize("hours", ["0", "169", "-1", "1.5", "", "x", "9" * 5000, "²"])
async def test_hours_that_are_none_begin_nothing(site: ServedSite, hours: str) -> None:
    status, text = await post(site, {"do": "begin", "hours": hours})
    assert (status, "1 to 168 hours" in text) == (409, True)
    assert kept(site) == 0
    assert surveys(site).view("front").surveyed is None


async def test_what_is_no_entrance_or_no_word_is_refused(site: ServedSite) -> None:
    assert (await post(site, {"do": "dance"}))[0] == 400
    async with site.client(site.owner) as client, client.post(f"{PAGE}/survey/nowhere", data=BEGIN) as answer:
        assert answer.status == 404


async def test_one_that_the_terminal_runs_is_shown_and_not_begun_beside_it(site: ServedSite) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    folder = house.storage.folder
    begun = SurveyPlan(entrance="front", begun=now, every=60, looks=9, devices=surveyed_devices(house, "front"))
    with claim_survey(folder, "front", SurveyHolder.TERMINAL):
        notes.append_survey(folder, "front", begun)
        async with run_tasks(surveys(site).run()):
            await wait_until(lambda: surveys(site).view("front").elsewhere)
            status, text = await post(site, BEGIN)
            assert (status, "terminal surveys this entrance" in text) == (409, True)
            assert (await post(site, {"do": "end"}))[0] == 409
            assert "A survey runs at the box" in await page(site)
    assert notes.read_survey(folder, "front") is not None


async def test_one_that_was_begun_at_the_terminal_is_not_gone_on_with_by_the_gateway(site: ServedSite) -> None:
    house, now = site.box.home, site.box.clock.now().utc
    begun = SurveyPlan(entrance="front", begun=now, every=0.01, looks=9, devices=surveyed_devices(house, "front"))
    notes.append_survey(house.storage.folder, "front", begun)
    async with run_tasks(surveys(site).run()):
        await wait_until(lambda: surveys(site).view("front").surveyed is not None)
        assert "Begun at the terminal" in await page(site)
    assert kept(site) == 0


async def test_surveys_that_are_begun_and_ended_without_end_neither_fill_the_log_nor_try_cameras_for_ever(
    site: ServedSite,
) -> None:
    person, last = site.owner.user.person, None
    for _ in range(MAX_SURVEYS_PER_HOUR):
        assert await surveys(site).begin("front", 1, by="Anna", person=person) is None
        assert await surveys(site).end("front", by="Anna", person=person) is None
    before = sum(1 for _ in site.box.store.log.entries())
    for _ in range(5):
        last = await surveys(site).begin("front", 1, by="Anna", person=person)
    assert last is SurveyError.OFTEN
    assert sum(1 for _ in site.box.store.log.entries()) == before
    status, text = await post(site, BEGIN)
    assert (status, "begun many within an hour" in text) == (409, True)
    assert await surveys(site).begin("front", 1, by="Ines", person="ines") is None, "another person may"
