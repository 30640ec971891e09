"""Describes the drawing of a scene: the ways in, the cameras and the rooms that the home of the scene has. Pure.

A kind of closure is drawn as on the owner's pages (`CLOSURE_DRAWINGS`), unless `templates/closures` has a file for it.
In such a file `width` says how wide it is and `stands` where it stands; the ground is at y = 364. What moves in it has
one of these classes of `static/demo.css`: `hinged`, `rolls-up` and `lifts` while the closure is open, `bolt` while it
is free to open, `key` while the key is on its hook, `content` while something lies in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from gateway.config.closure_names import has_named_closures
from gateway.config.closures import entrance_closures
from gateway.config.devices import GuardSection
from gateway.demo.names import name_of
from gateway.demo.page.words import TEMPLATES
from gateway.demo.plan import DemoPlan
from gateway.demo.wording import numbered_label
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.closures import KINDS, AnyClosure
from gateway.system.i18n import Fact

DRAWN_KINDS = tuple(str(kind.model_fields["kind"].default) for kind in KINDS)
DEFAULT_WIDTH, DEFAULT_STANDS = 100, "in the wall"  # of a kind without a file of its own

# Pixels of the drawing, which is 600 wide.
GAP = 8
PASSAGE = 76  # between two doors in a wall: the hall of a building
ROOM_LEFT, ROOM_RIGHT = 292, 468
FIRST_LEFT = 84  # the first way in begins there at least: the courier is in front of it
NARROW_ROOM = 120  # in a room that is narrower there is no table
WALL_MARGIN = 34  # of the wall before its first door


class ClosureDrawn(Frozen):
    """A way in of the scene: `thing` is what the house's log calls it (None: the main door), `x` its left edge."""

    id: str
    kind: str
    thing: str | None
    name: Fact | None  # None: the only front door
    x: int
    width: int


class CameraDrawn(Frozen):
    """A camera of the scene, at this place."""

    id: str
    x: int
    y: int


class SceneDrawn(Frozen):
    """What is drawn of the home of a scene."""

    body: str = "house"  # or building: several homes behind one street door, or a reception
    room: str = "living"  # what is behind the ways in: living, narrow, garage, lobby
    wall: int = ROOM_LEFT - GAP - 100 - WALL_MARGIN  # its left edge
    room_left: int = ROOM_LEFT
    passage: int | None = None  # the left edge of the hall between two doors
    closures: tuple[ClosureDrawn, ...] = ()
    cameras: tuple[CameraDrawn, ...] = ()
    lamp: int | None = None  # where the signal is
    fridge: bool = False
    post: int | None = None  # where a post in front of the house carries signal and camera
    guard: int | None = None  # where the guard's box is
    outside: int = 112  # position of a person in front of the house
    between: int = 112  # position of a person who is through the first of two doors
    inside: int = 340


def scene_of(plan: DemoPlan) -> SceneDrawn:
    """Return the drawing of a run's home."""
    if plan.home.receptions:
        return SceneDrawn(body="building", room="lobby", wall=150, room_left=ROOM_LEFT, outside=318, between=318)
    placed, room_left = _placed(list(_ways_in(plan)))
    in_wall = [way for way in placed if _stands(way.kind) == "in the wall"]
    is_garage = any(way.kind == "garage_door" for way in placed)
    is_building = any(way.kind == "strike" for way in placed)
    is_narrow = ROOM_RIGHT - room_left < NARROW_ROOM
    first, last = placed[0], placed[-1]
    passage = None if len(in_wall) < 2 else in_wall[0].x + in_wall[0].width
    on_wall = [way.x for way in placed if _stands(way.kind) != "before the house"]
    return SceneDrawn(
        body="building" if is_building else "house",
        room="garage" if is_garage else "narrow" if is_narrow else "living",
        wall=min([*on_wall, room_left - GAP]) - WALL_MARGIN,
        room_left=room_left,
        passage=passage,
        closures=tuple(placed),
        cameras=tuple(_cameras(plan, placed, room_left)),
        lamp=None if plan.section.signal is None else first.x + first.width // 2,
        post=first.x + first.width // 2 if _stands(first.kind) == "before the house" else None,
        fridge=not is_garage and any(place.fridge is not None for place in plan.section.places.values()),
        guard=last.x + last.width + GAP if _has_guard(plan) else None,
        outside=first.x - 44,
        between=first.x - 44 if passage is None else passage + PASSAGE // 2,
        inside=room_left + 48,
    )


