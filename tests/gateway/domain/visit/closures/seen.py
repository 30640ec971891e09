"""What a closure sees in a test: the values of its sensors in words."""

from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import Circumstances, Fact, ProcedureRun, View

UNPROVEN = "?"  # behind a value: reported, and no answer to a query


def fact(words: str) -> Fact:
    """Return the fact of `closed` (proven) or `closed?` (only reported)."""
    return Fact(value=words.removesuffix(UNPROVEN), proven=not words.endswith(UNPROVEN), stable_since=10.0)


def seen(
    closure: AnyClosure,
    values: dict[str, str],
    *,
    now: Circumstances = Circumstances(mono=100.0),  # noqa: B008 - it is frozen
    run: ProcedureRun = ProcedureRun(),  # noqa: B008 - it is frozen
    is_over: bool = False,
) -> View:
    """Return the view of a closure whose sensors say this, by role; a missing one is unknown."""
    facts = {closure.sensor_names[role]: fact(words) for role, words in values.items()}
    return View(facts, closure.sensor_names, lambda: now, run, is_over=is_over)
