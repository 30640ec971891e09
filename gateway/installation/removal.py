"""Takes a device that nothing uses out of the house file's text, and says what uses it otherwise. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.config.editor import EditRejected, without_item
from gateway.config.home import Home
from gateway.config.loader import parse_home
from gateway.domain.frozen import Frozen
from gateway.installation.proposal_checks import Remark
from gateway.system.config_section import ConfigError


class HouseWithout(Frozen):
    """The house file before, and without a device. `house`: None if it would be invalid; then `remarks` say why."""

    before: str
    text: str
    house: Home | None = None
    remarks: tuple[Remark, ...] = ()


def house_without(text: str, file: Path, device: str) -> HouseWithout:
    """Return the house file `text` without this device."""
    try:
        before, new_text = parse_home(text, file), without_item(text, "devices", device)
    except (ConfigError, EditRejected):  # the error may quote the house file
        return HouseWithout(before=text, text=text, remarks=(Remark("no_file"),))
    try:
        return HouseWithout(before=text, text=new_text, house=parse_home(new_text, file))
    except ConfigError as error:
        return HouseWithout(
            before=text, text=text, remarks=tuple(_users(before, error.problems)) or (Remark("needed"),)
        )


def _users(home: Home, problems: Sequence[tuple[str, str]]) -> Iterator[Remark]:
    """Yield each part of the house that is faulty without the device, once."""
    for section, id_ in dict.fromkeys(tuple(f"{key}..".split(".")[:2]) for key, _ in problems):
        if section == "devices" and id_ in home.devices:
            yield Remark("used.device", {"name": home.devices[id_].name or id_})
        elif section in ("entrances", "receptions") and id_ in home.destinations:
            yield Remark(f"used.{section}", {"name": home.destinations[id_].name})
