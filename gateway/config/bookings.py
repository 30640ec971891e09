"""The models of sources of bookings in `home.yaml`: calendars and systems that propose passes and stays of guests."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.system.config_section import ConfigSection, Id, explained

_HOUR = explained(r"^([01]\d|2[0-3]):[0-5]\d$", "write an hour like 16:00")
_DEVICE = explained(r"^[0-9a-zA-Z_-]{1,64}$", "write the device's id as Seam shows it (`device_id`)")
_SEAM = explained(r"^https://[^\s]{1,200}$", "write an address that begins with https://")

Hour = Annotated[str, StringConstraints(pattern=_HOUR)]


class BookingSource(ConfigSection):
    """What every source of bookings has.

    A source proposes passes and stays, which the host accepts on the page Guests. It never ends or shortens anything.
    """

    entrances: tuple[Id, ...] = ()
    """Entrances: ids of the entrances that a proposed pass opens. Left out, it is every entrance with `guests`.
    Example: `[front]`."""
    stays: bool = True
    """Stays: whether a booking proposes a stay too, in which nothing is filmed."""
    interval: int = Field(default=30, ge=5, le=1440, json_schema_extra={"x-unit": "minutes"})
    """Interval: the time between two readings. If it is too short, the other side may refuse the box; if it is too
    long, the host sees a new booking late."""
    private: bool = False
    """Private: also read from an address in a private network, such as a server of your own in the house."""
    authority: Path | None = None
    """Authority: PEM file of the certificate authority to trust for this source, in place of the system's."""


class IcsSource(BookingSource):
    """A calendar in the iCalendar format, as Airbnb, Booking.com and other platforms export it for hosts."""

    kind: Literal["ics"]
    """Kind: `ics`, a calendar in the iCalendar format."""
    address_file: Path | None = None
    """Address file: file with the address of the calendar on its first line, beginning with `https://`. Who knows the
    address reads the calendar, so it is not written here. Readable by the gateway only (chmod 600)."""
    file: Path | None = None
    """File: the calendar itself, if another program writes it on this machine."""
    arrival: Hour = "16:00"
    """Arrival: the hour at which a booking of whole days begins. Calendars of platforms have days only."""
    departure: Hour = "11:00"
    """Departure: the hour at which a booking of whole days ends."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.address_file is None) == (self.file is None):
            raise ValueError("name where the calendar is: address_file or file")
        return self


class SeamSource(BookingSource):
    """Access grants of Seam's API, or the access codes of one device there."""

    kind: Literal["seam"]
    """Kind: `seam`, the API of Seam over HTTPS."""
    key_file: Path
    """Key file: file with Seam's API key on its first line, readable by the gateway only (chmod 600)."""
    address: Annotated[str, StringConstraints(pattern=_SEAM)] = "https://connect.getseam.com"
    """Address: where Seam's API is."""
    device: Annotated[str, StringConstraints(pattern=_DEVICE)] | None = None
    """Device: id of a lock at Seam (`device_id`). Then the access codes of that lock are read (those with an end), and
    not the access grants."""


AnyBookingSource = Annotated[IcsSource | SeamSource, Field(discriminator="kind")]
