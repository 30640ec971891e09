"""Seam's access grants and access codes, in Seam's own words. `tests/real/with_seam.py` asks Seam's own fake."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from gateway.domain.guests.bookings import MAX_BOOKINGS, ReadingFailure
from gateway.integrations.bookings.__main__ import read_source
from gateway.integrations.bookings.fetch import SourceUnread
from gateway.integrations.bookings.seam import MAX_PAGES, read_page
from gateway.protocol.booking_reader import ReadSource
from tests.calendarserver import CalendarServer, calendar_server

NOW = datetime(2026, 11, 30, tzinfo=UTC)
KEY = "seam_test_key"
GRANT: dict[str, Any] = {
    "access_grant_id": "ef83cca9-5fdf-4ac2-93f3-c21c5a8be54b", "access_grant_key": "reservation-7",
    "workspace_id": "750fc0bc-4450-4356-8d9f-18c6a3a6b2c7", "user_identity_id": "e3d736c1-540d-4d10-83e5-9a4e135453b4",
    "space_ids": ["1d07674c-62ba-49bd-b4a0-c21d5e1b6c7b"], "name": "Jane Doe", "display_name": "Jane Doe",
    "starts_at": "2026-12-04T15:00:00.000Z", "ends_at": "2026-12-07T10:00:00.000Z",
    "location_ids": [], "access_method_ids": ["0b4cd0a1-6f3c-4e7c-9a53-2f2ad3d0b7a7"],
    "requested_access_methods": [{
        "mode": "code", "display_name": "PIN", "created_at": "2026-11-01T08:00:00.000Z",
        "created_access_method_ids": ["0b4cd0a1-6f3c-4e7c-9a53-2f2ad3d0b7a7"],
    }],
    "warnings": [], "errors": [], "pending_mutations": [], "created_at": "2026-11-01T08:00:00.000Z",
}  # fmt: skip
"""As Seam's published description has it, which `tests/real/with_seam.py` compares."""
CODE: dict[str, Any] = {
    "access_code_id": "6a5c1b1e-8e2f-4a5c-bf40-3f1f6b1f0c11", "device_id": "7b1d6a2f-54d7-4b8a-93d2-41f1f0a7c9e5",
    "workspace_id": "750fc0bc-4450-4356-8d9f-18c6a3a6b2c7", "name": "Jane", "code": "481516", "type": "time_bound",
    "starts_at": "2026-12-04T15:00:00.000Z", "ends_at": "2026-12-07T10:00:00.000Z", "status": "set",
    "is_managed": True, "errors": [], "warnings": [], "pending_mutations": [], "common_code_key": None,
    "created_at": "2026-11-01T08:00:00Z", "is_backup_access_code_available": False, "is_one_time_use": False,
    "is_external_modification_allowed": False, "is_offline_access_code": False,
}  # fmt: skip
BASE = ReadSource(kind="seam", source="seam", secret=KEY, private=True, zone="Europe/Paris", now=NOW)


def page(*entries: object, kind: str = "access_grants", cursor: str | None = None) -> bytes:
    pagination = {"next_page_cursor": cursor, "has_next_page": cursor is not None, "next_page_url": None}
    return json.dumps({kind: entries, "pagination": pagination, "ok": True}).encode()


def test_a_grant_is_a_booking_by_its_reservation_if_it_has_one() -> None:
    (one,), is_whole, cursor = read_page(page(GRANT, cursor="next"), source="seam", now=NOW)
    assert (one.uid, one.guest, one.starts, one.ends) == (
        GRANT["access_grant_id"], "Jane Doe", datetime(2026, 12, 4, 15, tzinfo=UTC),
        datetime(2026, 12, 7, 10, tzinfo=UTC),
    )  # fmt: skip
    assert (is_whole, cursor) == (True, "next")
    ((reserved,), _, _) = read_page(page(GRANT | {"reservation_key": "res-1"}), source="seam", now=NOW)
    assert reserved.uid == "res-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": None},
        {"ends_at": "2026-12-01T00:00:00Z"},
        {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-01-02T00:00:00Z"},
        {"ends_at": "2056-12-01T00:00:00Z"},
        {"warnings": [{"warning_code": "being_deleted", "message": "x", "created_at": "2026-11-01T08:00:00Z"}]},
    ],
)
def test_a_grant_without_an_end_over_or_being_deleted_is_none(changes: dict[str, Any]) -> None:
    assert read_page(page(GRANT | changes), source="seam", now=NOW) == ((), True, None)


