"""A kind of closure as a contributor adds it by docs/contributor/way-in.md: a hatch with an obstruction sensor.

It has two modules, and a row in each table; its texts are those of any door.
"""

from pathlib import Path
from typing import NamedTuple

MODULES = {
    "gateway/domain/visit/closures/hatch.py": "kind.py",
    "devices/simulators/hatch.py": "simulator.py",
}
"""Where each of its modules belongs in the tree."""

WALKED = "tests/gateway/test_hatch_walked_in_a_browser.py"
"""Where its walk test belongs in a copy of the tree."""


class Row(NamedTuple):
    """A row of the table `table` in `file`: `text`, which stands before the one place of `before`."""

    table: str
    file: str
    before: str
    text: str


REGISTRY_FILE = "gateway/domain/visit/closures/__init__.py"
LAST_OF_A_TABLE = '    "keyed_door": '
REGISTRY = (
    Row(
        "AnyClosure", REGISTRY_FILE, "from gateway.domain.visit.closures.key_safe",
        "from gateway.domain.visit.closures.hatch import Hatch as Hatch\n",
    ),
    Row("AnyClosure", REGISTRY_FILE, ', Discriminator("kind")', " | Hatch"),
)  # fmt: skip
ROWS = (
    Row("KIND_NAMES", "gateway/config/closure_names.py", LAST_OF_A_TABLE, '    "hatch": _("Hatch"),\n'),
    Row(
        "KIND_TRIALS", "gateway/installation/trials.py", LAST_OF_A_TABLE,
        '    "hatch": KindTrials(before=(WalkTrial.DOOR_SENSOR, WalkTrial.OBSTRUCTION)),\n',
    ),
    Row(
        "CLOSURE_DRAWINGS", "gateway/web/server/closure_drawings.py", LAST_OF_A_TABLE,
        '    "hatch": Drawing(frame="M4 4h40v40H4z", opened="M12 14h24v5H12z", closed="M12 14h24v24H12z"),\n',
    ),
    Row(
        "COVER_CLASSES", "gateway/integrations/homeassistant/closures.py",
        '    "garage_door": GARAGE,\n', '    "hatch": "shutter",\n',
    ),
    Row(
        "AnyThing", "devices/simulators/house.py", "from devices.simulators.key_safe",
        "from devices.simulators.hatch import HatchPlan\n",
    ),
    Row("AnyThing", "devices/simulators/house.py", "\nThingPlan = ", " | HatchPlan"),
    Row("THINGS", "tests/house/entrances.py", LAST_OF_A_TABLE, '    "hatch": Garage,\n'),
    Row("LAYOUTS", "tests/house/entrances.py", "    KeyedDoor,\n", "    Hatch,\n"),
    Row(
        "LAYOUTS", "tests/house/entrances.py", '    "one door": ',
        '    "hatch": Layout((Hatch(id="hatch", obstruction_sensor=True, guarded=False, command_hold=HOLD_S),)),\n',
    ),
    Row(
        "LAST", "tests/house/entrances.py", '    "garage": (_garage("inner"),),\n',
        '    "hatch": (Hatch(id="inner", obstruction_sensor=True, guarded=False, command_hold=HOLD_S),),\n',
    ),
    Row(
        "KINDS", "tests/foreign/proof_route.py", LAST_OF_A_TABLE,
        '    "hatch": Kind({"door": CLOSED}, {"door": OPEN}),\n',
    ),
    Row(
        "the table of kinds", "docs/reference/proof-format.md", "| `strike` | `door` `closed` |",
        "| `hatch` | `door` `closed` | `door` as above | an order |\n",
    ),
    Row(
        "house.yaml", "docs/contributor/try-it.md", "  flat: {kind: keyed_door,",
        "  wall: {kind: hatch}\n",
    ),
    Row(
        "the table of things", "docs/contributor/try-it.md", "| `keyed_door` |",
        "| `hatch` | `reach_through`, `crank_open`, `crank_shut` | `ajar` |\n",
    ),
    Row(
        "the table of ways in", "README.md", "| Flat behind a street door |",
        "| Hatch | | [hatch.py](gateway/domain/visit/closures/hatch.py) | [Set-up](docs/installer/set-up.md) |\n",
    ),
    Row(
        "the table of closures", "docs/installer/set-up.md", "| street door with a strike |",
        "| hatch | the sensor; a hand below it is seen |\n",
    ),
)  # fmt: skip
"""Beside its place in the registry."""


def plant_modules(tree: Path) -> None:
    """Write the two modules, and the test that walks the hatch, into a copy of the repository."""
    for to, name in {**MODULES, WALKED: "walked.py"}.items():
        (tree / to).write_text(Path(__file__).with_name(name).read_text(encoding="utf-8"), encoding="utf-8")


def plant(tree: Path, rows: tuple[Row, ...]) -> None:
    """Add these rows to the tables of a copy of the repository."""
    for row in rows:
        path = tree / row.file
        before, after = path.read_text(encoding="utf-8").split(row.before)  # there is one such place
        path.write_text(f"{before}{row.text}{row.before}{after}", encoding="utf-8")
