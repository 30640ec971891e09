"""Scenarios of homes with unusual equipment."""

from devices.simulators.doorway import Position
from devices.simulators.house import CameraPlan
from devices.simulators.house import SimulatedHouse as HousePlan
from gateway.config.home import Home

LONG_OPEN_LIMIT_S = 60.0  # seconds: longer than anybody here stays inside


def with_long_open_limit(home: Home) -> Home:
    """The door may stand open for long."""
    return home.model_copy(
        update={
            "entrances": {
                name: section.model_copy(
                    update={
                        "places": {
                            id_: place.model_copy(update={"open_limit": LONG_OPEN_LIMIT_S})
                            for id_, place in section.places.items()
                        }
                    }
                )
                for name, section in home.entrances.items()
            }
        }
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
