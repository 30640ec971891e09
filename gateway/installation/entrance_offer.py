"""Proposes an entrance of the devices that are in the house and at no entrance yet. Pure.

It guesses which camera sees the outside by its id and shows its guess: a person accepts it, or fills in the form.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import JsonValue

from gateway.config.devices import CameraDevice, DoorDevice
from gateway.config.home import Home
from gateway.config.topics import depends_on_lock
from gateway.domain.frozen import Frozen
from gateway.installation.proposal_checks import ProposalRequest

ENTRANCE_KIND = "entrance"
NeededKind = Literal["lock", "door", "camera", "scanner", "signal"]
NEEDED_KINDS: tuple[NeededKind, ...] = ("lock", "door", "camera", "scanner", "signal")
_OUTSIDE = re.compile(r"bell|out|porch|street|sonnette|dehors|exter|rue|klingel")
_INSIDE = re.compile(r"hall|in(side|ner|door)|interieur|couloir|flur")


class EntranceOffer(Frozen):
    """An entrance that the devices make. `lacking`: the kinds of devices without which there is none."""

    request: ProposalRequest | None
    devices: Mapping[str, tuple[str, ...]]  # the devices by the key that names them
    lacking: tuple[NeededKind, ...] = ()

    @property
    def outside(self) -> str | None:
        """The camera that sees the courier."""
        return next(iter(self.devices.get("cameras.outside", ())), None)


def offer_entrance(home: Home, *, name: str, place: str, garage_name: str) -> EntranceOffer:
    """Return the entrance that the free devices make.

    `name` is that of a door, `garage_name` that of a garage door, `place` where a parcel is left behind it.
    """
    free = _free_devices(home)
    opener = next(iter(free["lock"] or free["cover"]), None)
    doors = (id_ for id_ in _best_doors(home, free["door"]) if opener is None or not depends_on_lock(home, opener, id_))
    door = next(doors, None)
    cameras = _sorted_cameras(home, free["camera"])
    have = {"lock": opener, "door": door, "camera": cameras[:1], "scanner": free["scanner"], "signal": free["signal"]}
    lacking = tuple(kind for kind in NEEDED_KINDS if not have[kind])
    if opener is None or door is None or lacking:
        found = {kind: _as_tuple(ids) for kind, ids in have.items() if ids}
        return EntranceOffer(request=None, devices=found, lacking=lacking)
    is_garage = home.devices[opener].kind == "cover"
    sensor = home.devices[door]
    answers = isinstance(sensor, DoorDevice) and sensor.answers
    devices = {
        "lock": (opener,), "door": (door,), "signal": (free["signal"][0],), "cameras.outside": (cameras[0],),
        "cameras.inside": tuple(cameras[1:]), "scanners": tuple(free["scanner"]),
    }  # fmt: skip
    title = garage_name if is_garage else name
    fields: dict[str, JsonValue] = {
        "name": title, "lock": opener, "door": door, "signal": free["signal"][0], "cameras.outside": cameras[0],
        "cameras.inside": [*cameras[1:]], "scanners": [*free["scanner"]], "places.inside.name": place,
        "way_out_by_hand": True,
    }  # fmt: skip
    if is_garage or not answers:
        fields["living_space"] = False
    fields = {key: value for key, value in fields.items() if value != []}
    request = ProposalRequest(
        kind=ENTRANCE_KIND, name=_free_id(home, "garage" if is_garage else "front"), fields=fields
    )
    return EntranceOffer(request=request, devices=devices)


def _free_devices(home: Home) -> Mapping[str, list[str]]:
    """Return the devices at no entrance, by kind."""
    used = {
        id_
        for section in home.entrances.values()
        for id_ in (
            *section.closure_devices, *section.film_cameras, *section.all_scanners,
            *(() if section.signal is None else (section.signal,)),
        )
    }  # fmt: skip
    free: dict[str, list[str]] = {kind: [] for kind in (*NEEDED_KINDS, "cover")}
    for id_, device in home.devices.items():
        if id_ not in used and device.kind in free:
            free[device.kind].append(id_)
    return free


def _best_doors(home: Home, doors: Sequence[str]) -> Sequence[str]:
    """Return the door sensors, those that can be queried first."""
    return sorted(doors, key=lambda id_: not getattr(home.devices[id_], "answers", False))


def _sorted_cameras(home: Home, cameras: Sequence[str]) -> list[str]:
    """Return the cameras, the one that most likely sees the outside first."""

    def rank(id_: str) -> int:
        device = home.devices[id_]
        words = f"{id_} {device.url if isinstance(device, CameraDevice) else ''}".lower()
        return bool(_INSIDE.search(words)) - bool(_OUTSIDE.search(words))

    return sorted(cameras, key=rank)


def _free_id(home: Home, name: str) -> str:
    number, id_ = 1, name
    while id_ in home.entrances or id_ in home.receptions:
        number += 1
        id_ = f"{name}-{number}"
    return id_


def _as_tuple(ids: str | Sequence[str] | None) -> tuple[str, ...]:
    return (ids,) if isinstance(ids, str) else tuple(ids or ())
