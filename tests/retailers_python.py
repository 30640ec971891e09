"""The Python of a retailer: an empty environment with `perron-sdk`, installed from its wheel, and no Perron.

What the wheel says that it needs is linked from the environment of the tests, so nothing is fetched.
"""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.sdk_source import FOLDER

_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def build_wheel(folder: Path) -> Path:
    """Build the wheel there; it is built from a copy, because setuptools writes beside the source."""
    source = folder / "source"
    shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("__pycache__", "typescript"))
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([*_PIP, "wheel", *options, str(source)], check=True, stdin=subprocess.DEVNULL)
    (wheel,) = folder.glob("perron_sdk-*.whl")
    return wheel


@cache
def retailers_python() -> Path:
    """Return the interpreter of the environment."""
    folder = Path(tempfile.mkdtemp(prefix="perron-retailer-"))
    here = folder / "venv"
    venv.create(here, symlinks=True)
    python = here / "bin" / "python"
    wheel = build_wheel(folder)
    options = ("--no-deps", "--no-index", "--no-compile")
    subprocess.run([*_PIP, "--python", python, "install", *options, wheel], check=True, stdin=subprocess.DEVNULL)
    libraries = here / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (metadata,) = libraries.glob("perron_sdk-*.dist-info")
    for needed in _needed(Distribution.at(metadata), set()):
        _link(needed, libraries)
    return python


def _needed(one: Distribution, seen: set[str]) -> Iterator[Distribution]:
    """Yield what a distribution requires, and what that requires."""
    for line in one.requires or ():
        requirement = Requirement(line)
        if requirement.name not in seen and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            seen.add(requirement.name)
            found = distribution(requirement.name)
            assert requirement.specifier.contains(found.version), line
            yield found
            yield from _needed(found, seen)


def _link(one: Distribution, libraries: Path) -> None:
    for name in {file.parts[0] for file in one.files or () if file.parts[0] not in {"..", "__pycache__"}}:
        target = libraries / name
        if not target.exists():
            target.symlink_to(str(one.locate_file(name)))
