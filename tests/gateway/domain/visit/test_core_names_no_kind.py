"""The core of a visit names no kind of closure or condition: a new kind is one module, and the core stays as it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.visit import closures, conditions

CORE = Path(__file__).parents[4] / "gateway" / "domain" / "visit"
REGISTRIES = ("gateway.domain.visit.closures", "gateway.domain.visit.conditions")
MODULES = sorted(CORE.glob("*.py"))
KINDS: tuple[type, ...] = (*closures.KINDS, *conditions.KINDS, *conditions.REPORTS)
WORDS = {word for kind in KINDS for word in (kind.__name__, kind.__module__.rpartition(".")[2])}


def named(module: Path) -> Iterator[str]:
    """Each kind that a module imports, names or compares with."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(source)) if source.startswith(tuple(f"{one}." for one in REGISTRIES)):
                if source not in {f"{one}.contract" for one in REGISTRIES}:
                    yield source
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names if alias.name in WORDS)
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.Constant(value=str(word)) if word in WORDS:
                yield word
            case _:
                pass


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_of_the_core_names_a_kind(module: Path) -> None:
    assert list(named(module)) == []


def test_there_are_kinds_and_modules_to_look_at() -> None:
    assert {"GarageDoor", "garage_door", "KeySafe", "ColdChain", "presence", "FridgeReported"} <= WORDS
    assert {"decide", "securing", "advancing", "facts"} <= {module.stem for module in MODULES}
    assert list(named(CORE / "closures" / "key_safe.py")) != [], "it would be noticed"
