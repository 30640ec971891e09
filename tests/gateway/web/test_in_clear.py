"""The two ports of a box that others reach: HTTPS for all, and HTTP on which nobody signs in."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector
from yarl import URL

from gateway.config.home import PagesSection
from gateway.web.site import PagesSite
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_coming_in import a_site
from tests.shell.box import box, run_box
from tests.shell.house import make_home

NAME = "perron.local"


@dataclass
class Ports:
    """A box's pages on both ports, claimed by nobody yet, and its claim code."""

    site: PagesSite
    code: str
    authority: Path

    def plain(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.site.plain_port}{path}", encoded=True)

    def safe(self, path: str) -> str:
        return f"https://127.0.0.1:{self.site.port}{path}"

    def named(self, port: int | None) -> dict[str, str]:
        """As a browser of another machine writes it."""
        return {"Host": f"{NAME}:{port}"}


@pytest.fixture
async def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ports]:
    # Though these tests reach no further
    monkeypatch.setattr(PagesSection, "is_loopback", property(lambda _pages: False))
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        site = a_site(made)
        monkeypatch.setattr(site, "_pages", PagesSection(port=0, plain_port=0, names=(NAME,)))
        await site.open()
        try:
            code = made.home.claim_code_file.read_text(encoding="ascii").strip()
            yield Ports(site, code, made.home.storage.folder / "pages" / "authority.pem")
        finally:
            await site.close()


async def test_in_clear_there_is_how_to_trust_the_box_and_nothing_to_sign_in_to(ports: Ports) -> None:
    fields = {"name": "Anna", "password": ANNA_PASSWORD, "code": ports.code, "back": "/"}
    async with ClientSession(headers=ports.named(ports.site.plain_port)) as client:
        for path, status in (("/certificate", 200), ("/certificate/authority.crt", 200), ("/static/perron.css", 200),
                             ("/enter", 303), ("/", 303), ("/claim", 303), ("/feed", 303), ("/history", 303),
                             ("/c/../enter", 404), ("/c/%2e%2e/enter", 404), ("/static/..%2fenter", 404)):  # fmt: skip
            async with client.get(ports.plain(path), allow_redirects=False) as answer:
                assert answer.status == status, path
                assert answer.headers.get("Location") in (None, "/certificate"), path
                assert ANNA_PASSWORD not in await answer.text()
        for path in ("/enter", "/claim", "/join/x", "/link/x", "/leave", "/household/invite"):
            for method in ("POST", "HEAD", "PUT", "OPTIONS", "DELETE"):
                async with client.request(
                    method, ports.plain(path), data=fields if method == "POST" else None
                ) as answer:
                    assert answer.status == 403, (method, path)
                    assert not answer.cookies


async def test_by_https_a_cookie_is_bound_to_this_host_and_never_leaves_in_clear(ports: Ports) -> None:
    trusting = ssl.create_default_context(cafile=str(ports.authority))
    fields = {"name": "Anna", "password": ANNA_PASSWORD, "code": ports.code}
    async with ClientSession(connector=TCPConnector(ssl=trusting)) as client:
        async with client.post(ports.safe("/claim"), data=fields, allow_redirects=False) as answer:
            assert answer.status == 303
            cookies = answer.headers.getall("Set-Cookie")
        assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-session", "__Host-device"}
        for cookie in cookies:
            assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
            assert "Domain" not in cookie
        async with client.get(ports.safe("/enter"), headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
