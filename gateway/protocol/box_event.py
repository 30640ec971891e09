"""The box's signed events and statements: compact JWS under its Ed25519 key. Pure.

The header of each kind is one and always the same, so there is nothing in it to be believed: one that differs in a
single byte ends the reading before the signature is looked at.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from enum import StrEnum, auto
from typing import TypeVar

from gateway.domain.delivery.promise import WireModel
from gateway.protocol.box_hub import EVENT_TYPE, MAX_EVENT_BYTES, BoxEvent
from gateway.protocol.delivery_record import Statement
from gateway.protocol.keys import PublicKey
from gateway.protocol.strict_json import loads


class EventRejection(StrEnum):
    """Why a token is no event of this box."""

    MALFORMED = auto()
    WRONG_SIGNATURE = auto()
    WRONG_CLAIMS = auto()


def _encode_base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


EVENT_HEADER = _encode_base64url(b'{"alg":"Ed25519","typ":"%s"}' % EVENT_TYPE.encode())
ACCOUNT_HEADER = _encode_base64url(b'{"alg":"Ed25519","typ":"perron-account+jwt"}')
ModelT = TypeVar("ModelT", bound=WireModel)


def sign_event(happened: BoxEvent, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign an event. `sign` is the box's key: the same event gives the same bytes."""
    return _sign(EVENT_HEADER, happened, sign)


def verify_event(token: bytes, key: PublicKey) -> BoxEvent | EventRejection:
    """Read an event that this key signed, or say why it is none."""
    return _verify(EVENT_HEADER, BoxEvent, token, key)


def sign_statement(statement: Statement, sign: Callable[[bytes], bytes]) -> str:
    """Sign the statement of an account: a token of its own, so that it can be shown without the event around it."""
    return _sign(ACCOUNT_HEADER, statement, sign).decode()


def verify_statement(token: bytes, key: PublicKey) -> Statement | EventRejection:
    """Read a statement that this key signed, or say why it is none."""
    return _verify(ACCOUNT_HEADER, Statement, token, key)


def _sign(header: bytes, said: WireModel, sign: Callable[[bytes], bytes]) -> bytes:
    signed = header + b"." + _encode_base64url(said.model_dump_json(exclude_none=True).encode())
    return signed + b"." + _encode_base64url(sign(signed))


def _verify(expected: bytes, model: type[ModelT], token: bytes, key: PublicKey) -> ModelT | EventRejection:
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    if len(token) > MAX_EVENT_BYTES or header != expected:
        return EventRejection.MALFORMED
    found, said = _decode_base64url(signature), _decode_base64url(payload)
    if found is None or said is None:
        return EventRejection.MALFORMED
    if not key.verifies(found, signed):
        return EventRejection.WRONG_SIGNATURE
    try:
        loads(said)
        return model.model_validate_json(said)
    except ValueError:  # a ValidationError is one
        return EventRejection.WRONG_CLAIMS


def _decode_base64url(part: bytes) -> bytes | None:
    """Read base64url without padding; None: it is none, or not written the one way."""
    try:
        plain = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except Error:
        return None
    return plain if _encode_base64url(plain) == part else None
