"""What a new kind of closure needs beside its two modules: a row by its name in each of these tables, nothing else.

Each failure says which row is missing, what it says, and where the table is. That nothing else is needed is tried with
a hatch (`tests/hatch`) in a copy of the tree.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pytest

from devices.simulators.house import THING_SECTIONS, THINGS, word_of
from devices.simulators.thing import ThingSection
from gateway.config.closure_names import KIND_NAMES
from gateway.installation.trials import KIND_TRIALS
from gateway.integrations.homeassistant.closures import COVER_CLASSES
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS
from tests import hatch
from tests.closures import KIND_WORDS
from tests.foreign import proof_route
from tests.house import entrances

ROOT = Path(__file__).parents[1]
FRONT_DOORS = frozenset({"bolted_door", "garage_door"})  # of the simulated house, without a thing of their own


class Table(NamedTuple):
    """A table, its rows, what a row says, and the kinds that need one; None: every kind."""

    where: str
    rows: Collection[str]
    says: str
    of: Collection[str] | None = None


def rows_of(page: str, pattern: str) -> tuple[str, ...]:
    """What this pattern finds on a page of the docs."""
    return tuple(re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE))


def standing(layouts: Collection[entrances.Layout]) -> set[str]:
    """The kinds that stand in these layouts."""
    return {closure.kind for layout in layouts for closure in layout.closures}


def kinds_of_set_up() -> set[str]:
    """The kinds with whose name a row of the installers' page on setting up begins."""
    rows = [row.casefold() for row in rows_of("docs/installer/set-up.md", r"^\| ([^|]+) \|")]
    names = {word: name.to("en").casefold() for word, name in KIND_NAMES.items()}
    return {word for word, name in names.items() if any(row.startswith(name) for row in rows)}


def kinds_of_try_it(pattern: str) -> set[str]:
    """The kinds whose thing this pattern finds on the page for trying it out."""
    found = set(rows_of("docs/contributor/try-it.md", pattern))
    return {word for word, section in THINGS.items() if word_of(section) in found}


ORDERED = frozenset(word for word, kind in KIND_WORDS.items() if kind.order_kinds)
COVERS = frozenset(word for word, kind in KIND_WORDS.items() if "cover" in kind.order_kinds)
MIXED = standing([entrances.any_mix(seed) for seed in range(200)])
TABLES = (
    Table("KIND_NAMES in gateway/config/closure_names.py", KIND_NAMES, "what people call it"),
    Table("KIND_TRIALS in gateway/installation/trials.py", KIND_TRIALS, "its trials in the walk test"),
    Table("CLOSURE_DRAWINGS in gateway/web/server/closure_drawings.py", CLOSURE_DRAWINGS, "how the pages draw it"),
    Table(
        "COVER_CLASSES in gateway/integrations/homeassistant/closures.py", COVER_CLASSES,
        "its device class in Home Assistant", of=COVERS,
    ),
    Table(
        "AnyThing in devices/simulators/house.py", {*THINGS, *FRONT_DOORS},
        "the section of its thing, whose `closure` is the kind",
    ),
    Table("THINGS in tests/house/entrances.py", entrances.THINGS, "what stands there in truth in the seeded lives"),
    Table(
        "LAYOUTS in tests/house/entrances.py", standing(entrances.LAYOUTS.values()), "an entrance where it stands",
    ),
    Table("LAST in tests/house/entrances.py", MIXED, "it as the last of a mix"),
    Table("KINDS in tests/foreign/proof_route.py", proof_route.KINDS, "what proves it secured"),
    Table(
        "the table of kinds in docs/reference/proof-format.md",
        rows_of("docs/reference/proof-format.md", r"^\| `(\w+)` \| `\w+` `\w+`"), "what proves it secured and opened",
    ),
    Table(
        "house.yaml in docs/contributor/try-it.md", {*kinds_of_try_it(r"^  [\w-]+: {kind: (\w+)"), *FRONT_DOORS},
        "its thing, with the devices at it",
    ),
    Table(
        "the table of things in docs/contributor/try-it.md",
        {*kinds_of_try_it(r"^\| `(\w+)` \|.*\|.*\|$"), *FRONT_DOORS}, "its acts and its faults",
    ),
    Table(
        "the table of closures in docs/installer/set-up.md", kinds_of_set_up(), "its trials; it begins with its name",
    ),
    Table(
        "the table of ways in in README.md",
        rows_of("README.md", r"\[(\w+)\.py\]\(gateway/domain/visit/closures/\w+\.py\)"),
        "its scenes, its rules and tests, and how it is set up", of=ORDERED,
    ),
)  # fmt: skip


