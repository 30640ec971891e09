"""Keeps a few small pictures of each sealed visit, for lists: `thumbnails/VISIT/MOMENT.jpg` in the storage folder.

They are no part of a proof: nothing signs them, a report takes its pictures from verified films, and they can be taken
again at any time. They go when the film goes.
"""

import shutil
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Final

from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.documents.sources import read_thumbnails
from gateway.evidence.manifest import visit_folder
from gateway.system.atomic_file import write_whole

THUMBNAILS_FOLDER: Final = "thumbnails"
THUMBNAIL_SIDE_PX: Final = 640  # the longer side
MAX_THUMBNAIL_BYTES: Final = 150_000  # of one picture; a larger one is not kept


def take_thumbnails(storage: Path, visit: str) -> Mapping[PhotoMoment, bytes]:
    """Take the pictures of a sealed visit, as JPEG. Blocks for seconds: decoding is another process's."""
    taken = read_thumbnails(storage / visit_folder(visit), side_px=THUMBNAIL_SIDE_PX)
    return {moment: jpeg for moment, jpeg in taken.items() if len(jpeg) <= MAX_THUMBNAIL_BYTES}


def write_thumbnails(storage: Path, visit: str, pictures: Mapping[PhotoMoment, bytes]) -> None:
    """Keep these pictures. OSError: the disk does not take them."""
    for moment, jpeg in pictures.items():
        file = thumbnail_file(storage, visit, moment)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, jpeg)


def thumbnail_file(storage: Path, visit: str, moment: PhotoMoment) -> Path:
    """Return where the picture of a moment is kept, if there is one. `visit` must be an id that the store knows."""
    return storage / THUMBNAILS_FOLDER / visit / f"{moment}.jpg"


def kept_thumbnails(storage: Path, visit: str) -> tuple[PhotoMoment, ...]:
    """Return the moments of which there is a picture, in their order."""
    return tuple(moment for moment in PhotoMoment if thumbnail_file(storage, visit, moment).is_file())


def delete_thumbnails(storage: Path, visit: str) -> None:
    """Delete a visit's pictures. OSError: they could not be deleted."""
    folder = storage / THUMBNAILS_FOLDER / visit
    if folder.is_dir():
        shutil.rmtree(folder)


def orphaned_thumbnails(storage: Path, known: Container[str]) -> tuple[str, ...]:
    """Return the visits of which there are pictures and that are not among the `known` ones."""
    folder = storage / THUMBNAILS_FOLDER
    return tuple(path.name for path in folder.iterdir() if path.name not in known) if folder.is_dir() else ()
