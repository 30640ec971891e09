"""Plays a maker's cloud for a real CarConnectivity: a connector whose car is told by standard input.

CarConnectivity loads it as `carconnectivity_connectors.played.connector`, in the venv of `make test-carconnectivity`. A
line is the path of an attribute, a space and its value: `doors/trunk/open_state ajar`. The objects, their topics and
the MQTT plugin are CarConnectivity's own.
"""

import logging
import sys
import threading
from importlib import import_module
from typing import Any

BaseConnector: Any = import_module("carconnectivity_connectors.base.connector").BaseConnector
GenericVehicle: Any = import_module("carconnectivity.vehicle").GenericVehicle
Doors: Any = import_module("carconnectivity.doors").Doors
LOG = logging.getLogger("carconnectivity.connectors.played")
VIN = "WVWZZZ1KZ1P000001"
WORDS: Any = {"open_state": Doors.OpenState, "lock_state": Doors.LockState, "state": GenericVehicle.State}


class Connector(BaseConnector):  # type: ignore[misc]  # CarConnectivity is not installed where types are checked
    """A maker with one car."""

    def __init__(self, connector_id: str, car_connectivity: Any, config: Any, initialization: Any = None) -> None:  # noqa: ANN401 - CarConnectivity's own
        super().__init__(connector_id, car_connectivity, config, LOG, LOG, initialization=initialization)
        garage = car_connectivity.garage
        self.car = GenericVehicle(vin=VIN, garage=garage, managing_connector=self)
        garage.add_vehicle(VIN, self.car)
        self.car.doors.doors["trunk"] = Doors.Door(door_id="trunk", doors=self.car.doors)

    def startup(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            path, _, value = line.rstrip("\n").partition(" ")
            *way, name = path.split("/")
            owner = self.car
            for part in way:
                owner = owner.doors[part] if owner is self.car.doors else getattr(owner, part)
            getattr(owner, name)._set_value(WORDS[name](value) if name in WORDS else float(value))  # noqa: SLF001 - so connectors do
            self.car_connectivity.transaction_end()

    def get_version(self) -> str:
        """Name no version: it is no product."""
        return "0"

    def get_type(self) -> str:
        """Name the connector."""
        return "carconnectivity-connector-played"

    def get_name(self) -> str:
        """Name the connector."""
        return "Played"
