"""Validates `home.yaml` as a whole before an entrance may be used."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from devices.vendors.words import TopicSuffix
from gateway.config.broker_acl import AccountTaken, account_names
from gateway.config.closures import (
    QUANTITIES_WITHOUT_QUERY,
    QUESTIONS,
    device_fields,
    has_device_facts,
    short_form,
    with_device_facts,
)
from gateway.config.devices import AnyDevice, RobotDevice
from gateway.config.home import EntranceSection, Home
from gateway.config.topics import depends_on_lock
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.guests.passes import GUEST_BRAND
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import ORDER_ROLE
from gateway.domain.visit.state import WALK_TEST, Evidence, Holder

# What a topic of a product may look like, whatever stands in its address.
PRODUCT_TOPIC_PATTERN = re.compile(
    r"[^+#/$\s\x00-\x1f\x7f-\x9f]([^+#\x00-\x1f\x7f-\x9f\u2028\u2029]{0,253}[^+#\s\x00-\x1f\x7f-\x9f])?"
)
SHAREABLE_KINDS = frozenset({"camera", "fridge", "presence", "alarm", "robot"})  # of those that an entrance names


class ConfigProblem(NamedTuple):
    """A fault of the value at `loc`, and its remedy."""

    loc: tuple[str | int, ...]
    text: str


def find_problems(home: Home) -> Iterator[ConfigProblem]:
    """Yield every contradiction between sections; without one every entrance can be enrolled."""
    yield from _check_broker(home)
    owners: dict[str, str] = {}
    for id_, entrance in home.entrances.items():
        at = ("entrances", id_)
        for loc, device, kind in _named_devices(entrance):
            yield from _check_device(home, (*at, *loc), device, kind)
        yield from _check_exclusive(home, entrance, at, owners, id_)
        yield from _check_closures(home, entrance, at)
        yield from _check_entrance(entrance, at)
        yield from _check_keepers(home, entrance, at)
        yield from _check_guests(home, entrance, at)
        yield from _check_robots(home, entrance, at)
    yield from _check_bookings(home)
    yield from _check_operators(home)
    yield from _check_receptions(home, owners)
    yield from _check_physical_devices(home, owners)
    yield from _check_topics(home)
    yield from _check_guards(home)
    yield from _check_brands(home)
    yield from _check_fallback(home)


def _check_fallback(home: Home) -> Iterator[ConfigProblem]:
    known = home.destinations
    for n, id_ in enumerate(home.fallback.order):
        where = ("fallback", "order", n)
        if id_ not in known:
            yield ConfigProblem(where, f"no entrance or reception has the id `{id_}`. Known: {', '.join(known)}.")
        elif id_ in home.fallback.order[:n]:
            yield ConfigProblem(where, f"`{id_}` is listed twice: list each place once.")


def _check_broker(home: Home) -> Iterator[ConfigProblem]:
    if not home.broker.is_loopback and home.broker.tls is None:
        yield ConfigProblem(
            ("broker", "host"),
            f"`{home.broker.host}` is reached over a network, but without TLS anybody there reads the passwords: say"
            " `tls: {ca: accounts/authority.pem}` (`perron broker-config` makes it), or take 127.0.0.1.",
        )
    for n, base in enumerate(home.broker.bridges):
        if base.split("/")[0] == "perron" or base.startswith("$"):
            yield ConfigProblem(
                ("broker", "bridges", n),
                f"`{base}` is no bridge's: its account would say and hear all below it, and that is Perron's own or the"
                " broker's.",
            )
    if home.homeassistant is not None and home.homeassistant.discovery_prefix == "perron":
        yield ConfigProblem(
            ("homeassistant", "discovery_prefix"),
            "`perron` is our own: Home Assistant would read every code that is scanned. It is homeassistant, if nobody"
            " changed it there.",
        )
    try:
        account_names(home, homeassistant=True)
    except AccountTaken as taken:
        yield ConfigProblem(("broker", "bridges"), f"{taken}")


def _named_devices(entrance: EntranceSection) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if entrance.lock is not None:
        yield ("lock",), entrance.lock, "lock"
    if entrance.door is not None:
        yield ("door",), entrance.door, "door"
    if entrance.signal is not None:
        yield ("signal",), entrance.signal, "signal"
    if entrance.speaker is not None:
        yield ("speaker",), entrance.speaker, "speaker"
    if entrance.cameras.outside is not None:
        yield ("cameras", "outside"), entrance.cameras.outside, "camera"
    for n, closure in enumerate(entrance.closures):
        for m, camera in enumerate(closure.cameras):
            yield ("closures", n, "cameras", m), camera, "camera"
        for m, scanner in enumerate(closure.scanners):
            yield ("closures", n, "scanners", m), scanner, "scanner"
    for n, camera in enumerate(entrance.cameras.inside):
        yield ("cameras", "inside", n), camera, "camera"
    for n, camera in enumerate(entrance.cameras.read_labels):
        yield ("cameras", "read_labels", n), camera, "camera"
    for n, scanner in enumerate(entrance.scanners):
        yield ("scanners", n), scanner, "scanner"
    for place, section in entrance.places.items():
        if section.fridge is not None:
            yield ("places", place, "fridge"), section.fridge, "fridge"
        if section.full_sensor is not None:
            yield ("places", place, "full_sensor"), section.full_sensor, "content"
        for n, scanner in enumerate(section.scanners):
            yield ("places", place, "scanners", n), scanner, "scanner"
    for n, person in enumerate(entrance.presence):
        yield ("presence", n), person, "presence"
    if entrance.robots is not None:
        for n, robot in enumerate(entrance.robots.devices):
            yield ("robots", "devices", n), robot, "robot"
    if entrance.alarm is not None:
        yield ("alarm",), entrance.alarm, "alarm"


def _check_device(home: Home, loc: tuple[str | int, ...], device: str, kind: str) -> Iterator[ConfigProblem]:
    known = home.devices.get(device)
    fitting = ", ".join(id_ for id_, other in home.devices.items() if other.kind == kind) or "none yet"
    if known is None:
        yield ConfigProblem(loc, f"there is no device `{device}`. Devices of kind {kind}: {fitting}.")
    elif known.kind != kind and (kind, known.kind) != ("lock", "cover"):
        yield ConfigProblem(loc, f"`{device}` is a {known.kind}, but a {kind} is needed here. Of that kind: {fitting}.")


def _check_exclusive(
    home: Home, entrance: EntranceSection, at: tuple[str | int, ...], owners: dict[str, str], id_: str
) -> Iterator[ConfigProblem]:
    """Refuse a lock, door, signal, speaker or scanner that two entrances name; other devices may serve several."""
    bound = (
        (("closures", n, "devices", role), device, "device")
        for n, closure in enumerate(entrance.closures)
        for role, device in closure.devices.items()
    )
    for loc, device, kind in (*_named_devices(entrance), *bound):
        if kind in SHAREABLE_KINDS or device not in home.devices:
            continue
        owner = owners.setdefault(device, id_)
        if owner != id_:
            yield ConfigProblem(
                (*at, *loc), f"`{device}` belongs to the entrance `{owner}` already: give each its own {kind}."
            )


def _check_closures(home: Home, entrance: EntranceSection, at: tuple[str | int, ...]) -> Iterator[ConfigProblem]:
    """Check the closures of an entrance against their kinds, without knowing any kind."""
    if (entrance.lock is None) != (entrance.door is None):
        missing = "lock" if entrance.lock is None else "door"
        named = "door" if missing == "lock" else "lock"
        todo = "name both, or write `closures`" if not entrance.closures else f"leave out `{named}` beside `closures`"
        yield ConfigProblem((*at, missing), f"`lock` and `door` belong together: {todo}.")
    short = short_form(entrance, None if entrance.lock is None else home.devices.get(entrance.lock))
    if entrance.lock is None and entrance.door is None and not entrance.closures:
        yield ConfigProblem((*at, "lock"), "nothing bars the way in here: name `lock` and `door`, or write `closures`.")
    if short is not None:
        yield from _check_closure(home, entrance, (*at, "door"), short)
    known: set[str] = set() if short is None else {short.id}
    for n, closure in enumerate(entrance.closures):
        here = (*at, "closures", n)
        if closure.id in known:
            yield ConfigProblem((*here, "id"), f"`{closure.id}` is the id of another closure already.")
        known.add(closure.id)
        yield from _check_section_of_closure(home, here, closure)
        yield from _check_closure(home, entrance, here, closure)
        is_first = n == 0 and short is None
        is_watched = closure.cameras or (is_first and entrance.cameras.outside is not None)
        needs_camera = entrance.evidence is Evidence.FILM and (entrance.living_space or is_first)
        if closure.opening().is_ordered and closure.is_private and needs_camera and not is_watched:
            yield ConfigProblem(
                (*here, "cameras"),
                f"no camera sees who stands in front of `{closure.id}`, and it opens by itself: name one.",
            )
    closures = entrance.closures if short is None else (short, *entrance.closures)
    yield from _check_own_devices(home, entrance, at, closures)
    yield from _check_routes(entrance, at, closures)


def _check_section_of_closure(home: Home, here: tuple[str | int, ...], closure: AnyClosure) -> Iterator[ConfigProblem]:
    roles = {**dict.fromkeys((ORDER_ROLE,) if closure.order_kinds else (), None), **dict.fromkeys(closure.roles)}
    for name, role in device_fields(type(closure)):
        if name in closure.model_fields_set:
            device = closure.devices.get(role, "its device")
            yield ConfigProblem((*here, name), f"its device declares this: write it below devices, in `{device}`.")
    for role in closure.devices:
        if role not in roles:
            yield ConfigProblem(
                (*here, "devices", role), f"a {closure.kind} has no `{role}`. It has: {', '.join(roles)}."
            )
    for role in roles:
        if role not in closure.devices and role not in closure.optional_roles:
            says = "opens it" if role == ORDER_ROLE else f"says {QUESTIONS[closure.roles[role]]}"
            yield ConfigProblem((*here, "devices"), f"`devices` lacks `{role}`: name the device that {says}.")
    reported = with_device_facts(closure, home.devices).sensors
    for role in roles:
        reporter = closure.devices.get(role)
        is_needed = role != ORDER_ROLE and role not in closure.optional_roles
        if is_needed and role not in reported and reporter in home.devices:
            yield ConfigProblem(
                (*here, "devices", role),
                f"`{reporter}` declares that it does not report `{role}`, which a {closure.kind} needs.",
            )
    yield from _check_witnesses(home, here, closure)
    for role, device in closure.devices.items():
        known = home.devices.get(device)
        if role not in roles:
            continue
        if known is None:
            yield ConfigProblem((*here, "devices", role), f"there is no device `{device}`.")
        elif role == ORDER_ROLE and known.kind not in closure.order_kinds:
            able = " or ".join(sorted(closure.order_kinds))
            yield ConfigProblem(
                (*here, "devices", role), f"`{device}` is a {known.kind}, but only a {able} opens a {closure.kind}."
            )
        elif role != ORDER_ROLE and closure.roles[role] not in known.quantities:
            yield ConfigProblem(
                (*here, "devices", role), f"`{device}` is a {known.kind}, which does not measure `{role}`."
            )


def _check_witnesses(home: Home, here: tuple[str | int, ...], closure: AnyClosure) -> Iterator[ConfigProblem]:
    """Check what the closure itself says against its devices and its witnesses."""
    is_declared = has_device_facts(closure, home.devices)
    if is_declared and (problem := with_device_facts(closure, home.devices).problem()) is not None:
        field, text = problem
        yield ConfigProblem((*here, field), f"{text}.")
    for n, device in enumerate(closure.witness_devices):
        known = home.devices.get(device)
        if known is None:
            yield ConfigProblem((*here, "witnesses", n), f"there is no device `{device}`.")
        elif device in closure.devices.values():
            yield ConfigProblem(
                (*here, "witnesses", n), f"`{device}` is one of its sensors already: a witness is another device."
            )
        elif known.quantities.isdisjoint(closure.roles.values()):
            yield ConfigProblem(
                (*here, "witnesses", n), f"`{device}` is a {known.kind}, which reports nothing about a {closure.kind}."
            )


def _check_closure(
    home: Home, entrance: EntranceSection, here: tuple[str | int, ...], closure: AnyClosure
) -> Iterator[ConfigProblem]:
    """Check what every closure has to promise, in the short form too."""
    order = closure.devices.get(ORDER_ROLE)
    for role, device in closure.devices.items():
        section = home.devices.get(device)
        if role == ORDER_ROLE or section is None:
            continue
        loc = here if here[-1] == "door" else (*here, "devices", role)
        is_basic = closure.roles.get(role) in QUANTITIES_WITHOUT_QUERY and not section.can_be_queried
        needs_answer = not closure.bars_living_space and role in closure.independent_roles
        if is_basic and entrance.living_space and closure.is_private:
            yield ConfigProblem(
                loc,
                f"`{device}` cannot be queried, so it cannot prove that `{closure.id}` stayed shut. An entrance to the"
                " living space needs a sensor that answers queries: a wired one with ESPHome, for example. No Zigbee"
                " contact answers queries.",
            )
        elif role in closure.queried_roles and not section.can_be_queried:
            why = section.definition.why_no_live_answer or "it answers no query"
            yield ConfigProblem(
                loc,
                f"with `{device}`, `{closure.id}` would never be ready: {why}. Take a device that answers, and name"
                " this one below `witnesses`: there its bad news counts.",
            )
        elif is_basic and needs_answer:
            yield ConfigProblem(
                loc,
                f"`{device}` cannot be queried, and only its answer proves that the door is closed: take a sensor that"
                " answers queries.",
            )
        if (
            role in closure.independent_roles
            and order in home.devices
            and home.devices[order].kind != "cover"
            and depends_on_lock(home, order, device)
        ):
            yield ConfigProblem(
                loc,
                f"`{device}` is the sensor of the lock `{order}` itself: a lock that is wrong about its"
                " bolt may be wrong about the door too. Mount an independent door sensor, and name it here.",
            )
    if entrance.living_space and not closure.bars_living_space:
        todo = (
            "which is no lock: write living_space: false, and keep the door between it and the home locked"
            if closure.may_lead_home
            else "from which no door leads into the home: write living_space: false"
        )
        yield ConfigProblem((*here[:2], "living_space"), f"`{order}` opens a {closure.kind}, {todo}.")


def _check_own_devices(
    home: Home, entrance: EntranceSection, at: tuple[str | int, ...], closures: Sequence[AnyClosure]
) -> Iterator[ConfigProblem]:
    """Refuse a device, or a scanner, that two of the entrance's `closures` share: its reports could be about either.

    The closure of the short form is the first of `closures`, and is not in the list of the section.
    """
    users: dict[str, str] = {}
    scanned_at = dict.fromkeys(entrance.scanners, closures[0].id) if closures else {}
    before_list = len(closures) - len(entrance.closures)
    for n, closure in enumerate(closures, start=-before_list):
        devices = tuple(closure.devices.values())
        for m, (role, device) in enumerate(closure.devices.items()):
            user = users.setdefault(device, closure.id)
            if user != closure.id and device not in devices[:m] and device in home.devices:
                yield ConfigProblem(
                    (*at, "closures", n, "devices", role),
                    f"the closure `{user}` already uses `{device}`: give `{closure.id}` its own device. Each"
                    " compartment of a board is one device, with its own section and address.",
                )
        for m, scanner in enumerate(closure.scanners):
            place = scanned_at.setdefault(scanner, closure.id)
            if place != closure.id:
                yield ConfigProblem(
                    (*at, "closures", n, "scanners", m),
                    f"the closure `{place}` already has `{scanner}`, so a scan would not show where the courier is:"
                    f" give `{closure.id}` its own scanner, or leave this out.",
                )
    stowed_at: dict[str, str] = {}
    for name, section in entrance.places.items():
        for n, scanner in enumerate(section.scanners):
            if scanner in scanned_at or stowed_at.setdefault(scanner, name) != name:
                where = scanned_at.get(scanner) or stowed_at[scanner]
                yield ConfigProblem(
                    (*at, "places", name, "scanners", n),
                    f"`{scanner}` hangs at `{where}` already, so a scan would not show where the item is: give `{name}`"
                    " its own scanner, or leave this out.",
                )
        if section.full_sensor in entrance.closure_devices:
            yield ConfigProblem(
                (*at, "places", name, "full_sensor"),
                f"a closure already uses `{section.full_sensor}`: give `{name}` its own sensor, or leave this out.",
            )


def _check_routes(
    entrance: EntranceSection, at: tuple[str | int, ...], closures: Sequence[AnyClosure]
) -> Iterator[ConfigProblem]:
    """Check the way through all `closures`, and each route of a place."""
    ordered = {closure.id for closure in closures if closure.opening().is_ordered}
    whole = tuple(closure.id for closure in closures)
    if closures and not ordered:
        yield ConfigProblem(
            (*at, "closures"),
            f"the gateway opens nothing here: only a key opens {', '.join(f'`{id_}`' for id_ in whole)}. Add before it"
            " the key_safe with its key, or another closure that a device opens.",
        )
        return
    yield from _check_route(entrance, (*at, "closures"), whole, closures)
    for place, section in entrance.places.items():
        for n, route in enumerate(section.routes):
            loc = (*at, "places", place, "routes", n)
            for m, id_ in enumerate(route):
                if id_ not in whole:
                    yield ConfigProblem((*loc, m), f"no closure has the id `{id_}`. Known: {', '.join(sorted(whole))}.")
                elif id_ in route[:m]:
                    yield ConfigProblem((*loc, m), f"`{id_}` is listed twice: a route opens each closure once.")
            if not route or (route[0] in whole and route[0] not in ordered):
                yield ConfigProblem(loc, "a route begins with a closure that the gateway opens.")
            in_order = tuple(id_ for id_ in whole if id_ in route)
            if set(route) <= set(whole) and tuple(dict.fromkeys(route)) != in_order:
                yield ConfigProblem(
                    loc,
                    f"the order differs from that of `closures`: write [{', '.join(in_order)}]. If the courier comes to"
                    " the closures in another order, change `closures`.",
                )
            yield from _check_route(entrance, loc, route, closures)


def _check_route(
    entrance: EntranceSection, loc: tuple[str | int, ...], route: Sequence[str], closures: Sequence[AnyClosure]
) -> Iterator[ConfigProblem]:
    """Check that the gateway opens nothing behind a keyed door, and that a key and a living space have their door."""
    on_route = [closure for id_ in route for closure in closures if closure.id == id_]
    by_key = next((n for n, closure in enumerate(on_route) if not closure.opening().is_ordered), len(on_route))
    if any(closure.opening().is_ordered for closure in on_route[by_key:]):
        yield ConfigProblem(
            loc, f"only a key opens `{on_route[by_key].id}`, so the gateway cannot open a closure behind it."
        )
    elif by_key == len(on_route) and (safes := [one for one in on_route if one.key_back_within_s is not None]):
        yield ConfigProblem(
            loc,
            f"`{safes[0].id}` has no door behind it: add the keyed_door that its key opens, so that it is proven shut.",
        )
    if entrance.living_space and on_route and not any(closure.is_private for closure in on_route):
        yield ConfigProblem(
            loc,
            f"neighbours open {', '.join(f'`{closure.id}`' for closure in on_route)} too, and no other"
            " closure of this route bars the living space: add the door of the home, or write living_space: false.",
        )


def _check_entrance(entrance: EntranceSection, at: tuple[str | int, ...]) -> Iterator[ConfigProblem]:
    if entrance.living_space and entrance.evidence is not Evidence.FILM:
        yield ConfigProblem(
            (*at, "evidence"), "nobody comes into the living space without a film: write evidence: film."
        )
    has_own_door = entrance.lock is not None and entrance.cameras.outside is None
    if entrance.evidence is Evidence.FILM and (has_own_door or not entrance.courier_cameras):
        less = ", or write what else proves a delivery: evidence: sensor, scan or none"
        other = "" if entrance.living_space else less
        yield ConfigProblem((*at, "cameras", "outside"), f"no camera sees the courier: name one{other}.")
    if entrance.living_space and not entrance.home_refuses:
        also = "" if entrance.signal is not None else ", and name a signal"
        yield ConfigProblem(
            (*at, "home_refuses"),
            "a person at home must be able to refuse a visit to the living space: leave this out" + also + ".",
        )
    elif entrance.living_space and entrance.signal is None:
        yield ConfigProblem((*at, "signal"), "without a bell nobody at home can refuse: name a signal.")
    elif entrance.signal is None and entrance.home_refuses:
        yield ConfigProblem(
            (*at, "signal"), "without a bell nobody at home can refuse: name a signal, or write home_refuses: false."
        )
    if not entrance.door_scanners and not entrance.cameras.read_labels:
        yield ConfigProblem(
            (*at, "scanners"), "nothing reads a parcel's code here: name a scanner, or cameras.read_labels."
        )
    if not entrance.places:
        yield ConfigProblem((*at, "places"), "a courier must know where to leave the parcel: name at least one place.")
    if entrance.cameras.outside in entrance.cameras.inside:
        yield ConfigProblem((*at, "cameras", "outside"), "a camera looks at the outside or the inside, not at both.")


def _check_guests(home: Home, entrance: EntranceSection, at: tuple[str | int, ...]) -> Iterator[ConfigProblem]:
    """Check what guests may use: a courier's entrance, a place of it, keypads."""
    section = entrance.guests
    if section is None:
        return
    if entrance.holder is not Holder.COURIER:
        yield ConfigProblem((*at, "guests"), "a pass opens no entrance at which only a keeper acts: leave this out.")
    if section.place is not None and section.place not in entrance.places:
        known = ", ".join(entrance.places)
        yield ConfigProblem((*at, "guests", "place"), f"no place has the id `{section.place}`. Known: {known}.")
    for n, keypad in enumerate(section.keypads):
        device = home.devices.get(keypad)
        if device is None or device.kind != "keypad":
            known = ", ".join(id_ for id_, one in home.devices.items() if one.kind == "keypad") or "none yet"
            text = f"no device of the kind keypad has the id `{keypad}`. Known: {known}."
            yield ConfigProblem((*at, "guests", "keypads", n), text)


