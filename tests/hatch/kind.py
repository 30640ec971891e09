"""A hatch in the wall: a motor moves it, hands reach in, nobody goes through."""

from typing import ClassVar, Literal

from gateway.domain.visit.closures.closed_by_box import ClosedByBox


class Hatch(ClosedByBox):
    """A hatch with an opener, which must have a sensor that notices a hand below the leaf."""

    optional_roles: ClassVar[frozenset[str]] = frozenset()
    kind: Literal["hatch"] = "hatch"
    """Kind: a hatch in the wall with an opener, a contact, and a sensor that notices a hand below it."""
