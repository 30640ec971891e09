"""Faults in the loader's refusals of closures, routes and devices, and in an order without a device."""

from tests.mutants.mutant import Mutant

VALIDATION = "gateway/config/validation.py"
REFUSED = "tests/gateway/config/test_closures_refused.py"

MUTANTS = (
    Mutant(
        name="an entrance of which the gateway opens nothing is taken",
        file=VALIDATION,
        old="    if closures and not ordered:",
        new="    if not closures and not ordered:",
        tests=(REFUSED,),
    ),
    Mutant(
        name="an order to a closure without a device ends the process",
        file="gateway/runtime/effects.py",
        old="return None if found is None else found.devices.get(ORDER_ROLE)",
        new="return None if found is None else found.devices[ORDER_ROLE]",
        tests=("tests/gateway/runtime/test_effects.py",),
    ),
    Mutant(
        name="a route may open a closure twice",
        file=VALIDATION,
        old="                elif id_ in route[:m]:",
        new="                elif id_ in route[m + 1 : m]:",
        tests=(REFUSED,),
    ),
    Mutant(
        name="a route may turn the order of the closures round",
        file=VALIDATION,
        old="tuple(dict.fromkeys(route)) != in_order:",
        new="len(dict.fromkeys(route)) != len(in_order):",
        tests=(REFUSED,),
    ),
    Mutant(
        name="a street door alone bars the living space",
        file=VALIDATION,
        old="    if entrance.living_space and on_route and not any(closure.is_private for closure in on_route):",
        new="    if entrance.living_space and on_route and not any(closure.id for closure in on_route):",
        tests=(REFUSED,),
    ),
    Mutant(
        name="a key safe may stand without a door that its key opens",
        file=VALIDATION,
        old="if one.key_back_within_s is not None]):",
        new="if one.key_back_within_s is None]):",
        tests=(REFUSED,),
    ),
    Mutant(
        name="two closures may share a device",
        file=VALIDATION,
        old="            if user != closure.id and device not in devices[:m] and device in home.devices:",
        new="            if user != closure.id and device in devices[:m] and device in home.devices:",
        tests=(REFUSED,),
    ),
    Mutant(
        name="two closures may share a scanner",
        file=VALIDATION,
        old="            place = scanned_at.setdefault(scanner, closure.id)",
        new="            place = scanned_at.get(closure.id, closure.id)",
        tests=(REFUSED,),
    ),
    Mutant(
        name="a physical device may have two sections",
        file=VALIDATION,
        old="device.kind, identity, definition.part(device_ref)), id_)",
        new="device.kind, id_, definition.part(device_ref)), id_)",
        tests=(REFUSED,),
    ),
    Mutant(
        name="the second channel of a relay is the first one",
        file=VALIDATION,
        old="device.kind, identity, definition.part(device_ref)), id_)",
        new="device.kind, identity), id_)",
        tests=(REFUSED,),
    ),
    Mutant(
        name="nobody at home may refuse who comes into the living space",
        file=VALIDATION,
        old="    if entrance.living_space and not entrance.home_refuses:",
        new="    if not entrance.living_space and not entrance.home_refuses:",
        tests=(REFUSED,),
    ),
)
