"""Stores the requests of brands that came through a hub, and applies the owner's answer to their keys."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from gateway.config.home import Home as HomeFile
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.frozen import Frozen
from gateway.domain.guests.passes import GUEST_BRAND
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import WALK_TEST
from gateway.protocol.consent_request import AskedTerms, RequestedKey
from gateway.protocol.consent_verification import REASON_UNSIGNED, ConsentRequest, VerifiedConsentMessage
from gateway.protocol.hash_chain import Json
from gateway.storage import brandkeys, outbox, permissions
from gateway.storage.database import Database
from gateway.storage.models import StoredBrandKey
from gateway.storage.rows import TERMS_ADAPTER, permission_of

MAX_OPEN_REQUESTS = 20  # of guests that wait for the owner at once
MAX_REQUESTS_PER_DAY = 30  # of all brands together
MAX_WAITING_KEYS = 10  # of one brand
TOKEN_RETENTION = timedelta(days=32)  # a request is valid for 31 days at most

REASON_ID_TAKEN = "another brand has this id, this key or this key's name in this house"
REASON_NAME_TOO_SIMILAR = "its name is too like that of a brand that this house knows"
REASON_TOO_MANY_REQUESTS = "too many brands ask this house"


class StoredConsentRequest(Frozen):
    """A brand's newest request. `digest` identifies everything that the owner sees of it; `keys` came with it."""

    brand: str
    name: str
    hub: str
    connection: str
    asked: AskedTerms
    digest: str
    signed: bool
    at: datetime
    expires: datetime
    answered: datetime | None
    guest: bool
    ended: datetime | None
    end_signed: bool  # the brand itself signed it, not only the hub
    keys: tuple[StoredBrandKey, ...] = ()

    def is_over(self, now: Now) -> bool:
        """Return whether the request was never answered and can no longer be granted: no answer means no."""
        return self.guest and self.answered is None and (self.expires <= now.utc or self.ended is not None)


class ConsentIntakeResult(Frozen):
    """The result of a message. `why`: the reason why it was not stored.

    `message`: the number of the message to the owner, stored under `entrance`; None: there is none.
    """

    why: str | None = None
    message: int | None = None
    entrance: str = ""
    delivery: str = ""
    saying: Notification = Notification.BRAND_ASKS


def store_message(db: Database, message: VerifiedConsentMessage, home: HomeFile, now: Now) -> ConsentIntakeResult:
    """Store a brand's message from the hub and the message to the owner, in one transaction.

    A repeated message changes nothing. A request never changes the owner's decision: a brand that was permitted,
    refused or revoked gets that answer again.
    """
    for x in message.withdrawn:
        brandkeys.withdraw_key(db, message.brand, x, now)
    result = ConsentIntakeResult()
    if message.request is not None:
        result = _store_request(db, message, message.request, home, now)
    elif message.connection is not None:
        result = _notify_owner_once(db, message.brand, message.connection, home, now)
    if result.why is not None:
        return result
    new = [key for key in message.keys if _add_next_key(db, message.brand, key, home, now)]
    entrance = next(iter(home.entrances), None)
    if new and result.message is None and entrance is not None:
        result = _queue_message(db, Notification.NEW_KEY, f"{message.brand}.{new[0].kid}", entrance, now)
    if message.ended_connection is not None:
        changed = db.execute(
            "UPDATE asking SET ended = ?, end_signed = ? WHERE brand = ? AND connection = ? AND ended IS NULL",
            (now.utc, message.is_end_signed, message.brand, message.ended_connection),
        )
        if changed.rowcount:
            db.log("brand_ended", now.utc, {"brand": message.brand, "connection": message.ended_connection})
    elif message.connection is not None or message.keys:
        db.insert("uplink_brand", or_="REPLACE", brand=message.brand, told=0)
    return result


