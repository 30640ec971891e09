"""`perron setup`: from an empty machine to a box that is claimed by the QR code in the terminal."""

import os
import re
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.cli import box_setup, systemd
from gateway.cli.box_setup import Answers
from gateway.cli.failure import Failure
from gateway.config.loader import load_home_file
from gateway.demo.processes import stop_detached
from gateway.mqtt.mosquitto import folder_check
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.i18n import Language
from tests.browser import accessibility_problems, visitor
from tests.gateway.cli.terminal import run_perron, start_command
from tests.gateway.web.house import ANNA_PASSWORD

ANSWERS = Answers(
    name="The house: a 'test'", zone="Europe/Paris", language="fr", address="192.168.1.20", clock="ntp", port=8642
)


@pytest.fixture(autouse=True)
def no_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_setup, "free_port_or", lambda port: port)


def test_what_was_answered_makes_a_house_that_phones_reach_by_https_and_devices_by_tls(tmp_path: Path) -> None:
    file = tmp_path / "house" / "home.yaml"
    box_setup.write_home_file(file, ANSWERS)
    home = load_home_file(file)
    assert (home.name, home.language, home.timezone, home.clock.source) == (
        "The house: a 'test'", "fr", "Europe/Paris", "ntp",
    )  # fmt: skip
    assert home.pages is not None
    assert (home.pages.address, home.pages.plain_port) == ("https://192.168.1.20:8642", 8080)
    assert box_setup.claim_link(home, "AB-CD") == "https://192.168.1.20:8642/claim#code=AB-CD"
    box_setup.write_broker_files(file, home)
    written = folder_check.read_options(file.parent / "accounts")
    assert [(one.host, one.tls) for one in written.listeners] == [("127.0.0.1", False), ("0.0.0.0", True)]  # noqa: S104 - by TLS
    assert "192.168.1.20" in written.names
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    password = (file.parent / "accounts" / "gateway.password").read_text()
    box_setup.write_broker_files(file, home)
    assert (file.parent / "accounts" / "gateway.password").read_text() == password, "again: everything is kept"
    assert folder_check.read_options(file.parent / "accounts") == written


