"""The image of a hub is built, and hub and broker run as its compose file says, with SQLite in the place of PostgreSQL.

Run by `make test-image`, as with_containers.py is. The service `database` is the image `postgres` of a registry, which
this machine does not ask; tests/test_hub_packaging.py runs the same commands with Debian's PostgreSQL.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.certified import make_certificate
from tests.real.containers import ROOT, Engine

HUB = ROOT / "config" / "hub"
SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe").load(HUB / "docker-compose.yml")["services"]
IMAGE = "localhost/perron-hub"
LONG_S = 60.0
READY = (
    "import json, ssl, urllib.request as r; "
    "print(r.urlopen('https://127.0.0.1:8443/readyz', context=ssl._create_unverified_context()).read().decode())"
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.make_base()
    engine.build(ROOT, IMAGE, "BASE", file=ROOT / "Dockerfile.hub")
    with engine.network():
        yield engine


def options(service: str, etc: Path) -> list[str]:
    """What `docker compose` would say to the engine for this service, but for the database's socket."""
    described = SERVICES[service]
    folders = ["--volume=hub:/var/lib/perron-hub", f"--volume={etc}:/etc/perron-hub:ro"]
    assert described["image"] == IMAGE
    assert described["volumes"][:2] == ["hub:/var/lib/perron-hub", ".:/etc/perron-hub:ro"]
    shared = [f"--{kind}=container:hub" for kind, key in (("network", "network_mode"), ("pid", "pid"))
              if described.get(key) == "service:hub"]  # fmt: skip
    entrypoint = [f"--entrypoint={word}" for word in described.get("entrypoint", ())]
    first = ["--init"] if described["init"] else []
    return [*folders, *(shared or ["--network=host"]), *entrypoint, *first, IMAGE, *described["command"]]


def until_ready(engine: Engine) -> None:
    end = time.monotonic() + LONG_S
    while True:
        try:
            assert '"broker":true' in engine.run("podman", "exec", "hub", "python3", "-c", READY).replace(" ", "")
        except AssertionError:
            assert time.monotonic() < end, engine.run("podman", "logs", "hub")
            time.sleep(0.5)
        else:
            return


def test_hub_and_broker_run_in_the_image_and_keep_a_retailer_over_a_restart(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # the image's user reads it
    _, certificate, key = make_certificate(tmp_path, "hub")
    for source, name in ((certificate, "hub.pem"), (key, "hub.key")):
        shutil.move(source, tmp_path / name)
        (tmp_path / name).chmod(0o644)
    lines = (HUB / "hub.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "hub.yaml").write_text("".join(line for line in lines if not line.startswith("store:")))
    try:
        engine.run("podman", "run", "--rm", *options("config", tmp_path))
        engine.run("podman", "run", "--detach", "--name=hub", *options("hub", tmp_path))
        engine.run("podman", "run", "--detach", "--name=broker", *options("broker", tmp_path))
        until_ready(engine)
        command = ("podman", "exec", "hub", "perron", "hub", "--config", "/etc/perron-hub/hub.yaml", "retailer")
        assert "ret-" in engine.run(*command, "add", "Maison Lune")
        assert "uid=991" in engine.run("podman", "exec", "hub", "id")
        engine.run("podman", "stop", "--time", "30", "hub")
        assert engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", "hub").strip() == "0"
        engine.run("podman", "start", "hub")
        engine.run("podman", "restart", "broker")
        until_ready(engine)
        assert "Maison Lune" in engine.run(*command, "list")
        installed = engine.run("podman", "exec", "hub", "pip", "list", "--format=freeze")
        assert not {"av", "numpy", "pillow", "playwright"} & {one.partition("==")[0] for one in installed.splitlines()}
    finally:
        for name in ("broker", "hub"):
            engine.run("podman", "rm", "--force", "--ignore", name)
        engine.run("podman", "volume", "rm", "--force", "hub")
