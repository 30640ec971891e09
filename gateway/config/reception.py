"""The models of a reception in `home.yaml`: people who take parcels for the household. Nothing opens there."""

from typing import Annotated

from pydantic import Field

from gateway.config.fields import Hours
from gateway.system.config_section import ConfigSection, Id, Name

KeepCold = Annotated[float, Field(ge=300, le=86400, json_schema_extra={"x-unit": "seconds"})]


class ReceiverSection(ConfigSection):
    """A person who takes parcels for the household, such as a concierge or a neighbour.

    The owner signs the receiver's phone in with a link, on the page Receptions.
    """

    name: Name
    """Name: what the household and the courier read. Example: `Marc`."""
    hours: Hours = "00:00-24:00"
    """Hours: time of the day in which this receiver can be on duty, the earlier time first. Example: `08:00-19:00`."""


class ReceptionSection(ConfigSection):
    """A reception that a delivery may use like an entrance. Its only place has the id of the reception itself."""

    name: Name
    """Name: what the household, the courier and the owner of a brand's permission read. Example: `Concierge`."""
    receivers: dict[Id, ReceiverSection] = Field(min_length=1)
    """Receivers: who takes parcels here, one section per id."""
    scanners: tuple[Id, ...] = ()
    """Scanners: ids of the barcode scanners at the reception. Without one, couriers offer parcels on their own page."""
    keep_cold: KeepCold | None = None
    """Keep cold: how long a perishable parcel may stay at the reception before the owner is warned. Left out, the
    reception takes no deliveries with a temperature limit. If it is too long, the goods spoil unnoticed."""
