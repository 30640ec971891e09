"""Verifies a brand's messages that a hub relayed: request, next key, end. Pure.

The hub vouches for nobody. A brand that this house knows shows a key of its own; what is more than the showing of a
public key, its own key has signed. A brand that nobody knows here signs its question by the key that it brings: so
nobody on the way can alter what it asks or add a key to it. Who it is the owner decides, to whom all of it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from gateway.protocol.brand_statement import (
    MAX_CLOCK_SKEW_S,
    MAX_REQUEST_LIFETIME_S,
    ConsentStatement,
    EndStatement,
    NextKeyStatement,
    verify_brand_statement,
)
from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey
from gateway.protocol.jws import EnrolledKey, public_key, public_x

REASON_UNREADABLE: Final = "this box does not understand the question"
REASON_OTHER_HOME: Final = "it is meant for another home"
REASON_UNKNOWN_KEY: Final = "this house has no brand that shows such a key"
REASON_UNSIGNED: Final = "the question is not signed by a key of the brand"
REASON_EXPIRED: Final = "the question has expired"
REASON_NOT_YET_VALID: Final = "the box does not know the time, or the question is not valid yet"

MAX_ANSWER_WAIT = timedelta(days=7)  # for the owner's answer, however long the hub would wait


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """A brand asks. `signed`: by its own key; if not it has none, and only the hub says all this.

    `token`: the question's name for ever, a SHA-256. `keys`: the key that signed, and those for which it vouches.
    """

    name: str
    connection: str
    asked: AskedTerms
    expires: datetime
    token: bytes
    signed: bool
    keys: tuple[RequestedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedConsentMessage:
    """What came, believed as far as it can be. `known`: the house recognised the brand by a key that it has.

    `connection`: it asks, as what the hub calls so. `keys`: public keys of a known brand for which one that counts
    vouches. `withdrawn`: those that it took back. `ended`: the connection of which the brand wants no more; it gives
    nothing, so the hub's word is enough, and `end_signed` tells whether the brand said it itself.
    """

    brand: str
    hub: str
    known: bool
    connection: str | None = None
    question: ConsentRequest | None = None
    keys: tuple[RequestedKey, ...] = ()
    withdrawn: tuple[str, ...] = ()
    ended: str | None = None
    end_signed: bool = False


def verify_consent(
    asking: ConsentMessage | None, *, home: str, hub: str, recognised: Mapping[str, str] | None, utc: datetime
) -> VerifiedConsentMessage | str:
    """Read what a hub brought for a brand, or tell why it is not answered.

    `home`: this house's name at the hub, whose address is `hub`. `recognised`: the keys by `kid` by which the brand is
    known here; None: nobody knows it.
    """
    if asking is None:
        return REASON_UNREADABLE
    if asking.home != home:
        return REASON_OTHER_HOME
    return (
        _verify_unknown_brand(asking, hub, utc)
        if recognised is None
        else _verify_known_brand(asking, hub, recognised, utc)
    )


def _verify_known_brand(
    asking: ConsentMessage, hub: str, recognised: Mapping[str, str], utc: datetime
) -> VerifiedConsentMessage | str:
    own = _brand_keys(asking.brand, recognised)
    ended = None if asking.ended is None else verify_brand_statement(asking.ended, EndStatement, own, hub=hub)
    question: ConsentRequest | str | None = None
    if asking.signed is not None:
        question = _signed_request(asking, own, hub, utc)
    elif recognised or asking.keys:
        shows = {key.x for key in asking.keys} & set(recognised.values())
        if not shows and asking.ends is None and not _withdraws_key(asking, recognised):
            return REASON_UNKNOWN_KEY
    else:
        question = _unsigned_request(asking, utc)
    if isinstance(question, str):
        return question
    return VerifiedConsentMessage(
        brand=asking.brand, hub=hub, known=True, connection=asking.connection, question=question,
        keys=tuple(key for key in _vouched_keys(asking, own, hub) if key.x not in recognised.values()),
        withdrawn=asking.withdrawn, ended=asking.ends,
        end_signed=ended is not None and ended[0].connection == asking.ends,
    )  # fmt: skip


def _withdraws_key(asking: ConsentMessage, recognised: Mapping[str, str]) -> bool:
    """Whether it takes a key of the brand back: that costs trust and gives none, so nothing else need be shown."""
    return bool(set(asking.withdrawn) & set(recognised.values()))


def _verify_unknown_brand(asking: ConsentMessage, hub: str, utc: datetime) -> VerifiedConsentMessage | str:
    if asking.connection is None:
        return REASON_UNKNOWN_KEY
    if asking.signed is None:
        question = REASON_UNSIGNED if asking.keys else _unsigned_request(asking, utc)
    else:
        question = _signed_request(asking, _brand_keys(asking.brand, {key.kid: key.x for key in asking.keys}), hub, utc)
    if isinstance(question, str):
        return question
    if question is None:
        return REASON_UNKNOWN_KEY
    return VerifiedConsentMessage(
        brand=asking.brand, hub=hub, known=False, connection=asking.connection, question=question
    )


def _signed_request(
    asking: ConsentMessage, keys: Mapping[str, EnrolledKey], hub: str, utc: datetime
) -> ConsentRequest | str:
    token = asking.signed or ""
    found = verify_brand_statement(token, ConsentStatement, keys, hub=hub)
    if found is None or asking.connection is None:
        return REASON_UNSIGNED
    word, key = found
    seconds = utc.timestamp()
    if not 0 < word.exp - word.iat <= MAX_REQUEST_LIFETIME_S or word.exp <= seconds:
        return REASON_EXPIRED
    if word.iat > seconds + MAX_CLOCK_SKEW_S:
        return REASON_NOT_YET_VALID
    kid = next(name for name, one in keys.items() if one is key)
    signer = RequestedKey(kid=kid, x=public_x(key.public))
    expires = datetime.fromtimestamp(word.exp, UTC)
    return ConsentRequest(
        name=word.name, connection=asking.connection, asked=word.asked, expires=_expiry(asking, expires, utc),
        token=sha256(token.encode()).digest(), signed=True, keys=(signer, *_vouched_keys(asking, {kid: key}, hub)),
    )  # fmt: skip


def _unsigned_request(asking: ConsentMessage, utc: datetime) -> ConsentRequest | None:
    """A brand without keys, which can only come if the hub may sign for it: the hub's word is all that there is."""
    if asking.connection is None or asking.asked is None or not asking.asked.hub_signed:
        return None
    said = f"{asking.hub}\n{asking.brand}\n{asking.connection}"
    return ConsentRequest(
        name=asking.name, connection=asking.connection, asked=asking.asked, token=sha256(said.encode()).digest(),
        signed=False, keys=(), expires=_expiry(asking, utc + MAX_ANSWER_WAIT, utc),
    )  # fmt: skip


