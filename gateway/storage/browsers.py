"""Stores enrolled browsers and their orders, each before it is performed; each number counts once.

A browser belongs to a known device, and ends with it; so it ends with its person, his password and the household.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import append, from_micros, to_micros
from gateway.storage.models import AccountHolder
from gateway.storage.writer import Writer

MAX_ORDERS_PER_BROWSER = 50  # orders of one browser

OrderState = Literal["kept", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledBrowser:
    """One browser, with its person as he is now. `sign` and `agree` are its public keys (JWK, JSON), `own` ours.

    `farewell` is sealed for it when it is enrolled, and goes to the hub when it ends: our key for it is gone by then.
    """

    id: str
    device: str
    person: AccountHolder
    home: str
    label: str
    sign: str
    agree: str
    own: bytes = field(repr=False)
    farewell: str = ""
    since: datetime
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order of a browser, as it was signed, and what became of it; `why`: what it failed at."""

    browser: str
    number: int
    signed: bytes
    state: OrderState
    why: str | None
    at: datetime


_SELECT_BROWSER = (
    "SELECT b.id, b.device, b.home, b.label, b.sign, b.agree, b.own, b.farewell, b.since, b.number,"
    " p.id, p.name, p.role, p.added"
    " FROM browser b JOIN device d ON d.id = b.device JOIN person p ON p.id = d.person WHERE p.removed IS NULL"
)
_SELECT_ORDER = "SELECT browser, number, signed, state, why, at FROM browser_order"


class BrowserStore:
    """Reached as `Store.browsers`. Coroutines store and raise `StoreFailed`; plain methods read, as in `Store`."""

    def __init__(self, writer: Writer, reader: Callable[[], sqlite3.Connection]) -> None:
        self._writer, self._reader = writer, reader
        self.ending = False  # all are to end, and the disk has not taken it yet: until then none counts

    async def enrol(self, new: EnrolledBrowser, now: Now) -> bool:
        """Keep a browser's keys; what was enrolled on its device before ends. False: the device is known no more."""
        await self.ended()
        return await self._writer.do(lambda db: _enrol(db, new, now))

    async def forget(self) -> None:
        """End all of them, for what they ordered last is not known any more.

        None counts from now on, also where the disk does not take it: that is `ending` until `ended` has it there.
        """
        self.ending = True
        await self.ended()

    async def ended(self) -> None:
        """Have it on the disk that all were to end; nothing else is done."""
        if self.ending:
            await self._writer.do(lambda db: db.execute("DELETE FROM browser").rowcount)
            self.ending = False

    async def end(self, ident: str, now: Now, *, by: str) -> bool:
        """End a browser; False: there is none of this id."""
        return await self._writer.do(lambda db: _end(db, ident, now, by=by))

    def browser(self, ident: str) -> EnrolledBrowser | None:
        """One browser; None: there is none, or it has ended."""
        if self.ending:
            return None
        row = self._reader().execute(f"{_SELECT_BROWSER} AND b.id = ?", (ident,)).fetchone()
        return None if row is None else _browser(row)

    def browsers(self, person: str | None = None) -> tuple[EnrolledBrowser, ...]:
        """Those of one person or (None) of all, the newest last."""
        if self.ending:
            return ()
        query = f"{_SELECT_BROWSER} AND (? IS NULL OR p.id = ?) ORDER BY b.since, b.id"
        return tuple(map(_browser, self._reader().execute(query, (person, person))))

    async def keep(self, browser: str, number: int, signed: bytes, now: Now) -> StoredOrder | None:
        """Keep an order that was found good, and take its number; the same again changes nothing.

        None: its number was taken by another, or a later one was; or the browser has ended meanwhile.
        """
        return await self._writer.do(lambda db: _add_order(db, browser, number, signed, now))

    async def became(self, order: StoredOrder, why: str | None, now: Now) -> None:
        """An order was done, or (`why`) failed."""
        await self._writer.do(lambda db: _finish_order(db, order, why, now))

    def order(self, browser: str, number: int) -> StoredOrder | None:
        """One order."""
        row = self._reader().execute(f"{_SELECT_ORDER} WHERE browser = ? AND number = ?", (browser, number)).fetchone()
        return None if row is None else _order(row)

    def orders(self, browser: str, *, at_most: int) -> tuple[StoredOrder, ...]:
        """The newest orders of a browser, the newest first."""
        query = f"{_SELECT_ORDER} WHERE browser = ? ORDER BY number DESC LIMIT ?"
        return tuple(map(_order, self._reader().execute(query, (browser, at_most))))

    def to_do(self) -> tuple[StoredOrder, ...]:
        """What was kept and not done: the process ended between the two. As they were given."""
        return tuple(
            map(_order, self._reader().execute(f"{_SELECT_ORDER} WHERE state = 'kept' ORDER BY at, browser, number"))
        )


