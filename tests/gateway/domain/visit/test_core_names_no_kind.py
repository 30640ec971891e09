"""The core of a visit names no kind of closure: a new kind is one module, and nothing in the core changes for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.visit.closures import KINDS

CORE = Path(__file__).parents[4] / "gateway" / "domain" / "visit"
REGISTRY = "gateway.domain.visit.closures"
MODULES = sorted(CORE.glob("*.py"))
WORDS = {word for kind in KINDS for word in (kind.__name__, kind.__module__.rpartition(".")[2])}


def named(module: Path) -> Iterator[str]:
    """Each kind that a module imports, names or compares with."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(source)) if source.startswith(f"{REGISTRY}."):
                if source != f"{REGISTRY}.contract":
                    yield source
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names if alias.name in WORDS)
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.Constant(value=str(word)) if word in WORDS:
                yield word
            case _:
                pass


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_of_the_core_names_a_kind_of_closure(module: Path) -> None:
    assert list(named(module)) == []


def test_there_are_kinds_and_modules_to_look_at() -> None:
    assert {"GarageDoor", "garage_door", "KeySafe"} <= WORDS
    assert {"decide", "securing", "advancing", "facts"} <= {module.stem for module in MODULES}
    assert list(named(CORE / "closures" / "key_safe.py")) != [], "it would be noticed"
