"""Verifies a brand's messages that a hub relayed: request, next key, end. Pure.

The box does not trust the hub's claims about a brand. A brand that this house knows shows one of its known keys, and
that key signs everything beyond showing a public key. An unknown brand signs its request with the key that it brings,
so that the hub cannot alter the request or add a key. The owner sees all of it and decides who the brand is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from gateway.domain.frozen import Frozen
from gateway.protocol import brand_statement
from gateway.protocol.brand_statement import ConsentStatement, EndStatement, NextKeyStatement, verify_brand_statement
from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey

REASON_UNREADABLE: Final = "this box does not understand the question"
REASON_OTHER_HOME: Final = "it is meant for another home"
REASON_UNKNOWN_KEY: Final = "this house has no brand that shows such a key"
REASON_UNSIGNED: Final = "the question is not signed by a key of the brand"
REASON_EXPIRED: Final = "the question has expired"
REASON_NOT_YET_VALID: Final = "the box does not know the time, or the question is not valid yet"

MAX_ANSWER_WAIT = timedelta(days=7)  # for the owner's answer, also if the hub would wait longer


class ConsentRequest(Frozen):
    """A brand's request for consent. `is_signed`: by a key of its own; else it has none, and all is the hub's claim.

    `token_digest`: the SHA-256 that identifies the request for ever. `keys`: the key that signed it, and those for
    which that key vouches.
    """

    name: str
    connection: str
    asked: AskedTerms
    expires: datetime
    token_digest: bytes
    is_signed: bool
    keys: tuple[RequestedKey, ...]


class VerifiedConsentMessage(Frozen):
    """A verified message about a brand. `is_known_brand`: the house recognised it by a key that it has.

    `connection`: the hub's id of the connection that the brand asks for. `keys`: public keys of a known brand for
    which a valid key vouches. `withdrawn`: keys that the brand has withdrawn. `ended_connection`: the connection that
    the brand ends; because an end grants nothing, the hub's claim is enough, and `is_end_signed` says whether the
    brand signed it.
    """

    brand: str
    hub: str
    is_known_brand: bool
    connection: str | None = None
    request: ConsentRequest | None = None
    keys: tuple[RequestedKey, ...] = ()
    withdrawn: tuple[str, ...] = ()
    ended_connection: str | None = None
    is_end_signed: bool = False


def verify_consent(
    message: ConsentMessage | None, *, home: str, hub: str, known_keys: Mapping[str, str] | None, utc: datetime
) -> VerifiedConsentMessage | str:
    """Verify a message that a hub relayed for a brand; return a reason of rejection as text.

    `home`: this house's name at the hub, whose address is `hub`. `known_keys`: the keys by `kid` by which the brand is
    known here; None: the house does not know it.
    """
    if message is None:
        return REASON_UNREADABLE
    if message.home != home:
        return REASON_OTHER_HOME
    if known_keys is None:
        return _verify_unknown_brand(message, hub, utc)
    own = _brand_keys(message.brand, known_keys)
    question: ConsentRequest | str | None = None
    if message.signed is not None:
        question = _signed_request(message, own, hub, utc)
    elif known_keys or message.keys:
        # To withdraw a key costs trust and gives none, so nothing else need be shown
        shown = {*(key.x for key in message.keys), *message.withdrawn} & set(known_keys.values())
        if not shown and message.ends is None:
            return REASON_UNKNOWN_KEY
    else:
        question = _unsigned_request(message, utc)
    if isinstance(question, str):
        return question
    ended = None if message.ended is None else verify_brand_statement(message.ended, EndStatement, own, hub=hub)
    return VerifiedConsentMessage(
        brand=message.brand, hub=hub, is_known_brand=True, connection=message.connection, request=question,
        keys=tuple(key for key in _vouched_keys(message, own, hub) if key.x not in known_keys.values()),
        withdrawn=message.withdrawn, ended_connection=message.ends,
        is_end_signed=ended is not None and ended[0].connection == message.ends,
    )  # fmt: skip


def _verify_unknown_brand(message: ConsentMessage, hub: str, utc: datetime) -> VerifiedConsentMessage | str:
    question: ConsentRequest | str | None = None
    if message.connection is not None and message.signed is not None:
        own = _brand_keys(message.brand, {key.kid: key.x for key in message.keys})
        question = _signed_request(message, own, hub, utc)
    elif message.connection is not None:
        question = REASON_UNSIGNED if message.keys else _unsigned_request(message, utc)
    if not isinstance(question, ConsentRequest):
        return question or REASON_UNKNOWN_KEY
    return VerifiedConsentMessage(
        brand=message.brand, hub=hub, is_known_brand=False, connection=message.connection, request=question
    )


def _signed_request(
    message: ConsentMessage, keys: Mapping[str, EnrolledKey], hub: str, utc: datetime
) -> ConsentRequest | str:
    token = message.signed or ""
    verified = verify_brand_statement(token, ConsentStatement, keys, hub=hub)
    if verified is None or message.connection is None:
        return REASON_UNSIGNED
    statement, key = verified
    seconds = utc.timestamp()
    if not 0 < statement.exp - statement.iat <= brand_statement.MAX_REQUEST_LIFETIME_S or statement.exp <= seconds:
        return REASON_EXPIRED
    if statement.iat > seconds + brand_statement.MAX_CLOCK_SKEW_S:
        return REASON_NOT_YET_VALID
    kid = next(kid for kid, enrolled in keys.items() if enrolled is key)
    signer = RequestedKey(kid=kid, x=key.public.text)
    expires = datetime.fromtimestamp(statement.exp, UTC)
    return ConsentRequest(
        name=statement.name, connection=message.connection, asked=statement.asked,
        expires=_expiry(message, expires, utc), token_digest=sha256(token.encode()).digest(), is_signed=True,
        keys=(signer, *_vouched_keys(message, {kid: key}, hub)),
    )  # fmt: skip


def _unsigned_request(message: ConsentMessage, utc: datetime) -> ConsentRequest | None:
    """Return the request of a brand without keys, for which the hub signs; all of it is the hub's claim."""
    if message.connection is None or message.asked is None or not message.asked.hub_signed:
        return None
    identity = f"{message.hub}\n{message.brand}\n{message.connection}"
    return ConsentRequest(
        name=message.name, connection=message.connection, asked=message.asked,
        token_digest=sha256(identity.encode()).digest(), is_signed=False, keys=(),
        expires=_expiry(message, utc + MAX_ANSWER_WAIT, utc),
    )  # fmt: skip