NEEDED = [(word, table) for table in TABLES for word in sorted(KIND_WORDS if table.of is None else table.of)]


@pytest.mark.parametrize(
    ("word", "table"), NEEDED, ids=[f"{word}-{table.where.partition(' in ')[0]}" for word, table in NEEDED]
)
def test_every_kind_has_its_row_in_each_table(word: str, table: Table) -> None:
    assert word in table.rows, f"add a row for {word!r} to {table.where}: {table.says}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.where.partition(" in ")[0])
def test_no_table_has_a_row_of_a_kind_that_is_not_there(table: Table) -> None:
    unknown = set(table.rows) - KIND_WORDS.keys()
    assert not unknown, f"{table.where} has rows of {unknown}, and no kind of the registry is called so"


@pytest.mark.parametrize("section", THING_SECTIONS, ids=lambda section: section.__name__)
def test_every_thing_says_how_it_is_opened_and_closed_by_hand(section: type[ThingSection]) -> None:
    thing = section.makes
    hands = getattr(thing, "HANDS", None)
    assert hands is not None, f"{thing.__name__} needs HANDS: the acts by which a person opens and closes it"
    unknown = {*hands.opens, *hands.closes, *(hands.opens_inside or ())} - thing.ACTS
    assert hands.opens, f"{thing.__name__}.HANDS opens it by nothing"
    assert not unknown, f"{thing.__name__}.HANDS has {unknown}, which are no ACTS of it"


TREES = ("gateway", "devices", "tests", "docs", "config", "README.md", "pyproject.toml")
TESTS_OF_KINDS = (
    "tests/test_new_kind.py",
    "tests/devices/simulators/test_house_file.py",
    "tests/gateway/domain/visit/closures/test_any_kind.py",
    "tests/gateway/domain/visit/closures/test_killed.py",
    "tests/gateway/domain/visit/test_seeds.py",
    "tests/gateway/evidence/route/test_route.py",
    "tests/gateway/installation/test_trials.py",
    "tests/gateway/integrations/homeassistant/test_closures.py",
    "tests/gateway/runtime/notifications/test_closure_texts.py",
    "tests/gateway/web/server/test_closures_on_pages.py",
)
"""The tests that run once for each kind, and have its name in theirs."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree in which a hatch is in the registry, and in no table."""
    for name in TREES:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tmp_path / name)
    hatch.plant_modules(tmp_path)
    hatch.plant(tmp_path, hatch.REGISTRY)
    return tmp_path


def run_for_the_hatch(tree: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """Run what these files have for a hatch in this copy; what pytest prints, of standard error too, is `stdout`."""
    command = (sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-n", "0", "-k", "hatch and not copy")
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(
        (*command, *files), cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def assert_passes(tree: Path, *files: str) -> None:
    """Assert that each of these files has tests of a hatch, and that all of them pass in this copy."""
    done = run_for_the_hatch(tree, *files)
    assert done.returncode == 0, done.stdout
    for file in files:
        assert re.search(rf"^{file}::.* PASSED", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.slow
def test_in_a_copy_with_a_hatch_each_missing_row_is_named_and_with_the_rows_alone_the_hatch_is_whole(
    copy: Path,
) -> None:
    missing = run_for_the_hatch(copy, "tests/test_new_kind.py").stdout
    for table in {row.table for row in hatch.ROWS}:
        assert f"add a row for 'hatch' to {table}" in missing
    hatch.plant(copy, hatch.ROWS)
    assert_passes(copy, *TESTS_OF_KINDS)


@pytest.mark.slow
def test_a_hatch_in_a_copy_is_planned_played_walked_and_delivered_through(copy: Path) -> None:
    hatch.plant(copy, hatch.ROWS)
    assert_passes(copy, hatch.WALKED)


def test_the_page_for_contributors_names_every_file_to_which_the_hatch_adds_a_row() -> None:
    page = (ROOT / "docs" / "contributor" / "way-in.md").read_text(encoding="utf-8")
    _, every_file = page.split("## Every file")
    for row in (*hatch.REGISTRY, *hatch.ROWS):
        assert f"`{row.file}`" in every_file
        assert f"`{row.table}`" in every_file or not row.table.isidentifier()
