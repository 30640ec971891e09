"""Runs of the demo's page: one that cannot begin, and those of other ways in."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.demo.page.runner import DemoRunner
from gateway.demo.page.script import make_show
from gateway.demo.page.snapshot import DemoSnapshot
from gateway.demo.run import DemoObserver
from tests.gateway.demo.page.runner import serve_page


async def test_a_run_that_cannot_begin_says_on_the_page_why_and_what_to_do() -> None:
    def refuse(_title: str) -> Path:
        raise Failure("/a/folder is too long a path.", "Name a shorter --folder.")

    runner = DemoRunner(
        refuse, lambda: datetime.now(UTC), fast=True, language="en", make_show=make_show,
        make_observer=lambda _scenario: DemoObserver(),
    )  # fmt: skip
    running = asyncio.create_task(runner.run())
    try:
        assert runner.request_scenario("flat:street-wedged")
        await runner.wait_until("the run over", lambda shown: shown.stage == "over")
        assert runner.snapshot.complaints == ("/a/folder is too long a path. Name a shorter --folder.",)
        assert not runner.all_passed
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.slow
async def test_the_film_of_a_scene_of_several_doors_names_each_door(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page:
        shown = await played(page.theatre, "key-safe")
    assert shown.complaints == ()
    assert shown.film is not None
    texts = [moment.text["en"] for moment in shown.film.moments]
    assert "Key safe opens" in texts
    assert "Door with a key opens" in texts
    assert "Porte à clé s'ouvre" in [moment.text["fr"] for moment in shown.film.moments]


@pytest.mark.slow
async def test_a_scene_at_a_reception_ends_without_a_film(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page:
        shown = await played(page.theatre, "concierge:declined")
    assert (shown.complaints, shown.film) == ((), None)


async def played(runner: DemoRunner, title: str) -> DemoSnapshot:
    """Play a scene; return what the page shows in the end."""
    assert runner.request_scenario(title)
    await runner.wait_until("the run over", lambda shown: shown.stage == "over", within=120)
    return runner.snapshot