def _check_bookings(home: Home) -> Iterator[ConfigProblem]:
    """Check that each source of bookings proposes passes for entrances that admit guests."""
    admitting = home.guest_entrances
    for id_, source in home.bookings.items():
        for n, entrance in enumerate(source.entrances):
            if entrance not in admitting:
                known = ", ".join(admitting) or "none yet"
                text = f"`{entrance}` is no entrance that admits guests (`guests`). Known: {known}."
                yield ConfigProblem(("bookings", id_, "entrances", n), text)


def _check_keepers(home: Home, entrance: EntranceSection, at: tuple[str | int, ...]) -> Iterator[ConfigProblem]:
    """Check the keepers of an entrance: it has a key, and each keeper is known and listed once."""
    has_key = any(closure.key_back_within_s is not None for closure in entrance.closures)
    if entrance.holder is Holder.KEEPER and not has_key:
        yield ConfigProblem(
            (*at, "holder"),
            "no closure here has a key that a keeper could take: `holder: keeper` needs a key safe.",
        )
    if entrance.holder is Holder.KEEPER and not entrance.keepers:
        yield ConfigProblem((*at, "keepers"), "`holder: keeper` accepts only listed keepers: list at least one.")
    if entrance.holder is not Holder.KEEPER and entrance.keepers:
        yield ConfigProblem(
            (*at, "keepers"),
            "a keeper acts only at an entrance with `holder: keeper`: write that, or leave this out.",
        )
    for n, keeper in enumerate(entrance.keepers):
        if keeper not in home.keepers:
            known = ", ".join(home.keepers) or "none yet"
            yield ConfigProblem((*at, "keepers", n), f"no keeper has the id `{keeper}`. Known: {known}.")
        elif keeper in entrance.keepers[:n]:
            yield ConfigProblem((*at, "keepers", n), f"`{keeper}` is listed twice: list each keeper once.")


