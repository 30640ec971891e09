"""Decides whether a door sensor depends on the lock that it must watch."""

from gateway.config.home import Home
from gateway.config.topics import custom_topics


def depends_on_lock(home: Home, lock: str, door: str) -> bool:
    """Return whether a door sensor is the lock's own: one device under two ids, or one with a topic of the lock.

    A lock that is wrong about its bolt may be wrong about its own sensor too. What follows a `#` names a part of one
    device (TaHoma's `io://GATEWAY/ADDRESS#2`).
    """
    one, other = home.devices[lock], home.devices[door]
    if other.definition.is_behind_guard:  # `guard.yaml` names the sensor, and its validation refuses the same
        return False
    whole, also = (device.address.partition("#")[0] for device in (one, other))
    if lock == door or (whole and (one.vendor, whole) == (other.vendor, also)):
        return True
    shared = set(custom_topics(home, lock).items()) & set(custom_topics(home, door).items())
    return any(channel.value in ("state", "set") for channel, _ in shared)
