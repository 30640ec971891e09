"""Returns the signed evidence of a delivery: the order, and the home's record of what became of it.

It contains no film and nothing of the household. Anybody can verify it offline: the home's account under the box's key,
the order under the brand's key or, if the brand did not sign, the hub's. Pure.
"""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from gateway.domain.delivery.barcodes import renormalise
from gateway.domain.delivery.promise import MAX_PARCELS, Id, Offer, State, Update, Window, WireModel
from gateway.domain.delivery.promise_v2 import OfferV2, UpdateV2
from gateway.protocol.box_hub import BoxEvent, Token, token_digest, verify_by_box
from gateway.protocol.delivery_record import MAX_LINES, RecordEntryKind, RecordLine, Statement, first_break, shown_code
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import ChainFault
from gateway.protocol.jws import RejectionCode
from gateway.protocol.strict_json import loads
from gateway.system.base64url import decode_base64url

_PROMISE_ADAPTER: TypeAdapter[Offer | Update] = TypeAdapter(Annotated[Offer | Update, Field(discriminator="do")])
_PROMISE_V2_ADAPTER: TypeAdapter[OfferV2 | UpdateV2] = TypeAdapter(
    Annotated[OfferV2 | UpdateV2, Field(discriminator="do")]
)
_PARCELS_ADAPTER: TypeAdapter[tuple[str, ...]] = TypeAdapter(Annotated[tuple[str, ...], Field(max_length=MAX_PARCELS)])
KeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]  # a key has one spelling
_FAULT_TEXTS = {
    ChainFault.CHANGED: "not what the box wrote",
    ChainFault.MISSING: "not there",
    ChainFault.OUT_OF_ORDER: "at another place",
    ChainFault.REPEATED: "there twice",
}


class SignedMessage(WireModel):
    """One version of the promise as it was sent to the home, and the key (a JWK's `x`) under which it was signed."""

    key: KeyText
    token: Token


class SignedAccount(WireModel):
    """A box's account of how a delivery ended (gateway/protocol/delivery_record.py), and the box's key.

    `statement` is the content of the token, to be read; `lines` is the extract of the box's log.
    """

    key: KeyText
    statement: Statement
    lines: Annotated[tuple[RecordLine, ...], Field(max_length=MAX_LINES)]
    token: Token


class Evidence(WireModel):
    """The order that counted, all messages about it, and the home's accounts of its end, oldest first.

    A door that was handed to its owner and locked later has two accounts; the newest counts. `missing_parcels`:
    which of `parcels` did not come, by that account (`missing_parcels_of`); None: the account does not tell, or the
    proof is older than this field.
    """

    home: Id
    brand: Id
    name: Id
    entrance: Id
    place: Id
    carrier: str
    window: Window
    parcels: tuple[str, ...]
    max_celsius: float | None
    messages: Annotated[tuple[SignedMessage, ...], Field(max_length=1000)]
    accounts: Annotated[tuple[SignedAccount, ...], Field(min_length=1, max_length=100)]
    missing_parcels: tuple[str, ...] | None = None


def parse_account(token: bytes, key: str) -> SignedAccount | None:
    """Return the account in an event, or None if there is none or it tells more than a retailer may know."""
    public = PublicKey.from_text(key)
    event = verify_by_box(BoxEvent, token, public)
    if isinstance(event, RejectionCode) or event.account is None:
        return None
    statement = verify_by_box(Statement, event.account.token.encode(), public)
    if isinstance(statement, RejectionCode) or statement.home != event.home:
        return None
    if statement.reason is not None and statement.reason not in PUBLIC_REASONS:
        return None
    account = SignedAccount(key=key, statement=statement, lines=event.account.lines, token=event.account.token)
    return account if first_break(account.lines, statement) is None else None


def missing_parcels_of(parcels: Sequence[str], account: SignedAccount) -> tuple[str, ...] | None:
    """Return the parcels that were not read at the door according to the account, or None if that is unknown.

    A line has the last four characters of a code. It is unknown which parcels are missing if two parcels end alike, if
    a label differs from the announced number, or if lines were left out.
    """
    if account.statement.state not in {State.DELIVERED, State.PARTLY_DELIVERED} or account.statement.left_out:
        return None
    read = {line.code for line in account.lines if line.what is RecordEntryKind.PARCEL}
    missing = tuple(parcel for parcel in parcels if shown_code(parcel) not in read)
    return missing if len(missing) == account.statement.missing else None


