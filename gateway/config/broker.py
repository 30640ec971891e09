"""How a client reaches an MQTT broker: a section of the house's file, the guard's and the hub's."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from gateway.config.errors import ConfigError, unreadable
from gateway.config.fields import Id, Section, Topic
from gateway.system.addresses import on_loopback
from gateway.system.regular_file import read_text


class BrokerTls(Section):
    """The broker is spoken to by TLS, under an authority that this file (PEM) names; there is no way to do without.

    `certificate` (PEM, whole chain) and `key`: what we prove ourselves by, where the broker asks for it.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate and key belong together: name both, or neither")
        return self

    def beside(self, folder: Path) -> Self:
        """Take relative paths from this folder."""
        own = {"certificate": self.certificate and folder / self.certificate, "key": self.key and folder / self.key}
        return self.model_copy(update={"ca": folder / self.ca, **own})


class Broker(Section):
    """The MQTT 5 broker of the house. Without `tls` it has to be on this machine.

    `bridges`: base topics of what brings its own devices (zigbee2mqtt, zwave, frigate), each with an account of its
    own; those of enrolled devices need not be named.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: Id = "gateway"
    password_file: Path | None = None
    tls: BrokerTls | None = None
    bridges: tuple[Topic, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether nobody on the network comes between us and it."""
        return on_loopback(self.host)

    @property
    def login(self) -> str | None:
        """The name that is sent; None: the certificate says who we are."""
        by_certificate = self.tls is not None and self.tls.certificate is not None and self.password_file is None
        return None if by_certificate else self.username

    def beside(self, folder: Path) -> Self:
        """Take relative paths from this folder."""
        file = None if self.password_file is None else folder / self.password_file
        return self.model_copy(update={"password_file": file, "tls": self.tls and self.tls.beside(folder)})

    def password(self) -> str | None:
        """Read the account's password; None where `password_file` is not set.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self.password_file is None:
            return None
        try:
            return read_text(self.password_file).rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{self.password_file}: the password of the account {self.username!r} cannot be read"
                f" ({unreadable(error)}). Write it with `perron broker-config {self.password_file.parent}`,"
                " or correct broker.password_file."
            ) from error

    def account(self, username: str) -> "Broker":
        """Return the same broker for another account, whose password lies beside: `<username>.password`."""
        file = self.password_file
        return self.model_copy(
            update={
                "username": username,
                "password_file": file.with_name(f"{username}.password") if file is not None else None,
            }
        )
