"""Defines and reads `matter.yaml`: one Matter server, and the account at the house's broker."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.domain.timing import Seconds
from gateway.system.addresses import is_loopback_host
from gateway.system.config_reading import Problem, read_process_file
from gateway.system.config_section import ConfigSection, authority_context, explained
from gateway.system.mqtt_settings import BrokerSection

_URL = explained(
    r"^wss?://[A-Za-z0-9._\[\]:-]{1,200}(/[A-Za-z0-9._/-]{0,100})?$",
    "write the address of the Matter server, like ws://127.0.0.1:5580/ws",
)
_BASE = explained(r"^[a-z0-9][a-z0-9-]{0,62}$", "a base topic is one word of a-z, 0-9 and -, like matter")


class MatterServerSection(ConfigSection):
    """The Matter server. It has no passwords, so only this machine may connect to it."""

    url: Annotated[str, StringConstraints(pattern=_URL)] = "ws://127.0.0.1:5580/ws"
    """Address: of the server's WebSocket. One on another machine needs `wss://`. Example: `ws://127.0.0.1:5580/ws`."""
    ca: Path | None = None
    """Certificate authority: PEM file with the authority that signed the certificate of a server on another machine.
    Only with `wss://`. Without it, the certificate must be one that this machine trusts."""
    timeout: Seconds = 5.0
    """Answer time: the longest time that a device may take for an answer. An order never takes longer than its own
    life. If it is too short, a lock on a battery that sleeps between two answers counts as silent."""

    @property
    def host(self) -> str:
        """The host of the address."""
        authority = self.url.partition("://")[2].partition("/")[0]
        if authority.startswith("["):
            return authority[1:].partition("]")[0]
        return authority.rpartition(":")[0] if ":" in authority else authority

    @model_validator(mode="after")
    def _reached_safely(self) -> Self:
        secure = self.url.startswith("wss://")
        if not secure and not is_loopback_host(self.host):
            raise ValueError(
                f"{self.host} is not this machine: whoever is in between could unlock and answer. Write wss://, or run"
                " the Matter server here and bind it to 127.0.0.1"
            )
        if self.ca is not None and not secure:
            raise ValueError("ca is for a url that begins with wss://: this one shows no certificate")
        return self

    def tls(self) -> ssl.SSLContext | bool:
        """Return which certificate is accepted, in aiohttp's form.

        Raises:
            ConfigError: the authority cannot be read.
        """
        if self.ca is None:
            return True
        return authority_context(self.ca, what="the authority", todo="Correct `ca`.")


class MatterFile(ConfigSection):
    """The configuration of `perron matter`, the process that speaks for the devices of one Matter server."""

    base: Annotated[str, StringConstraints(pattern=_BASE)] = "matter"
    """Base topic: the first word of the topics of all devices behind this server, and the account at the broker of the
    house: `broker: {bridges: [matter]}` in `home.yaml` makes it."""
    broker: BrokerSection
    """Broker of the house: the broker that the gateway uses."""
    server: MatterServerSection = Field(default_factory=MatterServerSection)
    """Server: the Matter server (python-matter-server or matterjs-server) that has commissioned the devices."""


def load_matter_file(path: Path) -> MatterFile:
    """Read the file, whose relative paths begin at its own folder, or raise ConfigError with one line a problem."""
    return read_process_file(path, MatterFile, name="matter", problems=_problems)


def _problems(file: MatterFile) -> Iterator[Problem]:
    if problem := file.broker.plain_text_problem:
        yield ("broker", "host"), problem
    if file.broker.username != file.base:
        yield ("broker", "username"), f"at the house's broker its account is its base topic: `username: {file.base}`."
