"""An event of a box as it travels: a compact JWS under the box's Ed25519 key. Pure.

Its header is one and always the same, so there is nothing in it to be believed: one that differs in a single byte ends
the reading before the signature is looked at.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from enum import StrEnum, auto

from gateway.delivery.strictjson import loads
from gateway.hub.words import EVENT_TYPE, LARGEST_EVENT, Happened
from gateway.proof.keys import PublicKey


class Untrue(StrEnum):
    """Why a token is no event of this box."""

    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()


def _coded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


HEADER = _coded(b'{"alg":"Ed25519","typ":"%s"}' % EVENT_TYPE.encode())


def seal(happened: Happened, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign an event. `sign` is the box's key: the same event gives the same bytes."""
    signed = HEADER + b"." + _coded(happened.model_dump_json(exclude_none=True).encode())
    return signed + b"." + _coded(sign(signed))


def unseal(token: bytes, key: PublicKey) -> Happened | Untrue:
    """Read an event that this key signed, or say why it is none."""
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    if len(token) > LARGEST_EVENT or header != HEADER:
        return Untrue.MALFORMED
    found, said = _plain(signature), _plain(payload)
    if found is None or said is None:
        return Untrue.MALFORMED
    if not key.verifies(found, signed):
        return Untrue.WRONG_SIGNATURE
    try:
        loads(said)
        return Happened.model_validate_json(said)
    except ValueError:  # a ValidationError is one
        return Untrue.WRONG_CLAIMS


def _plain(part: bytes) -> bytes | None:
    """Read base64url without padding; None: it is none, or not written the one way."""
    try:
        plain = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except Error:
        return None
    return plain if _coded(plain) == part else None
