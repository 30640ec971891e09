"""`perron walk-test` where no gateway runs, and a report that is checked far from the box."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.cli.walktest import status_lines, verify_report
from gateway.config.home import Home
from gateway.installation import notes
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk import TrialAnswer, answer_trial, begin_walk
from gateway.installation.walk_test_report import draw_report, sign_walk
from gateway.installation.walk_test_socket import WalkTestReply
from gateway.protocol.keys import BoxKey
from tests.gateway.cli.terminal import run_perron

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.slow
def test_without_a_gateway_it_says_that_nobody_could_see_and_to_start_one(home_file: Path) -> None:
    done = run_perron("walk-test", "--show", home=home_file)
    assert done.returncode == 3
    assert "does not run" in done.stderr
    assert "perron run" in done.stderr


def report(home: Home, folder: Path, key: BoxKey) -> Path:
    walk = begin_walk("front", home.entrances["front"], now=NOW, by="Ida", before=WalkTestStatus.NEVER)
    sheet = draw_report(home, walk, {}, {}, made=NOW, box=key.public)
    (folder / notes.INSTALLATION_FOLDER).mkdir()
    notes.store_report(folder, "front", sheet, sign_walk(home, walk, sheet, key))
    return notes.report_files(folder, "front")[0]


def test_a_report_is_checked_offline_and_one_that_was_changed_or_is_another_box_s_does_not_hold(
    home: Home, tmp_path: Path
) -> None:
    key = BoxKey.fresh()
    file = report(home, tmp_path, key)
    mine, other = tmp_path / "mine.pem", tmp_path / "other.pem"
    mine.write_bytes(key.public.pem)
    other.write_bytes(BoxKey.fresh().public.pem)
    assert "perron-demo" in verify_report(file, mine)
    assert key.public.fingerprint in verify_report(file, None)
    with pytest.raises(Failure, match="signature does not hold"):
        verify_report(file, other)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(Failure, match="another than the one that was signed"):
        verify_report(file, mine)
    with pytest.raises(Failure, match="cannot be read"):
        verify_report(tmp_path / "none.pdf", mine)


def test_what_is_shown_names_each_trial_and_what_to_do_now(home: Home) -> None:
    walk = begin_walk("front", home.entrances["front"], now=NOW, by="Ida", before=WalkTestStatus.NEVER)
    failed = answer_trial(walk, 0, TrialAnswer.FAILED, NOW)
    told = list(status_lines(WalkTestReply(standing=WalkTestStatus.FAILED, walk=failed), "front", "en"))
    assert told[0].startswith("The walk test is not passed: no unattended visit")
    assert told[1] == "  1 The door sensor: not passed"
    assert any(line.startswith("> The bolt: Close the door and press") for line in told)
