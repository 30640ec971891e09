"""A push service of the tests' own, over TLS on 127.0.0.1: what a browser's maker runs, and a browser's keys.

What it is sent is decrypted by `http_ece` and verified by `py_vapid`, neither of which is written here.
"""

import json
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import http_ece
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from py_vapid import Vapid02

from gateway.config.home import PushSection
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.base64url import decode_base64url, encode_base64url
from tests.certified import make_certificate

MAX_BODY_BYTES = 4096  # what real push services take


@dataclass(frozen=True)
class PushedMessage:
    """One message as it arrived. `said`: what the browser's service worker gets."""

    path: str
    headers: dict[str, str]
    body: bytes
    text: bytes
    claims: dict[str, Any]

    @property
    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.text)
        return said


class PushBrowser:
    """What a browser has of one subscription: a key, a secret, and an address at the service."""

    def __init__(self, service: "PushService") -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.auth, self.path = secrets.token_bytes(16), f"/push/{secrets.token_hex(12)}"
        self.endpoint = f"{service.address}{self.path}"
        service.browsers[self.path] = self

    @property
    def fields(self) -> dict[str, str]:
        """The form that the page sends."""
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": self.endpoint,
            "p256dh": encode_base64url(point),
            "auth": encode_base64url(self.auth),
        }

    def decrypt(self, body: bytes) -> bytes:
        text: bytes = http_ece.decrypt(body, private_key=self._private, auth_secret=self.auth, version="aes128gcm")
        return text


@dataclass
class PushService:
    """`status` is the answer to a message for a browser that is known here."""

    port: int
    authority: Path
    browsers: dict[str, PushBrowser] = field(default_factory=dict)
    got: list[PushedMessage] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def section(self) -> PushSection:
        """The setting of a house that may send here."""
        return PushSection(private_services=True, authority=self.authority)

    @property
    def texts(self) -> list[str]:
        return [one.said["body"] for one in self.got]

    async def take(self, request: web.Request) -> web.Response:
        """Take one message as RFC 8030 says, or refuse it as real services do."""
        self.requests.append(request.path)
        browser, body = self.browsers.get(request.path), await request.read()
        if browser is None:
            return web.Response(status=410)
        if self.status != 201:
            return web.Response(status=self.status, headers=self.headers)
        scheme, _, parameters = request.headers["Authorization"].partition(" ")
        signed = dict(one.strip().split("=", 1) for one in parameters.split(","))
        claims = json.loads(jws.extract_compact(signed["t"].encode()).payload)
        verified = scheme == "vapid" and Vapid02.verify(f"vapid t={signed['t']},k={signed['k']}")
        if not verified or claims["aud"] != self.address or len(decode_base64url(signed["k"])) != 65:
            self.refused.append("vapid")
            return web.Response(status=403)
        if len(body) > MAX_BODY_BYTES:
            self.refused.append("too long")
            return web.Response(status=413)
        text = browser.decrypt(body)
        self.got.append(
            PushedMessage(path=request.path, headers=dict(request.headers), body=body, text=text, claims=claims)
        )
        return web.Response(status=201)


@asynccontextmanager
async def push_service(folder: Path) -> AsyncIterator[PushService]:
    """Run one, with a certificate for `localhost` of an authority of its own."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - before anything runs
    authority, chain, key = make_certificate(folder, "push")
    service = PushService(free_port(), authority)
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/{path:.*}", service.take)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", service.port, ssl_context=context).start()
    try:
        yield service
    finally:
        await runner.cleanup()