@pytest.mark.parametrize(
    "entry", [1, None, {}, GRANT | {"starts_at": "soon"}, GRANT | {"starts_at": "2026-12-04T15:00:00"},
              GRANT | {"access_grant_id": ""}, GRANT | {"name": 7},
              GRANT | {"starts_at": "9999-12-31T00:00:00-12:00", "ends_at": "9999-12-31T23:59:59-14:00"}]
)  # fmt: skip
def test_a_grant_that_cannot_be_read_lets_nothing_count_as_missing(entry: object) -> None:
    bookings, is_whole, _ = read_page(page(GRANT, entry), source="seam", now=NOW)
    assert (len(bookings), is_whole) == (1, False)


def test_of_access_codes_those_with_an_end_are_bookings_and_the_code_goes_no_further() -> None:
    ongoing = CODE | {"access_code_id": "c2", "type": "ongoing", "starts_at": None, "ends_at": None}
    bookings, is_whole, _ = read_page(page(CODE, ongoing, kind="access_codes"), source="seam", now=NOW)
    assert [(one.uid, one.guest) for one in bookings] == [(CODE["access_code_id"], "Jane")]
    assert is_whole
    assert "481516" not in repr(bookings)


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"{}", b'{"ok": false}', b'{"ok": true}', b'{"ok": true, "spaces": []}']
)
def test_what_is_no_page_of_seam_s_is_refused(data: bytes) -> None:
    with pytest.raises(SourceUnread) as failed:
        read_page(data, source="seam", now=NOW)
    assert failed.value.why is ReadingFailure.UNREADABLE


class FakeSeam(CalendarServer):
    """Answers as Seam does, page by page, to who has the key."""

    pages: list[bytes]
    bodies: list[dict[str, Any]]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.Response(status=401)
        self.asked.append(request.path)
        self.bodies.append(await request.json())
        number = int(self.bodies[-1].get("page_cursor", 0))
        return web.Response(body=self.pages[min(number, len(self.pages) - 1)], content_type="application/json")


@pytest_asyncio.fixture
async def seam(tmp_path: Path) -> AsyncIterator[FakeSeam]:
    async with calendar_server(tmp_path, FakeSeam) as server:
        assert isinstance(server, FakeSeam)
        server.pages, server.bodies = [], []
        yield server


def asked(seam: FakeSeam, **changes: object) -> ReadSource:
    return BASE.model_copy(update={"address": seam.url, "authority": seam.authority.read_text(), **changes})


async def test_all_pages_are_read_with_the_key(seam: FakeSeam) -> None:
    seam.pages = [page(GRANT, cursor="1"), page(GRANT | {"access_grant_id": "b"})]
    reading = await read_source(asked(seam))
    assert ([one.uid for one in reading.bookings], reading.is_whole) == (["b", GRANT["access_grant_id"]], True)
    assert seam.asked == ["/access_grants/list"] * 2
    seam.pages = [page(CODE, kind="access_codes")]
    assert len((await read_source(asked(seam, device="d1"))).bookings) == 1
    assert (seam.asked[-1], seam.bodies[-1]) == ("/access_codes/list", {"device_id": "d1"})


async def test_pages_without_end_are_cut_and_nothing_counts_as_missing(seam: FakeSeam) -> None:
    seam.pages = [page(GRANT, cursor="0")]
    reading = await read_source(asked(seam))
    assert (len(reading.bookings), reading.is_whole, len(seam.asked)) == (1, False, MAX_PAGES)
    many = [GRANT | {"access_grant_id": str(n)} for n in range(MAX_BOOKINGS + 1)]
    seam.pages = [page(*many)]
    reading = await read_source(asked(seam))
    assert (len(reading.bookings), reading.is_whole) == (MAX_BOOKINGS, False)


async def test_a_wrong_key_says_so(seam: FakeSeam) -> None:
    with pytest.raises(SourceUnread) as failed:
        await read_source(asked(seam, secret=KEY[:-1]))
    assert failed.value.why is ReadingFailure.CREDENTIALS
