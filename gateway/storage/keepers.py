"""Stores the codes of keepers, the phones that show them, and the links that give them. Secrets are SHA-256.

A code counts until the owner withdraws it. It then stays for a while, so that the log can name its keeper. All instants
are of the reckoned clock (`gateway.web.auth.session_age`), except `now`, which is that of the log.
"""

import hmac
from collections.abc import Collection
from dataclasses import field
from datetime import datetime, timedelta

from gateway.domain.delivery.barcodes import courier_token_value
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import KeeperCode
from gateway.storage.database import Database
from gateway.storage.part import StorePart, posts, reads, writes

MAX_CODES = 8  # valid codes of one keeper, on phones and cards
WITHDRAWN_KEPT = timedelta(days=90)  # for so long the use of a withdrawn code is named in the log
MAX_WITHDRAWN = 20  # codes of one keeper; older withdrawn codes are deleted


class KeeperLink(Frozen):
    """A link that gives one phone a code of a keeper; `by` is the owner who made it."""

    id: str
    secret: bytes = field(repr=False)
    keeper: str
    by: str
    made: datetime


class StoredKeeperCode(Frozen):
    """A code of a keeper, on a phone (`session` is the digest of its cookie's secret) or on a card (None)."""

    id: str
    keeper: str
    code: bytes = field(repr=False)
    session: bytes | None = field(repr=False)
    browser: str | None  # a value of gateway/web/auth/user_agent.py
    by: str
    made: datetime
    seen: datetime
    withdrawn: datetime | None = None


_CODE = "SELECT id, keeper, code, session, browser, by, made, seen, withdrawn FROM keeper_code"


def add_link(db: Database, link: KeeperLink, now: Now, *, lives: timedelta) -> bool:
    """Store a link, and delete those that are older than `lives`; False: the keeper has too many codes."""
    if _count(db, link.keeper) >= MAX_CODES:
        return False
    db.execute("DELETE FROM keeper_link WHERE made <= ?", (link.made - lives,))
    db.insert("keeper_link", **vars(link))
    db.log("keeper_invited", now.utc, {"keeper": link.keeper}, by=link.by)
    return True


def link(db: Database, ident: str) -> KeeperLink | None:
    """Return a link that was not used."""
    return db.record(KeeperLink, "SELECT id, secret, keeper, by, made FROM keeper_link WHERE id = ?", (ident,))


def redeem_link(db: Database, ident: str, code: StoredKeeperCode, now: Now) -> bool:
    """End a link and store the code of its phone; False: the link was used, or the keeper has too many codes."""
    if not db.exists("SELECT 1 FROM keeper_link WHERE id = ?", (ident,)) or not add_code(db, code, now):
        return False
    db.execute("DELETE FROM keeper_link WHERE id = ?", (ident,))
    return True


def add_code(db: Database, code: StoredKeeperCode, now: Now, *, replaces: str | None = None) -> bool:
    """Store a code, in place of the keeper's code `replaces`, if given; False: there are too many."""
    if replaces is not None:
        withdraw(db, (replaces,), now, by=code.by)
    if _count(db, code.keeper) >= MAX_CODES:
        return False
    db.insert("keeper_code", **vars(code))
    medium = "card" if code.session is None else "phone"
    db.log("keeper_code_given", now.utc, {"keeper": code.keeper, "code": code.id, "on": medium}, by=code.by)
    return True


def _count(db: Database, keeper: str) -> int:
    query = "SELECT count(*) FROM keeper_code WHERE keeper = ? AND withdrawn IS NULL"
    return db.number(query, (keeper,))


def code(db: Database, ident: str) -> StoredKeeperCode | None:
    """Return a code by its id, also a withdrawn one."""
    return db.record(StoredKeeperCode, f"{_CODE} WHERE id = ?", (ident,))


def codes(db: Database, keeper: str) -> tuple[StoredKeeperCode, ...]:
    """Return the codes of a keeper that count, oldest first."""
    return db.records(StoredKeeperCode, f"{_CODE} WHERE keeper = ? AND withdrawn IS NULL ORDER BY made, id", (keeper,))


def find(db: Database, scanned: str) -> KeeperCode | None:
    """Return the keeper's code that was scanned, also a withdrawn one; None: it is no keeper's. In constant time."""
    found = None
    for row in db.records(StoredKeeperCode, _CODE):
        if hmac.compare_digest(courier_token_value(row.code.hex()), scanned):
            found = KeeperCode(code=row.id, keeper=row.keeper, withdrawn=row.withdrawn is not None)
    return found


def counts(db: Database, ident: str) -> bool:
    """Return whether a code counts: the store has it, and nobody withdrew it."""
    return db.exists("SELECT 1 FROM keeper_code WHERE id = ? AND withdrawn IS NULL", (ident,))


def touch_code(db: Database, ident: str, when: datetime) -> None:
    """Store that the phone of a code opened its page."""
    db.execute("UPDATE keeper_code SET seen = max(seen, ?) WHERE id = ?", (when, ident))


def withdraw(db: Database, idents: Collection[str], now: Now, *, by: str | None) -> tuple[str, ...]:
    """Withdraw codes; return the ids of those that were valid until now. `by`: the owner; None: the box itself."""
    withdrawn = []
    for ident in idents:
        query = "UPDATE keeper_code SET withdrawn = ? WHERE id = ? AND withdrawn IS NULL RETURNING keeper"
        keeper = db.value(str, query, (now.utc, ident))
        if keeper is None:
            continue
        withdrawn.append(ident)
        db.log("keeper_code_withdrawn", now.utc, {"keeper": keeper, "code": ident}, by=by)
        db.execute(
            "DELETE FROM keeper_code WHERE withdrawn < ? OR id IN (SELECT id FROM keeper_code WHERE keeper = ?"
            " AND withdrawn IS NOT NULL ORDER BY withdrawn DESC, id LIMIT -1 OFFSET ?)",
            (now.utc - WITHDRAWN_KEPT, keeper, MAX_WITHDRAWN),
        )
    return tuple(withdrawn)


def withdraw_keeper(db: Database, keeper: str, now: Now, *, by: str) -> tuple[str, ...]:
    """Withdraw every code and every link of a keeper; return the ids of the codes that were valid until now."""
    db.execute("DELETE FROM keeper_link WHERE keeper = ?", (keeper,))
    return withdraw(db, [row.id for row in codes(db, keeper)], now, by=by)


def withdraw_all(db: Database, now: Now) -> None:
    """Withdraw every code and link: the store may be an older copy, which does not know what was withdrawn since."""
    db.execute("DELETE FROM keeper_link")
    withdraw(db, db.column("SELECT id FROM keeper_code WHERE withdrawn IS NULL"), now, by=None)


class KeeperStore(StorePart):
    """Codes and links of keepers: `Store.keepers`."""

    add_link = writes(add_link)
    link = reads(link)
    redeem_link = writes(redeem_link)
    add_code = writes(add_code)
    code = reads(code)
    codes = reads(codes)
    find = reads(find)
    touch_code = posts(touch_code)  # if the disk is full, only the time of the page's last view is lost
    withdraw = writes(withdraw)
    withdraw_keeper = writes(withdraw_keeper)
    withdraw_all = writes(withdraw_all)
