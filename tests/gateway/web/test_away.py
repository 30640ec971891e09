"""The page for away from home as it is served: the same for everybody, whole, and bound to its house's hub."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.config.home import HubSection
from gateway.protocol.browser_token import TokenRejection
from gateway.web.auth.roles import Role
from gateway.web.pages.away import STATIC_FILES, origin, script_texts
from gateway.web.remote.actions import NOT_DONE, NOT_FOUND, QUESTION_CHANGED
from gateway.web.remote.orders import CLOCK_UNTRUSTED, NOT_ALLOWED, OVERTAKEN
from gateway.web.texts.catalogue import TEXTS
from tests.gateway.web.awayhome import serve_at_home
from tests.gateway.web.awayhub import HOME, FakeHub
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import serve_site

REMOTE = Path(__file__).parents[3] / "gateway" / "web" / "remote"
STATIC = Path(__file__).parents[3] / "gateway" / "web" / "static"
SCRIPTS = [name for name in STATIC_FILES if name.endswith(".js")]
HUB = "https://hub.example:8443"


async def listed(client: ClientSession) -> tuple[str, Mapping[str, str]]:
    """The worker's version, and what it keeps."""
    async with client.get("/away/worker.js") as answer:
        text = await answer.text()
        assert answer.headers["Service-Worker-Allowed"] == "/away"
        assert answer.content_type == "text/javascript"
    version, kept = re.search(r'VERSION = "(\w+)"', text), re.search(r"KEPT = (\{[^}]*\})", text)
    assert version is not None
    assert kept is not None
    return version[1], json.loads(kept[1])


async def test_what_the_worker_lists_is_what_the_box_serves_to_anybody_and_nothing_of_the_house(tmp_path: Path) -> None:
    async with serve_at_home(tmp_path, FakeHub(url=HUB)) as site, site.client(None) as nobody:
        _, kept = await listed(nobody)
        for path, digest in kept.items():
            async with nobody.get(path, allow_redirects=False) as answer:
                body = await answer.read()
                assert answer.status == 200, path
            assert hashlib.sha256(body).hexdigest() == digest, path
            for secret in (b"Front", b"Anna", b"Paris", HUB.encode()):
                assert secret not in body, (path, secret)
        assert {f"/static/{name}" for name in SCRIPTS} <= set(kept)


def test_every_script_that_the_page_loads_is_kept() -> None:
    wanted = {"away.js"}
    for name in SCRIPTS:
        wanted |= set(re.findall(r'from "\./([a-z_]+\.js)"', (STATIC / name).read_text(encoding="utf-8")))
    assert wanted == set(SCRIPTS)


async def test_the_page_may_speak_to_the_house_s_hub_and_to_nobody_else(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with serve_at_home(tmp_path / "one", FakeHub(url=f"{HUB}/")) as site, site.client(None) as nobody:
        async with nobody.get("/away/en") as answer:
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["connect-src"] == f"'self' {HUB}"
        assert (policy["script-src"], policy["form-action"], policy["trusted-types"]) == ("'self'", "'none'", "'none'")
        assert policy["require-trusted-types-for"] == "'script'"
        async with nobody.get("/away/worker.js") as answer:
            assert HUB not in answer.headers["Content-Security-Policy"]
        version, _ = await listed(nobody)
    async with (
        serve_at_home(tmp_path / "other", FakeHub(url="https://other.example")) as site,
        site.client(None) as nobody,
    ):
        assert (await listed(nobody))[0] != version, "another hub is another policy, so another version"


async def test_a_house_without_a_hub_enrols_nobody_and_says_why(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, serve_site(made) as site, site.client(site.owner) as owner:
        async with owner.get("/away/enrol") as answer:
            text = await answer.text()
        assert "This house has joined no hub" in text or "Cette maison n&#39;a rejoint aucun hub" in text
        assert "<form class" not in text


async def test_an_installer_enrols_no_browser(tmp_path: Path) -> None:
    async with serve_at_home(tmp_path, FakeHub(url=HUB)) as site:
        for role, status in ((Role.INSTALLER, 403), (Role.HOUSEHOLD, 200)):
            async with site.client(await site.guest(role, role.value)) as guest, guest.get("/away/enrol") as answer:
                assert answer.status == status


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_script_has_a_text_for_each_key_that_it_asks_for(language: str) -> None:
    words = json.loads(script_texts("fr" if language == "fr" else "en"))
    for name in SCRIPTS:
        text = (STATIC / name).read_text(encoding="utf-8")
        for key in re.findall(r"""say\((?:heard \? )?"([a-z._]+)\"""", text):
            assert key in words, (name, key)
        for family in re.findall(r"say\(`([a-z.]+)\$", text):
            assert any(key.startswith(family) for key in words), (name, family)
    others = ("role.", "link.", "lock.", "pause.", "outcome.", "phone.", "house.", "add.", "turn.", "label.")
    assert [key for key in words if key.startswith(others)] == [], "the script brings no text of another page"


def test_each_no_of_the_box_to_a_browser_has_words() -> None:
    said = {*TokenRejection, OVERTAKEN, CLOCK_UNTRUSTED, NOT_ALLOWED, NOT_FOUND, NOT_DONE, QUESTION_CHANGED}
    said |= set(
        re.findall(r'(?:QueryRefused\(|"refused": )"([a-z_]+)"', (REMOTE / "queries.py").read_text(encoding="utf-8"))
    )
    assert {"stale", "private", "no_picture", "too_much"} <= said
    assert {f"away.no.{code}" for code in said} <= set(TEXTS)


def test_of_a_hub_s_address_only_its_origin_goes_into_the_policy() -> None:
    assert origin("https://hub.example:8443/at/home") == HUB
    section = HubSection(url="http://127.0.0.1:1", home=HOME, host="127.0.0.1", password_file=Path("x"))
    assert origin(section.url) == "http://127.0.0.1:1"
