"""Stores signed messages of retailers; a repeated message gets its stored answer."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from hashlib import sha256

from gateway.config.home import Destination
from gateway.domain.delivery.address import is_other_address
from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import PermissionStatus, permission_refusal
from gateway.domain.delivery.promise import (
    Arrival,
    Cancel,
    Claims,
    DeliveryOrder,
    DeliveryResult,
    Notice,
    Offer,
    State,
    TimeRequest,
    Update,
    delivery_key,
    order_of,
)
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.protocol.delivery_message import MAX_CLOCK_SKEW_S, HubClaims, UnsupportedMessage
from gateway.protocol.jws import RejectedMessage, RejectionCode, kid_of
from gateway.storage import arrivals, brandkeys, outbox
from gateway.storage.arrivals import NotedArrival
from gateway.storage.database import Database
from gateway.storage.models import MessageAnswer
from gateway.storage.more_time import Asked, AskTimeProblem, ask
from gateway.storage.permissions import mark_asked
from gateway.storage.rows import DeliveryRow, columns_of_features, mark_for_check, permission_of, row_of, store_reported

HUB_SIGNER = "hub"  # in place of a public key, for a version that the hub signed
MAX_NOTED_REJECTIONS_PER_HOUR = 60  # of unknown signers; further ones are answered and not logged
MAX_MESSAGES_PER_ENTRANCE = 500  # limit for one brand: messages in a day, and open deliveries; more are refused
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class MessageRefusal:
    """Why a valid message is refused, beside the visit's own refusals."""

    JTI_REUSED = "jti_reused"
    ALREADY_OFFERED = "already_offered"
    UNKNOWN_DELIVERY = "unknown_delivery"
    VERSION_TOO_LOW = "version_too_low"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TOO_LATE = "too_late"
    UNKNOWN_ENTRANCE = "unknown_entrance"
    UNKNOWN_PLACE = "unknown_place"
    PLACE_NOT_COLD = "place_not_cold"
    COURIER_CODE_MISSING = "courier_code_missing"
    CANNOT_COLLECT = "cannot_collect"  # nothing is collected at a reception, or where a keeper comes without a parcel
    CODE_COLLISION = "code_collision"
    TOO_MANY = "too_many"  # of this brand; the message is not stored
    DOWNGRADE = "downgrade"  # a message of version 1 about an order of version 2: it would drop the order's limits
    ANNOUNCE_AGAIN = Refusal.ANNOUNCE_AGAIN.value  # signed before the store was restored from a copy


