"""Explains validation errors in words: what a pattern means, which fields a choice allows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from gateway.domain.delivery.features import Word
from gateway.domain.delivery.promise import Digest, Id
from gateway.hub.api.api_keys import Label as Printed
from gateway.hub.api.connections import ReturnUrl
from gateway.hub.api.delivery_models import ONE_OF, MetadataValue
from gateway.hub.api.events import Types
from gateway.hub.api.homes import BoxKey, Csr, Serial, Signature
from gateway.hub.http.problem import ApiProblem, Code, Detail, ErrorLocation
from gateway.protocol.box_hub import Envelope, Token
from gateway.protocol.consent_request import CompactJws, Hours, Kid, Label, PublicX
from gateway.system.destinations import URL_PATTERN

E = TypeVar("E", bound=Mapping[str, Any])  # an error of pydantic or FastAPI

_MAX_DETAILS = 20  # of one problem
_ID_PATTERN = re.compile(r"\^([a-z]+)-\[a-z2-7\]\{26\}\$", re.ASCII)


def _pattern(kind: object) -> str:
    rules = (rule for rule in get_args(kind) if isinstance(rule, StringConstraints))
    return next(rule.pattern for rule in rules if isinstance(rule.pattern, str))


MEANINGS: Mapping[str, str] = {
    _pattern(Id): "1 to 64 characters: lower-case letters, digits and hyphens",
    _pattern(Kid): "1 to 64 characters: letters, digits, dot, underscore and hyphen",
    _pattern(Label): "1 to 80 characters that can be printed, of Latin letters, with no space at either end",
    _pattern(Printed): "1 to 80 characters that can be printed, of Latin letters",
    _pattern(MetadataValue): "at most 500 characters, none of them NUL",
    _pattern(Digest): "a SHA-256 as 64 lower-case hexadecimal digits",
    _pattern(PublicX): "an Ed25519 public key as `x` of a JWK: 43 characters of base64url",
    _pattern(CompactJws): "a compact JWS: three parts of base64url with a dot between each two",
    _pattern(Token): "a signed message: a compact JWS, three parts of base64url with a dot between each two",
    _pattern(Envelope): "a sealed message: a compact JWE with direct key agreement, its second part empty",
    _pattern(Hours): 'hours as "08:00-18:00", from 00:00 to 24:00',
    _pattern(ReturnUrl): "an address that begins with https://, without a user's name or a fragment",
    URL_PATTERN: "an address that begins with https:// (or http://), without a user's name or a fragment",
    _pattern(Types): "one to ten types of events, with a comma between each two",
    _pattern(Csr): "a certificate request: DER in base64url without padding",
    _pattern(Signature): "a signature: its bytes in base64url without padding",
    _pattern(BoxKey): "an Ed25519 public key: 43 characters of base64url",
    _pattern(Word): "1 to 32 characters: lower-case letters, digits and underscores, a letter first",
    _pattern(Serial): "a certificate's serial number, in hexadecimal",
}  # fmt: skip
"""What text has to be, by the pattern that says so; of an id that the hub gave `pattern_meaning` knows it."""


def pattern_meaning(pattern: str) -> str | None:
    """Return in words what text matches this pattern, or None if that is not known."""
    ours = _ID_PATTERN.fullmatch(pattern)
    return f"an id that the hub gave: {ours[1]}- and 26 letters and digits" if ours else MEANINGS.get(pattern)


def problem_of(error: ValidationError, where: ErrorLocation) -> ApiProblem:
    """Return the problem of a part of a request that is not valid, with its first mistakes."""
    mistakes = _without_consequences(error.errors(include_url=False, include_input=False))
    details = [detail for mistake in mistakes for detail in details_of(mistake, where)]
    return ApiProblem(Code.INVALID, errors=details[:_MAX_DETAILS])


def problem_of_request(error: RequestValidationError) -> ApiProblem:
    """Return the problem of what FastAPI found not valid; an id that is none is the id of nothing.

    FastAPI puts the part of the request in front of each place.
    """
    mistakes = _without_consequences(error.errors())
    if any(mistake["loc"][0] == "path" for mistake in mistakes):
        return ApiProblem(Code.NOT_FOUND)
    details = [
        detail
        for each in mistakes
        for detail in details_of(
            ErrorDetails(type=each["type"], loc=each["loc"][1:], msg=each["msg"], input=None, ctx=each.get("ctx", {})),
            each["loc"][0],
        )
    ]
    return ApiProblem(Code.INVALID, errors=details[:_MAX_DETAILS])


def _without_consequences(mistakes: Sequence[E]) -> list[E]:
    """Leave out that an array is too short where it is so because of a mistake in one of its items."""
    places = [tuple(each["loc"]) for each in mistakes]

    def has_inner(place: tuple[int | str, ...]) -> bool:
        return any(len(inner) > len(place) and inner[: len(place)] == place for inner in places)

    return [each for each in mistakes if each["type"] != "too_short" or not has_inner(tuple(each["loc"]))]


def details_of(error: ErrorDetails, where: ErrorLocation) -> Iterator[Detail]:
    """Yield the details of one error of pydantic, one for each field that it is about."""
    loc, code, context = error["loc"], error["type"], error.get("ctx", {})
    if code == ONE_OF:
        for name in context["names"]:
            yield Detail(pointer=_pointer((*loc, name)), where=where, code=code, detail=error["msg"])
        return
    pointer = _pointer(loc) if where == "body" else str(loc[0]) if loc else ""
    match code:
        case "extra_forbidden":
            text = "There is nothing of this name here."
        case "missing":
            text = "This is missing."
        case "string_pattern_mismatch":
            text = f"This has to be {pattern_meaning(context['pattern']) or 'written otherwise'}."
        case "model_type" | "model_attributes_type" | "dict_type":
            text = "This has to be an object."
        case "tuple_type" | "list_type":
            text = "This has to be an array."
        case "too_short":
            text = f"This has to have at least {_count(context['min_length'], 'item')}."
        case "too_long":
            text = f"This may have at most {_count(context['max_length'], 'item')}."
        case "string_too_short":
            text = f"This has to have at least {_count(context['min_length'], 'character')}."
        case "string_too_long":
            text = f"This may have at most {_count(context['max_length'], 'character')}."
        case _:
            text = error["msg"].removeprefix("Value error, ")
    yield Detail(pointer=pointer, where=where, code=code, detail=text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Return the JSON Pointer (RFC 6901, 3)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)
