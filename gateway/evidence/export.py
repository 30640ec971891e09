"""Streams an export as one ZIP: proofs with films, log, people, permissions.

It never holds a whole file in memory and compresses nothing: films do not shrink, and the door shares the processor.
Each visit's folder is an exact copy, so `perron verify` checks it after unpacking.
"""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.config.home import Home
from gateway.evidence.manifest import VISITS_FOLDER, visit_files, visit_folder
from gateway.evidence.rollback import KEYS_FOLDER, MARK_FILE
from gateway.evidence.succession import SUCCESSION_FILE
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import ChainEntry, HiddenBody
from gateway.storage.rows import TERMS_ADAPTER
from gateway.storage.store import Store
from gateway.system.atomic_file import open_regular
from gateway.system.regular_file import NotRegularFile

CHUNK_BYTES = 2**18  # bytes read at once
LINES_PER_WRITE = 200  # of the log written at once: a few milliseconds


class _ZipBuffer(io.RawIOBase):
    """A buffer into which `zipfile` writes and from which the caller takes the bytes in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def export_name(home: Home, made: datetime) -> str:
    """Name the file, and the folder in it."""
    return f"perron-{home.box}-{made.astimezone(ZoneInfo(home.timezone)):%Y-%m-%d}"


async def stream_zip(  # noqa: PLR0913 - each source of the export is one parameter
    home: Home, store: Store, key: PublicKey, *, made: datetime, running: frozenset[str], readme: str
) -> AsyncIterator[bytes]:
    """Yield the ZIP piece by piece. Visits that are `running` are left out: nothing of theirs is proven yet.

    Raises:
        OSError: a file that was begun could not be read to its end; what was yielded is no whole ZIP.
    """
    outlet = _ZipBuffer()
    local = made.astimezone(ZoneInfo(home.timezone))
    at = (local.year, local.month, local.day, local.hour, local.minute, local.second)
    top = export_name(home, made)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, pieces in _documents(store, key, readme):
            with archive.open(zipfile.ZipInfo(f"{top}/{name}", at), "w", force_zip64=True) as entry:
                for piece in pieces:
                    entry.write(piece)
                    yield outlet.take()
                    await asyncio.sleep(0)  # the door first
        files = [home.storage.folder / MARK_FILE, home.storage.folder / KEYS_FOLDER / SUCCESSION_FILE]
        files += await asyncio.to_thread(visit_files, home.storage.folder / VISITS_FOLDER, without=running)
        for path in files:
            if path.name.startswith("."):
                continue  # it is being written
            info = zipfile.ZipInfo(f"{top}/{path.relative_to(home.storage.folder).as_posix()}", at)
            async for piece in _zipped(archive, outlet, path, info):
                yield piece
    yield outlet.take()


async def stream_proof(films: Path, visit: str, key: PublicKey, *, made: datetime) -> AsyncIterator[bytes]:
    """Yield the proof of one sealed visit as a ZIP: `VISIT/` as it is in the folder `films`, and the box's public key.

    Raises:
        OSError: a file that was begun could not be read to its end; what was yielded is no whole ZIP.
    """
    outlet, at = _ZipBuffer(), (made.year, made.month, made.day, made.hour, made.minute, made.second)
    folder = films / visit_folder(visit)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(zipfile.ZipInfo("box.pub.pem", at), key.pem)
        for path in await asyncio.to_thread(lambda: sorted(folder.iterdir())):
            if not path.name.startswith("."):  # it is being written
                async for piece in _zipped(archive, outlet, path, zipfile.ZipInfo(f"{visit}/{path.name}", at)):
                    yield piece
    yield outlet.take()


async def _zipped(
    archive: zipfile.ZipFile, outlet: _ZipBuffer, path: Path, info: zipfile.ZipInfo
) -> AsyncIterator[bytes]:
    """Add a file; one that was erased meanwhile, or never existed, is left out."""
    try:
        file = await asyncio.to_thread(open_regular, path)
    except (FileNotFoundError, NotRegularFile):
        return
    with file, archive.open(info, "w", force_zip64=True) as entry:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            entry.write(piece)
            yield outlet.take()


def _documents(store: Store, key: PublicKey, readme: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "README.txt", iter((readme.encode(),))
    yield "box.pub.pem", iter((key.pem,))
    yield "people.json", _to_json([
        {"id": person.id, "name": person.name, "role": person.role, "added": person.added.isoformat()}
        for person in store.accounts.all_people()
    ])  # fmt: skip
    yield "permissions.json", _to_json([
        {"brand": permission.brand, "version": permission.version, "standing": permission.standing.value,
         "terms": json.loads(TERMS_ADAPTER.dump_json(permission.terms))}
        for permission in store.brands.permissions()
    ])  # fmt: skip
    yield "log.jsonl", _log_lines(store)


def _to_json(rows: list[Mapping[str, Any]]) -> Iterator[bytes]:
    yield json.dumps(rows, indent=2, ensure_ascii=False).encode() + b"\n"


def _log_lines(store: Store) -> Iterator[bytes]:
    """Yield the hash chain; an erased entry keeps its digest only."""
    lines = map(_log_line, store.log.entries(upto=store.log.head().seq))
    while page := "".join(islice(lines, LINES_PER_WRITE)):
        yield page.encode()


def _log_line(entry: ChainEntry) -> str:
    line: dict[str, Any] = {"seq": entry.seq, "hash": entry.hash.hex()}
    if isinstance(entry.body, HiddenBody):
        line["digest"] = entry.body.digest.hex()
    else:
        line["body"] = json.loads(entry.body)
    return json.dumps(line, ensure_ascii=False) + "\n"
