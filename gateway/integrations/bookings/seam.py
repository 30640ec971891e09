"""Reads bookings out of Seam's API: access grants, or the access codes of one device. Pure but for the fetching.

The words are Seam's (its API reference, November 2026): `access_grant_id`, `reservation_key`, `starts_at`, `ends_at`;
`access_code_id`, `type`. A grant or code without an end is no booking.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.domain.guests.bookings import MAX_BOOKINGS, Booking, Reading, ReadingFailure, guest_name, is_bookable
from gateway.integrations.bookings.fetch import Fetcher, SourceUnread
from gateway.integrations.bookings.ics import LONGEST
from gateway.protocol.booking_reader import MAX_UID_CHARS

SEAM_URL = "https://connect.getseam.com"
MAX_PAGES = 10
BEING_DELETED = "being_deleted"

_Id = Annotated[str, Field(min_length=1, max_length=MAX_UID_CHARS)]


class _Seam(BaseModel):
    model_config = ConfigDict(frozen=True)  # Seam adds fields whenever it likes


class _Warning(_Seam):
    warning_code: str


class AccessGrant(_Seam):
    """An access grant: who may come in, and when."""

    access_grant_id: _Id
    reservation_key: str | None = None
    name: str | None = None
    display_name: str | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    warnings: tuple[_Warning, ...] = ()

    def booking(self, source: str) -> Booking | None:
        """Return its booking; None: it has no end, is being deleted, or is none."""
        deleted = any(one.warning_code == BEING_DELETED for one in self.warnings)
        uid = self.reservation_key or self.access_grant_id
        names = (self.name, self.display_name, self.reservation_key)
        return None if deleted else _booking(uid[:MAX_UID_CHARS], names, source, self.starts_at, self.ends_at)


class AccessCode(_Seam):
    """A code at a lock. `ongoing` ones have no end."""

    access_code_id: _Id
    name: str | None = None
    type: str
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None

    def booking(self, source: str) -> Booking | None:
        """Return its booking; None: it is not bound to a time."""
        if self.type != "time_bound" or self.starts_at is None:
            return None
        return _booking(self.access_code_id, (self.name,), source, self.starts_at, self.ends_at)


class _Pagination(_Seam):
    has_next_page: bool = False
    next_page_cursor: str | None = None


class _Page(_Seam):
    ok: Literal[True]
    access_grants: tuple[object, ...] | None = None
    access_codes: tuple[object, ...] | None = None
    pagination: _Pagination = _Pagination()


_GRANT: TypeAdapter[AccessGrant] = TypeAdapter(AccessGrant)
_CODE: TypeAdapter[AccessCode] = TypeAdapter(AccessCode)


def _booking(
    uid: str, names: tuple[str | None, ...], source: str, starts: datetime, ends: datetime | None
) -> Booking | None:
    if ends is None or not is_bookable(starts, ends, LONGEST):
        return None
    name = next((name for name in names if name), "")
    return Booking(uid=uid, guest=guest_name(name, source), starts=starts.astimezone(UTC), ends=ends.astimezone(UTC))


def read_page(data: bytes, *, source: str, now: datetime) -> tuple[tuple[Booking, ...], bool, str | None]:
    """Return the bookings of one page that end after `now`, whether each entry was read, and the next page's cursor.

    Raises:
        SourceUnread: it is no page of Seam's.
    """
    try:
        page = _Page.model_validate_json(data)
    except ValidationError as error:
        raise SourceUnread(ReadingFailure.UNREADABLE) from error
    adapter = _GRANT if page.access_codes is None else _CODE
    entries = page.access_grants if page.access_codes is None else page.access_codes
    if entries is None:
        raise SourceUnread(ReadingFailure.UNREADABLE)
    found, is_whole = [], True
    for entry in entries:
        try:
            booking = adapter.validate_python(entry).booking(source)
        except (ValidationError, OverflowError):  # a time at the end of the calendar, in another zone, has no UTC
            is_whole = False
            continue
        if booking is not None and booking.ends > now:
            found.append(booking)
    cursor = page.pagination.next_page_cursor if page.pagination.has_next_page else None
    return tuple(found), is_whole, cursor


async def read_seam(  # noqa: PLR0913 - what is read, and for whom
    fetcher: Fetcher, address: str, secret: str, *, device: str | None, source: str, now: datetime
) -> Reading:
    """Read all pages; more than are read make the reading one that misses nothing. Raises `SourceUnread`."""
    path = "/access_grants/list" if device is None else "/access_codes/list"
    body: dict[str, object] = {} if device is None else {"device_id": device}
    found: dict[str, Booking] = {}
    is_whole = True
    for _ in range(MAX_PAGES):
        data = await fetcher.post(f"{address.rstrip('/')}{path}", body, secret)
        bookings, is_readable, cursor = read_page(data, source=source, now=now)
        is_whole = is_whole and is_readable
        found |= {booking.uid: booking for booking in bookings}
        if cursor is None or len(found) > MAX_BOOKINGS:
            break
        body = {**body, "page_cursor": cursor}
    else:
        is_whole = False
    chosen = sorted(found.values(), key=lambda one: (one.starts, one.uid))
    return Reading(bookings=tuple(chosen[:MAX_BOOKINGS]), is_whole=is_whole and len(found) <= MAX_BOOKINGS)
