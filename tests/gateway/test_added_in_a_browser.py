"""From an empty house to an entrance, with a phone: a real broker, `perron run` itself, a real browser.

The installer proposes, the owner accepts with his password, and the house is read anew; the gateway is killed in the
middle, and a visit that runs is not dropped for it.
"""

import asyncio
import contextlib
import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from playwright.async_api import Error, Page, expect

from gateway.cli import adding
from gateway.config.loader import load_home_file
from gateway.demo.plan import DemoPlan
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.runtime.maintenance import reload
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.forkserver import ForkedProcess, fork_server
from tests.gateway.runtime.maintenance.test_reload import perron, soon_over
from tests.gateway.test_walked_in_a_browser import PASSWORD, with_pages
from tests.gateway.web.house import ANNA_PASSWORD
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

PAGE = "/installation/add"
# The gateway of `perron run`, killed at a point between two writes.
DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.app import App
from gateway.config.loader import load_home_file
from gateway.supervisor import Supervisor

def reached(point):
    if point == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

file = Path(sys.argv[1])
asyncio.run(Supervisor(load_home_file(file), file, make_app=lambda *of: App(*of, crash_point=reached)).run())
"""
RUN = ("-m", "gateway", "run", "--home")


class House:
    """A house that was only begun, its broker, and its gateway, which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.file, self.port, self.broker = folder / "home.yaml", free_port(), free_port()
        self.log = folder / "gateway.log"
        self._gateway: ForkedProcess | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def begins(self, *command: str, more: Sequence[str] = ()) -> None:
        with self.log.open("ab") as log:
            self._gateway = fork_server().start([*(command or RUN), str(self.file), *more], log)
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)

    async def killed(self) -> None:
        assert self._gateway is not None
        with contextlib.suppress(ProcessLookupError):
            self._gateway.kill()
        assert await self._gateway.wait() == -9

    async def dead(self) -> None:
        """Wait until it has killed itself."""
        assert self._gateway is not None
        async with asyncio.timeout(30):
            assert await self._gateway.wait() == -9

    async def ends(self) -> None:
        if self._gateway is not None and self._gateway.returncode is None:
            self._gateway.terminate()
            await self._gateway.wait()


@asynccontextmanager
async def begun(folder: Path) -> AsyncIterator[House]:
    """`perron add` without an id begins the house, `perron broker-config` its broker."""
    house = House(folder)
    adding.begin_home_file(house.file)
    text = house.file.read_text(encoding="utf-8").replace("8642", str(house.port))
    text = text.replace("  password_file", f"  port: {house.broker}\n  password_file")
    house.file.write_text(text.replace("timezone:", "clock: {source: host}\ntimezone:"), encoding="utf-8")
    done = await perron("broker-config", str(folder / "accounts"), "--home", str(house.file))
    assert done.returncode == 0, done.stderr
    broker = await asyncio.create_subprocess_exec(
        "mosquitto", "-c", str(folder / "accounts" / "mosquitto.conf"), stderr=subprocess.DEVNULL
    )
    try:
        yield house
    finally:
        await house.ends()
        broker.terminate()
        await broker.wait()


async def claims(owner: Page, house: House) -> None:
    await owner.goto(f"{house.address}/claim")
    code = (house.file.parent / "var" / "claim-code").read_text(encoding="ascii").strip()
    await owner.get_by_label("The box's code").fill(code)
    await owner.get_by_label("Name", exact=True).fill("Anna")
    await owner.get_by_label("New password").fill(ANNA_PASSWORD)
    await owner.get_by_role("button", name="Claim it").click()
    await expect(owner.locator("h1")).to_have_text("Set-up: 0 of 8 done")
    await owner.goto(house.address)
    await expect(owner.locator("main")).to_contain_text("There is no entrance here yet")


async def joins(owner: Page, installer: Page, house: House) -> None:
    await owner.goto(f"{house.address}/household")
    await owner.locator("[name=role][value=installer]").click()
    await installer.goto(await owner.locator(".qr ~ p code").first.inner_text())
    await installer.get_by_label("Name", exact=True).fill("Ida")
    await installer.get_by_label("New password").fill(PASSWORD)
    await installer.get_by_role("button", name="Join").click()
    await installer.get_by_role("link", name="Set it up").click()
    await expect(installer.locator("#phone")).to_contain_text("The owner does this.")
    await installer.get_by_role("link", name="Installation", exact=True).click()
    await installer.get_by_role("link", name="Add a device or an entrance").click()


