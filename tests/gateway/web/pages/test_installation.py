"""The pages of whoever puts Perron up: promises, the walk test's answers, and what it forbids."""

import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from gateway.installation import records
from gateway.installation.capability import WalkTestStatus
from gateway.installation.trials import WalkTrial
from gateway.installation.walk import WALK_TEST_BRAND, TrialResult
from gateway.web.auth.roles import Role
from tests.shell.box import ShellBox, box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

ENGLISH = {"Accept-Language": "en"}
WALK = "/installation/walk/front"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    made: ShellBox
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        await made.good_day()
        yield site


async def test_what_each_device_promises_and_what_is_missing_is_said_in_plain_words(site: ServedSite) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client, client.get("/installation", headers=ENGLISH) as answer:
        text = await answer.text()
    assert "Guarded: it refuses a late or repeated command by itself." in text
    assert "Nobody has said whether it locks by itself" in text
    assert "The walk test was not made yet" in text
    assert "Declared: from inside the door opens by hand" in text


async def test_the_page_shows_how_often_each_device_was_ready_near_windows(site: ServedSite) -> None:
    made = site.box
    async with site.client(site.owner) as client:
        async with client.get("/installation", headers=ENGLISH) as answer:
            assert "Nothing was counted yet: no window was near." in await answer.text()
        for ready in (True, False):
            made.store.readiness.count("front", {"lock": True, "cam": ready}, made.clock.now())
        await made.store.log.append("after", {}, made.clock.now())  # the writer has stored what was posted before
        async with client.get("/installation", headers=ENGLISH) as answer:
            text = re.sub(r"[\u2066-\u2069]|</?bdi>", "", await answer.text())
    assert '<li class="good">Lock (Front): not ready at 0 of 2 checks</li>' in text
    assert '<li class="bad">Door camera: not ready at 1 of 2 checks</li>' in text
    assert "Door camera 1/2, Lock (Front) 2/2" in text


