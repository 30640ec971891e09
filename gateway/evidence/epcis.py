"""Writes a verified proof as an EPCIS 2.0 document (JSON-LD), with the event hash of CBV 2.0 as each event's id.

Made from the signed manifest and the log entries that it seals, and from nothing else; so it says no more than they do.
Places and people are URIs of the box: no address, and no person's name. The log has of each code only a keyed digest;
`codes` gives the codes that the box still has.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import AliasPath, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.domain.custody import CustodyStage, DeclineReason
from gateway.domain.delivery.barcodes import BarcodeKind, InvalidBarcode, normalise
from gateway.domain.delivery.cold_verdict import ColdVerdict
from gateway.domain.delivery.result import Outcome
from gateway.domain.frozen import Frozen
from gateway.evidence.collected import read_collection
from gateway.evidence.manifest import Manifest
from gateway.protocol.cold_chain import ItemPassport
from gateway.protocol.hash_chain import Json
from gateway.protocol.key_custody import KeyStep, KeyWord, key_custody
from gateway.protocol.narrative import HappeningKind, narrative

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_CBV = "https://ref.gs1.org/cbv/"
_GS1 = "https://id.gs1.org/"
_GS1_VOC = "https://gs1.org/voc/"

Event = dict[str, Any]


class _Party(Frozen):
    """From whom to whom possession passes, as URIs."""

    source: str
    destination: str


def epcis_document(
    manifests: Sequence[Manifest],
    bodies: Iterable[object],
    *,
    zone: ZoneInfo,
    made: datetime,
    codes: Mapping[str, str],
) -> dict[str, Json]:
    """Return the document of one visit or custody.

    `manifests` are those of its parts, `bodies` the entries of their logs in order, all verified. `zone` is the home's,
    for the offset of each event. `codes` maps a code's digest in the log to the code.
    """
    writer = _Writer(manifests, zone, codes)
    events = list(writer.events(tuple(bodies)))
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _instant(made),
        "epcisBody": {"eventList": list(events)},
    }


class _Writer:
    """Writes the events of one proof."""

    def __init__(self, manifests: Sequence[Manifest], zone: ZoneInfo, codes: Mapping[str, str]) -> None:
        self._manifest, self._outcome = manifests[0], manifests[-1].outcome
        self._zone, self._codes = zone, codes
        self._box = f"urn:perron:{self._manifest.box}"
        self._entrance = f"{self._box}:{self._manifest.entrance}"
        delivery = self._manifest.delivery
        self._household = f"{self._box}:household"
        self._carrier = "urn:perron:carrier:" + _escaped("unknown" if delivery is None else delivery.carrier)

    def events(self, bodies: Sequence[object]) -> Iterator[Event]:
        for step in custody_rows(bodies):
            event = self._custody_event(step)
            if event is not None:
                yield event
        yield from self._visit_events(bodies)
        yield from self._collect_events(bodies)
        yield from map(self._item_event, self._manifest.cold_chain.items if self._manifest.cold_chain else ())
        for key in key_custody(bodies):
            event = self._key_event(key)
            if event is not None:
                yield event

    def _visit_events(self, bodies: Sequence[object]) -> Iterator[Event]:
        """Yield the arrival at the door and, where the parcels came in, the storing."""
        scanned: dict[str, None] = {}
        arrived: datetime | None = None
        for body in bodies:
            scan = _read(_ScanRow, body)
            if scan is None or not (digests := scan.parcel_digests()):
                continue
            scanned.update((self._epc(digest), None) for digest in digests)
            arrived = arrived or scan.at
        if arrived is None or not scanned:
            return
        epcs = list(scanned)
        yield self._event(arrived, epcs, "arriving", "in_progress")
        for happening in narrative(bodies):
            if happening.kind is HappeningKind.PARCELS_REPORTED and happening.value in _STORED:
                inside = _Party(source=self._carrier, destination=self._household)
                place = self._entrance
                if self._manifest.delivery is not None:
                    place += f":{_escaped(self._manifest.delivery.place)}"
                yield self._event(happening.at, epcs, "storing", "in_progress", inside, location=place)
                return

    def _collect_events(self, bodies: Sequence[object]) -> Iterator[Event]:
        """Yield each scan of a parcel that the courier took with him, and their departure together."""
        end = read_collection(bodies)
        if end is None or not end.scans:
            return
        for scan in end.scans:
            yield self._event(scan.at, [self._epc(scan.hmac)], "collecting", "returned", document="rma")
        out = _Party(source=self._household, destination=self._carrier)
        epcs = [self._epc(scan.hmac) for scan in end.scans]
        yield self._event(end.at, epcs, "departing", "returned", out, document="rma")

    def _item_event(self, item: ItemPassport) -> Event:
        """Return the storing of an item with the verdict on its cold chain; of one that nobody scanned, its inspection.

        The sensor reports are the air before the item came in, and the lowest and the highest since.
        """
        cold = self._manifest.cold_chain
        assert cold is not None  # noqa: S101 - an item is part of one
        is_stowed = item.stowed_at is not None
        event = self._event(
            item.stowed_at or cold.ended,
            [self._epc(item.code)],
            "storing" if is_stowed else "inspecting",
            str(item.verdict),
            location=f"{self._entrance}:{_escaped(item.place)}",
        )
        del event["eventID"]
        device = next((air.device for air in cold.air if air.place == item.place), None)
        metadata: dict[str, Any] = {"startTime": _instant(cold.began), "endTime": _instant(cold.ended)}
        if device is not None:
            metadata["deviceID"] = f"{self._box}:device:{_escaped(device)}"
        reports = _sensor_reports(item, cold.began)
        if reports:
            event["sensorElementList"] = [{"sensorMetadata": metadata, "sensorReport": reports}]
        return {**event, "eventID": event_hash(event)}

    def _custody_event(self, step: "CustodyRow") -> Event | None:
        receiver = f"{self._entrance}:receiver:{_escaped(step.receiver or 'unknown')}"
        epcs = [self._epc(step.hmac)]
        match step.stage:
            case CustodyStage.ANNOUNCED:
                return None
            case CustodyStage.OFFERED:
                return self._event(step.at, epcs, "arriving", "in_progress")
            case CustodyStage.RECEIVED:
                taken = _Party(source=self._carrier, destination=receiver)
                return self._event(step.at, epcs, "receiving", "in_progress", taken, location=self._entrance)
            case CustodyStage.DECLINED:
                return self._event(step.at, epcs, "inspecting", _DECLINED[step.reason or DeclineReason.DECLINED])
            case CustodyStage.HANDED_OVER:
                given = _Party(source=receiver, destination=self._household)
                return self._event(step.at, epcs, "collecting", "in_progress", given)
            case CustodyStage.CONFIRMED:
                return self._event(step.at, epcs, "accepting", "in_progress", location=self._household)

    def _key_event(self, step: KeyStep) -> Event | None:
        epcs = [f"{self._entrance}:key"]
        holder = f"{self._entrance}:keeper:{_escaped(step.holder or 'unknown')}"
        match step.word:
            case KeyWord.TAKEN:
                out = _Party(source=self._household, destination=holder)
                return self._event(step.at, epcs, "collecting", "in_progress", out)
            case KeyWord.RETURNED:
                back = _Party(source=holder, destination=self._household)
                return self._event(step.at, epcs, "storing", "in_progress", back, location=self._entrance)
            case KeyWord.LOST:
                return self._event(step.at, epcs, "inspecting", "unknown")
            case KeyWord.OFFERED | KeyWord.DUE | KeyWord.REMINDED | KeyWord.LATE:
                return None  # possession does not change

    def _event(  # noqa: PLR0913, PLR0917 - one argument for each field of an event
        self,
        at: datetime,
        epcs: list[str],
        biz_step: str,
        disposition: str,
        possession: _Party | None = None,
        location: str | None = None,
        document: str = "desadv",
    ) -> Event:
        event: Event = {
            "type": "ObjectEvent",
            "eventTime": _instant(at),
            "eventTimeZoneOffset": _offset(at.astimezone(self._zone)),
            "epcList": sorted(epcs),
            "action": "OBSERVE",
            "bizStep": biz_step,
            "disposition": disposition,
            "readPoint": {"id": self._entrance},
        }
        if location is not None:
            event["bizLocation"] = {"id": location}
        if self._manifest.delivery is not None:
            delivery = f"urn:perron:delivery:{_escaped(self._manifest.delivery.id)}"
            event["bizTransactionList"] = [{"type": document, "bizTransaction": delivery}]
        if possession is not None:
            event["sourceList"] = [{"type": "possessing_party", "source": possession.source}]
            event["destinationList"] = [{"type": "possessing_party", "destination": possession.destination}]
        return {**event, "eventID": event_hash(event)}

    def _epc(self, hmac: str) -> str:
        code = self._codes.get(hmac)
        return f"urn:perron:parcel:hmac:{hmac}" if code is None else epc_uri(code)


_SGTIN = re.compile(r"\(01\)([0-9]{14})\(21\)([!-~]{1,20})")
_STORED = frozenset({Outcome.DELIVERED, Outcome.PARTLY_DELIVERED})
_DECLINED: Mapping[DeclineReason, str] = {
    DeclineReason.DAMAGED: "damaged",
    DeclineReason.UNKNOWN: "unknown",
    DeclineReason.NO_ROOM: "in_transit",
    DeclineReason.DECLINED: "in_transit",
}


def _sensor_reports(item: ItemPassport, began: datetime) -> list[dict[str, Any]]:
    """Return the measurements of an item's place: the air before, and its range from then on."""
    alarm: dict[str, str] = {}
    if item.verdict is not ColdVerdict.CONFORMANT:
        is_measured = item.verdict is ColdVerdict.NON_CONFORMANT
        alarm = {"exception": "ALARM_CONDITION" if is_measured else "ERROR_CONDITION"}
    reports: list[dict[str, Any]] = []
    if item.before is not None:
        reports.append({"type": "Temperature", "time": _instant(began), "value": item.before, "uom": "CEL"})
    spans = [span for span in (item.during, item.after) if span is not None]
    if spans:
        low, high = min(span.min_c for span in spans), max(span.max_c for span in spans)
        reports.append({"type": "Temperature", **alarm, "minValue": low, "maxValue": high, "uom": "CEL"})
    return reports


