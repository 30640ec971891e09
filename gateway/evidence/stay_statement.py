"""The box's signed statement about a stay of guests: what it filmed at the stay's entrances in that time, or nothing.

The statement names the piece of the log that belongs to the time. Whoever has the log compares the two hashes and reads
each entry, so a statement that hides a film contradicts the log that the box has chained.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from gateway.config.home import Home
from gateway.domain.guests.passes import Stay
from gateway.domain.now import Now
from gateway.evidence.rollback import KEYS_FOLDER, STORE_FILE
from gateway.protocol.hash_chain import ChainHead
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import CanonicalModel, Hash, Id, SignedDocument
from gateway.storage.span_record import read_span


class LogPosition(CanonicalModel):
    """An entry of the log: its number, and the hash of the chain behind it. Number 0 is before the first entry."""

    seq: Annotated[int, Field(ge=0)]
    hash: Hash


class StayFilm(CanonicalModel):
    """A film that touches the stay. `ended`: the end of its last clip; None: no clip of it is stored."""

    entrance: Id
    began: AwareDatetime
    ended: AwareDatetime | None


class StayStatement(SignedDocument):
    """What the box filmed at these entrances from `start` until `end`, by its own clock.

    `end` is the stay's end, or the time of the statement if that was earlier. The entries of that time are those behind
    `after`, up to and with `last`.
    """

    kind: Literal["perron stay 1"] = "perron stay 1"
    box: Id
    stay: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    entrances: tuple[Id, ...]
    start: AwareDatetime
    end: AwareDatetime
    made: AwareDatetime
    clock_trusted: bool
    films: tuple[StayFilm, ...]
    after: LogPosition
    last: LogPosition


def state_stay(stay: Stay, home: Home, now: Now) -> StayStatement:
    """Make and sign the statement about a stay that has begun.

    It reads the store's file, which takes time if the stay is long: call it in a thread.

    Raises:
        StoreFailed: the store cannot be read.
    """
    folder, end = home.storage.folder, min(stay.ends, now.utc)
    held = tuple(sorted(name for name in home.entrances if stay.holds_at(name)))
    span = read_span(folder / STORE_FILE, stay.starts, end)
    if not stay.entrances:  # also at those that the house file names no longer
        held = tuple(sorted({*held, *(film.entrance for film in span.films)}))
    films = [
        StayFilm(entrance=film.entrance, began=film.began, ended=film.ended)
        for film in span.films
        if film.entrance in held
    ]
    statement = StayStatement(
        box=home.box, stay=stay.id, entrances=held, start=stay.starts, end=end, made=now.utc,
        clock_trusted=now.trusted, films=tuple(films), after=_position(span.after), last=_position(span.last),
    )  # fmt: skip
    return statement.signed(BoxKey.load(folder / KEYS_FOLDER))


def _position(head: ChainHead) -> LogPosition:
    return LogPosition(seq=head.seq, hash=head.hash.hex())