def _store_request(
    db: Database, message: VerifiedConsentMessage, request: ConsentRequest, home: HomeFile, now: Now
) -> ConsentIntakeResult:
    guest, before = message.brand not in home.brands, request_of(db, message.brand)
    if db.exists("SELECT 1 FROM asking_heard WHERE token = ?", (request.token_digest,)):
        return ConsentIntakeResult()  # a hub may deliver one request several times
    if message.is_known_brand and guest and not request.is_signed and before is not None and before.signed:
        return ConsentIntakeResult(why=REASON_UNSIGNED)
    refusal = _daily_limit_error(db, now)
    if refusal is None and not message.is_known_brand:
        refusal = _rejection(db, message, request, home, now)
    if refusal is not None:
        return ConsentIntakeResult(why=refusal)
    db.insert("asking_heard", token=request.token_digest, at=now.utc)
    if not message.is_known_brand:
        brandkeys.forget_keys(db, message.brand)
        # Deliveries that another sender announced under this id must not become valid with this permission.
        db.execute("UPDATE delivery SET doubtful = 1 WHERE brand = ?", (message.brand,))
        for key in request.keys:
            brandkeys.add_waiting_key(db, key, message.brand, now, came="asked", enrolled=_enrolled(home))
    if guest and (not message.is_known_brand or (before is not None and before.answered is None)):
        _set_pending(db, message.brand, default_terms(request.asked, home), anew=not message.is_known_brand)
    permission = permission_of(db, message.brand)
    pending = permission is not None and permission.standing is PermissionStatus.PENDING
    name = request.name if before is None or not message.is_known_brand else before.name
    keys = [key.x for key in brandkeys.all_keys(db) if key.brand == message.brand and key.came == "asked"]
    shown = (message.brand, name, message.hub, request.asked.model_dump_json())
    digest, answered = sha256(json.dumps([*shown, keys]).encode()).hexdigest(), None if pending else now.utc
    db.execute(
        "INSERT OR REPLACE INTO asking (brand, name, hub, asked, connection, digest, signed, at, expires, answered,"
        " guest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*shown, request.connection, digest, request.is_signed, now.utc, request.expires, answered, guest),
    )
    body: dict[str, Json] = {"brand": message.brand, "name": name, "connection": request.connection}
    db.log("brand_asked", now.utc, {**body, "guest": guest, "signed": request.is_signed})
    return _notify_owner_once(db, message.brand, request.connection, home, now, asked=request.asked)


def _set_pending(db: Database, brand: str, terms: PermissionTerms, *, anew: bool) -> None:
    """Let a guest wait for the owner, each time with a new version: an older message's link cannot answer it."""
    db.execute(
        "INSERT INTO permission (brand, version, standing, terms) VALUES (?, 1, 'pending', ?) ON CONFLICT (brand)"
        " DO UPDATE SET version = version + 1, standing = 'pending', terms = excluded.terms,"
        " asked = CASE WHEN ? THEN NULL ELSE asked END",
        (brand, TERMS_ADAPTER.dump_json(terms).decode(), anew),
    )


def _daily_limit_error(db: Database, now: Now) -> str | None:
    db.execute("DELETE FROM asking_heard WHERE at < ?", (now.utc - TOKEN_RETENTION,))
    lately = db.number("SELECT count(*) FROM asking_heard WHERE at > ?", (now.utc - timedelta(days=1),))
    return REASON_TOO_MANY_REQUESTS if lately >= MAX_REQUESTS_PER_DAY else None


def _enrolled(home: HomeFile) -> frozenset[str]:
    return frozenset(key.x for brand in home.brands.values() for key in brand.keys)


def _rejection(
    db: Database, message: VerifiedConsentMessage, request: ConsentRequest, home: HomeFile, now: Now
) -> str | None:
    """Return why the owner does not see an unknown brand's request; None: the owner sees it."""
    if message.brand in (WALK_TEST, OWN_BRAND, GUEST_BRAND):
        return REASON_ID_TAKEN
    if any(brandkeys.is_taken(db, key.x, key.kid, message.brand, _enrolled(home)) for key in request.keys):
        return REASON_ID_TAKEN
    names = {id_: brand.name for id_, brand in home.brands.items()}
    for other, name in guests(db, now):
        permission = permission_of(db, other)
        if permission is not None and permission.standing in {PermissionStatus.PENDING, PermissionStatus.GRANTED}:
            names[other] = name  # a refused brand blocks no other name
    mine = {_name_skeleton(request.name), _name_skeleton(message.brand)}
    for other, name in names.items():
        if other != message.brand and mine & {_name_skeleton(name), _name_skeleton(other)}:
            return REASON_NAME_TOO_SIMILAR
    waiting = [ask for ask in all_requests(db) if ask.guest and ask.answered is None and not ask.is_over(now)]
    return REASON_TOO_MANY_REQUESTS if len(waiting) >= MAX_OPEN_REQUESTS else None