def epc_uri(code: str) -> str:
    """Return a parcel's code as a URI: of GS1's keys the canonical Digital Link, of every other code a URN."""
    known = normalise(code)
    if not isinstance(known, InvalidBarcode) and known.kind is BarcodeKind.SSCC:
        return f"{_GS1}00/{known.value}"
    item = _SGTIN.fullmatch(code)
    if item is not None:
        return f"{_GS1}01/{item[1]}/21/{_escaped(item[2])}"
    return f"urn:perron:parcel:{_escaped(code)}"


def _escaped(text: str) -> str:
    return quote(text, safe="")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(local: datetime) -> str:
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


# ---- rows of the log -------------------------------------------------------------------------------------------------


class _Row(BaseModel):
    """A part of a log entry; the log writes more than is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


RowT = TypeVar("RowT", bound=_Row)
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class CustodyRow(_Row):
    """A log entry of a parcel at a reception, where its stage changed."""

    kind: Literal["custody"]
    at: AwareDatetime
    stage: CustodyStage
    stage_before: CustodyStage
    hmac: _Digest = Field(validation_alias=AliasPath("code", "hmac"))
    receiver: str | None = None
    reason: DeclineReason | None = None


class _Match(_Row):
    kind: str
    delivery: str


class _ScanRow(_Row):
    kind: Literal["step"]
    at: AwareDatetime
    event: Literal["Scanned"] = Field(validation_alias=AliasPath("event", "event"))
    hmac: _Digest = Field(validation_alias=AliasPath("event", "code", "hmac"))
    matches: tuple[_Match, ...] = Field((), validation_alias=AliasPath("event", "matches"))
    parcels: tuple[_Digest, ...] = Field((), validation_alias=AliasPath("route", "parcels"))

    def parcel_digests(self) -> tuple[str, ...]:
        """Return the parcels of this scan. The scan that begins a visit also has the parcels scanned before it."""
        scanned = (self.hmac,) if any(match.kind == "parcel" for match in self.matches) else ()
        return (*scanned, *self.parcels)


def custody_rows(bodies: Iterable[object]) -> Iterator[CustodyRow]:
    """Yield the entries of a custody in which a parcel's stage changed; other entries are passed over."""
    for body in bodies:
        row = _read(CustodyRow, body)
        if row is not None and row.stage is not row.stage_before:
            yield row


