"""No Docker engine runs here: so every command of docker-compose.yml is run without one, with the same arguments."""

import contextlib
import os
import re
import shutil
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
from gateway.system.mosquitto import mosquitto_path

ROOT = Path(__file__).parent.parent
SERVICES = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


@pytest.fixture
def command_of(tmp_path: Path) -> Callable[[str], list[str]]:
    """A service's command as it would run, with the container's folders put under `tmp_path`."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("accounts", "keys"))
    own = {port: str(free_port()) for port in ("1883", "8554", "8642")}
    for name in ("home.yaml", "house.yaml"):
        file = tmp_path / "config" / name
        text = re.sub("|".join(own), lambda port: own[port[0]], file.read_text())
        file.write_text(text.replace("source: ntp", "source: host"))
    (tmp_path / "var").mkdir()

    def command(service: str) -> list[str]:
        words = [str(word).replace("/perron", str(tmp_path)) for word in SERVICES[service]["command"]]
        if words[0] == "mosquitto":
            return [mosquitto_path() or "mosquitto", *words[1:]]
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


def appears(file: Path, *, within: float) -> bool:
    """Whether a file is there within so many seconds."""
    until = time.monotonic() + within
    while not file.is_file() and time.monotonic() < until:
        time.sleep(0.1)
    return file.is_file()


@pytest.mark.slow
def test_every_command_of_the_compose_file_runs_and_ends_when_told(
    command_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    subprocess.run(command_of("accounts"), check=True, stdin=subprocess.DEVNULL, timeout=60)
    port = int(re.findall(r"listener (\d+)", (tmp_path / "config/accounts/mosquitto.conf").read_text())[0])
    running: list[subprocess.Popen[bytes]] = []
    try:
        for service in ("broker", "house", "gateway"):
            running.append(subprocess.Popen(command_of(service), stdin=subprocess.DEVNULL))
            if service == "broker":
                assert listens(port, within=10)
        assert appears(tmp_path / "var/perron.sqlite3", within=60)
        end = time.monotonic() + STAYS_S
        while time.monotonic() < end:
            assert [process.poll() for process in running] == [None, None, None]
            time.sleep(0.1)
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0, process.args
    finally:
        for process in running:
            process.kill()
        pid = tmp_path / "var/video.pid"
        if pid.is_file():
            os.kill(int(pid.read_text()), signal.SIGTERM)


def test_the_intercom_s_process_runs_with_the_file_that_its_folder_has(
    command_of: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command = command_of("intercom")
    folder = tmp_path / "config"
    (folder / "word").write_text("ghabcd0001:word", encoding="utf-8")
    (folder / "word").chmod(0o600)
    (folder / "intercom.yaml").write_text(
        "device: street-strike\nbroker: {username: street-strike, password_file: word, port: 1}\n"
        "intercom: {kind: doorbird, url: 'http://127.0.0.1:1', credentials_file: word}\n",
        encoding="utf-8",
    )
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(2 * STAYS_S)
        assert running.poll() is None, "neither a broker nor an intercom that is away ends it"
        running.terminate()
        out, _ = running.communicate(timeout=20)
        assert running.returncode == 0
        assert b"intercom_lost" in out


def test_every_perron_service_is_in_the_compose_file_with_its_volumes() -> None:
    assert set(SERVICES) == {"accounts", "broker", "gateway", "house", "intercom"}
    for name in ("gateway", "house"):
        assert SERVICES[name]["network_mode"] == "service:broker", "home.yaml speaks of 127.0.0.1"


def test_wheels_are_looked_for_under_the_image_s_own_python_and_for_both_kinds_of_machine() -> None:
    told = subprocess.run(["make", "-n", "wheels"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - make is wherever it is
    image = re.search(r"^FROM python:([0-9.]+)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image is not None
    assert f"--python-version {image[1]} " in told
    assert "for kind in x86_64 aarch64" in told


def test_the_dockerfile_copies_only_what_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), line
