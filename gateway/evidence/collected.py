"""Reads from the sealed log of a visit which parcels the courier took with him. Pure.

The log can show which announced codes were scanned inside. It cannot show that he took nothing else, and the manifest
says so: `unlisted` is `not_provable`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import MAX_PARCELS
from gateway.domain.delivery.result import CollectResult
from gateway.domain.frozen import Frozen
from gateway.protocol.signed_document import CanonicalModel


class CollectedParcels(CanonicalModel):
    """What a visit collected. `scanned`: of each code that was scanned inside the last characters, sorted."""

    result: CollectResult
    scanned: Annotated[tuple[Annotated[str, StringConstraints(max_length=4)], ...], Field(max_length=MAX_PARCELS)]
    unlisted: Literal["not_provable"] = "not_provable"


class CollectScan(Frozen):
    """One scan of a parcel to collect that counted: when, and the code's digest and end in the log."""

    at: datetime
    hmac: str
    end: str


class CollectionEnd(Frozen):
    """The result of a collection, when the log has it, and the scans that counted before, oldest first."""

    result: CollectResult
    at: datetime
    scans: tuple[CollectScan, ...]


def read_collection(bodies: Iterable[object]) -> CollectionEnd | None:
    """Return what the entries of a visit say of its collection; None: they have no result of one."""
    scans: dict[str, CollectScan] = {}
    for body in bodies:
        if not isinstance(body, dict) or body.get("kind") != "step":
            continue
        at, commands = _instant(body.get("at")), tuple(_commands(body))
        if at is None:
            continue
        scan = _counted(body.get("event"), commands, at)
        if scan is not None:
            scans.setdefault(scan.hmac, scan)
        for command in commands:
            if command.get("command") == "ParcelResult" and command.get("collected") in set(CollectResult):
                found = tuple(scans.values())[:MAX_PARCELS]
                return CollectionEnd(result=CollectResult(command["collected"]), at=at, scans=found)
    return None


def collected_parcels(bodies: Iterable[object]) -> CollectedParcels | None:
    """Return the manifest's statement about the collection in these entries."""
    end = read_collection(bodies)
    if end is None:
        return None
    return CollectedParcels(result=end.result, scanned=tuple(sorted(scan.end for scan in end.scans)))


def _counted(event: object, commands: Iterable[Mapping[str, Any]], at: datetime) -> CollectScan | None:
    """Return the scan of a code to collect that was answered with "go"; None: the event is no such scan."""
    if not isinstance(event, dict) or event.get("event") != "Scanned":
        return None
    matches, code = event.get("matches"), event.get("code")
    kinds = {match.get("kind") for match in matches if isinstance(match, dict)} if isinstance(matches, list) else set()
    if "collect" not in kinds or not isinstance(code, dict):
        return None
    is_counted = any(command.get("command") == "Answer" and command.get("word") == "go" for command in commands)
    hmac, end = code.get("hmac"), code.get("last")
    if not is_counted or not isinstance(hmac, str) or not isinstance(end, str):
        return None
    return CollectScan(at=at, hmac=hmac, end=end[-4:])


def _commands(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    commands = body.get("commands")
    for command in commands if isinstance(commands, list) else ():
        if isinstance(command, dict):
            yield command


def _instant(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