def _read(model: type[RowT], body: object) -> RowT | None:
    try:
        return model.model_validate(body)
    except ValidationError:
        return None


# ---- the id of an event ----------------------------------------------------------------------------------------------

_VOCABULARIES = {"bizStep": "BizStep-", "disposition": "Disp-", "bizTransaction": "BTT-"}
_CONSTRAINED = re.compile(r"(https?://[^?#]*/00/[0-9]{18})(?:[/?#].*)?")


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the id of an ObjectEvent by the event hash of CBV 2.0 (section 8.9.2), as an `ni` URI (RFC 6920).

    It covers the fields that this module writes; `eventID` itself, `type` and `recordTime` do not count. KeyError: the
    event has another field.
    """
    parts = [f"eventType={event['type']}"]
    for name, value in sorted(event.items(), key=lambda item: _ORDER[item[0]]):
        parts += _hash_parts(name, value)
    digest = sha256("".join(parts).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


_ORDER = {
    name: number
    for number, name in enumerate((
        "type", "eventID", "recordTime", "eventTime", "eventTimeZoneOffset", "epcList", "action", "bizStep",
        "disposition", "readPoint", "bizLocation", "bizTransactionList", "sourceList", "destinationList",
        "sensorElementList",
    ))
}  # fmt: skip


def _hash_parts(name: str, value: Any) -> list[str]:  # noqa: ANN401 - a field of an event
    match name:
        case "type" | "eventID" | "recordTime":
            return []
        case "eventTime":
            return [f"eventTime={_instant(datetime.fromisoformat(value))}"]
        case "epcList":
            return ["epcList", *sorted(f"epc={_canonical(epc)}" for epc in value)]
        case "bizStep" | "disposition":
            return [f"{name}={_CBV}{_VOCABULARIES[name]}{value}"]
        case "readPoint" | "bizLocation":
            return [f"{name}id={_canonical(value['id'])}"]
        case "bizTransactionList" | "sourceList" | "destinationList":
            one = name.removesuffix("List")
            kind = _VOCABULARIES.get(one, "SDT-")
            return [name, *sorted(f"type={_CBV}{kind}{item['type']}{one}={_canonical(item[one])}" for item in value)]
        case "sensorElementList":
            return [name, *sorted(map(_sensor_hash, value))]
        case _:
            return [f"{name}={value}"]


_SENSOR_METADATA = ("startTime", "endTime", "deviceID")
_SENSOR_REPORT = ("type", "exception", "time", "value", "minValue", "maxValue", "uom")


def _sensor_hash(element: Mapping[str, Any]) -> str:
    metadata = "".join(_sensor_parts(element["sensorMetadata"], _SENSOR_METADATA))
    reports = sorted("".join(_sensor_parts(report, _SENSOR_REPORT)) for report in element["sensorReport"])
    return "".join(("sensorElementsensorMetadata", metadata, *(f"sensorReport{report}" for report in reports)))


def _sensor_parts(values: Mapping[str, Any], order: Sequence[str]) -> Iterator[str]:
    for name in (name for name in order if name in values):
        value = values[name]
        if name in {"type", "exception"}:
            value = f"{_GS1_VOC}{value}"
        elif isinstance(value, float):
            value = int(value) if value.is_integer() else value
        yield f"{name}={value}"


def _canonical(uri: str) -> str:
    """Return a GS1 Digital Link on the canonical domain, without what follows the key; any other URI as it is."""
    link = _CONSTRAINED.fullmatch(uri)
    return uri if link is None else f"{_GS1}00/{link[1][-18:]}"
