"""A keypad at a real broker: what it stores, who may open with it, and how it can fail to forget a code."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.commands import ClearCode, SetCode
from devices.reports import (
    CodesReport,
    CodeStatus,
    ErrorReport,
    KeypadCode,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
)
from devices.simulators.control import Impossible, TypeCode
from tests.devices.street import LOCK, DeviceMessage, HouseClient, connected_house

pytestmark = pytest.mark.slow
KEYPAD = {"kind": "keypad", "vendor": "perron"}
NOW = datetime.now(UTC).replace(microsecond=0)
SET = SetCode(id="c1", pin="481516", name="p1", slot=21, starts=NOW - timedelta(hours=1), ends=NOW + timedelta(hours=1))
STORED = KeypadCode(slot=21, status=CodeStatus.ENABLED, name="p1", starts=SET.starts, ends=SET.ends)


async def codes(there: HouseClient) -> tuple[KeypadCode, ...]:
    (report,) = (one for one in (await there.ask("pad")).reports if isinstance(one, CodesReport))
    assert report.is_complete
    return report.codes


async def test_a_code_opens_the_door_while_the_keypad_has_it(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK, "pad": KEYPAD}) as there:
        assert await codes(there) == ()
        with pytest.raises(Impossible, match="no such code"):
            await there.house.ask(TypeCode(code="481516"))
        await there.tell("pad", SET)
        assert await codes(there) == (STORED,)
        await there.house.ask(TypeCode(code="481516"))
        await there.until(opened_by_keypad)
        await there.tell("pad", ClearCode(id="c2", slot=21))
        assert await codes(there) == ()


def opened_by_keypad(said: DeviceMessage) -> bool:
    bolts = [one for one in said.reports if isinstance(one, LockReport)]
    return [(one.bolt, one.source) for one in bolts] == [(LockState.UNLOCKED, OperationSource.KEYPAD)]


async def test_a_code_that_is_over_opens_nothing_unless_the_keypad_forgets_times(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK, "pad": KEYPAD}) as there:
        over = SetCode(id="c1", pin="481516", name="p1", slot=21, starts=NOW, ends=NOW)
        await there.tell("pad", over)
        assert [code.ends for code in await codes(there)] == [NOW]
        with pytest.raises(Impossible, match="no such code"):
            await there.house.ask(TypeCode(code="481516"))
        await there.fault("pad", "timeless")
        await there.tell("pad", over)
        assert [code.ends for code in await codes(there)] == [None], "and it says so"


async def test_a_keypad_can_keep_a_code_or_refuse_one_and_then_says_so(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK, "pad": KEYPAD}) as there:
        await there.tell("pad", SET)
        await there.fault("pad", "keeps")
        await there.tell("pad", ClearCode(id="c2", slot=21))
        assert await codes(there) == (STORED,)
        assert [line["state"] for line in there.logged("code")] == ["stored"], "nothing was deleted"
        await there.fault("pad", "refuses")
        await there.tell("pad", SetCode(id="c3", pin="481517", name="p2", slot=22))
        await there.until_said("pad", ErrorReport(id="c3", failure=OperationError.UNSPECIFIED))
