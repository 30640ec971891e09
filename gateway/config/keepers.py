"""The model of a keeper in `home.yaml`: a person or a company that takes the key of a key safe with its own code."""

from typing import Literal

from gateway.system.config_section import ConfigSection, Name


class KeeperSection(ConfigSection):
    """A person or a company that carries parcels in with the key of a key safe.

    The owner gives each keeper a code on the page Keepers. An entrance lists in `keepers` the keepers whose code it
    accepts.
    """

    name: Name
    """Name: what the household reads on pages and in messages. Example: `Claire`."""
    kind: Literal["person", "company"] = "person"
    """Kind: whether the keeper is a person or a company."""
