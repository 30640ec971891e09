"""`perron door-notice` and `perron report`, as a person gives them."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode
from gateway.cli.owner import closure_line
from gateway.evidence.route import RouteClosure, SensorAnswer
from gateway.protocol.keys import BoxKey
from tests.gateway.cli.terminal import run_perron
from tests.gateway.evidence.documents.printed import read_pdf
from tests.gateway.evidence.documents.visits import seal_visit
from tests.gateway.evidence.route.rows import honest_visit, sealed_rows
from tests.gateway.evidence.visits import NAMES, VISIT, draft_of

pytestmark = pytest.mark.slow


def test_the_notice_is_written_in_both_languages_and_asks_for_a_contact(home_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "notice.pdf"
    told = run_perron("door-notice", out, home=home_file)
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    assert "2 pages A4" in told.stdout
    assert "--contact" in told.stdout
    french, english = read_pdf(out.read_bytes(), tmp_path).words
    assert "Livraisons filmées ici" in french
    assert "Deliveries are filmed here" in english


def test_the_notice_says_what_its_options_say(home_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "notice.pdf"
    told = run_perron(
        "door-notice", out, "--entrance", "front", "--language", "fr", "--contact", "Anne, 06 12 34 56 78",
        "--pages", "https://perron.example", home=home_file,
    )  # fmt: skip
    assert told.returncode == ExitCode.DONE
    assert "--contact" not in told.stdout
    (french,) = read_pdf(out.read_bytes(), tmp_path).words
    assert "Anne, 06 12 34 56 78" in french
    assert "https://perron.example/c" in french


def test_the_report_of_a_proof_without_names_speaks_french_or_the_language_asked_for(tmp_path: Path) -> None:
    folder, key = seal_visit(tmp_path)
    pem, out = tmp_path / "box.pem", tmp_path / "visit.pdf"
    pem.write_bytes(key.public.pem)
    told = run_perron("report", folder, out, "--key", pem)
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    assert "The proof holds." in told.stdout
    assert "La preuve est intacte" in read_pdf(out.read_bytes(), tmp_path).words[0]
    assert out.stat().st_mode & 0o077 == 0  # it shows people
    assert run_perron("report", folder, out, "--language", "en", "--key", pem).returncode == ExitCode.DONE
    assert "The proof holds" in read_pdf(out.read_bytes(), tmp_path).words[0]


def test_the_report_takes_name_zone_and_language_from_the_sealed_proof(tmp_path: Path) -> None:
    """As an insurer, and as the owner in the folder where config/home.yaml is the file of another house."""
    key, draft = BoxKey.generate(), draft_of(()).model_copy(update={"cameras": (), "names": NAMES})
    folder, _ = seal_visit(tmp_path, key=key, draft=draft)
    pem, out = tmp_path / "box.pem", tmp_path / "visit.pdf"
    pem.write_bytes(key.public.pem)
    told = run_perron("report", folder, out, "--key", pem)
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    assert "without names" not in told.stdout
    assert "did not record" not in told.stdout
    first = read_pdf(out.read_bytes(), tmp_path).words[0]
    for shown in ("Report of a visit", "Rue des Lilas", "The blue door", "Under the stairs", "Cdiscount SA"):
        assert shown in first
    assert "13:00:00" in first, "the scan at 12:00:00 UTC, in Lisbon's summer"


def test_a_report_refuses_the_house_file_of_another_box_and_writes_nothing(home_file: Path, tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    out = tmp_path / "visit.pdf"
    told = run_perron("report", folder, out, "--home", home_file)
    assert (told.returncode, told.stdout, out.exists()) == (ExitCode.INVALID, "", False)
    said = f"{home_file} is not the house file of the box that sealed this visit (box-1): its box is perron-demo."
    assert said in told.stderr
    assert "Leave --home out" in told.stderr
    assert run_perron("report", folder, out, home=home_file).returncode == ExitCode.INVALID, "PERRON_HOME names it too"


def test_verify_prints_when_each_closure_opened_and_what_proved_it_secured(home_file: Path, tmp_path: Path) -> None:
    key = BoxKey.generate()
    folder, pem = sealed_rows(tmp_path, honest_visit("key safe"), key), tmp_path / "box.pem"
    pem.write_bytes(key.public.pem)
    told = run_perron("verify", folder, "--key", pem, home=home_file)
    assert told.returncode == ExitCode.DONE
    timeless = re.sub(r" \d\d:\d\d:\d\d\b", " TIME", told.stdout)
    assert (
        "  safe (key_safe): ordered open TIME, opened TIME, secured TIME by flap closed, key present\n"
        "  front (keyed_door): a key opens it, opened TIME, secured TIME by door closed\n"
    ) in timeless
    opened, *_others, secured = re.findall(r"(?:ordered open|secured) (\d\d:\d\d:\d\d)", told.stdout)
    [(began, ended)] = re.findall(r"part 1: .*, (\d\d:\d\d:\d\d) to (\d\d:\d\d:\d\d) UTC; 0 films", told.stdout)
    assert began <= opened < secured <= ended, "without a film it is the visit's time, not that of the seal"
    assert "3 pages A4" in run_perron("report", folder, tmp_path / "visit.pdf").stdout


def test_verify_does_not_say_a_sensor_twice_whose_name_is_its_answer() -> None:
    at = datetime(2026, 11, 30, 11, 18, 44, tzinfo=UTC)
    answers = {
        sensor: SensorAnswer(value=value, query=1, asked=at, answered=at)
        for sensor, value in (("boot", "closed"), ("locked", "locked"), ("parked", "parked"))
    }
    boot = RouteClosure(
        closure="boot", kind="car_boot", guarded=False, intent=at, ordered=at, published=at, passable=at, opened=(at,),
        passed=None, secured=at, answers=answers,
    )  # fmt: skip
    assert closure_line(boot).endswith("secured 11:18:44 by boot closed, locked, parked")


def test_a_report_of_a_forged_proof_is_written_and_ends_with_no(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    log = folder / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"unlocked", b"locked", 1))
    out = tmp_path / "visit.pdf"
    told = run_perron("report", folder, out)
    assert told.returncode == ExitCode.NEGATIVE
    assert "WRONG: an entry of the log was changed: log.jsonl, entry 2" in told.stdout
    assert "LA PREUVE NE TIENT PAS" in read_pdf(out.read_bytes(), tmp_path).words[0]


def test_a_report_needs_no_house_but_one_that_is_named_must_be_there(tmp_path: Path) -> None:
    folder, _ = seal_visit(tmp_path)
    out = tmp_path / "visit.pdf"
    told = run_perron("report", folder, out)
    assert told.returncode == ExitCode.DONE
    assert "compare the fingerprint" in told.stdout
    assert VISIT in read_pdf(out.read_bytes(), tmp_path).words[0]
    told = run_perron("report", folder, tmp_path / "none.pdf", "--home", "nowhere.yaml")
    assert (told.returncode, (tmp_path / "none.pdf").exists()) == (ExitCode.INVALID, False)
