"""Faults in what the box's MQTT, inboxes and log do in a flood, and with readings that are none."""

from tests.mutants.words import Mutant

SURROUNDINGS = "tests/gateway/test_surroundings.py"

MUTANTS = (
    Mutant(
        name="a fridge that says nothing readable keeps its last temperature",
        file="gateway/entrance.py",
        old="                if channel in READINGS:",
        new="                if channel not in READINGS:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a temperature that no fridge can have is believed",
        file="devices/vendors/temperature.py",
        old="COLDEST_C, WARMEST_C = -45.0, 60.0",
        new="COLDEST_C, WARMEST_C = -1e9, 60.0",
        tests=("tests/devices/vendors/test_hostile.py", SURROUNDINGS),
    ),
)
