"""ARCHITECTURE.md is short and true: its files exist, the files of a walk lead to each other, its packages are all."""

import re
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
# Heading of a walk, and how many files it may have.
WALKS = {
    "The way of a scan": 5,
    "The way of a retailer's order": 9,
    "From a camera's frame to the film": 5,
    "From a press on a page to the lock": 6,
}
MAX_LINES, MAX_BYTES = 120, 9_000  # two pages
# What two files that do not import each other share
EXCHANGED = ("gateway.protocol.", "gateway.hub.http.operation", "gateway.mqtt.packets")
FILE = re.compile(r"`([\w/]+\.py)`")


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def walk(heading: str) -> list[str]:
    """The file with which each step of the walk begins."""
    return re.findall(r"^\d+\. `([\w/]+\.py)`", section(heading), re.MULTILINE)


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("gateway", "devices")


def module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def leads(one: str, other: str) -> bool:
    """Whether `one` imports `other`, if need be by the package of `other`, which hands its modules out."""
    imported = graph().find_modules_directly_imported_by(one)
    package = other.rpartition(".")[0]
    return other in imported or (package in imported and graph().chain_exists(package, other))


def connected(one: str, other: str) -> bool:
    """Whether one of two files imports the other, or both import the messages that they exchange."""
    if leads(one, other) or leads(other, one):
        return True
    ours, theirs = (graph().find_modules_directly_imported_by(name) for name in (one, other))
    return any(name.startswith(EXCHANGED) for name in ours & theirs)


@pytest.mark.parametrize(("heading", "most"), WALKS.items())
def test_a_walk_names_files_that_exist_and_no_more_than_it_may(heading: str, most: int) -> None:
    files = walk(heading)
    assert 1 < len(files) <= most
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_readme_shows_the_same_way_of_a_scan() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\d+\. \[`([\w/]+\.py)`\]\(\1\)", readme, re.MULTILINE) == walk("The way of a scan")


@pytest.mark.parametrize("heading", WALKS)
def test_each_file_of_a_walk_is_connected_with_one_before_it(heading: str) -> None:
    files = [module(file) for file in walk(heading)]
    lost = [file for at, file in enumerate(files) if at and not any(connected(before, file) for before in files[:at])]
    assert lost == []


def test_files_that_have_nothing_to_do_with_each_other_are_not_connected() -> None:
    assert not connected("gateway.video.ring", "gateway.hub.api.dispatch")
    assert not connected("gateway.domain.visit.decide", "gateway.web.pages.home")


def test_every_file_that_the_page_names_exists() -> None:
    homes = [ROOT, ROOT / "gateway", ROOT / "gateway/domain/visit"]
    files = set(FILE.findall(PAGE))
    assert len(files) > 40
    assert [file for file in files if not any((home / file).is_file() for home in homes)] == []


def test_the_floor_plan_has_the_layers_of_the_contract_in_their_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    names = [name.strip().removeprefix("gateway.") for layer in layers for name in layer.split("|")]
    rows = re.findall(r"^\| (`.*?`) \|", section("The floor plan"), re.MULTILINE)
    shown = [re.sub(r"\.py$|/$", "", name) for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    assert shown == names


def test_the_page_fits_on_two_pages() -> None:
    assert len(PAGE.splitlines()) <= MAX_LINES
    assert len(PAGE.encode()) <= MAX_BYTES
