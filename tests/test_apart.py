"""What a part or a command can be imported without."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APART = """
import importlib, pkgutil, sys

allowed, names = sys.argv[1].split(), sys.argv[2].split()

class Missing:
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] in ("gateway", "devices") and len(parts) > 1 and not any(
            name == one or name.startswith(one + ".") or one.startswith(name + ".") for one in allowed
        ):
            raise ModuleNotFoundError(f"{name} is not there")

sys.meta_path.insert(0, Missing())
for name in names:
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), name + "."):
        is_migration = ".alembic." in found.name  # Alembic itself runs it
        if not is_migration and (not found.name.startswith("gateway.hub.sdk") or name == "gateway.hub.sdk"):
            importlib.import_module(found.name)
"""
JSON = "devices.strict_json"

SHARED = "gateway.protocol gateway.domain gateway.system devices"
BROKER = "gateway.mqtt gateway.config"
FROZEN = "gateway.domain.frozen"
PURE = f"gateway.domain.delivery gateway.domain.day gateway.domain.now {FROZEN}"
DELIVERY = f"gateway.protocol {PURE} gateway.system {JSON}"
MQTT_CLIENT = " ".join(
    f"gateway.mqtt.{name}"
    for name in (
        "client",
        "codec",
        "connection",
        "inbound_limits",
        "outbound",
        "packets",
        "rate_limits",
        "sockets",
        "tls",
    )
)
INTERCOM = (
    "gateway.integrations.orders gateway.system gateway.domain.timing gateway.domain.day gateway.domain.now "
    "gateway.config.fields "
    f"{FROZEN} {MQTT_CLIENT} devices"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        ("gateway.hub", f"gateway.hub {DELIVERY} {MQTT_CLIENT}"),
        ("gateway.hub.sdk", "gateway.hub.sdk"),
        ("gateway.integrations.lock_guard", f"gateway.integrations.lock_guard {SHARED} {BROKER}"),
        ("gateway.integrations.intercom", f"gateway.integrations.intercom {INTERCOM}"),
        ("gateway.integrations.matter", f"gateway.integrations.matter {INTERCOM}"),
        ("gateway.evidence.verify gateway.evidence.verdict", f"gateway.evidence {SHARED}"),
        ("gateway.video", f"gateway.video gateway.system gateway.domain.now gateway.config.stream_url {FROZEN}"),
    ],
    ids=["hub", "retailer's client", "guard", "intercom", "Matter", "verify", "video process"],
)
def test_it_is_imported_where_the_rest_is_not(names: str, allowed: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", APART, allowed, names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_what_needs_the_rest_is_not() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", APART, "gateway.hub", "gateway.hub"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert "is not there" in ran.stderr


PICTURES = frozenset({"PIL", "av", "numpy", "resvg_py", "zxingcpp"})
LISTS_WHAT_IS_IMPORTED = """
import sys
from gateway.__main__ import _load_command

_load_command(sys.argv[1])
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("demo", PICTURES | {"fpdf", "gateway.app", "gateway.storage.store", "psutil", "segno", "zeroconf"}),
        ("run", PICTURES | {"devices.simulators", "fpdf", "psutil", "segno", "zeroconf"}),
        ("simulate", PICTURES | {"gateway.app", "psutil", "zeroconf"}),  # the devices are a process of their own
        ("scan", PICTURES | {"gateway.app", "psutil", "zeroconf"}),
    ],
)
def test_a_command_starts_without_what_it_does_not_need(command: str, unneeded: frozenset[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LISTS_WHAT_IS_IMPORTED, command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    imported = set(ran.stdout.split())
    assert "gateway.cli.options" in imported
    assert not imported & unneeded
