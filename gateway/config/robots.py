"""The models of robots in `home.yaml`: which ones come in at an entrance, and who watches them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gateway.system.config_section import ConfigSection, Id, Name


class RobotsSection(ConfigSection):
    """The robots that may come in at an entrance. Each opening needs a yes of a supervisor."""

    devices: Annotated[tuple[Id, ...], Field(min_length=1)]
    """Devices: ids of the robots. Example: `[r1, r2]`."""
    zone: Name
    """Zone: id of the zone of the doorway and of what lies behind it, as in the robots' map (VDA 5050 zoneId). Its type
    is `RELEASE`. A robot that left it has left the home. Example: `door-1`."""
    zone_set: Name | None = None
    """Zone set: id of the zone set in which that zone is (VDA 5050 zoneSetId), for robots that have several. Left out,
    a zone of that id counts in any of them. Example: `ground-floor`."""
    release_loss: Literal["EVACUATE", "CONTINUE", "STOP"] | None = None
    """Release loss: what a robot does in that zone when its permission ends, as in the robots' map
    (`releaseLossBehavior`): `EVACUATE` or `CONTINUE`. `STOP`, which VDA 5050 has where the map says nothing, leaves a
    robot on the sill, and is refused. Left out, the box learns it only from a robot that stops. Example: `EVACUATE`."""


class SupervisorSection(ConfigSection):
    """A person who watches robots and decides on each opening, on a picture that this box shows.

    The owner gives each supervisor a link on the page Robots.
    """

    name: Name
    """Name: what the household reads on pages and in messages. Example: `Ines`."""
    operator: Id
    """Operator: id of the operator for which the person works. The person decides only about its robots."""
    messages: Path | None = None
    """Messages: file with one Apprise URL per line, readable by the gateway only (chmod 600): the person's phone, or a
    webhook of the operator (`jsons://operator.example/perron`). Each gets a message when a robot waits for a yes, and
    when one does not move inside. It needs the extra `messages`. Example: `supervisors/ines.urls`."""
