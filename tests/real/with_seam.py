"""Seam's own fake of its API proposes passes by its access codes. It has no access grants (version 1.86).

Run by `make test-seam`, which installs it; not part of `make test`. It speaks HTTP only, so a proxy with a certificate
stands before it: the box reads by HTTPS only.
"""

import asyncio
import os
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

from gateway.config.bookings import SeamSource
from gateway.domain.guests.bookings import Question, ReadingFailure
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.runtime.bookings import BookingReader
from tests.calendarserver import CalendarServer, calendar_server
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


@pytest.mark.parametrize(("key", "why"), [("wrong", ReadingFailure.CREDENTIALS), (KEY, ReadingFailure.STATUS)])
async def test_what_seam_refuses_is_a_failed_reading(
    seam: SeamProxy, tmp_path: Path, key: str, why: ReadingFailure
) -> None:
    async with box(tmp_path, guest_home(tmp_path)) as made:
        device = LOCK if key != KEY else None  # the fake has no access grants
        await reader(made, seam, tmp_path, key, device=device).read("seam")
        assert made.store.booking_sources["seam"].why is why
