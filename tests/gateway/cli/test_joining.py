import asyncio
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.hub.config import load as load_hub
from gateway.hub.process import HubProcess
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.gateway.cli.terminal import run_perron

pytestmark = pytest.mark.slow

HOUSE = """\
# the house of the Duponts
box: box
name: A house  # it has a garden
storage: {folder: var}
devices: {}
entrances: {}
"""


def hub_yaml(folder: Path) -> Path:
    port = free_port()
    file = folder / "hub.yaml"
    file.write_text(
        f"url: http://127.0.0.1:{port}\nlisten: {{port: {port}}}\n"
        f"boxes: {{host: localhost, port: {free_port()}, listen: 127.0.0.1}}\n"
    )
    return file


@contextmanager
def served(config: Path) -> Iterator[None]:
    """The hub, in a thread of its own."""
    loop, hub = asyncio.new_event_loop(), HubProcess(load_hub(config), signals=False)
    task = loop.create_task(hub.run())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.wait_for(hub.open.wait(), 30), loop).result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def code_in(told: str) -> str:
    return next(line.split("'")[1] for line in told.splitlines() if "perron join" in line or "join '" in line)


def home_in(file: Path) -> Home:
    return load_home_file(file)


def test_an_operator_s_claim_an_owner_s_yes_and_the_house_file_keeps_its_comments(tmp_path: Path) -> None:
    config, file = hub_yaml(tmp_path), tmp_path / "home.yaml"
    file.write_text(HOUSE)
    wrote = run_perron("hub-config", "--config", config)
    assert wrote.returncode == 0, wrote.stderr
    assert "SHA-256" in wrote.stdout
    conf = tmp_path / "hub" / "broker" / "mosquitto.conf"
    assert "require_certificate true" in conf.read_text()
    assert stat.S_IMODE((tmp_path / "hub" / "authority" / "authority.key").stat().st_mode) == 0o600
    told = run_perron("hub-claim", "--config", config)
    code = code_in(told.stdout)
    with served(config):
        no = run_perron("join", code, "--home", file)  # nobody says yes
        assert no.returncode == 1, no.stderr
        assert not (tmp_path / "var" / "hub").exists(), "nothing was asked of anybody"
        assert file.read_text() == HOUSE
        for wrong, says, number in (
            (code[:-4] + "0000" if not code.endswith("0000") else code[:-4] + "1111", "another authority", 2),
            (code.replace(code.split(".")[-2], "a" * 26), "signature_refused", 1),
        ):
            refused = run_perron("join", wrong, "--home", file, "--yes")
            assert (refused.returncode, says in refused.stderr.replace("\n", " ")) == (number, True), refused.stderr
            assert file.read_text() == HOUSE
        done = run_perron("join", code, "--home", file, "--yes")
        assert done.returncode == 0, done.stderr
        house = home_in(file)
        assert house.hub is not None
        assert house.hub.broker.tls is not None
        assert house.hub.broker.tls.certificate == tmp_path / "var" / "hub" / "identity.pem"
        text = file.read_text()
        assert text.startswith(HOUSE.splitlines()[0])
        assert "# it has a garden" in text
        twice = run_perron("join", code, "--home", file, "--yes")
        assert (twice.returncode, "already" in twice.stderr) == (2, True)
    away = run_perron("join", code, "--home", file, "--yes", "--replace")
    assert (away.returncode, "Try again" in away.stderr) == (3, True), away.stderr
    revoked = run_perron("hub-revoke", house.hub.home, "--config", config)
    assert (revoked.returncode, "SIGHUP" in revoked.stderr) == (3, True), revoked.stderr
    unknown = run_perron("hub-revoke", "home-nobody", "--config", config)
    assert (unknown.returncode, "home-nobody" in unknown.stderr) == (2, True)


def test_a_hub_that_boxes_cannot_reach_makes_no_claim_and_says_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text("url: http://127.0.0.1:1\n")
    refused = run_perron("hub-claim", "--config", config)
    assert (refused.returncode, "boxes:" in refused.stderr) == (2, True), refused.stderr


def test_another_authority_takes_the_first_one_s_place_in_three_steps(tmp_path: Path) -> None:
    config = hub_yaml(tmp_path)
    assert run_perron("hub-config", "--config", config).returncode == 0
    for steps, number, says in (
        (("--change",), 1, "There is no successor"),
        (("--next", "--end"), 2, "one after the other"),
        ((), 0, "The authority: "),
        (("--end",), 1, "there is none to end"),
        (("--next",), 0, "Restart mosquitto once"),
        (("--end",), 1, "there is none to end"),
        (("--change",), 0, "Certificates of it that count still: 0."),
        (("--next",), 1, "end it first"),
        (("--end",), 0, "The authority: "),
    ):
        done = run_perron("hub-authority", *steps, "--config", config)
        assert (done.returncode, says in (done.stdout + done.stderr).replace("\n", " ")) == (number, True), done
    bundle = (tmp_path / "hub" / "broker" / "authority.pem").read_text()
    assert bundle.count("BEGIN CERTIFICATE") == 1
