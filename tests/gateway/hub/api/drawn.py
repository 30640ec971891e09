"""What schemathesis loads: how it draws what a schema's words alone do not tell it.

An Idempotency-Key names one request, so each that is well formed is a new one here; what the same key does twice is
tried in test_dispatch.py. A window ends after its start and lies ahead, an item has a limit and a code of its own, a
delivery is most often announced under the
connection that there is, and a stream ends at once. Only good requests are so amended: one that is wrong on purpose is
sent as it was drawn.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from gateway.protocol.browser_envelope import load_private_key
from gateway.system.clock import machine_time
from tests.remotebrowser import RemoteBrowser

IDEMPOTENCY_HEADER = "Idempotency-Key"
HOUSEHOLD_PATH = "^/v1/household/"
CONNECTION = os.environ.get("PERRON_CONNECTION")
"""A connection that the retailer has and the home has granted."""
_BROWSER_KEYS = json.loads(os.environ["PERRON_BROWSER"])
BROWSER = RemoteBrowser(
    browser=_BROWSER_KEYS["browser"],
    home=_BROWSER_KEYS["home"],
    hub=_BROWSER_KEYS["hub"],
    sign=load_private_key(bytes.fromhex(_BROWSER_KEYS["key"])),
)
"""A browser of a household whose box answers: what is its own is asked in its name."""

_INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is the next argument
_LETTERS = st.characters(categories=["L", "Nd"])
schemathesis.openapi.format("date-time", _INSTANTS.map(datetime.isoformat))
schemathesis.openapi.format("printable", st.text(_LETTERS, min_size=1, max_size=80))
schemathesis.openapi.format("address-text", st.from_regex(r"[0-9A-Z]{2,10}", fullmatch=True))
schemathesis.openapi.format("parcel-code", st.from_regex(r"[A-Z]{3}[0-9]{1,20}", fullmatch=True))

_OPAQUE = "a cursor, or an event's id, is one that was told before"
_NAMES = "whether a host is a name of the internet no pattern says"
_SIGNED = "whether a signature holds no pattern says"
_LARGE = "an endless token is refused by its bytes before it is looked at"
ALLOWED_REFUSALS: Mapping[tuple[str, str], str] = MappingProxyType({
    ("createDelivery", "invalid"): "the hub makes no code for an order that has one, or that the brand signed",
    ("createApiKey", "invalid"): "a carrier's key names its carrier, and no other key names one",
    ("listBrands", "bad_cursor"): _OPAQUE,
    ("listConnections", "bad_cursor"): _OPAQUE,
    ("listDeliveries", "bad_cursor"): _OPAQUE,
    ("readTimeline", "bad_cursor"): _OPAQUE,
    ("listEvents", "bad_cursor"): _OPAQUE,
    ("listErasures", "bad_cursor"): _OPAQUE,
    ("followEvents", "bad_cursor"): _OPAQUE,
    ("addBrandKey", "signature_refused"): _SIGNED,
    ("createConnection", "signature_refused"): _SIGNED,
    ("endConnection", "signature_refused"): _SIGNED,
    ("askFacts", "signature_refused"): _SIGNED,
    ("sendComment", "signature_refused"): _SIGNED,
    ("readAvailability", "invalid"): "`end` lies after `start`, at most seven days",
    ("useClaim", "signature_refused"): _SIGNED,
    ("renewCertificate", "signature_refused"): _SIGNED,
    ("confirmCertificate", "signature_refused"): _SIGNED,
    ("leaveHub", "signature_refused"): _SIGNED,
    ("listWebhookMessages", "bad_cursor"): _OPAQUE,
    ("createWebhookEndpoint", "address_refused"): _NAMES,
    ("changeWebhookEndpoint", "address_refused"): _NAMES,
    ("createDelivery", "signature_refused"): _SIGNED,
    ("changeDelivery", "signature_refused"): _SIGNED,
    ("cancelDelivery", "signature_refused"): _SIGNED,
    ("askMoreTime", "signature_refused"): _SIGNED,
    ("announceArrival", "signature_refused"): _SIGNED,
    ("announceArrival", "too_large"): _LARGE,
    ("announceArrival", "invalid"): "a courier comes about the time of the window",
    ("createDelivery", "too_large"): _LARGE,
    ("changeDelivery", "too_large"): _LARGE,
    ("cancelDelivery", "too_large"): _LARGE,
    ("askMoreTime", "too_large"): _LARGE,
    ("askFacts", "too_large"): _LARGE,
    ("sendComment", "too_large"): _LARGE,
    ("readProof", "not_found"): "a delivery that was just made has no proof yet",
})  # fmt: skip
"""By operation and the problem's code: why a request that fits the schema may be refused, or one that does not in that
way.
"""


BATCHES = frozenset({"createDeliveries", "readAvailabilities"})
"""A batch is answered although an item does not fit the schema: that item has a problem of its own."""


class _BearerAuth:
    """Who asks: a bearer of something that is written anew before it is over."""

    def get(self, _case: Any, _context: Any) -> str:  # noqa: ANN401 - the tool's
        """Write it."""
        raise NotImplementedError

    def set(self, case: Any, data: str, _context: Any) -> None:  # noqa: ANN401 - the same
        """Put it on a request."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.auth(refresh_interval=60).skip_for(path_regex=HOUSEHOLD_PATH)
