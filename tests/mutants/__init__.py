"""Faults that are planted one by one, each with the tests that must catch it: `python -m tests.mutants`.

To add some: a module with a tuple `MUTANTS`, and its name in the table below.
"""

from tests.mutants import (
    accounts,
    adding,
    announcing,
    asked,
    away,
    broker,
    examining,
    guard,
    homeassistant,
    hub,
    joining,
    keeping,
    keys,
    leaving,
    letting,
    pages,
    pocket,
    radio,
    reading,
    remote,
    shell,
    surroundings,
    visit,
    webhooks,
)
from tests.mutants.words import Mutant

ALL: tuple[Mutant, ...] = (
    *accounts.MUTANTS,
    *adding.MUTANTS,
    *announcing.MUTANTS,
    *asked.MUTANTS,
    *away.MUTANTS,
    *broker.MUTANTS,
    *examining.MUTANTS,
    *guard.MUTANTS,
    *homeassistant.MUTANTS,
    *hub.MUTANTS,
    *joining.MUTANTS,
    *keeping.MUTANTS,
    *keys.MUTANTS,
    *leaving.MUTANTS,
    *letting.MUTANTS,
    *pages.MUTANTS,
    *pocket.MUTANTS,
    *radio.MUTANTS,
    *reading.MUTANTS,
    *remote.MUTANTS,
    *shell.MUTANTS,
    *surroundings.MUTANTS,
    *visit.MUTANTS,
    *webhooks.MUTANTS,
)
