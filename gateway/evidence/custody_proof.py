"""Drafts the proof of a custody: a manifest and a log as of a visit, without cameras and films.

Each stage that a parcel enters adds a part, so what is proven does not wait for the last stage.
"""

from itertools import count
from pathlib import Path

from gateway.domain.delivery.result import Outcome
from gateway.domain.now import Now
from gateway.evidence.manifest import (
    MAX_MANIFEST_BYTES,
    DeliveryFacts,
    FilmSpan,
    Manifest,
    ManifestDraft,
    manifest_name,
)
from gateway.storage.custodies import CustodyProof
from gateway.system.atomic_file import read_regular


def next_part(folder: Path) -> tuple[int, int]:
    """Return the number of the next part, and the last log entry of the part before it (0: there is none).

    Raises:
        OSError: a manifest cannot be read.
    """
    last = 0
    for number in count(1):
        try:
            data = read_regular(folder / manifest_name(number), at_most=MAX_MANIFEST_BYTES)
            last = Manifest.from_json(data).log.last.seq
        except FileNotFoundError:
            return number, last
        except ValueError as failure:
            raise OSError(f"{folder.name}: {manifest_name(number)} is damaged") from failure
    raise AssertionError  # count never ends


def custody_draft(  # noqa: PLR0913 - fields of the manifest beside the custody
    custody: CustodyProof,
    *,
    box: str,
    part: int,
    now: Now,
    delivery: DeliveryFacts | None,
    moved_from: str | None = None,
) -> ManifestDraft:
    """Return the content of a part before it is sealed: no camera films at a reception."""
    return ManifestDraft(
        box=box,
        entrance=custody.reception,
        visit=custody.visit,
        part=part,
        delivery=delivery,
        outcome=None if custody.outcome is None else Outcome(custody.outcome),
        house=None,
        film=FilmSpan(start=min(custody.began, now.utc), end=now.utc),
        cameras=(),
        clips=(),
        moved_from=moved_from,
    )
