"""A brand's request for a home's consent, as the hub relays it. Pure.

It is the token of a CONNECT job. The hub signs it, which proves to the box only that a job is the hub's. The brand's
own statements (gateway/protocol/brand_statement.py) are in it byte for byte: its request, an earlier key's statement
about a further key, the end of a connection.
"""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from gateway.domain.delivery.promise import Id, Instant, WireModel
from gateway.protocol import jws
from gateway.protocol.strict_json import loads
from gateway.system.base64url import decode_base64url

MAX_CONSENT_BYTES = 32 * 1024  # bytes of its token
COMPACT_RULE = "header and payload are JSON without blanks between its parts"
MAX_BRAND_KEYS = 10  # valid keys of one brand at a time
MAX_WITHDRAWN_KEYS = 20  # the last ones, in one message

# As `Name` of an order, written so that a JSON schema can express it: no space at the ends, no invisible character.
_EDGE_CHARS = "!-~À-ÖØ-öø-ÿŒœŸ€"
Label = Annotated[str, StringConstraints(pattern=f"^[{_EDGE_CHARS}]([ {_EDGE_CHARS}]{{0,78}}[{_EDGE_CHARS}])?$")]
Kid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
PublicX = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
Hours = Annotated[
    str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _whole_float_to_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


AcceptWholeFloat = BeforeValidator(_whole_float_to_int)
"""JSON has one kind of number (RFC 8259, 6): 2.0 is 2."""


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _weekday_order(days: tuple[Day, ...]) -> tuple[Day, ...]:
    return tuple(sorted(set(days), key=_WEEKDAYS.index))


Ids = Annotated[tuple[Id, ...], Field(min_length=1, max_length=32), AfterValidator(_unique)]
Labels = Annotated[tuple[Label, ...], Field(min_length=1, max_length=32), AfterValidator(_unique)]


def _every_day_if_null(days: object) -> object:
    if days is None:
        return _WEEKDAYS
    return tuple(days) if isinstance(days, list) else days  # pydantic reads what a validator returns as Python, no JSON


Days = Annotated[tuple[Day, ...], Field(min_length=1, max_length=7), AfterValidator(_weekday_order)]
# Java's generated clients send an optional list as [] unless null is allowed.
AskedDays = Annotated[Days, BeforeValidator(_every_day_if_null, json_schema_input_type=Days | None)]


class AskedTerms(WireModel):
    """The terms that a brand asks for.

    A brand that does not know a home's entrances and places leaves them out; the home then chooses. Days and hours are
    in the home's time zone. `hub_signed`: the home shall also accept deliveries that the brand did not sign itself.
    """

    entrances: Ids | None = None
    places: Ids | None = None
    carriers: Labels
    days: AskedDays = _WEEKDAYS
    hours: Hours = "00:00-24:00"
    openings: Annotated[int, Field(ge=1, le=10), AcceptWholeFloat] = 1
    expires: Instant | None = None
    hub_signed: bool = False


JWS_PATTERN = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
CompactJws = Annotated[str, StringConstraints(min_length=5, max_length=12_000, pattern=JWS_PATTERN)]
ShortJws = Annotated[str, StringConstraints(min_length=5, max_length=1_000, pattern=JWS_PATTERN)]


class RequestedKey(WireModel):
    """A public key of a brand: Ed25519, `x` as in a JWK. `vouched`: an earlier key's statement about it."""

    kid: Kid
    x: PublicX
    vouched: ShortJws | None = None


class ConsentMessage(WireModel):
    """A brand asks for consent, or only announces its keys: then there is no `connection`.

    `signed`: the request as the brand signed it; its `name` and `asked` count instead of those here. `withdrawn`: keys
    (`x`) that the brand has withdrawn. `ends`: the connection that the brand ends, according to the hub; `ended`: the
    same as the brand signed it.
    """

    hub: Annotated[str, StringConstraints(max_length=200)]
    home: Id
    brand: Id
    name: Label
    keys: Annotated[tuple[RequestedKey, ...], Field(max_length=MAX_BRAND_KEYS)]
    connection: Id | None = None
    asked: AskedTerms | None = None
    expires: Instant | None = None  # of the request: no answer until then is a refusal
    signed: CompactJws | None = None
    withdrawn: Annotated[tuple[PublicX, ...], Field(max_length=MAX_WITHDRAWN_KEYS)] = ()
    ends: Id | None = None
    ended: ShortJws | None = None


def sign_consent(request: ConsentMessage, sign: jws.Sign) -> bytes:
    """Sign a request with the hub's key."""
    return jws.sign_claims(jws.CONSENT_REQUEST, request, sign)


def sign_consent_within_limit(request: ConsentMessage, sign: jws.Sign) -> bytes:
    """Sign a request as a token of at most 32 KiB, the limit of a job.

    A request that the API accepts today always fits, because its signed parts contain no blanks. An older brand may
    have padded them: then the longest statements about keys are left out, and the home waits for others.
    """
    token = sign_consent(request, sign)
    while len(token) > MAX_CONSENT_BYTES:
        longest = max(request.keys, key=lambda key: len(key.vouched or ""), default=None)
        if longest is None or longest.vouched is None:
            raise ValueError("a question is too long without any voucher")
        keys = tuple(key.model_copy(update={"vouched": None}) if key is longest else key for key in request.keys)
        request = request.model_copy(update={"keys": keys})
        token = sign_consent(request, sign)
    return token


def is_compact(token: str) -> bool:
    """Whether header and payload of a JWS are JSON without blanks, each value in its shortest or its ASCII form.

    With padding a brand could make a request that is too large for a job.
    """
    try:
        for part in token.split(".")[:2]:
            text = decode_base64url(part).decode()
            value = loads(text.encode())
            if text not in {json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_) for ascii_ in (False, True)}:
                return False
    except ValueError:
        return False
    return True


def parse_consent(token: bytes) -> ConsentMessage | None:
    """Parse a request; None: it is malformed. The signature is not verified: it proves nothing about a brand."""
    parts = jws.split(token)
    if len(token) > MAX_CONSENT_BYTES or parts is None:
        return None
    try:
        if loads(parts.header) != jws.CONSENT_REQUEST.members():
            return None
        return jws.parse_claims(ConsentMessage, parts.payload)
    except ValueError:
        return None
