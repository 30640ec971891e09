"""A newcomer's first own house: what `perron new` writes, and a parcel let in with it."""

import json
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

from gateway.cli import keys, new_home
from gateway.cli.delivery import courier_page_url
from gateway.cli.failure import Failure
from gateway.cli.schema import ConfigFile, json_schema
from gateway.config.editor import SCHEMA_LINE
from gateway.config.home import PagesSection
from gateway.config.loader import load_home_file
from gateway.demo.plan import FAST_TIMING
from gateway.demo.processes import stop_detached
from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.system.located_yaml import parse_yaml
from tests.gateway.cli.terminal import run_perron, start_command


def test_a_new_house_has_a_key_accounts_and_a_delivery_and_none_of_it_gets_into_git(tmp_path: Path) -> None:
    file = new_home.create_home(tmp_path / "mine")
    home = load_home_file(file)
    brand, kid, _ = keys.find_key(home, tmp_path / "mine" / "keys", None)
    assert (brand, home.brands[brand].permission.state) == ("cdiscount", "granted")
    assert keys.key_file_path(tmp_path / "mine" / "keys", kid).stat().st_mode & 0o077 == 0
    assert home.storage.folder == tmp_path / "mine" / "box"
    assert home.broker.account("retailer").password()
    text, template = file.read_text(encoding="utf-8"), new_home.TEMPLATE_PATH.read_text(encoding="utf-8")
    assert text.removeprefix(SCHEMA_LINE).count("#") == template.count("#")  # its comments are still there
    assert (tmp_path / "mine" / ".gitignore").read_text() == "*\n"


def test_a_taken_port_of_the_pictures_is_replaced_in_the_urls_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_home, "free_port_or", lambda port: port + 10_000)
    text = new_home.create_home(tmp_path / "mine").read_text(encoding="utf-8")
    assert "rtsp://127.0.0.1:18554/doorbell" in text
    assert "rtsp://FRIGATE:8554/CAMERA" in text, "the comment names Frigate's own port"


def test_the_first_line_of_a_new_house_names_a_schema_that_stands_beside_it_and_takes_the_house(tmp_path: Path) -> None:
    file = new_home.create_home(tmp_path / "mine")
    line = file.read_text(encoding="utf-8").splitlines()[0]
    named = file.parent / line.removeprefix("# yaml-language-server: $schema=")
    written = json.loads(named.read_text(encoding="utf-8"))
    assert written == json_schema(ConfigFile.HOME)
    house = parse_yaml(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(written).validate(json.loads(json.dumps(house)))


def test_a_house_is_never_written_over(tmp_path: Path) -> None:
    new_home.create_home(tmp_path / "mine")
    with pytest.raises(Failure, match="never written over"):
        new_home.create_home(tmp_path / "mine")


def test_a_folder_too_deep_for_a_socket_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="too long a path"):
        new_home.create_home(tmp_path / ("d" * 90))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(Failure, match="cannot be written"):
        # Short: the sockets in it must fit into 107 characters wherever tests run
        new_home.create_home(tmp_path / "f" / "m")


def test_a_template_that_is_another_than_expected_makes_no_half_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "home.yaml"
    changed.write_text(new_home.TEMPLATE_PATH.read_text().replace("source: ntp   ", "source: ntp "))
    monkeypatch.setattr(new_home, "TEMPLATE_PATH", changed)
    with pytest.raises(Failure, match="source: ntp"):
        new_home.create_home(tmp_path / "mine")
    assert not (tmp_path / "mine" / "home.yaml").exists()


@pytest.mark.parametrize(
    ("pages", "at"),
    [
        (PagesSection(), "http://127.0.0.1:8642/c/"),
        (PagesSection(host="192.168.1.20"), "https://192.168.1.20:8642/c/"),
        (PagesSection(host="0.0.0.0", names=("perron.home.arpa",), plain_port=8080), "http://perron.home.arpa:8080/c/"),  # noqa: S104 - as in a house
        (PagesSection(host="fd00::20"), "https://[fd00::20]:8642/c/"),
    ],
)
def test_a_courier_s_page_is_told_as_his_phone_reaches_it(pages: PagesSection, at: str) -> None:
    link = courier_page_url(pages, bytes(16))
    assert link == f"{at}{courier_token_digest(bytes(16))}#{new_courier_token(bytes(16))}"


def hurry(home: Path) -> None:
    """Shorten the waiting times as `perron demo --fast` does; the rules stay the same."""
    timing = json.dumps(FAST_TIMING.model_dump(exclude_unset=True))
    text = home.read_text().replace("    courier_proof: true", f"    timing: {timing}\n    courier_proof: true")
    home.write_text(text.replace("latency: 3 ", "latency: 1 ").replace("open_limit: 120", "open_limit: 15"))


def typed(told: str) -> list[str]:
    """Take the command that is printed to be copied."""
    command = re.search(r"^  \$ \S*perron (.*)$", told, re.MULTILINE)
    assert command is not None, told
    return shlex.split(command[1])


@pytest.mark.slow
async def test_a_newcomer_lets_a_parcel_in_by_typing_what_is_printed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    made = run_perron("new", mine)
    assert made.returncode == 0, made.stderr
    hurry(mine / "home.yaml")
    commands = [line.split("perron ", 1)[1] for line in made.stdout.splitlines() if line.startswith("  $ ")]
    simulate, run, announce, claim = (shlex.split(command) for command in commands)
    assert claim[0] == "claim-code"
    try:
        with start_command(*simulate) as house, start_command(*run, terminal=True) as gateway:
            house.until("All 7 devices are connected")
            gateway.until("Ready: front.")
            promised = ready(announce)
            assert re.search(r"^  http://127\.0\.0\.1:\d+/c/[0-9a-f]{64}#perron:", promised.stderr, re.MULTILINE)
            scanned = run_perron(*typed(promised.stderr))
            assert scanned.returncode == 0, scanned.stdout + scanned.stderr
            assert "The door says go." in scanned.stdout
            assert "locked again" in scanned.stdout
            house.until("the bolt is thrown on command")
            assert "puts a parcel down inside" in house.text
            proven = run_perron(*typed(scanned.stdout))
            assert (proven.returncode, "The proof holds." in proven.stdout) == (0, True), proven.stdout
            examined_without_a_fault(mine / "home.yaml")
            gateway.until("are sealed")
            lines = [line[10:] for line in gateway.text.splitlines()]
            story = [
                "Ready: front.",
                "front: the unlock is sent",
                "front: the door is open",
                "front: the house: locked again",
            ]
            assert sorted(story, key=lines.index) == story, gateway.text
            assert "row=" not in gateway.text
            assert gateway.end(signal.SIGINT) == 0
            gateway.until("The video process ends by itself within 60 s")
    finally:
        await stop_detached(mine / "box" / "video.pid")


def examined_without_a_fault(home: Path) -> None:
    """Run `perron doctor` until nothing is red: on a loaded machine a camera may be late at the first look."""
    ends = time.monotonic() + 60
    while (found := run_perron("doctor", "--home", home)).returncode != 0:
        assert time.monotonic() < ends, found.stdout + found.stderr


def ready(announce: list[str]) -> subprocess.CompletedProcess[str]:
    promised = run_perron(*announce)
    assert promised.returncode == 0, promised.stderr + promised.stdout
    return promised