class OfferProcessor(Frozen):
    """Answers retailers' messages to this box."""

    context: DeliveryContext
    entrances: Mapping[str, Destination]
    keys: Mapping[str, str]  # the brands' public keys by their kid

    def answer(self, db: Database, token: bytes, verified: Claims | RejectedMessage, now: Now) -> MessageAnswer:
        """Answer one message in the caller's transaction, which also stores its `jti`."""
        digest = sha256(token)
        signer = self.keys.get(kid_of(token) or "")
        if isinstance(verified, HubClaims):
            verified, signer = verified.for_brand, HUB_SIGNER
        distrusted = isinstance(verified, Claims) and signer in self.context.distrusted
        if distrusted:  # checked in the transaction: the owner may have distrusted it after the signature was verified
            verified = RejectedMessage(
                RejectionCode.KEY_DISTRUSTED, "this house no longer trusts the key: sign with another one"
            )
        result = db.value(DeliveryResult, "SELECT result FROM answer WHERE token = ?", (digest.digest(),))
        if result is not None and not distrusted:
            return MessageAnswer(result=result)
        blank = DeliveryResult(box=self.context.box, at=now.utc, token_sha256=digest.hexdigest())
        if isinstance(verified, RejectedMessage):
            _log_rejection(db, verified, now)
            return _refused(_blank_for_rejected(blank, verified), verified.code.value, why=verified.why)
        return self._process_claims(db, verified, blank, digest.digest(), now, signer=signer)

    def _process_claims(  # noqa: PLR0913 - the message, its digest and its key
        self, db: Database, claims: Claims, blank: DeliveryResult, digest: bytes, now: Now, *, signer: str | None
    ) -> MessageAnswer:
        if signer is not None:
            brandkeys.mark_used(db, signer, now)
        message = claims.delivery
        key = delivery_key(claims.iss, message.id)
        blank = blank.model_copy(
            update={"brand": claims.iss, "delivery": message.id, "version": _version_of(message), "answers": claims.jti}
        )
        if not self._is_within_limits(db, claims, now):
            return _refused(blank, MessageRefusal.TOO_MANY)
        if db.exists("SELECT 1 FROM answer WHERE brand = ? AND jti = ?", (claims.iss, claims.jti)):
            _log_message(db, claims, MessageRefusal.JTI_REUSED, now)
            return _refused(blank, MessageRefusal.JTI_REUSED)
        code = _hub_signature_refusal(db, claims) if signer == HUB_SIGNER else None
        time_message, arrival = None, NotedArrival(message=None, eta=None)
        if code is not None:
            pass
        elif isinstance(message, Cancel):
            code = _cancel(db, claims.iss, message, now)
        elif isinstance(message, TimeRequest):
            asked = self._ask_for_time(db, key, message, now)
            if isinstance(asked, Asked):
                time_message, blank = asked.message, blank.model_copy(update={"version": message.version})
            else:
                code = asked.value
        elif isinstance(message, Arrival):
            noted = self._note_arrival(db, key, message, now)
            if isinstance(noted, NotedArrival):
                arrival, blank = noted, blank.model_copy(update={"version": message.version})
            else:
                code = noted
        elif _predates_restore(db, claims.iat):
            code = MessageRefusal.ANNOUNCE_AGAIN
        else:
            order = order_of(claims.iss, message)
            order = replace(order, signed_by=signer, by_hub=signer == HUB_SIGNER, message_sha256=digest.hex())
            code = self._accept_order(db, order, new=isinstance(message, Offer), now=now)
        result = self._result(db, key, blank, code, now)
        expires, answer = claims.exp * 1_000_000, result.model_dump_json()
        db.insert("answer", token=digest, brand=claims.iss, jti=claims.jti, expires=expires, result=answer)
        _log_message(db, claims, code, now)
        if code is not None:
            return MessageAnswer(result=result)
        notified = _request_permission(db, message, claims.iss, key, now)
        return MessageAnswer(
            result=result, changed=(key,), permission_message=notified, time_message=time_message,
            arrival_message=arrival.message, eta=arrival.eta,
        )  # fmt: skip

    def _note_arrival(self, db: Database, key: str, message: Arrival, now: Now) -> NotedArrival | str:
        """Store when a courier comes, or return why not."""
        row = row_of(db, key)
        if row is not None and row.order.entrance not in self.entrances:
            return MessageRefusal.UNKNOWN_ENTRANCE
        return arrivals.note(db, key, message, self.context, now)

    def _ask_for_time(self, db: Database, key: str, message: TimeRequest, now: Now) -> Asked | AskTimeProblem | Refusal:
        """Put a late courier's question to the household, or return why not."""
        row = row_of(db, key)
        if row is None:
            return AskTimeProblem.UNKNOWN_DELIVERY
        if row.order.entrance not in self.entrances:
            return AskTimeProblem.UNKNOWN_ENTRANCE
        if message.version != row.order.version:
            return AskTimeProblem.VERSION_TOO_LOW
        return ask(db, row, self.context, now)

    def _is_within_limits(self, db: Database, claims: Claims, now: Now) -> bool:
        """Return whether a brand may send more: all of it is kept for a month. A brand may always cancel a delivery."""
        message, limit = claims.delivery, MAX_MESSAGES_PER_ENTRANCE * len(self.entrances)
        row = row_of(db, delivery_key(claims.iss, message.id))
        if isinstance(message, Cancel) and row is not None and _cancel_refusal(row, message) is None:
            return True
        open_ones = "SELECT count(*) FROM delivery WHERE brand = ? AND ends > ?"
        if row is None and db.number(open_ones, (claims.iss, now.utc)) >= limit:
            return False
        lately, since = "SELECT count(*) FROM entry WHERE kind = 'message' AND at > ?", now.utc - _DAY
        if db.number(lately, (since,)) < limit:  # counts all brands first: this is cheap and usually enough
            return True
        ours = f"{lately} AND instr(CAST(body AS TEXT), ?)"
        return db.number(ours, (since, f'"delivery":"{delivery_key(claims.iss, "")}')) < limit

    def _result(self, db: Database, key: str, blank: DeliveryResult, code: str | None, now: Now) -> DeliveryResult:
        """Return how the delivery stands after this message, and store that the retailer knows it."""
        row = row_of(db, key)
        if row is None:
            dead = code in {None, MessageRefusal.CANCELLED}  # a cancel that came first, or the offer after it
            state: dict[str, object] = {"state": State.CANCELLED} if dead else {"state": State.REFUSED, "reason": code}
        else:
            stands = row.result(self.context, now)
            if code is None:
                store_reported(db, row, stands, self.context, now)
            shown = ("state", "reason", "missing", "missing_parcels", "house", "custody", "moved_to", "more_time",
                     "collected",
                     "cold_chain", "lacking")  # fmt: skip
            state = {name: getattr(stands, name) for name in shown}
        return blank.model_copy(update={"accepted": code is None, "code": code, **state})

    def _accept_order(self, db: Database, order: DeliveryOrder, *, new: bool, now: Now) -> str | None:
        row = row_of(db, order.key)
        code = self._version_error(db, order, None if row is None else row.order, new=new)
        if code is None and row is not None and (row.usage.withdrawals or row.usage.visiting):
            code = MessageRefusal.TOO_LATE
        if code is None and row is not None and row.order.refused_at is not None:
            code = Refusal.DECLINED_BY_HOUSEHOLD.value  # no new version takes the household's no back
        code = code or self.order_refusal(db, order, now)
        if code is None:
            write_order(db, order)
        return code

    @staticmethod
    def _version_error(db: Database, order: DeliveryOrder, old: DeliveryOrder | None, *, new: bool) -> str | None:
        if db.exists("SELECT 1 FROM tombstone WHERE key = ?", (order.key,)) or (old is not None and old.cancelled):
            return MessageRefusal.CANCELLED
        if old is None:
            return None if new else MessageRefusal.UNKNOWN_DELIVERY
        if order.message_version < old.message_version:
            return MessageRefusal.DOWNGRADE
        if old.doubtful:  # the last version is unknown after a restore
            return MessageRefusal.VERSION_TOO_LOW if order.version < old.version else None
        if new:
            return MessageRefusal.ALREADY_OFFERED
        return MessageRefusal.VERSION_TOO_LOW if order.version <= old.version else None

    def order_refusal(self, db: Database, order: DeliveryOrder, now: Now) -> str | None:
        """Return the code of why this house does not take an order, whatever its version; None: it takes it."""
        entrance = self.entrances.get(order.entrance)
        if entrance is None or not (order.entrances or frozenset()) <= self.entrances.keys():
            return MessageRefusal.UNKNOWN_ENTRANCE
        if order.place not in entrance.places:
            return MessageRefusal.UNKNOWN_PLACE
        if not {item.place for item in order.items} <= entrance.places.keys():
            return MessageRefusal.UNKNOWN_PLACE
        if not order.places_with_limits <= entrance.cold_places:
            return MessageRefusal.PLACE_NOT_COLD
        if order.collect and not (entrance.collects if order.parcels else entrance.collects_alone):
            return MessageRefusal.CANNOT_COLLECT
        if order.for_robot and (order.collect or not entrance.robots):
            return RejectionCode.UNSUPPORTED
        needs_courier = order.only_collects or (entrance.courier_proof and order.brand != OWN_BRAND)
        if needs_courier and not order.for_robot and order.courier is None:
            return MessageRefusal.COURIER_CODE_MISSING
        if order.end <= now.utc:
            return MessageRefusal.EXPIRED
        permission = self.context.permission_for(order, permission_of(db, order.brand))
        refusal = permission_refusal(permission, order, zone=self.context.zone, utc=now.utc)
        if refusal is not None and refusal is not Refusal.AWAITING_PERMISSION:
            return refusal.value
        if refusal is None and is_other_address(self.context.told_address.address, order.expected_address):
            return Refusal.OTHER_ADDRESS.value
        return MessageRefusal.CODE_COLLISION if _has_code_collision(db, order) else None


