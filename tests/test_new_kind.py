"""What a new kind of closure needs beside its module: a row by its name in each of these tables, and nothing else.

Each failure says which row is missing, what it says, and where the table is.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pytest

from devices.simulators.house import THING_SECTIONS, THINGS
from devices.simulators.thing import ThingSection
from gateway.config.closure_names import KIND_NAMES
from gateway.installation.trials import KIND_TRIALS
from gateway.integrations.homeassistant.closures import COVER_CLASSES
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS
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


@pytest.mark.parametrize("word", KIND_WORDS)
def test_the_installer_reads_the_trials_of_every_kind(word: str) -> None:
    rows = [row.casefold() for row in rows_of("docs/installer/set-up.md", r"^\| ([^|]+) \|")]
    name = KIND_NAMES[word].to("en").casefold()
    assert any(row.startswith(name) for row in rows), (
        f"add a row that begins with {name!r} to the table of closures in docs/installer/set-up.md: its trials"
    )


@pytest.mark.parametrize("section", THING_SECTIONS, ids=lambda section: section.__name__)
def test_every_thing_says_how_it_is_opened_and_closed_by_hand(section: type[ThingSection]) -> None:
    thing = section.makes
    hands = getattr(thing, "HANDS", None)
    assert hands is not None, f"{thing.__name__} needs HANDS: the acts by which a person opens and closes it"
    unknown = {*hands.opens, *hands.closes, *(hands.opens_inside or ())} - thing.ACTS
    assert hands.opens, f"{thing.__name__}.HANDS opens it by nothing"
    assert not unknown, f"{thing.__name__}.HANDS has {unknown}, which are no ACTS of it"
