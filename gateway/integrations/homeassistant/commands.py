"""What Home Assistant may ask of an entrance: one word a message, on `perron/ha/<entrance>/set`.

A lock of Home Assistant always has the action "unlock" (https://www.home-assistant.io/integrations/lock.mqtt/: "it's
mandatory for locks to support lock and unlock"). Here it leads nowhere: there is no unlock by hand at all.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.config.home import HomeAssistantSection
from gateway.protocol import owner_requests

BY = "home-assistant"  # who asked, in the log: no person's id has this form
MOST, SPAN = 10, 10.0  # wishes of one entrance that are heard in so many seconds


class Asked(StrEnum):
    """Everything that Home Assistant can say to an entrance."""

    LOCK = "LOCK"
    UNLOCK = "UNLOCK"
    OPEN = "OPEN"
    STOP = "STOP"
    SOMEBODY_HOME = "SOMEBODY_HOME"


@dataclass(frozen=True, slots=True)
class No:
    """It is not done. `asked` quotes nothing that was sent; `why` is one line."""

    asked: str
    why: str


NEVER = "nothing opens this door but a delivery that its owner permitted, at its time, under the cameras"
NOT_ALLOWED = "home.yaml does not name it under homeassistant.may"


def asked(payload: bytes) -> Asked | No:
    """Read one message; what is no word of ours is refused and not quoted."""
    try:
        return Asked(payload.decode("ascii"))
    except ValueError:  # UnicodeDecodeError is one
        return No("?", "not understood: LOCK, STOP or SOMEBODY_HOME")


def ruled(what: Asked, section: HomeAssistantSection, ident: str) -> owner_requests.AnyWish | No:
    """Make the owner's own wish of it, named `ident`, where it may be asked; else say why not."""
    match what:
        case Asked.UNLOCK | Asked.OPEN:
            return No(what, NEVER)
        case Asked.LOCK if "lock_now" in section.may:
            return owner_requests.Lock(id=ident, do="lock")
        case Asked.STOP if "stop" in section.may:
            return owner_requests.Stop(id=ident, do="stop")
        case Asked.SOMEBODY_HOME if "somebody_home" in section.may:
            return owner_requests.SayHome(id=ident, do="home")
        case Asked.LOCK | Asked.STOP | Asked.SOMEBODY_HOME:
            return No(what, NOT_ALLOWED)


@dataclass(slots=True)
class Ration:
    """How much of one entrance's wishes is heard: a flood of them is no more than its first ones."""

    since: float = float("-inf")
    heard: int = 0
    dropped: int = 0

    def takes(self, mono: float) -> bool:
        """Whether one more is heard at this monotonic second."""
        if mono - self.since >= SPAN:
            self.since, self.heard, self.dropped = mono, 0, 0
        self.heard += 1
        self.dropped += self.heard > MOST
        return self.heard <= MOST
