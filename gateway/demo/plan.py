"""Makes a run's `home.yaml`, `house.yaml` and keys from the files under `config/`.

`--fast` shortens waiting times and lowers the cameras' frame rate; all rules are those of a real house.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from devices.simulators.house import CameraPlan, Rtsp, SimulatedHouse, read_house
from devices.simulators.house import SimulatedBroker as HouseBroker
from devices.simulators.sight import CLOCK_REGION
from gateway.cli.failure import Failure
from gateway.cli.keys import key_file_path
from gateway.config.closures import declared_latencies
from gateway.config.devices import CameraDevice, LockDevice
from gateway.config.home import BrandKeySection, BrandSection, EntranceSection, Home, Storage
from gateway.config.loader import load_home_file
from gateway.config.samples import SAMPLES_FOLDER
from gateway.demo.names import HOUSE_NAME, NAMES_BY_ID
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Timing
from gateway.domain.visit.closures.contract import ORDER_ROLE
from gateway.integrations.lock_guard.file import GuardFile
from gateway.integrations.matter.file import MatterFile
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.ed25519 import SigningKey
from gateway.system.clock_settings import ClockSection
from gateway.system.i18n import Language
from gateway.system.mqtt_settings import BrokerSection

FAST_TIMING = Timing(
    ring=2, bell=4, live=4, approval=3, command_life=3, skew=1, never=3, stable=0.5, open_again=2, relock=2,
    post_roll=1.5, outage=8, lockout=30, merge=1, label=0.5, courier=4, probe=1, by_hand=3, incident=30, alarm_again=3,
    pre_roll=3,
)  # fmt: skip
GUARD_FILE = "guard.yaml"
MATTER_FILE = "matter.yaml"
FAST_LATENCY_S = 1.0  # seconds: the lock's declared longest answer
FAST_FPS = 8  # pictures a second: to draw, encode and decode them is most of a run's processor time
FAST_OPEN_LIMIT_S = 3.0  # seconds that the door may stand open


class RetailerKey(Frozen, kw_only=False):
    """A retailer's signing key, made for this run."""

    brand: str
    kid: str
    key: SigningKey


class GuardSetup(Frozen, kw_only=False):
    """The guard of a run: `home` has the accounts of the second broker, `file` is the guard's configuration."""

    home: Home
    file: GuardFile


class DemoPlan(Frozen, kw_only=False):
    """The configuration of one run: the gateway's home, the simulated house, the retailers' keys."""

    home: Home
    house: SimulatedHouse
    signers: Mapping[str, RetailerKey]
    action_s: float  # seconds that a person takes for each action
    guard_setup: GuardSetup | None = None  # None: no guard
    matter: MatterFile | None = None  # the file of `perron matter`; None: the house has no Matter server
    starts_secured: bool = True  # False: the entrance has a fault from the start

    @property
    def entrance(self) -> str:
        """The id of the entrance that is played."""
        return next(iter(self.home.entrances))

    @property
    def section(self) -> EntranceSection:
        """Its configuration."""
        return self.home.entrances[self.entrance]

    @property
    def observed(self) -> tuple[str, ...]:
        """The ids of the entrance of the scene, of the other entrances, and of the receptions."""
        return *self.home.entrances, *self.home.receptions

    @property
    def latency(self) -> float:
        """The declared longest answer of a device that opens the way in, in seconds."""
        return max(0.0, *declared_latencies(self.home, self.section))

    @property
    def lock(self) -> str:
        """The device that opens the main door."""
        return self.section.lock or self.section.closures[0].devices[ORDER_ROLE]

    @property
    def signal(self) -> str:
        """The signal at the main door. LookupError: the entrance has none."""
        if self.section.signal is None:
            raise LookupError(f"{self.entrance} has no signal")
        return self.section.signal

    @property
    def door(self) -> str:
        """The sensor of the main door."""
        return self.section.door or self.section.closures[0].devices["door"]

    def with_home(self, **update: object) -> Self:
        """Return the plan with these sections of the home changed."""
        return replace(self, home=self.home.model_copy(update=update))

    def with_house(self, **update: object) -> Self:
        """Return the plan with these parts of the simulated house changed."""
        return replace(self, house=self.house.model_copy(update=update))

    def write(self, folder: Path) -> None:
        """Write the configuration files (JSON is YAML), and each brand's key for `perron retailer announce`."""
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, BaseModel] = {"home.yaml": self.home, "house.yaml": self.house}
        if self.guard_setup is not None:
            files[GUARD_FILE] = self.guard_setup.file
        if self.matter is not None:
            files[MATTER_FILE] = self.matter
        for name, model in files.items():
            (folder / name).write_text(json.dumps(model.model_dump(mode="json"), indent=1), encoding="utf-8")
        keys = folder / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        for signer in self.signers.values():
            key_file_path(keys, signer.kid).write_text(
                json.dumps(signer.key.jwk.as_dict(private=True)), encoding="utf-8"
            )


