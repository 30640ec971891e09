"""Defines every command that the gateway can send to a device."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto


class Light(StrEnum):
    """The signal's light. Colour is never the only sign: each light comes with a sound of its own."""

    OFF = auto()
    AMBER = auto()
    GREEN = auto()
    RED = auto()


class Sound(StrEnum):
    """The signal's buzzer."""

    NONE = auto()
    RING = auto()
    WAIT = auto()
    GO = auto()
    NO = auto()
    LEAVE = auto()
    CLOSE_THE_DOOR = auto()
    LIFT_THE_HANDLE = auto()
    ALARM = auto()


class Grant(StrEnum):
    """The answer to a robot's request to enter a zone (VDA 5050 grantType)."""

    GRANTED = auto()
    QUEUED = auto()  # received; nothing is permitted yet
    REVOKED = auto()
    REJECTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockDoor:
    """Open once: withdraw the bolt and, with `latch`, pull the latch too. What has no bolt is released or lifted once.

    That is a garage door, a street door's strike, a flap, a compartment: one order to open, for any of them.

    Times are UTC; a guarded lock refuses a second `id` and an expired command.

    `boot` and `until_ms` are the deadline on the lock's own clock (its boot id and its uptime in milliseconds, both
    from its newest answer), so that a lock whose wall clock is wrong still refuses a late copy. None for locks that
    report no uptime.
    """

    id: str
    intent: str
    issued_at: datetime
    expires_at: datetime
    boot: str | None = None
    until_ms: int | None = None
    latch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDoor:
    """Throw the bolt. It has id and expiry too: a late command could bolt the door in front of a person."""

    id: str
    intent: str
    issued_at: datetime
    expires_at: datetime
    boot: str | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerZoneRequest:
    """Answer a robot's request to enter a zone; `header` numbers the answers to this robot.

    `lease_expiry`: until when the robot may be in the zone without a further answer.
    """

    header: int
    issued_at: datetime
    request: str
    grant: Grant
    lease_expiry: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeRobot:
    """Ask a robot that requests a zone to prove who it is, by a token that contains `nonce`."""

    box: str
    request: str
    nonce: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryState:
    """Report the current state. MQTT correlation data links the answer to the query.

    `echo` is the same number as text, for devices that can only return it in the payload.
    """

    echo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSignal:
    """Show `light` and sound `sound` at the door."""

    id: str
    light: Light
    sound: Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class SaySentence:
    """Say at the door, once, what the signal's `sound` means. `text`: the sentence in `language` (BCP 47: `fr`)."""

    id: str
    sound: Sound
    language: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowResult:
    """Show the scanner and the person at it the result of a scan: `word` is wait, go, no or elsewhere.

    `place`: only with elsewhere: the name of the place to which the courier has to take the parcel. `event` (a UUID)
    and `issued_at` are for scanners whose manufacturers require them with each command.
    """

    word: str
    place: str | None = None
    event: str | None = None
    issued_at: datetime | None = None


MAX_CODE_NAME_CHARS = 10  # Matter's UserName, the shortest of all vendors


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCode:
    """Store a code at a keypad. A person who types it opens the lock of the keypad.

    `pin`: six digits from 1 to 9, not beginning with 12, which every keypad accepts. `name`: at most
    `MAX_CODE_NAME_CHARS` letters and digits, unique at this keypad. `slot`: the place in the keypad's memory (Matter:
    the user and credential index); None where the keypad numbers its codes itself. `starts` and `ends` (UTC): the
    keypad refuses the code outside this time; None where the keypad cannot (`KeypadFacts.keeps_times`).
    """

    id: str
    pin: str = field(repr=False)
    name: str
    slot: int | None = None
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCode:
    """Delete the code in this slot of a keypad. Only a later `CodesReport` proves that it is gone."""

    id: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCodes:
    """Read back from the lock itself which codes its keypad has: the one in `slot`, or all of them with None.

    The answer is a `CodesReport`, linked to the query in the same way as that of `QueryState`.
    """

    slot: int | None = None
    echo: str | None = None


Command = (
    AnswerZoneRequest
    | ChallengeRobot
    | UnlockDoor
    | LockDoor
    | QueryState
    | SetSignal
    | SaySentence
    | ShowResult
    | SetCode
    | ClearCode
    | QueryCodes
)