def has_valid_signature(message: SignedMessage) -> bool:
    """Return whether the key beside it signed it."""
    return _payload_of(message) is not None


def first_problem(evidence: Evidence) -> str | None:
    """Return the first thing that is wrong, or None."""
    for place, account in enumerate(evidence.accounts, start=1):
        problem = _account_problem(evidence, account)
        if problem is not None:
            return f"account {place} {problem}"
    sent = list[tuple[SignedMessage, int, object]]()
    for place, message in enumerate(evidence.messages, start=1):
        payload = _payload_of(message)
        if payload is None:
            return f"message {place} is not signed by the key beside it"
        if payload.get("aud") != evidence.home or payload.get("brand", payload.get("iss")) != evidence.brand:
            return f"message {place} is of another home or brand"
        body = payload.get("delivery")
        if not isinstance(body, dict) or body.get("id") != evidence.name:
            return f"message {place} is of another delivery"
        version = body.get("version")
        if not isinstance(version, int):
            return f"message {place} is of no version"
        sent.append((message, version, body))
    problem, named = _promise_problem(evidence, sent), evidence.missing_parcels
    if problem is None and named is not None and named != missing_parcels_of(evidence.parcels, evidence.accounts[-1]):
        return "other parcels are named as missing than the account tells"
    return problem


def _account_problem(evidence: Evidence, account: SignedAccount) -> str | None:
    statement = verify_by_box(Statement, account.token.encode(), PublicKey.from_text(account.key))
    if isinstance(statement, RejectionCode):
        return f"is not signed by the box's key beside it ({statement})"
    if (statement.home, statement.brand, statement.delivery) != (evidence.home, evidence.brand, evidence.name):
        return "is of another home or delivery"
    if statement != account.statement:
        return "says otherwise than is told of it"
    fault = first_break(account.lines, statement)
    return None if fault is None else f"has a log whose line {fault.seq} is {_FAULT_TEXTS[fault.fault]}"


def _promise_problem(evidence: Evidence, sent: Sequence[tuple[SignedMessage, int, object]]) -> str | None:
    """Compare the order with the message that the home accepted, or with all that it may have accepted."""
    statement = evidence.accounts[-1].statement
    candidates = [(message, body) for message, version, body in sent if version == statement.version]
    if not candidates:
        return "the version of which the home spoke is not there"
    if statement.message_sha256 is not None:
        digest = statement.message_sha256
        candidates = [(message, body) for message, body in candidates if token_digest(message.token.encode()) == digest]
        if not candidates:
            return (
                f"the message of version {statement.version} is not the one that the home took, though it is signed by"
                f" the key beside it: that one has the SHA-256 {statement.message_sha256}"
            )
    return next((problem for _, body in candidates if (problem := _difference(evidence, body)) is not None), None)


def _difference(evidence: Evidence, message: object) -> str | None:
    """Compare the order with one message.

    Both sides' parcels are normalised as today, because an older release wrote some differently.
    """
    fields = dict(message) if isinstance(message, dict) else {}
    parcels = fields.pop("parcels", ())
    adapter = _PROMISE_V2_ADAPTER if "needs" in fields else _PROMISE_ADAPTER
    try:
        body = adapter.validate_json(json.dumps(fields))
        named = _PARCELS_ADAPTER.validate_json(json.dumps(parcels))
    except ValueError:
        return "the version of which the home spoke promises nothing"
    order = (evidence.entrance, evidence.place, evidence.carrier, evidence.window, evidence.max_celsius)
    same = order == (body.entrance, body.place, body.carrier, body.window, body.max_celsius)
    if not same or [renormalise(parcel) for parcel in evidence.parcels] != [renormalise(parcel) for parcel in named]:
        return "the promise says otherwise than is told of it"
    return None


def _payload_of(message: SignedMessage) -> dict[str, object] | None:
    signed, _, signature = message.token.encode().rpartition(b".")
    try:
        raw = decode_base64url(signature)
        if not PublicKey.from_text(message.key).verifies(raw, signed):
            return None
        payload = loads(decode_base64url(signed.partition(b".")[2]))
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None