def _check_robots(home: Home, entrance: EntranceSection, at: tuple[str | int, ...]) -> Iterator[ConfigProblem]:
    """Check the robots of an entrance: somebody can see them there, and each can come out again."""
    if entrance.robots is None:
        return
    loc = (*at, "robots")
    if entrance.robots.release_loss == "STOP":
        yield ConfigProblem(
            (*loc, "release_loss"),
            "a robot that stops when its permission ends stands on the sill, and the door cannot be closed: set"
            " `releaseLossBehavior` of the zone to EVACUATE or CONTINUE in the robots' map, and write that here.",
        )
    for n, robot in enumerate(entrance.robots.devices):
        if robot in entrance.robots.devices[:n]:
            yield ConfigProblem((*loc, "devices", n), f"`{robot}` is listed twice: list each robot once.")
    if entrance.holder is Holder.KEEPER:
        yield ConfigProblem(loc, "a robot takes no key: leave `robots` out where a keeper acts.")
    if entrance.cameras.outside is None:
        yield ConfigProblem(loc, "a supervisor decides on a picture: name the camera that sees the robot outside.")
    private = [closure.id for closure in entrance.closures if closure.is_private]
    if len(private) > 1:
        yield ConfigProblem(
            loc,
            "a robot turns no knob: what is secured behind it would lock it in. Only the last closure of the way may"
            f" bar this home alone, and here {', '.join(private)} do.",
        )
    watchers = {home.supervisors[id_].operator for id_ in home.supervisors}
    for n, robot in enumerate(entrance.robots.devices):
        device = home.devices.get(robot)
        if isinstance(device, RobotDevice) and device.operator in home.operators and device.operator not in watchers:
            yield ConfigProblem(
                (*loc, "devices", n),
                f"nobody watches the robots of `{device.operator}`: add a supervisor of that operator, because each"
                " opening needs a supervisor's yes.",
            )


