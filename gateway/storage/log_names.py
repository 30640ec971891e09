"""Names in the audit log of classes and fields whose names in the code changed later.

The log is a hash chain and part of each proof, so a name that it has used once stays. `docs/reference/proof-format.md`
documents these names; tests/gateway/storage/log_names.json lists all of them.
"""

from collections.abc import Mapping

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import AlarmPanelReported, FridgeReported, PresenceReported, RoomReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.state import PausePeriod

_KINDS: Mapping[type, str] = {
    e.SequenceAdvanced: "DeviceSpoke",
    e.BatteryReported: "BatteryHeard",
    e.SensorOffline: "DeviceLost",
    e.WalkTestChanged: "WalkTested",
    FridgeReported: "FridgeHeard",
    PresenceReported: "PresenceHeard",
    RoomReported: "RoomHeard",
    AlarmPanelReported: "PanelHeard",
    e.BellConfirmed: "BellRang",
    e.HolderLeft: "RobotLeft",
    e.HolderStrayed: "RobotStrayed",
    e.HouseholdAnswered: "SomebodyAnswered",
    e.LockRequested: "LockAsked",
    e.ProofSealed: "Sealed",
    e.TimerExpired: "Due",
    e.ReportContext: "Heard",
    FridgeState: "Cold",
    PausePeriod: "Pause",
    c.AnswerScan: "Answer",
    c.RingBell: "Ring",
    c.ReserveOpening: "Reserve",
    c.QuerySensor: "Query",
    c.ConsumeOpening: "Spend",
    c.ReleaseOpening: "Release",
    c.StartRecording: "Film",
    c.StopRecording: "StopFilm",
    c.SealProof: "Seal",
    c.ShowSignal: "Show",
    c.NotifyOwner: "Tell",
    c.RaiseAlarm: "Alarm",
    c.LogNote: "Note",
    c.ReportParcelResult: "ParcelResult",
    c.ReportDoorResult: "HouseResult",
    c.ReportReadiness: "Readiness",
}
_FIELDS: Mapping[tuple[type, str], str] = {
    (e.SensorReported, "context"): "heard",
    (e.SequenceAdvanced, "context"): "heard",
    (e.SequenceAdvanced, "sensor"): "device",
    (e.SensorOffline, "sensor"): "device",
    (e.HolderLeft, "holder"): "robot",
    (e.HolderStrayed, "holder"): "robot",
    (e.WalkTestChanged, "failed"): "barred",
    (FridgeReported, "fridge"): "cold",
    (e.WindowChanged, "near"): "expecting",
    (c.AnswerScan, "answer"): "word",
    (c.NotifyOwner, "notification"): "saying",
    (c.ReportDoorResult, "door_result"): "house",
    (c.Lock, "attempt"): "n",
    (c.Close, "attempt"): "n",
    (c.QuerySensor, "sensor"): "device",
}

# Fields that are written only if they have a value, so a home with one door has the same rows as before.
_OMITTED_WHEN_EMPTY = frozenset({
    (e.SensorReported, "age_s"),
    (c.NotifyOwner, "closure"), (c.RaiseAlarm, "closure"), (c.ReserveOpening, "permit"), (c.Unlock, "ages"),
    (e.OpeningDecided, "token"), (e.OpeningDecided, "key"),
})  # fmt: skip


def kind_of(logged: type) -> str:
    """Return the kind under which the log writes an event, a command or a part of one."""
    return _KINDS.get(logged, logged.__name__)


def is_omitted_when_empty(logged: type, field: str) -> bool:
    """Return whether the log writes this field only if it has a value."""
    return (logged, field) in _OMITTED_WHEN_EMPTY


def field_of(logged: type, field: str) -> str:
    """Return the key under which the log writes this field of a class."""
    return _FIELDS.get((logged, field), field)
