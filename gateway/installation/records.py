"""Stores measurements, walk tests and their reports as files under `installation/` in the storage folder.

The files contain no secret, and pictures only while a walk test is under way. An unreadable measurement counts as
missing; an unreadable walk test counts as failed. Functions that store or delete raise OSError if they cannot.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gateway.config.home import Home
from gateway.installation.capability import Measurement, WalkTestStatus
from gateway.installation.walk import WalkTest, fitted_devices, status_with_devices
from gateway.system.atomic_file import write_whole
from gateway.system.config_section import ConfigSection

INSTALLATION_FOLDER = "installation"
MAX_FORMER_WALKS = 10  # of an entrance
_FORMER_PREFIX = "former-walk-"


_MEASUREMENTS_ADAPTER: TypeAdapter[dict[str, Measurement]] = TypeAdapter(dict[str, Measurement])


def read_measurements(storage: Path) -> dict[str, Measurement]:
    """Return the measurements by device; empty if the file is missing or unreadable."""
    try:
        return _MEASUREMENTS_ADAPTER.validate_json((storage / INSTALLATION_FOLDER / "measured.json").read_bytes())
    except (OSError, ValidationError):
        return {}


def store_measurements(storage: Path, new: Mapping[str, Measurement]) -> None:
    """Store new measurements beside those of other devices."""
    measurements = {**read_measurements(storage), **new}
    write_file(storage / INSTALLATION_FOLDER / "measured.json", _MEASUREMENTS_ADAPTER.dump_json(measurements, indent=1))


class SetupState(ConfigSection):
    """How far the first set-up is, as far as nothing else says it. `under_way`: the home page counts its steps."""

    under_way: bool = False
    notice: bool = False  # the owner said that the notice hangs beside the door
    alone: bool = False  # the owner said that nobody else lives there


def read_setup(storage: Path) -> SetupState:
    """Return the state of the set-up; a missing or unreadable file says that none is under way."""
    try:
        return SetupState.model_validate_json((storage / INSTALLATION_FOLDER / "setup.json").read_bytes())
    except (OSError, ValidationError):
        return SetupState()


def store_setup(storage: Path, state: SetupState) -> None:
    """Store the state of the set-up."""
    write_file(storage / INSTALLATION_FOLDER / "setup.json", state.model_dump_json().encode())


_NAMES_ADAPTER: TypeAdapter[frozenset[str]] = TypeAdapter(frozenset[str])


class AccountMark(StrEnum):
    """What is noted about accounts at the broker; the value is the name of the file."""

    SHOWN = "shown"  # a page has shown the account
    OPENED = "opened"  # the owner lets an installer see the account


def read_marked_accounts(storage: Path, mark: AccountMark) -> frozenset[str]:
    """Return the names of the accounts with this mark; empty if the file is missing or unreadable."""
    try:
        return _NAMES_ADAPTER.validate_json(_mark_file(storage, mark).read_bytes())
    except (OSError, ValidationError):
        return frozenset()


def store_marked_accounts(storage: Path, mark: AccountMark, names: frozenset[str]) -> None:
    """Store which accounts have this mark."""
    write_file(_mark_file(storage, mark), _NAMES_ADAPTER.dump_json(names))


def _mark_file(storage: Path, mark: AccountMark) -> Path:
    return storage / INSTALLATION_FOLDER / f"{mark}.json"


def forget_device(storage: Path, device: str, *, accounts: Collection[str]) -> None:
    """Delete the measurement of a device that was removed, and the marks of its accounts."""
    measurements = read_measurements(storage)
    if measurements.pop(device, None) is not None:
        write_file(storage / INSTALLATION_FOLDER / "measured.json", _MEASUREMENTS_ADAPTER.dump_json(measurements))
    for mark in AccountMark:
        marked = read_marked_accounts(storage, mark)
        if not marked.isdisjoint(accounts):
            store_marked_accounts(storage, mark, marked.difference(accounts))


def write_file(file: Path, content: bytes) -> None:
    """Write a file, in a folder that others cannot read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, content)