def _browser(row: tuple[Any, ...]) -> EnrolledBrowser:
    ident, device, home, label, sign, agree, own, farewell, since, number, person, name, role, added = row
    return EnrolledBrowser(
        id=ident,
        device=device,
        home=home,
        label=label,
        sign=sign,
        agree=agree,
        own=own,
        farewell=farewell,
        since=from_micros(since),
        number=number,
        person=AccountHolder(id=person, name=name, role=role, added=from_micros(added)),
    )


def _order(row: tuple[Any, ...]) -> StoredOrder:
    browser, number, signed, state, why, when = row
    return StoredOrder(browser=browser, number=number, signed=signed, state=state, why=why, at=from_micros(when))


def _enrol(db: sqlite3.Connection, new: EnrolledBrowser, now: Now) -> bool:
    known = db.execute("SELECT 1 FROM device WHERE id = ? AND person = ?", (new.device, new.person.id)).fetchone()
    if known is None:
        return False
    db.execute("DELETE FROM browser WHERE device = ?", (new.device,))
    db.execute(
        "INSERT INTO browser (id, device, home, label, sign, agree, own, farewell, since)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (new.id, new.device, new.home, new.label, new.sign, new.agree, new.own, new.farewell, to_micros(new.since)),
    )
    said: Mapping[str, Json] = {"person": new.person.id, "browser": new.id, "label": new.label, "sign": new.sign}
    append(db, "browser_enrolled", said, utc=now.utc)
    return True


def _end(db: sqlite3.Connection, ident: str, now: Now, *, by: str) -> bool:
    row = db.execute(f"{_SELECT_BROWSER} AND b.id = ?", (ident,)).fetchone()
    if row is None:
        return False
    one = _browser(row)
    db.execute("DELETE FROM browser WHERE id = ?", (ident,))
    said: Mapping[str, Json] = {"person": one.person.id, "browser": ident, "label": one.label, "by": by}
    append(db, "browser_ended", said, utc=now.utc)
    return True


def _add_order(db: sqlite3.Connection, browser: str, number: int, signed: bytes, now: Now) -> StoredOrder | None:
    name = sha256(signed).digest()
    before = db.execute(
        f"{_SELECT_ORDER} WHERE browser = ? AND number = ? AND sha256 = ?", (browser, number, name)
    ).fetchone()
    if before is not None:
        return _order(before)
    row = db.execute(f"{_SELECT_BROWSER} AND b.id = ?", (browser,)).fetchone()
    if row is None or _browser(row).number >= number:
        return None
    db.execute("UPDATE browser SET number = ? WHERE id = ?", (number, browser))
    db.execute(
        "INSERT INTO browser_order (browser, number, sha256, signed, state, at) VALUES (?, ?, ?, ?, 'kept', ?)",
        (browser, number, name, signed, to_micros(now.utc)),
    )
    db.execute(
        "DELETE FROM browser_order WHERE browser = ? AND state != 'kept' AND number NOT IN"
        " (SELECT number FROM browser_order WHERE browser = ? ORDER BY number DESC LIMIT ?)",
        (browser, browser, MAX_ORDERS_PER_BROWSER),
    )
    said: Mapping[str, Json] = {"browser": browser, "signed": signed.decode(), "by": _browser(row).person.id}
    append(db, "order", said, utc=now.utc)
    return StoredOrder(
        browser=browser, number=number, signed=signed, state="kept", why=None, at=from_micros(to_micros(now.utc))
    )


def _finish_order(db: sqlite3.Connection, order: StoredOrder, why: str | None, now: Now) -> None:
    state = "done" if why is None else "failed"
    changed = db.execute(
        "UPDATE browser_order SET state = ?, why = ? WHERE browser = ? AND number = ? AND state = 'kept'",
        (state, why, order.browser, order.number),
    )
    if changed.rowcount:
        said: Mapping[str, Json] = {"browser": order.browser, "number": order.number, "why": why}
        append(db, "order_ended", said, utc=now.utc)
