"""A calendar is fetched from a real server, within limits on address, redirects, size and status."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.domain.guests.bookings import ReadingFailure
from gateway.integrations.bookings.__main__ import read_source
from gateway.integrations.bookings.fetch import MAX_BYTES, MAX_REDIRECTS, SourceUnread
from gateway.protocol.booking_reader import ReadSource
from tests.calendarserver import CalendarServer, calendar_server

CALENDAR = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261204\r\n"
    b"DTEND;VALUE=DATE:20261207\r\nSUMMARY:Reserved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
BASE = ReadSource(kind="ics", source="airbnb", zone="Europe/Paris", now=datetime(2026, 11, 30, tzinfo=UTC))


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[CalendarServer]:
    async with calendar_server(tmp_path) as server:
        server.texts["/calendar/ical/1.ics"] = CALENDAR
        yield server


def request(server: CalendarServer, path: str, *, private: bool = True, **more: object) -> ReadSource:
    """A request that trusts the server's authority and may read from the machine itself."""
    common = {"address": f"{server.url}{path}", "authority": server.authority.read_text(), "private": private}
    return BASE.model_copy(update=common | more)


async def failure(asked: ReadSource) -> ReadingFailure:
    with pytest.raises(SourceUnread) as failed:
        await read_source(asked)
    return failed.value.why


async def test_a_calendar_is_read_also_after_a_redirect(server: CalendarServer) -> None:
    server.redirects["/moved"] = "/calendar/ical/1.ics"
    for path in ("/calendar/ical/1.ics?s=0a1b&locale=fr", "/moved"):
        assert len((await read_source(request(server, path))).bookings) == 1


async def test_what_answers_something_else_is_not_read(server: CalendarServer) -> None:
    server.texts["/big"] = CALENDAR + b" " * MAX_BYTES
    server.statuses |= {"/gone": 404, "/broken": 500, "/login": 403}
    server.redirects |= {f"/r{n}": f"/r{n + 1}" for n in range(MAX_REDIRECTS + 1)}
    server.redirects |= {"/plain": "http://localhost/x", "/script": "javascript:1", "/far": "https://user@localhost/"}
    found = {
        path: await failure(request(server, path))
        for path in ("/big", "/endless", "/gone", "/broken", "/login", "/html", "/r0", "/plain", "/script", "/far")
    }
    assert found == {
        "/big": ReadingFailure.TOO_LARGE,
        "/endless": ReadingFailure.TOO_LARGE,
        "/gone": ReadingFailure.STATUS,
        "/broken": ReadingFailure.STATUS,
        "/login": ReadingFailure.CREDENTIALS,
        "/html": ReadingFailure.UNREADABLE,
        "/r0": ReadingFailure.STATUS,
        "/plain": ReadingFailure.ADDRESS,
        "/script": ReadingFailure.ADDRESS,
        "/far": ReadingFailure.ADDRESS,
    }


async def test_an_address_in_a_private_network_is_refused_unless_the_house_file_allows_it(
    server: CalendarServer,
) -> None:
    assert await failure(request(server, "/calendar/ical/1.ics", private=False)) is ReadingFailure.ADDRESS
    for address in ("http://localhost/", "https://127.0.0.1/", "ftp://x.example/", "webcal://x.example/a.ics", ""):
        assert await failure(request(server, "", private=False, address=address)) is ReadingFailure.ADDRESS
    assert server.asked == []


async def test_a_public_name_that_leads_into_the_house_is_refused(
    server: CalendarServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("192.168.1.1", 443))])
    asked = request(server, "", private=False, address="https://calendars.example/a.ics")
    assert await failure(asked) is ReadingFailure.ADDRESS


async def test_a_server_that_is_not_the_one_of_the_certificate_is_not_read(server: CalendarServer) -> None:
    untrusted = request(server, "/calendar/ical/1.ics").model_copy(update={"authority": None})
    assert await failure(untrusted) is ReadingFailure.UNREACHABLE
    nobody = request(server, "", address="https://localhost:65000/x")
    assert await failure(nobody) is ReadingFailure.UNREACHABLE
    assert await failure(request(server, "", authority="no PEM")) is ReadingFailure.FILE


async def test_a_file_is_read_and_a_folder_a_pipe_or_a_large_file_is_not(tmp_path: Path) -> None:
    file, large = tmp_path / "a.ics", tmp_path / "b.ics"
    file.write_bytes(CALENDAR)
    large.write_bytes(b" " * (MAX_BYTES + 1))
    assert len((await read_source(BASE.model_copy(update={"file": file}))).bookings) == 1
    for path, why in ((tmp_path, ReadingFailure.FILE), (Path("/dev/zero"), ReadingFailure.FILE),
                      (tmp_path / "none", ReadingFailure.FILE), (large, ReadingFailure.TOO_LARGE)):  # fmt: skip
        assert await failure(BASE.model_copy(update={"file": path})) is why
