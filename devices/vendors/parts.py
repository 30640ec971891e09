"""A payload of several parts, of which one that cannot be read hides no other."""

from collections.abc import Callable, Iterable

from devices.reports import Report, UnreadablePayload
from devices.vendors.strictjson import MalformedPayload


def each(*readers: Callable[[], Iterable[Report]]) -> tuple[Report, ...]:
    """Read each part by itself: what can be read of the payload, then one `UnreadablePayload` if a part could not.

    A lock's "unlocked" must not be lost because its battery, beside it, says an unknown word.
    """
    found: list[Report] = []
    wrong: list[str] = []
    for read in readers:
        try:
            found += read()
        except MalformedPayload as error:
            wrong.append(str(error))
    return (*found, *(UnreadablePayload(why=why) for why in wrong[:1]))
