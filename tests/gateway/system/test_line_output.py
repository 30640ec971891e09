"""Log lines leave in their order: those of one moment together, a warning at once. Who reads them stops nothing."""

import asyncio
import contextlib
import itertools
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from gateway.system import line_output
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


@pytest.fixture
def reading_and_stdout() -> Iterator[tuple[int, TextIO]]:
    """The reading end of a pipe, and a stdout that writes to it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(writing, "w", encoding="utf-8") as stdout:  # noqa: PTH123 - of a descriptor
        yield reading, stdout


def read(reading: int) -> str:
    try:
        return os.read(reading, 10_000_000).decode()
    except BlockingIOError:
        return ""


async def test_a_reader_that_stops_holds_nobody_and_gets_the_lines_in_order_when_he_reads_on(
    reading_and_stdout: tuple[int, TextIO],
) -> None:
    reading, stdout = reading_and_stdout
    lines, said = LineOutput(stdout), [f"{number:04}" + "x" * 996 for number in range(300)]
    for line in said:
        lines.warning(line)
    heard = ""
    async with asyncio.timeout(30):
        while len(heard) < 300 * 1001:
            heard += read(reading)
            await asyncio.sleep(0)
    assert heard.splitlines() == said
    os.close(reading)


async def test_of_too_many_lines_that_wait_the_oldest_are_lost_and_stderr_says_how_many(
    reading_and_stdout: tuple[int, TextIO], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_output, "MAX_WAITING_LINES", 10)
    reading, stdout = reading_and_stdout
    os.set_blocking(stdout.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(stdout.fileno(), b"x" * 4096)
    lines = LineOutput(stdout)
    lines.warning("first")  # it waits to be written, and is the first to leave
    for number in range(30):
        lines.warning(str(number))
    read(reading)
    lines.flush()
    assert read(reading).splitlines() == ["first", *map(str, range(20, 30))]
    assert "20 lines are lost" in capsys.readouterr().err
    os.close(reading)


def test_a_slow_reader_has_its_seconds_once_for_all_lines_and_not_again_for_each_piece(
    reading_and_stdout: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stdout = reading_and_stdout
    lines, given, instants = LineOutput(stdout), list[float](), itertools.count(0.0, 0.25)
    monkeypatch.setattr(line_output, "_is_ready", lambda *_: False)
    for _ in range(6):
        lines.warning("x" * (select.PIPE_BUF - 1))

    def is_ready_late(_descriptor: int, patience_s: float) -> bool:
        given.append(patience_s)
        return True

    monkeypatch.setattr(line_output, "_is_ready", is_ready_late)
    monkeypatch.setattr(line_output, "boot_time_s", lambda: next(instants))
    lines.flush(1.0)
    assert given == [0.75, 0.5, 0.25, 0, 0, 0]
    os.close(reading)


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_log_that_nobody_takes_ends_no_program_and_is_told_once(
    reading_and_stdout: tuple[int, TextIO], capsys: pytest.CaptureFixture[str], *, is_there: bool
) -> None:
    reading, stdout = reading_and_stdout
    lines = LineOutput(stdout)
    os.close(reading)
    if not is_there:
        stdout.close()
    for _ in range(3):
        lines.warning("unreadable message")
    lines.info("and another")
    lines.flush()
    assert capsys.readouterr().err.count("perron: stdout does not take the log (") == 1


def test_a_full_disk_loses_lines_and_is_told_when_it_takes_some_again(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        lines, kept = LineOutput(log), os.dup(log.fileno())
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, log.fileno())
        lines.warning("one")
        lines.warning("two")
        os.dup2(kept, log.fileno())
        lines.warning("three")
        os.close(full)
        os.close(kept)
    assert (tmp_path / "log").read_text() == "three\n"
    assert capfd.readouterr().err.splitlines()[1:] == ["perron: stdout takes the log again; 2 lines are lost."]
