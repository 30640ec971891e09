"""The drawing of each scene shows the ways in, cameras and rooms of the scene's home, and no others."""

from pathlib import Path

import pytest

from gateway.demo.page.drawing import DRAWN_KINDS, FIRST_LEFT, ROOM_RIGHT, SceneDrawn, own_kinds, scene_of
from gateway.demo.page.words import TEMPLATES
from gateway.demo.plan import make_plan
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS


def drawn(scenario: Scenario, folder: Path) -> SceneDrawn:
    return scene_of(scenario.equip(make_plan(folder, fast=True, language="en")))


def test_each_kind_of_closure_is_drawn_and_a_new_one_as_on_the_owners_pages() -> None:
    page = TEMPLATES.get_template("house.svg")
    for own in (own_kinds(), own_kinds() - {"key_safe"}):
        drawn_page = page.render(kinds=DRAWN_KINDS, own_kinds=own, outlines=CLOSURE_DRAWINGS)
        assert all(f'id="drawing-{kind}"' in drawn_page for kind in CLOSURE_DRAWINGS)
        assert drawn_page.count("when-open") == len(CLOSURE_DRAWINGS.keys() - own)
    assert own_kinds() <= CLOSURE_DRAWINGS.keys()


@pytest.mark.parametrize(
    ("title", "kinds", "room", "body"),
    [
        ("delivered", ["bolted_door"], "living", "house"),
        ("into-fridge", ["bolted_door"], "living", "house"),
        ("garage", ["garage_door"], "garage", "house"),
        ("garage:home-assistant-cover", ["garage_door"], "garage", "house"),
        ("flat", ["strike", "bolted_door"], "narrow", "building"),
        ("locker", ["compartment", "compartment"], "living", "house"),
        ("key-safe", ["key_safe", "keyed_door"], "living", "house"),
        ("fallback", ["compartment", "compartment", "bolted_door"], "narrow", "house"),
        ("concierge", [], "lobby", "building"),
    ],
)
def test_a_scene_is_drawn_with_the_ways_in_of_its_home(
    title: str, kinds: list[str], room: str, body: str, tmp_path: Path
) -> None:
    scene = drawn(find_scenarios(title)[0], tmp_path)
    assert ([way.kind for way in scene.closures], scene.room, scene.body) == (kinds, room, body)


def test_what_else_a_home_has_is_drawn_too(tmp_path: Path) -> None:
    into_fridge, guarded, flat, locker = (
        drawn(find_scenarios(title)[0], tmp_path / title) for title in ("into-fridge", "guarded", "flat", "locker")
    )
    assert into_fridge.fridge
    assert not locker.fridge
    assert (into_fridge.guard, guarded.guard is None) == (None, False)
    assert [camera.id for camera in into_fridge.cameras] == ["doorbell", "hall-camera"]
    assert [camera.id for camera in locker.cameras] == ["doorbell"]
    street, door = flat.closures
    assert street.x + street.width < flat.cameras[0].x < door.x, "its camera hangs in the hall, at the flat's own door"
    assert flat.outside < street.x < flat.between < door.x < flat.inside


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_nothing_in_a_drawing_lies_over_something_else(scenario: Scenario, tmp_path: Path) -> None:
    scene = drawn(scenario, tmp_path)
    edges = [edge for way in scene.closures for edge in (way.x, way.x + way.width)]
    assert edges == sorted(edges)
    assert all(FIRST_LEFT <= edge <= scene.room_left for edge in edges)
    assert scene.room_left < scene.inside < ROOM_RIGHT
    assert scene.outside > 0
