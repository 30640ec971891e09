"""The registry of all kinds of closures. A new kind needs one module, its import here, and its class in the union."""

from typing import Annotated, get_args

from pydantic import Discriminator

from gateway.domain.visit.closures.bolted_door import BoltedDoor as BoltedDoor
from gateway.domain.visit.closures.car_boot import CarBoot as CarBoot
from gateway.domain.visit.closures.compartment import Compartment as Compartment
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, Closure
from gateway.domain.visit.closures.garage_door import GarageDoor as GarageDoor
from gateway.domain.visit.closures.key_safe import KeySafe as KeySafe
from gateway.domain.visit.closures.keyed_door import KeyedDoor as KeyedDoor
from gateway.domain.visit.closures.strike import Strike as Strike

AnyClosure = Annotated[
    BoltedDoor | GarageDoor | Strike | Compartment | KeySafe | KeyedDoor | CarBoot, Discriminator("kind")
]

KINDS: tuple[type[Closure], ...] = get_args(get_args(AnyClosure)[0])
"""Every kind, in the order of the union."""

ONE_DOOR = (BoltedDoor(id=MAIN_CLOSURE),)
"""The closures of the usual entrance: one door with a lock."""
