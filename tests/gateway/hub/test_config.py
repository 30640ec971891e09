from pathlib import Path

import pytest

from gateway.hub.config import load
from gateway.system.config_section import ConfigError


def written(folder: Path, broker: str) -> Path:
    file = folder / "hub.yaml"
    file.write_text(f"url: https://hub.example\n{broker}")
    return file


def test_a_broker_s_files_lie_beside_the_hub_s_own(tmp_path: Path) -> None:
    file = written(tmp_path, "broker: {host: mqtt.example, tls: {ca: a.pem, certificate: c.pem, key: k.pem}}\n")
    broker = load(file).broker
    assert broker is not None
    assert broker.tls is not None
    assert (broker.tls.ca, broker.tls.certificate, broker.tls.key) == tuple(
        tmp_path / n for n in ("a.pem", "c.pem", "k.pem")
    )
    assert broker.login is None, "the certificate says who it is"


def test_a_hub_without_a_broker_reaches_no_home_and_says_so_nowhere_else(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")).broker is None


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        ("broker: {host: mqtt.example}\n", "without tls whoever stands between reads and writes"),
        ("broker: {tls: {ca: a.pem, certificate: c.pem}}\n", "certificate and key belong together"),
        ("broker: {homes: 3}\n", "homes"),
    ],
)
def test_a_broker_that_cannot_be_meant_is_told_with_its_line(tmp_path: Path, broker: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as told:
        load(written(tmp_path, broker))
    assert "hub.yaml:2:" in str(told.value)
