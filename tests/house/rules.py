"""The rules of a story, in which waiting times stand beside the others."""

from gateway.domain.timing import Timing
from gateway.domain.visit.state import Rules


def rules_with(**fields: object) -> Rules:
    """`Rules` with these fields; those of `Timing` go into it. A time may be 0 here, which a house file may not say."""
    times = {name: value for name, value in fields.items() if name in Timing.model_fields}
    rest = {name: value for name, value in fields.items() if name not in times}
    return Rules(timing=Timing().model_copy(update=times), **rest)  # type: ignore[arg-type] # a story names what it changes
