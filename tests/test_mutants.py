"""The planted faults are plantable, also after a rename; `make mutants` plants them."""

import builtins
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.mutants import ALL
from tests.mutants.mutant import Mutant
from tests.mutants.shape import SOURCES, PlaceError, file_of, place, places, planted, tokens

ROOT = Path(__file__).parents[1]
OTHERS_NAMES = {
    "DEBUG",
    "check_hostname",
    "follow",
    "w",
}  # of Python, the browser and a regular expression; no source has them


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def names_of(text: str) -> set[str]:
    return {token.text for token in tokens(text) if token.is_name}


def renamed(text: str, names: set[str]) -> str:
    return re.sub(r"\b[^\W\d]\w*", lambda name: f"other_{name[0]}" if name[0] in names else name[0], text)


def test_every_planted_fault_still_has_its_place_and_its_tests() -> None:
    def misfit(mutant: Mutant) -> str:
        try:
            file = file_of(mutant, ROOT)
            with_fault = planted(mutant, text_of(file))
        except PlaceError as error:
            return str(error)
        if with_fault == text_of(file) or not mutant.tests:
            return "it changes nothing, or has no test"
        for test in mutant.tests:
            path, _, name = test.partition("::")
            function = name.partition("[")[0]
            if not (ROOT / path).exists() or (name and f"def {function}(" not in text_of(ROOT / path)):
                return f"there is no {test}"
        return ""

    assert {mutant.name: why for mutant in ALL if (why := misfit(mutant))} == {}


def test_every_planted_fault_can_run_so_that_no_test_fails_for_a_name_that_does_not_exist(tmp_path: Path) -> None:
    for number, mutant in enumerate(ALL):
        file = file_of(mutant, ROOT)
        if file.suffix == ".py":
            header = f"# {mutant.name}\n"
            (tmp_path / f"{number}.py").write_text(header + planted(mutant, text_of(file)), encoding="utf-8")
    ruff = [
        str(Path(sys.executable).with_name("ruff")),
        "check",
        "--isolated",
        "--no-cache",
        "--select",
        "F821",
        str(tmp_path),
    ]
    found = subprocess.run([*ruff, "--output-format", "concise"], capture_output=True, text=True, check=False).stdout
    wrong = {ALL[int(Path(line.split(":")[0]).stem)].name: line for line in found.splitlines() if ".py:" in line}
    assert wrong == {}


def test_no_two_planted_faults_have_one_name() -> None:
    names = Counter(mutant.name for mutant in ALL)
    assert max(names.values()) == 1


def test_a_fault_writes_no_name_that_was_renamed_since() -> None:
    """A name that stands in `new` alone cannot be followed, so whoever renames it is told here."""
    files = [file for top in SOURCES for file in (ROOT / top).rglob("*.*") if file.suffix in {".py", ".js", ".sql"}]
    known = {*dir(builtins), *OTHERS_NAMES}.union(*(re.findall(r"\w+", text_of(file)) for file in files))
    unknown = {mutant.name: names_of(mutant.new) - names_of(mutant.old) - known for mutant in ALL}
    assert {name: names for name, names in unknown.items() if names} == {}


def test_whatever_name_is_changed_in_the_source_the_same_fault_is_planted() -> None:
    """All names of its text at once where no other place has its shape, else one after the other."""
    wrong = []
    for mutant in ALL:
        source = text_of(file_of(mutant, ROOT))
        names = names_of(mutant.old)
        alone = len(places(tokens(mutant.old), tokens(source))) == 1
        for changed in [names] if alone else [{name} for name in names]:
            both = planted(mutant, renamed(source, changed)), renamed(planted(mutant, source), changed)
            if both[0] == both[1]:
                continue
            then, expected = ([token.text for token in tokens(text)] for text in both)
            if then != expected:
                wrong.append((mutant.name, changed))
    assert wrong == []


FAULT = Mutant(
    name="a door that was not asked counts",
    file="door.py",
    old="    if answer.proven and answer.value is CLOSED:\n        emit(answer=answer)\n",
    new="    if answer.value is CLOSED:\n        log(answer, CLOSED)\n        emit(answer=answer)\n",
    tests=("test_door.py",),
)


WRAPPED = """
class A:
    def see(self, b):
        if b.proven and b.value is CLOSED:  # it is
            emit(
                answer=b,
            )
        return
"""
WRAPPED_WITH_FAULT = """
class A:
    def see(self, b):
        if b.value is CLOSED:
            log(b, CLOSED)
            emit(answer=b)
        return
"""
BRACKETS = """
def see(b):
    if (
        b.proven and b.value is CLOSED
    ):
        emit(answer=b)
"""


@pytest.mark.parametrize(
    ("source", "with_fault"),
    [
        (f"def see(answer):\n{FAULT.old}    return\n", f"def see(answer):\n{FAULT.new}    return\n"),
        (
            "def see(a):\n    if a.is_proven and a.state is SHUT:\n        emit(answer=a)\n    return\n",
            "def see(a):\n    if a.state is SHUT:\n        log(a, SHUT)\n        emit(answer=a)\n    return\n",
        ),
        (WRAPPED, WRAPPED_WITH_FAULT),
        ("def see(a):\n    if a.is_proven and a.state is State.SHUT:\n        emit(answer=a)\n", None),
        (BRACKETS, None),
    ],
    ids=["as it was", "renamed", "in a class, wrapped", "another expression", "in brackets"],
)
def test_a_fault_is_written_with_the_names_that_the_source_has_today(source: str, with_fault: str | None) -> None:
    if with_fault is None:
        with pytest.raises(PlaceError):
            planted(FAULT, source)
    else:
        assert planted(FAULT, source) == with_fault


def test_of_two_places_it_is_the_one_with_the_names_of_the_text_and_of_two_like_ones_none() -> None:
    mutant = Mutant(name="a", file="a.py", old="return door.proven", new="return True", tests=("t.py",))
    source = "def a():\n    return door.is_proven\n\ndef b():\n    return bolt.{}\n"
    assert planted(mutant, source.format("is_proven")) == source.format("is_proven").replace("door.is_proven", "True")
    with pytest.raises(PlaceError, match="2 places of a"):
        place(mutant, source.format("is_proven").replace("bolt", "door"))


def test_a_text_that_moved_to_another_file_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/other.py").write_text("def a():\n    return door.proven\n")
    mutant = Mutant(name="a", file="gateway/a.py", old="return door.proven", new="return True", tests=("t.py",))
    assert file_of(mutant, tmp_path) == tmp_path / "gateway/other.py"
    (tmp_path / "gateway/third.py").write_text("def a():\n    return door.proven\n")
    with pytest.raises(PlaceError):
        file_of(mutant, tmp_path)
