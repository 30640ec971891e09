"""What a test measured stands at the end of the run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts pytest anew
ROOT = Path(__file__).parents[1]
STORY = """
def test_measures(record_property):
    record_property("told", "7 of 9 apples")
    record_property("another", "nobody's business")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "in a worker"])
def test_what_was_measured_is_told_at_the_end(tmp_path: Path, workers: tuple[str, ...]) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "CONTRIBUTING.md").write_text("# Contributing\n")
    (tmp_path / "test_story.py").write_text(STORY)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", *workers],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "measured: 7 of 9 apples" in ran.stdout
    assert "nobody's business" not in ran.stdout
