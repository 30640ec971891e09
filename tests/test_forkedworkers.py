"""Tests are read once however many workers there are, and each worker is a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workerreports import shows_all

pytestmark = pytest.mark.xdist_group("forked workers")  # one run of pytest serves all
ROOT = Path(__file__).parents[1]
SUITE = """
import os, pathlib, pytest, time

HERE = pathlib.Path(__file__).parent
HERE.joinpath("read").open("a").write("once ")
MET = HERE / "met"
MET.mkdir(exist_ok=True)
WORKER = os.environ["PYTEST_XDIST_WORKER"]

def test_read_by_none_of_them():
    assert WORKER == "stem"

@pytest.mark.parametrize("number", range(2))
def test_two_at_once(number, tmp_path, worker_id):
    assert os.environ["PYTEST_XDIST_WORKER"] == worker_id
    (MET / worker_id).write_text(f"{os.getpid()} {tmp_path}")
    while len(list(MET.iterdir())) < 2:
        time.sleep(0.02)
    print(f"said by {number}.")
    assert not number

def test_dies():
    os._exit(3)

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(2))
def test_goes_where_its_group_goes(number, worker_id):
    assert set(HERE.glob("together-*")) <= {HERE / f"together-{worker_id}"}
    (HERE / f"together-{worker_id}").touch()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of two workers with all that can happen to them, and its folder."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_them.py").write_text(SUITE, encoding="utf-8")
    (folder / "test_unreadable.py").write_text("import no_such_module\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.forkedworkers",
        "-p",
        "no:schemathesis",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "-rN",  # the summary says it again, where the terminal is wide or there is none
        ".",
    ]
    ended = subprocess.run(
        [*command, "--rootdir", str(folder)], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return folder, ended


def test_tests_are_read_once_and_run_by_processes_of_their_own(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, ended = run
    assert (folder / "read").read_text() == "once ", ended.stdout
    (one, ones_folder), (other, others_folder) = (met.read_text().split() for met in (folder / "met").iterdir())
    assert one != other
    assert ones_folder != others_folder


@pytest.mark.parametrize(
    ("options", "all_is_told"),
    [("", False), ("-q -ra", False), ("-v", True), ("-rP", True), ("--durations=3", True), ("--junitxml=it.xml", True)],
)
def test_what_passed_is_told_with_its_parts_only_where_the_run_shows_them(
    pytestconfig: pytest.Config, options: str, all_is_told: bool
) -> None:
    option = pytestconfig._parser.parse_known_args(options.split())  # noqa: SLF001 - nothing public parses alone
    assert shows_all(option) is all_is_told


def test_each_is_told_of_with_what_it_said(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _folder, ended = run
    assert ended.returncode == 1
    assert "2 failed, 4 passed" in ended.stdout
    assert "said by 1." in ended.stdout
    assert "said by 0." not in ended.stdout


def test_what_cannot_be_read_and_a_worker_that_dies_are_told(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _folder, ended = run
    assert "No module named 'no_such_module'" in ended.stdout
    assert ended.stdout.count("crashed while running 'test_them.py::test_dies'") == 1, "it is not run again"
    assert "1 error" in ended.stdout
