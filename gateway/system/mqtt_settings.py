"""How a client reaches an MQTT broker, and what it subscribes to.

`BrokerSection` is a section of `home.yaml`, `guard.yaml` and `hub.yaml`.
"""

import shlex
from enum import StrEnum, auto
from pathlib import Path
from typing import Self

from pydantic import model_validator

from gateway.domain.frozen import Frozen
from gateway.system.addresses import is_loopback_host
from gateway.system.config_section import ConfigError, ConfigSection, Id, Port, Topic, describe_read_error
from gateway.system.regular_file import read_text


class BrokerTls(ConfigSection):
    """TLS to the broker. The certificate of the broker is always verified; no option turns that off."""

    ca: Path
    """Certificate authority: PEM file with the authority that signed the broker's certificate."""
    certificate: Path | None = None
    """Client certificate: PEM file with the whole chain, for a broker that asks its clients for a certificate."""
    key: Path | None = None
    """Key of the client certificate: PEM file with its private key."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate and key belong together: name both, or neither")
        return self


class BrokerSection(ConfigSection):
    """An MQTT 5 broker. Without `tls` it must run on this machine."""

    host: str = "127.0.0.1"
    """Host: name or address of the broker."""
    port: Port = 1883
    """Port: TCP port of the broker. With TLS most brokers listen on 8883."""
    username: Id = "gateway"
    """Account: user name at the broker. It is not sent if a client certificate is given and no password file."""
    password_file: Path | None = None
    """Password file: file whose only line is the password of the account. `perron broker-config` writes it. The
    password itself never stands in this file."""
    tls: BrokerTls | None = None
    """TLS: required for a broker on another machine."""
    bridges: tuple[Topic, ...] = ()
    """Bridges: base topics of programs that bring their own devices (Zigbee2MQTT, Z-Wave JS UI, Frigate). Name one here
    before its first device is enrolled, so that `perron broker-config` gives it an account. It has a meaning in
    `home.yaml` only. Example: `[zigbee2mqtt]`."""

    @property
    def is_loopback(self) -> bool:
        """Whether the broker is on this machine, so that the connection crosses no network."""
        return is_loopback_host(self.host)

    @property
    def plain_text_problem(self) -> str | None:
        """Why a connection without TLS is refused: the broker is on another machine. None: it is not refused."""
        if self.is_loopback or self.tls is not None:
            return None
        return f"{self.host} is not this machine: write `tls: {{ca: ...}}`, or all may read the password."

    @property
    def login(self) -> str | None:
        """The name that is sent; None: the certificate says who we are."""
        by_certificate = self.tls is not None and self.tls.certificate is not None and self.password_file is None
        return None if by_certificate else self.username

    def password(self) -> str | None:
        """Read the account's password; None where `password_file` is not set. ConfigError: the file cannot be read."""
        if self.password_file is None:
            return None
        try:
            return read_text(self.password_file).rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            folder = shlex.quote(str(self.password_file.parent))
            raise ConfigError(
                f"{self.password_file}: the password of the account {self.username!r} cannot be read"
                f" ({describe_read_error(error)}). Write it with `perron broker-config {folder}`,"
                " or correct broker.password_file."
            ) from error

    def account(self, username: str) -> "BrokerSection":
        """Return the same broker for another account, whose password lies beside: `<username>.password`."""
        file = self.password_file and self.password_file.with_name(f"{username}.password")
        return self.model_copy(update={"username": username, "password_file": file})


class OverflowPolicy(StrEnum):
    """What may happen to messages of a topic when more arrive than are read."""

    KEEP = auto()  # never dropped: the owner's stop
    DROP_AND_QUERY = auto()  # dropped last; the gateway queries the devices again
    DROP_AND_COUNT = auto()  # dropped first and counted: scans
    KEEP_LATEST = auto()  # a newer message replaces one that waits: readings of sensors
    DROP = auto()  # dropped without a trace: a bridge's log


class Subscription(Frozen):
    """One topic that a client subscribes to. `wants_retained`: the broker sends its retained copy at the start.

    `account`: the account against whose rate limit the messages count, beside the limit of their own topic; None: only
    against the latter. `is_urgent`: the client reads it before all other topics, as the owner's requests.
    """

    topic: str
    wants_retained: bool = False
    overflow: OverflowPolicy = OverflowPolicy.DROP_AND_QUERY
    account: str | None = None
    is_urgent: bool = False
