"""Devices that were out of reach and are back.

A radio's bridge that starts says first that it is online and then, of each device, what it knew before it ended: live,
and hours old. Taken for the answer to a question of ours that would be a lie about the door. So what is said in the
first seconds answers nothing, what was asked before is void, and afterwards everything is asked anew.
"""

SETTLING = 5.0  # seconds in which a bridge that started tells what it remembers


class Returns:
    """Who was lost, and since when who is back. `mono` in seconds."""

    def __init__(self) -> None:
        self._lost: set[str] = set()
        self._back: dict[str, float] = {}

    def lost(self, device: str) -> None:
        """Its link is down."""
        self._lost.add(device)
        self._back.pop(device, None)

    def online(self, device: str, mono: float, *, by_bridge: bool) -> bool:
        """Its link is up, as it says or (`by_bridge`) what carries it; whether it has come back only now."""
        if not by_bridge and device not in self._lost:
            return False
        self._lost.discard(device)
        self._back[device] = mono
        return True

    def settling(self, device: str, mono: float) -> bool:
        """Whether what it says now may be what was known of it long ago."""
        return mono - self._back.get(device, -SETTLING) < SETTLING

    def settled(self, mono: float) -> frozenset[str]:
        """Who is to be asked anew; each is named once."""
        ready = frozenset(device for device, since in self._back.items() if mono - since >= SETTLING)
        for device in ready:
            del self._back[device]
        return ready
