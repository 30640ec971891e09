"""Defines and reads `intercom.yaml`: one intercom, its account, and the device of `home.yaml` that it is."""

import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import aiohttp
from pydantic import Field, StringConstraints, model_validator

from gateway.config.fields import DeviceId, Fingerprint
from gateway.domain.timing import Seconds
from gateway.system.config_reading import Problem, read_process_file
from gateway.system.config_section import ConfigError, ConfigSection, authority_context, describe_read_error, explained
from gateway.system.mqtt_settings import BrokerSection
from gateway.system.regular_file import read_text

_URL = explained(
    r"^https?://[A-Za-z0-9._\[\]:-]{1,200}/?$", "write the address of the intercom, like https://192.168.1.30"
)
_RELAY = explained(
    r"^[A-Za-z0-9@_.-]{1,40}$", "a relay is 1, 2, or the id of a controller and its relay, like gggaaa@1"
)
_KEY = explained(
    r"^[0-9*#%A-F]{1,8}$", "a key is %1 for the first call button, %2 for the second, or a key of the keypad"
)


class IntercomSection(ConfigSection):
    """What every intercom has."""

    url: Annotated[str, StringConstraints(pattern=_URL)]
    """Address: of the intercom in the house's own network. Example: `https://192.168.1.30`."""
    credentials_file: Path
    """Credentials file: file with the single line `user:password`, readable by this program only (chmod 600)."""
    ca: Path | None = None
    """Certificate authority: PEM file with the authority that signed the intercom's certificate. Only with
    `https://`."""
    fingerprint: Fingerprint | None = None
    """Fingerprint: SHA-256 of the intercom's certificate. Only with `https://`, and not together with `ca`. Without
    both, the certificate must be one that this machine trusts."""
    login: Literal["digest", "basic"] = "digest"
    """Login: how the password is sent. `basic` sends it as it is, so it needs `https://`."""
    timeout: Seconds = 3.0
    """Answer time: the longest time that the intercom may take for an answer. An order never takes longer than its own
    life."""

    @model_validator(mode="after")
    def _safe_to_ask(self) -> Self:
        secure = self.url.startswith("https://")
        if not secure and (self.ca or self.fingerprint):
            raise ValueError(
                "ca and fingerprint are for a url that begins with https://: this one shows no certificate"
            )
        if self.ca and self.fingerprint:
            raise ValueError("give ca or fingerprint, not both: either one says which intercom is the right one")
        if self.login == "basic" and not secure:
            raise ValueError(
                "login: basic sends the password to whoever listens: write https:// in url, or login: digest"
            )
        return self

    def credentials(self) -> tuple[str, str]:
        """Read user and password.

        Raises:
            ConfigError: the file cannot be read, is readable by others, or has another form.
        """
        todo = f"Write `user:password` into it, then `chmod 600 {self.credentials_file}`."
        try:
            if stat.S_IMODE(self.credentials_file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(f"{self.credentials_file}: others on this machine may read it. {todo}")
            user, colon, password = read_text(self.credentials_file, at_most=4096).rstrip("\n").partition(":")
        except (OSError, UnicodeDecodeError) as error:
            why = describe_read_error(error)
            raise ConfigError(f"{self.credentials_file}: it cannot be read ({why}). {todo}") from error
        if not (user and colon and password) or not (user + password).isprintable():
            raise ConfigError(f"{self.credentials_file}: it is not one line `user:password`. {todo}")
        return user, password

    def tls(self) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
        """Return which certificate is accepted, in aiohttp's form.

        Raises:
            ConfigError: the authority cannot be read.
        """
        if self.fingerprint is not None:
            return aiohttp.Fingerprint(bytes.fromhex(self.fingerprint.replace(":", "")))
        if self.ca is None:
            return True
        return authority_context(self.ca, what="the authority", todo="Correct `ca`.")


class DoorBirdSection(IntercomSection):
    """A DoorBird door station, by its LAN API."""

    kind: Literal["doorbird"]
    """Kind: whose intercom it is."""
    relay: Annotated[str, StringConstraints(pattern=_RELAY)] = "1"
    """Relay: the one that releases the strike. `info.cgi` lists them as RELAYS."""
    motion: bool = False
    """Motion: report what the motion sensor sees too."""


class TwoNSection(IntercomSection):
    """A 2N intercom, by its HTTP API. Its account needs the privileges switch monitoring and switch control."""

    kind: Literal["2n"]
    """Kind: whose intercom it is."""
    switch: Annotated[int, Field(ge=1, le=16, json_schema_extra={"x-unit": "switch number"})] = 1
    """Switch: the one that releases the strike. It must be monostable: it goes off by itself."""
    bell: tuple[Annotated[str, StringConstraints(pattern=_KEY)], ...] = ("%1",)
    """Bell: the call buttons that count as the bell. The account needs the privilege keypad monitoring for them."""


class IntercomFile(ConfigSection):
    """The configuration of `perron intercom`, the process that speaks for one intercom."""

    device: DeviceId
    """Device: id of the strike in the gateway's `home.yaml` (`kind: strike`, `vendor: perron`). It is also this
    program's account at the broker of the house."""
    broker: BrokerSection
    """Broker of the house: the broker that the gateway uses."""
    intercom: Annotated[DoorBirdSection | TwoNSection, Field(discriminator="kind")]
    """Intercom: the one that this program speaks for."""
    check: Seconds = 30.0
    """Check: the time between two questions whether the intercom is there. If it is too long, a dead intercom is
    noticed late."""


def load_intercom_file(path: Path) -> IntercomFile:
    """Read the file, whose relative paths begin at its own folder, or raise ConfigError with one line a problem."""
    return read_process_file(path, IntercomFile, name="intercom", problems=_problems)


def _problems(file: IntercomFile) -> Iterator[Problem]:
    if problem := file.broker.plain_text_problem:
        yield ("broker", "host"), problem
    if file.broker.username != file.device:
        yield ("broker", "username"), f"at the house's broker it is its device: `username: {file.device}`."
