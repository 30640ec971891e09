"""Log lines leave in their order: those of one moment together, a warning at once."""

import asyncio
import threading

import pytest

from gateway.system.line_output import LineOutput


async def test_lines_of_one_moment_leave_together(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineOutput()
    lines.info("one")
    lines.info("two")
    assert not capsys.readouterr().out
    async with asyncio.timeout(30):
        while not (written := capsys.readouterr().out):  # noqa: ASYNC110 - a stdout says not that it was written to
            await asyncio.sleep(0)
    assert written == "one\ntwo\n"


async def test_a_warning_leaves_at_once_behind_what_was_said_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineOutput()
    lines.info("one")
    lines.warning("two")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_without_a_loop_each_line_leaves_at_once_and_none_stays_behind_in_a_loop_that_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = LineOutput()

    async def speak(line: str) -> None:
        lines.info(line)

    asyncio.run(speak("one"))
    asyncio.run(speak("two"))
    assert not capsys.readouterr().out
    lines.info("three")
    assert capsys.readouterr().out == "one\ntwo\nthree\n"


async def test_a_line_of_another_thread_overtakes_none(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineOutput()
    lines.info("one")
    thread = threading.Thread(target=lines.info, args=("two",))
    thread.start()
    thread.join()
    assert capsys.readouterr().out == "one\ntwo\n"