class RetailerAuth(_BearerAuth):
    """By the API key."""

    def get(self, _case: Any, _context: Any) -> str:  # noqa: ANN401 - the same
        """It lasts."""
        return os.environ["PERRON_KEY"]


@schemathesis.auth(refresh_interval=60).apply_to(path_regex=HOUSEHOLD_PATH)
class BrowserAuth(_BearerAuth):
    """By a token that a browser of the household signs."""

    def get(self, _case: Any, _context: Any) -> str:  # noqa: ANN401 - the same
        """It is good for five minutes."""
        return BROWSER.token()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - the tool's
    """Amend a good request.

    Not one that is wrong on purpose: the tool would judge the changed request anew, take it for a good one and give it
    the Authorization that it was to lack.
    """
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return
    if IDEMPOTENCY_HEADER in (case.headers or {}):
        case.headers[IDEMPOTENCY_HEADER] = str(uuid4())
    if case.operation.definition.raw["operationId"] == "followEvents":
        case.query = {**(case.query or {}), "seconds": 0}
    if isinstance(case.body, dict):
        _amend(case.body)
        for item in case.body.get("items", ()) if case.operation.definition.raw["operationId"] in BATCHES else ():
            _amend(item)


def _amend(body: dict[str, Any]) -> None:
    if "connection" in body and CONNECTION:
        body["connection"] = CONNECTION
    wanted = body.get("delivery")
    if isinstance(wanted, dict) and isinstance(wanted.get("window"), dict):
        start = machine_time() + timedelta(hours=1)
        wanted["window"] = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
    if isinstance(wanted, dict) and "name" in wanted:
        wanted["name"] = str(uuid4())
    if isinstance(wanted, dict) and isinstance(wanted.get("items"), list):
        for number, item in enumerate(wanted["items"]):
            item |= {"code": f"ITM{number}", "min_celsius": None, "max_celsius": 8.0, "profile": None}


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:  # noqa: ANN401 - the tool's
    """Let pass what is allowed, and that alone: refused by that operation for that reason."""
    operation = case.operation.definition.raw["operationId"]
    if isinstance(failure, AcceptedNegativeData) and operation in BATCHES:
        return all(one["problem"] is None for one in response.json()["data"])
    if (
        not isinstance(failure, RejectedPositiveData | AcceptedNegativeData | EnsureResourceAvailability)
        or response.status_code < HTTPStatus.BAD_REQUEST
    ):
        return True
    return (operation, response.json().get("code")) not in ALLOWED_REFUSALS
