"""The record of one HTTP request: id, operation, caller, answer. The log, the metrics and the answer read it.

This module names no web framework. The web layer opens one record for each request (`record_request`), sends its `id`
as the header `Request-Id` of every answer, and fills in what it learns. Code that runs in the request's task finds the
record by `current_request`, and its log lines have the id as `request_id`.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.system.ids import random_text

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER: Final = "Request-Id"
UNKNOWN_OPERATION: Final = "unknown"  # no operation and no page has this address
# Monitoring requests these every few seconds, from each process by that process's own address
MONITORING: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_ID_CHARS: Final = 16


@dataclass
class RequestRecord:
    """One request. The web layer and the operation fill it in while they serve it.

    `operation`: the operationId, or the pattern of a page's address; an address itself may contain a secret. `retailer`
    and `code` (of a problem): None if there is none. `status` and `seconds` are None until the answer begins.
    """

    method: str
    monotonic: Callable[[], float]
    id: str = field(default_factory=lambda: f"req-{random_text()[:_ID_CHARS]}")
    operation: str = UNKNOWN_OPERATION
    retailer: str | None = None
    code: str | None = None
    status: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        self._begun = self.monotonic()

    def answer_begins(self, status: int) -> None:
        """Note the status of the answer, whose first byte is sent now; the first call counts."""
        if self.status is None:
            self.status, self.seconds = status, self.monotonic() - self._begun


_current: ContextVar[RequestRecord] = ContextVar("request")


def current_request() -> RequestRecord:
    """Return the record of the request that this task serves; LookupError: it serves none."""
    return _current.get()


def record_request(method: str, *, monotonic: Callable[[], float]) -> RequestRecord:
    """Open the record of a new request, for as long as its task runs. The id is new: the hub ignores a client's own."""
    record = RequestRecord(method, monotonic)
    _current.set(record)
    structlog.contextvars.bind_contextvars(request_id=record.id)
    return record


def log_request(record: RequestRecord, *, every: bool) -> None:
    """Write the line of a request that has ended. `every` false: only if the hub itself failed (5xx).

    The line has no address, no value of a query, no header and no body: they may contain secrets. Monitoring's own
    requests have no line while they succeed.
    """
    has_failed = record.status is not None and record.status >= 500
    is_good_monitoring = record.operation in MONITORING and record.status == 200
    if not has_failed and (not every or is_good_monitoring):
        return
    (log.error if has_failed else log.info)(
        "request", method=record.method, operation=record.operation, status=record.status,
        ms=None if record.seconds is None else round(record.seconds * 1000, 1), retailer=record.retailer,
        code=record.code,
    )  # fmt: skip
