"""The rules of VDA 5050 3.0.0 for the three messages that a door has to do with, as JSON schemas.

They say what state.schema, connection.schema and responses.schema (github.com/VDA5050/VDA5050, json_schemas) say of
required fields, types and words; what these files describe beyond that (positions, paths, actions, maps) is left out.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
INSTANT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def _message(fields: Mapping[str, Schema], *, required: tuple[str, ...] | None = None) -> Schema:
    """Return the rules of an object; all its fields are required unless `required` names those that are."""
    return {"type": "object", "required": list(fields if required is None else required), "properties": dict(fields)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


_HEADER = {
    "headerId": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, "timestamp": INSTANT, "version": TEXT,
    "manufacturer": TEXT, "serialNumber": TEXT,
}  # fmt: skip

ZONE_REQUEST = _message({
    "requestId": TEXT, "requestType": _one_of("ACCESS", "REPLANNING"), "zoneId": TEXT, "zoneSetId": TEXT,
    "requestStatus": _one_of("REQUESTED", "GRANTED", "REVOKED", "EXPIRED"),
})  # fmt: skip
ERROR = _message({"errorType": TEXT, "errorLevel": _one_of("WARNING", "URGENT", "CRITICAL", "FATAL")})
SAFETY = _message({"activeEmergencyStop": _one_of("MANUAL", "REMOTE", "NONE"), "fieldViolation": {"type": "boolean"}})
LOAD = _message({"loadId": TEXT, "loadType": TEXT, "loadPosition": TEXT}, required=())
POWER = _message({"stateOfCharge": {"type": "number", "minimum": 0, "maximum": 100}, "charging": {"type": "boolean"}})
_OF_STATE: dict[str, Schema] = {
    **_HEADER,
    "orderId": TEXT, "orderUpdateId": NUMBER, "lastNodeId": TEXT, "lastNodeSequenceId": NUMBER,
    "nodeStates": _list({"type": "object"}), "edgeStates": _list({"type": "object"}), "driving": {"type": "boolean"},
    "actionStates": _list({"type": "object"}), "instantActionStates": _list({"type": "object"}), "powerSupply": POWER,
    "operatingMode": _one_of(
        "STARTUP", "AUTOMATIC", "SEMIAUTOMATIC", "INTERVENED", "MANUAL", "SERVICE", "TEACH_IN"
    ),
    "errors": _list(ERROR), "safetyState": SAFETY,
}  # fmt: skip
STATE = _message({**_OF_STATE, "zoneRequests": _list(ZONE_REQUEST), "loads": _list(LOAD)}, required=tuple(_OF_STATE))
CONNECTION = _message({**_HEADER, "connectionState": _one_of("ONLINE", "OFFLINE", "HIBERNATING", "CONNECTION_BROKEN")})
RESPONSE = _message(
    {"requestId": TEXT, "grantType": _one_of("GRANTED", "QUEUED", "REVOKED", "REJECTED"), "leaseExpiry": INSTANT},
    required=("requestId", "grantType"),
)
RESPONSES = _message({**_HEADER, "responses": _list(RESPONSE)})
