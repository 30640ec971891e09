"""From an empty machine to an entrance that is ready: one command, then a phone alone; the devices announce themselves.

Everything is real but the devices and the door: `perron setup` with its broker and gateway, mDNS, the browser.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.config.loader import load_home_file
from gateway.demo.processes import stop_detached
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.first_setup import (
    DEVICES,
    LOST,
    ONE_AT_A_TIME,
    adds_the_entrance,
    adds_what_was_found,
    box_set_up,
    claims,
    each_device_answers,
)
from tests.gateway.cli.terminal import start_command
from tests.gateway.web.house import ANNA_PASSWORD

pytestmark = [pytest.mark.slow, ONE_AT_A_TIME, *IN_SHARED_BROWSER]

MAX_ACTS, MAX_SECONDS = 6, 300.0


class Acts:
    """What a person did, and for how long: a command, or a form that was filled in and sent."""

    def __init__(self) -> None:
        self.began, self.done = time.monotonic(), list[str]()

    def count(self, act: str) -> None:
        self.done.append(act)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


async def test_an_empty_machine_is_ready_in_at_most_six_acts_and_five_minutes(
    short_folder: Path, record_property: Callable[[str, object], None]
) -> None:
    folder, acts = short_folder / "box", Acts()
    try:
        acts.count("perron setup")
        with (
            box_set_up(folder) as box,
            start_command("simulate", "--announce", "--home", folder / "home.yaml") as devices,
        ):
            devices.until("They announce themselves")
            async with visitor() as somebody:
                page = await somebody.page()
                await claims(page, box)
                acts.count("claim")
                assert await accessibility_problems(page) == []
                empty = load_home_file(folder / "home.yaml")
                await adds_what_was_found(page)
                acts.count("add what was found")

                await expect(page.get_by_label("Name", exact=True)).to_have_value("Front door")
                await expect(page.get_by_role("radio", name="doorbell")).to_be_checked()
                assert await accessibility_problems(page) == []
                home = load_home_file(folder / "home.yaml")
                assert set(home.devices) == DEVICES
                assert home.model_copy(update={"devices": {}}) == empty, "nothing else in the house has changed"
                await adds_the_entrance(page, box)
                acts.count("accept the entrance")
                seconds = acts.seconds
                record_property("acts", len(acts.done))
                record_property("seconds", round(seconds, 1))
                sys.stderr.write(f"From an empty machine to Ready: {len(acts.done)} acts, {seconds:.0f} s.\n")
                assert len(acts.done) <= MAX_ACTS, acts.done
                assert seconds < MAX_SECONDS

                await each_device_answers(page)
                await an_account_is_shown_once(page, folder)
                await page.goto(page.url.partition("/installation")[0])
                await expect(page.locator("main")).to_contain_text("Set-up: 3 of 8 done")
                await expect(page.locator("main")).to_contain_text("Locked")
                await somebody.leave(forgiven=LOST)
    finally:
        await stop_detached(folder / "box" / "video.pid")


async def an_account_is_shown_once(page: Page, folder: Path) -> None:
    """The account that was made when the sensor was added, as a QR code and as the block of its own configuration."""
    await page.get_by_role("link", name="Accounts at the broker").click()
    await page.get_by_role("button", name="Show the account of front-door").click()
    await page.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)  # since the box began anew nobody gave it
    await page.get_by_role("button", name="Confirm").click()
    password = (folder / "accounts" / "front-door.password").read_text(encoding="ascii").strip()
    await expect(page.locator("pre.stands").first).to_contain_text(f"mqtt_password: {password}")
    await expect(page.locator(".qr svg")).to_be_visible()
    assert await accessibility_problems(page) == []
    await page.goto(page.url)
    assert password not in await page.content(), "once"
    await expect(page.get_by_role("button", name="New password for front-door")).to_be_visible()
    assert json.loads((folder / "box" / "installation" / "shown.json").read_text()) == ["front-door"]
