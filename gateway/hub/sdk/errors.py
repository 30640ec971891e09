"""The exceptions of a retailer's client; each is a `PerronError`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pydantic_core


class PerronError(Exception):
    """Base of every exception of this package."""


class HubUnreachableError(PerronError):
    """No hub answered: the network or the server failed at each try, or the answer is not a hub's; the text says it."""


class WebhookRejectedError(PerronError):
    """A webhook's message is not the hub's, or is older than five minutes: answer it 401 and do nothing else."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a request: its place (a JSON pointer, or a parameter's name), its stable code, what is wrong."""

    pointer: str
    code: str
    detail: str


class RefusedError(PerronError):
    """The hub refused a request (RFC 9457). Its text says what is wrong and where.

    `code` is the stable code on which a program may decide, `type` the address of the page that explains it.
    `request_id` names the request in the hub's log: tell it to the hub's operator. `maybe_done`: the answer to an
    earlier try was lost on its way, so that try may have taken effect, and this refusal may be due to it.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], *, maybe_done: bool = False) -> None:
        def text(name: str) -> str:
            value = problem.get(name)
            return escape_control_characters(value) if isinstance(value, str) else ""

        self.status, self.maybe_done = status, maybe_done
        self.code, self.type, self.request_id = text("code") or "unknown", text("type"), text("request_id")
        self.title, self.detail = text("title"), text("detail")
        self.mistakes = tuple(_mistakes(problem.get("errors")))
        lines = [self.detail or self.title or f"HTTP {status}"]
        lines += [f"  {mistake.pointer}: {mistake.detail}" for mistake in self.mistakes]
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.request_id:
            lines.append(f"  The hub's operator finds it by its id: {self.request_id}")
        if maybe_done:
            lines.append("  The answer to an earlier try was lost: it may have taken effect.")
        super().__init__("\n".join(lines))


class InvalidRequestError(RefusedError):
    """The request is wrong (400, 422 and others): `mistakes` says where. It will be refused again."""


class UnauthenticatedError(RefusedError):
    """The API key is not valid, or no longer (401)."""


class ForbiddenError(RefusedError):
    """The API key may not do this, or the operator has suspended the retailer (403)."""


class NotFoundError(RefusedError):
    """There is no such object, or it is another retailer's (404)."""


class ConflictError(RefusedError):
    """The object is in another state than the request supposes (409): read it anew."""


class RateLimitedError(RefusedError):
    """The limit is used up (429), and stayed so for all tries, or for longer than `Retries.max_retry_after_s`."""


class HubFailedError(RefusedError):
    """The hub itself failed (5xx), at each try."""


_BY_STATUS: Mapping[int, type[RefusedError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
}


def refusal(status: int, body: bytes, *, maybe_done: bool = False) -> RefusedError:
    """Return the exception of an answer whose status is not that of success."""
    try:
        problem = pydantic_core.from_json(body)
    except ValueError:
        problem = None
    kind = _BY_STATUS.get(status) or (
        HubFailedError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidRequestError
    )
    return kind(status, problem if isinstance(problem, dict) else {}, maybe_done=maybe_done)


def _mistakes(errors: object) -> list[Mistake]:
    def of(error: Mapping[str, Any]) -> Mistake:
        return Mistake(*(escape_control_characters(str(error.get(name, ""))) for name in ("pointer", "code", "detail")))

    return [of(error) for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def escape_control_characters(text: str) -> str:
    """Return a text from outside with nothing in it that can move a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)
