"""What holds for all tests."""

import pytest
from hypothesis import settings

from tests.skips import Skips
from tests.told import Told

settings.register_profile("perron", deadline=None)  # no test asserts speed
settings.load_profile("perron")


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence, nor what was measured."""
    config.pluginmanager.register(Skips(config.rootpath / "CONTRIBUTING.md"))
    config.pluginmanager.register(Told())
