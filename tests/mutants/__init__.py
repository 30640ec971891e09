"""Faults that are planted one by one, each with the tests that must catch it: `python -m tests.mutants`.

To add some: a module of this package with a tuple `MUTANTS`.
"""

import pkgutil
from importlib import import_module

from tests.mutants.mutant import Mutant

PROGRAMS = {"__main__", "mutant", "shape", "worker"}

MODULES: dict[str, tuple[Mutant, ...]] = {
    module.name: import_module(f"{__name__}.{module.name}").MUTANTS
    for module in pkgutil.iter_modules(__path__)
    if module.name not in PROGRAMS
}
ALL: tuple[Mutant, ...] = tuple(mutant for mutants in MODULES.values() for mutant in mutants)