async def proposes(page: Page, kind: str, name: str, texts: dict[str, str], chosen: dict[str, str]) -> None:
    """Fill in the form of a kind, field by field, by what each is called."""
    await page.get_by_role("link", name=kind, exact=True).click()
    form = page.locator("form.fields")
    await form.get_by_label("Id (a-z, 0-9, -)").fill(name)
    for label, value in texts.items():
        await form.get_by_label(re.compile(rf"^{label}( |,|:|$)")).fill(value)
    for label, value in chosen.items():
        await form.get_by_label(label, exact=True).select_option(value)
    if kind == "Entrance":
        await form.get_by_role("checkbox", name="front-scanner").check()
        await form.get_by_label("From inside the door opens by hand").check()
    await form.get_by_role("button", name="Propose").press("Enter")
    await expect(page.get_by_role("heading", name=f"{name} {kind}", exact=True)).to_be_visible()


VENDOR = "Brand or protocol"
DEVICES: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
    ("Lock", "front-lock", {"Address": "zigbee2mqtt/front-lock", "Answers within": "8"},
     {VENDOR: "zigbee2mqtt", "Does it lock by itself some time after it was unlocked?": "no"}),
    ("Door sensor", "front-door", {}, {VENDOR: "esphome"}),
    ("Camera", "doorbell", {"Address of the stream": "rtsp://127.0.0.1:9/stream", "User": "admin",
                            "The camera's password": PASSWORD}, {VENDOR: "rtsp"}),
    ("Door light and buzzer", "front-signal", {}, {VENDOR: "signal"}),
    ("Scanner", "front-scanner", {}, {VENDOR: "scanner"}),
]  # fmt: skip
FRONT = {"Lock": "front-lock", "Door sensor, not the lock's own": "front-door", "Door light and buzzer": "front-signal",
         "Camera outside": "doorbell"}  # fmt: skip


async def comes_back(page: Page, address: str) -> None:
    """The box was gone: go there again until it is back."""

    async def is_back() -> bool:
        with contextlib.suppress(Error):
            await page.goto(address, timeout=5000)
            return True
        return False

    await wait_until(is_back, every=0.25)


async def test_an_empty_house_grows_to_an_entrance_on_two_phones_though_the_box_is_killed_in_the_middle(
    tmp_path: Path,
) -> None:
    async with begun(tmp_path) as house, visitor() as somebody:
        await house.begins()
        owner, installer = await somebody.page(), await somebody.page()
        await claims(owner, house)
        await joins(owner, installer, house)
        empty = house.file.read_bytes()
        for kind, name, texts, chosen in DEVICES:
            await proposes(installer, kind, name, texts, chosen)
        await house.killed()
        await house.begins("-c", DIES, more=["written"])
        await comes_back(installer, f"{house.address}{PAGE}")
        await expect(installer.get_by_role("button", name="Withdraw")).to_have_count(len(DEVICES))
        await installer.goto(f"{house.address}{PAGE}?kind=entrance")
        assert await accessibility_problems(installer) == []
        cookies = await installer.context.storage_state()
        plain = await somebody.page(java_script_enabled=False, storage_state=cookies)
        await plain.goto(f"{house.address}{PAGE}")
        await proposes(plain, "Entrance", "front", {"Name": "Front", "Where a parcel is left": "Hall"}, FRONT)
        assert house.file.read_bytes() == empty, "all of it is only proposed"

        await owner.goto(house.address)
        await owner.get_by_role("link", name="See and decide").click()
        await expect(owner.locator("main")).to_contain_text("The walk test was not made yet")
        assert PASSWORD not in await owner.content()
        assert await accessibility_problems(owner) == []
        await owner.get_by_label("Password").fill(ANNA_PASSWORD)
        with contextlib.suppress(Error):
            await owner.get_by_role("button", name="Accept into the house").click(no_wait_after=True)
        await house.dead()  # between writing and reading anew
        await house.begins()
        await comes_back(owner, f"{house.address}{PAGE}")
        await expect(owner.get_by_text("Applied: it is part of the house.")).to_have_count(len(DEVICES) + 1)
        await expect(owner.locator("main")).to_contain_text("The broker may not know these yet: front-door")
        await owner.goto(house.address)
        await expect(owner.get_by_role("heading", name="Front")).to_be_visible()
        login = load_home_file(house.file).devices["doorbell"].model_dump()["credentials_file"]
        assert login.read_text() == f"admin:{PASSWORD}\n"
        text = (house.log.read_bytes() + (tmp_path / "var" / "proposals" / "proposals.json").read_bytes()).decode()
        assert PASSWORD not in text
        somebody.complaints.clear()  # the browser tells of connections that it could not make while the box was gone