def _expiry(message: ConsentMessage, most: datetime, utc: datetime) -> datetime:
    return min(filter(None, (message.expires, most, utc + MAX_ANSWER_WAIT)))


def _vouched_keys(message: ConsentMessage, trusted: Mapping[str, EnrolledKey], hub: str) -> tuple[RequestedKey, ...]:
    """Return the keys for which a trusted key vouches, directly or through keys in between."""
    vouched: dict[str, RequestedKey] = {}
    believed = dict(trusted)
    grows = True
    while grows:
        grows = False
        for key in message.keys:
            if key.kid in believed or key.vouched is None:
                continue
            verified = verify_brand_statement(key.vouched, NextKeyStatement, believed, hub=hub)
            if verified is not None and (verified[0].kid, verified[0].x) == (key.kid, key.x):
                believed |= _brand_keys(message.brand, {key.kid: key.x})
                if key.kid in believed:
                    vouched[key.kid] = RequestedKey(kid=key.kid, x=key.x)
                    grows = True
    return tuple(vouched.values())


def _brand_keys(brand: str, publics: Mapping[str, str]) -> dict[str, EnrolledKey]:
    keys = {}
    for kid, x in publics.items():
        try:
            keys[kid] = EnrolledKey(brand, PublicKey.from_jwk(x))
        except ValueError:  # not a point of the curve, so it verifies nothing
            continue
    return keys
