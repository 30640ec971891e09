"""`perron epcis`, as the person at the box gives it."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode
from gateway.config.loader import load_home_file
from gateway.protocol.keys import BoxKey
from tests.gateway.cli.terminal import run_perron
from tests.gateway.evidence.custodies import custody_row, digest, sealed, step_row
from tests.gateway.evidence.test_epcis import CHECKER

pytestmark = pytest.mark.slow

ROWS = (custody_row("announced", "offered", 0), custody_row("offered", "received", 30, receiver="marc"))


@pytest.fixture
def key(home_file: Path) -> BoxKey:
    """The key of the box of this house."""
    return BoxKey.load_or_create(load_home_file(home_file).storage.folder / "key")


def test_a_proof_is_written_as_a_document_that_openssl_verifies(home_file: Path, key: BoxKey, tmp_path: Path) -> None:
    folder, out = sealed(tmp_path, ROWS, key), tmp_path / "out.json"
    told = run_perron("epcis", folder, out, home=home_file)
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    assert key.public.fingerprint in told.stdout
    document = json.loads(out.read_bytes())
    CHECKER.validate(document)
    assert [event["bizStep"] for event in document["epcisBody"]["eventList"]] == ["arriving", "receiving"]
    assert digest("340123450000000017") in json.dumps(document), "the box knows no such parcel any more"
    (printed,) = (line.partition("$ ")[2] for line in told.stdout.splitlines() if "$ openssl" in line)
    verified = subprocess.run(shlex.split(printed), capture_output=True, text=True, check=False, timeout=20)
    assert verified.returncode == 0, verified.stderr
    assert out.stat().st_mode & 0o077 == 0


def test_the_keeper_who_had_the_key_is_the_possessing_party(home_file: Path, key: BoxKey, tmp_path: Path) -> None:
    rows = [
        step_row(at, {"event": "Reported"}, {"command": "Note", "what": what})
        for at, what in ((20, "key_taken:oh-my-keys"), (400, "key_returned:oh-my-keys"))
    ]
    own = [{**row, "entrance": "keys"} for row in rows]
    folder, out = sealed(tmp_path, own, key, entrance="keys"), tmp_path / "out.json"
    told = run_perron("epcis", folder, out, home=home_file)
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    document = json.loads(out.read_bytes())
    CHECKER.validate(document)
    taken, returned = document["epcisBody"]["eventList"]
    (held,), (given,) = taken["destinationList"], returned["sourceList"]
    assert held["destination"] == given["source"]
    assert held["destination"].endswith(":keys:keeper:oh-my-keys")
    assert {held["type"], given["type"]} == {"possessing_party"}


def test_a_changed_proof_is_not_exported(home_file: Path, key: BoxKey, tmp_path: Path) -> None:
    folder, out = sealed(tmp_path, ROWS, key), tmp_path / "out.json"
    log = folder / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"marc"', b'"nina"'))
    told = run_perron("epcis", folder, out, home=home_file)
    assert (told.returncode, out.exists()) == (ExitCode.NEGATIVE, False)
    assert "does not hold" in told.stderr
    assert "perron verify" in told.stderr


@pytest.mark.usefixtures("key")
def test_a_proof_of_another_box_is_not_exported_and_said_to_be_one(home_file: Path, tmp_path: Path) -> None:
    folder, out = sealed(tmp_path, ROWS, BoxKey.generate()), tmp_path / "out.json"
    told = run_perron("epcis", folder, out, home=home_file)
    assert (told.returncode, out.exists()) == (ExitCode.NEGATIVE, False)
    assert "Another box than 'perron-demo', that of the house file, sealed" in told.stderr
    assert "Name the house file of the visit's own box with --home." in told.stderr


def test_what_is_no_folder_is_named(home_file: Path, tmp_path: Path) -> None:
    told = run_perron("epcis", tmp_path / "none", tmp_path / "out.json", home=home_file)
    assert told.returncode == ExitCode.INVALID
    assert "is no folder" in told.stderr


def test_a_box_without_a_key_signs_nothing(home_file: Path, tmp_path: Path) -> None:
    folder = sealed(tmp_path, ROWS, BoxKey.generate())
    told = run_perron("epcis", folder, tmp_path / "out.json", home=home_file)
    assert told.returncode == ExitCode.NO_ANSWER
    assert "key has no key of a box: nothing was exported" in told.stderr
    assert "house file of the visit's own box with --home" in told.stderr


def test_a_file_that_is_there_is_not_written_over(home_file: Path, key: BoxKey, tmp_path: Path) -> None:
    folder = sealed(tmp_path, ROWS, key)
    for name in ("out.json", "out.json.sig"):
        there = tmp_path / name
        there.write_text("mine")
        told = run_perron("epcis", folder, tmp_path / "out.json", home=home_file)
        assert (told.returncode, there.read_text()) == (ExitCode.INVALID, "mine")
        assert f"{there} exists: nothing was written." in told.stderr
        there.unlink()
