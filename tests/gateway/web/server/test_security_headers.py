"""Who may ask under which name, and what every answer tells the browser: a table, then a real server."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from gateway.web.server.security_headers import (
    HEADERS,
    allowed_hosts,
    host_guard,
    is_loopback,
    local_path,
    refusal_reason,
    set_headers,
)

KNOWN = allowed_hosts("192.168.1.9", 8642, ["perron.local"])


def known(host: str) -> bool:
    return host in KNOWN


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("192.168.1.9:8642", True),
        ("192.168.1.9", True),
        ("perron.local:8642", True),
        ("PERRON.local:8642", True),
        ("127.0.0.1:8642", True),
        ("localhost:8642", True),
        ("[::1]:8642", True),
        ("perron.local:80", False),
        ("perron.local.evil.example", False),
        ("evil.example:8642", False),
        ("192.168.1.9:8642@evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_is_not_the_boxs_own_is_refused(host: str, *, ours: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host})
    assert (refusal_reason(request, known) is None) is ours


@pytest.mark.parametrize(
    ("method", "headers", "let_in"),
    [
        ("GET", {}, True),
        ("GET", {"Origin": "http://evil.example"}, True),  # a picture or a link: it changes nothing
        ("POST", {"Origin": "http://perron.local:8642"}, True),
        ("POST", {"Origin": "HTTP://PERRON.local:8642"}, True),
        ("POST", {"Origin": "http://evil.example"}, False),
        ("POST", {"Origin": "null"}, False),
        ("POST", {"Origin": "http://perron.local:8643"}, False),
        ("POST", {"Origin": "https://perron.local:8642"}, False),
        ("POST", {}, True),  # no browser of today leaves both out; a command line does
        ("POST", {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, True),
        ("DELETE", {"Origin": "http://evil.example"}, False),
        ("GET", {"Upgrade": "websocket", "Origin": "http://evil.example"}, False),
        ("GET", {"Upgrade": "WebSocket", "Origin": "http://perron.local:8642"}, True),
    ],
)
def test_another_page_cannot_ask_for_anything_that_changes_something(
    method: str, headers: dict[str, str], *, let_in: bool
) -> None:
    request = make_mocked_request(method, "/", headers={"Host": "perron.local:8642", **headers})
    assert (refusal_reason(request, known) is None) is let_in


@pytest.mark.parametrize(
    ("host", "peer", "here"),
    [
        ("127.0.0.1:1", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("[::1]:1", "::1", True),
        ("localhost.evil.example", "127.0.0.1", False),
        ("1.2.3.4", "127.0.0.1", False),  # a proxy on the box speaks for others
        ("localhost:1", "192.168.1.66", False),  # anybody can write this name
        ("localhost:1", None, False),
        ("localhost:1", "", False),
    ],
)
def test_loopback_is_only_this_machine(host: str, peer: str | None, *, here: bool) -> None:
    assert is_loopback(host, peer) is here


def test_an_address_for_all_interfaces_is_no_name_of_the_box() -> None:
    assert "[::]:80" not in allowed_hosts("::", 80, [])
    assert "[fe80::1]:80" in allowed_hosts("fe80::1", 80, [])
    assert "[fe80::1]:80" in allowed_hosts("FE80:0::1", 80, [])


@pytest.mark.parametrize("path", ["http://localhost/", "https://perron.local:8642/", "*", "//evil.example/"])
def test_a_whole_url_in_the_request_line_brings_no_name_of_its_own(path: str) -> None:
    request = make_mocked_request("GET", path, headers={"Host": "perron.local:8642"})
    assert (refusal_reason(request, known) is None) is path.startswith("/")


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example", "/\\evil.example", "/%2fevil.example", "https://evil.example/", "javascript:alert(1)",
        "/a\r\nSet-Cookie: session=x", "/a//evil.example", "/\u2215evil.example", "/a?b", "/a#b", "", "a", "/a\n",
        "/" + "a" * 60_000 + "!",
        "/" + "a/" * 30_000 + "!",
    ],
)  # fmt: skip
def test_a_form_leads_back_only_to_this_site_and_refusing_costs_nothing(back: str) -> None:
    assert local_path(back) == "/"


@pytest.mark.parametrize("back", ["/", "/history", "/history/incident-1", "/c/abc", "/household/"])
def test_a_page_of_this_site_is_led_back_to(back: str) -> None:
    assert local_path(back) == back


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def broken(_request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    app = web.Application(middlewares=[host_guard(lambda host: host.startswith("127.0.0.1:"))])
    app.on_response_prepare.append(set_headers)
    app.add_routes([web.get("/", page), web.post("/", page), web.get("/broken", broken)])
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/", {}, 200), ("/broken", {}, 404), ("/nowhere", {}, 404), ("/", {"Host": "evil.example"}, 403),
])  # fmt: skip
async def test_every_answer_carries_the_headers_errors_too(
    client: TestClient[web.Request, web.Application], path: str, headers: dict[str, str], status: int
) -> None:
    async with client.get(path, headers=headers) as response:
        assert response.status == status
        heard = {name: value for name, value in response.headers.items() if name in HEADERS}
        # In clear, from elsewhere, browsers do not take this one and complain of it.
        here = {name: value for name, value in HEADERS.items() if name != "Cross-Origin-Opener-Policy" or not headers}
        assert heard == here


async def test_a_form_of_another_page_is_refused(client: TestClient[web.Request, web.Application]) -> None:
    async with ClientSession() as elsewhere:
        url = client.make_url("/")
        async with elsewhere.post(url, data={"x": "x"}, headers={"Origin": "http://evil.example"}) as response:
            assert response.status == 403
        async with elsewhere.post(url, data={"x": "x"}, headers={"Origin": f"http://127.0.0.1:{url.port}"}) as response:
            assert response.status == 200


def test_no_script_or_style_may_stand_in_a_page_or_come_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
