"""The command line's house: this is what `perron doctor` examines."""

from tests.gateway.cli.conftest import broker, home, home_file

__all__ = ["broker", "home", "home_file"]
