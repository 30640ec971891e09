"""Defines the base of the frozen dataclasses, and `replace`, ten times as fast as `dataclasses.replace`.

A decision copies an entrance of 31 fields several times. `dataclasses.replace` looks up each field by its name and sets
each in `__init__`; `replace` copies all of them at once.

`dataclass(frozen=True)` compiles six methods of each class, and its `__init__` calls a function for each field. Here a
class gets its `__init__` alone, which sets all fields at once, and has the other methods from its base.
"""

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

__all__ = ["Frozen", "replace"]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Frozen:
    """Makes each class below it a frozen dataclass, made with the names of its fields unless `kw_only` is False.

    Two instances of one class are equal if all their fields are, except those with `compare=False`. A class may have a
    `cached_property`: what follows from the fields is no field, and a copy computes it anew.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _values_of: ClassVar[Any]  # compared fields, from `vars`: a `cached_property` lies there too
    _is_plain: ClassVar[bool]  # `vars` has the fields alone, and nothing checks them
    _compares_all: ClassVar[bool]  # `vars` has the compared fields alone

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        super().__init_subclass__()
        dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        names = [one.name for one in fields(cls) if one.compare]
        cls._values_of = staticmethod(itemgetter(*names) if names else lambda _fields: ())
        has_derived = any(isinstance(one, cached_property) for kind in cls.__mro__ for one in vars(kind).values())
        cls._is_plain = not (has_derived or hasattr(cls, "__post_init__"))
        cls._compares_all = not has_derived and len(names) == len(fields(cls))
        if "__init__" not in vars(cls):
            type.__setattr__(cls, "__init__", _make_init(cls))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if self.__class__ is not other.__class__:
            return NotImplemented
        if self._compares_all:
            return bool(self.__dict__ == other.__dict__)
        return bool(self._values_of(vars(self)) == self._values_of(vars(other)))

    def __hash__(self) -> int:
        return hash(self._values_of(vars(self)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
        return f"{type(self).__qualname__}({shown})"

    if not TYPE_CHECKING:  # mypy would let anybody set any attribute

        def __setattr__(self, name: str, value: object) -> None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise FrozenInstanceError(f"cannot delete field {name!r}")


def _make_init(cls: type[Frozen]) -> Any:  # noqa: ANN401 - each class has another signature
    """Compile the `__init__` of a class's fields."""
    scope: dict[str, object] = {"_set": object.__setattr__, "_MISSING": MISSING}
    positional: list[str] = []
    named, values = ["*"], []
    for one in fields(cls):
        name, value = one.name, one.name
        default = ""
        if one.default is not MISSING:
            default, scope[f"_default_{name}"] = f"=_default_{name}", one.default
        elif one.default_factory is not MISSING:
            default, scope[f"_make_{name}"] = "=_MISSING", one.default_factory
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        (named if one.kw_only else positional).append(name + default)
        values.append(f"{name!r}: {value}")
    lines = [f"def __init__({', '.join(['self', *positional, *(named if len(named) > 1 else ())])}):"]
    lines.append(f" _set(self, '__dict__', {{{', '.join(values)}}})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join(lines), scope)  # noqa: S102 - as `dataclasses` does: it has only the names of the class's own fields
    return scope["__init__"]


if TYPE_CHECKING:
    from dataclasses import replace  # mypy checks the fields and their types
else:

    def replace(instance: Frozen, /, **changes: object) -> Frozen:
        """Return a copy with other values in the named fields.

        Raises:
            TypeError: the class has no such field, or has a `__post_init__`, which would not run.
        """
        cls = instance.__class__
        before = instance.__dict__ if cls._is_plain else _fields_of(instance)
        fields = before | changes
        if len(fields) != len(before):
            raise TypeError(f"{cls.__name__} has no field {', '.join(changes.keys() - before.keys())}")
        copy = _new(cls)
        _set(copy, "__dict__", fields)
        return copy

    def _fields_of(instance: Frozen) -> dict[str, object]:
        """Return the fields without what was computed from them."""
        cls = type(instance)
        if hasattr(cls, "__post_init__"):
            raise TypeError(f"{cls.__name__} has __post_init__")
        return {name: getattr(instance, name) for name in cls.__dataclass_fields__}

    _new, _set = object.__new__, object.__setattr__