def _ways_in(plan: DemoPlan) -> Iterator[ClosureDrawn]:
    """Yield the ways in of all entrances, not placed yet."""
    for entrance in plan.home.entrances:
        closures = entrance_closures(plan.home, entrance)
        is_front_door = not has_named_closures(closures) and closures[0].kind == "bolted_door"
        for closure in closures:
            name: Fact | None = numbered_label(closures, closure.id)
            if is_front_door:
                name = name_of(plan.home.entrances[entrance].name) if len(plan.home.entrances) > 1 else None
            thing, kind = _thing(plan, closure), closure.kind
            yield ClosureDrawn(id=closure.id, kind=kind, thing=thing, name=name, x=0, width=_width(kind))


def _thing(plan: DemoPlan, closure: AnyClosure) -> str | None:
    devices = (plan.house.devices.get(device) for device in closure.devices.values())  # others are behind a bridge
    things = (getattr(device, "of", None) for device in devices)
    return next((thing for thing in things if thing is not None), None)


def _placed(ways: Sequence[ClosureDrawn]) -> tuple[list[ClosureDrawn], int]:
    """Place the ways in from left to right before the room; return them and the room's left edge."""
    order = {"before the house": 0, "on the wall": 1, "in the wall": 2}
    ways = sorted(ways, key=lambda way: order[_stands(way.kind)])
    lefts, x, before = list[int](), 0, ""
    for way in ways:
        x += 0 if not before else PASSAGE if before == _stands(way.kind) == "in the wall" else GAP
        lefts.append(x)
        x, before = x + way.width, _stands(way.kind)
    room_left = max(ROOM_LEFT, FIRST_LEFT + x + GAP)
    start = room_left - GAP - x
    return [replace(way, x=start + left) for way, left in zip(ways, lefts, strict=True)], room_left


def _cameras(plan: DemoPlan, ways: Sequence[ClosureDrawn], room_left: int) -> Iterator[CameraDrawn]:
    section = plan.section
    at = {way.id: way for way in ways}
    watched = {camera: at[closure.id] for closure in section.closures for camera in closure.cameras}
    for camera in section.courier_cameras:
        way = watched.get(camera, ways[0])
        is_beside = _stands(way.kind) == "in the wall"
        x, y = (way.x - 25, 236) if is_beside else (way.x + way.width // 2 - 9, 206)
        yield CameraDrawn(id=camera, x=x, y=y)
    for number, camera in enumerate(section.cameras.inside):
        yield CameraDrawn(id=camera, x=room_left + 10 + 24 * number, y=196)


def _has_guard(plan: DemoPlan) -> bool:
    return any(isinstance(getattr(device, "guard", None), GuardSection) for device in plan.home.devices.values())


def own_kinds() -> frozenset[str]:
    """Return the kinds that have a drawing of the demo's own."""
    names = TEMPLATES.list_templates(filter_func=lambda name: name.startswith("closures/"))
    return frozenset(name.removeprefix("closures/").removesuffix(".svg") for name in names)


def _width(kind: str) -> int:
    return int(_facts(kind).get("width", DEFAULT_WIDTH))


def _stands(kind: str) -> str:
    return str(_facts(kind).get("stands", DEFAULT_STANDS))


@cache
def _facts(kind: str) -> Mapping[str, Any]:
    return vars(TEMPLATES.get_template(f"closures/{kind}.svg").module) if kind in own_kinds() else {}
