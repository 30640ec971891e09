"""Plant faults one by one in copies of the tree and say which test catches each; 1 if one is not caught."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tests.mutants import ALL, MODULES
from tests.mutants.mutant import Mutant
from tests.mutants.worker import Verdict

ROOT = Path(__file__).parents[2]
TREES = ("gateway", "devices", "tests", "config", "docs", "pyproject.toml", "CONTRIBUTING.md", "Makefile")
SEEDS = "0:160"  # enough to catch each fault that seeds are to catch
PROCESSES = 2  # one a core


def copy_tree(to: Path) -> None:
    """Copy what tests read; faults are never planted in the working tree."""
    for name in TREES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, to)


def start_worker(folder: Path) -> subprocess.Popen[str]:
    """Start a worker in a copy of the tree, whose modules it imports before the installed ones."""
    environment = {"PERRON_SEEDS": SEEDS, **os.environ, "PYTHONPATH": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes run the same source
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mutants.worker"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def judge_all(chosen: list[Mutant], processes: int) -> Iterator[Verdict]:
    """Plant each fault in a copy that no other fault is in; yield what was found as it is found."""
    with tempfile.TemporaryDirectory(prefix="perron-mutants-") as name:
        workers: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        started = []
        for number in range(processes):
            folder = Path(name).resolve() / str(number)
            folder.mkdir()
            copy_tree(folder)
            workers.put(worker := start_worker(folder))
            started.append(worker)

        def judge(mutant: Mutant) -> Verdict:
            worker = workers.get()
            try:
                if worker.stdin is None or worker.stdout is None:
                    raise TypeError("a worker has pipes")
                worker.stdin.write(mutant.name + "\n")
                worker.stdin.flush()
                return Verdict(**json.loads(worker.stdout.readline()))
            finally:
                workers.put(worker)

        try:
            with ThreadPoolExecutor(processes) as threads:
                for judged in as_completed([threads.submit(judge, mutant) for mutant in chosen]):
                    yield judged.result()
        finally:
            for worker in started:
                worker.terminate()
                worker.communicate()


def choose(words: list[str]) -> list[Mutant]:
    """Return the faults of a module of this package, in a file of the tree, or with a word in their name."""
    return [
        mutant
        for module, mutants in MODULES.items()
        for mutant in mutants
        if not words or any(word in {module, mutant.file} or word in mutant.name for word in words)
    ]


def main(words: list[str], processes: int) -> int:
    """Print a line a fault as it is judged, then those that were not caught, then how many were."""
    chosen = choose(words)
    if not chosen:
        sys.stderr.write(f"No fault is in {' or '.join(words)}, or has that in its name.\n")
        return 2
    bad: list[Verdict] = []
    for number, verdict in enumerate(judge_all(chosen, processes), 1):
        what = verdict.caught_by or (f"BROKEN: {verdict.broken}" if verdict.broken else "SURVIVED")
        sys.stdout.write(f"[{number:3}/{len(chosen)}] {verdict.seconds:5.1f} s  {verdict.name}: {what}\n")
        sys.stdout.flush()
        bad += [] if verdict.caught_by else [verdict]
    for verdict in bad:
        sys.stdout.write(f"NOT CAUGHT: {verdict.name}{': ' + verdict.broken if verdict.broken else ''}\n")
    sys.stdout.write(f"{len(chosen) - len(bad)} of {len(chosen)} faults are caught.\n")
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        epilog=f"There are {len(ALL)} faults. Examples:\n  python -m tests.mutants\n"
        "  python -m tests.mutants visit guard\n"
        "  python -m tests.mutants gateway/mqtt/client.py\n  python -m tests.mutants 'no fsync'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="a module of tests/mutants, a file, or part of a name")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many faults at a time (%(default)s)")
    options = parser.parse_args()
    sys.exit(main(options.words, options.processes))
