"""The pydantic type of a vendor's name: one that the table of vendors lists for this kind of device."""

from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from devices.vendors import VENDORS
from devices.vendors.definition import DeviceKind


@dataclass(frozen=True, slots=True)
class VendorOf:
    """Accepts the vendors of one kind of device, as a `Literal` would; use it as `Annotated[str, VendorOf("lock")]`.

    With `simulated` it accepts those that the simulated house has.
    """

    kind: DeviceKind
    simulated: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The accepted names, in the order of the table of vendors."""
        definitions = [vendor.DEFINITION for vendor in VENDORS.values()]
        return tuple(
            definition.name
            for definition in definitions
            if self.kind in (definition.simulated if self.simulated else definition.kinds)
        )

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Build the schema of these names."""
        return core_schema.literal_schema(list(self.names))