def _check_operators(home: Home) -> Iterator[ConfigProblem]:
    known, robots = ", ".join(home.operators) or "none yet", dict[str, str]()
    for id_, device in home.devices.items():
        if isinstance(device, RobotDevice) and robots.setdefault(device.address, id_) != id_:
            first = robots[device.address]
            yield ConfigProblem(("devices", id_, "address"), f"`{device.address}` is the robot `{first}` already.")
        if isinstance(device, RobotDevice) and device.operator not in home.operators:
            where = ("devices", id_, "operator")
            yield ConfigProblem(where, f"no operator has the id `{device.operator}`. Known: {known}.")
    for id_, supervisor in home.supervisors.items():
        if supervisor.operator not in home.operators:
            where = ("supervisors", id_, "operator")
            yield ConfigProblem(where, f"no operator has the id `{supervisor.operator}`. Known: {known}.")
    kids: dict[str, str] = {}
    for id_, operator in home.operators.items():
        for n, key in enumerate(operator.keys):
            first = kids.setdefault(key.kid, id_)
            if first != id_ or key.kid in {other.kid for other in operator.keys[:n]}:
                yield ConfigProblem(
                    ("operators", id_, "keys", n, "kid"), f"`{key.kid}` names another key already: give each its own."
                )


def _check_receptions(home: Home, owners: dict[str, str]) -> Iterator[ConfigProblem]:
    """Check the receptions; `owners` maps each lock, door, signal and scanner of an entrance to the entrance."""
    for id_, reception in home.receptions.items():
        at = ("receptions", id_)
        if id_ in home.entrances:
            yield ConfigProblem(at, f"there is an entrance `{id_}` already: give the reception another id.")
        for n, scanner in enumerate(reception.scanners):
            loc = (*at, "scanners", n)
            yield from _check_device(home, loc, scanner, "scanner")
            owner = owners.setdefault(scanner, id_)
            if owner != id_:
                yield ConfigProblem(loc, f"`{owner}` already uses `{scanner}`: give each its own scanner.")


