"""A run of the demo's page that cannot begin."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from gateway.cli.failure import Failure
from gateway.demo.page.runner import DemoRunner
from gateway.demo.page.script import make_show
from gateway.demo.run import DemoObserver


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
