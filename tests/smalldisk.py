"""A real small disk for tests that fill it: a tmpfs. Mounting one takes root, which CI is."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Make a folder that is a disk of its own until left; `size` as mount reads it (`8m`)."""
    place.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place))
    umount = ("umount", str(place))
    subprocess.run(mount, check=True, timeout=30)
    try:
        yield place
    finally:
        subprocess.run(umount, check=True, timeout=30)


def fill(disk: Path) -> Path:
    """Write until not one byte is left; the file that did it, which is deleted to make room again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (65_536, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(piece)):
                    pass
    return ballast