def _expiry(asking: ConsentMessage, most: datetime, utc: datetime) -> datetime:
    return min(filter(None, (asking.expires, most, utc + MAX_ANSWER_WAIT)))


def _vouched_keys(asking: ConsentMessage, own: Mapping[str, EnrolledKey], hub: str) -> tuple[RequestedKey, ...]:
    """The keys for which one of these vouches, or one for which one of these vouches, and so on."""
    found: dict[str, RequestedKey] = {}
    believed = dict(own)
    grows = True
    while grows:
        grows = False
        for key in asking.keys:
            if key.kid in believed or key.vouched is None:
                continue
            word = verify_brand_statement(key.vouched, NextKeyStatement, believed, hub=hub)
            if word is not None and (word[0].kid, word[0].x) == (key.kid, key.x):
                believed |= _brand_keys(asking.brand, {key.kid: key.x})
                if key.kid in believed:
                    found[key.kid] = RequestedKey(kid=key.kid, x=key.x)
                    grows = True
    return tuple(found.values())


def _brand_keys(brand: str, publics: Mapping[str, str]) -> dict[str, EnrolledKey]:
    keys = {}
    for kid, x in publics.items():
        try:
            keys[kid] = EnrolledKey(brand, public_key(x))
        except ValueError:  # no point of the curve: it verifies nothing
            continue
    return keys
