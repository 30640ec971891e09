"""The floor plan of `gateway/`: which packages there are, and that no import goes in a circle.

`pyproject.toml` has the layers; `make check` holds every import against them. What is computed here needs no list.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
ROOMS = {
    "cli", "config", "demo", "domain", "evidence", "hub", "installation", "integrations", "mqtt", "protocol", "runtime",
    "storage", "system", "video", "web",
}  # fmt: skip
MODULES = {"__init__.py", "__main__.py", "app.py", "supervisor.py"}

Graph = Mapping[str, frozenset[str]]


@cache
def files() -> Graph:
    """Return which modules each module of `gateway` and `devices` imports."""
    graph = grimp.build_graph("gateway", "devices")
    return {module: frozenset(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def merged(graph: Graph, depth: int) -> Graph:
    """Return the graph of packages whose names have so many parts; what lies above them is left out."""
    found: dict[str, set[str]] = {}
    for module, imported in graph.items():
        room = ".".join(module.split(".")[:depth])
        for other in imported:
            there = ".".join(other.split(".")[:depth])
            if room != there:
                found.setdefault(room, set()).add(there)
    return {room: frozenset(others) for room, others in found.items()}


def circles(graph: Graph) -> Iterator[list[str]]:
    """Yield one circle for each module from which the imports lead back to it."""
    for start in sorted(graph):
        came: dict[str, str] = {}
        waiting = [start]
        while waiting:
            here = waiting.pop()
            for there in graph.get(here, ()):
                if there == start:
                    path = [here]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    yield [start, *reversed(path)]
                    waiting = []
                    break
                if there not in came:
                    came[there] = here
                    waiting.append(there)


def test_gateway_has_the_packages_of_the_floor_plan_and_four_modules() -> None:
    there = [path for path in (ROOT / "gateway").iterdir() if path.name != "__pycache__"]
    assert {path.name for path in there if path.is_dir()} == ROOMS | {"locale"}  # what Babel makes is no package
    assert {path.name for path in there if path.suffix == ".py"} == MODULES


def test_no_imports_of_files_go_in_a_circle() -> None:
    assert list(circles(files())) == []


def test_no_imports_of_packages_go_in_a_circle() -> None:
    deepest = max(module.count(".") for module in files())
    for depth in range(2, deepest + 1):  # the packages, then the packages within each, and so on
        assert list(circles(merged(files(), depth))) == [], depth


def test_a_circle_is_found() -> None:
    graph = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}
    assert [set(found) for found in circles(graph)] == [{"b", "c"}, {"b", "c"}]
    assert list(circles({"a": frozenset({"b"}), "b": frozenset({"c"})})) == []
