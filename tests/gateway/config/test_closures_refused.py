"""What a house file may not say of the closures of an entrance: each refusal names its place and what to do."""

from typing import Any

import pytest

from gateway.config.home import Home
from gateway.config.validation import find_problems
from gateway.domain.visit.closures import GarageDoor
from tests.gateway.domain.delivery import shop

DEVICES: dict[str, dict[str, Any]] = {
    "strike": {"kind": "strike", "vendor": "perron"},
    "reed": {"kind": "door", "vendor": "perron"},
    "flap": {"kind": "strike", "vendor": "perron"},
    "flap-reed": {"kind": "door", "vendor": "perron"},
    "hook": {"kind": "key", "vendor": "perron"},
    "hall-reed": {"kind": "door", "vendor": "perron"},
    "opener": {"kind": "cover", "vendor": "esphome", "address": "gate/cover/gate", "reverses": True, "beam": False},
}
STREET: dict[str, Any] = {"id": "street", "kind": "strike", "devices": {"order": "strike", "door": "reed"}}
FLAT: dict[str, Any] = {
    "id": "flat", "kind": "bolted_door", "devices": {"order": "lock", "lock": "lock", "door": "door"},
    "cameras": ["cam"], "scanners": ["scanner"],
}  # fmt: skip
SAFE: dict[str, Any] = {
    "id": "safe", "kind": "key_safe", "devices": {"order": "flap", "flap": "flap-reed", "key": "hook"},
    "cameras": ["cam"],
}  # fmt: skip
HALL: dict[str, Any] = {"id": "hall", "kind": "keyed_door", "devices": {"door": "hall-reed"}}
GATE: dict[str, Any] = {
    "id": "gate", "kind": "garage_door", "devices": {"order": "opener", "door": "reed", "way": "opener"},
    "cameras": ["cam"],
}  # fmt: skip


def found(*closures: dict[str, Any], **entrance: object) -> list[tuple[str, str]]:
    """The problems of a house whose front door is these closures: where, and the text."""
    document = shop.make_home().model_dump(mode="json")
    front = document["entrances"]["front"]
    front |= {"lock": None, "door": None, "closures": list(closures), "scanners": [], **entrance}
    used = {device for closure in closures for device in closure["devices"].values()}
    document["devices"] |= {name: device for name, device in DEVICES.items() if name in used}
    home = Home.model_validate(document, strict=False)
    return [(".".join(map(str, one.loc[2:])), one.text) for one in find_problems(home) if one.loc[:1] == ("entrances",)]


def test_a_flat_behind_a_street_door_and_a_key_safe_before_a_door_are_fine() -> None:
    assert found(STREET, FLAT) == []
    assert found(SAFE, HALL, scanners=["scanner"]) == []


def devices(closure: dict[str, Any], **changes: str | None) -> dict[str, Any]:
    named = {**closure["devices"], **changes}
    return {**closure, "devices": {role: device for role, device in named.items() if device is not None}}


@pytest.mark.parametrize(
    ("closures", "entrance", "where", "why"),
    [
        ((STREET, {**FLAT, "id": "street"}), {}, "closures.1.id", "the id of another closure already"),
        ((devices(STREET, door="nothing"), FLAT), {}, "closures.0.devices.door", "there is no device `nothing`"),
        ((devices(STREET, door=None), FLAT), {}, "closures.0.devices", "`door` is missing"),
        ((devices(STREET, bolt="reed"), FLAT), {}, "closures.0.devices.bolt", "a strike has no `bolt`. It has: order"),
        ((devices(STREET, order="reed"), FLAT), {}, "closures.0.devices.order", "a strike is opened by a"),
        ((devices(STREET, door="strike"), FLAT), {}, "closures.0.devices.door", "does not measure `door`"),
        ((STREET, {**FLAT, "cameras": []}), {}, "closures.1.cameras", "no camera sees who stands in front of `flat`"),
        ((STREET, {**FLAT, "guarded": False}), {}, "closures.1.guarded", "its device declares this"),
        ((SAFE, HALL, FLAT), {}, "closures", "`hall` opens by a key: nothing that the gateway opens comes after it"),
        (
            (STREET, FLAT), {"places": {"hall": {"name": "Hall", "routes": [["street", "attic"]]}}},
            "places.hall.routes.0.1", "no closure has the id `attic`: flat, street.",
        ),
        (
            (SAFE, HALL), {"scanners": ["scanner"], "places": {"hall": {"name": "Hall", "routes": [["hall"]]}}},
            "places.hall.routes.0", "a route begins with a closure that the gateway opens",
        ),
        ((GATE,), {"scanners": ["scanner"]}, "living_space", "`opener` opens a garage_door, which is no lock"),
        ((), {}, "lock", "nothing bars the way in here"),
    ],
)  # fmt: skip
def test_a_closure_that_cannot_be_is_refused_with_its_place(
    closures: tuple[dict[str, Any], ...], entrance: dict[str, Any], where: str, why: str
) -> None:
    assert any(place == where and why in text for place, text in found(*closures, **entrance)), found(
        *closures, **entrance
    )


def test_a_kind_that_must_have_a_beam_is_refused_an_opener_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = {"living_space": False, "scanners": ["scanner"]}
    assert found(GATE, **outside) == [], "a garage door does without one: people close it"
    monkeypatch.setattr(GarageDoor, "optional_roles", frozenset())
    told = [text for place, text in found(GATE, **outside) if place == "closures.0.devices.way"]
    assert told == ["`opener` declares that it does not report `way`, which a garage_door needs."]
