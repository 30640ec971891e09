"""Ignores remembered states for 5 s after a device or its bridge reconnects, then requests new queries.

A radio's bridge that starts first reports that it is online and then publishes, live but hours old, the state of each
device from before its end. As the answer to a query, such a state would misreport the door. So reports of the first
seconds answer nothing, earlier queries are void, and afterwards every device is queried again.
"""

SETTLE_TIME_S = 5.0  # seconds in which a started bridge publishes remembered states


class ReconnectTracker:
    """Tracks which devices are offline and when others came back. `mono` in seconds."""

    def __init__(self) -> None:
        self._lost_devices: set[str] = set()
        self._reconnected_mono: dict[str, float] = {}

    def lost(self, device: str) -> None:
        """Record that the device's link is down."""
        self._lost_devices.add(device)
        self._reconnected_mono.pop(device, None)

    def online(self, device: str, mono: float, *, by_bridge: bool) -> bool:
        """Record that the link is up, as device or (`by_bridge`) bridge reports; return whether it just came back."""
        if not by_bridge and device not in self._lost_devices:
            return False
        self._lost_devices.discard(device)
        self._reconnected_mono[device] = mono
        return True

    def settling(self, device: str, mono: float) -> bool:
        """Return whether the device's reports may still be remembered states."""
        return mono - self._reconnected_mono.get(device, -SETTLE_TIME_S) < SETTLE_TIME_S

    def settled(self, mono: float) -> frozenset[str]:
        """Return the devices to query again; each is returned once."""
        ready = frozenset(device for device, since in self._reconnected_mono.items() if mono - since >= SETTLE_TIME_S)
        for device in ready:
            del self._reconnected_mono[device]
        return ready