async def test_each_device_is_called_what_it_is_in_the_language_of_who_reads(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        for language, lock in (("en", "Lock (Front)"), ("fr", "Serrure (Front)")):
            async with client.get("/installation", headers={"Accept-Language": language}) as answer:
                assert lock in await answer.text()


async def test_before_the_walk_test_the_page_says_what_will_happen_how_long_and_what_to_have_at_hand(
    site: ServedSite,
) -> None:
    for who, asked in ((site.owner, False), (await site.guest(Role.INSTALLER, "Ines"), True)):
        async with site.client(who) as client, client.get(WALK, headers=ENGLISH) as answer:
            text = await answer.text()
        assert "18 trials at this door, one after the other, about a minute each." in text
        assert "the mechanical key, a wedge" in text
        assert ("The owner is asked before it opens." in text) == asked
    async with site.client(site.owner) as client:
        await client.post(WALK, data={"do": "begin"})
        async with client.get(WALK, headers=ENGLISH) as answer:
            assert "What will happen" not in await answer.text()


async def test_a_trial_that_failed_is_told_at_once_where_the_door_is_shown(site: ServedSite) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client:
        assert (await client.post(WALK, data={"do": "begin"}, allow_redirects=False)).status == 303
        async with client.post(WALK, data={"do": "failed", "number": "0"}, allow_redirects=False) as answer:
            assert answer.status == 303
        await wait_until(lambda: site.box.front.state.walk_test_failed)
        async with client.get("/", headers=ENGLISH) as answer:
            text = await answer.text()
        assert "The walk test is not passed: no delivery comes in" in text
        assert f'<a href="{WALK}">Walk test</a>' in text
        async with client.get(WALK, headers=ENGLISH) as answer:
            text = await answer.text()
    assert "The door sensor: <b>not passed</b>" in text
    assert "2/" in text
    walk = records.read_walk(site.box.home.storage.folder, "front")
    assert walk is not None
    assert (walk.by, walk.asks_owner) == ("Ines", True)


async def test_to_begin_anew_is_asked_before_trials_that_are_done_are_wiped(site: ServedSite) -> None:
    folder = site.box.home.storage.folder
    async with site.client(site.owner) as client:
        for fields in ({"do": "begin"}, {"do": "begin"}, {"do": "failed", "number": "0"}):
            async with client.post(WALK, data=fields, allow_redirects=False) as answer:
                assert answer.status == 303, "nothing is lost by it yet"
        before = records.read_walk(folder, "front")
        async with client.post(WALK, data={"do": "begin"}, headers=ENGLISH) as answer:
            text = await answer.text()
        count = 0 if before is None else len(before.steps)
        assert f"0 of {count} trials are passed." in text
        assert 'name="sure" value="1"' in text
        assert records.read_walk(folder, "front") == before
        await client.post(WALK, data={"do": "begin", "sure": "1"}, allow_redirects=False)
        async with client.get(WALK, headers=ENGLISH) as answer:
            listed = await answer.text()
        assert "Earlier walk tests" in listed
        assert f"0 of {count} trials passed, by" in listed
    anew = records.read_walk(folder, "front")
    assert anew is not None
    assert all(step.ending is None for step in anew.steps)


async def test_the_owner_s_own_test_asks_nobody_before_its_delivery(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        await client.post(WALK, data={"do": "begin"}, allow_redirects=False)
    walk = records.read_walk(site.box.home.storage.folder, "front")
    assert walk is not None
    assert not walk.asks_owner


@pytest.mark.parametrize("later", [False, True])
async def test_an_installer_who_tries_the_owner_s_delivery_anew_asks_the_owner_first(
    site: ServedSite, *, later: bool
) -> None:
    walks = site.site._services.walk_tests  # noqa: SLF001 - as its pages see it
    await walks.begin("front", "Anna", person=site.owner.user.person)
    walk = walks.walk("front")
    assert walk is not None
    delivery = next(n for n, step in enumerate(walk.steps) if step.trial is WalkTrial.DELIVERY)
    done = tuple(
        step.model_copy(update={"ending": TrialResult.PASSED if later or n != delivery else None})
        for n, step in enumerate(walk.steps)
    )
    walks._update(walk.model_copy(update={"steps": done, "reported": True}))  # noqa: SLF001 - hours at the door, spared
    async with run_tasks(walks.run()), run_tasks(site.box.reception.run()):
        if not later:
            await wait_until(lambda: bool(walks.codes("front")))
            assert not asks(site)
        ines = await site.guest(Role.INSTALLER, "Ines")
        async with site.client(ines) as client:
            for do in ("again",) if later else ("failed", "again"):
                fields = {"do": do, "number": str(delivery)}
                async with client.post(WALK, data=fields, allow_redirects=False) as answer:
                    assert answer.status == 303
        await wait_until(
            lambda: bool(walks.codes("front")) and site.box.store.brands.permission(WALK_TEST_BRAND) is not None
        )
        assert asks(site)


def asks(site: ServedSite) -> bool:
    """Whether the owner is asked before the walk test's delivery is let in."""
    permission = site.box.store.brands.permission(WALK_TEST_BRAND)
    return permission is not None and permission.terms.ask_each_time


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "yes", "number": "0"},  # its question is not open
        {"do": "no", "number": "99"},
        {"do": "not_here", "number": "0"},  # every house has a door sensor
        {"do": "dance", "number": "0"},
        {"do": "yes", "number": "x"},
        {},
    ],
)
async def test_an_answer_that_is_none_now_changes_nothing(site: ServedSite, fields: dict[str, str]) -> None:
    async with site.client(site.owner) as client:
        await client.post(WALK, data={"do": "begin"}, allow_redirects=False)
        before = records.walk_file(site.box.home.storage.folder, "front").read_bytes()
        async with client.post(WALK, data=fields, allow_redirects=False) as answer:
            assert answer.status == 409
    assert records.walk_file(site.box.home.storage.folder, "front").read_bytes() == before


