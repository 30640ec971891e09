"""Says what the box did with a message that the hub passed on. Pure."""

from enum import StrEnum, auto


class JobOutcome(StrEnum):
    """The result of a message that the hub passed on."""

    ANSWERED = auto()
    """The answer, accepted or rejected, is on the disk."""

    RETRY_LATER = auto()
    """The box does not know the time, or the message is not valid yet: the same bytes may be accepted later."""

    REJECTED = auto()
    """Too many messages were rejected recently, so no answer is stored."""
