"""Ask the release before version 2 (commit 628f8b08), and make the files of it that are kept.

    python -m tests.gateway.protocol.released.box

builds that commit's wheel from git with the tools that are installed, without a network, and keeps in
`before-issue-16.tar.xz` the files of the wheel that a box needs to answer a message, and that house's file.
"""

import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.gateway.domain.delivery.shop import make_home
from tests.gateway.protocol.golden import SECONDS
from tests.gateway.protocol.golden_versions import BOX_KEY, BRAND_KEY

COMMIT = "628f8b08"
HERE = Path(__file__).parent
ROOT = HERE.parents[3]
ARCHIVE = HERE / "before-issue-16.tar.xz"
ALWAYS = "gateway/storage/sql/"


def unpack(folder: Path) -> None:
    """Lay the kept files out."""
    with tarfile.open(fileobj=BytesIO(lzma.decompress(ARCHIVE.read_bytes()))) as kept:
        kept.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 has it since its fourth release
        kept.extractall(folder)  # noqa: S202 - the archive is ours


def ask(folder: Path, house: dict[str, Any], *arguments: str, **said: list[str]) -> dict[str, Any]:
    """Ask the gateway in the folder, in a process that knows nothing of today's source."""
    asked = {"home": house, "seconds": SECONDS, "hub_key": BRAND_KEY.public.text, "box_key": BOX_KEY.public.text,
             "tokens": [], "hub_tokens": [], "events": [], **said}  # fmt: skip
    command = [sys.executable, "-I", str(HERE / "answer.py"), str(folder), *arguments]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _house() -> dict[str, Any]:
    """A house of that release, in which the brand of the golden tokens is let in."""
    house = make_home().model_dump(mode="json", exclude_unset=True)
    house["brands"]["shop"]["keys"] = [{"kid": "shop-1", "x": BRAND_KEY.public.text}]
    return house


def _build_wheel(folder: Path) -> Path:
    (folder / "tree").mkdir()
    tree = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], capture_output=True, check=True).stdout  # noqa: S607 - git is where it is
    with tarfile.open(fileobj=BytesIO(tree)) as source:
        source.extractall(folder / "tree", filter="data")
    options = ("--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "tree")], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def make() -> None:
    """Build the wheel, see which of its files are needed, and keep them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        wheel, whole = _build_wheel(folder), folder / "whole"
        with zipfile.ZipFile(wheel) as built:
            built.extractall(whole)  # noqa: S202 - it was built here
            names = built.namelist()
        needed = {*ask(whole, _house(), "--modules")["modules"]}
        kept = BytesIO()
        with tarfile.open(fileobj=kept, mode="w") as archive:
            for file in sorted(file for file in names if file in needed or file.startswith(ALWAYS)):
                _add(archive, file, (whole / file).read_bytes())
            _add(archive, "house.json", json.dumps(_house()).encode())
        ARCHIVE.write_bytes(lzma.compress(kept.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, BytesIO(data))


if __name__ == "__main__":
    make()
