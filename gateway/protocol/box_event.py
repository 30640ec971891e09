"""Signs and verifies what a box tells the hub: its events, and the statement of its account of a delivery. Pure."""

from typing import TypeVar

from gateway.domain.delivery.promise import WireModel
from gateway.protocol import jws
from gateway.protocol.box_hub import MAX_EVENT_BYTES, BoxEvent
from gateway.protocol.delivery_record import Statement
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode

W = TypeVar("W", bound=WireModel)


def sign_event(event: BoxEvent, sign: jws.Sign) -> bytes:
    """Sign an event with the box's key: the same event gives the same bytes."""
    return jws.sign_claims(jws.BOX_EVENT, event, sign)


def verify_event(token: bytes, key: PublicKey) -> BoxEvent | RejectionCode:
    """Return the event that this key signed, or why the token is rejected."""
    return _verify(jws.BOX_EVENT, BoxEvent, token, key)


def sign_statement(statement: Statement, sign: jws.Sign) -> str:
    """Sign the statement of an account: a token of its own, so that it can be shown without the event around it."""
    return jws.sign_claims(jws.DELIVERY_RECORD, statement, sign).decode()


def verify_statement(token: bytes, key: PublicKey) -> Statement | RejectionCode:
    """Return the statement that this key signed, or why the token is rejected."""
    return _verify(jws.DELIVERY_RECORD, Statement, token, key)


def _verify(kind: jws.TokenKind, model: type[W], token: bytes, key: PublicKey) -> W | RejectionCode:
    payload = jws.verify_exact(token, kind, key.jwk, max_bytes=MAX_EVENT_BYTES)
    try:
        return payload if isinstance(payload, RejectionCode) else jws.parse_claims(model, payload)
    except ValueError:
        return RejectionCode.WRONG_CLAIMS
