"""The bench itself works and what it measures is more than nothing; no speed is asserted."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.loader import load_home_file
from gateway.demo.processes import LoggedProcess
from tests.bench.homes import make_home, write_home
from tests.bench.peers.job import Scanners
from tests.bench.peers.running import until_ready

pytestmark = pytest.mark.slow
PATIENCE = 180.0  # seconds, on a machine that does much else


def test_the_gateway_takes_the_house_that_the_benches_use(tmp_path: Path) -> None:
    (tmp_path / "gateway.password").write_text("word\n")
    write_home(make_home(tmp_path, entrances=2, port=1), tmp_path / "home.yaml")
    assert set(load_home_file(tmp_path / "home.yaml").entrances) == {"gate-0", "gate-1"}


def test_the_three_cheapest_benches_measure_something_and_say_whether_goals_are_met(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    command = [
        sys.executable,
        "-m",
        "tests.bench",
        "--quick",
        "--only",
        "decision",
        "--only",
        "deliveries",
        "--only",
        "faults",
    ]
    ran = subprocess.run(
        [*command, "--json", str(result)], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 0, ran.stderr
    lines = json.loads(result.read_text(encoding="utf-8"))
    assert {line["bench"] for line in lines} == {"decision", "deliveries", "faults"}
    assert all(line["value"] > 0 for line in lines)
    assert all(line["ratio"] is None or line["ratio"] > 0 for line in lines)
    assert all((line["met"] is None) == (line["goal"] == "") for line in lines)


class NeverReady(Scanners):
    """Scanners whom nobody answers."""

    async def until_ready(self, peer: str, within: float = PATIENCE) -> None:  # noqa: ARG002 - a real one asks it
        """Wait."""
        async with asyncio.timeout(within):
            await asyncio.Event().wait()


async def test_a_peer_that_ends_at_its_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    arguments = ["--port", "1", "--password", "word"]
    process = await LoggedProcess.start("tests.bench.peers.echo", arguments, tmp_path / "echo.log")
    with pytest.raises(RuntimeError, match=r"bare aiomqtt echo ended with 1: .*Connection refused"):
        await until_ready(NeverReady(), "echo", process)


def test_a_program_that_is_not_set_up_is_a_row_that_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.peers", "--quick", "--no-load", "--only", "node-red"]
    environment = {**os.environ, "NODE_RED": str(tmp_path), "COLUMNS": "300"}
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "Node-RED as shipped" in ran.stdout
    assert "`make bench-peers` sets it up" in ran.stdout