def _name_skeleton(name: str) -> str:
    """Return the letters of a name without accents, case and signs, digits as the letters that look like them."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if c.isalnum())
    return plain.translate(str.maketrans("01i5", "oll" + "s")).replace("rn", "m").replace("vv", "w")


def default_terms(asked: AskedTerms, home: HomeFile) -> PermissionTerms:
    """Return the terms of a simple yes: those that were requested and that this house has.

    A request for any entrance gets none. A simple yes never permits deliveries that the hub signs.
    """
    known = home.destinations
    entrances = frozenset(asked.entrances or ()) & frozenset(known)
    places = {place for name in entrances for place in known[name].places}
    return PermissionTerms(
        entrances=entrances, places=frozenset(asked.places or ()) & places, carriers=frozenset(asked.carriers),
        days=frozenset(asked.days), hours=asked.hours, openings=asked.openings, expires=asked.expires,
    )  # fmt: skip


def _notify_owner_once(  # noqa: PLR0913 - who asks for what
    db: Database, brand: str, question: str, home: HomeFile, now: Now, *, asked: AskedTerms | None = None
) -> ConsentIntakeResult:
    """Queue a message to the owner about a brand that waits: one each time that it begins to wait."""
    wanted = () if asked is None else asked.entrances or ()
    entrance = next((name for name in (*wanted, *home.entrances) if name in home.entrances), None)
    if entrance is None or not permissions.mark_asked(db, brand, now):  # no entrance: no phone to notify
        return ConsentIntakeResult()
    return _queue_message(db, Notification.BRAND_ASKS, f"{brand}.{question}", entrance, now)


def _queue_message(db: Database, saying: Notification, about: str, entrance: str, now: Now) -> ConsentIntakeResult:
    number = outbox.notify_owner(db, entrance, saying, now, delivery=about)
    return ConsentIntakeResult(message=number, entrance=entrance, delivery=about, saying=saying)


def _add_next_key(db: Database, brand: str, key: RequestedKey, home: HomeFile, now: Now) -> bool:
    """Store a key that waits for the owner; return False if it is known or too many wait."""
    waiting = "SELECT count(*) FROM brand_key WHERE brand = ? AND came = 'next' AND standing = 'waits'"
    if db.number(waiting, (brand,)) >= MAX_WAITING_KEYS:
        return False
    new = brandkeys.add_waiting_key(db, key, brand, now, came="next", enrolled=_enrolled(home))
    if new:
        db.log("key_shown", now.utc, {"brand": brand, "kid": key.kid, "x": key.x})
    return new


def decide(  # noqa: PLR0913 - what is decided, on what, and who decides
    db: Database,
    brand: str,
    standing: PermissionStatus,
    now: Now,
    *,
    terms: PermissionTerms | None = None,
    by: str | None = None,
    ask: str | None = None,
    version: int | None = None,
) -> Permission:
    """Store the owner's decision on a brand, and on the keys of its request; return the permission.

    `terms`: None keeps the present ones. `ask`: the digest of the request that the owner saw. `version`: of the
    permission that the owner saw; a later decision stays.

    Raises:
        LookupError: the brand is unknown, or its request is over or another one.
    """
    question, before = request_of(db, brand), permission_of(db, brand)
    if version is not None and (before is None or before.version != version):
        raise LookupError("it was decided meanwhile: look at it again")
    if ask is not None and (question is None or question.digest != ask):
        raise LookupError("it asks for something else by now: look at it again")
    yes = standing is PermissionStatus.GRANTED
    if yes and question is not None and question.is_over(now):
        raise LookupError("its question has expired or was withdrawn: it has to ask again")
    permission = permissions.decide_brand(db, brand, standing, terms, now, by=by)
    if question is None:
        return permission
    db.execute("UPDATE asking SET answered = ifnull(answered, ?) WHERE brand = ?", (now.utc, brand))
    if yes and question.guest:
        approved = db.execute(
            "UPDATE brand_key SET standing = 'approved', since = ?, by = ? WHERE brand = ? AND came = 'asked'"
            " AND standing = 'waits' RETURNING kid, x",
            (now.utc, by, brand),
        ).fetchall()
        for kid, x in approved:
            db.log("key_approved", now.utc, {"brand": brand, "kid": kid, "x": x}, by=by)
    return permission


def adopt_guest(db: Database, seed: Permission, now: Now) -> None:
    """If the house file now names a brand that was a guest, replace all that the guest had by what the file says."""
    brand = seed.brand
    if not db.exists("SELECT 1 FROM asking WHERE brand = ? AND guest = 1", (brand,)):
        return
    db.execute("DELETE FROM asking WHERE brand = ?", (brand,))
    db.execute("DELETE FROM brand_key WHERE brand = ? AND came != 'file'", (brand,))
    db.execute("UPDATE delivery SET doubtful = 1 WHERE brand = ?", (brand,))
    permissions.store_permission(db, seed, now)
    db.log("brand_adopted", now.utc, {"brand": brand})


def forget_guest(db: Database, brand: str, now: Now, *, by: str) -> None:
    """Delete a guest that was refused or revoked. A distrusted key of it stays distrusted.

    Raises:
        LookupError: the brand is no guest, waits, or is permitted.
    """
    ask, permission = request_of(db, brand), permission_of(db, brand)
    if ask is None or not ask.guest or permission is None:
        raise LookupError(f"{brand} is no brand that came by a hub")
    if permission.standing not in {PermissionStatus.REFUSED, PermissionStatus.REVOKED}:
        raise LookupError("refuse it, or let it in no longer, before it is forgotten")
    db.execute("DELETE FROM asking WHERE brand = ?", (brand,))
    brandkeys.forget_keys(db, brand)
    db.log("brand_forgotten", now.utc, {"brand": brand}, by=by)


def forget_guests(db: Database) -> None:
    """Delete all requests and the keys that came through a hub: the house has a new household.

    Their permissions, revoked by then, stay, because the hub must still receive that.
    """
    db.execute("DELETE FROM asking")
    db.execute("DELETE FROM asking_heard")
    db.execute("DELETE FROM brand_key WHERE came != 'file'")


def forget_unanswered(db: Database, before: datetime) -> None:
    """Delete the guests whose request was not answered and expired before an instant."""
    over = "SELECT brand FROM asking WHERE guest = 1 AND answered IS NULL AND expires < ?"
    for brand in db.column(over, (before,)):
        brandkeys.forget_keys(db, brand)
        for table in ("asking", "permission", "uplink_brand"):
            db.execute(f"DELETE FROM {table} WHERE brand = ?", (brand,))  # noqa: S608 - names of our own tables


def guests(db: Database, now: Now | None = None) -> Iterator[tuple[str, str]]:
    """Yield each brand that the house file does not name, with its name; with `now`, none whose request is over."""
    for request in all_requests(db):
        if request.guest and (now is None or not request.is_over(now)):
            yield request.brand, request.name


def request_of(db: Database, brand: str) -> StoredConsentRequest | None:
    """Return the newest request of a brand; None: it never made one through a hub."""
    return next(_select_requests(db, "WHERE brand = ?", (brand,)), None)


def all_requests(db: Database) -> Iterator[StoredConsentRequest]:
    """Yield the newest request of each brand, oldest first."""
    return _select_requests(db, "ORDER BY at, brand", ())


def _select_requests(db: Database, rest: str, parameters: tuple[str, ...]) -> Iterator[StoredConsentRequest]:
    query = f"SELECT brand, name, hub, connection, asked, digest, signed, at, expires, answered, guest, ended, end_signed FROM asking {rest}"  # noqa: E501,S608 - `rest` is one of two constants
    keys = [key for key in brandkeys.all_keys(db) if key.came == "asked"]
    for request in db.records(StoredConsentRequest, query, parameters):
        yield replace(request, keys=tuple(key for key in keys if key.brand == request.brand))
