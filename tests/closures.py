"""Closures of every kind in the registry, for tests that hold something of each of them."""

from collections.abc import Mapping

from pydantic import TypeAdapter

from gateway.domain.visit.closures import KINDS, AnyClosure
from gateway.domain.visit.closures.contract import Closure

CLOSURE: TypeAdapter[AnyClosure] = TypeAdapter(AnyClosure)
KIND_WORDS: Mapping[str, type[Closure]] = {kind.model_fields["kind"].default: kind for kind in KINDS}
"""Every kind by its word in the house file."""


def plain(word: str, ident: str = "x") -> AnyClosure:
    """A closure of this kind with as little as it can have."""
    return CLOSURE.validate_python({"id": ident, "kind": word})


def whole(word: str, ident: str = "x") -> AnyClosure:
    """A closure of this kind with every sensor and every property that it can have."""
    kind = KIND_WORDS[word]
    flags = [name for name, field in kind.model_fields.items() if field.annotation is bool]
    devices = dict.fromkeys(kind.roles, "device")
    return CLOSURE.validate_python({"id": ident, "kind": word, "devices": devices, **dict.fromkeys(flags, True)})
