"""The cold chain on the page of a visit: a verdict on each item, and the air with its marks."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import make_offer_v2
from tests.gateway.storage.test_item_results import ITEMS, at, visit
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A visit that stowed the fish and not the milk."""
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await receive(made.store, make_offer_v2(items=ITEMS))
        await visit(made.store)
        film = c.StartRecording(visit="v1")
        await made.store.commit(make_step(Entrance(id="front", incident="v1"), film, now=at(90)))
        yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Cold chain", "within its limits all the way", "nobody scanned it at its place", "0.0 °C to 2.0 °C")),
        ("fr", ("Chaîne du froid", "dans ses limites tout du long", "à sa place", "de 0,0 °C à 2,0 °C")),
    ],
)
async def test_the_page_of_a_visit_says_of_each_item_how_its_cold_chain_held(
    site: ServedSite, language: str, words: tuple[str, ...]
) -> None:
    headers = {"Accept-Language": language}
    async with site.client(site.owner) as client, client.get("/history/v1", headers=headers) as answer:
        text = (await answer.text()).replace("&#39;", "'")
    for word in words:
        assert word in text
    assert text.count('class="plot"') == 1, "the plot of the cold chain replaces the one of the fridge"
    assert re.search(r'<polyline points="[0-9., ]+"/>', text)
    assert text.count('class="mark"') == 3
    assert " style=" not in text


async def test_a_visit_without_items_has_no_cold_chain(tmp_path: Path) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        film = c.StartRecording(visit="incident-1")
        await made.store.commit(make_step(Entrance(id="front", incident="incident-1"), film, now=at(90)))
        async with site.client(site.owner) as client, client.get("/history/incident-1") as answer:
            assert 'id="cold-chain"' not in await answer.text()