def _blank_for_rejected(blank: DeliveryResult, rejected: RejectedMessage) -> DeliveryResult:
    """Return the result with what is known of a rejected message: of one that was believed, what it is about."""
    known = rejected.result_fields if isinstance(rejected, UnsupportedMessage) else {}
    return blank.model_copy(update=known)


def _version_of(message: Offer | Update | Cancel | Notice) -> int | None:
    """Return the version that a message makes, which its answer names; a notice makes none."""
    return None if isinstance(message, Notice) else message.version


def _refused(blank: DeliveryResult, code: str, *, why: str | None = None) -> MessageAnswer:
    return MessageAnswer(result=blank.model_copy(update={"accepted": False, "code": code, "why": why}))


def _has_code_collision(db: Database, order: DeliveryOrder) -> bool:
    """Return whether another open delivery of this brand, here and in an overlapping window, has one of its codes.

    Other brands' codes do not matter here: otherwise each brand could learn and block the parcels of another. The door
    decides about a code that two brands announced (`domain/visit/scan.py`).
    """
    query = """
        SELECT 1 FROM code c JOIN delivery d ON d.key = c.delivery
        WHERE c.value = ? AND d.key != ? AND d.brand = ? AND d.entrance = ? AND d.cancelled = 0
          AND d.starts < ? AND d.ends > ?
          AND NOT EXISTS (SELECT 1 FROM visit v WHERE v.delivery = d.key AND v.outcome = 'delivered')
    """
    codes = {*order.parcels, *order.collect, *(() if order.courier is None else (order.courier,))}
    where = (order.key, order.brand, order.entrance, order.end, order.start)
    return any(db.exists(query, (code, *where)) for code in codes)


