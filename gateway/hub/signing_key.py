"""The hub's Ed25519 key, made at its first start; it signs deliveries that brands do not sign themselves.

The hub stores the secrets of webhook endpoints encrypted under this key. All hubs of a cluster have the same key: copy
it into each hub's folder before its first start.
"""

import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.protocol.delivery_message import HubClaims, hub_key_id, sign_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.keys import load_or_create_key

KEY_FILE_NAME = "hub.key.pem"
_NONCE_BYTES = 12


class HubKeyPair:
    """Signs for the hub. `x` is its public half as in a JWK, `kid` its fingerprint."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, b"perron hub: secrets of endpoints").derive(key.pem))
        self.public, self.x = key.public, key.public.text
        self.kid = hub_key_id(key.public.fingerprint)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the key from `folder`, or make it there."""
        return cls(load_or_create_key(folder / KEY_FILE_NAME))

    def sign(self, claims: HubClaims) -> bytes:
        """Sign what a brand requested by its API key."""
        return sign_delivery(claims, self._key, kid=self.kid)

    def signature(self, signed: bytes) -> bytes:
        """Sign exactly these bytes, for requests to homes (gateway/protocol/consent_request.py)."""
        return self._key.sign(signed)

    def seal(self, secret: str, owner: str) -> str:
        """Encrypt a secret, so that a copy of the database without this key does not reveal it.

        `owner` is the row that it belongs to; in another row it cannot be decrypted.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())).decode()

    def unseal(self, sealed: str, owner: str) -> str | None:
        """Decrypt a secret, or return None if another key encrypted it or it belongs to another row."""
        try:
            raw = b64decode(sealed)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
        except (InvalidTag, ValueError):
            return None
