"""The commands of docker-compose.yml run with the same arguments, without an engine (`make test-image` has one)."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway.mqtt.mosquitto.provisioning import free_port
from tests.first_setup import ONE_AT_A_TIME

ROOT = Path(__file__).parent.parent
SERVICES = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


@pytest.fixture
def command_of(short_folder: Path) -> Callable[[str], list[str]]:
    """A service's command as it would run, with the container's folders put under `short_folder`."""

    def command(service: str) -> list[str]:
        words = [str(word).replace("/perron", str(short_folder)) for word in SERVICES[service]["command"]]
        return [sys.executable, "-m", "gateway", *words]

    return command


STAYS_S = 2.0  # seconds in which a command that cannot run would have ended


def listens(port: int, *, within: float) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


def appears(path: Path, *, within: float) -> bool:
    """Whether a file or socket is there within so many seconds."""
    until = time.monotonic() + within
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.1)
    return path.exists()


@ONE_AT_A_TIME
@pytest.mark.slow
def test_the_box_and_the_house_beside_it_run_and_end_when_told(
    command_of: Callable[[str], list[str]], short_folder: Path
) -> None:
    port = free_port()
    running: list[subprocess.Popen[bytes]] = []
    own = ("--port", str(port), "--address", "127.0.0.1")  # a test has no ports of the machine to itself
    try:
        running.append(subprocess.Popen([*command_of("perron"), *own], stdin=subprocess.DEVNULL))
        assert listens(port, within=60)
        running.append(subprocess.Popen(command_of("house"), stdin=subprocess.DEVNULL))
        assert appears(short_folder / "box/house.sock", within=60)
        end = time.monotonic() + STAYS_S
        while time.monotonic() < end:
            assert [process.poll() for process in running] == [None, None]
            time.sleep(0.1)
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0, process.args
    finally:
        for process in running:
            process.kill()
        pid = short_folder / "box/box/video.pid"
        if pid.is_file():
            os.kill(int(pid.read_text()), signal.SIGTERM)


def test_the_intercom_s_process_runs_with_the_file_that_its_folder_has(
    command_of: Callable[[str], list[str]], short_folder: Path
) -> None:
    command = command_of("intercom")
    folder = short_folder / "box"
    folder.mkdir()
    (folder / "word").write_text("ghabcd0001:word", encoding="utf-8")
    (folder / "word").chmod(0o600)
    (folder / "intercom.yaml").write_text(
        "device: street-strike\nbroker: {username: street-strike, password_file: word, port: 1}\n"
        "intercom: {kind: doorbird, url: 'http://127.0.0.1:1', credentials_file: word}\n",
        encoding="utf-8",
    )
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert any(b"intercom_lost" in line for line in running.stdout), "it ended before it had asked"
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(STAYS_S)
        assert running.poll() is None, "neither a broker nor an intercom that is away ends it"
        running.terminate()
        running.communicate(timeout=20)
        assert running.returncode == 0


def test_each_service_runs_one_image_on_the_host_s_network_and_shares_one_folder() -> None:
    assert set(SERVICES) == {"perron", "house", "intercom"}
    for service in SERVICES.values():
        assert (service["image"], service["network_mode"]) == ("localhost/perron", "host")
        assert service["volumes"] == ["box:/perron/box"]


def test_wheels_are_looked_for_under_the_image_s_own_python_and_for_both_kinds_of_machine() -> None:
    told = subprocess.run(["make", "-n", "wheels"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - make is wherever it is
    assert "trixie" in (ROOT / "Dockerfile").read_text()
    assert "--python-version 3.13 " in told, "that of Debian trixie"
    assert "for kind in x86_64 aarch64" in told


def test_what_the_image_installs_is_pinned_as_everything_else_is() -> None:
    pins = [set(re.findall(r"^([a-z0-9_.-]+(?:\[[a-z,]+\])?==\S+)", (ROOT / name).read_text(), re.MULTILINE))
            for name in ("requirements-run.txt", "requirements.txt")]  # fmt: skip
    assert pins[0], "it names packages"
    assert pins[0] - pins[1] == set(), "`make pins` writes both"


def test_the_dockerfile_copies_only_what_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), line
