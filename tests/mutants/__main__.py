"""Plant every fault in a copy of the tree and say which test catches it; 1 if one survives."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.mutants import ALL
from tests.mutants.words import Mutant

ROOT = Path(__file__).parents[2]
TREES = ("gateway", "devices", "tests", "config")
SECONDS = 600  # a fault may well make a test hang: that is caught too
SEEDS = "0:150"
TESTS_FAILED = 1
COPIES = 2  # one a core
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class BrokenMutantError(Exception):
    """The fault cannot be planted or judged: mend it, it proves nothing."""


def copy_tree(to: Path) -> None:
    """Faults are never planted in the working tree."""
    for tree in TREES:
        if (ROOT / tree).exists():
            shutil.copytree(ROOT / tree, to / tree, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)


def run(folder: Path, tests: tuple[str, ...]) -> tuple[int | None, str]:
    """Run tests in the copy: pytest's exit code (None when they hang) and what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),  # before the installed tree
        "PYTHONDONTWRITEBYTECODE": "1",
        "PERRON_SEEDS": os.environ.get("PERRON_SEEDS", SEEDS),
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def where_from(folder: Path) -> None:
    """Make sure that it is the copy that is tested."""
    asked = "import gateway.domain.visit.decide, sys; sys.stdout.write(gateway.domain.visit.decide.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    found = subprocess.run(
        [sys.executable, "-c", asked], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout
    if not Path(found).is_relative_to(folder):
        raise BrokenMutantError(f"not the copy is tested but {found}")


def plant(folder: Path, mutant: Mutant) -> str | None:
    """Plant one fault, run its tests, take it out again: the test that caught it, None if none did."""
    path = folder / mutant.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(mutant.old) != 1:
        raise BrokenMutantError(f"{mutant.name}: its line stands {whole.count(mutant.old)} times in {mutant.file}")
    path.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, printed = run(folder, mutant.tests)
    finally:
        path.write_text(whole, encoding="utf-8")
    if code is None:
        return "hangs"
    if code == 0:
        return None
    caught = FAILED.search(printed)
    if code != TESTS_FAILED or caught is None:
        raise BrokenMutantError(f"{mutant.name}: pytest ended with {code}\n{printed[-2000:]}")
    return caught.group(1)


def main(words: list[str]) -> int:
    """Plant them all, two at a time, each in a copy of its own."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    chosen = [mutant for mutant in ALL if not words or any(word in mutant.name for word in words)]
    if not chosen:
        console.print(f"No fault's name has {' or '.join(words)} in it.", markup=False)
        return 2
    table = Table("fault", "in", "caught by", title="Planted faults")
    survived = 0
    copies: SimpleQueue[Path] = SimpleQueue()

    def caught_by(mutant: Mutant) -> str | None:
        folder = copies.get()
        try:
            return plant(folder, mutant)
        finally:
            copies.put(folder)

    with tempfile.TemporaryDirectory(prefix="perron-mutants-") as name:
        folders = [Path(name).resolve() / str(number) for number in range(COPIES)]
        for folder in folders:
            folder.mkdir()
            copy_tree(folder)
            where_from(folder)
            copies.put(folder)
        tests = tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
        code, printed = run(folders[0], tests)
        if code != 0:
            console.print(f"The tests fail without any fault:\n{printed[-3000:]}", markup=False)
            return 1
        with ThreadPoolExecutor(COPIES) as workers:
            for mutant, caught in zip(chosen, workers.map(caught_by, chosen), strict=True):
                survived += caught is None
                table.add_row(mutant.name, mutant.file, escape(caught) if caught else "[bold red]SURVIVED[/]")
                console.print(f"{mutant.name}: {caught or 'SURVIVED'}", markup=False, highlight=False)
    console.print(table)
    console.print(f"{len(chosen) - survived} of {len(chosen)} faults are caught.")
    return 1 if survived else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        epilog="Examples:\n  python -m tests.mutants\n  python -m tests.mutants unlock 'no fsync'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="plant only those whose name has one of these")
    sys.exit(main(parser.parse_args().words))