def _check_physical_devices(home: Home, owners: Mapping[str, str]) -> Iterator[ConfigProblem]:
    """Refuse two sections of one physical device: an order to one would move the other, and a report would count twice.

    It compares only the devices in `owners`, each of which one entrance or reception uses alone. Sections of different
    kinds may share a device that does several things.
    """
    known: dict[Hashable, str] = {}
    for id_, device in home.devices.items():
        if id_ not in owners:
            continue
        definition, device_ref = device.definition, device.device_ref
        identity = definition.identity(device_ref)
        if identity is None:
            continue
        first = known.setdefault((device.vendor, device.kind, identity, definition.part(device_ref)), id_)
        if first != id_:
            yield ConfigProblem(
                ("devices", id_, "address"),
                f"`{device.address}` is already the address of the {device.kind} `{first}`: write the address of"
                " another device, because each closure and each entrance needs its own.",
            )


def _check_topics(home: Home) -> Iterator[ConfigProblem]:
    taken = {f"perron/{id_}/{channel}": id_ for id_ in home.devices for channel in TopicSuffix}
    for id_, device in home.devices.items():
        yield from _check_product_topics(id_, device)
        if problem := device.definition.bridge_problem(device.device_ref, home.broker.bridges):
            yield ConfigProblem(("devices", id_, "address"), problem)
        for channel, topic in device.topics.items():
            loc = ("devices", id_, "topics", channel.value)
            if topic.split("/")[0] == "perron":
                yield ConfigProblem(
                    loc, f"`{topic}` is not for a device to take: topics below perron/ are given by its id."
                )
            elif topic.startswith("$"):  # $SYS is the broker's; $share/x/perron/... would take messages from us
                yield ConfigProblem(loc, f"`{topic}` is not for a device to take: topics with $ are the broker's own.")
            elif topic in taken:
                yield ConfigProblem(loc, f"`{topic}` is the topic of `{taken[topic]}` already: one topic, one meaning.")
            taken.setdefault(topic, id_)