def walk_file(storage: Path, entrance: str) -> Path:
    """Return the file of an entrance's walk test."""
    return storage / INSTALLATION_FOLDER / f"walk-{entrance}.json"


def read_walk(storage: Path, entrance: str) -> WalkTest | None:
    """Return an entrance's walk test; None: none was begun. OSError, ValidationError: nobody knows what it forbade."""
    try:
        return WalkTest.model_validate_json(walk_file(storage, entrance).read_bytes())
    except FileNotFoundError:
        return None


def read_walk_status(home: Home, entrance: str) -> WalkTestStatus:
    """Return the status of an entrance's walk test; FAILED if unreadable, because it may have forbidden visits."""
    try:
        return status_with_devices(read_walk(home.storage.folder, entrance), fitted_devices(home, entrance))
    except (OSError, ValidationError):
        return WalkTestStatus.FAILED


def store_walk(storage: Path, walk: WalkTest) -> None:
    """Store a walk test."""
    write_file(walk_file(storage, walk.entrance), walk.model_dump_json(indent=1).encode())


def keep_former_walk(storage: Path, walk: WalkTest) -> None:
    """Keep a walk test in which something was tried, before another one takes its place; the oldest are dropped."""
    if all(step.ending is None for step in walk.steps):
        return
    former = walk.model_copy(update={"promised": None})
    name = f"{_FORMER_PREFIX}{walk.entrance}-{walk.begun:%Y%m%dT%H%M%S%f}.json"
    write_file(storage / INSTALLATION_FOLDER / name, former.model_dump_json(indent=1).encode())
    for file, _ in _former_walks(storage, walk.entrance)[MAX_FORMER_WALKS:]:
        file.unlink(missing_ok=True)


def read_former_walks(storage: Path, entrance: str) -> tuple[WalkTest, ...]:
    """Return the earlier walk tests of an entrance, the newest first; one that cannot be read is left out."""
    return tuple(walk for _, walk in _former_walks(storage, entrance))


def _former_walks(storage: Path, entrance: str) -> list[tuple[Path, WalkTest]]:
    found = []
    for file in (storage / INSTALLATION_FOLDER).glob(f"{_FORMER_PREFIX}{entrance}-*.json"):
        with suppress(OSError, ValidationError):
            walk = WalkTest.model_validate_json(file.read_bytes())
            if walk.entrance == entrance:  # an id may begin with another entrance's
                found.append((file, walk))
    return sorted(found, key=lambda one: one[1].begun, reverse=True)


def picture_file(storage: Path, entrance: str, number: int) -> Path:
    """Return the file of a trial's picture, which exists until the report is written."""
    return storage / INSTALLATION_FOLDER / f"walk-{entrance}-{number}.jpg"


def read_pictures(storage: Path, walk: WalkTest) -> dict[int, bytes]:
    """Return the answered pictures by the number of their step, without pictures whose digest has changed."""
    pictures: dict[int, bytes] = {}
    for number, step in enumerate(walk.steps):
        if step.camera is None or step.picture is None:
            continue
        try:
            jpeg = picture_file(storage, walk.entrance, number).read_bytes()
        except OSError:
            continue
        if sha256(jpeg).hexdigest() == step.picture:
            pictures[number] = jpeg
    return pictures


def delete_pictures(storage: Path, entrance: str) -> None:
    """Delete the pictures of an entrance's walk test."""
    for file in (storage / INSTALLATION_FOLDER).glob(f"walk-{entrance}-*.jpg"):
        if file.stem.removeprefix(f"walk-{entrance}-").isdigit():
            file.unlink(missing_ok=True)


def report_files(storage: Path, entrance: str) -> tuple[Path, Path]:
    """Return the files of an entrance's report and of its signature."""
    report = storage / INSTALLATION_FOLDER / f"walk-{entrance}.pdf"
    return report, report.with_suffix(".signed.json")


def store_report(storage: Path, entrance: str, sheet: bytes, signed: bytes) -> None:
    """Store a report with its signature, and delete the pictures, which the report contains."""
    report, signature = report_files(storage, entrance)
    write_whole(report, sheet)
    write_whole(signature, signed)
    delete_pictures(storage, entrance)
