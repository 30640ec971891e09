"""A vendor is one file: no other module knows its name."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.vendors import VENDORS
from devices.vendors.definition import DEVICE_KINDS

ROOT = Path(__file__).parents[3]
# Vendors whose name is also a kind of device, an account at the broker, a URL's scheme, a command or Perron's own word.
AMBIGUOUS = {"guard", "homeassistant", "matter", "perron", "rtsp", "scanner", "signal"}
NAMES = VENDORS.keys() - AMBIGUOUS


def test_a_new_vendor_is_served_everywhere_by_its_file_and_its_line_in_the_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.devices.vendors.new_vendor", str(tmp_path)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


SCENES = ROOT / "gateway" / "demo" / "scenarios" / "titles.py"  # a scene may be called as a vendor is: locker


def _sources() -> Iterator[tuple[Path, ast.AST]]:
    for folder in ("gateway", "devices"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ROOT / "devices" / "vendors" not in path.parents and path != SCENES:
                yield from ((path, node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _is_vendor(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "vendor"


def _names_a_vendor(node: ast.AST) -> bool:
    match node:
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            return any(map(_is_vendor, sides)) and not all(map(_is_vendor, sides))
        case ast.Match(subject=subject):
            return _is_vendor(subject)
        case ast.Set(elts=values) | ast.Tuple(elts=values) | ast.List(elts=values) | ast.Dict(keys=values):
            return any(isinstance(one, ast.Constant) and one.value in NAMES for one in values)
        case _:
            return False


def test_no_module_but_the_vendor_s_own_compares_a_vendor_s_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}" for path, node in _sources() if _names_a_vendor(node)
    ]
    assert found == [], "let the vendor's DEFINITION say it (devices/vendors/definition.py)"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('device.vendor == "zwave"', True),
        ('vendor in {"guard", "signal"}', True),
        ("device.vendor in KNOWN", True),
        ('FACTS = {"zwave": 1}', True),
        ("one.vendor == other.vendor", False),
        ('KINDS = {"scanner", "signal"}', False),
    ],
)
def test_what_counts_as_a_comparison(code: str, *, names: bool) -> None:
    assert any(map(_names_a_vendor, ast.walk(ast.parse(code)))) is names


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_vendor_has_the_name_of_its_module_and_known_kinds_of_devices(name: str) -> None:
    definition = VENDORS[name].DEFINITION
    assert getattr(VENDORS[name], "__name__", "") == f"devices.vendors.{name}"
    assert definition.kinds <= set(DEVICE_KINDS)
    assert definition.simulated <= definition.kinds
    assert definition.kinds, "it can be enrolled"
