"""Exceptions of every kind that a piece of work may raise, for tests that throw them into workers."""

from collections.abc import Callable

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


ARBITRARY: tuple[Callable[[], Exception], ...] = (
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
