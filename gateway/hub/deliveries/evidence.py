"""Returns the signed evidence of a delivery: the order, and the home's record of what became of it.

No film and nothing of the household. It is checked offline, by whoever has it: the home's account under the box's key,
the promise under the brand's key or, where the brand did not sign, the hub's. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from gateway.domain.delivery.barcodes import renormalise
from gateway.domain.delivery.promise import MAX_PARCELS, Id, Offer, State, Update, Window, WireModel
from gateway.protocol.box_event import verify_event, verify_statement
from gateway.protocol.box_hub import Token, token_digest
from gateway.protocol.delivery_record import MAX_LINES, RecordEntryKind, RecordLine, Statement, first_break, shown_code
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.protocol.hash_chain import ChainFault
from gateway.protocol.jws import RejectionCode
from gateway.protocol.keys import PublicKey
from gateway.protocol.strict_json import loads
from gateway.system.base64url import decode_base64url

_PROMISE_ADAPTER: TypeAdapter[Offer | Update] = TypeAdapter(Annotated[Offer | Update, Field(discriminator="do")])
_PARCELS_ADAPTER: TypeAdapter[tuple[str, ...]] = TypeAdapter(Annotated[tuple[str, ...], Field(max_length=MAX_PARCELS)])
KeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]  # a key has one spelling
_FAULT_TEXTS: Mapping[ChainFault, str] = MappingProxyType(
    {
        ChainFault.CHANGED: "not what the box wrote",
        ChainFault.MISSING: "not there",
        ChainFault.OUT_OF_ORDER: "at another place",
        ChainFault.REPEATED: "there twice",
    }
)


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
    found = verify_event(token, public)
    if isinstance(found, RejectionCode) or found.account is None:
        return None
    statement = verify_statement(found.account.token.encode(), public)
    if isinstance(statement, RejectionCode) or statement.home != found.home:
        return None
    if statement.reason is not None and statement.reason not in PUBLIC_REASONS:
        return None
    told = SignedAccount(key=key, statement=statement, lines=found.account.lines, token=found.account.token)
    return told if first_break(told.lines, statement) is None else None


def missing_parcels_of(parcels: Sequence[str], told: SignedAccount) -> tuple[str, ...] | None:
    """Return the parcels that were not read at the door according to the account, or None if that is unknown.

    A line has the last four characters of a code. It is unknown which parcels are missing if two parcels end alike, if
    a label differs from the announced number, or if lines were left out.
    """
    if told.statement.state not in {State.DELIVERED, State.PARTLY_DELIVERED} or told.statement.left_out:
        return None
    read = {line.code for line in told.lines if line.what is RecordEntryKind.PARCEL}
    found = tuple(parcel for parcel in parcels if shown_code(parcel) not in read)
    return found if len(found) == told.statement.missing else None


def has_valid_signature(message: SignedMessage) -> bool:
    """Return whether the key beside it signed it."""
    return _payload_of(message) is not None


def first_problem(evidence: Evidence) -> str | None:
    """Return the first thing that is wrong, or None."""
    for place, told in enumerate(evidence.accounts, start=1):
        problem = _account_problem(evidence, told)
        if problem is not None:
            return f"account {place} {problem}"
    sent = list[tuple[SignedMessage, int, object]]()
    for place, message in enumerate(evidence.messages, start=1):
        payload = _payload_of(message)
        if payload is None:
            return f"message {place} is not signed by the key beside it"
        if payload.get("aud") != evidence.home or payload.get("brand", payload.get("iss")) != evidence.brand:
            return f"message {place} is of another home or brand"
        said = payload.get("delivery")
        if not isinstance(said, dict) or said.get("id") != evidence.name:
            return f"message {place} is of another delivery"
        version = said.get("version")
        if not isinstance(version, int):
            return f"message {place} is of no version"
        sent.append((message, version, said))
    problem, named = _promise_problem(evidence, sent), evidence.missing_parcels
    if problem is None and named is not None and named != missing_parcels_of(evidence.parcels, evidence.accounts[-1]):
        return "other parcels are named as missing than the account tells"
    return problem


def _account_problem(evidence: Evidence, told: SignedAccount) -> str | None:
    statement = verify_statement(told.token.encode(), PublicKey.from_text(told.key))
    if isinstance(statement, RejectionCode):
        return f"is not signed by the box's key beside it ({statement})"
    if (statement.home, statement.brand, statement.delivery) != (evidence.home, evidence.brand, evidence.name):
        return "is of another home or delivery"
    if statement != told.statement:
        return "says otherwise than is told of it"
    bad = first_break(told.lines, statement)
    return None if bad is None else f"has a log whose line {bad.seq} is {_FAULT_TEXTS[bad.fault]}"


def _promise_problem(evidence: Evidence, sent: Sequence[tuple[SignedMessage, int, object]]) -> str | None:
    """Compare the order with the message that the home accepted, or with all that it may have accepted."""
    spoke = evidence.accounts[-1].statement
    meant = [(message, said) for message, version, said in sent if version == spoke.version]
    if not meant:
        return "the version of which the home spoke is not there"
    if spoke.message_sha256 is not None:
        meant = [one for one in meant if token_digest(one[0].token.encode()) == spoke.message_sha256]
        if not meant:
            return (
                f"the message of version {spoke.version} is not the one that the home took, though it is signed by"
                f" the key beside it: that one has the SHA-256 {spoke.message_sha256}"
            )
    return next((problem for _, said in meant if (problem := _difference(evidence, said)) is not None), None)


def _difference(evidence: Evidence, said: object) -> str | None:
    """Compare the order with one message.

    Both sides' parcels are normalised as today, because an older release wrote some differently.
    """
    promised = dict(said) if isinstance(said, dict) else {}
    parcels = promised.pop("parcels", ())
    try:
        body = _PROMISE_ADAPTER.validate_json(json.dumps(promised))
        named = _PARCELS_ADAPTER.validate_json(json.dumps(parcels))
    except ValueError:
        return "the version of which the home spoke promises nothing"
    told = (evidence.entrance, evidence.place, evidence.carrier, evidence.window, evidence.max_celsius)
    same = told == (body.entrance, body.place, body.carrier, body.window, body.max_celsius)
    if not same or [renormalise(one) for one in evidence.parcels] != [renormalise(one) for one in named]:
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
