"""Compares a visit's end in a manifest with its log, by docs/reference/proof-format.md alone."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]


def first_wrong(found: Object, rows: list[Any], *, incomplete: bool) -> str | None:
    """The first field that differs from the log, or None; `incomplete`: the log declares that entries are missing."""
    return next(differences(found, [row for row in rows if isinstance(row, dict)], incomplete=incomplete), None)


def differences(found: Object, rows: list[Object], *, incomplete: bool) -> Iterator[str]:
    steps = [row for row in rows if row.get("kind") == "step"]
    custody = [row for row in rows if row.get("kind") == "custody"]
    route = next((row["route"] for row in steps if row.get("route") is not None), None)
    if found["version"] < 3:
        if route is not None:
            yield "the log names a route, which this version cannot state"
        return
    entrances = {row.get("entrance") for row in (*steps, *custody)} - {None}
    if entrances - {found["entrance"]}:
        yield "entrance"
    if found["moved_from"] == found["entrance"]:
        yield "moved_from"
    incident = bool(steps) and not custody and {row.get("phase") for row in steps} == {"ready"}
    if route is None and not custody and not incident:
        return
    outcome, house = results(steps)
    if found["house"] != house and not (incomplete and house is None):
        yield "house"
    if found["outcome"] != outcome and not (incomplete and outcome is None) and not custody:
        yield "outcome"
    yield from delivery(found, steps, custody, None if route is None else route["place"], incident=incident)


def commands(steps: list[Object], *names: str) -> list[tuple[Object, Object]]:
    return [
        (row, command) for row in steps for command in row.get("commands", ()) if command.get("command") in names
    ]  # fmt: skip


def results(steps: list[Object]) -> tuple[str | None, str | None]:
    """The parcels' result and the house's."""
    parcels = [command["outcome"] for _, command in commands(steps, "ParcelResult")]
    if not parcels and any(row["phase"] == "locked_again" for row, _ in commands(steps, "Release")):
        parcels = ["not_delivered"]
    houses = [command["house"] for _, command in commands(steps, "HouseResult")]
    if any(row.get("phase") == "handed_to_owner" for row in steps):
        houses = ["handed_to_owner"]
    return next(iter(parcels), None), next(iter(houses), None)


def delivery(
    found: Object, steps: list[Object], custody: list[Object], place: str | None, *, incident: bool
) -> Iterator[str]:
    told = found["delivery"]
    named = {command["delivery"] for _, command in commands(steps, "Reserve", "ParcelResult", "HouseResult")}
    named |= {row["delivery"] for row in custody}
    versions = [command["version"] for _, command in commands(steps, "Reserve")]
    if incident or told is None:
        lacks = told is None and (named or place is not None) and "delivery_unknown" not in found["notes"]
        if (incident and told is not None) or (not incident and lacks):
            yield "delivery"
        return
    if named - {told["id"]}:
        yield "delivery: id"
    if versions and versions[-1] != told["version"]:
        yield "delivery: version"
    if place is not None and place != told["place"]:
        yield "delivery: place"
