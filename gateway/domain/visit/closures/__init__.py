"""The registry of all kinds of closures. A new kind is one module beside these and one line here."""

from typing import Annotated

from pydantic import Discriminator

from gateway.domain.visit.closures.bolted_door import BoltedDoor as BoltedDoor
from gateway.domain.visit.closures.compartment import Compartment as Compartment
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.closures.garage_door import GarageDoor as GarageDoor
from gateway.domain.visit.closures.key_safe import KeySafe as KeySafe
from gateway.domain.visit.closures.keyed_door import KeyedDoor as KeyedDoor
from gateway.domain.visit.closures.strike import Strike as Strike

ONE_DOOR = (BoltedDoor(id=MAIN_CLOSURE),)
"""What bars the usual entrance: one door with a lock."""

KINDS = (BoltedDoor, GarageDoor, Strike, Compartment, KeySafe, KeyedDoor)

AnyClosure = Annotated[BoltedDoor | GarageDoor | Strike | Compartment | KeySafe | KeyedDoor, Discriminator("kind")]
