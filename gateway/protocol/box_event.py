"""What a box signs, as it travels: compact JWS under its Ed25519 key: its events, and in them its accounts. Pure.

The header of each kind is one and always the same, so there is nothing in it to be believed: one that differs in a
single byte ends the reading before the signature is looked at.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from enum import StrEnum, auto
from typing import TypeVar

from gateway.domain.delivery.promise import Wire
from gateway.protocol.box_hub import EVENT_TYPE, LARGEST_EVENT, Happened
from gateway.protocol.delivery_record import Statement
from gateway.protocol.keys import PublicKey
from gateway.protocol.strict_json import loads


class Untrue(StrEnum):
    """Why a token is no event of this box."""

    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()


def _coded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


HEADER = _coded(b'{"alg":"Ed25519","typ":"%s"}' % EVENT_TYPE.encode())
ACCOUNT_HEADER = _coded(b'{"alg":"Ed25519","typ":"perron-account+jwt"}')
ModelT = TypeVar("ModelT", bound=Wire)


def seal(happened: Happened, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign an event. `sign` is the box's key: the same event gives the same bytes."""
    return _sealed(HEADER, happened, sign)


def unseal(token: bytes, key: PublicKey) -> Happened | Untrue:
    """Read an event that this key signed, or say why it is none."""
    return _unsealed(HEADER, Happened, token, key)


def vouch(statement: Statement, sign: Callable[[bytes], bytes]) -> str:
    """Sign the statement of an account: a token of its own, so that it can be shown without the event around it."""
    return _sealed(ACCOUNT_HEADER, statement, sign).decode()


def vouched(token: bytes, key: PublicKey) -> Statement | Untrue:
    """Read a statement that this key signed, or say why it is none."""
    return _unsealed(ACCOUNT_HEADER, Statement, token, key)


def _sealed(header: bytes, said: Wire, sign: Callable[[bytes], bytes]) -> bytes:
    signed = header + b"." + _coded(said.model_dump_json(exclude_none=True).encode())
    return signed + b"." + _coded(sign(signed))


def _unsealed(expected: bytes, model: type[ModelT], token: bytes, key: PublicKey) -> ModelT | Untrue:
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    if len(token) > LARGEST_EVENT or header != expected:
        return Untrue.MALFORMED
    found, said = _plain(signature), _plain(payload)
    if found is None or said is None:
        return Untrue.MALFORMED
    if not key.verifies(found, signed):
        return Untrue.WRONG_SIGNATURE
    try:
        loads(said)
        return model.model_validate_json(said)
    except ValueError:  # a ValidationError is one
        return Untrue.WRONG_CLAIMS


def _plain(part: bytes) -> bytes | None:
    """Read base64url without padding; None: it is none, or not written the one way."""
    try:
        plain = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except Error:
        return None
    return plain if _coded(plain) == part else None
