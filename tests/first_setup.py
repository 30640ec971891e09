"""The first set-up as a person does it: one command, then the pages on a phone. Two tests share it."""

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import accessibility_problems
from tests.gateway.cli.terminal import RunningCommand, run_perron, start_command
from tests.gateway.web.house import ANNA_PASSWORD

ONE_AT_A_TIME = pytest.mark.xdist_group("announced house")  # by mDNS a box would find the devices of another test's
DEVICES = {"doorbell", "front-door", "front-lock", "front-scanner", "front-signal", "hall-camera"}
PRESSES = 5  # of a button, until each camera was in time
LOST = "Failed to load resource|WebSocket|ERR_CONNECTION"  # while the box reads the changed house


@contextmanager
def box_set_up(folder: Path, *, zone: str = "Europe/Paris", further_yaml: str = "") -> Iterator[RunningCommand]:
    """`perron setup` in an empty folder, with a Zigbee bridge to come.

    `further_yaml` are settings for which the house of a test differs from one at home.
    """
    port, broker = str(free_port()), str(free_port())
    options = (
        "setup", folder, "--name", "Lilac Street", "--zone", zone, "--language", "en", "--address",
        "127.0.0.1", "--port", port, "--broker-port", broker, "--bridge", "zigbee2mqtt", "--yes",
    )  # fmt: skip
    if further_yaml:
        assert run_perron(*options, "--no-run").returncode == 0
        file = folder / "home.yaml"
        file.write_text(file.read_text(encoding="utf-8") + further_yaml, encoding="utf-8")
    with start_command(*options, terminal=True) as box:
        box.until("/claim#code=")
        yield box
        assert box.end(signal.SIGINT) == 0


async def claims(page: Page, box: RunningCommand) -> None:
    """Open the address of the QR code, and choose a name and a password."""
    link = re.search(r"http://\S+/claim#code=[0-9A-Z-]+", box.text)
    assert link is not None
    await page.goto(link[0])
    await page.get_by_label("Name", exact=True).fill("Anna")
    await page.get_by_label(re.compile("New password")).fill(ANNA_PASSWORD)
    await page.get_by_role("button", name="Claim it").click()
    await expect(page.locator("h1")).to_have_text("Set-up: 0 of 8 done")


async def adds_what_was_found(page: Page) -> None:
    """Look at what was found, each with its picture or its answer, and add what is ticked."""
    await page.get_by_role("link", name="Add devices").click()
    for name in sorted(DEVICES - {"front-lock"} | {"front lock"}):
        await expect(page.locator(".find", has_text=name)).to_be_visible()
    for _ in range(PRESSES):
        if await page.locator(".find img").count() == 2:
            break
        async with page.expect_navigation():
            await page.get_by_role("button", name="Search again").click()
    for camera in ("doorbell", "hall-camera"):
        still = page.get_by_alt_text(f"What {camera} sees now")
        await expect(still).to_be_visible()
        assert await still.evaluate("one => one.naturalWidth") > 300, "a real picture"
    await expect(page.locator(".find", has_text="front lock")).to_contain_text(
        re.compile(r"answers in \d\.\d s: locked")
    )
    await expect(page.locator(".find", has_text="front-door")).to_contain_text("once it has its account")
    assert await accessibility_problems(page) == []
    fridge = page.locator(".find", has_text="fridge").get_by_role("checkbox")
    await expect(fridge).not_to_be_checked()
    await page.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)
    await page.get_by_role("button", name="Add what is ticked").click()


async def adds_the_entrance(page: Page, box: RunningCommand) -> None:
    """Accept the entrance that the devices make, once the box has read its changed house; wait until it is ready."""
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Front door")
    await expect(page.get_by_role("radio", name="doorbell")).to_be_checked()
    await page.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)
    await page.get_by_role("button", name="Add this entrance").click()
    await expect(page.locator("#entrance.good")).to_contain_text("Front door")
    await asyncio.to_thread(box.until, "Ready: front.")


async def each_device_answers(page: Page) -> None:
    """The checklist asks each device live, once more if a loaded machine was late; it says which cannot be asked."""
    answers = page.locator("#answers")
    for _ in range(PRESSES):
        async with page.expect_navigation():  # comes when all were asked
            await answers.get_by_role("button", name="Ask all of them").click()
        if "4 of 4 have answered." in await answers.inner_text():
            break
    await expect(answers).to_contain_text("4 of 4 have answered.")
    await expect(answers).to_contain_text("Not asked, because they answer no question")
    await expect(answers.locator("li", has_text="front-scanner")).to_contain_text("answers no question")
