"""A hub and the box behind it in one, for the page away from home: the contract with another maker's cryptography.

It answers as it is told to, and lies where a test says how.
"""

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey
from playwright.async_api import Route

HOME = "home-1"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Expose-Headers": "Retry-After",
}
ALL_RIGHTS = ("see_state", "watch_live", "see_history", "stop", "decide_at_door", "acknowledge", "lock", "see_brands",
       "decide_brands", "keys")  # fmt: skip

Tamper = Callable[[str, str], Awaitable[web.Response | None]]
"""Told the browser and the true sealed answer, it may answer something else instead."""


@dataclass(frozen=True)
class BrowserKeys:
    """What the box has of one browser."""

    sign: ECKey
    up: OctKey
    down: OctKey


@dataclass
class FakeHub:
    """The hub at `url`, and the box that it leads to. `orders` are those that the box has taken."""

    url: str = ""
    keys: dict[str, BrowserKeys] = field(default_factory=dict)
    enrolled: list[Mapping[str, str]] = field(default_factory=list)
    version: int = 1
    state: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Callable[[Mapping[str, Any]], tuple[Any, bytes | None]]] = field(default_factory=dict)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    orders: list[Mapping[str, Any]] = field(default_factory=list)
    offline: bool = False
    dropping: bool = False  # the hub says that it keeps an order, and throws it away
    ended: dict[str, str] = field(default_factory=dict)  # browsers that the box has ended: its farewell
    lie: Tamper | None = None
    elsewhere: list[str] = field(default_factory=list)  # other addresses that were asked for
    ahead: float = 0.0  # seconds by which the box's clock is ahead

    # ---- the box ----------------------------------------------------------------------------------------------------

    def enrol(self, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """Enrol a browser, as the box does; what it answers."""
        browser = f"brw-{len(self.keys) + 1:032x}"
        ours = ECKey.generate_key("P-256")
        theirs = json.loads(fields["agree"])
        assert set(theirs) == {"kty", "crv", "x", "y"}
        self.keys[browser] = derive_keys(
            ours, ECKey.import_key(theirs), browser, ECKey.import_key(json.loads(fields["sign"]))
        )
        self.enrolled.append(fields)
        return {
            "browser": browser, "home": HOME, "hub": self.url, "agree": ours.as_dict(private=False),
            "person": "Anna", "role": "owner", "since": "2026-11-25T20:00:00+00:00",
        }  # fmt: skip

    async def enrolling(self, route: Route) -> None:
        """Answer the enrolment in the box's stead."""
        fields = {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()}
        said = self.enrol(fields)
        said = {**said, "agree": {name: said["agree"][name] for name in ("kty", "crv", "x", "y")}}
        await route.fulfill(json=said)

    def seal(self, browser: str, said: Mapping[str, Any], raw: bytes | None = None) -> str:
        """Seal it for a browser."""
        head = {"alg": "dir", "enc": "A256GCM", "kid": browser}
        plain = json.dumps(said).encode() + (b"" if raw is None else b"\n" + raw)
        sealed = jwe.encrypt_compact(head, plain, self.keys[browser].down)
        assert sealed.split(".")[0] == encode_base64url(json.dumps(head, separators=(",", ":")).encode())
        return sealed

    def end(self, browser: str) -> None:
        """The box ends it."""
        self.ended[browser] = self.seal(browser, {"ended": True, "browser": browser})

    def becomes(self, **changes: Any) -> None:  # noqa: ANN401 - any of the state
        """Let the house's state be another one."""
        self.state |= changes
        self.version += 1

    def door(self, word: str, **more: Any) -> None:  # noqa: ANN401 - any of an entrance
        """Let the first door be so."""
        first, *others = self.state["entrances"]
        self.becomes(entrances=[{**first, "door": word, **more}, *others])

    def _answer(self, question: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes | None]:
        now = time.time() + self.ahead
        plain = {"id": question["id"], "at": now}
        if abs(question["at"] - now) > 60:
            return plain | {"refused": "stale"}, None
        if question["ask"] == "state":
            same = question.get("after") == str(self.version)
            said = {"version": str(self.version), "unchanged": same, "state": None if same else self.state}
            return plain | {"answer": said}, None
        if question["ask"] not in self.answers:
            return plain | {"refused": "not_here"}, None
        said, raw = self.answers[question["ask"]](question)
        return plain | ({"refused": said} if isinstance(said, str) else {"answer": said}), raw

    # ---- the hub ----------------------------------------------------------------------------------------------------

    def _browser_of(self, request: web.Request) -> str:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        browser = str(json.loads(decode_base64url(token.split(".")[0]))["kid"])
        if browser not in self.keys:
            raise web.HTTPUnauthorized(text=json.dumps({"code": "unauthenticated"}), headers=CORS)
        signed = jws.deserialize_compact(token, self.keys[browser].sign)
        assert signed.headers() == {"alg": "ES256", "typ": "perron-browser+jwt", "kid": browser}
        claims = json.loads(signed.payload)
        assert (claims["iss"], claims["sub"], claims["aud"]) == (browser, HOME, self.url)
        assert claims["exp"] - claims["iat"] <= 300
        if browser in self.ended:
            text = json.dumps({"code": "unauthenticated", "sealed": self.ended[browser]})
            raise web.HTTPUnauthorized(text=text, content_type="application/problem+json", headers=CORS)
        return browser

    async def _question(self, request: web.Request) -> web.Response:
        browser = self._browser_of(request)
        if self.offline:
            return web.json_response({"code": "home_offline"}, status=503, headers=CORS)
        sealed = (await request.json())["sealed"]
        question = json.loads(decrypt(sealed, self.keys[browser].up))
        self.asked.append(question)
        said, raw = self._answer(question)
        answer = self.seal(browser, said, raw)
        lie = None if self.lie is None else await self.lie(browser, answer)
        return web.json_response({"sealed": answer}, headers=CORS) if lie is None else lie

    async def _order(self, request: web.Request) -> web.Response:
        browser, body = self._browser_of(request), await request.json()
        token = decrypt(body["sealed"], self.keys[browser].up).decode()
        signed = jws.deserialize_compact(token, self.keys[browser].sign)
        assert signed.headers() == {"alg": "ES256", "typ": "perron-order+jwt", "kid": browser}
        claims = json.loads(signed.payload)
        assert claims["exp"] - claims["iat"] == body["seconds"]
        assert (claims["iss"], claims["aud"]) == (browser, HOME)
        assert claims["jti"] == request.headers["Idempotency-Key"]
        if not self.dropping and not self.offline:
            self.orders.append(claims)
        return web.json_response({"id": f"ord-{claims['jti']}", "state": "waiting"}, status=202, headers=CORS)

    async def _serve_order_state(self, request: web.Request) -> web.Response:
        self._browser_of(request)
        state = "received" if self.dropping else "waiting"
        return web.json_response({"id": request.match_info["id"], "state": state}, headers=CORS)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        self.elsewhere.append(request.path)
        return web.Response(status=404, headers=CORS)

    async def _preflight(self, _request: web.Request) -> web.Response:
        return web.Response(status=204, headers=CORS)

    def app(self) -> web.Application:
        """Return what is served."""
        app = web.Application()
        app.add_routes([
            web.post("/v1/household/questions", self._question), web.post("/v1/household/orders", self._order),
            web.get("/v1/household/orders/{id}", self._serve_order_state),
            web.options("/v1/household/{rest:.*}", self._preflight), web.route("*", "/{rest:.*}", self._elsewhere),
        ])  # fmt: skip
        return app


def encode_base64url(raw: bytes) -> str:
    """base64url."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_base64url(text: str) -> bytes:
    """What was base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decrypt(sealed: str, key: OctKey) -> bytes:
    """What is in an envelope."""
    plain = jwe.decrypt_compact(sealed, key, algorithms=["dir", "A256GCM"]).plaintext
    assert plain is not None
    return plain


def derive_keys(ours: ECKey, theirs: ECKey, browser: str, sign: ECKey) -> BrowserKeys:
    """The two keys of the envelopes between box and browser."""
    mine, other = ours.private_key, theirs.public_key
    assert mine is not None
    shared = mine.exchange(ec.ECDH(), other)

    def one(way: str) -> OctKey:
        info = f"perron-remote/1 {HOME} {browser} {way}".encode()
        return OctKey.import_key(HKDF(hashes.SHA256(), 32, b"", info).derive(shared))

    return BrowserKeys(sign, one("up"), one("down"))


def quiet_house_state() -> dict[str, Any]:
    """A house in which nothing happens, as its box tells it."""
    return {
        "trusted": True, "person": "Anna", "role": "owner", "may": list(ALL_RIGHTS),
        "number": 0, "timezone": "Europe/Paris",
        "entrances": [
            {"id": "front", "name": "Front door", "living_space": True, "door": "locked",
             "since": "2026-11-25T19:00:00.000+00:00", "heard": True, "stopped": False, "pause": None, "visit": None,
             "next": None, "cameras": [{"id": "cam", "inside": False, "watch": True}],
             "places": [{"id": "hall", "name": "Hall"}]},
            {"id": "garage", "name": "Garage", "living_space": False, "door": "unknown",
             "since": "2026-11-25T19:00:00.000+00:00", "heard": False, "stopped": False, "pause": None, "visit": None,
             "next": None, "cameras": [], "places": [{"id": "shelf", "name": "Shelf"}]},
        ],
        "brands": [
            {"id": "lune", "name": "Maison Lune", "standing": "pending", "ask": "d1", "keys": [],
             "terms": {"entrances": ["garage"], "places": ["shelf"], "carriers": ["Chronopost"], "days": ["mon", "tue"],
                       "hours": "08:00-20:00", "ask_each_time": False, "openings": 1, "expires": None,
                       "hub_signed": False}, "asked": None, "hub": None, "open": False, "fingerprints": []},
            {"id": "shop", "name": "The Shop", "standing": "granted", "ask": "d2", "keys": [],
             "terms": {"entrances": ["front"], "places": ["hall"], "carriers": ["Colissimo"], "days": ["mon"],
                       "hours": "08:00-12:00", "ask_each_time": True, "openings": 2, "hub_signed": False,
                       "expires": "2026-12-31T23:00:00+00:00"},
             "asked": None, "hub": None, "open": False, "fingerprints": []},
        ],
        "orders": [],
    }  # fmt: skip


@asynccontextmanager
async def run_fake_hub() -> AsyncIterator[FakeHub]:
    """Run one, until left."""
    hub = FakeHub(state=quiet_house_state())
    told = {"id": 1, "at": "2026-11-25T19:00:00.000+00:00", "entrance": "front", "text": "Locked again."}
    hub.answers["messages"] = lambda _: ({"messages": [told]}, None)
    server = TestServer(hub.app())
    await server.start_server()
    hub.url = f"http://127.0.0.1:{server.port}"
    try:
        yield hub
    finally:
        await server.close()
