"""Changes a run's plan into a home whose way in is the boot of the household's car."""

from typing import Literal

from devices.simulators.car import CarPlan
from devices.simulators.house import ModemPlan
from gateway.config.devices import CarDevice
from gateway.config.home import CamerasSection, Place
from gateway.demo.names import CAR_NAME
from gateway.demo.plan import DemoPlan
from gateway.demo.scenarios.ways_in_homes import equipped, named
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.fence import Fence
from gateway.domain.visit.state import Evidence

CAR, MODEM = "car", "car-modem"  # the thing, which is also the closure, and the device
ADDRESS, ACCOUNT = "ovms/marie/zoe", "ovms-marie-zoe"  # of the module at the broker
LATITUDE, LONGITUDE = 48.8566, 2.3522  # where it stands
LATENCY_S = 2.0  # seconds that the modem may take
SCAN_WITHIN_S = 10.0  # seconds for the closing scan


def with_car(plan: DemoPlan, opens: Literal["boot", "car"] = "boot") -> DemoPlan:
    """A car inside its fence, with an OVMS module.

    No camera films it, so the courier scans again after he has closed the boot.
    """
    section, has_boot_order = plan.section, opens == "boot"
    boot = CarBoot(
        id=CAR,
        devices=dict.fromkeys(("order", *CarBoot.roles), MODEM),
        fence=Fence(latitude=LATITUDE, longitude=LONGITUDE),
        opens=opens,
        scan_within=SCAN_WITHIN_S,
    )
    name = named(plan, CAR_NAME)
    update = {
        "closures": (boot,), "lock": None, "door": None, "signal": None, "living_space": False, "home_refuses": False,
        "cameras": CamerasSection(), "evidence": Evidence.SCAN,
        "places": {"boot": Place(name=name["name"], open_limit=60.0)}, **name,
    }  # fmt: skip
    return equipped(
        plan,
        section.model_copy(update=update),
        devices={
            MODEM: CarDevice(kind="car", vendor="ovms", address=ADDRESS, latency=LATENCY_S, boot_order=has_boot_order)
        },
        simulated={
            MODEM: ModemPlan(
                kind="car", vendor="ovms", address=ADDRESS, account=ACCOUNT, of=CAR, boot_order=has_boot_order
            )
        },
        things={CAR: CarPlan(kind="car", latitude=LATITUDE, longitude=LONGITUDE)},
    )


def with_car_that_unlocks(plan: DemoPlan) -> DemoPlan:
    """A car that has no order for its boot: its order unlocks every door."""
    return with_car(plan, "car")
