"""Codes on a Matter lock through `perron matter`: stored, read back, withdrawn, and refused, at a real broker."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.commands import ClearCode, SetCode
from devices.reports import (
    CodesReport,
    CodeStatus,
    CommandProgress,
    ErrorReport,
    KeypadCode,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    ProgressReport,
)
from devices.simulators.control import Impossible
from devices.vendors.matter import encode_command
from tests.gateway.integrations.matter.beside import KEYPAD, LOCK, house

pytestmark = pytest.mark.slow
STARTS, ENDS = datetime(2026, 12, 3, 14, 0, tzinfo=UTC), datetime(2026, 12, 6, 10, 15, tzinfo=UTC)
CODE = SetCode(id="k1", pin="345678", name="guest-a1", slot=5, starts=STARTS, ends=ENDS)
STORED = KeypadCode(slot=5, status=CodeStatus.ENABLED, name="guest-a1", starts=STARTS, ends=ENDS)
FREE = KeypadCode(slot=5, status=CodeStatus.AVAILABLE)


def taken(id_: str) -> ProgressReport:
    return ProgressReport(id=id_, progress=CommandProgress.ACCEPTED)


async def test_a_code_is_stored_read_back_with_its_times_and_withdrawn(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        assert (await one.read_slot(LOCK, 5)).codes == (FREE,)
        assert await one.change_code(LOCK, CODE) == taken("k1")
        assert (await one.read_slot(LOCK, 5)).codes == (STORED,)
        assert matter.server.physical()["slots"] == [5]
        everything = await one.read_slot(LOCK, None)
        assert (everything.is_complete, STORED in everything.codes) == (True, True)
        assert await one.change_code(LOCK, ClearCode(id="k2", slot=5)) == taken("k2")
        assert (await one.read_slot(LOCK, 5)).codes == (FREE,)
        assert not any(b"345678" in said.payload for said in one.said), "no PIN ever comes back"


async def test_a_guest_who_types_his_code_is_told_with_his_slot_and_a_code_that_is_over_opens_nothing(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    valid = replace(CODE, starts=now - timedelta(hours=1), ends=now + timedelta(hours=1))
    over = replace(CODE, id="k2", pin="999999", slot=6, starts=now - timedelta(hours=2), ends=now)
    async with house(tmp_path) as (one, matter):
        await one.change_code(LOCK, valid)
        await one.change_code(LOCK, over)
        for wrong in ("999999", "000000"):
            with pytest.raises(Impossible, match="no such PIN"):
                matter.server.type_code(wrong, "resident")
        after = len(one.said)
        matter.server.type_code("345678", "resident")
        typed = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.KEYPAD, user="user 5", event=True)
        await one.until_said(LOCK, typed, after=after)
        await one.until_said(LOCK, LockReport(bolt=LockState.UNLOCKED), after=after)
        assert not any(b"345678" in said.payload for said in one.said[after:])


async def test_a_lock_that_keeps_a_code_it_was_told_to_delete_is_found_out(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        await one.change_code(LOCK, CODE)
        matter.server.set_fault("keeps", on=True)
        assert await one.change_code(LOCK, ClearCode(id="k2", slot=5)) == taken("k2")
        assert (await one.read_slot(LOCK, 5)).codes == (STORED,)


async def test_a_code_that_the_lock_does_not_store_leaves_nothing_behind(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("refuses", on=True)
        refused = await one.change_code(LOCK, CODE)
        assert refused == ErrorReport(id="k1", failure=OperationError.RESTRICTED)
        assert (await one.read_slot(LOCK, 5)).codes == (FREE,)


async def test_a_slot_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, _):
        await one.change_code(LOCK, CODE)
        second = SetCode(id="k3", pin="777777", name="thief", slot=5)
        assert isinstance(await one.change_code(LOCK, second), ErrorReport)
        assert (await one.read_slot(LOCK, 5)).codes == (STORED,)


async def test_a_query_right_after_an_order_waits_until_it_is_carried_out(tmp_path: Path) -> None:
    async with house(tmp_path) as (one, matter):
        matter.server.set_fault("asleep", on=True)
        await one.send(LOCK, encode_command(CODE, KEYPAD).payload)
        reading = asyncio.create_task(one.read_slot(LOCK, 5))
        await asyncio.sleep(0.3)
        matter.server.set_fault("asleep", on=False)
        assert (await reading).codes == (STORED,)


async def test_a_lock_that_sleeps_answers_for_no_slot(tmp_path: Path) -> None:
    async with house(tmp_path, timeout_s=0.5) as (one, matter):
        matter.server.set_fault("asleep", on=True)
        said = await one.ask(LOCK, b'{"codes":5}')
        assert b"no_answer" in said.payload
        assert CodesReport not in {type(report) for report in said.reports}
        refused = await one.change_code(LOCK, CODE)
        assert refused == ErrorReport(id="k1", failure=OperationError.TIMEOUT)


async def test_no_pin_stands_in_what_the_process_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(tmp_path) as (one, matter):
        await one.change_code(LOCK, CODE)
        matter.server.set_fault("refuses", on=True)
        await one.change_code(LOCK, SetCode(id="k4", pin="787878", name="b", slot=6))
    said = capsys.readouterr()
    assert "k4" in said.out
    assert not [pin for pin in ("345678", "787878", "MzQ1Njc4", "Nzg3ODc4") if pin in said.out + said.err]
