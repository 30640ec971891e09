"""What holds for all tests."""

import pytest

from tests.skips import Skips


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence."""
    config.pluginmanager.register(Skips(config.rootpath / "CONTRIBUTING.md"))
