"""The control socket, and the house as a process of its own."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devices.simulators.control import (
    REQUEST,
    Arrive,
    HouseControl,
    Impossible,
    Leave,
    PressBell,
    PutParcel,
    ReadState,
    Request,
    Scan,
    SetFault,
)
from devices.simulators.control_socket import Act, listen, serve
from devices.simulators.physical_log import read_log
from tests.devices.street import DOOR, SCANNER, TIMEOUT_S, connected_house

pytestmark = pytest.mark.slow


async def say(socket: Path, line: bytes) -> dict[str, object]:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(line + b"\n")
    answer: dict[str, object] = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return answer


async def test_what_cannot_be_understood_is_answered_with_one_clear_line(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}):
        for line in (
            b"",
            b"nonsense",
            b"[]",
            b'{"do":"dance"}',
            b'{"do":"open","speed":9}',
            b'{"do":"scan"}',
            b"\xff",
            b'{"do":"open","who":"a\\nb"}',
        ):
            answer = await say(tmp_path / "control", line)
            assert answer["ok"] is False
            assert isinstance(answer["why"], str)
            assert "\n" not in answer["why"]


async def test_what_is_impossible_is_answered_with_why(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR, "a": SCANNER, "b": SCANNER}) as there:
        for request, why in (
            (Scan(code="A1"), "name one scanner: there are a, b"),
            (Scan(code="A1", scanner="c"), "name one scanner"),
            (PressBell(), "there are none"),
            (SetFault(device="nobody", fault="jam"), "no such device"),
            (SetFault(device="front-door", fault="jam"), "it has duplicates, lies_closed"),
            (SetFault(device="front-door", fault="stuck", on="very"), "on, off"),
            (Leave(), "not outside"),
        ):
            with pytest.raises(Impossible, match=why):
                await there.house.ask(request)
        await there.house.ask(Scan(code="A1", scanner="b"))
        assert [line["device"] for line in there.logged("scan")] == ["b"]


async def test_people_come_and_go_and_put_parcels_down(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}) as there:
        await there.house.ask(Arrive())
        await there.house.ask(PutParcel())
        await there.house.ask(Leave())
        assert [(line["what"], line["where"]) for line in there.logged("person") + there.logged("parcel")] == [
            ("person", "outside"),
            ("person", "away"),
            ("parcel", "outside"),
        ]
        state = await there.house.ask(ReadState())
        assert state["people"] == {"courier": "away", "resident": "away", "thief": "away"}


async def test_only_who_runs_the_house_may_pull_its_strings(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}):
        assert (tmp_path / "control").stat().st_mode & 0o777 == 0o600


async def test_somebody_who_leaves_in_the_middle_of_a_word_harms_nobody(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}) as there:
        for rude in (b'{"do":', b"x" * 200_000):
            _, writer = await asyncio.open_unix_connection(tmp_path / "control")
            writer.write(rude)
            writer.close()
        assert (await there.house.ask(ReadState()))["door"] == "closed"


def test_a_second_house_cannot_take_the_socket_of_one_that_runs_and_a_killed_ones_socket_is_free(
    tmp_path: Path,
) -> None:
    control = tmp_path / "control"
    with listen(control), pytest.raises(OSError, match="in use"):
        listen(control)
    with listen(control):  # the file is there still: nobody removed it, as after a kill
        pass


@asynccontextmanager
async def served(control: Path, act: Act) -> AsyncIterator[tuple[asyncio.Task[None], StreamReader, StreamWriter]]:
    """Whoever answers on the socket, and one connection to it."""
    with listen(control) as line:
        house = asyncio.create_task(serve(line, act))
        async with asyncio.timeout(TIMEOUT_S):
            assert (await say(control, b"{}"))["ok"] is False  # it has begun: it answers, without an act
            reader, writer = await asyncio.open_unix_connection(control)
            yield house, reader, writer
            writer.close()
            await asyncio.wait({house})


async def test_a_bug_ends_the_house_instead_of_one_conversation(tmp_path: Path) -> None:
    async def buggy(request: Request) -> Mapping[str, object]:
        raise KeyError(request.do)

    async with served(tmp_path / "control", buggy) as (house, _, writer):
        writer.write(ReadState().model_dump_json().encode() + b"\n")
        with pytest.raises(ExceptionGroup) as bug:
            await house
    assert bug.group_contains(KeyError, match="state", depth=1)


@pytest.mark.parametrize("just_come", [True, False])
async def test_a_house_that_is_told_to_end_waits_for_nobody_who_is_connected(
    tmp_path: Path, *, just_come: bool
) -> None:
    async def idle(_request: Request) -> Mapping[str, object]:
        return {}

    async with served(tmp_path / "control", idle) as (house, reader, writer):
        if not just_come:
            writer.write(ReadState().model_dump_json().encode() + b"\n")
            assert await reader.readline() == b'{"ok": true}\n'
        house.cancel()
        with contextlib.suppress(ConnectionResetError):  # if it was not even let in
            assert await reader.read() == b""
        await asyncio.wait({house})
        assert house.cancelled()


def test_every_request_is_one_json_line_there_and_back() -> None:
    for request in (Scan(code="A\x1d1"), SetFault(device="d", fault="late", on=2.5), ReadState()):
        assert REQUEST.validate_json(request.model_dump_json()) == request


async def start(tmp_path: Path, stderr: int | None = None) -> asyncio.subprocess.Process:
    arguments = ("--house", "house.yaml", "--control", "control", "--log", "log", "--seed", "7")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "devices.simulators",
        *arguments,
        cwd=tmp_path,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


async def test_a_house_whose_control_socket_cannot_be_had_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("broker: {port: 1}\ndevices: {front-door: {kind: door, vendor: somfy}}\n")
    (tmp_path / "control").mkdir()
    process = await start(tmp_path, stderr=asyncio.subprocess.PIPE)
    _, words = await process.communicate()
    assert (process.returncode, words) == (1, b"The simulated house cannot run here: Address already in use.\n")


async def strings(tmp_path: Path, process: asyncio.subprocess.Process) -> HouseControl:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            assert process.returncode is None
            try:
                return await HouseControl(tmp_path / "control").__aenter__()
            except OSError:
                await asyncio.sleep(0.05)


async def test_the_house_runs_as_a_process_without_its_broker_and_starts_again_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("broker: {port: 1}\ndevices: {front-door: {kind: door, vendor: somfy}}\n")
    for end in (signal.SIGKILL, signal.SIGTERM):
        process = await start(tmp_path)
        house = await strings(tmp_path, process)
        await house.ask(Arrive())
        await house.__aexit__(None, None, None)
        process.send_signal(end)
        assert await process.wait() == (0 if end is signal.SIGTERM else -signal.SIGKILL)
    assert [line["who"] for line in read_log(tmp_path / "log") if line["what"] == "person"] == ["courier", "courier"]
