"""Problem details (RFC 9457), each with a stable code."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.domain.frozen import Frozen

MEDIA_TYPE = "application/problem+json"

ErrorLocation = Literal["body", "query", "header", "path"]


class ProblemKind(Frozen, kw_only=False):
    """What all problems of one code have in common. `means` and `todo` (what to do) are for retailers.

    `again`: whether the client may repeat the same request.
    """

    code: str
    status: HTTPStatus
    title: str
    means: str
    todo: str
    again: bool = False


class Code(StrEnum):
    """Why something was not done."""

    kind: ProblemKind

    def __new__(cls, kind: ProblemKind) -> Self:
        """Make the text of a code, which is its value."""
        code = str.__new__(cls, kind.code)
        code._value_, code.kind = kind.code, kind
        return code

    # fmt: off
    MALFORMED_JSON = ProblemKind(
        "malformed_json", HTTPStatus.BAD_REQUEST, "The body is not valid, unambiguous JSON",
        "The body is not valid JSON, or it is ambiguous: it is incomplete, contains a name twice, NaN or "
        "Infinity, a number with thousands of digits, or more than twelve levels. `detail` says which.",
        "Write the body with a JSON library. The hub did nothing.",
    )
    BAD_CURSOR = ProblemKind(
        "bad_cursor", HTTPStatus.BAD_REQUEST, "This list did not issue the cursor",
        "This list did not issue the `cursor`, `after` or `Last-Event-ID`, or it belongs to another retailer.",
        "Use `next` of the page before, unchanged. If you lost it, start without a cursor.",
    )
    BAD_HOST = ProblemKind(
        "bad_host", HTTPStatus.MISDIRECTED_REQUEST, "This host name is not the hub's",
        "The request used a host name that is not the hub's.",
        "Use the address under `servers` in /openapi.json.",
    )
    UNAUTHENTICATED = ProblemKind(
        "unauthenticated", HTTPStatus.UNAUTHORIZED, "The request has no valid API key or token",
        "The request has no API key, or the key is unknown, revoked or expired; or the token of a browser is "
        "invalid or expired, or its home has ended the browser. The hub does not say which. `sealed` is the last "
        "message of the home to a browser that has ended; only that browser can decrypt it.",
        "Send `Authorization: Bearer key-..._...`. The hub shows a key once, when it is made. If you lost it, "
        "make another key and revoke this one.",
    )
    FORBIDDEN = ProblemKind(
        "forbidden", HTTPStatus.FORBIDDEN, "This API key may not do that",
        "The API key is valid but does not have the right: a key with the right to read cannot change anything, and a "
        "carrier's key does only what that carrier needs for its deliveries.",
        "Use a key whose `right` is `full`.",
    )
    RETAILER_SUSPENDED = ProblemKind(
        "retailer_suspended", HTTPStatus.FORBIDDEN, "The operator of this hub has suspended the retailer",
        "The API key is valid, and the operator of this hub has suspended your account. The hub did nothing. What you "
        "announced before stays as it is. Webhooks wait, and the hub sends them when the account is resumed.",
        "Speak with the operator of this hub. The same key works again as soon as the account is resumed.",
    )
    NOT_FOUND = ProblemKind(
        "not_found", HTTPStatus.NOT_FOUND, "No object has this id, or it is not yours",
        "No object has this id, or it belongs to another retailer, or one of key and object belongs to the "
        "sandbox and the other does not. The hub does not say which.",
        "Check the id and the key. Read what you made with a sandbox's key with that key.",
    )
    METHOD_NOT_ALLOWED = ProblemKind(
        "method_not_allowed", HTTPStatus.METHOD_NOT_ALLOWED, "This address does not support the method",
        "The address exists, but does not support this method.",
        "The header `Allow` names the methods; this page lists all operations.",
    )
    CONFLICT = ProblemKind(
        "conflict", HTTPStatus.CONFLICT, "It contradicts the stored state",
        "The request contradicts the stored state; `detail` says how. Or two requests did the same at one moment, "
        "and the other one won.",
        "Read the object, then decide again.",
    )
    ALREADY_EXISTS = ProblemKind(
        "already_exists", HTTPStatus.CONFLICT, "An object of this name exists already",
        "Another request has already made an object with this name.",
        "Read that object, or choose another name. To repeat a request safely, send an `Idempotency-Key`.",
    )
    STALE_VERSION = ProblemKind(
        "stale_version", HTTPStatus.CONFLICT, "A newer version is known already",
        "You named or signed a version, and there is a newer one.",
        "Read the newest version, and apply your change to it.",
    )
    TOO_LATE = ProblemKind(
        "too_late", HTTPStatus.CONFLICT, "It can no longer be changed",
        "The delivery is over (delivered, cancelled, expired ...), or the door was already opened for it. It can "
        "no longer be changed or cancelled.",
        "Read its state. Announce a new delivery if you need one.",
    )
    NOT_CONNECTED = ProblemKind(
        "not_connected", HTTPStatus.CONFLICT, "The home has not let this brand in",
        "The home has not let this brand in: it has not answered yet, refused, or revoked its permission.",
        "Wait for `connection.decided`. If the home refused or revoked, ask its owner again.",
    )
    TOO_SLOW = ProblemKind(
        "too_slow", HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time",
        "The body did not arrive completely in the time that the hub waits.",
        "Send it again, over a better connection. The hub did nothing.",
        again=True,
    )
    TOO_LARGE = ProblemKind(
        "too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large",
        "The body is larger than this operation accepts.",
        "`detail` says the limit. A delivery has at most fifty parcels.",
    )
    UNSUPPORTED_MEDIA_TYPE = ProblemKind(
        "unsupported_media_type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json",
        "The Content-Type of the body is not JSON in UTF-8, or the body is compressed.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    )
    INVALID = ProblemKind(
        "invalid", HTTPStatus.UNPROCESSABLE_ENTITY, "A value of the request is not valid",
        "The JSON is valid, but a value is not. Each entry of `errors` names one place by its `pointer` (RFC 6901 "
        "in a body, otherwise the parameter's name), a `code`, and a sentence about the mistake.",
        "Correct the named values. The hub refuses unknown names, so that a misspelt name is not ignored.",
    )
    IDEMPOTENCY_KEY_REUSED = ProblemKind(
        "idempotency_key_reused", HTTPStatus.UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for another request",
        "The same `Idempotency-Key` came within 24 hours with another method, address or body.",
        "Use a new key for each operation, and the same key only for the same request.",
    )
    SIGNATURE_REFUSED = ProblemKind(
        "signature_refused", HTTPStatus.UNPROCESSABLE_ENTITY, "The signed message is not valid",
        "The signature or the claims of the message are not valid. The `code` in `errors` is the one that the "
        "home would give: unknown_key, wrong_signature, no_longer_valid, wrong_audience ...",
        "Enrol the key with that `kid` for the brand, sign for this home (`aud` is the connection's home), and "
        "sign again: a message is valid for at most 31 days.",
    )
    ADDRESS_REFUSED = ProblemKind(
        "address_refused", HTTPStatus.UNPROCESSABLE_ENTITY, "The hub sends nothing to such an address",
        "The hub sends no webhooks to this address: it is private, link-local, the hub's own, or not https.",
        "Use a public https address. For trials use `perron retailer watch`, which needs no address.",
    )
    NOT_PERMITTED = ProblemKind(
        "not_permitted", HTTPStatus.UNPROCESSABLE_ENTITY, "The home's terms do not allow it",
        "The home's terms, as the home last reported them (`terms` of the connection), do not contain this "
        "entrance, place or carrier. The `code` in `errors` says which (entrance_not_permitted, "
        "place_not_permitted, carrier_not_permitted), its `detail` what is allowed. The hub sent nothing to the "
        "home.",
        "Name an allowed one, or ask the home for more with a new connection. The home itself checks what the hub "
        "passes on, and what you send while the home is away; a refusal then comes back as `refused`.",
    )
    OTHER_ADDRESS = ProblemKind(
        "other_address", HTTPStatus.UNPROCESSABLE_ENTITY, "The order is for another address",
        "The postcode or word in `expected_address` is not the one that the home's owner tells (`address` of the "
        "connection). The hub sent nothing to the home.",
        "Ask your customer which address the order is for, and use that home's connection.",
    )
    UNSUPPORTED = ProblemKind(
        "unsupported", HTTPStatus.CONFLICT, "The home's box does not understand it",
        "The box of this home is of an older release, which does not understand such a message, or it has not stated "
        "yet what it understands. The hub sent nothing to the home.",
        "`readBox` says what the box understands. Do without it for this home.",
    )
    SIGNATURE_REQUIRED = ProblemKind(
        "signature_required", HTTPStatus.CONFLICT, "The home accepts only what the brand itself signed",
        "This home accepts only what the brand itself signed; the hub's signature is not enough.",
        "Sign the delivery with the brand's key (`perron retailer announce --key-file`) and send it as `token`.",
    )
    RATE_LIMITED = ProblemKind(
        "rate_limited", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests",
        "This retailer (or, without a key, this address) has sent more requests than its limit.",
        "Wait for the seconds in `Retry-After`. Each answer contains the limits in `RateLimit-Policy` and the "
        "rest in `RateLimit`.",
        again=True,
    )
    HOME_OFFLINE = ProblemKind(
        "home_offline", HTTPStatus.SERVICE_UNAVAILABLE, "The home is not connected to the hub",
        "The home's box is not connected to the hub: its internet connection is down, or it is off. The hub sent "
        "no question.",
        "Ask again later. An order waits at the hub for the time that it names; a stop for 15 minutes.",
        again=True,
    )
    HOME_SILENT = ProblemKind(
        "home_silent", HTTPStatus.GATEWAY_TIMEOUT, "The home did not answer in time",
        "The home's box is connected, but did not answer within 25 seconds.",
        "Ask again with a new question: the box does not answer the same question twice.",
        again=True,
    )
    INTERNAL = ProblemKind(
        "internal", HTTPStatus.INTERNAL_SERVER_ERROR, "The hub failed; you may send the request again",
        "The hub failed. It carried the request out completely or not at all.",
        "Send the same request again with the same `Idempotency-Key`: if it was carried out, you get its answer.",
        again=True,
    )
    UNAVAILABLE = ProblemKind(
        "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The hub cannot do that now",
        "The hub cannot do that now: something that it needs is away or full.",
        "Send the same request again in some minutes.",
        again=True,
    )
    # fmt: on


class Detail(BaseModel):
    """One mistake: its place (RFC 6901 in a body, otherwise the parameter's name), its code, and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pointer: str
    where: Annotated[ErrorLocation, Field(alias="in")]
    code: str
    detail: str


_CODE_SCHEMA = {
    "type": "string", "x-extensible-enum": [code.value for code in Code],
    "description": "The stable code of the mistake. A later release of the hub may add codes.",
}  # fmt: skip


class Document(BaseModel):
    """The body of an error (RFC 9457). `code` is stable; `detail` and `title` are for people.

    `request_id` is that of the header `Request-Id`: name it to the hub's operator, who finds the request by it.
    `sealed` is for a household's browser that has ended: its home's last message, which only that browser can
    decrypt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    title: str
    status: int
    code: Annotated[Code, WithJsonSchema(_CODE_SCHEMA)]
    detail: str | None = None
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[Detail, ...] | None = None
    sealed: str | None = None


class ApiProblem(Exception):  # noqa: N818 - RFC 9457's word
    """A request was refused; `headers` are added to the response."""

    def __init__(
        self,
        code: Code,
        detail: str | None = None,
        *,
        errors: Sequence[Detail] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
        sealed: str | None = None,
    ) -> None:
        super().__init__(detail or code.kind.title)
        self.code, self.detail, self.errors, self.headers = code, detail, tuple(errors), headers
        self.sealed = sealed

    @classmethod
    def at(  # noqa: PLR0913 - the fields of a detail, and two of the problem
        cls,
        pointer: str,
        mistake: str,
        why: str,
        *,
        code: Code = Code.INVALID,
        where: ErrorLocation = "body",
        detail: str | None = None,
    ) -> Self:
        """Return the problem of one mistake: its place, its code, and why."""
        wrong = Detail(pointer=pointer[:80], where=where, code=mistake, detail=why)
        return cls(code, detail, errors=[wrong])

    def document(self, url: str, instance: str, request_id: str) -> Document:
        """Return the body of the response; its type is an address of the hub that explains the code."""
        return Document(
            type=f"{url}/problems/{self.code}",
            title=self.code.kind.title,
            status=self.code.kind.status,
            code=self.code,
            detail=self.detail,
            instance=instance,
            request_id=request_id,
            errors=self.errors or None,
            sealed=self.sealed,
        )


def concurrent_request() -> ApiProblem:
    """Return the problem of a request that lost against one that did the same at the same moment."""
    return ApiProblem(Code.CONFLICT, "Another request did this at the same moment.")
