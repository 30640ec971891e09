"""What the gateway and the process that reads bookings say to each other: one request, one answer, each a JSON line.

The process (`gateway/integrations/bookings`) reads what strangers wrote. So it gets what it needs and no more, and its
answer is checked as a stranger's.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from gateway.domain.guests.bookings import MAX_BOOKINGS, MAX_GUEST_CHARS, Booking, Reading, ReadingFailure

MAX_UID_CHARS = 400
MAX_ANSWER_BYTES = 512 * 1024


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadSource(_Line):
    """Read the bookings of one source. Hours of arrival and departure (`HH:MM`) are those of the house's `zone`.

    `now`: entries that ended before it are left out.
    """

    kind: Literal["ics", "seam"]
    source: str
    address: str | None = None  # https; None: `file` has the calendar
    file: Path | None = None
    secret: str | None = None  # Seam's API key
    device: str | None = None  # Seam's: read the access codes of this device instead of access grants
    private: bool = False
    authority: str | None = None  # PEM
    zone: str
    arrival: str = "00:00"
    departure: str = "00:00"
    now: AwareDatetime


class ReadEntry(_Line):
    """One booking."""

    uid: Annotated[str, Field(min_length=1, max_length=MAX_UID_CHARS)]
    guest: Annotated[str, Field(min_length=1, max_length=MAX_GUEST_CHARS)]
    starts: AwareDatetime
    ends: AwareDatetime


class SourceRead(_Line):
    """The source was read."""

    kind: Literal["read"] = "read"
    bookings: Annotated[tuple[ReadEntry, ...], Field(max_length=MAX_BOOKINGS)]
    is_whole: bool

    def reading(self) -> Reading:
        """Return it in the form that decides."""
        return Reading(bookings=tuple(Booking(**dict(entry)) for entry in self.bookings), is_whole=self.is_whole)

    @classmethod
    def of(cls, reading: Reading) -> "SourceRead":
        """Return the line for a reading."""
        entries = tuple(ReadEntry(**vars(booking)) for booking in reading.bookings)
        return cls(bookings=entries, is_whole=reading.is_whole)


class SourceFailed(_Line):
    """The source was not read."""

    kind: Literal["failed"] = "failed"
    why: ReadingFailure


SourceAnswer: TypeAlias = Annotated[SourceRead | SourceFailed, Field(discriminator="kind")]
ANSWER_ADAPTER: TypeAdapter[SourceAnswer] = TypeAdapter(SourceAnswer)
