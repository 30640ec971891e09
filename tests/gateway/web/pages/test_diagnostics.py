"""The examination as a page: who may see it, in which language, what it may not tell, and that nothing waits for it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config.home import Home, MessagesSection
from gateway.mqtt.mosquitto.provisioning import free_port, private_broker
from gateway.system.mqtt_settings import BrokerSection
from gateway.web.auth.roles import Role
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.quiet import silent_server
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.receiver import SECRET_TOKEN, receiver
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

PAGE = "/installation/examination"
ENGLISH, FRENCH = {"Accept-Language": "en"}, {"Accept-Language": "fr"}
IN_TIME = 6.5  # seconds: 4.7, and a loaded machine


@asynccontextmanager
async def standing(folder: Path, **changes: Any) -> AsyncIterator[ServedSite]:  # noqa: ANN401 - any part of a house
    made: ShellBox
    house = make_home(folder).model_copy(update=changes)
    async with box(folder, house, time=ManualTime(mono=7300.0)) as made, run_box(made), serve_site(made) as site:
        await made.good_day()
        yield site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with standing(tmp_path) as site:
        yield site


def read(text: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace("&#39;", "'")


async def examined(site: ServedSite, role: Role = Role.INSTALLER, language: dict[str, str] = ENGLISH) -> str:
    who = site.owner if role is Role.OWNER else await site.guest(role, f"Ines {time.monotonic_ns()}")
    async with site.client(who) as client, client.post(PAGE, headers=language) as answer:
        assert answer.status == 200
        return read(await answer.text())


@pytest.mark.slow
async def test_a_broker_that_is_gone_is_red_with_its_remedy_in_the_reader_s_language(site: ServedSite) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client:
        async with client.get(PAGE, headers=ENGLISH) as answer:
            assert "Not examined yet" in await answer.text()
        began = time.monotonic()
        async with client.post(PAGE, headers=ENGLISH) as answer:
            assert answer.status == 200
            english = await answer.text()
        assert time.monotonic() - began < IN_TIME
        async with client.get(PAGE, headers=FRENCH) as answer:
            french = await answer.text()
        async with client.get("/installation", headers=ENGLISH) as answer:
            assert f'action="{PAGE}' in await answer.text()
    assert "<code>mosquitto -c " in english
    assert 'href="/installation/walk/front"' in english
    assert "Red broker The broker cannot be used" in read(english)
    assert "Doubtful devices not asked: they speak by the broker" in read(english)
    assert "Rouge broker Le broker à" in read(french)
    assert "À voir appareils pas interrogés : ils parlent par le broker" in read(french)
    assert "Bon horloge on croit la machine sur parole" in read(french)


@pytest.mark.slow
async def test_a_camera_that_does_not_answer_far_from_a_window_is_said_of_its_entrance(site: ServedSite) -> None:
    assert "Red entrance front No picture from cam, hall: no delivery comes in without." in await examined(site)


async def test_the_household_neither_examines_nor_reads_what_was_found(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(bruno) as client:
        for method in ("GET", "POST"):
            async with client.request(method, PAGE) as answer:
                assert answer.status == 403, method
    async with site.client(None) as nobody, nobody.get(PAGE, allow_redirects=False) as answer:
        assert answer.status == 303


@pytest.mark.slow
async def test_no_phone_is_rung_by_an_installer_and_the_owner_s_are_named_to_him_alone(tmp_path: Path) -> None:
    async with receiver() as ear:
        phones = tmp_path / "phones.txt"
        phones.write_text(f"{ear.json}\n", encoding="utf-8")
        phones.chmod(0o600)
        async with standing(tmp_path, messages=MessagesSection(file=phones)) as site:
            ines = await site.guest(Role.INSTALLER, "Ines")
            async with site.client(ines) as client:
                async with client.get(PAGE, headers=ENGLISH) as answer:
                    assert "each phone" not in await answer.text()
                async with client.post(PAGE, data={"phones": "1"}) as answer:
                    assert answer.status == 403
            await examined(site)
            assert ear.got == []
            async with site.client(site.owner) as client:
                async with client.get(PAGE, headers=ENGLISH) as answer:
                    assert "Also send each phone a word" in await answer.text()
                async with client.post(PAGE, data={"phones": "1"}, headers=ENGLISH) as answer:
                    owners = await answer.text()
                assert "Good phone 1 (json) took a word to try it" in read(owners)
                assert len(ear.texts) == 1
            async with site.client(ines) as client, client.get(PAGE, headers=ENGLISH) as answer:
                installers = await answer.text()
            assert "phone 1" not in installers
            assert SECRET_TOKEN not in owners + installers


async def test_a_visit_under_way_is_left_alone(site: ServedSite) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client:
        await receive(
            site.box.store, make_offer(carrier=min(site.box.home.brands["shop"].permission.carriers)), now=NOW
        )
        await site.box.ring(PARCEL)
        async with client.post(PAGE, headers=ENGLISH) as answer:
            assert answer.status == 409
            assert "A visit is under way" in await answer.text()
        async with client.get(PAGE, headers=FRENCH) as answer:
            assert "Pas encore examinée" in await answer.text()


@pytest.mark.slow
async def test_a_disk_that_is_nearly_full_is_red(tmp_path: Path) -> None:
    storage = make_home(tmp_path).storage.model_copy(update={"reserve_mib": 10**9})
    async with standing(tmp_path, storage=storage) as site:
        said = await examined(site)
    assert re.search(r"Red disk \d+ MiB free at \S+, 1000000000 needed Remedy: Make room", said)


@pytest.mark.slow
async def test_two_who_press_while_everything_hangs_are_answered_in_time_and_nothing_waits_for_them(
    tmp_path: Path,
) -> None:
    async with silent_server() as broker, silent_server() as camera:
        house = make_home(tmp_path)
        devices = {
            id_: one.model_copy(update={"url": f"rtsp://127.0.0.1:{camera.port}/a"}) if one.kind == "camera" else one
            for id_, one in house.devices.items()
        }
        async with standing(tmp_path, devices=devices, broker=BrokerSection(port=broker.port)) as site:
            ines = await site.guest(Role.INSTALLER, "Ines")
            async with site.client(ines) as one, site.client(site.owner) as other:
                began = time.monotonic()
                both = asyncio.gather(pressed(one), pressed(other))
                await wait_until(lambda: broker.visitors and camera.visitors)  # everything hangs
                async with other.get("/") as answer:
                    assert answer.status == 200
                assert not both.done(), "other pages do not wait"
                first, second = await both
                assert time.monotonic() - began < IN_TIME
                assert first.partition("Red broker")[2] == second.partition("Red broker")[2] != ""
                came = (broker.visitors, camera.visitors)
                for _ in range(5):
                    assert "Examined a moment ago" in await pressed(one)
                assert (broker.visitors, camera.visitors) == came
    assert 1 <= camera.visitors <= 2  # `cam` and `hall`, once each; on a busy machine one is too late
    assert "Red broker" in first
    assert "Red cam stream" in first


async def pressed(client: Any) -> str:  # noqa: ANN401 - a client of the pages
    async with client.post(PAGE, headers=ENGLISH) as answer:
        text = read(await answer.text())
        return text[text.index("Health check", 60) :]


def with_broker(folder: Path) -> tuple[Path, BrokerSection]:
    accounts = folder / "accounts"
    return accounts, BrokerSection(port=free_port(), password_file=accounts / "gateway.password")


@pytest.mark.slow
async def test_a_password_that_is_missing_is_red_and_none_that_is_there_is_ever_shown(tmp_path: Path) -> None:
    accounts, broker = with_broker(tmp_path)
    house: Home = make_home(tmp_path).model_copy(update={"broker": broker})
    async with private_broker(accounts, house), standing(tmp_path, broker=broker) as site:
        said = await examined(site, language=FRENCH)
        site.box.time.mono += 6
        secrets = [file.read_text().strip() for file in accounts.glob("*.password")]
        (accounts / "installer.password").unlink()
        (accounts / "owner.password").chmod(0o644)
        lacking = await examined(site, language=FRENCH)
    assert len(secrets) > 4
    assert "Bon broker 127.0.0.1" in said
    assert "Rouge lock ne répond pas en" in said
    assert "Rouge broker" in lacking
    assert "installer.password : le mot de passe du compte 'installer' ne peut pas être lu (il n'existe pas)" in lacking
    assert f"Rouge fichiers du broker {accounts}/owner.password peut être lu ou écrit par d'autres" in lacking
    assert f"dans un terminal chmod 600 {accounts}/owner.password ; si d'autres y étaient" in lacking
    assert [secret for secret in secrets if secret in said + lacking] == []