def _check_product_topics(id_: str, device: AnyDevice) -> Iterator[ConfigProblem]:
    if device.definition.is_behind_guard:  # `_check_guards` checks it
        return
    for channel, topic in device.product_topics.items():
        if channel not in device.topics and (
            not PRODUCT_TOPIC_PATTERN.fullmatch(topic) or topic.split("/")[0] == "perron"
        ):
            yield ConfigProblem(
                ("devices", id_, "address"),
                f"`{topic}` would be its topic, and that is not for a device to take: correct its address.",
            )
            return


def _check_guards(home: Home) -> Iterator[ConfigProblem]:
    for id_, device in home.devices.items():
        if not device.definition.is_behind_guard:
            continue
        at = ("devices", id_, "address")
        guard = home.devices.get(device.address)
        sisters = [
            other
            for other, section in home.devices.items()
            if section.kind == "door" and section.definition.is_behind_guard and section.address == device.address
        ]
        if device.kind == "lock" and device.address != id_:
            yield ConfigProblem(at, f"a guarded lock's address is its own id: write `address: {id_}`.")
        elif device.kind == "door" and not (guard and guard.kind == "lock" and guard.definition.is_behind_guard):
            yield ConfigProblem(at, "write here the id of the lock whose guard has this door sensor behind its radio.")
        elif device.kind == "door" and sisters[0] != id_:
            yield ConfigProblem(at, f"the guard of `{device.address}` has the door sensor `{sisters[0]}` already.")
        if device.topics:
            yield ConfigProblem(
                ("devices", id_, "topics"), "a guard has no topics but those of its lock: leave this out."
            )


