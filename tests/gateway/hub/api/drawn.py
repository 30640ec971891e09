"""What schemathesis loads: how it draws what a schema's words alone do not tell it.

An Idempotency-Key names one request, so each that is well formed is a new one here; what the same key does twice is
tried in test_door.py. A `date-time` of a schema that names its years is drawn from these years.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import RejectedPositiveData

KEY = "Idempotency-Key"

ALLOWED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("createWebhookEndpoint", "address_refused"): "whether a host is a name of the internet is no pattern's to say",
        ("changeWebhookEndpoint", "address_refused"): "the same",
        ("listWebhookMessages", "bad_cursor"): "a cursor is one that the list gave",
    }
)
"""By operation and the problem's code: the rule that no schema can say, so a body that fits may be refused."""

schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC)).map(datetime.isoformat),  # noqa: DTZ001 - the zone is the next argument
)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - the tool's
    """Write a new key where there is a good one.

    Not into a request that is wrong on purpose: it is refused before its key is looked at, and the tool would judge the
    changed request anew, take it for a good one and give it the Authorization that it was to lack.
    """
    wrong = case.meta is not None and case.meta.generation.mode.is_negative
    if not wrong and KEY in (case.headers or {}):
        case.headers[KEY] = str(uuid4())


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:  # noqa: ANN401 - the tool's
    """Let pass what is allowed, and that alone: a good body refused by that operation for that reason."""
    refused = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
    if not isinstance(failure, RejectedPositiveData) or response.status_code not in refused:
        return True
    return (case.operation.definition.raw["operationId"], response.json().get("code")) not in ALLOWED