async def test_an_owner_adds_a_device_in_one_step_and_removes_it_again_while_the_pages_follow_the_box(
    tmp_path: Path,
) -> None:
    async with begun(tmp_path) as house, visitor() as somebody:
        await house.begins()
        owner = await somebody.page()
        await claims(owner, house)
        password = tmp_path / "accounts" / "back-door.password"
        before = load_home_file(house.file)
        await owner.goto(f"{house.address}{PAGE}?kind=door")
        await owner.get_by_label("Id (a-z, 0-9, -)").fill("back-door")
        await owner.get_by_label(VENDOR, exact=True).select_option("esphome")
        await owner.get_by_label("Your password").fill(ANNA_PASSWORD)
        await owner.get_by_role("button", name="Add", exact=True).click()
        await expect(owner.get_by_text("Applied: it is part of the house.")).to_be_visible(timeout=30_000)
        assert password.exists()

        await owner.goto(f"{house.address}/installation")
        await owner.get_by_role("link", name="Remove Door sensor").click()
        assert await accessibility_problems(owner) == []
        await owner.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)
        await owner.get_by_role("button", name="Remove").click()
        await expect(owner.locator("h1")).to_have_text("Installation", timeout=30_000)
        await expect(owner.get_by_role("heading", name="back-door")).to_have_count(0)
        assert load_home_file(house.file) == before
        assert not password.exists()
        assert "back-door" not in (tmp_path / "accounts" / "passwords").read_text(encoding="ascii")
        somebody.complaints.clear()  # the browser tells of connections that it could not make while the box was gone


async def test_a_visit_that_runs_is_not_dropped_for_an_addition_and_it_is_applied_once_the_courier_is_out(
    tmp_path: Path,
) -> None:
    port = free_port()

    def plan(made: DemoPlan) -> DemoPlan:
        return soon_over(with_pages(made, port))

    async with (
        run_whole_house(tmp_path, plan, rigged=False) as play,
        ClientSession(f"http://127.0.0.1:{port}", cookie_jar=CookieJar(unsafe=True)) as owner,
    ):
        box = play.plan.home
        code = box.claim_code_file.read_text(encoding="ascii").strip()
        await owner.post("/claim", data={"code": code, "name": "Anna", "password": ANNA_PASSWORD})
        pid = reload.gateway_pid(box.storage.folder)
        parcels = await play.announce_delivery()
        await play.enter_with_parcel(parcels)
        door = {"kind": "door", "id": "back-door", "vendor": "esphome", "answers": "1"}
        await owner.post(PAGE, data={**door, "password": ANNA_PASSWORD})
        await until_shown(owner, "Written; applied once nothing happens at the doors any more.")
        assert "back-door" in load_home_file(tmp_path / "home.yaml").devices
        assert play.watch.is_online
        await play.leave_and_seal()
        await until_shown(owner, "Applied: it is part of the house.")
        assert reload.gateway_pid(box.storage.folder) == pid
        assert not play.stage.gateway.deaths
        await play.wait_until_ready()


async def shown(client: ClientSession) -> str:
    async with client.get(PAGE, headers={"Accept-Language": "en"}) as answer:
        return await answer.text()


async def until_shown(client: ClientSession, words: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):  # between two gateways
                if words in await shown(client):
                    return
            await asyncio.sleep(0.2)
