"""Parses Home Assistant's commands to an entrance: one word per message, on `perron/ha/<entrance>/set`.

A lock of Home Assistant always has the action "unlock" (https://www.home-assistant.io/integrations/lock.mqtt/: "it's
mandatory for locks to support lock and unlock"). Here it has no effect: no manual unlock exists at all.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.config.home import HomeAssistantSection
from gateway.protocol import owner_requests

REQUESTER = "home-assistant"  # the requester in the log: no person's id has this form
MAX_REQUESTS, REQUEST_WINDOW_S = 10, 10.0  # commands of one entrance that are accepted in so many seconds


class HomeAssistantCommand(StrEnum):
    """Every command that Home Assistant can send to an entrance."""

    LOCK = "LOCK"
    UNLOCK = "UNLOCK"
    OPEN = "OPEN"
    STOP = "STOP"
    SOMEBODY_HOME = "SOMEBODY_HOME"


@dataclass(frozen=True, slots=True)
class CommandRefusal:
    """A refused command. `parse_command` quotes nothing that was sent; `why` is one line."""

    asked: str
    why: str


NEVER_REASON = "nothing opens this door but a delivery that its owner permitted, at its time, under the cameras"
NOT_ALLOWED_REASON = "home.yaml does not name it under homeassistant.may"


def parse_command(payload: bytes) -> HomeAssistantCommand | CommandRefusal:
    """Parse one message; an unknown word is refused and not quoted."""
    try:
        return HomeAssistantCommand(payload.decode("ascii"))
    except ValueError:  # UnicodeDecodeError is one
        return CommandRefusal("?", "not understood: LOCK, STOP or SOMEBODY_HOME")


def to_owner_request(
    what: HomeAssistantCommand, section: HomeAssistantSection, ident: str
) -> owner_requests.AnyOwnerRequest | CommandRefusal:
    """Return the owner's request `ident` for a permitted command, else the refusal."""
    match what:
        case HomeAssistantCommand.UNLOCK | HomeAssistantCommand.OPEN:
            return CommandRefusal(what, NEVER_REASON)
        case HomeAssistantCommand.LOCK if "lock_now" in section.may:
            return owner_requests.OwnerLockRequest(id=ident, do="lock")
        case HomeAssistantCommand.STOP if "stop" in section.may:
            return owner_requests.OwnerStopRequest(id=ident, do="stop")
        case HomeAssistantCommand.SOMEBODY_HOME if "somebody_home" in section.may:
            return owner_requests.OwnerPresenceRequest(id=ident, do="home")
        case HomeAssistantCommand.LOCK | HomeAssistantCommand.STOP | HomeAssistantCommand.SOMEBODY_HOME:
            return CommandRefusal(what, NOT_ALLOWED_REASON)


@dataclass(slots=True)
class CommandRateLimit:
    """Limits the commands of one entrance: of a flood only the first ones count."""

    since: float = float("-inf")
    heard: int = 0
    dropped: int = 0

    def takes(self, mono: float) -> bool:
        """Return whether one more is accepted at this monotonic second."""
        if mono - self.since >= REQUEST_WINDOW_S:
            self.since, self.heard, self.dropped = mono, 0, 0
        self.heard += 1
        self.dropped += self.heard > MAX_REQUESTS
        return self.heard <= MAX_REQUESTS
