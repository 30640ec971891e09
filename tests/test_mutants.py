"""The planted faults are plantable; `make mutants` plants them."""

from collections import Counter
from functools import cache
from pathlib import Path

from tests.mutants import ALL
from tests.mutants.words import Mutant

ROOT = Path(__file__).parents[1]


def test_every_planted_fault_still_has_its_line_and_its_tests() -> None:
    read = cache(lambda file: (ROOT / file).read_text(encoding="utf-8"))

    def plantable(mutant: Mutant) -> bool:
        there = all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)
        return read(mutant.file).count(mutant.old) == 1 and mutant.new != mutant.old and bool(mutant.tests) and there

    assert [f"{mutant.name} ({mutant.file})" for mutant in ALL if not plantable(mutant)] == []


def test_no_two_planted_faults_have_one_name() -> None:
    names = Counter(mutant.name for mutant in ALL)
    assert max(names.values()) == 1
