"""Encrypts messages between a household's browser and the box, so that the hub cannot read them. Pure.

Each side has an ECDH key of P-256 for the other side only. From the shared secret HKDF with SHA-256 (RFC 5869, no salt)
derives two keys, one for each direction, bound to the home and the browser. A message is a compact JWE (RFC 7516) with
`dir` and `A256GCM`; its header is one constant, and a message whose header differs in a single byte is refused. In a
browser WebCrypto does the same: `deriveBits`, HKDF, AES-GCM.

A plaintext is JSON without a line feed; in an answer bytes may follow after one (a picture, a piece of a film).
"""

import json
from collections.abc import Callable
from dataclasses import field
from hashlib import sha256
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import StringConstraints, model_validator

from gateway.domain.delivery.promise import WireModel
from gateway.domain.frozen import Frozen
from gateway.protocol.ed25519 import grouped_fingerprint
from gateway.protocol.hash_chain import canonical_json
from gateway.system.base64url import decode_base64url, encode_base64url

MAX_UP_BYTES = 8_000  # bytes of plaintext from a browser
MAX_DOWN_BYTES = 45_000  # and to it: the broker's packets have 64 KiB
IV_BYTES, TAG_BYTES = 12, 16  # bytes
SCALAR_BYTES = 32  # bytes of a private key, and of a coordinate

_SEPARATOR = b"\n"

Coordinate = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Jwk(WireModel):
    """A public key of P-256 (RFC 7517, 7518): these four members and no others."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    x: Coordinate
    y: Coordinate

    @model_validator(mode="after")
    def _on_the_curve(self) -> Self:
        self.key  # noqa: B018 - raises ValueError for a point that is not on the curve
        return self

    @property
    def key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        x, y = (int.from_bytes(decode_base64url(text)) for text in (self.x, self.y))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the key's canonical JSON in hex: its thumbprint (RFC 7638)."""
        return sha256(canonical_json(self.model_dump())).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The first 80 bits of `sha256`, short enough to read aloud."""
        return grouped_fingerprint(self.sha256)

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """Make the JWK of a public key."""
        numbers = key.public_numbers()
        return cls(
            x=encode_base64url(numbers.x.to_bytes(SCALAR_BYTES)),
            y=encode_base64url(numbers.y.to_bytes(SCALAR_BYTES)),
        )


class EnvelopeContent(Frozen, kw_only=False):
    """The decrypted content of an envelope: its JSON, and the bytes after it."""

    text: bytes
    raw: bytes = b""


class EnvelopeKeys(Frozen, kw_only=False):
    """The two keys between a box and one browser, one for each direction."""

    browser: str
    up: bytes = field(repr=False)
    down: bytes = field(repr=False)


def derive_keys(own: ec.EllipticCurvePrivateKey, other: Jwk, *, home: str, browser: str) -> EnvelopeKeys:
    """Derive the keys; both sides get the same ones."""
    return keys_from_secret(own.exchange(ec.ECDH(), other.key), home=home, browser=browser)


def keys_from_secret(secret: bytes, *, home: str, browser: str) -> EnvelopeKeys:
    """Derive the keys from what both sides know: the result of their ECDH, or the secret in a link."""
    infos = (f"perron-remote/1 {home} {browser} {way}".encode() for way in ("up", "down"))
    up, down = (HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret) for info in infos)
    return EnvelopeKeys(browser, up, down)


def load_private_key(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    """Load a stored key of 32 bytes; other bytes raise ValueError."""
    return ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())


def private_scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the 32 bytes in which a key is stored."""
    return key.private_numbers().private_value.to_bytes(SCALAR_BYTES)


def encrypt(key: bytes, browser: str, text: bytes, raw: bytes = b"", *, random: Callable[[int], bytes]) -> str:
    """Encrypt JSON without a line feed, and bytes after it, into an envelope. `random(n)` returns n random bytes."""
    if _SEPARATOR in text:
        raise ValueError("JSON in an envelope has no line feed")
    head, iv = _header(browser), random(IV_BYTES)
    whole = AESGCM(key).encrypt(iv, text + (_SEPARATOR + raw if raw else b""), head)
    parts = (iv, whole[:-TAG_BYTES], whole[-TAG_BYTES:])
    return ".".join((head.decode(), "", *map(encode_base64url, parts)))


def decrypt(key: bytes, browser: str, token: bytes, *, largest: int) -> EnvelopeContent | None:
    """Decrypt an envelope for this browser; None: it was encrypted under another key, or altered."""
    head, *rest = token.split(b".")
    if len(rest) != 4 or rest[0] or head != _header(browser) or len(rest[2]) > largest * 4 // 3 + 4:
        return None
    try:
        iv, text, tag = map(decode_base64url, rest[1:])
        if len(iv) != IV_BYTES or len(tag) != TAG_BYTES or len(text) > largest:
            return None
        whole = AESGCM(key).decrypt(iv, text + tag, head)
    except (ValueError, InvalidTag):
        return None
    text, _, raw = whole.partition(_SEPARATOR)
    return EnvelopeContent(text, raw)


def seal_end_message(between: EnvelopeKeys, *, random: Callable[[int], bytes]) -> str:
    """Seal the message that tells a browser that it has ended, so that no hub can make one forget its keys."""
    message = json.dumps({"ended": True, "browser": between.browser}).encode()
    return encrypt(between.down, between.browser, message, random=random)


def _header(browser: str) -> bytes:
    return encode_base64url(b'{"alg":"dir","enc":"A256GCM","kid":"%s"}' % browser.encode()).encode()
