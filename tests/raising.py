"""Exceptions of every kind that a piece of work may raise, for tests that throw them into workers."""

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError


class UnheardOfError(Exception):
    """An exception that no product code knows."""


def _validation() -> ValidationError:
    class Model(BaseModel):
        number: int

    try:
        Model.model_validate({"number": "none"})
    except ValidationError as error:
        return error
    raise AssertionError


ARBITRARY_EXCEPTIONS: tuple[Callable[[], Exception], ...] = (
    ValueError,
    lambda: KeyError("missing"),
    RecursionError,
    OverflowError,
    AssertionError,
    MemoryError,
    ZeroDivisionError,
    AttributeError,
    UnheardOfError,
    StopAsyncIteration,
    lambda: OSError(5, "Input/output error"),
    TimeoutError,
    EOFError,
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    _validation,
)


class ExceptionSource:
    """Raises an exception of another kind each time that it is asked to."""

    def __init__(self, kinds: Sequence[Callable[[], Exception]] = ARBITRARY_EXCEPTIONS) -> None:
        self.raised = 0
        self._kinds = itertools.cycle(kinds)

    def now(self) -> None:
        self.raised += 1
        kind = next(self._kinds)
        raise kind()


def each_loop_raises_once(process: type[Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Have each loop that `process._workers` names raise when it begins for the first time; how often each began."""
    begun: dict[str, int] = {}
    raising, loops = ExceptionSource(), process._workers  # noqa: SLF001 - where the fault is thrown in

    def failing(name: str, run: Callable[[], Awaitable[None]]) -> Callable[[], Coroutine[Any, Any, None]]:
        async def work() -> None:
            begun[name] = begun.get(name, 0) + 1
            if begun[name] == 1:
                raising.now()
            await run()

        return work

    monkeypatch.setattr(
        process, "_workers", lambda self: {name: failing(name, run) for name, run in loops(self).items()}
    )
    return begun
