"""Supervisors learn that a yes is wanted and that a robot is stranded: by a webhook that answers, or does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.runtime.notifications.apprise import ApprisePhone
from gateway.runtime.supervisor_messages import SupervisorMessages, load_supervisor_phones
from gateway.system.backoff import Backoff
from gateway.system.config_section import ConfigError
from gateway.system.containment import Containment
from tests.gateway.domain.delivery.shop import PARCEL
from tests.gateway.runtime.hostile_robot import Doorway, browser, doorway, home_with_robots, robots
from tests.gateway.runtime.test_robot_door import comes, goes_in, says_yes
from tests.shell.box import run_tasks
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
FAST = Backoff(0.05, 0.1)


class Hooks:
    """An operator's webhook: one that answers `fails` times with an error."""

    def __init__(self, fails: int = 0) -> None:
        self.fails, self.came, self.asked = fails, list[dict[str, Any]](), 0

    async def receive(self, request: web.Request) -> web.Response:
        """Take a message."""
        self.asked += 1
        if self.asked <= self.fails:
            return web.Response(status=500)
        self.came.append(await request.json())
        return web.Response()


@asynccontextmanager
async def told(there: Doorway, folder: Path, hooks: dict[str, Hooks]) -> AsyncIterator[None]:
    """Each supervisor has a webhook."""
    application = web.Application()
    for name, hook in hooks.items():
        application.router.add_post(f"/{name}", hook.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    phones = {
        name: (ApprisePhone(f"json://127.0.0.1:{port}/{name}", key=b"k" * 32, scratch=folder / "scratch"),)
        for name in hooks
    }
    messages = SupervisorMessages(
        there.made.home, entrances={"front": there.made.front}, phones=phones, address=lambda: "https://perron.home",
        containment=Containment(), retry=FAST,
    )  # fmt: skip
    try:
        async with run_tasks(messages.run()):
            yield
    finally:
        await runner.cleanup()


async def test_a_supervisor_is_told_once_that_a_yes_is_wanted_and_once_that_the_robot_is_stranded(
    tmp_path: Path,
) -> None:
    hooks = {"ines": Hooks(fails=2), "otto": Hooks()}
    async with (
        doorway(tmp_path) as there,
        robots(there, "r1") as (robot,),
        browser(there) as ines,
        told(there, tmp_path, hooks),
    ):
        visit = await comes(there, robot)
        await wait_until(lambda: len(hooks["ines"].came) == 1)
        (wanted,) = hooks["ines"].came
        assert "r1" in wanted["message"]
        assert "https://perron.home/supervisor" in wanted["message"]
        await says_yes(there, ines, visit)
        await goes_in(there, robot)
        for _ in range(3):
            stopped = {"safetyState": {"activeEmergencyStop": "MANUAL", "fieldViolation": False}}
            await robot.says(robot.state(("q1", "GRANTED"), loads=(), **stopped))
            await robot.says(robot.state(("q1", "GRANTED"), loads=()))
        await wait_until(lambda: len(hooks["ines"].came) == 2)
        await there.settles_with(robot, ("q1", "GRANTED"))
        assert len(hooks["ines"].came) == 2
        assert hooks["ines"].asked == 4, "two failures were tried again"
        assert not any(PARCEL in str(one) or "d1" in str(one["message"]) for one in hooks["ines"].came)
        assert hooks["otto"].asked == 0, "another operator learns nothing"


async def test_what_is_over_is_told_to_nobody(tmp_path: Path) -> None:
    hooks = {"ines": Hooks(fails=1_000)}
    async with (
        doorway(tmp_path) as there,
        robots(there, "r1") as (robot,),
        browser(there) as ines,
        told(there, tmp_path, hooks),
    ):
        visit = await comes(there, robot)
        await wait_until(lambda: hooks["ines"].asked > 1)
        assert await ines.sends(ines.token(ines.claims(visit, b"", yes=False, picture_sha256=None))) == 200
        await wait_until(lambda: there.visit is None)
        await asyncio.sleep(2 * FAST.max_s)  # one that was on its way
        asked = hooks["ines"].asked
        await assert_stays(lambda: hooks["ines"].asked == asked, 5 * FAST.max_s)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    home = home_with_robots(tmp_path)
    ines = home.supervisors["ines"].model_copy(update={"messages": tmp_path / "ines.urls"})
    home = home.model_copy(update={"supervisors": {**home.supervisors, "ines": ines}})
    with pytest.raises(ConfigError, match=r"ines\.urls.*Correct supervisors\.ines\.messages"):
        load_supervisor_phones(home, key=b"k" * 32)
    (tmp_path / "ines.urls").write_text("# the operator\njsons://operator.example/perron\n", encoding="ascii")
    assert {name: len(phones) for name, phones in load_supervisor_phones(home, key=b"k" * 32).items()} == {"ines": 1}