def _check_brands(home: Home) -> Iterator[ConfigProblem]:
    kids: dict[str, str] = {}
    if WALK_TEST in home.brands:
        yield ConfigProblem(("brands", WALK_TEST), f"`{WALK_TEST}` is the walk test's own: give the brand another id.")
    if GUEST_BRAND in home.brands:
        text = f"`{GUEST_BRAND}` stands for the passes of guests: give the brand another id."
        yield ConfigProblem(("brands", GUEST_BRAND), text)
    if OWN_BRAND in home.brands:
        text = f"`{OWN_BRAND}` stands for parcels that the owner announces (`own_parcels`): give the brand another id."
        yield ConfigProblem(("brands", OWN_BRAND), text)
    for n, entrance in enumerate(home.own_parcels.without_tap):
        where = ("own_parcels", "without_tap", n)
        if entrance not in home.entrances:
            known = ", ".join(home.entrances) or "none yet"
            yield ConfigProblem(where, f"there is no entrance `{entrance}`. Known: {known}.")
        elif home.entrances[entrance].living_space:
            yield ConfigProblem(
                where,
                f"`{entrance}` leads into the living space: a tracking number is no secret, so there the owner taps"
                " each time. Leave it out.",
            )
    for id_, brand in home.brands.items():
        for n, key in enumerate(brand.keys):
            owner = kids.setdefault(key.kid, id_)
            if owner != id_ or [k.kid for k in brand.keys].count(key.kid) > 1:
                yield ConfigProblem(
                    ("brands", id_, "keys", n, "kid"), f"the kid `{key.kid}` names another key already (of `{owner}`)."
                )
        at = ("brands", id_, "permission")
        allowed = brand.permission.entrances
        destinations = home.destinations
        for n, entrance in enumerate(allowed):
            if entrance not in destinations:
                known = ", ".join(destinations) or "none yet"
                yield ConfigProblem((*at, "entrances", n), f"there is no entrance `{entrance}`. Known: {known}.")
        if not set(allowed) <= set(destinations):
            continue
        places = {place for e in allowed for place in destinations[e].places}
        for n, place in enumerate(brand.permission.places):
            if place not in places:
                known = ", ".join(sorted(places)) or "none"
                yield ConfigProblem((*at, "places", n), f"none of its entrances has a place `{place}`. Known: {known}.")
