"""A wheel, installed with pipx into a folder of its own, is a whole Perron: nothing of the clone is needed.

Run by `make test-image`; not part of `make test`, for pipx fetches every package.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.real.containers import ROOT

INSTALL_TIMEOUT_S = 600.0


@pytest.fixture(scope="module")
def perron(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `perron` of a fresh environment."""
    folder = tmp_path_factory.mktemp("pipx")
    packed = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([str(ROOT / ".venv/bin" / packed[0]), *packed[1:], "."], cwd=ROOT, check=True)
    (wheel,) = folder.glob("perron-*.whl")
    subprocess.run(
        ["pipx", "install", f"{wheel}[box,demo,messages]"],  # noqa: S607 - wherever it is
        cwd=folder, check=True, timeout=INSTALL_TIMEOUT_S, stdin=subprocess.DEVNULL,
        env={**os.environ, "PIPX_HOME": str(folder / "home"), "PIPX_BIN_DIR": str(folder / "bin")},
    )  # fmt: skip
    return folder / "bin" / "perron"


def run(perron: Path, *words: str) -> str:
    """Run a command far from the clone, without the clone's Python path; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(perron), *words], cwd=perron.parents[1], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=INSTALL_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_says_its_version(perron: Path) -> None:
    assert run(perron, "--version").startswith("perron ")


def test_a_parcel_is_let_in_and_the_proof_verifies(perron: Path) -> None:
    assert "verifies" in run(perron, "demo", "delivered", "--fast", "--once")


def test_a_house_to_try_things_in_is_written(perron: Path, tmp_path: Path) -> None:
    run(perron, "new", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "home.yaml").is_file()


def test_a_box_is_set_up(perron: Path, tmp_path: Path) -> None:
    run(perron, "setup", str(tmp_path / "box"), "--address", "127.0.0.1", "--yes", "--no-service", "--no-run")
    assert (tmp_path / "box" / "home.yaml").is_file()
