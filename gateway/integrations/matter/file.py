"""Defines and reads `matter.yaml`: one Matter server, and the account at the house's broker."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.domain.timing import Seconds
from gateway.system.addresses import is_loopback_host
from gateway.system.config_reading import config_error, read_model
from gateway.system.config_section import ConfigError, ConfigSection, absolute_paths, describe_read_error, explained
from gateway.system.mqtt_settings import BrokerSection
from gateway.system.regular_file import read_bytes

_URL = explained(
    r"^wss?://[A-Za-z0-9._\[\]:-]{1,200}(/[A-Za-z0-9._/-]{0,100})?$",
    "write the address of the Matter server, like ws://127.0.0.1:5580/ws",
)
_BASE = explained(r"^[a-z0-9][a-z0-9-]{0,62}$", "a base topic is one word of a-z, 0-9 and -, like matter")


class MatterServerSection(ConfigSection):
    """The Matter server. It asks nobody for a password, so only this machine may reach it."""

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
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # by default it verifies certificate and name
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(cadata=read_bytes(self.ca).decode("ascii"))
        except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
            why = describe_read_error(error) if not isinstance(error, ssl.SSLError) else "it is no certificate (PEM)"
            raise ConfigError(f"{self.ca}: the authority cannot be read ({why}). Correct `ca`.") from error
        return context


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
    shape = "it is written as `key: value` lines: `perron schema matter --markdown` describes every key."
    file, document = read_model(path, MatterFile, todo="Name another with --config.", shape=shape)
    wrong = list(_problems(file))
    if wrong:
        raise config_error(path, document, wrong)
    return absolute_paths(file, path.resolve().parent)


def _problems(file: MatterFile) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not file.broker.is_loopback and file.broker.tls is None:
        yield (
            ("broker", "host"),
            f"{file.broker.host} is not this machine: write `tls: {{ca: ...}}`, or all may read the password.",
        )
    if file.broker.username != file.base:
        yield ("broker", "username"), f"at the house's broker its account is its base topic: `username: {file.base}`."
