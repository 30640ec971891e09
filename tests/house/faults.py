"""What can be wrong with the world."""

from dataclasses import dataclass, field

from devices.reports import BatteryLevel, Failure

CRASH_POINTS = (
    "before-commit",
    "after-commit",
    "before-publish",
    "after-publish",
    "after-acknowledgement",
    "after-report",
)


@dataclass
class Faults:
    """Every field at its default is a good day. Times in seconds, `loss` and `duplicates` are probabilities."""

    loss: float = 0.0
    duplicates: float = 0.0
    delay: float = 0.0  # longest additional way of a message; different for each, so it also reorders
    jam: bool = False
    silent: bool = False  # the lock answers nothing
    mute: bool = False  # the lock says nothing at all
    door_mute: bool = False  # the door sensor says nothing at all
    lies: bool = False  # a jammed lock says "locked"
    stale: bool = False  # after an action the lock repeats its old state first
    lag: float = 0.5  # longest time from command to movement
    slow_unlock: float = 0.0  # the way of an unlock to the lock
    refuses: Failure | None = None  # the lock does nothing, and says why
    refused_yet_done: bool = False  # ... but it, or its radio, is wrong: the bolt moves all the same
    countdown: float = 0.0  # how wrong the lock's own countdown is
    loses_open: bool = False  # the door sensor's "open" is lost
    bell: bool = False
    camera: frozenset[str] = field(default_factory=frozenset)  # cameras that are down
    still: bool = False  # nothing moves before the outside camera
    unwritten: bool = False  # a clip's first fragment does not get to the disk
    film: bool = False  # clips do not close, manifests are not written
    disk: bool = False
    commit: bool = False  # the store refuses every commit
    untrusted: bool = False
    clock_step: float = 0.0  # an untrusted clock is so far off
    held_back: str | None = None  # why the shell does not publish an unlock, one of `events.NotSent`
    battery: BatteryLevel = BatteryLevel.GOOD  # the lock's
    warm: bool = False  # the fridge
    fridge_open: bool = False
