"""The box's answer to a hub's job. Pure."""

from enum import StrEnum, auto


class JobOutcome(StrEnum):
    """What came of a message that came by the hub."""

    YES = auto()
    """Believed or not: the answer is on the disk."""

    LATER = auto()
    """The box does not know the time, or the message is not valid yet: the same bytes may be believed later."""

    NEVER = auto()
    """Too many came of late that are not believed."""
