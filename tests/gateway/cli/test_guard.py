"""`perron guard` and `perron guard-key`, as an installer types them."""

import re
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode
from gateway.protocol.keys import load_key
from tests.gateway.cli.terminal import HOME_YAML, run_perron


@pytest.mark.slow
def test_a_guard_without_its_file_says_which_and_how_to_name_another(tmp_path: Path) -> None:
    done = run_perron("guard", "--config", tmp_path / "guard.yaml")
    assert done.returncode == ExitCode.INVALID
    assert f"{tmp_path}/guard.yaml: this file cannot be read" in done.stderr
    assert "docs/installer/guard.md" in done.stderr


@pytest.mark.slow
def test_the_two_keys_are_made_and_told_as_the_lines_that_are_written(tmp_path: Path) -> None:
    key = tmp_path / "guard.key.pem"
    made = run_perron("guard-key", "--new", key)
    assert made.returncode == 0, made.stderr
    assert f"guard: {{key: {load_key(key).public.text}}}" in made.stdout
    again = run_perron("guard-key", "--new", key)
    assert again.returncode == ExitCode.INVALID
    assert "a key lies there already" in again.stderr

    home = tmp_path / "home.yaml"
    home.write_text(HOME_YAML.replace("folder: ../var", f"folder: {tmp_path}/var"), encoding="utf-8")
    told = [run_perron("guard-key", "--home", home).stdout for _ in range(2)]
    assert told[0] == told[1]
    anew = run_perron("guard-key", "--home", home, "--anew").stdout
    assert anew.splitlines()[-1] != told[0].splitlines()[-1]
    assert run_perron("guard-key", "--home", home).stdout.splitlines()[-1] == anew.splitlines()[-1]
    kept = tmp_path / "var" / "key" / "command.key.pem"
    assert told[0].startswith(f"# La maison de la rue des Lilas ({home}): the private half is {kept}.\n")
    assert re.search(r"^gateway: [A-Za-z0-9_-]{43}$", told[0], re.MULTILINE)


@pytest.mark.slow
def test_a_guard_without_its_key_is_told_how_to_make_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("secret")
    (tmp_path / "guard.yaml").write_text(
        "lock: front-lock\ngateway: 2-5uZ0lTXtEJlfEoFmTPyGhFNmo5jsqnSqOPDJKRjvQ\n"
        "house: {username: front-lock, password_file: a}\n"
        "radio:\n  broker: {port: 1884, username: guard, password_file: b}\n  lock: {vendor: nukihub, address: nuki}\n"
    )
    done = run_perron("guard", "--config", tmp_path / "guard.yaml")
    assert done.returncode == ExitCode.INVALID
    assert "this key file does not exist" in done.stderr
    assert "guard-key --new" in done.stderr
