"""`perron survey`: prints how often lock, door sensor and cameras were ready near windows."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from gateway.cli.failure import failure_on
from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE
from gateway.installation.readiness_hours import summarise
from gateway.storage import StoreFailed
from gateway.storage.readonly import counted_readiness


def survey_lines(home: Home, entrance: str) -> Iterator[str]:
    """Return a line for each device and one for each hour, in the house's time."""
    with failure_on(
        StoreFailed, "The store cannot be read ({why}).", "Start the gateway once with this version, then try again."
    ):
        summary = summarise(counted_readiness(home.storage.folder / STORE_FILE, entrance))
    if not summary.hours:
        yield "Nothing was counted yet: no window was near. What is so now: `perron doctor`."
        return
    zone = ZoneInfo(home.timezone)
    for device in summary.devices:
        yield f"{device.device}: not ready at {device.not_ready} of {device.checks} checks"
    for hour, counts in summary.hours:
        ready = "  ".join(f"{one.device} {one.ready}/{one.checks}" for one in counts)
        yield f"{hour.astimezone(zone):%Y-%m-%d %H:%M}  {ready}"
