"""The examination as a page: who may see it, in which language, and that nothing waits for it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.web.access import Role
from tests.shell.box import awake, box
from tests.shell.house import PARCEL, home
from tests.shell.receiver import SECRET, receiver
from tests.shell.site import Served, served

PAGE = "/installation/examination"
ENGLISH, FRENCH = {"Accept-Language": "en"}, {"Accept-Language": "fr"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with box(tmp_path, home(tmp_path)) as made, awake(made), served(made) as site:
        await made.good_day()
        yield site


async def test_a_broker_that_is_gone_is_red_with_its_remedy_in_the_reader_s_language(site: Served) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client:
        async with client.get(PAGE, headers=ENGLISH) as answer:
            assert "Not examined yet" in await answer.text()
        began = time.monotonic()
        async with client.post(PAGE, headers=ENGLISH) as answer:
            english = await answer.text()
        assert time.monotonic() - began < 6
        async with client.get(PAGE, headers=FRENCH) as answer:
            french = await answer.text()
    print(re.sub(r"<[^>]+>", "", english))
    print(re.sub(r"<[^>]+>", "", french))
