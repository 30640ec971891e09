"""Devices that were out of reach and are back.

A radio's bridge that starts says first that it is online and then, of each device, what it knew before it ended: live,
and hours old. Taken for the answer to a question of ours that would be a lie about the door. So what is said in the
first seconds answers nothing, what was asked before is void, and afterwards everything is asked anew.
"""

SETTLE_TIME_S = 5.0  # seconds in which a bridge that started tells what it remembers


class ReconnectTracker:
    """Who was lost, and since when who is back. `mono` in seconds."""

    def __init__(self) -> None:
        self._lost_devices: set[str] = set()
        self._reconnected_mono: dict[str, float] = {}

    def lost(self, device: str) -> None:
        """Its link is down."""
        self._lost_devices.add(device)
        self._reconnected_mono.pop(device, None)

    def online(self, device: str, mono: float, *, by_bridge: bool) -> bool:
        """Its link is up, as it says or (`by_bridge`) what carries it; whether it has come back only now."""
        if not by_bridge and device not in self._lost_devices:
            return False
        self._lost_devices.discard(device)
        self._reconnected_mono[device] = mono
        return True

    def settling(self, device: str, mono: float) -> bool:
        """Whether what it says now may be what was known of it long ago."""
        return mono - self._reconnected_mono.get(device, -SETTLE_TIME_S) < SETTLE_TIME_S

    def settled(self, mono: float) -> frozenset[str]:
        """Who is to be asked anew; each is named once."""
        ready = frozenset(device for device, since in self._reconnected_mono.items() if mono - since >= SETTLE_TIME_S)
        for device in ready:
            del self._reconnected_mono[device]
        return ready
