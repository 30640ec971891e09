"""What config/hub and Dockerfile.hub say runs: a hub without what only a house needs, its broker and PostgreSQL."""

import json
import re
import signal
import ssl
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.__main__ import missing_package
from gateway.cli.failure import Failure
from gateway.hub.config import load
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import make_certificate
from tests.postgresql import postgresql
from tests.test_systemd import BIN, CONFINED, analyze

ROOT = Path(__file__).parent.parent
HUB = ROOT / "config" / "hub"
SERVICES = YAML(typ="safe").load(HUB / "docker-compose.yml")["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNITS = sorted(HUB.glob("*.service"))
LONG = 60.0  # seconds

MODULES = {"pillow": "PIL", "paho-mqtt": "paho", "fpdf2": "fpdf", "zxing-cpp": "zxingcpp", "argon2-cffi": "argon2"}
"""The module of a package whose name is another one."""

WITHOUT_BOX = """
import runpy, sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
del sys.argv[1]
runpy.run_module("gateway", run_name="__main__")
"""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^a-z0-9-]", one.lower())[0] for one in requirements}


BOX = names(PROJECT["optional-dependencies"]["box"])


def without_box(*words: str) -> list[str]:
    """`perron` in a fresh interpreter that has none of the packages of a house."""
    blocked = ",".join(sorted({MODULES.get(name, name.replace("-", "_")) for name in BOX} | {"playwright"}))
    return [sys.executable, "-c", CONFINED, sys.executable, "-c", WITHOUT_BOX, blocked, *words]


