"""Faults that are planted one by one, each with the tests that must catch it: `python -m tests.mutants`.

To add some: a module with a tuple `MUTANTS`, and its name in the table below.
"""

from tests.mutants import accounts, leaving, pocket, shell, visit
from tests.mutants.words import Mutant

ALL: tuple[Mutant, ...] = (*visit.MUTANTS, *shell.MUTANTS, *accounts.MUTANTS, *pocket.MUTANTS, *leaving.MUTANTS)
