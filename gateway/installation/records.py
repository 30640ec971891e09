"""Stores measurements and trials of this house as files under `installation/` in the storage folder.

They hold no secret and nobody's picture but those of a walk test that is under way. A file that cannot be read is as
good as none: it is measured or tried again.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gateway.config.home import Home
from gateway.installation.capability import Measurement, WalkTestStatus
from gateway.installation.walk import WalkTest, fitted_devices, status_with_devices
from gateway.system.atomic_file import write_whole

INSTALLATION_FOLDER = "installation"


class UnreadableWalkTest(Exception):  # noqa: N818 - it says what is the matter
    """A file of a walk test is there and cannot be read."""


_MEASUREMENTS_ADAPTER: TypeAdapter[dict[str, Measurement]] = TypeAdapter(dict[str, Measurement])


def read_measurements(storage: Path) -> dict[str, Measurement]:
    """Read what was measured, by device; what is not there or cannot be read was not measured."""
    try:
        return _MEASUREMENTS_ADAPTER.validate_json((storage / INSTALLATION_FOLDER / "measured.json").read_bytes())
    except (OSError, ValidationError):
        return {}


def store_measurements(storage: Path, new: Mapping[str, Measurement]) -> None:
    """Keep what was measured now, beside what was measured of other devices.

    Raises:
        OSError: the disk does not take it.
    """
    folder = storage / INSTALLATION_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(
        folder / "measured.json", _MEASUREMENTS_ADAPTER.dump_json({**read_measurements(storage), **new}, indent=1)
    )


def walk_file(storage: Path, entrance: str) -> Path:
    """Where the walk test of an entrance is written down."""
    return storage / INSTALLATION_FOLDER / f"walk-{entrance}.json"


def read_walk(storage: Path, entrance: str) -> WalkTest | None:
    """Read how far an entrance's walk test has come; None: none was begun.

    Raises:
        UnreadableWalkTest: there is one, and it cannot be read: what it forbade is not known.
    """
    try:
        return WalkTest.model_validate_json(walk_file(storage, entrance).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UnreadableWalkTest(f"{walk_file(storage, entrance)} cannot be read") from error


def read_walk_status(home: Home, entrance: str) -> WalkTestStatus:
    """How an entrance's walk test stands. One that cannot be read counts as failed: it may have forbidden something."""
    try:
        return status_with_devices(read_walk(home.storage.folder, entrance), fitted_devices(home, entrance))
    except UnreadableWalkTest:
        return WalkTestStatus.FAILED


def store_walk(storage: Path, walk: WalkTest) -> None:
    """Write a walk down.

    Raises:
        OSError: the disk does not take it.
    """
    (storage / INSTALLATION_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(walk_file(storage, walk.entrance), walk.model_dump_json(indent=1).encode())


def picture_file(storage: Path, entrance: str, number: int) -> Path:
    """Where the picture of a walk's trial lies until its report is written."""
    return storage / INSTALLATION_FOLDER / f"walk-{entrance}-{number}.jpg"


def store_picture(file: Path, jpeg: bytes) -> None:
    """Keep a picture until the report is written.

    Raises:
        OSError: the disk does not take it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, jpeg)


def read_pictures(storage: Path, walk: WalkTest) -> dict[str, bytes]:
    """Read the pictures that were answered about, by camera; one that is not what was shown is left out."""
    found: dict[str, bytes] = {}
    for number, step in enumerate(walk.steps):
        if step.camera is None or step.picture is None:
            continue
        try:
            jpeg = picture_file(storage, walk.entrance, number).read_bytes()
        except OSError:
            continue
        if sha256(jpeg).hexdigest() == step.picture:
            found[step.camera] = jpeg
    return found


def delete_pictures(storage: Path, entrance: str) -> None:
    """Delete the pictures of an entrance's walk.

    Raises:
        OSError: one could not be deleted.
    """
    for file in (storage / INSTALLATION_FOLDER).glob(f"walk-{entrance}-*.jpg"):
        if file.stem.removeprefix(f"walk-{entrance}-").isdigit():
            file.unlink(missing_ok=True)


def report_files(storage: Path, entrance: str) -> tuple[Path, Path]:
    """Where an entrance's report lies, and what the box has signed of it."""
    return (
        storage / INSTALLATION_FOLDER / f"walk-{entrance}.pdf",
        storage / INSTALLATION_FOLDER / f"walk-{entrance}.signed.json",
    )


def store_report(storage: Path, entrance: str, sheet: bytes, signed: bytes) -> None:
    """Keep a report; the pictures that stand in it go.

    Raises:
        OSError: the disk does not take it.
    """
    file, beside = report_files(storage, entrance)
    write_whole(file, sheet)
    write_whole(beside, signed)
    delete_pictures(storage, entrance)
