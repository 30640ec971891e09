"""A whole house notifies a phone: real broker, gateway, camera and browser; the push service is the tests' own."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_installable import CONTROLLED
from tests.gateway.web.test_notified import CLICK, PUSH, RECORDS, SHOWN, subscribe_script
from tests.pushservice import PushBrowser, push_service
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]


async def test_a_phone_that_was_notified_by_one_press_shows_the_door_and_keeps_it_shut(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with push_service(tmp_path / "push") as service:

        def with_pages(plan: DemoPlan) -> DemoPlan:
            sections = {"pages": PagesSection(port=port), "push": service.section}
            return replace(plan, home=plan.home.model_copy(update=sections))

        async with run_whole_house(tmp_path, with_pages) as play, visitor() as somebody:
            phone = await somebody.page(locale="en-GB")
            await phone.context.add_init_script(subscribe_script(PushBrowser(service)))
            await phone.goto(f"{address}/claim")
            await phone.get_by_label("The box's code").fill(play.plan.home.claim_code_file.read_text("ascii").strip())
            await phone.get_by_label("Name", exact=True).fill("Anna")
            await phone.get_by_label("New password").fill(ANNA_PASSWORD)
            await phone.get_by_role("button", name="Claim it").click()
            await expect(phone.locator("nav.menu")).to_be_visible()
            await phone.goto(f"{address}/settings/messages")
            await phone.locator("[data-start]").click()
            await expect(phone.locator("[data-when=told]")).to_be_visible()
            await phone.get_by_role("button", name="Send a test message").click()
            await wait_until(lambda: service.got)
            assert service.got[0].said["body"] == "Perron is trying this phone: its messages arrive here."

            await phone.evaluate(CONTROLLED)
            (worker,) = [one for one in phone.context.service_workers if one.url.endswith("/worker.js")]
            await worker.evaluate(RECORDS)
            parcels = await play.announce_delivery()
            await play.scan_codes(parcels)
            await wait_until(lambda: any(one.said["ringing"] for one in service.got))
            ringing = next(one.said for one in service.got if one.said["ringing"])
            await worker.evaluate(PUSH, ringing)
            shown = (await worker.evaluate(SHOWN))[-1]
            assert shown["actions"][0]["title"] == "Do not open"
            picture = base64.b64decode(shown["image"].partition(",")[2])
            assert Image.open(io.BytesIO(picture)).size[0] >= 160, "what the door's camera saw"
            await worker.evaluate(CLICK, "veto")
            assert (await worker.evaluate(SHOWN))[-1]["body"] == "The door stays shut."
            await wait_until(
                lambda: service.got[-1].said["tag"] == ringing["tag"] and not service.got[-1].said["ringing"]
            )
            assert "stayed shut" in service.got[-1].said["body"], "what came of it takes the place of the ringing"
            assert service.got[-1].headers["Topic"] == next(
                one.headers["Topic"] for one in service.got if one.said["ringing"]
            )
        assert service.refused == []
