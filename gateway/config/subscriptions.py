"""The gateway's subscriptions, and which messages of each may be dropped in a flood."""

from dataclasses import dataclass
from enum import StrEnum, auto

BRIDGE_STATE = "perron/bridge/state"


class OverflowPolicy(StrEnum):
    """What may happen to messages of a topic when more arrive than are read."""

    NEVER = auto()  # kept whatever happens: the owner's stop
    ASKED_AGAIN = auto()  # dropped last; the devices are asked again
    COUNTED = auto()  # dropped first and counted: scans
    LATEST = auto()  # a newer message replaces one that waits: readings of sensors
    UNTOLD = auto()  # dropped and no more said: a bridge's log


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One topic the gateway hears. `stored`: the broker's retained copy is wanted at the start.

    `account`: whose rate limit its messages count against, beside their own topic's; None: only their own topic's.
    `urgent`: it is read before all other topics, as the owner's requests are.
    """

    topic: str
    stored: bool
    loss: OverflowPolicy
    account: str | None = None
    urgent: bool = False
