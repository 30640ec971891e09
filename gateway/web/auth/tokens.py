"""Makes and checks the secrets of cookies and links, and the claim code that the box shows.

A token is `id.secret`: the id finds its row, and the secret's SHA-256 is compared with the stored one in constant time.
A fast hash is enough because each secret is random and too long to guess.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import field
from hashlib import sha256
from textwrap import wrap
from typing import Protocol, Self, TypeVar

from gateway.domain.frozen import Frozen

KEEPER_COOKIE, CODE_COOKIE = "keeper", "keeper_code"  # cookies of a keeper's session and of the keeper's code
COOKIE_BYTES = 32  # 256 bits: a session or a known device
LINK_BYTES = 16  # 128 bits: an invitation, or a visit that is shown to somebody outside

_TOKEN_PATTERN = re.compile(r"([0-9a-f]{16})\.([A-Za-z0-9_-]{22,43})")


class SecretToken(Frozen, kw_only=False):
    """One secret; its repr shows the id only."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, size: int) -> Self:
        """Return a token with so many random bytes."""
        return cls(new_id(), secrets.token_urlsafe(size))

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Parse what `text` returned; None: it is no token."""
        match = None if text is None else _TOKEN_PATTERN.fullmatch(text)
        return None if match is None else cls(match[1], match[2])

    @property
    def text(self) -> str:
        """The token as a cookie or a link contains it."""
        return f"{self.id}.{self.secret}"

    @property
    def digest(self) -> bytes:
        """The digest to be stored."""
        return sha256(self.secret.encode()).digest()

    def matches(self, digest: bytes) -> bool:
        """Return whether the stored digest is this token's; in constant time."""
        return hmac.compare_digest(self.digest, digest)


class _HasSecret(Protocol):
    @property
    def secret(self) -> bytes: ...


R = TypeVar("R", bound=_HasSecret)


def find_by_token(text: str | None, find: Callable[[str], R | None]) -> R | None:
    """Return the row that `find` returns for a token's id; None: there is none, or its stored digest is another's."""
    token = SecretToken.parse(text)
    row = None if token is None else find(token.id)
    return None if token is None or row is None or not token.matches(row.secret) else row


def new_id() -> str:
    """Return a unique id: 64 random bits, no secret."""
    return secrets.token_hex(8)


_CROCKFORD_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")  # letters that look like digits
CLAIM_CODE_CHARACTERS = 16  # 80 bits: 40 would do with five attempts at the box, but not against a stolen database
_GROUP_CHARACTERS = 2


def new_claim_code() -> str:
    """Return a claim code: eight groups of two, to be read aloud from the box's screen ("7K-Q2-M0-...")."""
    code = "".join(secrets.choice(_CROCKFORD_ALPHABET) for _ in range(CLAIM_CODE_CHARACTERS))
    return "-".join(wrap(code, _GROUP_CHARACTERS))


def claim_code_digest(typed: str) -> bytes | None:
    """Return the digest of a typed claim code; small letters, spaces and O for 0 are accepted. None: it is no code."""
    code = re.sub(r"[\s-]", "", typed[:200]).upper().translate(_LOOKALIKES)
    if len(code) != CLAIM_CODE_CHARACTERS or not set(code) <= set(_CROCKFORD_ALPHABET):
        return None
    return sha256(code.encode()).digest()
