"""What `make quick` leaves out."""

from pathlib import Path

import pytest

from tests.slow_files import LISTED, slow_files

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_slow_files" name="one" time="{one}"/>
<testcase classname="tests.test_slow_files.TestIt" name="two" time="{two}"/>
<testcase classname="tests.test_docs" name="three" time="0.01"/>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("one", "two", "left_out"),
    [(0.6, 0.0, ["tests/test_slow_files.py"]), (0.2, 0.2, []), (0.0, 0.0, [])],
    ids=["long", "long on average, short in all", "short"],
)
def test_a_file_whose_tests_take_long_is_left_out(tmp_path: Path, one: float, two: float, left_out: list[str]) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(one=one, two=two))
    assert slow_files(report) == left_out


def test_a_report_of_other_files_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.replace("test_docs", "test_of_no_file").format(one=0, two=0))
    with pytest.raises(FileNotFoundError, match="test_of_no_file"):
        slow_files(report)


def test_every_file_that_is_left_out_exists() -> None:
    listed = LISTED.read_text().split()
    assert listed == sorted(set(listed))
    assert [file for file in listed if not Path(file).is_file()] == []