def make_plan(folder: Path, *, fast: bool, language: Language | None = None, timezone: str | None = None) -> DemoPlan:
    """Make a run's plan out of the files under `config/`: ports of its own, keys of its own.

    `language` is that of the owner's messages and of the names, `timezone` the house's; None: as in home.yaml.
    """
    if not (SAMPLES_FOLDER / "home.yaml").is_file():
        raise Failure(f"{SAMPLES_FOLDER}/home.yaml is not there.", "Install Perron again: the file came with it.")
    home, house = load_home_file(SAMPLES_FOLDER / "home.yaml"), read_house(SAMPLES_FOLDER / "house.yaml")
    accounts = folder / "accounts"
    mqtt, rtsp = free_port(), free_port()
    signers = {
        brand: RetailerKey(brand, section.keys[0].kid, SigningKey.generate()) for brand, section in home.brands.items()
    }
    home = home.model_copy(
        update={
            "language": language or home.language,
            "timezone": timezone or home.timezone,
            **({} if language is None else {"name": HOUSE_NAME.to(language)}),
            "broker": BrokerSection(port=mqtt, password_file=accounts / "gateway.password"),
            "clock": ClockSection(source="host"),
            "storage": Storage(folder=folder / "box", reserve_mib=1),
            "pages": None,
            "devices": {name: _device(name, device, rtsp, fast=fast) for name, device in home.devices.items()},
            "entrances": {
                name: _entrance(_with_names(name, section, language), fast=fast)
                for name, section in home.entrances.items()
            },
            "brands": {name: _brand(brand, home, signers[name]) for name, brand in home.brands.items()},
        }
    )
    house = house.model_copy(
        update={
            "timezone": timezone or home.timezone,
            "broker": HouseBroker(port=mqtt, passwords=accounts),
            "rtsp": Rtsp(port=rtsp),
            "devices": {
                name: device.model_copy(update={"fps": FAST_FPS}) if fast and isinstance(device, CameraPlan) else device
                for name, device in house.devices.items()
            },
        }
    )
    return DemoPlan(home, house, signers, action_s=0.25 if fast else 1.5)


def _device(name: str, device: object, rtsp: int, *, fast: bool) -> object:
    match device:
        case CameraDevice():
            region = CLOCK_REGION if device.clock_region is not None else None
            return device.model_copy(update={"url": f"rtsp://127.0.0.1:{rtsp}/{name}", "clock_region": region})
        case LockDevice() if fast:
            return device.model_copy(update={"latency": FAST_LATENCY_S})
        case _:
            return device


def _with_names(name: str, section: EntranceSection, language: Language | None) -> EntranceSection:
    if language is None:
        return section
    places = {
        id_: place.model_copy(update={"name": NAMES_BY_ID[id_].to(language)}) for id_, place in section.places.items()
    }
    return section.model_copy(update={"name": NAMES_BY_ID[name].to(language), "places": places})


def _entrance(section: EntranceSection, *, fast: bool) -> EntranceSection:
    if not fast:
        return section
    return with_open_limit(section.model_copy(update={"timing": FAST_TIMING}), FAST_OPEN_LIMIT_S)


def with_open_limit(section: EntranceSection, seconds: float) -> EntranceSection:
    """Set how long the entrance's door may stand open, for all places."""
    places = {name: place.model_copy(update={"open_limit": seconds}) for name, place in section.places.items()}
    return section.model_copy(update={"places": places})


def _brand(brand: BrandSection, home: Home, signer: RetailerKey) -> BrandSection:
    """Let a brand deliver at any hour, so that the demo plays at any hour; its key is the run's own."""
    permission = brand.permission.model_copy(
        update={
            "state": "granted",
            "entrances": tuple(home.entrances),
            "places": tuple(next(iter(home.entrances.values())).places),
            "days": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
            "hours": "00:00-24:00",
        }
    )
    return brand.model_copy(
        update={"permission": permission, "keys": (BrandKeySection(kid=signer.kid, x=signer.key.public.text),)}
    )
