"""The report's third page, read back from the PDF: each closure, the key, and who received what."""

import copy
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.custody import CustodyStage, DeclineReason
from gateway.domain.visit.closures import ONE_DOOR
from gateway.domain.visit.closures.contract import Closure
from gateway.domain.visit.film import NO_FILM
from gateway.domain.visit.state import Evidence
from gateway.evidence.documents.report import GAP_TEXTS, HouseNames, draw_report
from gateway.evidence.documents.route_page import (
    EVIDENCE_TEXTS,
    REASON_TEXTS,
    SENSOR_TEXTS,
    STEP_TEXTS,
    has_route_page,
)
from gateway.evidence.documents.sources import read_visit
from gateway.evidence.route import KNOWN_KINDS, RouteGap
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.key_custody import KeyWord
from gateway.protocol.keys import BoxKey
from gateway.system.i18n import Language
from tests.gateway.evidence.custodies import custody_row, sealed
from tests.gateway.evidence.documents.printed import read_pdf
from tests.gateway.evidence.route.rows import honest_visit, sealed_rows
from tests.gateway.evidence.test_permits import SUPERVISOR_KEY
from tests.gateway.evidence.test_permits import rows as supervised_rows

pytestmark = pytest.mark.slow

MADE = datetime(2026, 6, 2, 8, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
KEY = BoxKey.generate()
KEY_SAFE, FLAT = honest_visit("key safe"), honest_visit("flat")


def pages(folder: Path, into: Path, language: Language = "en") -> tuple[str, ...]:
    """The words of each page."""
    evidence = read_visit(folder, public_key=KEY.public)
    pdf = draw_report(evidence, language=language, zone=PARIS, made=MADE, names=HouseNames())
    return read_pdf(pdf, into).words


def test_a_flats_report_has_both_doors_with_the_answers_that_prove_them_shut(tmp_path: Path) -> None:
    first, _, third = pages(sealed_rows(tmp_path, FLAT, KEY), tmp_path)
    assert "page 1 of 3" in first
    assert re.search(r"Also: Door opened 09:02:\d\d \(Street door\), Door closed 09:02:\d\d \(Street door\)", first)
    assert "1. Street door (street) Ordered open at 09:02:17, the order left at 09:02:17" in third
    assert re.search(
        r"Proven shut when the next one was ordered open, at 09:02:(\d\d): contact: closed \(answered 09:02:\d\d\)",
        third,
    )
    assert re.search(r"2\. Door \(flat\) Ordered open at 09:02:\d\d", third)
    assert re.search(r"Opened: 09:02:\d\d, 09:02:\d\d Proven", third)
    assert third.count("Secured, proven at ") == 2
    assert "bolt: locked (answered " in third
    assert "The house requires a film of the whole way as evidence." in third
    assert "Who had it" not in third


def test_a_key_safes_report_has_the_key_and_no_bolt_that_it_never_had(tmp_path: Path) -> None:
    first, _, third = pages(sealed_rows(tmp_path, KEY_SAFE, KEY), tmp_path, "fr")
    assert "Déverrouillé" not in first
    assert "1. Coffre à clé (safe)" in third
    assert "2. Porte à clé (front) Seule une clé l'ouvre, aucun ordre de la box" in third
    assert "La clé a servi à : le livreur" in third
    taken, returned = third.index("Clé prise de son crochet"), third.index("Clé de retour sur son crochet, prouvé")
    assert third.index("Qui l'avait") < taken < returned


def test_a_cars_report_says_how_old_its_position_was_and_not_where_it_was(tmp_path: Path) -> None:
    _, _, third = pages(sealed_rows(tmp_path, honest_visit("car"), KEY), tmp_path)
    assert re.search(r"Its position was \d+ s old at that moment; at most 120 s are permitted", third)


def test_a_closure_that_was_not_proven_is_printed_in_red(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    end = next(number for number, row in enumerate(rows) if row["phase"] == "locked_again")
    (*_, third) = pages(sealed_rows(tmp_path, rows[:end], KEY), tmp_path)
    assert third.count("Not proven secured") == 2
    assert "Secured, proven" not in third


def test_the_report_has_a_named_keeper_and_a_clock_that_was_set(tmp_path: Path) -> None:
    rows = copy.deepcopy(KEY_SAFE)
    rows[0]["route"]["holder"] = "keeper:claire"
    for row in rows:
        for command in row["commands"]:
            if command.get("what") == "key_taken":
                command["what"] = "key_taken:claire"
    rows[3]["trusted"] = False
    first, _, third = pages(sealed_rows(tmp_path, rows, KEY), tmp_path)
    assert "The key was used by: claire" in third
    assert "Key taken from its hook (claire)" in third
    assert "Also declared: the box's clock was set during the visit, so its times cannot be compared" in first
    assert "No declared gap." not in first


def test_a_receptions_report_names_the_receiver_and_has_no_door(tmp_path: Path) -> None:
    rows = [
        custody_row("announced", "offered", 1),
        custody_row("offered", "received", 5, receiver="huissier"),
        custody_row("received", "handed_over", 60, receiver="huissier"),
    ]
    first, second, third = pages(sealed(tmp_path, rows, KEY), tmp_path)
    assert "No door was opened: a receiver took the parcels." in first
    assert "Unlocked" not in first
    assert "Timeline" not in second
    assert "No pictures: no camera films this entrance." in second
    assert "14:00:01 The courier offered it (…0017)" in third
    assert "14:00:05 Received (huissier, …0017)" in third
    assert "14:01:00 Handed over to the household (huissier, …0017)" in third
    declined = custody_row("offered", "declined", 5, receiver="huissier", reason="damaged")
    (tmp_path / "other").mkdir()
    (*_, third) = pages(sealed(tmp_path / "other", [rows[0], declined], KEY), tmp_path, "fr")
    assert "14:00:05 Refusé (huissier, …0017, abîmé)" in third


def test_the_report_of_a_moved_delivery_names_its_own_entrance(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, FLAT, KEY, {"moved_from": "garage"})
    assert read_visit(folder, public_key=KEY.public).verdict.ok
    (first, *_) = pages(folder, tmp_path)
    assert "Moved from garage" in first


def test_a_forged_proofs_third_page_is_called_a_claim(tmp_path: Path) -> None:
    rows = copy.deepcopy(FLAT)
    folder = sealed_rows(tmp_path, rows, KEY, {"holder": "receiver"})
    (*_, third) = pages(folder, tmp_path)
    assert "Way in Not proven: what this folder claims" in third


def test_one_door_keeps_its_two_pages(tmp_path: Path) -> None:
    rows = copy.deepcopy(honest_visit("one door"))
    for row in rows:
        for one in row.get("route", {}).get("closures", ()):
            one["closure"] = ONE_DOOR[0].id
        for command in row["commands"]:
            if command.get("closure") == "front":
                command["closure"] = ONE_DOOR[0].id
        for field in ("sensor", "device", "closure"):
            name = row["event"].get(field)
            if isinstance(name, str):
                row["event"][field] = ONE_DOOR[0].id if name == "front" else name.removeprefix("front/")
    folder = sealed_rows(tmp_path, rows, KEY)
    evidence = read_visit(folder, public_key=KEY.public)
    assert evidence.verdict.ok
    assert evidence.manifests[0].route[0].secured is not None
    assert not has_route_page(evidence.manifests)
    assert not has_route_page(())
    assert len(pages(folder, tmp_path)) == 2


def test_every_word_of_the_page_has_its_text() -> None:
    answers = {
        (role, value)
        for name in KNOWN_KINDS
        for role, sensor in (kind_of(name).sensors).items()
        for value in sensor.needs_answer
    }
    assert answers <= set(SENSOR_TEXTS)
    assert set(STEP_TEXTS) == {*CustodyStage, *KeyWord} - {KeyWord.DUE}
    assert set(REASON_TEXTS) == set(DeclineReason)
    assert set(EVIDENCE_TEXTS) == set(Evidence)
    assert {*RouteGap, NO_FILM} <= set(GAP_TEXTS)
    tables = (SENSOR_TEXTS, STEP_TEXTS, REASON_TEXTS, EVIDENCE_TEXTS)
    for text in (text for table in tables for text in table.values()):
        assert text.to("fr") != text.to("en")


def kind_of(name: str) -> Closure:
    """A closure of this kind with all the sensors that it can have."""
    kind = KNOWN_KINDS[name]
    return kind.model_construct(id="x", devices=dict.fromkeys(kind.roles, "device"), obstruction_sensor=True)


def test_a_supervised_opening_has_its_supervisor_and_the_picture_in_the_report(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, supervised_rows(), KEY)
    (permit,) = read_visit(folder, public_key=KEY.public).manifests[-1].permits
    assert permit.picture_sha256 is not None
    page = pages(folder, tmp_path)[-1]
    assert re.search(
        rf"Permitted by ines at \d\d:\d\d:\d\d, on a picture with SHA-256 {permit.picture_sha256[:16]}", page
    )
    assert f"Signed with the key {Jwk.of(SUPERVISOR_KEY.public_key()).fingerprint}" in page


def test_of_a_yes_whose_signature_is_not_in_the_proof_the_report_says_so(tmp_path: Path) -> None:
    folder = sealed_rows(tmp_path, supervised_rows(is_signed=False), KEY)
    page = pages(folder, tmp_path)[-1]
    assert "The proof has no signature of this yes" in page
