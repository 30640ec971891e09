"""Reads and writes the list of parcels that the parcel integrations of Home Assistant share.

    parcels       [{"carrier": "Colissimo", "barcode": "8L20524752032", "status": "out_for_delivery", ...}, ...]
    last_updated  2026-11-29T08:10:11.123456+00:00 (ISO 8601), of the entity

Of a parcel only `barcode` and `status` are read; everything else about it (who sent it, to whom) stays unread. A status
that is not in `ParcelStatus` is unknown. Source: ha-parcel-integrations, one contract of 72 integrations; Home
Assistant's statestream (`publish_attributes`, `publish_timestamps`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from devices.reports import ParcelsReport, ParcelStatus, TrackedParcel
from devices.strict_json import MalformedPayload, mapping, sequence, text

MAX_PARCELS = 200  # of one household; a longer list is refused as a whole
MAX_NUMBER_CHARS = 128


def read_parcels(value: object) -> ParcelsReport:
    """Return the list; a parcel without a readable number is left out. MalformedPayload: it is no such list."""
    items = sequence(value, "parcels")
    if len(items) > MAX_PARCELS:
        raise MalformedPayload(f"more than {MAX_PARCELS} parcels")
    return ParcelsReport(parcels=tuple(parcel for item in items if (parcel := _read_parcel(item)) is not None))


def _read_parcel(item: object) -> TrackedParcel | None:
    try:
        fields = mapping(item, "a parcel")
        number = text(fields.get("barcode"), "barcode", MAX_NUMBER_CHARS)
    except MalformedPayload:
        return None
    word = fields.get("status")
    status = ParcelStatus(word) if isinstance(word, str) and word in set(ParcelStatus) else ParcelStatus.UNKNOWN
    return TrackedParcel(number=number, status=status)


def write_parcels(report: ParcelsReport) -> list[Mapping[str, str]]:
    """Return the list as the integrations write it. ValueError: an unknown list has no attribute."""
    if report.parcels is None:
        raise ValueError("an entity that knows nothing says so in its state")
    return [{"barcode": parcel.number, "status": parcel.status.value} for parcel in report.parcels]


def read_update_time(payload: bytes) -> datetime:
    """Return the instant of `last_updated`, in UTC. MalformedPayload: it is none."""
    try:
        at = datetime.fromisoformat(payload[:64].decode())
    except ValueError as error:
        raise MalformedPayload("last_updated is not an ISO 8601 time") from error
    if at.tzinfo is None:
        raise MalformedPayload("last_updated has no offset")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise MalformedPayload("last_updated is out of range") from error
