"""Changes a run's plan into a home with another way in: a flat behind a street door, a parcel box, a key safe."""

from collections.abc import Mapping
from dataclasses import replace

from devices.simulators.house import (
    BoardPlan,
    DevicePlan,
    DoorPlan,
    HookPlan,
    ScannerPlan,
    StrikePlan,
    ThingPlan,
)
from devices.simulators.key_safe import KeyedDoorPlan, KeySafePlan
from devices.simulators.thing import CompartmentPlan, StreetDoorPlan
from gateway.config.devices import (
    AnyDevice,
    CompartmentDevice,
    DoorDevice,
    KeyDevice,
    ScannerDevice,
    StrikeDevice,
)
from gateway.config.home import CamerasSection, EntranceSection, FallbackSection, PagesSection, Place
from gateway.config.keepers import KeeperSection
from gateway.demo.names import FLAT_NAME, KEY_SAFE_NAME, PARCEL_BOX_NAME
from gateway.demo.plan import DemoPlan
from gateway.domain.visit.closures import BoltedDoor, Compartment, KeyedDoor, KeySafe, Strike
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.state import Holder
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.i18n import Text

STREET, SAFE, HALL = "street", "safe", "hall-door"
COMPARTMENTS = ("box-1", "box-2")
CLAIRE, COMPANY, STRANGER = "claire", "oh-my-keys", "bruno"  # keepers; the last one may not open the safe
STREET_SCANNER = "street-scanner"
SMALL_MM, LARGE_MM = (300, 200, 200), (400, 400, 600)  # of a compartment: length, width, height
BOX, BOX_SCANNER = "box", "box-scanner"  # the parcel box as an entrance of its own
LATENCY_S = 1.0  # seconds that a strike or a board may take
RELEASE_S = 4.0  # seconds for which a strike lets go
FALLS_SHUT_S = 1.0  # seconds after which the street door is shut again: its strike still lets go then
WEDGED_S = 2.0  # seconds between two calls to close the street door
LONG_BACK_WITHIN_S, SHORT_BACK_WITHIN_S = 60.0, 2.0  # seconds in which the key has to hang in its safe again


def with_flat(plan: DemoPlan) -> DemoPlan:
    """A street door that neighbours use too, and behind it the flat's own door; a scanner at each."""
    section = plan.section
    street = Strike(
        id=STREET, devices={"order": "street-strike", "door": "street-contact"}, wedged=WEDGED_S,
    )  # fmt: skip
    flat = BoltedDoor(
        id=MAIN_CLOSURE,
        devices={"order": plan.lock, "lock": plan.lock, "door": plan.door},
        cameras=() if section.cameras.outside is None else (section.cameras.outside,),
        scanners=section.scanners,
    )
    timing = section.timing.model_copy(update={"advance": 30.0})
    update = {
        "closures": (street, flat), "lock": None, "door": None, "scanners": (STREET_SCANNER,), "timing": timing,
        **named(plan, FLAT_NAME),
    }  # fmt: skip
    cameras = section.cameras.model_copy(update={"outside": None})
    return equipped(
        plan,
        section.model_copy(update=update | {"cameras": cameras}),
        devices={
            "street-strike": StrikeDevice(kind="strike", vendor="perron", release=RELEASE_S, latency=LATENCY_S),
            "street-contact": DoorDevice(kind="door", vendor="perron"),
            STREET_SCANNER: ScannerDevice(kind="scanner", vendor="scanner"),
        },
        simulated={
            "street-strike": StrikePlan(kind="strike", vendor="perron", of=STREET, release_s=RELEASE_S),
            "street-contact": DoorPlan(kind="door", vendor="perron", of=STREET),
            STREET_SCANNER: ScannerPlan(kind="scanner", vendor="scanner"),
        },
        things={STREET: StreetDoorPlan(kind="street_door", closes_s=FALLS_SHUT_S)},
    )


def with_parcel_box(
    plan: DemoPlan, *, occupied: frozenset[str] = frozenset(), small: frozenset[str] = frozenset()
) -> DemoPlan:
    """A box of two compartments before the house, under the eyes of the camera outside."""
    section = plan.section
    closures = tuple(
        Compartment(
            id=name,
            devices={"order": name, "latch": name, "lid": name, "content": name},
            size=SMALL_MM if name in small else LARGE_MM,
        )
        for name in COMPARTMENTS
    )
    cameras = CamerasSection(outside=section.cameras.outside)
    name = named(plan, PARCEL_BOX_NAME)
    routes = tuple((compartment,) for compartment in COMPARTMENTS)
    update = {
        "closures": closures, "lock": None, "door": None, "living_space": False, "home_refuses": False,
        "cameras": cameras, "places": {"box": Place(name=name["name"], routes=routes, open_limit=60.0)}, **name,
    }  # fmt: skip
    return equipped(
        plan,
        section.model_copy(update=update),
        devices={
            name: CompartmentDevice(kind="compartment", vendor="perron", latency=LATENCY_S) for name in COMPARTMENTS
        },
        simulated={
            name: BoardPlan(kind="compartment", vendor="perron", of=f"{name}-lid", beside=None) for name in COMPARTMENTS
        },
        things={f"{name}-lid": CompartmentPlan(kind="compartment", occupied=name in occupied) for name in COMPARTMENTS},
    )