def until(what: Callable[[], bool], *running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < end, "it takes too long"
        assert [one.poll() for one in running] == [None] * len(running), "one has ended"
        time.sleep(0.1)


@pytest.mark.slow
def test_hub_broker_and_database_run_as_the_compose_file_says_without_a_package_of_a_house(short_folder: Path) -> None:
    with postgresql() as server:
        server.database("hub")
        ports = {"8443": free_port(), "1883": free_port(), "8883": free_port()}
        _, _, key = make_certificate(short_folder, "hub")
        key.rename(short_folder / "hub.key")
        text = (HUB / "hub.yaml").read_text()
        for written, here in (
            ("/var/lib/perron-hub", str(short_folder / "data")), ("/etc/perron-hub", str(short_folder)),
            ("postgresql+asyncpg://hub@/hub?host=/run/postgresql", server.url("hub")),
            ("{host: hub.example}", f"{{host: hub.example, listen: 127.0.0.1, port: {ports['8883']}}}"),
            ("port: 8443", f"port: {ports['8443']}"), ("port: 1883", f"port: {ports['1883']}"),
            ("host: 0.0.0.0", "host: 127.0.0.1"),
        ):  # fmt: skip
            assert written in text
            text = text.replace(written, here)
        (short_folder / "hub.yaml").write_text(text)
        conf = short_folder / "data" / "broker" / "mosquitto.conf"

        def command(service: str) -> list[str]:
            words = [str(word) for word in SERVICES[service]["command"]]
            words = [word.replace("/var/lib/perron-hub", str(short_folder / "data")) for word in words]
            return [word.replace("/etc/perron-hub", str(short_folder)) for word in words]

        def ready() -> Any:  # noqa: ANN401 - JSON
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            try:
                with urllib.request.urlopen(f"https://127.0.0.1:{ports['8443']}/readyz", context=trusting) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                return json.load(error)
            except OSError:
                return None

        made = subprocess.run(without_box(*command("config")), cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        conf.write_text(conf.read_text().replace("listener 1883 127.0.0.1", f"listener {ports['1883']} 127.0.0.1"))
        mosquitto = which("mosquitto", path="/usr/sbin:/usr/bin") or "mosquitto"
        running: list[subprocess.Popen[bytes]] = []
        try:
            running.append(subprocess.Popen([mosquitto, *command("broker")], stdin=subprocess.DEVNULL))
            running.append(subprocess.Popen(without_box(*command("hub")), cwd=ROOT, stdin=subprocess.DEVNULL))
            until(lambda: ready() == {"store": True, "broker": True}, *running)
            running[1].send_signal(signal.SIGTERM)
            assert running[1].wait(LONG) == 0
        finally:
            for one in running:
                one.kill()
                one.wait()


@pytest.mark.parametrize(
    ("command", "package", "extra"), [("run", "av", "box"), ("hub", "alembic", "hub"), ("retailer", "aiosqlite", "hub")]
)
def test_who_lacks_a_package_reads_which_extra_has_it(command: str, package: str, extra: str) -> None:
    found = missing_package(ModuleNotFoundError(name=package), command)
    assert isinstance(found, Failure)
    assert (str(found), found.todo) == (f"{package} is not installed.", f"Install perron[{extra}].")
    own = ModuleNotFoundError(name="gateway.hub.nothing")
    assert missing_package(own, command) is own, "a mistake of Perron itself"


def test_what_a_hub_installs_is_pinned_as_everything_else_is_and_has_nothing_of_a_house() -> None:
    pins = {
        name: set(re.findall(r"^([a-z0-9_.-]+(?:\[[a-z,]+\])?==\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements-hub.txt", "requirements.txt")
    }
    assert pins["requirements-hub.txt"] - pins["requirements.txt"] == set(), "`make pins` writes both"
    pinned = names([pin.replace("_", "-") for pin in pins["requirements-hub.txt"]])
    wanted = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["hub"])
    assert {name.partition("-yaml")[0] for name in wanted} <= {name.partition("-yaml")[0] for name in pinned}
    assert pinned & (BOX | {"playwright", "apprise"}) == set()
    text = (ROOT / "requirements-hub.txt").read_text()
    assert text.count("--hash=sha256:") > len(pinned)


def copied_by(dockerfile: str) -> set[str]:
    text = (ROOT / dockerfile).read_text()
    return {
        name.removeprefix("./") for line in text.splitlines() if line.startswith("COPY") for name in line.split()[1:-1]
    }


def test_the_image_copies_all_that_the_wheel_of_perron_is_made_of() -> None:
    assert copied_by("Dockerfile.hub") - {"requirements-hub.txt"} == copied_by("Dockerfile") - {"requirements-run.txt"}


def test_the_image_copies_only_what_is_there_and_installs_the_hub_s_packages() -> None:
    text = (ROOT / "Dockerfile.hub").read_text()
    sent = (ROOT / ".dockerignore").read_text()
    copied = copied_by("Dockerfile.hub")
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}\n" in sent, name
    assert "requirements-hub.txt" in copied
    assert "requirements-run.txt" not in text
    assert re.search(r"^USER perron-hub$", text, re.MULTILINE), "not root"


def test_the_broker_shares_what_it_needs_of_the_hub_and_nobody_else_reaches_the_database() -> None:
    assert set(SERVICES) == {"config", "hub", "broker", "database"}
    broker, database = SERVICES["broker"], SERVICES["database"]
    assert (broker["network_mode"], broker["pid"]) == ("service:hub", "service:hub"), "127.0.0.1, and SIGHUP"
    assert "ports" not in database
    assert "listen_addresses=" in database["command"]
    assert len({SERVICES[name]["image"] for name in ("config", "hub", "broker")}) == 1, "one user reads the files"
    for name in ("hub", "broker", "database"):
        assert SERVICES[name]["restart"] == "unless-stopped"
    assert {port.partition(":")[0] for port in SERVICES["hub"]["ports"]} == {"443", "8883"}


def test_the_hub_reads_the_file_of_its_container() -> None:
    file = load(HUB / "hub.yaml")
    assert file.listen.certificate == Path("/etc/perron-hub/hub.pem")
    assert file.broker is not None


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_every_line_of_the_unit_and_calls_it_well_protected(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:
        (tmp_path / each.name).write_text(each.read_text().replace("/opt/perron/.venv/bin", str(BIN)))
    assert analyze("verify", "--man=no", tmp_path / unit.name) == ""
    exposure = re.search(r"exposure level .*: ([\d.]+)", analyze("security", "--offline=yes", "--no-pager", unit))
    assert exposure is not None
    assert float(exposure[1]) <= 2.0  # 10 is bare
