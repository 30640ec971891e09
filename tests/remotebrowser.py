"""A browser of the household, away from home: what the page does by WebCrypto, in Python."""

import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import ClientSession
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.protocol import jws
from gateway.protocol.browser_envelope import (
    MAX_DOWN_BYTES,
    SCALAR_BYTES,
    EnvelopeContent,
    EnvelopeKeys,
    Jwk,
    decrypt,
    derive_keys,
    encrypt,
    keys_from_secret,
    load_private_key,
)
from gateway.system.base64url import decode_base64url, encode_base64url
from tests.gateway.web.house import ANNA_PASSWORD


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key that nobody else has."""
    return ec.generate_private_key(ec.SECP256R1())


def webcrypto_signer(key: ec.EllipticCurvePrivateKey) -> jws.Sign:
    """Return what signs as WebCrypto does."""

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(SCALAR_BYTES) + s.to_bytes(SCALAR_BYTES)

    return sign


def encoded(data: bytes) -> bytes:
    return encode_base64url(data).encode()


@dataclass
class RemoteBrowser:
    """One browser; `wall` is its own clock. It is nobody's before it is enrolled."""

    label: str = "Anna's phone"
    sign: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    agree: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    browser: str = ""
    home: str = ""
    hub: str = ""
    keys: EnvelopeKeys = field(default_factory=lambda: EnvelopeKeys("", b"", b""))
    number: int = 0
    ahead: float = 0.0  # seconds by which its clock is ahead of this machine's

    @property
    def now(self) -> float:
        """What its clock says."""
        return time.time() + self.ahead

    def asks_to_be_enrolled(self, password: str = ANNA_PASSWORD) -> dict[str, str]:
        """The form that it sends to the box."""
        return {"label": self.label, "password": password,
                "sign": Jwk.of(self.sign.public_key()).model_dump_json(),
                "agree": Jwk.of(self.agree.public_key()).model_dump_json()}  # fmt: skip

    def enrolled(self, said: dict[str, Any]) -> None:
        """Take in what the box answered."""
        self.browser, self.home, self.hub = said["browser"], said["home"], said["hub"]
        self.keys = derive_keys(self.agree, Jwk.model_validate(said["agree"]), home=self.home, browser=self.browser)

    async def enrol(self, client: ClientSession, password: str = ANNA_PASSWORD) -> dict[str, Any]:
        """Be enrolled by the box's pages."""
        form, headers = self.asks_to_be_enrolled(password), {"Accept": "application/json"}
        async with client.post("/away/enrol", data=form, headers=headers) as answer:
            said: dict[str, Any] = await answer.json()
            assert answer.status == 200, said
        self.enrolled(said)
        return said

    @classmethod
    def of_link(cls, link: str) -> Self:
        """Whoever has a link to a shared visit is this browser: all of it is behind the #."""
        address, _, fragment = link.partition("#")
        form, home, ident, secret, private, x, y = fragment.split(".")
        assert form == "1"
        own = load_private_key(decode_base64url(private))
        assert Jwk.of(own.public_key()) == Jwk(x=x, y=y)
        browser = f"brw-{ident}"
        keys = keys_from_secret(decode_base64url(secret), home=home, browser=browser)
        hub = address.removesuffix("/shared")
        return cls(label="a link", sign=own, browser=browser, home=home, hub=hub, keys=keys)

    # ---- what it signs and seals ------------------------------------------------------------------------------------

    def signed(self, kind: str, claims: dict[str, Any]) -> bytes:
        """A JWS, however untrue."""
        head = {"alg": "ES256", "typ": kind, "kid": self.browser}
        parts = [encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims)]
        whole = b".".join(parts)
        return whole + b"." + encoded(webcrypto_signer(self.sign)(whole))

    def token(self, **changed: object) -> str:
        """What the hub knows it by."""
        seconds = int(self.now)
        claims = {"iss": self.browser, "sub": self.home, "aud": self.hub, "iat": seconds, "exp": seconds + 300}
        return self.signed("perron-browser+jwt", claims | changed).decode()

    @property
    def headers(self) -> dict[str, str]:
        """What goes with each of its requests."""
        return {"Authorization": f"Bearer {self.token()}"}

    def order(self, do: str, *, life: int = 900, ago: float = 0, changed: dict[str, object] | None = None,
              **said: object) -> bytes:  # fmt: skip
        """An order, signed; `ago`: seconds since it was given."""
        self.number += 1
        seconds = int(self.now - ago)
        claims = {"iss": self.browser, "aud": self.home, "jti": str(uuid.uuid4()), "number": self.number,
                  "iat": seconds, "exp": seconds + life, "order": {"do": do, **said}}  # fmt: skip
        return self.signed("perron-order+jwt", claims | (changed or {}))

    def question(self, ask: str, **said: object) -> tuple[str, bytes]:
        """A question, and its id."""
        id_ = str(uuid.uuid4())
        return id_, json.dumps({"id": id_, "at": self.now, "ask": ask, **said}).encode()

    def sealed(self, text: bytes) -> str:
        """For the box alone."""
        return encrypt(self.keys.up, self.browser, text, random=secrets.token_bytes)

    def opened(self, sealed: str) -> EnvelopeContent:
        """What the box answered."""
        found = decrypt(self.keys.down, self.browser, sealed.encode(), largest=MAX_DOWN_BYTES)
        assert found is not None, "not from the box"
        return found

    def read(self, sealed: str, id_: str) -> tuple[dict[str, Any], bytes]:
        """The answer to a question, and the bytes that came with it."""
        found = self.opened(sealed)
        said: dict[str, Any] = json.loads(found.text)
        assert said["id"] == id_, "an answer to another question"
        return said, found.raw
