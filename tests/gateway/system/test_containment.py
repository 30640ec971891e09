import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.system.containment import (
    MAX_FAULTS,
    MAX_QUARANTINED_ROWS,
    RESTART_BACKOFF,
    ROW_BACKOFF,
    ContainedFault,
    Containment,
    RowQuarantine,
)
from tests.raising import ARBITRARY_EXCEPTIONS


class Board:
    """What a containment counted and reported."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        self.reported: list[ContainedFault] = []
        self.containment = Containment(report=self.reported.append, count=self.counted.append)


@given(st.lists(st.sampled_from([None, *ARBITRARY_EXCEPTIONS]), max_size=30))
def test_whatever_a_piece_raises_the_next_piece_is_worked(kinds: list[Callable[[], Exception] | None]) -> None:
    board, worked = Board(), 0
    for place, kind in enumerate(kinds):
        with board.containment.piece("worker", str(place)) as piece:
            if kind is not None:
                raise kind()
            worked += 1
        assert (piece.fault is None) == (kind is None)
    assert worked == kinds.count(None)
    assert len(board.counted) == len(kinds) - worked


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_cancellation_and_the_end_of_the_interpreter_pass(kind: type[BaseException]) -> None:
    board = Board()
    with pytest.raises(kind), board.containment.piece("worker"):
        raise kind
    assert board.counted == []


def test_a_foreseen_failure_of_the_world_passes_to_whoever_waits_for_it() -> None:
    with pytest.raises(ConnectionResetError), Board().containment.piece("worker", foreseen=(OSError,)):
        raise ConnectionResetError


def broken(number: int) -> None:
    raise ValueError(f"bad\x1b[2Jline {number}\nsecond line")


def test_faults_of_one_kind_are_each_counted_and_reported_once() -> None:
    board = Board()
    for number in range(50):
        with board.containment.piece("worker", f"item\n{number}"):
            broken(number)
    assert (len(board.counted), len(board.reported)) == (50, 1)
    assert board.reported[0].text == "bad?[2Jline 0"
    assert board.reported[0].item == "item?0"
    with board.containment.piece("another worker"):
        broken(1)
    assert len(board.reported) == 2


def test_only_so_many_kinds_are_remembered() -> None:
    board = Board()
    for number in range(MAX_FAULTS + 1):
        with board.containment.piece(f"worker {number}"):
            broken(number)
    with board.containment.piece("worker 0"):
        broken(0)
    assert len(board.reported) == MAX_FAULTS + 2


async def test_a_loop_that_raises_is_begun_again_ever_more_slowly_until_it_returns() -> None:
    board, begun, slept = Board(), 0, list[float]()

    async def loop() -> None:
        nonlocal begun
        begun += 1
        if begun <= 9:
            raise RuntimeError

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await board.containment.keep("worker", loop, sleep=sleep)
    assert begun == 10
    assert slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[RESTART_BACKOFF.max_s] * 3]
    assert len(board.reported) == 1


async def test_a_kept_loop_ends_when_it_is_cancelled() -> None:
    async def loop() -> None:
        await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(Board().containment.keep("worker", loop))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_row_that_is_set_aside_is_tried_again_after_a_minute_then_ever_later_and_within_a_day() -> None:
    now = 0.0
    aside, waits = RowQuarantine(monotonic=lambda: now), list[float]()
    for _ in range(14):
        aside.add("row")
        began = now
        while "row" in aside:
            now += 30.0
        waits.append(now - began)
        assert aside.rows() == ()
    assert waits[:3] == [ROW_BACKOFF.first_s, 2 * ROW_BACKOFF.first_s, 4 * ROW_BACKOFF.first_s]
    assert waits[-1] == ROW_BACKOFF.max_s
    aside.done("row")
    aside.add("row")
    now += ROW_BACKOFF.first_s
    assert "row" not in aside


def test_however_many_rows_are_set_aside_a_bounded_number_is_remembered() -> None:
    aside = RowQuarantine(monotonic=lambda: 0.0)
    for number in range(3 * MAX_QUARANTINED_ROWS):
        aside.add(str(number))
    assert len(aside.rows()) == MAX_QUARANTINED_ROWS
    assert "0" not in aside
    assert str(3 * MAX_QUARANTINED_ROWS - 1) in aside
