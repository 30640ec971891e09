"""Compiles a gettext catalogue: `.po`, which people edit, to `.mo`, which the standard library reads.

An installed Perron holds only the `.mo` files: `BuildTexts` makes them. A source checkout holds the `.po` files; there
the first process that needs a catalogue compiles it, so that a change is seen without any command.
"""

import io
import os
from pathlib import Path


class CatalogueError(Exception):
    """A catalogue is not compiled and cannot be compiled."""


def load_compiled(po: Path) -> bytes:
    """Return the `.mo` of a `.po`; compile it first if it is missing or older.

    Raises:
        CatalogueError: the catalogue is not compiled, and Babel is not installed.
        OSError: the catalogue cannot be read.
    """
    mo = po.with_suffix(".mo")
    if mo.is_file() and not (po.is_file() and mo.stat().st_mtime_ns < po.stat().st_mtime_ns):
        return mo.read_bytes()
    try:
        return compile_catalogue(po)
    except ModuleNotFoundError as missing:
        if mo.is_file():
            return mo.read_bytes()
        raise CatalogueError(f"{mo} is missing, and {missing.name} is not installed: run `make texts`") from missing


def compile_catalogue(po: Path) -> bytes:
    """Compile a `.po` and store the result beside it. In a read-only checkout each process compiles it again."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - a box runs without Babel
    from babel.messages.pofile import read_po  # noqa: PLC0415 - the same

    buffer = io.BytesIO()
    with po.open(encoding="utf-8") as file:
        write_mo(buffer, read_po(file, locale=po.parents[1].name))
    mo = po.with_suffix(".mo")
    temporary = mo.with_name(f".{mo.name}.{os.getpid()}")
    try:
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(mo)  # hundreds of processes may do so at once: each finds a whole file
    except OSError:
        temporary.unlink(missing_ok=True)
    return buffer.getvalue()
