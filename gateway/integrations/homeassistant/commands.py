"""Parses Home Assistant's commands to an entrance: one word per message, on `perron/ha/<entrance>/set`.

A lock of Home Assistant always has the action "unlock" (https://www.home-assistant.io/integrations/lock.mqtt/: "it's
mandatory for locks to support lock and unlock"). Here it has no effect: no manual unlock exists at all.
"""

from enum import StrEnum

from gateway.config.home import HomeAssistantSection
from gateway.domain.frozen import Frozen
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


class CommandRefusal(Frozen, kw_only=False):
    """A refused command. `parse_command` quotes nothing that was sent; `reason` is one line."""

    command: str
    reason: str


NEVER_REASON = "nothing opens this door but a delivery that its owner permitted, at its time, under the cameras"
NOT_ALLOWED_REASON = "home.yaml does not name it under homeassistant.may"


def parse_command(payload: bytes) -> HomeAssistantCommand | CommandRefusal:
    """Parse one message; an unknown word is refused and not quoted."""
    try:
        return HomeAssistantCommand(payload.decode("ascii"))
    except ValueError:  # UnicodeDecodeError is one
        return CommandRefusal("?", "not understood: LOCK, STOP or SOMEBODY_HOME")


def to_owner_request(
    command: HomeAssistantCommand, section: HomeAssistantSection, id_: str
) -> owner_requests.AnyOwnerRequest | CommandRefusal:
    """Return the owner's request `id_` for a permitted command, else the refusal."""
    match command:
        case HomeAssistantCommand.UNLOCK | HomeAssistantCommand.OPEN:
            return CommandRefusal(command, NEVER_REASON)
        case HomeAssistantCommand.LOCK if "lock_now" in section.may:
            return owner_requests.OwnerLockRequest(id=id_, do="lock")
        case HomeAssistantCommand.STOP if "stop" in section.may:
            return owner_requests.OwnerStopRequest(id=id_, do="stop")
        case HomeAssistantCommand.SOMEBODY_HOME if "somebody_home" in section.may:
            return owner_requests.OwnerPresenceRequest(id=id_, do="home")
        case HomeAssistantCommand.LOCK | HomeAssistantCommand.STOP | HomeAssistantCommand.SOMEBODY_HOME:
            return CommandRefusal(command, NOT_ALLOWED_REASON)
