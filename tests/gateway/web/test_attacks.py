"""Attacks on the pages as a whole: what a stranger, a guest or a broken browser sends, at a real server."""

import asyncio
import gc
import gzip
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType
from yarl import URL

from gateway.config.home import PagesSection
from gateway.runtime.notifications import action_links
from gateway.storage.models import StoreFailed
from gateway.web.auth.roles import Role
from gateway.web.server.authorization import Authorizer
from gateway.web.server.connection_limits import CONNECTION_LIMITS
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.people import set_role
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_coming_in import a_site
from tests.shell.box import LINK_KEY, ShellBox, box, run_box, run_tasks
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

JSON = {"Accept": "application/json"}
ENGLISH = {"Accept-Language": "en"}
FORM = "application/x-www-form-urlencoded"
LONG = 30.0


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a parcel's window."""
    async with box(tmp_path, make_home(tmp_path), time=ManualTime(mono=7300.0)) as made:
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def said(site: ServedSite, text: str) -> bytes:
    """Say something that is hardly HTTP; all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.site.port)
    try:
        async with asyncio.timeout(LONG):
            writer.write(text.format(host=f"127.0.0.1:{site.site.port}").encode("latin-1"))
            return await reader.read()
    finally:
        writer.close()


# ---- what no browser sends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("GET /enter HTTP/1.1\r\nHost: {host}\r\nHost: evil.example", 400),
        ("GET /enter HTTP/1.1\r\nHost: evil.example\r\nHost: {host}", 400),
        ("GET http://evil.example/enter HTTP/1.1\r\nHost: {host}", 403),
        ("GET http://{host}/enter HTTP/1.1\r\nHost: evil.example", 403),
        ("OPTIONS * HTTP/1.1\r\nHost: {host}", 403),
        ("CONNECT evil.example:1 HTTP/1.1\r\nHost: {host}", 403),
        ("TRACE /enter HTTP/1.1\r\nHost: {host}\r\nCookie: session=secret", 405),
        ("GET /enter HTTP/1.0", 403),
        ("POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked", 400),
        ("POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nContent-Length: 5", 400),
        ("POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1", 400),
        ("POST /enter HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, identity", 400),
        ("GET /enter HTTP/1.1\r\nHost : {host}", 400),
        ("GET /enter HTTP/1.1\r\nHost: {host}\r\nX: a\r\n folded: b", 400),
        ("GET /en\0ter HTTP/1.1\r\nHost: {host}", 400),
    ],
)
async def test_a_request_with_two_meanings_has_none(site: ServedSite, asked: str, status: int) -> None:
    answer = await said(site, f"{asked}\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ")[1] == str(status).encode()
    assert b"session=secret" not in answer


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (f"{FORM}; charset=nonsense", b"name=x", 415),
        (f"{FORM}; charset=utf-16", b"name=x", 415),
        (f"{FORM}; charset=punycode", b"a-" + b"a" * 9000, 415),  # decodes in quadratic time
        (f"{FORM}; charset=UTF-8", b"name=x", 422),
        (FORM, b"name=\xff\xfe", 400),
        (FORM, b"name=%FF%ED%A0%80&password=%00&name=again", 422),
        (FORM, b"a&" * 8000, 413),
        (FORM, b"a" * 20_000, 413),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; filename="b"\r\n\r\n', 415),
        ("multipart/form-data", b"x", 415),
        ("application/json", b"{}", 415),
        ("", b"name=x", 415),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_short_form_is_refused_and_never_a_bug(
    site: ServedSite, kind: str, body: bytes, status: int
) -> None:
    for path in ("/enter", "/language", "/claim", "/join/x"):
        async with site.client(None) as client, client.post(path, data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status == status or (answer.status in (400, 404) and path != "/enter" and status == 422), path


async def test_a_packed_body_is_not_unpacked(site: ServedSite) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    async with (
        site.client(None) as client,
        client.post("/enter", data=gzip.compress(b"name=x" * 99), headers=headers) as answer,
    ):
        assert answer.status in (400, 415)


ODD = ["%00", "%ff", "%ED%A0%80", "%0d%0aSet-Cookie:%20session=x", "a" * 300 + ".css", "..%2f..%2f..%2fetc%2fpasswd",
       "%252e%252e%252f", "..%5c..%5c", "%e2%80%ae", "A" * 6000, "...", "~", "%2e%2e/", "%f0%9f%93%a6.js"]  # fmt: skip
ADDRESSES = ["/", "/static/", "/film/", "/film/visits/", "/history/", "/shared/", "/shared/x/", "/live/", "/join/",
             "/link/", "/c/", "/enter?back=", "/confirm?back=", "/history?day=", "/certificate/"]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_address_is_nothing_that_is_there_and_never_a_bug(
    site: ServedSite, odd: str, caplog: pytest.LogCaptureFixture
) -> None:
    for who in (site.owner, None):
        async with site.client(who) as client:
            for address in ADDRESSES:
                url = URL(f"{site.address}{address}{odd}", encoded=True)
                async with client.get(url, allow_redirects=False) as answer:
                    assert answer.status in (200, 303, 400, 404, 410), address
                    assert answer.status != 200 or "?" in address, address
                    assert URL(answer.headers.get("Location", "/")).host is None
                    assert set(answer.cookies) == set()
    assert not [record for record in caplog.records if record.exc_info], "nothing ended by an exception"


async def test_what_a_browser_said_wrongly_is_not_quoted_in_the_log(
    site: ServedSite, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await said(site, "GET /link/SECRET HTTP/1.1\r\nHost: {host}\r\nCookie: session=SECRET\0\r\n\r\n")
    await said(site, "GET /link/SECRET\0 HTTP/1.1\r\nHost: {host}\r\n\r\n")
    async with site.client(None) as client:
        for path, fields in (("/enter", {"name": "SECRET", "password": "SECRET but long"}),
                             ("/claim", {"code": "SECRET", "password": "SECRET but long"}),
                             ("/join/SECRET", {"password": "SECRET but long"})):  # fmt: skip
            async with client.post(path, data=fields):
                pass
    assert "SECRET" not in caplog.text
    assert "SECRET" not in "".join(capsys.readouterr())


async def test_no_secret_of_who_comes_in_is_told_in_the_log(
    made: ShellBox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve_site(made) as site:
        bruno = await site.guest(Role.HOUSEHOLD)
        async with site.client(bruno) as client, client.post("/entrance/front", data={"do": "stop"}, headers=JSON):
            pass
        secrets = [ANNA_PASSWORD, *(text for who in (site.owner, bruno) for text in (who.session, who.device))]
        said: list[str] = []

        def is_told() -> bool:
            said.extend(capsys.readouterr())
            return any("asked_on_a_page" in one for one in (caplog.text, *said))

        await wait_until(is_told)  # a line is written a moment later
    logged = "".join((caplog.text, *said, *capsys.readouterr()))
    for secret in secrets:
        assert secret.rpartition(".")[2] not in logged


# ---- more than is asked for ------------------------------------------------------------------------------------------


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_silent_connections_do_not_take_the_boxs_file_descriptors(site: ServedSite) -> None:
    before = open_files()
    calls = [
        await asyncio.open_connection("127.0.0.1", site.site.port) for _ in range(2 * CONNECTION_LIMITS.per_network)
    ]

    def open_ends() -> int:
        return open_files() - before - len(calls)

    try:
        await wait_until(lambda: open_ends() <= CONNECTION_LIMITS.per_network, within=LONG)
    finally:
        for _, writer in calls:
            writer.close()
    await wait_until(lambda: open_files() <= before, within=LONG)


async def test_a_part_is_painted_once_a_look_however_often_it_is_named(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[str] = []
    paint = Authorizer.render_fragment

    def counted(self: Authorizer, *asked: object) -> str:
        painted.append(str(asked[1]))
        return paint(self, *asked)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Authorizer, "render_fragment", counted)
    async with site.client(site.owner) as client, client.ws_connect("/feed") as feed:
        await feed.send_json({"want": ["en/state/front"] * 100})
        while "parts" not in await feed.receive_json(timeout=LONG):
            pass
    assert len(painted) < 50


async def test_a_parcel_comes_in_while_pages_are_flooded(made: ShellBox, site: ServedSite) -> None:
    """Feeds that want everything again and again, and passwords tried: none of it stands between scan and unlock."""
    over = asyncio.Event()
    want = {
        "want": [f"en/{kind}/{door}" for kind in ("state", "visit", "next", "timeline") for door in made.home.entrances]
    }

    async def follow(client: ClientSession) -> None:
        async with client.ws_connect("/feed") as feed:
            while not over.is_set():
                await feed.send_json(want)
                await feed.receive(timeout=LONG)

    async def guess(client: ClientSession) -> None:
        while not over.is_set():
            async with client.post("/enter", data={"name": "Anna", "password": "not the password"}):
                pass

    async with (
        site.client(site.owner) as owner,
        site.client(None) as stranger,
        run_tasks(*(follow(owner) for _ in range(20)), *(guess(stranger) for _ in range(10))),
    ):
        made.scan(PARCEL)
        await wait_until(lambda: made.front.state.visit is not None, within=LONG)
        over.set()


@pytest.mark.slow
async def test_nothing_is_left_of_browsers_that_vanish(site: ServedSite) -> None:
    tasks = len(asyncio.all_tasks())
    files = open_files()
    async with site.client(site.owner) as client:
        for path in ("/feed", "/live/cam", "/feed"):
            for _ in range(5):
                socket = await client.ws_connect(path)
                await socket.send_str('{"want": ["en/state/front"]}')
                assert socket._response.connection is not None  # noqa: SLF001 - to vanish without a word
                transport = socket._response.connection.transport  # noqa: SLF001 - the same
                assert transport is not None
                transport.abort()
    await wait_until(lambda: gc.collect() >= 0 and len(asyncio.all_tasks()) <= tasks, within=LONG)
    await wait_until(lambda: open_files() <= files, within=LONG)


# ---- rights that end -------------------------------------------------------------------------------------------------


async def test_a_tab_goes_dark_when_another_tab_signs_out(site: ServedSite) -> None:
    async with site.client(site.owner) as client, client.ws_connect("/feed") as feed:
        await feed.send_json({"want": ["en/state/front"]})
        while "parts" not in await feed.receive_json(timeout=LONG):
            pass
        async with client.post("/leave", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/enter"
        async with asyncio.timeout(LONG):  # it beats, so no single message is late
            while (await feed.receive()).type is WSMsgType.TEXT:
                pass
        assert feed.close_code == 1008


async def test_a_guest_whose_role_changes_is_shown_what_that_role_may_see(made: ShellBox, site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(bruno) as client, client.ws_connect("/feed") as feed:
        await feed.send_json({"want": ["en/timeline/front"]})
        while "parts" not in await feed.receive_json(timeout=LONG):
            pass
        await set_role(made.store.accounts, bruno.user.person, Role.INSTALLER)
        async with asyncio.timeout(LONG):  # it beats, so no single message is late
            while (await feed.receive()).type is WSMsgType.TEXT:
                pass
        assert feed.close_code == 1008


async def test_an_installer_is_not_told_who_is_home_nor_whose_parcel_comes(made: ShellBox, site: ServedSite) -> None:
    async with site.client(site.owner) as owner, owner.post("/entrance/front", data={"do": "home"}):
        pass
    await wait_until(lambda: made.front.state.somebody_home)
    for name, role, shown in (("Ines", Role.INSTALLER, False), ("Bruno", Role.HOUSEHOLD, True)):
        async with site.client(await site.guest(role, name)) as client, client.get("/", headers=ENGLISH) as answer:
            assert (
                "Somebody is home: Perron does not open. A courier's scan gets the red light."
                in unescape(await answer.text())
            ) is shown


async def test_an_installer_sees_a_visit_s_phase_and_not_its_brand(made: ShellBox, site: ServedSite) -> None:
    made.scan(PARCEL)
    await wait_until(lambda: made.front.state.visit is not None)
    brand = next(iter(made.home.brands.values())).name
    for name, role, shown in (("Ines", Role.INSTALLER, False), ("Bruno", Role.HOUSEHOLD, True)):
        async with site.client(await site.guest(role, name)) as client, client.get("/") as answer:
            text = await answer.text()
        assert 'class="phase"' in text
        assert (brand in text) is shown


@pytest.mark.parametrize("how", ["removed", "signed out", "made an installer"])
async def test_pictures_stop_when_the_right_to_see_them_does(made: ShellBox, site: ServedSite, how: str) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    now = made.clock.now()
    async with site.client(bruno) as client, client.get("/live/cam/pictures") as answer:
        assert b"\xff\xd8" in await answer.content.readany()
        if how == "removed":
            await site.accounts.remove_person(site.owner.user, bruno.user.person, now)
        elif how == "signed out":
            await site.accounts.sign_out(bruno.user)
        else:
            await set_role(made.store.accounts, bruno.user.person, Role.INSTALLER)
        async with asyncio.timeout(LONG):
            await answer.content.read()


# ---- the same thing twice, or as somebody else -----------------------------------------------------------------------


async def test_of_two_presses_of_one_link_at_once_one_counts(made: ShellBox, site: ServedSite) -> None:
    token = action_links.sign_link(
        action_links.LinkPurpose.STOP,
        "front",
        made.clock.now().utc + timedelta(hours=1),
        b"n" * action_links.NONCE_BYTES,
        LINK_KEY,
    )

    async def press(client: ClientSession) -> int:
        async with client.post(f"/link/{token}") as answer:
            return answer.status

    async with site.client(None) as client:
        assert sorted(await asyncio.gather(*(press(client) for _ in range(5)))) == [200, 410, 410, 410, 410]


async def test_of_two_who_take_one_invitation_at_once_one_is_in(made: ShellBox, site: ServedSite) -> None:
    invited = await site.accounts.invite(site.owner.user, Role.HOUSEHOLD, made.clock.now())

    async def join(name: str) -> int:
        async with site.client(None) as client:
            fields = {"name": name, "password": ANNA_PASSWORD}
            async with client.post(f"/join/{invited.text}", data=fields, allow_redirects=False) as answer:
                return answer.status

    statuses = await asyncio.gather(*(join(f"Guest {number}") for number in range(5)))
    assert statuses.count(303) == 1
    assert len(made.store.accounts.all_people()) == 2


async def test_who_says_that_they_come_from_elsewhere_waits_all_the_same(site: ServedSite) -> None:
    async with site.client(None) as client:
        statuses = []
        for number in range(6):
            headers = {"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}", "X-Real-IP": "::1"}
            fields = {"name": "anna", "password": "not the password"}
            async with client.post("/enter", data=fields, headers=headers) as answer:
                statuses.append(answer.status)
    assert 429 in statuses


async def test_who_signs_in_with_a_session_that_was_given_to_him_gets_his_own(site: ServedSite) -> None:
    planted = site.owner
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(planted) as client:
        fields = {"name": bruno.user.name, "password": ANNA_PASSWORD}
        async with client.post("/enter", data=fields, allow_redirects=False) as answer:
            fresh = {name: morsel.value for name, morsel in answer.cookies.items()}
    assert not set(fresh.values()) & {planted.session, planted.device, bruno.session, bruno.device}


# ---- the world fails -------------------------------------------------------------------------------------------------


async def test_a_full_disk_is_told_in_words_to_who_signs_in_and_nobody_is_in(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_asked: object, **_named: object) -> None:
        raise StoreFailed("no space left on device")

    monkeypatch.setattr("gateway.storage.people.AccountStore.set_failure_counts", full)
    async with site.client(None) as client:
        async with client.post("/enter", data={"name": "Anna", "password": ANNA_PASSWORD}) as answer:
            assert (answer.status, answer.content_type) == (503, "text/html")
            assert set(answer.cookies) == set()
        async with client.post("/enter", data={"name": "Anna", "password": ANNA_PASSWORD}, headers=JSON) as answer:
            assert (await answer.json())["why"]
    async with site.client(site.owner) as client, client.get("/") as answer:
        assert answer.status == 200, "who is in already stays so"


async def test_a_bug_in_a_page_is_that_page_s_and_no_other_s(
    made: ShellBox, site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_asked: object, **_named: object) -> str:
        raise ZeroDivisionError("HERE")

    with monkeypatch.context() as bug:
        bug.setattr("gateway.web.server.authorization.render", broken)
        async with site.client(site.owner) as client, client.get("/") as answer:
            assert answer.status == 500
            assert "HERE" not in await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
    async with site.client(site.owner) as client, client.get("/") as answer:
        assert answer.status == 200
    made.scan(PARCEL)
    await wait_until(lambda: made.front.state.visit is not None)


async def test_pages_whose_port_is_taken_are_tried_again_and_end_nothing(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gateway.web.site.SERVE_RETRY_DELAY_S", 0.05)
    taken = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    site = a_site(made)
    monkeypatch.setattr(site, "_pages", PagesSection(port=port))
    heard: list[str] = []

    def failed() -> bool:
        heard.append(capsys.readouterr().out)
        return "pages_not_served" in "".join(heard)

    async with run_tasks(site.run()):
        await wait_until(failed, within=LONG)
        taken.close()
        await taken.wait_closed()
        await wait_until(lambda: site.port == port and bool(site._accept_tasks), within=LONG)  # noqa: SLF001 - it is open
        async with ClientSession(f"http://127.0.0.1:{port}") as client, client.get("/claim") as answer:
            assert answer.status == 200


async def test_a_link_that_lies_in_the_claim_code_s_place_is_not_followed(made: ShellBox, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    made.home.claim_code_file.symlink_to(victim)
    made.home.claim_code_file.with_name(f".{made.home.claim_code_file.name}.new").symlink_to(victim)
    site = a_site(made)
    await site.open()
    try:
        assert victim.read_text() == "as it was"
        assert not made.home.claim_code_file.is_symlink()
        assert made.home.claim_code_file.stat().st_mode & 0o777 == 0o600
    finally:
        await site.close()
