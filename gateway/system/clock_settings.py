"""The section `clock` of `home.yaml`, apart from the clock: a command that only reads the time loads no pydantic."""

from typing import Literal

from pydantic import Field

from gateway.system.config_section import ConfigSection


class ClockSection(ConfigSection):
    """Where the time comes from. Nothing opens while the time is not trusted."""

    source: Literal["ntp", "host"] = "ntp"
    """Source: `ntp` trusts the clock once the kernel says that it is synchronised. `host` always trusts the clock of
    the machine: use it only to try things out."""
    drift_ppm: float = Field(default=100.0, gt=0, le=1000, json_schema_extra={"x-unit": "parts per million"})
    """Drift: how far the hardware clock may drift while it is not synchronised. If it is too small, a drifting clock is
    trusted too long; if it is too large, the time is distrusted too early when the internet is away."""
