"""Provides `replace` for frozen dataclasses with slots, three times as fast as `dataclasses.replace`.

A decision copies an entrance of 31 fields several times. `dataclasses.replace` looks up each field by its name and sets
each in `__init__`; this function copies the slots one by one.
"""

import functools
import operator
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import repeat
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

_Reader = Callable[[Any], tuple[Any, ...]]
_Setter = Callable[[Any, Any], None]

if TYPE_CHECKING:
    from dataclasses import replace  # mypy checks the fields and their types
else:

    def replace(instance: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - as `dataclasses.replace`
        """Return a copy with other values in the named fields.

        The class must be a dataclass with slots, with two fields or more, and without `__post_init__`.

        Raises:
            TypeError: the class has no such field, or is not of this kind.
        """
        cls = type(instance)
        values, setters, by_name = _slots(cls)
        copy = object.__new__(cls)
        deque(map(operator.call, setters, repeat(copy), values(instance)), maxlen=0)  # a loop in C
        for name, value in changes.items():
            if name not in by_name:
                raise TypeError(f"{cls.__name__} has no field {name}")
            by_name[name](copy, value)
        return copy


@functools.cache
def _slots(cls: type) -> tuple[_Reader, tuple[_Setter, ...], Mapping[str, _Setter]]:
    """Return a reader of all fields, the setters of all fields, and the setters by field name."""
    setters = (
        {field.name: getattr(cls, field.name).__set__ for field in fields(cls)} if "__slots__" in vars(cls) else {}
    )
    if len(setters) < 2 or hasattr(cls, "__post_init__"):  # an attrgetter of one name gives no tuple
        raise TypeError(f"{cls.__name__} is no dataclass with slots, two fields or more, and without __post_init__")
    return operator.attrgetter(*setters), tuple(setters.values()), setters
