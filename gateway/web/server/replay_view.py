"""Gives the page of a visit what its replay needs: films with addresses and times, and how they are sealed."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any, Final

from gateway.domain.frozen import Frozen
from gateway.evidence.manifest import manifest_name, signature_name
from gateway.evidence.succession import read_key_history
from gateway.protocol.hash_chain import canonical_json
from gateway.storage.entrance_state import visits_in_progress
from gateway.storage.models import FilmRecord, StoredClip
from gateway.system.i18n import Language, with_hard_spaces
from gateway.system.text import sanitized
from gateway.web.server.context import GatewayServices
from gateway.web.texts.catalogue import TEXTS

SEALING_S: Final = 120.0  # seconds after a film's end in which it is sealed, usually
KEY_FOLDER: Final = "key"  # in the storage folder


class SealState(StrEnum):
    """How far the proof of a visit is."""

    SEALED = auto()
    ERASED = auto()
    RUNNING = auto()  # the visit is not over
    SEALING = auto()  # its films are being closed and sealed
    NOT_SEALED = auto()  # the box could not, and tries again
    HOMELESS = auto()  # its entrance is no longer in the house file, so nothing seals it
    NO_CAMERA = auto()  # nothing films there


class ReplayCamera(Frozen):
    """A camera and its films, in the order of time."""

    name: str
    clips: tuple[StoredClip, ...]


def seal_state(services: GatewayServices, parts: Sequence[FilmRecord]) -> SealState:
    """Return how far the proof of a visit is; `parts` has at least one."""
    first = parts[0]
    if first.erased is not None:
        return SealState.ERASED
    if all(part.sealed is not None for part in parts):
        return SealState.SEALED
    if any(first.visit in visits_in_progress(state) for state, _ in services.states() if state.id == first.entrance):
        return SealState.SEALING if all(part.clips for part in parts) else SealState.RUNNING
    if first.entrance not in services.home.destinations:
        return SealState.HOMELESS
    if not services.is_filmed(first.entrance):
        return SealState.NO_CAMERA
    ended = max((clip.end for part in parts for clip in part.clips), default=first.began)
    is_fresh = services.clock.now().utc - ended < timedelta(seconds=SEALING_S)
    return SealState.SEALING if is_fresh else SealState.NOT_SEALED


def cameras_of(services: GatewayServices, entrance: str, clips: Sequence[StoredClip]) -> tuple[ReplayCamera, ...]:
    """Return the cameras of a visit, those outside first; cameras that the house no longer has are last."""
    section = services.home.entrances.get(entrance)
    order = () if section is None else section.film_cameras
    ordered = sorted(clips, key=lambda clip: (clip.start, clip.path))
    names = sorted(
        dict.fromkeys(clip.camera for clip in ordered),
        key=lambda camera: order.index(camera) if camera in order else len(order),
    )
    return tuple(
        ReplayCamera(name=name, clips=tuple(clip for clip in ordered if clip.camera == name)) for name in names
    )


def proof_files(parts: Sequence[FilmRecord]) -> frozenset[str]:
    """Return the names of the sealed lists of films and their signatures, which a browser checks."""
    sealed = [part.part for part in parts if part.sealed is not None and part.erased is None]
    return frozenset(name for number in sealed for name in (manifest_name(number), signature_name(number)))


def box_keys(services: GatewayServices) -> tuple[str, ...]:
    """Return the box's key and those that it had before, as text. Blocks. ValueError: the history is damaged."""
    history = read_key_history(services.films_folder / KEY_FOLDER)
    return tuple(key.text for key in history.keys_of_same_box(services.public_key))


def replay_facts(  # noqa: PLR0913 - where the page finds what
    services: GatewayServices, parts: Sequence[FilmRecord], *, keys: Sequence[str], language: Language,
    film_address: Callable[[StoredClip], str], proof_address: str, state: SealState, has_proof: bool,
) -> str:  # fmt: skip
    """Return what the page's script needs, as JSON. `has_proof`: the reader may download the whole proof."""
    clips = [clip for part in parts if part.erased is None for clip in part.clips]
    facts: dict[str, Any] = {
        "visit": parts[0].visit,
        "state": state.value,
        "has_proof": has_proof,
        "zone": services.home.timezone,
        "keys": list(keys),
        "proof": proof_address,
        "parts": [part.part for part in parts if part.sealed is not None],
        "films": [
            {"url": film_address(clip), "file": clip.path.rpartition("/")[2], "camera": clip.camera, "part": clip.part,
             "name": sanitized(services.device_name(clip.camera, language)),
             "start": _stamp(clip.start), "end": _stamp(clip.end), "size": clip.size,
             "gaps": [[_stamp(start), _stamp(end)] for start, end in clip.gaps]}
            for clip in clips
        ],
        "words": {
            key: with_hard_spaces(text.template(language))
            for key, text in TEXTS.items() if key.startswith(("replay.", "seal."))
        },
    }  # fmt: skip
    return canonical_json(facts).decode()


def _stamp(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)
