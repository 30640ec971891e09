"""The checklist of the first set-up: who may do what on it, and what it counts."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import FormData

from gateway.config.loader import load_home_file
from gateway.installation import tryout as tried
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.mqtt.mosquitto import provisioning
from gateway.video.ipc import CameraSource
from gateway.video.probe import ProbeResult
from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from gateway.web.pages.household import activity_lines
from gateway.web.server import setup_progress
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.pages.house_file import ENGLISH, Home
from tests.gateway.web.pages.test_add_device import house
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

__all__ = ["house"]  # the fixture

JPEG = b"\xff\xd8what it sees"
PORCH = DiscoveredDevice(
    key="porch", source="network", text_key="camera", name="porch", address="127.0.0.1:8554",
    add_fields={"id": "porch", "kind": "camera", "vendor": "rtsp", "url": "rtsp://127.0.0.1:8554/porch"},
)  # fmt: skip
UNNAMED = replace(PORCH, key="unnamed", name="unnamed", add_fields={
    "id": "unnamed", "kind": "camera", "vendor": "rtsp", "url": "rtsp://127.0.0.1:8554/PATH"})  # fmt: skip
SENSOR = DiscoveredDevice(
    key="back-door", source="network", text_key="door", name="back-door",
    add_fields={"id": "back-door", "kind": "door", "vendor": "esphome"},
)  # fmt: skip


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What announces itself in the network; returns the addresses that were tried."""
    opened: list[str] = []

    async def discover(*_: object) -> tuple[tuple[DiscoveredDevice, ...], None]:
        return (PORCH, UNNAMED, SENSOR), None

    async def probe(source: CameraSource, **_: object) -> ProbeResult:
        opened.append(source.url)
        return ProbeResult.model_construct(width=640, height=360, pictures_a_second=15.0, key_every=1.0, picture=JPEG)

    monkeypatch.setattr(WalkTestRunner, "discover", discover)
    monkeypatch.setattr(tried, "probe_stream", probe)
    return opened


