"""`perron broker-config`, as an installer types it."""

from pathlib import Path

import pytest

from gateway.cli.brokerconfig import base_topic
from gateway.cli.failure import Exit, Failure
from tests.gateway.cli.terminal import perron


@pytest.mark.slow
def test_the_radios_broker_is_written_without_a_house_file_and_says_how_it_is_started(tmp_path: Path) -> None:
    folder = tmp_path / "radio"
    told = perron("broker-config", folder, "--radio", "--base", "home/zigbee", "--port", "1999")
    assert told.returncode == 0, told.stderr
    assert f"mosquitto -c {folder}/mosquitto.conf" in told.stdout
    assert "listener 1999 127.0.0.1" in (folder / "mosquitto.conf").read_text()
    assert "topic readwrite home/zigbee/#" in (folder / "access").read_text()
    assert {f.name for f in folder.glob("*.password")} == {"guard.password", "bridge.password"}
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("base", ["#", "zigbee2mqtt/+", "perron", "/", "a b", "$SYS", ""])
def test_a_base_topic_that_would_let_more_in_is_refused_with_what_to_write(base: str) -> None:
    with pytest.raises(Failure, match="is no base topic of a radio") as refused:
        base_topic(base)
    assert "zigbee2mqtt" in refused.value.todo
    assert refused.value.code == Exit.WRONG
