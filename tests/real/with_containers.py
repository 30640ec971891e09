"""The images are built and run as an owner does it: `docker compose up`, and the add-on in Home Assistant's folder.

Run by `make test-image` as root, with Debian's debootstrap, podman, podman-compose, runc and iproute2; not part of
`make test`: it takes some minutes the first time.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.containers import ROOT, Engine

START_TIMEOUT_S = 60.0
IMAGE, ADDON_IMAGE = "localhost/perron", "localhost/perron-addon"
BOX = "perron_perron_1"  # podman-compose names a container after project and service
CLAIM = re.compile(r"http\S+/claim#code=[0-9A-Z-]+")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.make_base()
    with engine.network():
        yield engine


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    namespace, engine.namespace = engine.namespace, None  # a build fetches packages
    engine.build(ROOT, IMAGE, "BASE")
    engine.namespace = namespace
    return IMAGE


def claim_link(engine: Engine, container: str, *, start: int = 1) -> str:
    """Return the address that claims the box, once the container has printed it at this start (1: its first)."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        found = CLAIM.findall(engine.run("podman", "logs", container))
        if len(found) >= start:
            return str(found[-1])
        time.sleep(0.5)
    raise AssertionError(engine.run("podman", "logs", container))


def read_page(engine: Engine, container: str, url: str) -> str:
    """Return a page of the box, fetched in the container's network; its certificate is the box's own."""
    script = (
        "import ssl, sys, urllib.request; own = ssl.create_default_context(); own.check_hostname = False; "
        "own.verify_mode = ssl.CERT_NONE; print(urllib.request.urlopen(sys.argv[1], context=own).read().decode())"
    )
    return engine.run("podman", "exec", container, "python3", "-c", script, url.partition("#")[0])


def test_docker_compose_up_makes_a_box_that_answers_and_keeps_itself_over_a_restart(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    assert image in engine.run("podman", "images")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    compose = ("podman-compose", "--project-name", "perron")
    try:
        engine.run(*compose, "up", "--detach", "--no-build", cwd=tmp_path)
        link = claim_link(engine, BOX)
        assert "Claim" in read_page(engine, BOX, link)
        home = "/perron/box/home.yaml"
        said = engine.run("podman", "exec", BOX, "perron", "doctor", "--home", home)
        assert re.search(r"\d+ good: .*broker.*gateway", said, re.DOTALL), said
        key = engine.run("podman", "exec", BOX, "cat", "/perron/box/box/key/box.pub.pem")
        engine.run("podman", "stop", "--time", "30", BOX)
        assert engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", BOX).strip() == "0"
        engine.run("podman", "start", BOX)
        assert claim_link(engine, BOX, start=2) != link, "a start makes another code"
        assert engine.run("podman", "exec", BOX, "cat", "/perron/box/box/key/box.pub.pem") == key
        assert "is there already" in engine.run("podman", "logs", BOX)
    finally:
        engine.run(*compose, "down", "--volumes", cwd=tmp_path)


def test_the_image_brings_no_tool_of_developers(engine: Engine, image: str) -> None:
    installed = engine.run(
        "podman", "run", "--rm", "--network=none", "--entrypoint=pip", image, "list", "--format=freeze"
    )
    assert "aiohttp==" in installed
    assert not re.search(r"^(pytest|mypy|ruff|playwright|mkdocs)", installed, re.MULTILINE)


def test_the_add_on_starts_with_the_options_that_its_owner_chose(engine: Engine, tmp_path: Path) -> None:
    subprocess.run(["make", "addon"], cwd=ROOT, check=True, capture_output=True, stdin=subprocess.DEVNULL)  # noqa: S607 - make is wherever it is
    namespace, engine.namespace = engine.namespace, None
    engine.build(ROOT / "build" / "addon" / "perron", ADDON_IMAGE, "BUILD_FROM")
    engine.namespace = namespace
    data, config = tmp_path / "data", tmp_path / "config"
    data.mkdir()
    config.mkdir()
    (data / "options.json").write_text(json.dumps({"home": "Chez nous", "language": "fr"}), encoding="utf-8")
    container = engine.run(
        "podman",
        "run",
        "--detach",
        "--network=host",
        f"--volume={data}:/data",
        f"--volume={config}:/config",
        ADDON_IMAGE,
    ).strip()
    try:
        link = claim_link(engine, container)
        assert "Chez nous" in read_page(engine, container, link)
        text = (config / "home.yaml").read_text(encoding="utf-8")
        assert 'name: "Chez nous"' in text
        assert "language: fr" in text
        engine.run("podman", "stop", "--time", "30", container)
        assert engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", container).strip() == "0"
    finally:
        engine.run("podman", "rm", "--force", container)
