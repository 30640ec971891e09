"""Reads from the sealed log of a visit how it ended, and checks that the manifest agrees. Pure.

The log of a visit that began with an entry `route` has the results of the parcels and of the house, the delivery that
was reserved, and the entrance. The log of an incident has none of the first three. The log of a reception has only its
entrance and its delivery: the outcome is that of all parcels of the delivery.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.visit.state import Phase
from gateway.evidence.manifest import ROUTE_VERSION, DeliveryFacts, Manifest, manifest_name
from gateway.evidence.verdict import ProofDefect, ProofProblem

DELIVERY_UNKNOWN = "delivery_unknown"  # the note in a manifest if the box no longer had the delivery of the log
_WITH_DELIVERY = frozenset({"Reserve", "ParcelResult", "HouseResult"})  # commands that name the delivery of the visit


class LoggedResult(Frozen):
    """A visit's end in its log; None: the log does not have it.

    `deliveries` and `entrances` are all that its entries name; if there are several of either, the log contradicts any
    manifest.
    """

    has_route: bool
    is_incident: bool
    is_reception: bool
    outcome: str | None
    house: str | None
    deliveries: frozenset[str]
    version: int | None
    place: str | None
    entrances: frozenset[str]

    def lacks(self, delivery: DeliveryFacts | None) -> str | None:
        """Return the field of this delivery that differs from the log; None: the log does not contradict it."""
        if self.is_incident:
            return None if delivery is None else "id"
        if delivery is None:
            return "id" if self.deliveries or self.place is not None else None
        if self.deliveries - {delivery.id}:
            return "id"
        if self.version is not None and self.version != delivery.version:
            return "version"
        return "place" if self.place is not None and self.place != delivery.place else None


def read_result(bodies: Iterable[object]) -> LoggedResult:
    """Read the entries of a visit's log, in their order. Entries of another shape are skipped."""
    rows = tuple(body for body in bodies if isinstance(body, dict) and body.get("kind") in {"step", "custody"})
    steps = tuple(row for row in rows if row["kind"] == "step")
    commands = tuple((row, command) for row in steps for command in _commands(row))
    route = next((row["route"] for row in steps if row.get("route") is not None), None)
    custodies = tuple(row for row in rows if row["kind"] == "custody")
    named = [command.get("delivery") for _, command in commands if command["command"] in _WITH_DELIVERY]
    named += [row.get("delivery") for row in custodies]
    reserved = [command.get("version") for _, command in commands if command["command"] == "Reserve"]
    return LoggedResult(
        has_route=route is not None,
        is_incident=bool(steps) and not custodies and all(row.get("phase") == "ready" for row in steps),
        is_reception=bool(custodies),
        outcome=_outcome(commands),
        house=_house(steps, commands),
        deliveries=frozenset(one for one in named if isinstance(one, str)),
        version=next((one for one in reversed(reserved) if isinstance(one, int)), None),
        place=_text(route.get("place")) if isinstance(route, dict) else None,
        entrances=frozenset(one for row in rows if isinstance(one := row.get("entrance"), str)),
    )


def check_result(manifest: Manifest, result: LoggedResult, *, is_incomplete: bool) -> None:
    """Compare entrance, results and delivery of a manifest with its log.

    `is_incomplete`: the disk failed during the visit, so a result that is missing in the log may still be true.

    Raises:
        ProofDefect: the first difference. Its place has the value of the log.
    """
    why = next(_differences(manifest, result, is_incomplete=is_incomplete), None)
    if why is not None:
        raise ProofDefect(ProofProblem.ROUTE_DIFFERS, f"{manifest_name(manifest.part)}: {why}")


def _differences(manifest: Manifest, result: LoggedResult, *, is_incomplete: bool) -> Iterator[str]:
    if manifest.version < ROUTE_VERSION:
        if result.has_route:
            yield f"it has version {manifest.version}, but its log has a route, which needs version 3"
        return
    others = sorted(result.entrances - {manifest.entrance})
    if others:
        yield f"its entrance is {manifest.entrance}, but the log has {others[0]}"
    if manifest.moved_from == manifest.entrance:
        yield f"the delivery was moved from {manifest.moved_from}, the entrance of this visit itself"
    if not (result.has_route or result.is_incident or result.is_reception):
        return  # the visit began under a release whose log has no route
    told_house = None if manifest.house is None else manifest.house.value
    if told_house != result.house and not (is_incomplete and result.house is None):
        yield f"house is {told_house or 'null'}, the log has {result.house or 'none'}"
    told_outcome = None if manifest.outcome is None else manifest.outcome.value
    is_told = not result.is_reception and not (is_incomplete and result.outcome is None)
    if is_told and told_outcome != result.outcome:
        yield f"outcome is {told_outcome or 'null'}, the log has {result.outcome or 'none'}"
    field = result.lacks(manifest.delivery)
    if field is not None and (manifest.delivery is not None or DELIVERY_UNKNOWN not in manifest.notes):
        yield f"the {field} of the delivery differs from the log"


def as_logged(told: Mapping[str, Any], result: LoggedResult, *, is_incomplete: bool) -> dict[str, Any]:
    """Return the results and the delivery of a draft as its log has them: the box may have lost its state since.

    If the delivery was changed or deleted since the visit, it is left out, and the note `delivery_unknown` declares
    this.
    """
    if not (result.has_route or result.is_incident or result.is_reception):
        return {}
    sealed: dict[str, Any] = {}
    if not is_incomplete or result.house is not None:
        sealed["house"] = None if result.house is None else DoorResult(result.house)
    if not result.is_reception and (not is_incomplete or result.outcome is not None):
        sealed["outcome"] = None if result.outcome is None else Outcome(result.outcome)
    if result.lacks(told["delivery"]) is not None:
        sealed["delivery"] = None
        if not result.is_incident:
            sealed["notes"] = tuple(dict.fromkeys((*told["notes"], DELIVERY_UNKNOWN)))
    return sealed


_Commands = tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]


def _commands(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    commands = row.get("commands")
    for command in commands if isinstance(commands, list) else ():
        if isinstance(command, dict) and isinstance(command.get("command"), str):
            yield command


def _outcome(commands: _Commands) -> str | None:
    """Return the parcels' result: it is set once; an opening that was released at the end means `not_delivered`."""
    results = [_text(command.get("outcome")) for _, command in commands if command["command"] == "ParcelResult"]
    told = next((one for one in results if one is not None), None)
    given_back = any(
        command["command"] == "Release" and row.get("phase") == Phase.LOCKED_AGAIN for row, command in commands
    )
    return Outcome.NOT_DELIVERED.value if told is None and given_back else told


def _house(steps: Iterable[Mapping[str, Any]], commands: _Commands) -> str | None:
    """Return the house's result: the first, unless the visit was handed to the owner in a later part."""
    if any(row.get("phase") == Phase.HANDED_TO_OWNER for row in steps):
        return DoorResult.HANDED_TO_OWNER.value
    results = [_text(command.get("house")) for _, command in commands if command["command"] == "HouseResult"]
    return next((one for one in results if one is not None), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
