"""Problem details (RFC 9457), each with a stable code."""

from collections.abc import Mapping, Sequence
from enum import StrEnum, auto
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"

ErrorLocation = Literal["body", "query", "header", "path"]


class Code(StrEnum):
    """Why something was not done."""

    MALFORMED_JSON = auto()
    BAD_CURSOR = auto()
    BAD_HOST = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    METHOD_NOT_ALLOWED = auto()
    CONFLICT = auto()
    ALREADY_EXISTS = auto()
    STALE_VERSION = auto()
    TOO_LATE = auto()
    NOT_CONNECTED = auto()
    TOO_SLOW = auto()
    TOO_LARGE = auto()
    UNSUPPORTED_MEDIA_TYPE = auto()
    INVALID = auto()
    IDEMPOTENCY_KEY_REUSED = auto()
    SIGNATURE_REFUSED = auto()
    ADDRESS_REFUSED = auto()
    NOT_PERMITTED = auto()
    SIGNATURE_REQUIRED = auto()
    RATE_LIMITED = auto()
    HOME_OFFLINE = auto()
    HOME_SILENT = auto()
    INTERNAL = auto()
    UNAVAILABLE = auto()


PROBLEM_TYPES: Mapping[Code, tuple[HTTPStatus, str]] = MappingProxyType(
    {
        Code.MALFORMED_JSON: (HTTPStatus.BAD_REQUEST, "The body is not valid, unambiguous JSON"),
        Code.BAD_CURSOR: (HTTPStatus.BAD_REQUEST, "This list did not issue the cursor"),
        Code.BAD_HOST: (HTTPStatus.MISDIRECTED_REQUEST, "This host name is not the hub's"),
        Code.UNAUTHENTICATED: (HTTPStatus.UNAUTHORIZED, "The request has no valid API key or token"),
        Code.FORBIDDEN: (HTTPStatus.FORBIDDEN, "This API key may not do that"),
        Code.NOT_FOUND: (HTTPStatus.NOT_FOUND, "No object has this id, or it is not yours"),
        Code.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "This address does not support the method"),
        Code.CONFLICT: (HTTPStatus.CONFLICT, "It contradicts the stored state"),
        Code.ALREADY_EXISTS: (HTTPStatus.CONFLICT, "An object of this name exists already"),
        Code.STALE_VERSION: (HTTPStatus.CONFLICT, "A newer version is known already"),
        Code.TOO_LATE: (HTTPStatus.CONFLICT, "It can no longer be changed"),
        Code.NOT_CONNECTED: (HTTPStatus.CONFLICT, "The home has not let this brand in"),
        Code.SIGNATURE_REQUIRED: (HTTPStatus.CONFLICT, "The home accepts only what the brand itself signed"),
        Code.TOO_SLOW: (HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time"),
        Code.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
        Code.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json"),
        Code.INVALID: (HTTPStatus.UNPROCESSABLE_ENTITY, "A value of the request is not valid"),
        Code.IDEMPOTENCY_KEY_REUSED: (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This Idempotency-Key was used for another request",
        ),
        Code.SIGNATURE_REFUSED: (HTTPStatus.UNPROCESSABLE_ENTITY, "The signed message is not valid"),
        Code.NOT_PERMITTED: (HTTPStatus.UNPROCESSABLE_ENTITY, "The home's terms do not allow it"),
        Code.ADDRESS_REFUSED: (HTTPStatus.UNPROCESSABLE_ENTITY, "The hub sends nothing to such an address"),
        Code.RATE_LIMITED: (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
        Code.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "The hub failed; you may send the request again"),
        Code.HOME_OFFLINE: (HTTPStatus.SERVICE_UNAVAILABLE, "The home is not connected to the hub"),
        Code.HOME_SILENT: (HTTPStatus.GATEWAY_TIMEOUT, "The home did not answer in time"),
        Code.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "The hub cannot do that now"),
    }
)


class Detail(BaseModel):
    """One mistake: its place (RFC 6901 in a body, otherwise the parameter's name), its code, and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pointer: str
    where: Annotated[ErrorLocation, Field(alias="in")]
    code: str
    detail: str


class Document(BaseModel):
    """The body of an error (RFC 9457). `code` is stable; `detail` and `title` are for people.

    `sealed` is for a household's browser that has ended: its home's last message, which only that browser can
    decrypt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    title: str
    status: int
    code: Code
    detail: str | None = None
    instance: str | None = None
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
        super().__init__(detail or PROBLEM_TYPES[code][1])
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

    @property
    def status(self) -> HTTPStatus:
        """The status of the response."""
        return PROBLEM_TYPES[self.code][0]

    def document(self, url: str, instance: str) -> Document:
        """Return the body of the response; its type is an address of the hub that explains the code."""
        return Document(
            type=f"{url}/problems/{self.code}",
            title=PROBLEM_TYPES[self.code][1],
            status=self.status,
            code=self.code,
            detail=self.detail,
            instance=instance,
            errors=self.errors or None,
            sealed=self.sealed,
        )