def _hub_signature_refusal(db: Database, claims: Claims) -> str | None:
    """Return why a message that the hub signed for a brand is refused: it never changes what the brand has signed."""
    permission = permission_of(db, claims.iss)
    if permission is None:
        return Refusal.BRAND_NOT_PERMITTED.value
    row = row_of(db, delivery_key(claims.iss, claims.delivery.id))
    alters = row is not None and not row.order.by_hub
    forbidden = permission.standing is PermissionStatus.GRANTED and not permission.terms.hub_signed
    return Refusal.HUB_SIGNED_NOT_PERMITTED.value if alters or forbidden else None


def write_order(db: Database, order: DeliveryOrder) -> None:
    """Store an accepted order and its codes, in place of an earlier version."""
    message = None if order.message_sha256 is None else bytes.fromhex(order.message_sha256)
    db.execute(
        "INSERT INTO delivery (key, brand, id, version, entrance, carrier, place, starts, ends, cold_max_c, cold_min_c,"
        " signed_by, by_hub, message, message_version, accepted_entrances, dimensions, label_rules, for_robot, info,"
        " items, expected_address)"
        " VALUES (:key, :brand, :id, :version, :entrance, :carrier, :place, :start, :end, :cold_max_c, :cold_min_c,"
        " :signed_by, :by_hub, :message, :message_version, :entrances, :dimensions, :label_rules, :for_robot, :info,"
        " :items, :expected_address)"
        " ON CONFLICT (key) DO UPDATE SET"
        " version = excluded.version, entrance = excluded.entrance,"
        " carrier = excluded.carrier, place = excluded.place, starts = excluded.starts,"
        " ends = excluded.ends, cold_max_c = excluded.cold_max_c, cold_min_c = excluded.cold_min_c,"
        " expected_address = excluded.expected_address,"
        " items = excluded.items, lacking = NULL, checked = NULL,"
        " signed_by = excluded.signed_by, message = excluded.message,"
        " message_version = excluded.message_version, accepted_entrances = excluded.accepted_entrances,"
        " dimensions = excluded.dimensions, label_rules = excluded.label_rules, info = excluded.info,"
        " for_robot = excluded.for_robot,"
        " moved_from = NULL, announced_place = NULL,"
        " late_at = NULL, announced_end = NULL,"
        " by_hub = excluded.by_hub, doubtful = 0",
        asdict(order) | columns_of_features(order) | {"key": order.key, "message": message},
    )
    db.execute("DELETE FROM code WHERE delivery = ?", (order.key,))
    codes = [(value, order.key, "parcel") for value in sorted(order.parcels)]
    codes += [(value, order.key, "collect") for value in sorted(order.collect)]
    if order.courier is not None:
        codes.append((order.courier, order.key, "courier"))
    db.executemany("INSERT INTO code (value, delivery, kind) VALUES (?, ?, ?)", codes)


