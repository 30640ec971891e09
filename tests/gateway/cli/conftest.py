"""A house of its own for each test of the command line."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.mqtt.mosquitto.provisioning import free_port, private_broker
from tests.gateway.cli.terminal import HOME_YAML


@pytest.fixture
def home_file(tmp_path: Path) -> Path:
    """A house of its own: the demo's, with its broker, its cameras and its pages on free ports."""
    file = tmp_path / "home.yaml"
    text = HOME_YAML.replace("port: 1883", f"port: {free_port()}").replace(":8554", f":{free_port()}")
    text = text.replace("port: 8642", f"port: {free_port()}")
    file.write_text(text.replace("../var", "var"), encoding="utf-8")
    return file


@pytest.fixture
def home(home_file: Path) -> Home:
    return load_home_file(home_file)


@pytest.fixture
async def broker(home: Home, tmp_path: Path) -> AsyncIterator[None]:
    async with private_broker(tmp_path / "accounts", home):
        yield
