"""README's tables of ways in are true: each scene is in the file that is linked, and each test is there."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.demo.scenarios import SCENARIOS, find_scenarios

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[([^]]*)\]\(([^)#]+)(?:#[^)]*)?\)")
TEST = re.compile(r"^ *(?:async )?def test_|^test_\w+ = |class Test", re.MULTILINE)
WORD = re.compile(r"`([\w:-]+)`")


@dataclass(frozen=True)
class Row:
    """One way in; of each link its text and its file."""

    name: str
    scenes: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]


def rows() -> Iterator[Row]:
    """The rows of each table that has a column of scenes and one of tests."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Ways in\n", 1)[1].split("\n## ", 1)[0]
    columns: list[str] = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
        elif not set(line) <= set("|- "):
            of = dict(zip(columns, cells, strict=True))
            scenes, tests = LINK.findall(of["Scenes (`NAME`)"]), LINK.findall(of["Tests"])
            yield Row(cells[0], tuple(scenes), tuple(tests))


ROWS = tuple(rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_way_in_names_scenes_that_the_linked_file_plays(row: Row) -> None:
    named = [(title, file) for text, file in row.scenes for title in WORD.findall(text)]
    assert named, f"{row.name} has no scene"
    for title, file in named:
        variants = find_scenarios(title)
        named_so = [scenario for scenario in variants if scenario.title == title] or variants
        played_in = {inspect.getsourcefile(scenario.play) for scenario in named_so}
        assert played_in == {str(ROOT / file)}, f"{title} is not in {file}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_way_in_names_tests_that_exist(row: Row) -> None:
    assert row.tests, f"{row.name} has no test"
    for _, file in row.tests:
        path = ROOT / file
        found = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        assert found, f"{file} has no tests"
        assert any(TEST.search(one.read_text(encoding="utf-8")) for one in found), f"{file} has no tests"


def test_every_scene_of_another_way_in_is_of_a_way_in_that_the_readme_has() -> None:
    """What is played at a front door has its row as a whole, with a link to the folder."""
    linked = {file for row in ROWS for _, file in row.scenes}
    modules = {Path(inspect.getsourcefile(scenario.play) or "").relative_to(ROOT).as_posix() for scenario in SCENARIOS}
    front_door = {"failures", "cameras", "parcels", "people", "locks", "promises"}
    kills_of_others = {"killed_ways_in"}
    missing = {file for file in modules - linked if Path(file).stem not in front_door | kills_of_others}
    assert not missing, f"README's tables name no scene of {missing}"
