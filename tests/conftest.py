"""What holds for all tests."""

import pytest

from tests.skips import Skips
from tests.told import Told


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence, nor what was measured."""
    config.pluginmanager.register(Skips(config.rootpath / "CONTRIBUTING.md"))
    config.pluginmanager.register(Told())
