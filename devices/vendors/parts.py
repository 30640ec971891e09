"""Parses a payload of several parts, so that an unreadable part hides no other."""

from collections.abc import Callable, Iterable

from devices.reports import Report, UnreadablePayload
from devices.strict_json import MalformedPayload


def each(*readers: Callable[[], Iterable[Report]]) -> tuple[Report, ...]:
    """Parse each part by itself; return all readable reports, then one `UnreadablePayload` if a part failed.

    A lock's "unlocked" must not be lost because its battery level, beside it, is an unknown word.
    """
    found: list[Report] = []
    wrong: list[str] = []
    for read in readers:
        try:
            found += read()
        except MalformedPayload as error:
            wrong.append(str(error))
    return (*found, *(UnreadablePayload(why=why) for why in wrong[:1]))
