"""What a retailer holds in his hand of a delivery: what was promised and what its home said became of it, both signed.

No film and nothing of the household. It is checked offline, by whoever has it: the home's words under the box's keys,
the promise under the brand's key or, where the brand did not sign, the hub's. Pure.
"""

import json
from base64 import urlsafe_b64decode
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from gateway.delivery.promise import Id, Instant, Offer, State, Update, Version, Window, Wire
from gateway.delivery.strictjson import loads
from gateway.hub.sealed import Untrue, unseal
from gateway.hub.standing import REASONS
from gateway.hub.words import Happened, Number, Token
from gateway.proof.keys import PublicKey
from gateway.visit.state import House

ENDS = frozenset({State.DELIVERED, State.PARTLY_DELIVERED, State.NOT_DELIVERED})
"""States of which there is something to prove."""

_PROMISE: TypeAdapter[Offer | Update] = TypeAdapter(Annotated[Offer | Update, Field(discriminator="do")])
KeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Message(Wire):
    """One version of the promise as it was sent to the home, and the key (a JWK's `x`) under which it was signed."""

    key: KeyText
    token: Token


class Word(Wire):
    """How the home said that the delivery ended, and the box's key under which it did. `missing`: parcels."""

    at: Instant
    seq: Number
    version: Version
    state: State
    missing: Annotated[int, Field(ge=0)]
    house: House | None
    key: KeyText
    token: Token


class Evidence(Wire):
    """The promise that counted, all messages about it, and the home's words on how it ended, oldest first."""

    home: Id
    brand: Id
    name: Id
    entrance: Id
    place: Id
    carrier: str
    window: Window
    parcels: tuple[str, ...]
    messages: Annotated[tuple[Message, ...], Field(max_length=1000)]
    words: Annotated[tuple[Word, ...], Field(min_length=1, max_length=1000)]


def word_of(token: bytes, key: str) -> Word | None:
    """Read how a delivery ended off an event; None: it tells none, or more than a retailer is told."""
    found = unseal(token, PublicKey.from_text(key))
    if isinstance(found, Untrue) or found.result is None or found.decided is not None:
        return None
    said = found.result
    coarse = said.lacking is None and said.why is None and (said.reason is None or said.reason in REASONS)
    if not coarse or said.state not in ENDS or said.version is None:
        return None
    return Word(
        at=said.at, seq=found.seq, version=said.version, state=said.state, missing=said.missing, house=said.house,
        key=key, token=token.decode(),
    )  # fmt: skip


def signed(message: Message) -> bool:
    """Whether it is signed by the key beside it."""
    return _payload(message) is not None


def wrong(evidence: Evidence) -> str | None:
    """Name the first thing that does not hold; None: all does."""
    for place, word in enumerate(evidence.words, start=1):
        found = unseal(word.token.encode(), PublicKey.from_text(word.key))
        if isinstance(found, Untrue):
            return f"word {place} is not signed by the box's key beside it ({found})"
        if not _of(evidence, found):
            return f"word {place} is of another home or delivery"
        if word_of(word.token.encode(), word.key) != word:
            return f"word {place} says otherwise than is told of it"
    versions = {}
    for place, message in enumerate(evidence.messages, start=1):
        payload = _payload(message)
        if payload is None:
            return f"message {place} is not signed by the key beside it"
        if payload.get("aud") != evidence.home or payload.get("brand", payload.get("iss")) != evidence.brand:
            return f"message {place} is of another home or brand"
        said = payload.get("delivery")
        if not isinstance(said, dict) or said.get("id") != evidence.name:
            return f"message {place} is of another delivery"
        versions[said.get("version")] = said
    return _promised(evidence, versions.get(evidence.words[-1].version))


def _of(evidence: Evidence, found: Happened) -> bool:
    said = found.result
    named = said is not None and (said.brand, said.delivery) == (evidence.brand, evidence.name)
    return found.home == evidence.home and named


def _promised(evidence: Evidence, said: object) -> str | None:
    """Hold what is told of the promise against the version of which the home spoke."""
    if said is None:
        return "the version of which the home spoke is not there"
    try:
        body = _PROMISE.validate_json(json.dumps(said))
    except ValueError:
        return "the version of which the home spoke promises nothing"
    told = (evidence.entrance, evidence.place, evidence.carrier, evidence.window, evidence.parcels)
    if told != (body.entrance, body.place, body.carrier, body.window, body.parcels):
        return "the promise says otherwise than is told of it"
    return None


def _payload(message: Message) -> dict[str, object] | None:
    signed, _, signature = message.token.encode().rpartition(b".")
    try:
        raw = urlsafe_b64decode(signature + b"=" * (-len(signature) % 4))
        if not PublicKey.from_text(message.key).verifies(raw, signed):
            return None
        part = signed.partition(b".")[2]
        payload = loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None
