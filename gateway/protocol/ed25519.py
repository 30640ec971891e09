"""The Ed25519 keys of box, guard, hub and brands. Pure: `gateway/protocol/keys.py` reads and writes their files.

What is no key raises ValueError: in PEM it is `KeyUnusable`, and for a private key `KeyDamaged`.
"""

from functools import cached_property
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import OKPKey

from gateway.domain.frozen import Frozen
from gateway.system.base64url import decode_base64url, encode_base64url


class KeyUnusable(ValueError):  # noqa: N818 - the name states the fault
    """The file contains no key that may be used; the text says why and what to do."""


class KeyDamaged(KeyUnusable):
    """The file is not a key."""


class PublicKey(Frozen, kw_only=False):
    """An Ed25519 public key of 32 bytes: verifies signatures, and has a fingerprint that people can compare."""

    raw: bytes

    def __post_init__(self) -> None:
        self._key  # noqa: B018 - reads the key now

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse a key from its `text`."""
        return cls(decode_base64url(text))

    @classmethod
    def from_jwk(cls, x: str) -> Self:
        """Read a key as a configuration names it, a JWK's `x`; the last character may have any spare bits."""
        return cls(decode_base64url(x, canonical=False))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Load a public key from PEM."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as failure:
            raise KeyUnusable("the file is not a public key in PEM") from failure
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusable("not an Ed25519 key")
        return cls(key.public_bytes_raw())

    @property
    def text(self) -> str:
        """The key as text in signed files: 43 characters of base64url (a JWK's `x`)."""
        return encode_base64url(self.raw)

    @cached_property
    def jwk(self) -> OKPKey:
        """The key as joserfc takes it (`jws.verify_exact`)."""
        return OKPKey.import_key(self._key)

    @property
    def pem(self) -> bytes:
        """The key in PEM, which OpenSSL reads."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """The first 80 bits of the key's SHA-256 in hex, in groups of four, short enough to read aloud."""
        return grouped_fingerprint(sha256(self.raw).hexdigest())

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key signed exactly these bytes."""
        try:
            self._key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


def grouped_fingerprint(digest: str) -> str:
    """Return the first 80 bits of a key's digest in hex, in groups of four."""
    return "-".join(digest[at : at + 4] for at in range(0, 20, 4))


class SigningKey:
    """An Ed25519 private key: of a box, a guard, a hub or a brand."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key of its 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Load a private key from PEM."""
        return cls(parse_private_key("the key", pem))

    @property
    def pem(self) -> bytes:
        """The private key in unencrypted PEM, for a file that only the box's user can read."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, signed: bytes) -> bytes:
        """Return the signature of 64 bytes; the same bytes get the same signature."""
        return self._key.sign(signed)

    @property
    def jwk(self) -> OKPKey:
        """The key with its private half as joserfc takes it."""
        return OKPKey.import_key(self._key)


def parse_private_key(source: str, pem: bytes) -> Ed25519PrivateKey:
    """Parse a private key in PEM. `source` is its name in the text of an error."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as failure:
        raise KeyDamaged(f"{source} holds no usable private key: {failure}") from failure
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyDamaged(f"{source} holds another kind of key than Ed25519")
    return key
