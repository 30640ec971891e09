"""A proof as an EPCIS 2.0 document: valid by GS1's schema, its ids those of the reference implementation, signed."""

import copy
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from epcis_event_hash_generator.hash_generator import epcis_hashes_from_events  # type: ignore[import-untyped]  # it has no types
from epcis_event_hash_generator.json_to_py import (  # type: ignore[import-untyped]  # it has no types
    event_list_from_epcis_document_json,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.delivery.result import Outcome
from gateway.evidence.epcis import epc_uri, event_hash
from gateway.evidence.epcis_export import ProofNotVerified, signed_epcis, write_epcis
from gateway.protocol.hash_chain import Json
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.custodies import S10, SSCC, codes, custody_row, digest, scan_row, sealed, step_row

SCHEMA = json.loads((Path(__file__).parent / "epcis_schema" / "EPCISDocument.schema.json").read_text())
CHECKER = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
PARIS = ZoneInfo("Europe/Paris")
MADE = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
KEY = BoxKey.generate()

OFFERED = custody_row("announced", "offered", 0)
RECEIVED = custody_row("offered", "received", 30, receiver="marc")
HANDED_OVER = custody_row("received", "handed_over", 3600, receiver="marc")
CONFIRMED = custody_row("handed_over", "confirmed", 3700, receiver="marc")
STORED = step_row(90, {"event": "DoorHeard"}, {"command": "ParcelResult", "outcome": "delivered", "missing": 0})


def document(
    tmp_path: Path, *rows: dict[str, Json], known: dict[str, str] | None = None, entrance: str = "desk"
) -> dict[str, Any]:
    folder = sealed(tmp_path, rows, KEY, entrance=entrance)
    known = codes(SSCC, S10) if known is None else known
    data, _ = signed_epcis(folder, key=KEY, line=KeyHistory(), zone=PARIS, made=MADE, codes=known)
    made: dict[str, Any] = json.loads(data)
    CHECKER.validate(made)
    return made


def events(made: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made["epcisBody"]["eventList"]
    return found


def reference_hashes(made: dict[str, Any]) -> list[str]:
    """The ids of the events as the reference implementation computes them.

    Its release 1.9.3 writes destinations before sources, against the table of CBV 2.0 and its own later examples, so an
    event that is compared has one of both at most (`test_a_published_event_has_its_published_id` has both).
    """
    found: list[str] = epcis_hashes_from_events(event_list_from_epcis_document_json(copy.deepcopy(made)))
    return found


def test_a_custody_is_four_transfers_of_one_parcel(tmp_path: Path) -> None:
    made = document(tmp_path, OFFERED, RECEIVED, HANDED_OVER, CONFIRMED)
    assert [event["bizStep"] for event in events(made)] == ["arriving", "receiving", "collecting", "accepting"]
    assert {epc for event in events(made) for epc in event["epcList"]} == {f"https://id.gs1.org/00/{SSCC}"}
    _, received, handed_over, _ = events(made)
    marc = "urn:perron:perron-1:desk:receiver:marc"
    assert received["sourceList"] == [{"type": "possessing_party", "source": "urn:perron:carrier:Chronopost"}]
    assert received["destinationList"] == [{"type": "possessing_party", "destination": marc}]
    assert handed_over["sourceList"] == [{"type": "possessing_party", "source": marc}]
    assert received["readPoint"] == {"id": "urn:perron:perron-1:desk"}
    assert (received["eventTime"], received["eventTimeZoneOffset"]) == ("2026-06-01T12:00:30.000Z", "+02:00")


def test_the_id_of_each_event_is_the_one_of_the_reference_implementation(tmp_path: Path) -> None:
    declined = custody_row("offered", "declined", 40, code=S10, receiver="marc", reason="damaged")
    made = document(tmp_path, OFFERED, RECEIVED, custody_row("announced", "offered", 35, code=S10), declined,
                    HANDED_OVER, CONFIRMED)  # fmt: skip
    for event in events(made):
        one_sided = {name: value for name, value in event.items() if name != "destinationList"}
        expected = reference_hashes({**made, "epcisBody": {"eventList": [one_sided]}})
        assert [event_hash(one_sided)] == expected
        assert event["eventID"] == event_hash(event)
    assert len({event["eventID"] for event in events(made)}) == 6


# From the examples of the reference implementation (tests/examples/expected/CBV2.0, MIT licence): the events of
# epcisDocWithShippingAndTransportingEvent and epcisDocWithVariousEventTypes, with their pre-hash strings.
PUBLISHED: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {
            "type": "ObjectEvent", "eventTime": "2022-02-16T12:50:00.000+01:00", "eventTimeZoneOffset": "+01:00",
            "epcList": ["https://id.gs1.org/00/140123451122233341"], "action": "OBSERVE", "bizStep": "departing",
            "readPoint": {"id": "https://id.gs1.org/414/4012345000221"},
            "bizTransactionList": [
                {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:ASN1099"}
            ],
            "sourceList": [{"type": "possessing_party", "source": "https://id.gs1.org/417/4012345000009"}],
            "destinationList": [{"type": "possessing_party", "destination": "https://id.gs1.org/417/4023333000000"}],
        },
        ("eventType=ObjectEventeventTime=2022-02-16T11:50:00.000ZeventTimeZoneOffset=+01:00"
        "epcListepc=https://id.gs1.org/00/140123451122233341action=OBSERVE"
        "bizStep=https://ref.gs1.org/cbv/BizStep-departingreadPointid=https://id.gs1.org/414/4012345000221"
        "bizTransactionListtype=https://ref.gs1.org/cbv/BTT-desadv"
        "bizTransaction=urn:epcglobal:cbv:bt:4012345000009:ASN1099"
        "sourceListtype=https://ref.gs1.org/cbv/SDT-possessing_partysource=https://id.gs1.org/417/4012345000009"
        "destinationListtype=https://ref.gs1.org/cbv/SDT-possessing_party"
        "destination=https://id.gs1.org/417/4023333000000"),
    ),
    (
        {
            "type": "ObjectEvent", "eventTime": "2019-10-21T12:00:30.000+01:00", "eventTimeZoneOffset": "+01:00",
            "epcList": ["https://id.gs1.org/00/052000011111111461"], "action": "OBSERVE", "bizStep": "receiving",
            "readPoint": {"id": "https://id.gs1.org/414/4012345000122"},
            "bizTransactionList": [
                {"type": "inv", "bizTransaction": "urn:epcglobal:cbv:bt:5200001000008:RE1099"},
                {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:5200001000008:4711"},
            ],
            "sourceList": [
                {"type": "possessing_party", "source": "https://id.gs1.org/417/4000001000128"},
                {"type": "owning_party", "source": "https://id.gs1.org/417/4000001000128"},
            ],
            "destinationList": [
                {"type": "possessing_party", "destination": "https://id.gs1.org/417/4012345000009"},
                {"type": "owning_party", "destination": "https://id.gs1.org/417/4012345000009"},
                {"type": "location", "destination": "https://id.gs1.org/414/4012345000122"},
            ],
        },
        ("eventType=ObjectEventeventTime=2019-10-21T11:00:30.000ZeventTimeZoneOffset=+01:00"
        "epcListepc=https://id.gs1.org/00/052000011111111461action=OBSERVE"
        "bizStep=https://ref.gs1.org/cbv/BizStep-receivingreadPointid=https://id.gs1.org/414/4012345000122"
        "bizTransactionListtype=https://ref.gs1.org/cbv/BTT-desadv"
        "bizTransaction=urn:epcglobal:cbv:bt:5200001000008:4711"
        "type=https://ref.gs1.org/cbv/BTT-invbizTransaction=urn:epcglobal:cbv:bt:5200001000008:RE1099"
        "sourceListtype=https://ref.gs1.org/cbv/SDT-owning_partysource=https://id.gs1.org/417/4000001000128"
        "type=https://ref.gs1.org/cbv/SDT-possessing_partysource=https://id.gs1.org/417/4000001000128"
        "destinationListtype=https://ref.gs1.org/cbv/SDT-locationdestination=https://id.gs1.org/414/4012345000122"
        "type=https://ref.gs1.org/cbv/SDT-owning_partydestination=https://id.gs1.org/417/4012345000009"
        "type=https://ref.gs1.org/cbv/SDT-possessing_partydestination=https://id.gs1.org/417/4012345000009"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("event", "pre_hash"), PUBLISHED)
def test_a_published_event_has_its_published_id(event: dict[str, Any], pre_hash: str) -> None:
    assert event_hash(event) == f"ni:///sha-256;{sha256(pre_hash.encode()).hexdigest()}?ver=CBV2.0"


def test_a_delivery_through_the_door_arrives_and_is_stored(tmp_path: Path) -> None:
    made = document(tmp_path, scan_row(0, SSCC), scan_row(5, S10), STORED, entrance="front")
    arrived, stored = events(made)
    assert (arrived["bizStep"], stored["bizStep"]) == ("arriving", "storing")
    assert stored["epcList"] == [f"https://id.gs1.org/00/{SSCC}", f"urn:perron:parcel:{S10}"]
    assert stored["bizLocation"] == {"id": "urn:perron:perron-1:front:front"}
    assert stored["sourceList"] == [{"type": "possessing_party", "source": "urn:perron:carrier:Chronopost"}]


def test_what_the_courier_takes_with_him_is_collected_and_departs_as_a_return(tmp_path: Path) -> None:
    go = {"command": "Answer", "word": "go"}
    ended = step_row(
        90, {"event": "Due"},
        {"command": "ParcelResult", "outcome": "delivered", "missing": 0, "collected": "collected"},
    )  # fmt: skip
    late = scan_row(95, SSCC, go, kind="collect")
    rows = (
        scan_row(40, S10, go, kind="collect"),
        scan_row(50, "R-1", {"command": "Answer", "word": "no"}, kind="collect"),
    )
    collected, departed = events(document(tmp_path, *rows, ended, late, entrance="front"))
    assert (collected["bizStep"], departed["bizStep"]) == ("collecting", "departing")
    assert departed["epcList"] == collected["epcList"] == [f"urn:perron:parcel:{S10}"]
    assert departed["disposition"] == "returned"
    assert departed["bizTransactionList"] == [{"type": "rma", "bizTransaction": "urn:perron:delivery:lune.d-1"}]
    assert departed["destinationList"] == [{"type": "possessing_party", "destination": "urn:perron:carrier:Chronopost"}]


def test_a_refused_courier_stores_nothing(tmp_path: Path) -> None:
    refused = step_row(90, {"event": "Due"}, {"command": "ParcelResult", "outcome": "not_delivered", "missing": 0})
    made = document(tmp_path, scan_row(0, SSCC), refused, entrance="front")
    assert [event["bizStep"] for event in events(made)] == ["arriving"]


def test_a_courier_token_is_no_parcel(tmp_path: Path) -> None:
    made = document(tmp_path, scan_row(0, "courier:abcd", kind="courier"), STORED, entrance="front")
    assert events(made) == []


def test_a_parcel_scanned_before_the_couriers_code_is_in_the_document(tmp_path: Path) -> None:
    """Its own scan is in the log before the visit's; the scan that begins the visit names it."""
    begins: dict[str, Json] = {
        **scan_row(0, "courier:abcd", kind="courier"), "route": {"parcels": [digest(SSCC), digest(S10)]}
    }  # fmt: skip
    made = document(tmp_path, begins, STORED, entrance="front")
    assert [event["bizStep"] for event in events(made)] == ["arriving", "storing"]
    both = sorted([f"https://id.gs1.org/00/{SSCC}", f"urn:perron:parcel:{S10}"])
    assert [event["epcList"] for event in events(made)] == [both, both]


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [("damaged", "damaged"), ("unknown", "unknown"), ("no_room", "in_transit"), ("declined", "in_transit")],
)
def test_what_a_receiver_declines_stays_with_the_carrier(tmp_path: Path, reason: str, disposition: str) -> None:
    made = document(tmp_path, OFFERED, custody_row("offered", "declined", 9, receiver="marc", reason=reason))
    declined = events(made)[-1]
    assert (declined["bizStep"], declined["disposition"]) == ("inspecting", disposition)
    assert "destinationList" not in declined


def test_a_key_passes_to_its_keeper_and_back(tmp_path: Path) -> None:
    taken = step_row(20, {"event": "Reported"}, {"command": "Note", "what": "key_taken:claire"})
    returned = step_row(400, {"event": "Reported"}, {"command": "Note", "what": "key_returned"})
    rows = [{**row, "entrance": "keys"} for row in (taken, returned)]
    made = document(tmp_path, *rows, entrance="keys")
    assert [(event["bizStep"], event["epcList"]) for event in events(made)] == [
        ("collecting", ["urn:perron:perron-1:keys:key"]),
        ("storing", ["urn:perron:perron-1:keys:key"]),
    ]
    claire = "urn:perron:perron-1:keys:keeper:claire"
    assert events(made)[0]["destinationList"] == [{"type": "possessing_party", "destination": claire}]
    assert events(made)[1]["sourceList"] == [{"type": "possessing_party", "source": claire}]


def test_a_code_that_the_box_has_forgotten_appears_as_its_digest(tmp_path: Path) -> None:
    made = document(tmp_path, OFFERED, known={})
    assert events(made)[0]["epcList"] == [f"urn:perron:parcel:hmac:{digest(SSCC)}"]
    assert SSCC not in json.dumps(made)


def test_the_document_names_no_person_and_no_place_but_by_ids(tmp_path: Path) -> None:
    given = {**HANDED_OVER, "to": "Anna Dupont"}
    text = json.dumps(document(tmp_path, OFFERED, RECEIVED, given))
    assert "Anna" not in text
    assert "Dupont" not in text


def test_another_home_is_not_believed(tmp_path: Path) -> None:
    folder = sealed(tmp_path, [OFFERED, RECEIVED], KEY)
    with pytest.raises(ProofNotVerified):
        signed_epcis(folder, key=BoxKey.generate(), line=KeyHistory(), zone=PARIS, made=MADE, codes={})


def test_a_changed_log_is_exported_by_nobody(tmp_path: Path) -> None:
    folder = sealed(tmp_path, [OFFERED, RECEIVED], KEY)
    log = folder / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"marc"', b'"nina"'))
    with pytest.raises(ProofNotVerified, match=r"log\.jsonl"):
        signed_epcis(folder, key=KEY, line=KeyHistory(), zone=PARIS, made=MADE, codes={})


def test_the_box_signs_the_exact_bytes(tmp_path: Path) -> None:
    folder = sealed(tmp_path, [OFFERED, RECEIVED], KEY, outcome=Outcome.DELIVERED)
    data, signature = signed_epcis(folder, key=KEY, line=KeyHistory(), zone=PARIS, made=MADE, codes={})
    write_epcis(tmp_path / "out.json", data, signature)
    assert (tmp_path / "out.json").read_bytes() == data
    assert KEY.public.verifies((tmp_path / "out.json.sig").read_bytes(), data)
    assert not KEY.public.verifies(signature, data.replace(b"receiving", b"arriving"))


def test_a_gs1_number_becomes_a_digital_link_and_any_other_code_a_urn() -> None:
    assert epc_uri(SSCC) == f"https://id.gs1.org/00/{SSCC}"
    assert epc_uri(S10) == f"urn:perron:parcel:{S10}"
    assert epc_uri("a b/ü") == "urn:perron:parcel:a%20b%2F%C3%BC"


TEXTS = st.text("abcdefgh0123456789", min_size=1, max_size=12)
URIS = st.builds(lambda text: f"urn:perron:parcel:{text}", TEXTS) | st.sampled_from(
    [f"https://id.gs1.org/00/{SSCC}", f"https://shop.example/a/00/{SSCC}?x=1"]
)


@settings(max_examples=60, deadline=None)
@given(
    epcs=st.lists(URIS, min_size=1, max_size=4, unique=True),
    step=st.sampled_from(["arriving", "receiving", "storing", "collecting", "accepting", "inspecting"]),
    disposition=st.sampled_from(["in_progress", "damaged", "unknown", "in_transit"]),
    place=st.none() | TEXTS,
    source=st.none() | TEXTS,
    millis=st.integers(0, 10**12),
)
def test_any_event_has_the_id_that_the_reference_implementation_computes(  # noqa: PLR0913, PLR0917 - its fields
    epcs: list[str], step: str, disposition: str, place: str | None, source: str | None, millis: int
) -> None:
    when = datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event: dict[str, Any] = {
        "type": "ObjectEvent", "eventTime": when, "eventTimeZoneOffset": "+01:00", "epcList": epcs,
        "action": "OBSERVE", "bizStep": step, "disposition": disposition, "readPoint": {"id": "urn:perron:b:desk"},
        "bizTransactionList": [{"type": "desadv", "bizTransaction": "urn:perron:delivery:lune.d-1"}],
    }  # fmt: skip
    if place is not None:
        event["bizLocation"] = {"id": f"urn:perron:b:{place}"}
    if source is not None:
        event["sourceList"] = [{"type": "possessing_party", "source": f"urn:perron:{source}"}]
    made = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "EPCISDocument",
        "schemaVersion": "2.0", "creationDate": when, "epcisBody": {"eventList": [event]},
    }  # fmt: skip
    assert [event_hash(event)] == reference_hashes(made)
