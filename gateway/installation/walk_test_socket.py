"""Serves walk tests to `perron walk-test` on the same machine: JSON lines over a Unix socket.

    request  {"do": "view", "entrance": "front"}
    answer   {"ok": true, "view": {...}}  or  {"ok": false, "why": "one clear line"}

Only the box's own user reaches it: the file's mode says so.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.config.home import Home
from gateway.config.sockets import WALK_TEST_SOCKET
from gateway.installation import notes
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk import TrialAnswer, WalkTest
from gateway.installation.walk_test_runner import WalkTestRunner

MAX_REQUEST_BYTES = 4096  # bytes of a request
TERMINAL_NAME = "the box's own terminal"


class WalkTestRequest(BaseModel):
    """What is asked of one entrance's walk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entrance: str


class ViewWalkTest(WalkTestRequest):
    """How far it has come."""

    do: Literal["view"] = "view"


class BeginWalkTest(WalkTestRequest):
    """Begin it anew."""

    do: Literal["begin"] = "begin"


class AnswerWalkTest(WalkTestRequest):
    """Answer a trial."""

    do: Literal["answer"] = "answer"
    number: int
    word: TrialAnswer


class LockForWalkTest(WalkTestRequest):
    """Lock now."""

    do: Literal["lock"] = "lock"


class WalkTestPicture(WalkTestRequest):
    """Take the picture of a trial; the answer names its file."""

    do: Literal["look"] = "look"
    number: int


AnyWalkTestRequest = ViewWalkTest | BeginWalkTest | AnswerWalkTest | LockForWalkTest | WalkTestPicture
_REQUEST_ADAPTER: TypeAdapter[AnyWalkTestRequest] = TypeAdapter(
    Annotated[AnyWalkTestRequest, Field(discriminator="do")]
)


class WalkTestReply(BaseModel):
    """How a walk stands. `codes`: what the scanner has to read for the test's own delivery."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    standing: WalkTestStatus
    walk: WalkTest | None
    codes: tuple[str, ...] = ()
    report: str | None = None
    picture: str | None = None


async def serve(walks: WalkTestRunner, home: Home) -> None:
    """Answer until cancelled."""
    path = home.storage.folder / WALK_TEST_SOCKET
    path.unlink(missing_ok=True)  # what a killed gateway left; no other runs here

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, ValueError):  # whoever asked is gone, or says too much
                while line := await reader.readline():
                    writer.write(json.dumps(await _respond(walks, home, line)).encode() + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_unix_server(converse, path, limit=MAX_REQUEST_BYTES)
    path.chmod(0o600)
    async with server:
        await asyncio.get_running_loop().create_future()  # until cancelled


async def _respond(walks: WalkTestRunner, home: Home, line: bytes) -> dict[str, Any]:
    try:
        asked = _REQUEST_ADAPTER.validate_json(line)
    except ValidationError:
        return {"ok": False, "why": "this is no request"}
    if asked.entrance not in home.entrances:
        return {"ok": False, "why": f"there is no entrance {asked.entrance!r}"}
    try:
        picture = await _execute(walks, home, asked)
    except (LookupError, ValueError, OSError) as error:
        return {"ok": False, "why": str(error.args[0]) if error.args else "not done"}
    report, _ = notes.report_files(home.storage.folder, asked.entrance)
    walk = walks.walk(asked.entrance)
    told = WalkTestReply(
        standing=walks.standing(asked.entrance),
        walk=None if walk is None else walk.model_copy(update={"promised": None}),
        codes=walks.codes(asked.entrance),
        report=str(report) if walk is not None and walk.reported and report.exists() else None,
        picture=picture,
    )
    return {"ok": True, "view": told.model_dump(mode="json")}


async def _execute(walks: WalkTestRunner, home: Home, asked: AnyWalkTestRequest) -> str | None:
    match asked:
        case ViewWalkTest():
            pass
        case BeginWalkTest():
            await walks.begin(asked.entrance, TERMINAL_NAME)
        case AnswerWalkTest():
            await walks.answer(asked.entrance, asked.number, asked.word)
        case LockForWalkTest():
            why = await walks.lock(asked.entrance, None)
            if why is not None:
                raise LookupError(why)
        case WalkTestPicture():
            await walks.look_through(asked.entrance, asked.number)
            return str(notes.picture_file(home.storage.folder, asked.entrance, asked.number))
        case _:
            assert_never(asked)
    return None


class WalkTestRefused(Exception):  # noqa: N818 - it says what was said
    """The gateway does not do it; the text says why."""


@contextlib.asynccontextmanager
async def walk_test_client(home: Home) -> AsyncIterator[Callable[[AnyWalkTestRequest], Awaitable[WalkTestReply]]]:
    """Speak with the running gateway of this house: what is given asks and returns how the walk stands then.

    Raises:
        OSError: no gateway runs here. From what is given also `WalkTestRefused`.
    """
    reader, writer = await asyncio.open_unix_connection(home.storage.folder / WALK_TEST_SOCKET)

    async def ask(request: AnyWalkTestRequest) -> WalkTestReply:
        writer.write(request.model_dump_json().encode() + b"\n")
        await writer.drain()
        said = await reader.readline()
        if not said:
            raise ConnectionResetError("the gateway has ended")
        answer = json.loads(said)
        if answer["ok"] is not True:
            raise WalkTestRefused(answer["why"])
        return WalkTestReply.model_validate_json(json.dumps(answer["view"]))

    try:
        yield ask
    finally:
        writer.close()
