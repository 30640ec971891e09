"""Which life a seed is: an even one a front door's, an odd one the generic house's, over all kinds and mixes."""

from collections import Counter
from collections.abc import Callable

from tests.house import entrance_life, life


def is_front_door(seed: int) -> bool:
    """Whether this seed's life is that of a front door."""
    return seed % 2 == 0


def run(seed: int, tell: Callable[[str], None] | None = None) -> Counter[str]:
    """Run the life of a seed; return what was seen in it.

    Raises:
        AssertionError: an invariant does not hold.
    """
    if is_front_door(seed):
        life.household(seed)
        return life.run_life(seed, tell=tell)
    return entrance_life.run_life(seed, tell)
