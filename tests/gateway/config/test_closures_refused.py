"""The refusals of an entrance's closures in the house file: each names its place and what to do."""

from collections.abc import Iterator
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
    "basic-hook": {"kind": "key", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/hook", "answers": False},
    "hall-reed": {"kind": "door", "vendor": "perron"},
    "hook-2": {"kind": "key", "vendor": "perron"},
    "box-1": {"kind": "compartment", "vendor": "perron"},
    "box-2": {"kind": "compartment", "vendor": "perron"},
    "eye": {"kind": "content", "vendor": "perron"},
    "zoe": {"kind": "car", "vendor": "ovms", "address": "ovms/marie/zoe"},
    "zoe-boot": {"kind": "car", "vendor": "ovms", "address": "ovms/marie/zoe", "boot_order": True},
    "model3": {"kind": "car", "vendor": "tesla"},
    "skoda": {"kind": "car", "vendor": "carconnectivity", "address": "carconnectivity/0/garage/TMBZZZ"},
    "mate": {"kind": "car", "vendor": "teslamate", "address": "teslamate/cars/1"},
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


C1: dict[str, Any] = {
    "id": "c1", "kind": "compartment",
    "devices": {"order": "box-1", "latch": "box-1", "lid": "box-1", "content": "eye"},
}  # fmt: skip
C2: dict[str, Any] = {
    "id": "c2", "kind": "compartment", "devices": {"order": "box-2", "latch": "box-2", "lid": "box-2"},
    "cameras": ["cam"],
}  # fmt: skip
OUTSIDE: dict[str, Any] = {"living_space": False, "scanners": ["scanner"]}


def way_to_hall(*routes: list[str]) -> dict[str, Any]:
    return {"places": {"hall": {"name": "Hall", "routes": list(routes)}}}


def found(*closures: dict[str, Any], **entrance: object) -> list[tuple[str, str]]:
    """The problems of a house whose front door is these closures: where, and the text."""
    document = shop.make_home().model_dump(mode="json")
    front = document["entrances"]["front"]
    front |= {"lock": None, "door": None, "closures": list(closures), "scanners": [], **entrance}
    used = {device for closure in closures for device in closure["devices"].values()}
    used |= {device for closure in closures for device in closure.get("witnesses", ())}
    document["devices"] |= {name: device for name, device in DEVICES.items() if name in used}
    home = Home.model_validate(document, strict=False)
    return [(".".join(map(str, one.loc[2:])), one.text) for one in find_problems(home) if one.loc[:1] == ("entrances",)]


def test_a_flat_behind_a_street_door_and_a_key_safe_before_a_door_are_fine() -> None:
    assert found(STREET, FLAT) == []
    assert found(SAFE, HALL, scanners=["scanner"]) == []


def test_a_parcel_box_with_a_compartment_a_route_and_a_way_past_one_of_two_doors_are_fine() -> None:
    assert found(C1, C2, **OUTSIDE, **way_to_hall(["c1"], ["c2"]), home_refuses=False) == []
    assert found(STREET, C1, C2, **OUTSIDE, **way_to_hall(["street", "c1"], ["street", "c2"])) == []
    assert found(STREET, FLAT, **way_to_hall(["street", "flat"], ["flat"])) == []


def test_the_scanners_of_the_first_closure_may_stand_at_the_entrance_too() -> None:
    assert found({**STREET, "scanners": ["scanner"]}, {**FLAT, "scanners": []}, scanners=["scanner"]) == []


def devices(closure: dict[str, Any], **changes: str | None) -> dict[str, Any]:
    named = {**closure["devices"], **changes}
    return {**closure, "devices": {role: device for role, device in named.items() if device is not None}}


@pytest.mark.parametrize(
    ("closures", "entrance", "where", "why"),
    [
        ((STREET, {**FLAT, "id": "street"}), {}, "closures.1.id", "the id of another closure already"),
        ((devices(STREET, door="nothing"), FLAT), {}, "closures.0.devices.door", "there is no device `nothing`"),
        ((devices(STREET, door=None), FLAT), {}, "closures.0.devices", "`devices` lacks `door`: name the device"),
        ((devices(STREET, bolt="reed"), FLAT), {}, "closures.0.devices.bolt", "a strike has no `bolt`. It has: order"),
        ((devices(STREET, order="reed"), FLAT), {}, "closures.0.devices.order", "opens a strike"),
        ((devices(STREET, door="strike"), FLAT), {}, "closures.0.devices.door", "does not measure `door`"),
        ((STREET, {**FLAT, "cameras": []}), {}, "closures.1.cameras", "no camera sees who stands in front of `flat`"),
        ((STREET, {**FLAT, "guarded": False}), {}, "closures.1.guarded", "its device declares this"),
        ((SAFE,), OUTSIDE, "closures", "`safe` has no door behind it"),
        (
            (SAFE, HALL), {**OUTSIDE, **way_to_hall(["safe"])},
            "places.hall.routes.0", "`safe` has no door behind it: add the keyed_door",
        ),
        ((SAFE, HALL, FLAT), {}, "closures", "only a key opens `hall`, so the gateway cannot open a closure behind it"),
        (
            (STREET, FLAT), way_to_hall(["street", "attic"]),
            "places.hall.routes.0.1", "no closure has the id `attic`. Known: flat, street.",
        ),
        (
            (SAFE, HALL), {"scanners": ["scanner"], **way_to_hall(["hall"])},
            "places.hall.routes.0", "a route begins with a closure that the gateway opens",
        ),
        ((GATE,), {"scanners": ["scanner"]}, "living_space", "`opener` opens a garage_door, which is no lock"),
        ((STREET, FLAT), {"lock": "lock"}, "door", "belong together: leave out `lock` beside `closures`."),
        ((STREET, FLAT), {"door": "door"}, "lock", "belong together: leave out `door` beside `closures`."),
        ((), {"lock": "lock"}, "door", "belong together: name both, or write `closures`."),
        (
            (STREET, {**FLAT, "cameras": []}), {"cameras": {}},
            "cameras.outside", "no camera sees the courier: name one.",
        ),
        (
            ({**C2, "cameras": []},), {**OUTSIDE, "cameras": {}},
            "cameras.outside", "name one, or write what else proves a delivery: evidence: sensor, scan or none.",
        ),
        (
            (devices(SAFE, key="basic-hook"), HALL), {"scanners": ["scanner"]},
            "closures.0.devices.key", "`basic-hook` cannot be queried, so it cannot prove that `safe` stayed shut.",
        ),
        ((), {}, "lock", "nothing bars the way in here"),
        ((HALL,), OUTSIDE, "closures", "the gateway opens nothing here: only a key opens `hall`"),
        (({**HALL, "id": "door"},), OUTSIDE, "closures", "the gateway opens nothing here: only a key opens `door`"),
        (
            ({**HALL, "id": "door"}, SAFE), OUTSIDE,
            "closures", "only a key opens `door`, so the gateway cannot open a closure behind it",
        ),
        ((C1, C2), {**OUTSIDE, **way_to_hall(["c1", "c1"])}, "places.hall.routes.0.1", "`c1` is listed twice"),
        (
            (STREET, FLAT), way_to_hall(["street", "flat"], ["flat", "street"]),
            "places.hall.routes.1", "the order differs from that of `closures`: write [street, flat]",
        ),
        ((STREET, FLAT), way_to_hall(["street"]), "places.hall.routes.0", "no other closure of this route bars"),
        ((STREET,), {"scanners": ["scanner"]}, "closures", "neighbours open `street` too"),
        ((STREET, FLAT), {"home_refuses": False}, "home_refuses", "the living space: leave this out."),
        ((STREET, FLAT), {"home_refuses": False, "signal": None}, "home_refuses", "leave this out, and name a signal."),
        ((STREET, FLAT), {"signal": None}, "signal", "nobody at home can refuse: name a signal."),
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


@pytest.mark.parametrize(
    ("closures", "where", "whose"),
    [
        ((STREET, devices(FLAT, door="reed")), "closures.1.devices.door", "the closure `street` already uses `reed`"),
        ((STREET, {**STREET, "id": "yard"}), "closures.1.devices.order", "the closure `street` already uses `strike`"),
        (
            (FLAT, devices({**FLAT, "id": "attic"}, door="reed")),
            "closures.1.devices.order", "the closure `flat` already uses `lock`",
        ),
        ((C1, devices(C2, latch="box-1")), "closures.1.devices.latch", "the closure `c1` already uses `box-1`"),
        ((C1, devices(C2, content="eye")), "closures.1.devices.content", "the closure `c1` already uses `eye`"),
        (
            (SAFE, devices({**SAFE, "id": "box"}, order="strike", flap="reed")),
            "closures.1.devices.key", "the closure `safe` already uses `hook`",
        ),
        (
            (SAFE, devices(HALL, door="flap-reed")),
            "closures.1.devices.door", "the closure `safe` already uses `flap-reed`",
        ),
    ],
)  # fmt: skip
def test_a_device_of_two_closures_is_refused_at_the_second_one(
    closures: tuple[dict[str, Any], ...], where: str, whose: str
) -> None:
    told = [text for place, text in found(*closures, **OUTSIDE) if place == where]
    assert any(whose in text and "its own device" in text for text in told), told


def test_a_compartment_in_two_closures_is_named_once() -> None:
    both = found(C1, {**C1, "id": "c2", "cameras": ["cam"]}, **OUTSIDE)
    assert [place for place, _ in both] == ["closures.1.devices.order", "closures.1.devices.content"]
    assert "Each compartment of a board is one device" in both[0][1]


def test_what_the_short_form_names_is_its_own_too() -> None:
    told = found(devices({**FLAT, "id": "attic"}, order="strike", lock="lock", door="reed"), lock="lock", door="door")
    assert any(
        place == "closures.0.devices.lock" and "the closure `door` already uses `lock`" in text for place, text in told
    ), told


@pytest.mark.parametrize(
    ("closures", "entrance", "whose"),
    [
        ((STREET, FLAT), {"scanners": ["scanner"]}, "the closure `street` already has `scanner`"),
        (({**STREET, "scanners": ["scanner"]}, FLAT), {}, "the closure `street` already has `scanner`"),
    ],
)
def test_a_scanner_at_two_closures_is_refused(
    closures: tuple[dict[str, Any], ...], entrance: dict[str, Any], whose: str
) -> None:
    ((place, text),) = found(*closures, **entrance)
    assert place == "closures.1.scanners.0"
    assert whose in text
    assert "give `flat` its own scanner" in text


@pytest.mark.parametrize(
    ("places", "where", "text"),
    [
        (
            {"fridge": {"name": "Fridge", "scanners": ["scanner"]}}, "places.fridge.scanners.0",
            "`scanner` hangs at `door` already",
        ),
        (
            {"fridge": {"name": "F", "scanners": ["inner"]}, "hall": {"name": "H", "scanners": ["inner"]}},
            "places.hall.scanners.0", "`inner` hangs at `fridge` already",
        ),
        ({"fridge": {"name": "F", "scanners": ["door"]}}, "places.fridge.scanners.0", "`door` is a door"),
        ({"fridge": {"name": "F", "full_sensor": "door"}}, "places.fridge.full_sensor", "`door` is a door"),
    ],
)  # fmt: skip
def test_a_scanner_that_hangs_at_a_place_hangs_nowhere_else_and_is_one(
    places: dict[str, Any], where: str, text: str
) -> None:
    document = shop.make_home().model_dump(mode="json")
    document["devices"]["inner"] = {"kind": "scanner", "vendor": "scanner"}
    document["entrances"]["front"]["places"] = places
    problems = [
        (".".join(map(str, one.loc)), one.text) for one in find_problems(Home.model_validate(document, strict=False))
    ]
    assert any(place == f"entrances.front.{where}" and text in told for place, told in problems), problems


RELAY = {"kind": "strike", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/relay"}
CONTACT = {"kind": "door", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/contact", "answers": False}
SLOT = {"kind": "compartment", "vendor": "locker", "address": "locker/hall/compartment/1"}
EYE = {"kind": "content", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/eye", "answers": False}
HOOK = {"kind": "key", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/hook", "answers": False}
SOMFY = {"kind": "lock", "vendor": "somfy", "address": "io://1234/1"}
COVER = {"kind": "cover", "vendor": "ratgdo", "address": "garage/ratgdo", "reverses": True, "beam": False}


def of_devices(
    one: dict[str, Any], other: dict[str, Any], used: tuple[str, ...] = ("one", "other")
) -> list[tuple[str, str]]:
    """The problems of two devices, each of which a closure of the front door uses."""
    document = shop.make_home().model_dump(mode="json")
    closures = [{"id": name, "kind": "strike", "devices": {"order": name}} for name in used]
    document["entrances"]["front"] |= {"lock": None, "door": None, "closures": closures}
    document["devices"] |= {"one": one, "other": other}
    problems = find_problems(Home.model_validate(document, strict=False))
    return [(".".join(map(str, problem.loc)), problem.text) for problem in problems if problem.loc[0] == "devices"]


@pytest.mark.parametrize("device", [RELAY, CONTACT, SLOT, EYE, HOOK, SOMFY, COVER], ids=lambda one: str(one["kind"]))
def test_two_sections_of_one_physical_device_are_refused(device: dict[str, Any]) -> None:
    ((place, text),) = of_devices(device, device)
    assert place == "devices.other.address"
    assert f"`{device['address']}` is already the address of the {device['kind']} `one`" in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RELAY, {**RELAY, "address": "zigbee2mqtt/relay 2"}),
        ({**RELAY, "keys": {"state": "state_l1"}}, {**RELAY, "keys": {"state": "state_l2"}}),
        ({**SOMFY, "address": "io://1234/1#1"}, {**SOMFY, "address": "io://1234/1#2"}),
        (EYE, {**CONTACT, "address": EYE["address"]}),
        ({"kind": "strike", "vendor": "perron"}, {"kind": "strike", "vendor": "perron"}),
    ],
    ids=["two relays", "two channels of a relay", "two parts", "two things that one sensor does", "Perron's own words"],
)
def test_two_devices_and_two_parts_of_one_device_are_fine(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert of_devices(one, other) == []


def test_another_setting_makes_no_second_relay() -> None:
    assert of_devices(RELAY, {**RELAY, "keys": {"on_time": "device"}})


def test_a_second_section_that_nothing_uses_does_no_harm() -> None:
    assert of_devices(RELAY, RELAY, used=("one",)) == []


ON_DRIVE: dict[str, Any] = {
    "living_space": False, "evidence": "scan", "scanners": ["scanner"], "signal": None, "home_refuses": False,
    "cameras": {}, "places": {"boot": {"name": "Boot"}},
}  # fmt: skip


def boot(car: str, **more: object) -> dict[str, Any]:
    """The boot of a car, of which one device says everything."""
    return {
        "id": "boot", "kind": "car_boot", "devices": dict.fromkeys(("order", "boot", "locked", "parked", "place"), car),
        "fence": {"latitude": 48.85, "longitude": 2.35}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "closure",
    [boot("zoe", opens="car"), boot("zoe-boot"), boot("model3"), boot("zoe", opens="car", witnesses=["mate"]),
     boot("zoe", opens="car", fence=None)],
)  # fmt: skip
def test_a_car_that_answers_is_fine_also_before_anybody_has_said_where_it_must_stand(closure: dict[str, Any]) -> None:
    assert found(closure, **ON_DRIVE) == []


@pytest.mark.parametrize(
    ("closure", "where", "text"),
    [
        (boot("zoe"), "closures.0.opens", "it unlocks every door. If its owner accepts that, write opens: car"),
        (boot("zoe-boot", opens="car"), "closures.0.opens", "so its doors stay locked: leave this out"),
        (boot("model3", opens="car"), "closures.0.opens", "so its doors stay locked: leave this out"),
        (
            boot("skoda", opens="car"),
            "closures.0.devices.place",
            "would never be ready: CarConnectivity asks the maker's",
        ),
        (boot("mate", opens="car"), "closures.0.devices.place", "would never be ready: TeslaMate asks a sleeping car"),
        (boot("zoe", opens="car", witnesses=["zoe"]), "closures.0.witnesses.0", "a witness is another device"),
        (boot("zoe", opens="car", witnesses=["hook"]), "closures.0.witnesses.0", "reports nothing about a car_boot"),
    ],
)
def test_a_car_that_can_never_be_ready_is_refused_and_its_owner_reads_why(
    closure: dict[str, Any], where: str, text: str
) -> None:
    problems = dict(found(closure, **ON_DRIVE))
    assert text in problems[where]


def test_a_car_is_no_way_into_the_living_space() -> None:
    problems = dict(found(boot("zoe-boot"), **ON_DRIVE | {"living_space": True}))
    assert problems["living_space"] == (
        "`zoe-boot` opens a car_boot, from which no door leads into the home: write living_space: false."
    )


VALID: list[tuple[tuple[dict[str, Any], ...], dict[str, Any]]] = [
    ((STREET, FLAT), {}),
    ((SAFE, HALL), {"scanners": ["scanner"]}),
    ((C1, C2), OUTSIDE | way_to_hall(["c1"], ["c2"])),
    ((GATE,), OUTSIDE),
    ((boot("zoe", opens="car"),), ON_DRIVE),
    ((boot("zoe-boot"),), ON_DRIVE),
    ((boot("model3"),), ON_DRIVE),
]


def roles() -> Iterator[tuple[tuple[dict[str, Any], ...], int, str, dict[str, Any]]]:
    for closures, entrance in VALID:
        for n, closure in enumerate(closures):
            yield from ((closures, n, role, entrance) for role in closure["devices"])


@pytest.mark.parametrize(("closures", "n", "role", "entrance"), [*roles()])
def test_a_device_that_is_not_there_is_the_only_thing_that_is_said_of_it(
    closures: tuple[dict[str, Any], ...], n: int, role: str, entrance: dict[str, Any]
) -> None:
    assert found(*closures, **entrance) == []
    spoilt = [*closures]
    spoilt[n] = devices(closures[n], **{role: "nothing"})
    assert found(*spoilt, **entrance) == [(f"closures.{n}.devices.{role}", "there is no device `nothing`.")]


def test_a_name_that_is_wrong_twice_is_not_said_to_be_used_already() -> None:
    told = found(devices(STREET, door="nothing"), devices(FLAT, door="nothing"))
    assert [text for _place, text in told] == ["there is no device `nothing`."] * 2


@pytest.mark.parametrize(("closures", "n", "role", "entrance"), [*roles()])
def test_a_role_that_is_left_out_is_asked_for_by_what_its_device_says(
    closures: tuple[dict[str, Any], ...], n: int, role: str, entrance: dict[str, Any]
) -> None:
    left = [*closures]
    left[n] = devices(closures[n], **{role: None})
    told = found(*left, **entrance)
    if role in {"content", "way"}:
        assert told == [], "a role that need not be there"
        return
    [(place, text)] = told
    assert place == f"closures.{n}.devices"
    assert text.startswith(f"`devices` lacks `{role}`: name the device that ")
    assert ("that says whe" in text) == (role != "order")


@pytest.mark.parametrize("way", ["lock", "door", "signal", "cameras.outside", "cameras.inside", "scanners"])
def test_a_device_of_an_entrance_that_is_not_there_is_the_only_thing_that_is_said(way: str) -> None:
    document = shop.make_home().model_dump(mode="json")
    section, _point, field = way.rpartition(".")
    front = document["entrances"]["front"]
    within = front[section] if section else front
    within[field] = ["nothing"] if isinstance(within[field], list) else "nothing"
    [problem] = find_problems(Home.model_validate(document, strict=False))
    assert problem.text.startswith("there is no device `nothing`. Devices of kind ")


def test_the_places_of_an_entrance_that_is_not_there_are_not_looked_for() -> None:
    document = shop.make_home().model_dump(mode="json")
    permission = next(iter(document["brands"].values()))["permission"]
    permission |= {"entrances": ["nowhere"], "places": ["hall"]}
    [problem] = find_problems(Home.model_validate(document, strict=False))
    assert problem.text.startswith("there is no entrance `nowhere`.")
