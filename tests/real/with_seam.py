"""Seam's own fake of its API proposes passes by its access codes. It has no access grants (version 1.86, the newest).

For these the description of the API that Seam publishes is compared with what the importer asks and reads. Run by
`make test-seam`, which installs both; not part of `make test`. The fake speaks HTTP only, so a proxy with a certificate
stands before it: the box reads by HTTPS only.
"""

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from gateway.config.bookings import SeamSource
from gateway.domain.guests.bookings import Question, ReadingFailure
from gateway.integrations.bookings.seam import BEING_DELETED, AccessCode, AccessGrant
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.runtime.bookings import BookingReader
from tests.calendarserver import CalendarServer, calendar_server
from tests.gateway.integrations.bookings.test_seam import CODE, GRANT, page
from tests.gateway.runtime.test_guests import guest_home
from tests.shell.box import ShellBox, box

KEY = "seam_apikey1_token"  # of the fake's own seed
LOCK = "august_device_1"


class SeamProxy(CalendarServer):
    """Passes requests on to the fake."""

    fake: str

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.fake}{request.path}", data=await request.read(), headers=headers) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


async def ask(fake: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as client, client.post(f"{fake}{path}", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def _is_up(fake: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{fake}/health") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def running_fake() -> AsyncIterator[str]:
    port = free_port()
    server = Path(os.environ["SEAM"]) / "node_modules/@seamapi/fake-seam-connect/dist/server.js"
    environment = {**os.environ, "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        "node", str(server), "--seed", stdout=DEVNULL, stderr=DEVNULL, env=environment
    )
    fake = f"http://localhost:{port}"
    try:
        while not await _is_up(fake):
            assert process.returncode is None, "the fake has ended"
            await asyncio.sleep(0.1)
        yield fake
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture
async def seam(tmp_path: Path) -> AsyncIterator[SeamProxy]:
    (tmp_path / "server").mkdir()
    async with running_fake() as fake, calendar_server(tmp_path / "server", SeamProxy) as proxy:
        assert isinstance(proxy, SeamProxy)
        proxy.fake = fake
        yield proxy


def reader(
    made: ShellBox, seam: SeamProxy, folder: Path, key: str = KEY, *, device: str | None = LOCK
) -> BookingReader:
    (folder / "seam.key").write_text(f"{key}\n")
    source = SeamSource(
        kind="seam", key_file=folder / "seam.key", address=seam.url, device=device, private=True,
        authority=seam.authority,
    )  # fmt: skip
    home = made.home.model_copy(update={"bookings": {"seam": source}})
    return BookingReader(home, store=made.store, clock=made.clock, outbox=made.office, on_change=lambda: None)


async def test_access_codes_of_a_lock_at_seam_propose_passes(seam: SeamProxy, tmp_path: Path) -> None:
    async with box(tmp_path, guest_home(tmp_path)) as made:
        starts = (made.clock.now().utc + timedelta(days=2)).replace(microsecond=0)
        ends = starts + timedelta(days=3)
        times = {"starts_at": starts.isoformat(), "ends_at": ends.isoformat()}
        created = await ask(seam.fake, "/access_codes/create", {"device_id": LOCK, "name": "Jane", **times})
        await ask(seam.fake, "/access_codes/create", {"device_id": LOCK, "name": "Cleaner", "code": "4815"})
        read = reader(made, seam, tmp_path)
        await read.read("seam")
        assert made.store.booking_sources["seam"].why is None
        (state,) = made.store.bookings.open(made.clock.now())
        assert (state.booking.guest, state.booking.starts, state.booking.ends) == ("Jane", starts, ends)
        assert state.is_proposed
        assert await made.reception.guests.accept_booking(state.booking.key, "anna") is None
        await ask(seam.fake, "/access_codes/delete", {"access_code_id": created["access_code"]["access_code_id"]})
        for _ in range(2):
            await read.read("seam")
        (state,) = made.store.bookings.open(made.clock.now())
        assert state.question is Question.GONE


# ---- the description that Seam publishes (OpenAPI 3.0) ---------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    script = "import {openapi} from '@seamapi/types/connect'; process.stdout.write(JSON.stringify(openapi))"
    command = ("node", "--input-type=module", "--eval", script)
    told = subprocess.run(command, cwd=os.environ["SEAM"], capture_output=True, check=True)
    document: dict[str, Any] = _as_json_schema(json.loads(told.stdout))
    return document


def _as_json_schema(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same in JSON Schema, where a value that may be null is of two types."""
    if isinstance(node, list):
        return [_as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _as_json_schema(one) for name, one in node.items()}
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/access_grants/list", page(GRANT, cursor="next")), ("/access_codes/list", page(CODE, kind="access_codes"))],
    ids=["grants", "codes"],
)
def test_what_the_importer_is_tried_with_is_what_seam_says_that_it_sends(
    published: dict[str, Any], path: str, answer: bytes
) -> None:
    operation = published["paths"][path]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = Draft202012Validator({**schema, "components": published["components"]})
    assert [error.message for error in whole.iter_errors(json.loads(answer))] == []
    asked = operation["requestBody"]["content"]["application/json"]["schema"]
    assert {"page_cursor", "device_id"} <= asked["properties"].keys()
    assert not asked.get("required")


@pytest.mark.parametrize(("name", "model"), [("access_grant", AccessGrant), ("access_code", AccessCode)])
def test_seam_has_each_field_that_the_importer_reads_and_what_may_be_missing_may_be(
    published: dict[str, Any], name: str, model: type[BaseModel]
) -> None:
    schema = published["components"]["schemas"][name]
    assert model.model_fields.keys() <= schema["properties"].keys()
    needed = {field for field, facts in model.model_fields.items() if facts.is_required()}
    assert needed <= set(schema["required"]), "a grant that Seam may send without it would be unreadable"


def test_seam_still_warns_of_a_grant_that_it_is_deleting(published: dict[str, Any]) -> None:
    warnings = published["components"]["schemas"]["access_grant"]["properties"]["warnings"]["items"]["oneOf"]
    codes = [word for one in warnings for word in one["properties"]["warning_code"]["enum"]]
    assert BEING_DELETED in codes


@pytest.mark.parametrize(("key", "why"), [("wrong", ReadingFailure.CREDENTIALS), (KEY, ReadingFailure.STATUS)])
async def test_what_seam_refuses_is_a_failed_reading(
    seam: SeamProxy, tmp_path: Path, key: str, why: ReadingFailure
) -> None:
    async with box(tmp_path, guest_home(tmp_path)) as made:
        device = LOCK if key != KEY else None  # the fake has no access grants
        await reader(made, seam, tmp_path, key, device=device).read("seam")
        assert made.store.booking_sources["seam"].why is why