def test_a_machine_without_a_network_serves_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    box_setup.write_home_file(file, replace(ANSWERS, address="127.0.0.1"))
    home = load_home_file(file)
    assert home.pages is not None
    assert home.pages.address == "http://127.0.0.1:8642"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"zone": "Mars/Base"}, "no time zone"),
        ({"language": "xx"}, "no language of the pages"),
        *(({"address": host}, "no name and no address") for host in ("nonsense..x", "300.1.1.1", "a b", "0.0.0.0")),  # noqa: S104 - it is refused
        ({"port": 8700, "broker_port": 8700}, "are both 8700"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_before_anything_is_written(given: dict[str, Any], told: str) -> None:
    with pytest.raises(Failure, match=told):
        box_setup.complete_answers(replace(ANSWERS, **given), asks=False)


@pytest.mark.parametrize("option", ["port", "broker_port"])
def test_a_port_that_another_program_has_is_refused_at_once_with_that_programs_name(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answers = replace(ANSWERS, **{option: taken.getsockname()[1]})
        with pytest.raises(Failure, match=rf"--{option.replace('_', '-')} \d+: \S+ \(process {os.getpid()}\) listens"):
            box_setup.complete_answers(answers, asks=False)


def test_a_second_set_up_says_which_options_it_did_not_apply_and_only_those(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    box_setup.write_home_file(file, ANSWERS)
    home = load_home_file(file)
    assert list(box_setup.unapplied_text(ANSWERS, home)) == []
    others: dict[str, Any] = {
        "name": "B", "zone": "Europe/Rome", "language": "en", "address": "box.lan", "clock": "host", "port": 1,
        "broker_port": 2, "bridges": ("zigbee2mqtt",),
    }  # fmt: skip
    for field, other in others.items():
        option = "--bridge" if field == "bridges" else f"--{field.replace('_', '-')}"
        assert f" otherwise: {option}. " in "".join(box_setup.unapplied_text(replace(ANSWERS, **{field: other}), home))


def test_a_log_that_a_person_reads_says_in_one_line_where_the_box_is_claimed_and_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "home.yaml"
    box_setup.write_home_file(file, replace(ANSWERS, address="127.0.0.1"))
    box_setup.print_claim(load_home_file(file), "AB-CD")
    at = "http://127.0.0.1:8642/claim#code=AB-CD"
    told = f"Claim this box: open {at} on a phone, and choose a name and a password there.\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize(("synchronised", "source"), [(True, "ntp"), (False, "host")])
def test_the_source_of_the_time_follows_from_what_the_kernel_says(
    synchronised: bool, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box_setup, "kernel_synchronised", lambda: synchronised)
    given = Answers(name="", zone="", language="", address="127.0.0.1", clock=None, port=1)
    assert box_setup.complete_answers(given, asks=False).clock == source


def test_the_units_that_it_writes_are_taken_by_systemd_and_name_this_program(tmp_path: Path) -> None:
    systemd.write_units(tmp_path, program=systemd.program_path(), home_folder=Path("/srv/perron"))
    assert systemd.verify_units(tmp_path) == ""
    unit = (tmp_path / "perron.service").read_text()
    assert f"ExecStart={systemd.program_path()} run --home /srv/perron/home.yaml" in unit
    assert "ReadWritePaths=/srv/perron\n" in unit
    assert "/etc/perron/" not in "".join((tmp_path / name).read_text() for name in systemd.UNITS)
    (tmp_path / "perron.service").write_text(unit.replace("Type=exec", "Type=nonsense\nExecStart=nothing"))
    assert systemd.verify_units(tmp_path) != "", "what systemd would refuse is told before anything is started"


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
async def test_an_empty_machine_is_claimed_from_a_phone_by_the_qr_code_alone(
    short_folder: Path, locale: Language
) -> None:
    folder, port = short_folder / "house", free_port()
    command = ("setup", str(folder), "--address", "127.0.0.1", "--port", str(port), "--name", "Lilac Street", "--yes")
    words = {
        "en-GB": ("Name", "New password", "Show the password", "Claim it"),
        "fr-FR": ("Nom", "Nouveau mot de passe", "Afficher le mot de passe", "Prendre possession"),
    }[locale]
    try:
        with start_command(*command, terminal=True) as box:
            box.until("/claim#code=")
            link = re.search(r"http://\S+/claim#code=[0-9A-Z-]+", box.text)
            assert link is not None
            assert "█" in box.text or "▀" in box.text, "the QR code"
            async with visitor() as somebody:
                page = await somebody.page(locale=locale)
                asked: list[str] = []
                page.on("request", lambda request: asked.append(request.url))
                await page.goto(link[0])
                await expect(page.get_by_role("status")).to_be_visible()
                assert page.url == link[0].partition("#")[0], "the code has left the address bar"
                assert not [url for url in asked if "code" in url], "and was never in an address that was asked for"
                await expect(page.locator("[name=code]")).to_be_hidden()
                assert await accessibility_problems(page) == []
                await page.get_by_label(words[0], exact=True).fill("Anna")
                password = page.get_by_label(re.compile(words[1]))
                await password.fill(ANNA_PASSWORD)
                await page.get_by_role("button", name=words[2]).click()
                await expect(password).to_have_attribute("type", "text")
                await page.get_by_role("button", name=words[3]).click()
                await expect(page.locator("nav.menu")).to_be_visible()
                await somebody.leave()
            told = run_perron(*command)
            assert told.returncode == 0, told.stderr
            assert "The box has its owner." in told.stdout, "again: it continues, and makes no second code"
            assert box.end(signal.SIGINT) == 0
    finally:
        await stop_detached(folder / "box" / "video.pid")
