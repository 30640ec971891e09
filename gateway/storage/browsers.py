"""Stores enrolled browsers and their orders. An order is stored before it is performed, and each number is used once.

A browser belongs to a known device and ends with it. So it also ends with its person's account, with the password, and
with the household.
"""

from dataclasses import field
from datetime import datetime
from hashlib import sha256
from typing import Literal

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.models import AccountHolder
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.shares import GuestBrowser, guest_browser

MAX_ORDERS_PER_BROWSER = 50  # of one browser; older ones are deleted


class EnrolledBrowser(Frozen):
    """One browser, with its person's present account.

    `sign` and `agree` are its public keys (JWK, JSON), `own` is the box's private key for it. `farewell` is encrypted
    for the browser at enrolment, and goes to the hub when the browser ends: the box has deleted its key by then.
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


class StoredOrder(Frozen):
    """An order of a browser as it was signed, and its state. `why`: the reason of a failure."""

    browser: str
    number: int
    signed: bytes
    state: Literal["kept", "done", "failed"]
    why: str | None
    at: datetime


_SELECT_BROWSER = (
    "SELECT b.id, b.device, b.home, b.label, b.sign, b.agree, b.own, b.farewell, b.since, b.number,"
    " p.id AS 'person.id', p.name AS 'person.name', p.role AS 'person.role', p.added AS 'person.added'"
    " FROM browser b JOIN device d ON d.id = b.device JOIN person p ON p.id = d.person WHERE p.removed IS NULL"
)
_SELECT_ORDER = "SELECT browser, number, signed, state, why, at FROM browser_order"


def _browser(db: Database, ident: str) -> EnrolledBrowser | None:
    return db.record(EnrolledBrowser, f"{_SELECT_BROWSER} AND b.id = ?", (ident,))


def enrol(db: Database, new: EnrolledBrowser, now: Now) -> bool:
    """Store a browser's keys in place of those of its device; False: the box does not know the device any more."""
    if not db.exists("SELECT 1 FROM device WHERE id = ? AND person = ?", (new.device, new.person.id)):
        return False
    db.execute("DELETE FROM browser WHERE device = ?", (new.device,))
    db.insert("browser", **{name: value for name, value in vars(new).items() if name not in {"person", "number"}})
    db.log(
        "browser_enrolled", now.utc, {"person": new.person.id, "browser": new.id, "label": new.label, "sign": new.sign}
    )
    return True


def end(db: Database, ident: str, now: Now, *, by: str) -> bool:
    """End a browser; False: there is none of this id."""
    browser = _browser(db, ident)
    if browser is None:
        return False
    db.execute("DELETE FROM browser WHERE id = ?", (ident,))
    db.log("browser_ended", now.utc, {"person": browser.person.id, "browser": ident, "label": browser.label, "by": by})
    return True


def add_order(db: Database, browser: str, number: int, signed: bytes, now: Now) -> StoredOrder | None:
    """Store an order that is valid, and use its number; the same order again changes nothing.

    None: another order used this number or a later one, or the browser has ended meanwhile.
    """
    name = sha256(signed).digest()
    query = f"{_SELECT_ORDER} WHERE browser = ? AND number = ? AND sha256 = ?"
    before = db.record(StoredOrder, query, (browser, number, name))
    if before is not None:
        return before
    known = _browser(db, browser)
    if known is None or known.number >= number:
        return None
    db.execute("UPDATE browser SET number = ? WHERE id = ?", (number, browser))
    db.insert("browser_order", browser=browser, number=number, sha256=name, signed=signed, state="kept", at=now.utc)
    db.execute(
        "DELETE FROM browser_order WHERE browser = ? AND state != 'kept' AND number NOT IN"
        " (SELECT number FROM browser_order WHERE browser = ? ORDER BY number DESC LIMIT ?)",
        (browser, browser, MAX_ORDERS_PER_BROWSER),
    )
    db.log("order", now.utc, {"browser": browser, "signed": signed.decode(), "by": known.person.id})
    return db.record(StoredOrder, query, (browser, number, name))


def finish_order(db: Database, order: StoredOrder, why: str | None, now: Now) -> None:
    """Store that an order was done, or (`why`) failed."""
    state = "done" if why is None else "failed"
    changed = db.execute(
        "UPDATE browser_order SET state = ?, why = ? WHERE browser = ? AND number = ? AND state = 'kept'",
        (state, why, order.browser, order.number),
    )
    if changed.rowcount:
        db.log("order_ended", now.utc, {"browser": order.browser, "number": order.number, "why": why})


def order(db: Database, browser: str, number: int) -> StoredOrder | None:
    """Return one order."""
    return db.record(StoredOrder, f"{_SELECT_ORDER} WHERE browser = ? AND number = ?", (browser, number))


def orders(db: Database, browser: str, *, at_most: int) -> tuple[StoredOrder, ...]:
    """Return the newest orders of a browser, newest first."""
    query = f"{_SELECT_ORDER} WHERE browser = ? ORDER BY number DESC LIMIT ?"
    return db.records(StoredOrder, query, (browser, at_most))


def unfinished_orders(db: Database) -> tuple[StoredOrder, ...]:
    """Return the orders that were stored and not done, because the process ended between the two; oldest first."""
    return db.records(StoredOrder, f"{_SELECT_ORDER} WHERE state = 'kept' ORDER BY at, browser, number")


def _delete_all(db: Database) -> None:
    db.execute("DELETE FROM browser")
    db.execute("DELETE FROM share")


class BrowserStore(StorePart):
    """The enrolled browsers, their orders, and the browsers of shared visits: `Store.browsers`."""

    is_ending = False  # all are to end, and the disk has not stored it yet: until then none counts

    end = writes(end)
    add_order = writes(add_order)
    finish_order = writes(finish_order)
    order = reads(order)
    orders = reads(orders)
    unfinished_orders = reads(unfinished_orders)

    async def enrol(self, new: EnrolledBrowser, now: Now) -> bool:
        """As the function `enrol`, after an unfinished `end_all`."""
        await self.finish_ending()
        return await self.writer.do(lambda db: enrol(db, new, now))

    async def end_all(self) -> None:
        """End all browsers and shares: the box does not know any more what they ordered last, or which had ended.

        None counts from now on, even if the disk does not store it. Then `is_ending` is true until `finish_ending`.
        """
        self.is_ending = True
        await self.finish_ending()

    async def finish_ending(self) -> None:
        """Store what an `end_all` could not; otherwise do nothing."""
        if self.is_ending:
            await self.writer.do(_delete_all)
            self.is_ending = False

    def browser(self, ident: str) -> EnrolledBrowser | None:
        """Return one browser; None: there is none, or it has ended."""
        return None if self.is_ending else _browser(self.reader(), ident)

    def guest(self, ident: str) -> GuestBrowser | None:
        """Return the browser of a link that shares a visit; None: there is none, or it has ended."""
        return None if self.is_ending else guest_browser(self.reader(), ident)

    def browsers(self, person: str | None = None) -> tuple[EnrolledBrowser, ...]:
        """Return the browsers of one person or (None) of all, the newest last."""
        if self.is_ending:
            return ()
        query = f"{_SELECT_BROWSER} AND (? IS NULL OR p.id = ?) ORDER BY b.since, b.id"
        return self.reader().records(EnrolledBrowser, query, (person, person))
