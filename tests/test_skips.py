"""A run in which something was left out in silence does not pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import HEADING, listed_tests

pytestmark = pytest.mark.slow  # each starts pytest anew
ROOT = Path(__file__).parents[1]
STORY = """
import pytest

def test_passes() -> None:
    pass

@pytest.mark.skip(reason="no broker here")
def test_is_left_out() -> None:
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_is_left_out_midway(number: int) -> None:
    if number == 2:
        pytest.skip("no camera here")
"""
FILE_LEFT_OUT = 'import pytest\n\npytest.skip("not on this machine", allow_module_level=True)\n'
LEFT_OUT = ("test_story.py::test_is_left_out", "test_story.py::test_is_left_out_midway[2]")


def contributing(*entries: str) -> str:
    items = "".join(f"- `{entry}`: needs what few machines have.\n" for entry in entries)
    return f"# Contributing\n\n{HEADING}\n\nToday:\n\n{items}\n## Another heading\n\n- `test_elsewhere.py`: no list.\n"


def run(folder: Path, *entries: str, story: str = STORY, options: tuple[str, ...] = ()) -> tuple[int, str]:
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_story.py").write_text(story)
    (folder / "CONTRIBUTING.md").write_text(contributing(*entries))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "with workers"])
def test_a_skipped_test_fails_the_run_and_is_named(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, printed = run(tmp_path, options=options)
    assert code == pytest.ExitCode.TESTS_FAILED
    for test in LEFT_OUT:
        assert f"SKIPPED, which CONTRIBUTING.md does not allow: {test}" in printed


def test_a_skipped_file_fails_the_run(tmp_path: Path) -> None:
    code, printed = run(tmp_path, story=FILE_LEFT_OUT)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "does not allow: test_story.py" in printed


@pytest.mark.parametrize("entries", [LEFT_OUT, ("test_story.py",), (LEFT_OUT[0], LEFT_OUT[1].partition("[")[0])])
def test_what_is_listed_with_its_reason_may_be_skipped(tmp_path: Path, entries: tuple[str, ...]) -> None:
    assert run(tmp_path, *entries)[0] == pytest.ExitCode.OK


def test_one_that_is_listed_does_not_excuse_another(tmp_path: Path) -> None:
    code, printed = run(tmp_path, LEFT_OUT[0])
    assert code == pytest.ExitCode.TESTS_FAILED
    assert f"does not allow: {LEFT_OUT[0]}\n" not in printed


def test_a_failure_stays_a_failure_and_a_run_without_skips_passes(tmp_path: Path) -> None:
    assert run(tmp_path, story="def test_passes() -> None:\n    pass\n")[0] == pytest.ExitCode.OK
    assert run(tmp_path, story="def test_fails() -> None:\n    assert False\n")[0] == pytest.ExitCode.TESTS_FAILED


def test_an_entry_needs_its_reason_and_the_right_heading() -> None:
    assert listed_tests(contributing("tests/a.py::test_b")) == {"tests/a.py::test_b"}
    assert listed_tests(f"x\n{HEADING}\n- `tests/a.py`:\n- `tests/b.py`\n") == frozenset()
    assert listed_tests("# Contributing\n\n- `tests/a.py`: no reason is good here.\n") == frozenset()


def test_the_real_list_names_tests_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"\n{HEADING}\n" in text
    assert all((ROOT / entry.partition("::")[0]).exists() for entry in listed_tests(text))
