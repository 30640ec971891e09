"""What a browser of the household and the box say to each other through a hub that can read none of it. Pure.

Each side has an ECDH key of P-256 for the other alone. Of what they agree on, HKDF with SHA-256 (RFC 5869, no salt)
makes two keys, one a direction, bound to the home and the browser. A message is a compact JWE (RFC 7516) with
`dir` and `A256GCM`; its header is one constant, so there is nothing in it to be believed, and what differs from it in a
single byte ends the reading. In a browser WebCrypto does the same: `deriveBits`, HKDF, AES-GCM.

A plaintext is JSON without a line feed; an answer may carry bytes behind one (a picture, a piece of a film).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import StringConstraints, model_validator

from gateway.domain.delivery.promise import Wire

LARGEST_UP = 8_000  # bytes of plaintext from a browser
LARGEST_DOWN = 45_000  # and to it: the broker's packets have 64 KiB
IV, TAG = 12, 16  # bytes
SCALAR = 32  # bytes of a private key, and of a coordinate

_BREAK = b"\n"

Coordinate = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Jwk(Wire):
    """A public key of P-256 (RFC 7517, 7518): these four members and no others."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    x: Coordinate
    y: Coordinate

    @model_validator(mode="after")
    def _on_the_curve(self) -> Self:
        self.key  # noqa: B018 - ValueError where it is no point of the curve
        return self

    @property
    def key(self) -> ec.EllipticCurvePublicKey:
        """The key."""
        x, y = (plain(text.encode()) for text in (self.x, self.y))
        if x is None or y is None:
            raise ValueError("a coordinate has one spelling")
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1())
        return numbers.public_key()

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """Write a key."""
        numbers = key.public_numbers()
        return cls(x=coded(numbers.x.to_bytes(SCALAR)).decode(), y=coded(numbers.y.to_bytes(SCALAR)).decode())


@dataclass(frozen=True, slots=True)
class Sealed:
    """What came out of an envelope: its JSON, and the bytes behind it."""

    text: bytes
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys between a box and one browser."""

    browser: str
    up: bytes = field(repr=False)
    down: bytes = field(repr=False)


def keys(own: ec.EllipticCurvePrivateKey, other: Jwk, *, home: str, browser: str) -> Keys:
    """Agree: both sides get the same keys."""
    shared = own.exchange(ec.ECDH(), other.key)
    return Keys(browser, *(_derived(shared, f"perron-remote/1 {home} {browser} {way}") for way in ("up", "down")))


def _derived(shared: bytes, info: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info.encode()).derive(shared)


def private_key(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a key as it is stored: 32 bytes. ValueError: it is none."""
    return ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())


def scalar_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a key as it is stored."""
    return key.private_numbers().private_value.to_bytes(SCALAR)


def seal(key: bytes, browser: str, text: bytes, raw: bytes = b"", *, random: Callable[[int], bytes]) -> str:
    """Put JSON, and bytes behind it, into an envelope. `random` gives so many random bytes.

    Raises:
        ValueError: there is a line feed in the JSON: it could not be told from what is behind.
    """
    if _BREAK in text:
        raise ValueError("JSON in an envelope has no line feed")
    head, iv = _header(browser), random(IV)
    whole = AESGCM(key).encrypt(iv, text + (_BREAK + raw if raw else b""), head)
    return b".".join((head, b"", coded(iv), coded(whole[:-TAG]), coded(whole[-TAG:]))).decode()


def unseal(key: bytes, browser: str, token: bytes, *, largest: int) -> Sealed | None:
    """Open an envelope that was sealed under this key for this browser; None: it was not, or a byte is another."""
    head, *rest = token.split(b".")
    if len(rest) != 4 or rest[0] or head != _header(browser) or len(rest[2]) > largest * 4 // 3 + 4:
        return None
    iv, text, tag = (plain(part) for part in rest[1:])
    if iv is None or text is None or tag is None or len(iv) != IV or len(tag) != TAG or len(text) > largest:
        return None
    try:
        whole = AESGCM(key).decrypt(iv, text + tag, head)
    except InvalidTag:
        return None
    said, _, raw = whole.partition(_BREAK)
    return Sealed(said, raw)


def _header(browser: str) -> bytes:
    return coded(b'{"alg":"dir","enc":"A256GCM","kid":"%s"}' % browser.encode())


def coded(data: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def plain(part: bytes) -> bytes | None:
    """Read base64url without padding; None: it is none, or not written the one way."""
    try:
        found = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (Error, ValueError):
        return None
    return found if coded(found) == part else None