async def test_there_is_a_picture_for_the_trial_that_asks_about_it_and_for_no_other(site: ServedSite) -> None:
    site.box.eyes.jpeg = b"\xff\xd8 a small picture"
    async with site.client(site.owner) as client:
        async with client.get(f"{WALK}/picture/0") as answer:
            assert answer.status == 404  # no walk yet
        await client.post(WALK, data={"do": "begin"}, allow_redirects=False)
        walk = records.read_walk(site.box.home.storage.folder, "front")
        assert walk is not None
        asks = next(n for n, step in enumerate(walk.steps) if step.trial is WalkTrial.PICTURE)
        async with client.get(f"{WALK}/picture/{asks}") as answer:
            assert (answer.status, await answer.read()) == (200, site.box.eyes.jpeg)
        for number in (0, 99, -1):
            async with client.get(f"{WALK}/picture/{number}") as answer:
                assert answer.status == 404, number
        site.box.eyes.jpeg = b"\xff\xd8 another"
        async with client.get(f"{WALK}/picture/{asks}") as answer:
            assert await answer.read() == b"\xff\xd8 a small picture"  # what is answered about stays what was shown
        for name in ("report.pdf", "report.signed.json"):
            async with client.get(f"{WALK}/{name}") as answer:
                assert answer.status == 404, name
    looks = site.box.store.privacy.views
    await wait_until(lambda: {look.person for look in looks(at_most=9)} == {site.owner.user.person})


async def test_a_household_member_neither_walks_nor_sees_the_devices(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(bruno) as client:
        for method, path in (("GET", "/installation"), ("GET", WALK), ("POST", WALK), ("POST", "/installation/test")):
            async with client.request(method, path, data={"do": "begin"} if method == "POST" else None) as answer:
                assert answer.status == 403, path
    assert site.site._services.walk_tests.status("front") is WalkTestStatus.NEVER  # noqa: SLF001 - as its pages see it


async def test_a_device_that_cannot_be_reached_is_told_and_nothing_is_kept(site: ServedSite) -> None:
    async with site.client(site.owner) as client:
        async with client.post("/installation/test", data={"device": "nobody"}) as answer:
            assert answer.status == 404
        async with client.post("/installation/test", data={"device": "lock"}, headers=ENGLISH) as answer:
            assert (answer.status, "Errno" in await answer.text()) == (409, False)
    assert records.read_measurements(site.box.home.storage.folder) == {}


@pytest.mark.slow
async def test_what_calls_its_name_is_listed_and_a_broker_that_is_not_there_is_told(site: ServedSite) -> None:
    service = "_rtsp._tcp.local."
    camera = ServiceInfo(
        service, f"<b>Porch</b>.{service}", addresses=[socket.inet_aton("127.0.0.1")], port=8998, server="porch.local."
    )
    stranger = ServiceInfo(
        service,
        f"Odd.{service}",
        addresses=[socket.inet_pton(socket.AF_INET6, "::1")],
        port=8997,
        server="it's $(x).local.",
    )
    calling = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        await calling.async_register_service(camera)
        await calling.async_register_service(stranger)
        async with (
            site.client(site.owner) as client,
            client.post("/installation/discover", headers=ENGLISH) as answer,
        ):
            text = await answer.text()
    finally:
        await calling.async_close()
    assert "it&#39;s $(x).local:8997" in text, "a quote in a stranger's host name costs nobody the page"
    assert "perron add odd" not in text
    assert "&lt;b&gt;Porch&lt;/b&gt;" in text
    assert "perron add b-porch-b --kind camera --vendor rtsp" in text
    assert '<form class="wishes" method="get" action="/installation/add">' in text
    assert 'name="url" value="rtsp://127.0.0.1:8998/PATH"' in text
    assert "The broker cannot be used: " in text  # this house has none
    assert "Errno" not in text
