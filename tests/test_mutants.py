"""The planted faults are plantable; `make mutants` plants them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import ALL
from tests.mutants.words import Mutant

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_planted_fault_still_has_its_line_and_its_tests(mutant: Mutant) -> None:
    whole = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert whole.count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert mutant.tests
    assert all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)


def test_no_two_planted_faults_have_one_name() -> None:
    names = Counter(mutant.name for mutant in ALL)
    assert max(names.values()) == 1
