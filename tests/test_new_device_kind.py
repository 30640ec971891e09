"""What a new kind of device needs: its class, its word beside the vendors, and its plan if it is simulated. No table.

A doormat that feels whether somebody stands on it is added to a copy of the tree, and is then found everywhere.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.vendors.definition import DEVICE_KINDS
from gateway.config.devices import DEVICE_SECTIONS
from tests.hatch import Row, plant

ROOT = Path(__file__).parents[1]
MAX_KINDS_OF_A_TABLE = 5  # a table of kinds with more rows than that is one in which each new kind would need a row

MODULE = '''"""Defines a doormat in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.section import SensingDevice
from gateway.system.i18n import Text, _


class MatDevice(SensingDevice[Literal["mat"]]):
    """A doormat that feels whether somebody stands on it."""

    label: ClassVar[Text] = _("Doormat")

    vendor: Annotated[str, VendorOf("mat")]
    """Vendor: whose product it is."""
'''
PLAN = '''class MatPlan(DoorPlan):
    """A doormat."""

    kind: Literal["mat"]  # type: ignore[assignment]
    vendor: Annotated[str, VendorOf("mat", simulated=True)]


'''
REGISTRY = "gateway/config/devices/__init__.py"
ROWS = (
    Row("AnyDevice", REGISTRY, "from gateway.config.devices.parcels",
        "from gateway.config.devices.mat import MatDevice as MatDevice\n"),
    Row("AnyDevice", REGISTRY, "    | CameraDevice", "    | MatDevice\n"),
    Row("DeviceKind", "devices/vendors/definition.py", '    "robot",\n', '    "mat",\n'),
    Row("_KINDS", "devices/vendors/perron.py", '"keypad"})', '"mat", '),
    Row("DevicePlan", "devices/simulators/house.py", "DevicePlan = Annotated[", PLAN),
    Row("DevicePlan", "devices/simulators/house.py", "    | FridgePlan,", "    | MatPlan\n"),
)  # fmt: skip

FOUND_EVERYWHERE = """
from devices.simulators.house import SimulatedHouse
from gateway.cli.simulation import plan_house
from gateway.config.broker_acl import account_names
from gateway.config.device_names import device_names
from gateway.config.home import Home
from gateway.config.schema import page, schema_of
from gateway.installation.device_probe import DeviceAnswer
from gateway.installation.diagnostics.devices import device_finding
from gateway.installation.diagnostics.finding import sentence_text
from gateway.installation.proposal_checks import PROPOSAL_KINDS
from gateway.runtime.notifications.texts import battery_text
from gateway.web.pages.add_device_form import read_form, vendor_fields
from gateway.web.texts.catalogue import TEXTS
from multidict import MultiDict

home = Home.model_validate(
    {"box": "b", "name": "Home", "entrances": {}, "devices": {
        "porch": {"kind": "mat", "vendor": "perron"}, "old": {"kind": "mat", "vendor": "perron", "answers": False}}},
    strict=False,
)
assert device_names(home, "en") == {"porch": "Doormat (porch)", "old": "Doormat (old)"}
assert {"porch", "old"} <= set(account_names(home))
assert "`mat`" in page("home", schema_of(Home))
assert "mat" in PROPOSAL_KINDS
assert TEXTS["add.kind.mat"].to("en") == "Doormat"
assert [one.key for one in vendor_fields("mat", "perron")] == ["vendor", "answers", "heartbeat"]
asked = read_form("mat", MultiDict(id="hall", vendor="perron", heartbeat="900"), home)
assert asked.fields == {"vendor": "perron", "answers": False, "heartbeat": 900}, asked
told = device_finding("old", home.devices["old"], DeviceAnswer(obstacle="a mat cannot be asked"), shows_people=True)
assert sentence_text(told.statement, "en").startswith("silent; "), told
assert battery_text("mat/porch:3", "en") == "Doormat (porch), in about 3 days"
planned = SimulatedHouse.model_validate(plan_house(home))
assert (planned.devices["porch"].kind, planned.devices["old"].answers) == ("mat", False)
print("found everywhere")
"""


@pytest.mark.slow
def test_a_kind_of_device_that_is_declared_once_is_found_everywhere(tmp_path: Path) -> None:
    for name in ("gateway", "devices"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "gateway/config/devices/mat.py").write_text(MODULE, encoding="utf-8")
    plant(tmp_path, ROWS)
    done = subprocess.run(
        (sys.executable, "-c", FOUND_EVERYWHERE), cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "found everywhere\n", done.stderr


def tables() -> Iterator[tuple[str, frozenset[str]]]:
    """Each table of the gateway by words: where it begins, and its words."""
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                words = frozenset(
                    key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
                )
                yield f"{path.relative_to(ROOT)}:{node.lineno}", words


def test_no_table_of_the_gateway_has_a_row_for_each_kind_of_device() -> None:
    kinds = frozenset(DEVICE_KINDS)
    by_kind = {
        where
        for where, words in tables()
        if len(words & kinds) > MAX_KINDS_OF_A_TABLE and 2 * len(words & kinds) > len(words)
    }
    assert by_kind == set(), "ask the class in gateway/config/devices instead: else each new kind needs a row there"


def test_every_kind_is_known_to_the_house_file_and_to_some_vendor() -> None:
    assert set(DEVICE_SECTIONS) == set(DEVICE_KINDS)
    assert [kind for kind, section in DEVICE_SECTIONS.items() if not section.vendors()] == []
    labels = [section.label.to("en") for section in DEVICE_SECTIONS.values()]
    assert len(set(labels)) == len(labels), "two kinds are called the same"