def _predates_restore(db: Database, iat: int) -> bool:
    """Return whether a message is older than the restore of this store: its delivery may have been used since.

    A retailer's clock may be ahead of the box's by the accepted skew.
    """
    since = db.value(int, "SELECT restored FROM box")
    return since is not None and (since == 0 or iat * 1_000_000 <= since + MAX_CLOCK_SKEW_S * 1_000_000)


def _cancel(db: Database, brand: str, cancel: Cancel, now: Now) -> str | None:
    name = delivery_key(brand, cancel.id)
    row = row_of(db, name)
    if row is None:
        db.insert("tombstone", or_="IGNORE", key=name, version=cancel.version, at=now.utc)
        return None
    code = _cancel_refusal(row, cancel)
    if code is not None:
        return code
    db.execute("UPDATE delivery SET cancelled = 1, version = ? WHERE key = ?", (cancel.version, name))
    mark_for_check(db, name)
    return None


def _cancel_refusal(row: DeliveryRow, cancel: Cancel) -> str | None:
    if row.order.cancelled:
        return MessageRefusal.CANCELLED
    if cancel.version <= row.order.version:
        return MessageRefusal.VERSION_TOO_LOW
    return MessageRefusal.TOO_LATE if row.usage.withdrawals else None


def _request_permission(
    db: Database, message: Offer | Update | Cancel | Notice, brand: str, key: str, now: Now
) -> int | None:
    """Notify the owner that a brand asks for permission: once, however many deliveries it announces."""
    permission = permission_of(db, brand)
    if (
        isinstance(message, Cancel | Notice)
        or permission is None
        or permission.standing is not PermissionStatus.PENDING
    ):
        return None
    if not mark_asked(db, brand, now):
        return None
    db.log("brand_asks", now.utc, {"brand": brand, "delivery": key, "version": permission.version})
    return outbox.notify_owner(db, message.entrance, Notification.BRAND_ASKS, now, delivery=key)


def _log_message(db: Database, claims: Claims, code: str | None, now: Now) -> None:
    message, key = claims.delivery, delivery_key(claims.iss, claims.delivery.id)
    db.log("message", now.utc, {"do": message.do, "delivery": key, "version": message.version, "code": code})


def _log_rejection(db: Database, rejection: RejectedMessage, now: Now) -> None:
    """Log a rejected message, but only some per hour: a sender must not fill the disk with them."""
    lately = "SELECT count(*) FROM entry WHERE kind = 'not_believed' AND at > ?"
    if db.number(lately, (now.utc - _HOUR,)) < MAX_NOTED_REJECTIONS_PER_HOUR:
        db.log("not_believed", now.utc, {"code": rejection.code.value})