async def sent(site: ServedSite, who: SessionSecrets, path: str, *fields: tuple[str, str]) -> tuple[int, str]:
    async with (
        site.client(who) as client,
        client.post(path, data=FormData(fields), headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def test_an_owner_adds_what_was_found_with_one_password_and_nothing_else_changes(
    house: Home, network: list[str]
) -> None:
    owner, before = house.site.owner, load_home_file(house.file)
    assert (await sent(house.site, owner, "/setup/devices/search"))[0] == 303
    page = await house.page(owner, "/setup/devices")
    assert "Devices found: 3" in page
    assert network == ["rtsp://127.0.0.1:8554/porch"], "what has to be filled in is not tried"
    assert "One thing has to be filled in." in page
    token = re.search(r"/setup/picture/([\w-]+)", page)
    assert token is not None
    async with house.site.client(owner) as client, client.get(token[0]) as answer:
        assert (await answer.read(), answer.headers["Cache-Control"]) == (JPEG, "no-store")
    ines = await house.site.guest(Role.INSTALLER, "Ines")
    async with house.site.client(ines) as client, client.get(token[0]) as answer:
        assert answer.status == 404, "it is for who tried it"

    chosen = (("take", "porch"), ("take", "back-door"), ("take", "nonsense"))
    status, text = await sent(house.site, owner, "/setup/devices", *chosen, ("password", "not it"))
    assert (status, "porch" in load_home_file(house.file).devices) == (422, False)
    assert "Not done:" in text
    assert (await sent(house.site, owner, "/setup/devices", ("password", ANNA_PASSWORD)))[0] == 422, "nothing ticked"
    assert (await sent(house.site, owner, "/setup/devices", *chosen, ("password", ANNA_PASSWORD)))[0] == 303
    after = load_home_file(house.file)
    assert after.devices.keys() - before.devices.keys() == {"porch", "back-door"}
    assert after.model_copy(update={"devices": before.devices}) == before
    assert house.reread == [""]
    assert "The box reads the changed house" in await house.page(owner, "/setup")


async def test_an_installer_only_proposes_and_sees_no_account(house: Home) -> None:
    ines, before = await house.site.guest(Role.INSTALLER, "Ines"), house.file.read_bytes()
    await sent(house.site, ines, "/setup/devices/search")
    chosen = (("take", "porch"), ("password", ANNA_PASSWORD))
    assert (await sent(house.site, ines, "/setup/devices", *chosen))[0] == 303
    assert (house.file.read_bytes(), house.reread) == (before, [])
    assert "One addition to the house waits for the owner" in await house.page(ines, "/setup")
    assert "The owner does this." in await house.page(ines, "/setup")
    async with house.site.client(ines) as client, client.get("/setup/notice.pdf") as answer:
        assert answer.status == 403
    assert (await sent(house.site, ines, "/setup/end"))[0] == 403
    bruno = await house.site.guest(Role.HOUSEHOLD)
    for path in ("/setup", "/setup/devices"):
        async with house.site.client(bruno) as client, client.get(path) as answer:
            assert answer.status == 403


async def test_an_installer_tries_an_address_where_a_camera_announced_itself_or_with_its_account(
    house: Home, network: list[str]
) -> None:
    ines = await house.site.guest(Role.INSTALLER, "Ines")
    form = [("kind", "camera"), ("id", "porch"), ("vendor", "rtsp"), ("do", "try")]
    _, text = await sent(house.site, ines, "/installation/add", *form, ("url", "rtsp://127.0.0.1:22/porch"))
    assert "Type the camera&#39;s account" in text
    assert network == []
    account = (("url", "rtsp://192.168.1.30/porch"), ("user", "admin"), ("secret", "blue ladders"))
    _, text = await sent(house.site, ines, "/installation/add", *form, *account)
    assert "to everybody in the network" in text, "this one answers without an account"
    assert network.pop() == "rtsp://192.168.1.30/porch"
    await sent(house.site, ines, "/setup/devices/search")
    _, text = await sent(house.site, ines, "/installation/add", *form, ("url", "rtsp://127.0.0.1:8554/other"))
    assert "/setup/picture/" in text
    assert network == ["rtsp://127.0.0.1:8554/porch", "rtsp://127.0.0.1:8554/other"]
    assert "porch" not in house.file.read_text()


async def test_no_crafted_trial_breaks_the_page(house: Home, network: list[str]) -> None:
    form = [("kind", "entrance"), ("id", "back"), ("name", "Back"), ("do", "try"), ("way_out_by_hand", "1")]
    status, _ = await sent(house.site, house.site.owner, "/installation/add", *form)
    assert status in (200, 422)
    taken = [("kind", "lock"), ("id", "lock"), ("vendor", "somfy"), ("address", "io://9"), ("do", "try")]
    status, text = await sent(house.site, house.site.owner, "/installation/add", *taken)
    assert (status, network) == (200, [])
    assert "It cannot be added like this." in text


async def test_the_form_has_the_words_of_the_chosen_brand(house: Home) -> None:
    text = await house.page(house.site.owner, "/installation/add?kind=lock&vendor=nukihub")
    assert "Path in Nuki Hub" in text
    assert "guard.key" not in text, "only a guarded lock has it"
    assert "enter the account that is made when you add it" in text


async def test_the_home_page_counts_the_steps_until_the_owner_has_enough_of_it(house: Home) -> None:
    site, owner = house.site, house.site.owner
    assert "Set-up:" not in await house.page(owner, "/"), "a house that was not set up here"
    await setup_progress.begin_setup(site.site._services)  # noqa: SLF001 - as claiming does
    assert "of 8 done" in await house.page(owner, "/")
    assert "of 8 done" not in await house.page(await site.guest(Role.HOUSEHOLD), "/")
    async with site.client(owner) as client, client.get("/setup/notice.pdf") as answer:
        assert (answer.status, (await answer.read())[:5]) == (200, b"%PDF-")
    assert '<li id="notice" class="rests">' in await house.page(owner, "/setup"), "a file is no notice at the door"
    assert (await sent(site, owner, "/setup/said", ("step", "notice")))[0] == 303
    assert '<li id="notice" class="good">' in await house.page(owner, "/setup")
    assert (await sent(site, owner, "/setup/said", ("step", "walk")))[0] == 400, "the box sees that by itself"
    assert (await sent(site, owner, "/setup/end"))[0] == 303
    assert "of 8 done" not in await house.page(owner, "/")


async def test_the_household_is_invited_once_somebody_who_lives_there_has_joined(house: Home) -> None:
    site, owner = house.site, house.site.owner
    assert '<li id="people" class="rests">' in await house.page(owner, "/setup")
    ines = await site.guest(Role.INSTALLER, "Ines")
    page = await house.page(owner, "/setup")
    assert '<li id="people" class="rests">' in page, "an installer is not of the household"
    assert "Joined beside the owner: 0. Invited: 0." in page
    await site.accounts.invite(site.owner.user, Role.HOUSEHOLD, site.box.clock.now())
    page = await house.page(owner, "/setup")
    assert '<li id="people" class="rests">' in page, "nobody has come yet"
    assert "Joined beside the owner: 0. Invited: 1." in page
    assert (await sent(site, ines, "/setup/said", ("step", "people")))[0] == 403
    assert (await sent(site, owner, "/setup/said", ("step", "people")))[0] == 303
    assert '<li id="people" class="good">' in await house.page(owner, "/setup"), "one may live alone"


async def test_somebody_who_joined_ends_the_step_of_the_household(house: Home) -> None:
    await house.site.guest(Role.HOUSEHOLD)
    page = await house.page(house.site.owner, "/setup")
    assert '<li id="people" class="good">' in page
    assert "Nobody else lives here" not in page


async def test_the_devices_that_are_not_asked_are_named_with_the_reason(house: Home) -> None:
    page = re.sub(r"[\u2066-\u2069]", "", await house.page(house.site.owner, "/setup"))
    assert "Not asked, because they answer no question and send when they are used: scanner, signal," in page


@pytest.fixture
async def broker_house(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """A box whose broker's files lie beside its password."""
    home = make_home(tmp_path)
    file = tmp_path / "accounts" / "gateway.password"
    home = home.model_copy(update={"broker": home.broker.model_copy(update={"password_file": file})})
    provisioning.write_house(file.parent, home, host="127.0.0.1", port=home.broker.port)
    async with box(tmp_path, home) as made, run_box(made), serve_site(made) as site:
        yield site


async def test_the_account_of_a_bridge_is_put_into_that_program_and_not_into_a_device(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    update = {"password_file": tmp_path / "accounts" / "gateway.password", "bridges": ("zigbee2mqtt",)}
    home = home.model_copy(update={"broker": home.broker.model_copy(update=update)})
    provisioning.write_house(tmp_path / "accounts", home, host="127.0.0.1", port=home.broker.port)
    async with box(tmp_path, home) as made, run_box(made), serve_site(made) as site:
        await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, made.clock.now())
        _, text = await sent(site, site.owner, "/installation/accounts", ("account", "zigbee2mqtt"), ("do", "show"))
    assert "put it into the settings of zigbee2mqtt now" in text
    assert "Pair it" not in text


async def test_an_account_is_shown_once_and_a_new_password_ends_the_former(broker_house: ServedSite) -> None:
    site = broker_house
    home = site.box.home
    assert home.broker.password_file is not None
    name = next(id_ for id_, device in home.devices.items() if device.kind == "lock")
    file = home.broker.password_file.with_name(f"{name}.password")
    former = file.read_text().strip()
    await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, site.box.clock.now())
    _, text = await sent(site, site.owner, "/installation/accounts", ("account", name), ("do", "show"))
    assert former in text
    assert "<svg" in text
    _, text = await sent(site, site.owner, "/installation/accounts", ("account", name), ("do", "show"))
    assert former not in text
    assert "It was shown already." in text
    _, text = await sent(site, site.owner, "/installation/accounts", ("account", name), ("do", "renew"))
    assert file.read_text().strip() in text
    assert file.read_text().strip() != former
    for other in ("gateway", "owner", "nobody"):
        status, _ = await sent(site, site.owner, "/installation/accounts", ("account", other), ("do", "show"))
        assert status == 404, "accounts of the box's own parts are never shown"


async def test_an_installer_reads_whom_to_ask_and_sees_once_the_account_that_the_owner_opened(
    broker_house: ServedSite,
) -> None:
    site = broker_house
    home, ines = site.box.home, await site.guest(Role.INSTALLER, "Ines")
    assert home.broker.password_file is not None
    folder = home.broker.password_file.parent
    passwords = {name: (folder / f"{name}.password").read_text().strip() for name in ("lock", "garage-lock")}
    path = "/installation/accounts"
    async with site.client(ines) as client, client.get(path, headers=ENGLISH) as answer:
        text = re.sub(r"[\u2066-\u2069]", "", await answer.text())
    assert "Ask Anna to open it to you on this page" in text
    assert "<button>" not in text
    for do in ("show", "renew", "open"):
        assert (await sent(site, ines, path, ("account", "lock"), ("do", do)))[0] == 403
    assert (await sent(site, ines, f"{path}/opened", ("account", "lock")))[0] == 403

    await site.accounts.confirm_password(site.owner.user, ANNA_PASSWORD, site.box.clock.now())
    assert (await sent(site, site.owner, path, ("account", "lock"), ("do", "open")))[0] == 303
    assert (await sent(site, ines, f"{path}/opened", ("account", "garage-lock")))[0] == 403, "only what was opened"
    _, text = await sent(site, ines, f"{path}/opened", ("account", "lock"))
    assert passwords["lock"] in text
    assert passwords["garage-lock"] not in text
    _, text = await sent(site, ines, f"{path}/opened", ("account", "lock"))
    assert passwords["lock"] not in text, "once"
    _, text = await sent(site, site.owner, path, ("account", "lock"), ("do", "open"))
    assert "It was shown already." in text
    told = [one.text for one in activity_lines(site.box.store, "en", person=None)][:2]
    assert told == [
        "Ines saw the account at the broker: lock", "Anna let the installer see the account at the broker: lock",
    ]  # fmt: skip


async def test_a_found_lock_is_asked_what_no_device_announces_like_a_typed_one(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = DiscoveredDevice(
        key="zigbee2mqtt/back lock", source="broker", text_key="lock", name="back",
        add_fields={"id": "back", "kind": "lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/back"},
    )  # fmt: skip

    async def discover(*_: object) -> tuple[tuple[DiscoveredDevice, ...], None]:
        return (lock, SENSOR), None

    monkeypatch.setattr(WalkTestRunner, "discover", discover)
    owner = house.site.owner
    await sent(house.site, owner, "/setup/devices/search")
    question = "Does it lock by itself some time after it was unlocked?"
    assert (await house.page(owner, "/setup/devices")).count(question) == 1, "the lock alone"
    assert question in await house.page(owner, "/installation/add?kind=lock&vendor=zigbee2mqtt")
    said = (("take", lock.key), (f"auto_lock {lock.key}", "no"))
    _, page = await sent(house.site, owner, "/setup/devices", *said, ("password", "not it"))
    assert '<option value="no" selected>' in page, "what was said is still there"
    assert (await sent(house.site, owner, "/setup/devices", *said, ("password", ANNA_PASSWORD)))[0] == 303
    assert load_home_file(house.file).devices["back"].model_dump()["auto_lock"] is False


async def test_of_two_found_devices_with_one_id_only_one_is_ticked_and_the_page_says_why(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = replace(SENSOR, key="twin", name="twin of it")

    async def discover(*_: object) -> tuple[tuple[DiscoveredDevice, ...], None]:
        return (SENSOR, twin), None

    monkeypatch.setattr(WalkTestRunner, "discover", discover)
    owner, before = house.site.owner, house.file.read_bytes()
    await sent(house.site, owner, "/setup/devices/search")
    page = await house.page(owner, "/setup/devices")
    assert re.findall(r'name="take" value="([^"]+)"( checked)?', page) == [("back-door", " checked"), ("twin", "")]
    assert page.count("would get the same id, back-door") == 2
    both = (("take", "back-door"), ("take", "twin"), ("password", ANNA_PASSWORD))
    status, text = await sent(house.site, owner, "/setup/devices", *both)
    assert (status, "2 of what is ticked would get the id back-door." in text) == (422, True)
    assert house.file.read_bytes() == before
    assert "wait for your word" not in await house.page(owner, "/"), "nothing is left half done"
    one = (("take", "twin"), ("password", ANNA_PASSWORD))
    assert (await sent(house.site, owner, "/setup/devices", *one))[0] == 303


async def test_a_found_device_says_how_it_stands_and_its_namesake_that_the_id_is_taken(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    namesake = replace(PORCH, key="other", add_fields={**PORCH.add_fields, "url": "rtsp://127.0.0.1:8555/porch"})

    async def discover(*_: object) -> tuple[tuple[DiscoveredDevice, ...], None]:
        return (PORCH, namesake), None

    monkeypatch.setattr(WalkTestRunner, "discover", discover)
    ines, owner = await house.site.guest(Role.INSTALLER, "Ines"), house.site.owner
    await sent(house.site, ines, "/setup/devices/search")
    assert (await sent(house.site, ines, "/setup/devices", ("take", "porch")))[0] == 303
    page = await house.page(ines, "/setup/devices")
    assert page.count("Waits for the owner.") == 1
    assert "Another device with this id was proposed" in page
    (one,) = re.findall(r'name="take" value="(\w{16})"', await house.page(owner, "/installation/add"))
    await sent(house.site, owner, "/installation/add/accept", ("take", one), ("password", ANNA_PASSWORD))
    assert "Written; the box reads the file anew." in await house.page(ines, "/setup/devices")
