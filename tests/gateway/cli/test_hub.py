import os
import socket
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.hub_run import run_hub
from gateway.cli.hub_store import load_file, run_in_store
from gateway.hub.database.store import HubStore, StoreUnavailable
from gateway.hub.process import HubProcess
from tests.gateway.cli.terminal import run_perron

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("lines", "said", "todo"),
    [
        ("broker: {password_file: none}", "none is not there", "perron hub-config --config"),
        ("listen: {certificate: a.pem, key: a.key}", "a.pem: it cannot be used", "correct listen.certificate"),
        ("store: postgresql+asyncpg://hub:s3cret@127.0.0.1:5/x", "hub:***@127.0.0.1:5/x cannot be used", "`store`"),
        ("store: mysql://x/y", "names no database that a hub can use", "postgresql+asyncpg://"),
        ("folder: /proc/nope", "/proc/nope cannot be used", "Correct `folder`"),
    ],
)
def test_an_operator_reads_which_file_or_database_is_wrong_and_what_to_do(
    tmp_path: Path, lines: str, said: str, todo: str
) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(f"url: http://127.0.0.1:8643\nboxes: {{host: 127.0.0.1}}\n{lines}\n")
    told = run_perron("hub", "--config", file)
    assert told.returncode == ExitCode.INVALID, told.stderr
    assert said in told.stderr
    assert todo in told.stderr
    assert "s3cret" not in told.stderr
    assert "Traceback" not in told.stderr


def test_a_hub_whose_port_is_taken_says_which(tmp_path: Path) -> None:
    file = tmp_path / "hub.yaml"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        file.write_text(f"url: http://127.0.0.1:{port}\nlisten: {{port: {port}}}\n")
        told = run_perron("hub", "--config", file)
    assert told.returncode == ExitCode.INVALID, told.stderr
    assert f"(process {os.getpid()}) listens at 127.0.0.1:{port} already" in told.stderr


def test_an_operator_whose_database_stops_while_a_hub_or_a_command_starts_reads_that_and_not_that_a_file_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read that `listen` was to be corrected."""
    file = tmp_path / "hub.yaml"
    file.write_text(f"url: http://127.0.0.1:8643\nfolder: {tmp_path / 'hub'}\n")

    async def stopped(_: HubProcess | HubStore) -> None:
        raise StoreUnavailable("connection was closed in the middle of operation")

    monkeypatch.setattr(HubProcess, "run", stopped)
    with pytest.raises(Failure, match="database does not answer now: connection was closed") as hub:
        run_hub(file)
    with pytest.raises(Failure, match="database does not answer now: connection was closed") as command:
        run_in_store(load_file(file), file, stopped)
    for failed in (hub, command):
        assert (failed.value.code, failed.value.todo) == (ExitCode.NO_ANSWER, "Try again in a moment.")
