"""Scenarios of homes with unusual equipment."""

from devices.simulators.doorway import Position
from devices.simulators.house import CameraPlan
from devices.simulators.house import SimulatedHouse as HousePlan
from gateway.config.home import Home
from gateway.demo.plan import with_open_limit

LONG_OPEN_LIMIT_S = 60.0  # longer than a person stays inside in a scenario


def with_long_open_limit(home: Home, seconds: float = LONG_OPEN_LIMIT_S) -> Home:
    """Let each door stand open for so long."""
    return home.model_copy(
        update={"entrances": {name: with_open_limit(section, seconds) for name, section in home.entrances.items()}}
    )


def with_approval(home: Home) -> Home:
    """The owner wants to be asked each time."""
    brands = {
        name: brand.model_copy(update={"permission": brand.permission.model_copy(update={"ask_each_time": True})})
        for name, brand in home.brands.items()
    }
    return home.model_copy(update={"brands": brands})


def with_resident_home(house: HousePlan) -> HousePlan:
    """The resident is at home."""
    return house.model_copy(update={"people": {"resident": Position.INSIDE}})


def with_dark_hall(house: HousePlan) -> HousePlan:
    """The camera inside sees a dark, empty, noisy hall and burns no clock into its pictures."""
    devices = {
        name: plan.model_copy(update={"scene": "noisy_night", "burnt_in_clock": False})
        if isinstance(plan, CameraPlan) and plan.sees is Position.INSIDE
        else plan
        for name, plan in house.devices.items()
    }
    return house.model_copy(update={"devices": devices})