def with_box_beside_the_door(plan: DemoPlan) -> DemoPlan:
    """A parcel box, the entrance of the scene, beside the usual front door; it takes what the door cannot take."""
    front, door, boxed = plan.entrance, plan.section, with_parcel_box(plan)
    box = boxed.section.model_copy(update={"scanners": (BOX_SCANNER,), "signal": None})
    scanner = ScannerPlan(kind="scanner", vendor="scanner")
    devices = {**plan.home.devices, **boxed.home.devices, BOX_SCANNER: ScannerDevice(kind="scanner", vendor="scanner")}
    brands = {}
    for name, brand in plan.home.brands.items():
        terms = brand.permission
        reach = {"entrances": (*terms.entrances, BOX), "places": (*terms.places, *box.places)}
        brands[name] = brand.model_copy(update={"permission": terms.model_copy(update=reach)})
    plan = plan.with_house(
        devices={**plan.house.devices, **boxed.house.devices, BOX_SCANNER: scanner}, things=boxed.house.things
    )
    return plan.with_home(
        devices=devices, brands=brands, entrances={BOX: box, front: door}, fallback=FallbackSection(order=(front, BOX))
    )


def with_occupied_box(plan: DemoPlan) -> DemoPlan:
    """A box in whose first compartment a parcel lies."""
    return with_parcel_box(plan, occupied=frozenset({COMPARTMENTS[0]}))


def with_small_compartment(plan: DemoPlan) -> DemoPlan:
    """A box whose first compartment is small."""
    return with_parcel_box(plan, small=frozenset({COMPARTMENTS[0]}))


def with_full_box(plan: DemoPlan) -> DemoPlan:
    """A box with a parcel in each compartment."""
    return with_parcel_box(plan, occupied=frozenset(COMPARTMENTS))


def with_key_safe(plan: DemoPlan, *, back_within: float = LONG_BACK_WITHIN_S) -> DemoPlan:
    """A key safe beside a door that only its key opens; two of the three keepers of the house may take the key."""
    section = plan.section
    safe = KeySafe(
        id=SAFE, devices={"order": "safe-flap", "flap": "safe-contact", "key": "safe-hook"}, back_within=back_within
    )
    door = KeyedDoor(id=HALL, devices={"door": "hall-contact"})
    keepers = {
        CLAIRE: KeeperSection(name="Claire Martin"),
        COMPANY: KeeperSection(name="Oh my keys", kind="company"),
        STRANGER: KeeperSection(name="Bruno Petit"),
    }
    plan = plan.with_home(keepers=keepers, pages=PagesSection(port=free_port()))
    update = {
        "closures": (safe, door), "lock": None, "door": None, "holder": Holder.KEEPER, "keepers": (CLAIRE, COMPANY),
        **named(plan, KEY_SAFE_NAME),
    }  # fmt: skip
    places = {name: place for name, place in section.places.items() if place.fridge is None}
    return equipped(
        plan,
        section.model_copy(update=update | {"places": places}),
        devices={
            "safe-flap": StrikeDevice(kind="strike", vendor="perron", release=RELEASE_S, latency=LATENCY_S),
            "safe-contact": DoorDevice(kind="door", vendor="perron"),
            "safe-hook": KeyDevice(kind="key", vendor="perron"),
            "hall-contact": DoorDevice(kind="door", vendor="perron"),
        },
        simulated={
            "safe-flap": StrikePlan(kind="strike", vendor="perron", of=SAFE, release_s=RELEASE_S),
            "safe-contact": DoorPlan(kind="door", vendor="perron", of=SAFE),
            "safe-hook": HookPlan(kind="key", vendor="perron", of=SAFE),
            "hall-contact": DoorPlan(kind="door", vendor="perron", of=HALL),
        },
        things={SAFE: KeySafePlan(kind="key_safe"), HALL: KeyedDoorPlan(kind="keyed_door", safe=SAFE)},
    )


def with_impatient_key_safe(plan: DemoPlan) -> DemoPlan:
    """A key safe whose key has to be back after a moment."""
    return with_key_safe(plan, back_within=SHORT_BACK_WITHIN_S)


def with_empty_key_safe(plan: DemoPlan) -> DemoPlan:
    """A key safe whose key somebody has taken and not brought back."""
    plan = with_key_safe(plan)
    plan = plan.with_house(things={**plan.house.things, SAFE: KeySafePlan(kind="key_safe", key=False)})
    return replace(plan, starts_secured=False)


def named(plan: DemoPlan, name: Text) -> Mapping[str, str]:
    """Return the change of an entrance that gives it this name, in the language of the owner's messages."""
    return {"name": name.to(plan.home.language)}


def equipped(
    plan: DemoPlan,
    section: EntranceSection,
    *,
    devices: Mapping[str, AnyDevice],
    simulated: Mapping[str, DevicePlan],
    things: Mapping[str, ThingPlan],
) -> DemoPlan:
    """Add the devices and take away those of the former entrance that nothing uses any more."""
    used = {*section.closure_devices, *section.film_cameras, *section.all_scanners, *section.cameras.read_labels}
    used |= {place.fridge for place in section.places.values() if place.fridge is not None}
    used |= {section.signal} if section.signal is not None else set()
    home = {name: device for name, device in {**plan.home.devices, **devices}.items() if name in used}
    house = {name: device for name, device in {**plan.house.devices, **simulated}.items() if name in used}
    brands = {
        name: brand.model_copy(
            update={"permission": brand.permission.model_copy(update={"places": tuple(section.places)})}
        )
        for name, brand in plan.home.brands.items()
    }
    plan = plan.with_home(devices=home, brands=brands, entrances={plan.entrance: section})
    return plan.with_house(devices=house, things=dict(things))
