"""Print the files that `make quick` leaves out: those whose tests take long, by a JUnit report of a run.

Written anew by `make slow-files`. Besides them `make quick` leaves out each test that is marked `slow`.
"""

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

LISTED = Path("tests/slow_files.txt")
SLOW_TEST_S = 0.05  # seconds that a test of a file takes on average, its fixtures included
SLOW_FILE_S = 0.5  # seconds of all tests of a file; what takes less may stay


def slow_files(report: Path) -> list[str]:
    """Return the slow files of a run by name; the report is JUnit XML, as pytest's `--junitxml` writes it."""
    seconds: dict[Path, list[float]] = defaultdict(list)
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest has written it
        seconds[_file(case.get("classname", ""))].append(float(case.get("time", "0")))
    return sorted(
        str(file)
        for file, taken in seconds.items()
        if sum(taken) > SLOW_FILE_S and sum(taken) > SLOW_TEST_S * len(taken)
    )


def _file(dotted: str) -> Path:
    """Return the file of a test's dotted name, which may end in a class."""
    parts = dotted.split(".")
    while parts and not (file := Path(*parts).with_suffix(".py")).is_file():
        parts.pop()
    if not parts:
        raise FileNotFoundError(f"{dotted}: there is no such file; run this where the report was written")
    return file


if __name__ == "__main__":
    sys.stdout.write("".join(f"{file}\n" for file in slow_files(Path(sys.argv[1]))))
