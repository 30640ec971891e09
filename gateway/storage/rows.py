"""Reads a delivery with its permission and visits as one row."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from gateway.domain.custody import declined_reason
from gateway.domain.delivery.address import OrderAddress
from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery, candidate, delivery_status, next_change_at
from gateway.domain.delivery.cold_verdict import ItemOutcome
from gateway.domain.delivery.features import Dimensions
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import DeliveryOrder, DeliveryResult, ItemResult, OrderUsage, State, TimeAnswer
from gateway.domain.delivery.result import CollectResult, DoorResult, Outcome
from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.protocol.cold_chain import ColdChainAccount, ItemPassport
from gateway.storage.database import Database, record_of

TERMS_ADAPTER = TypeAdapter(PermissionTerms)
ANSWER_TIME = timedelta(minutes=30)  # for the household, counted from the newest question of a late courier

# The columns that make an order, each with its expression in a query.
_ORDER_COLUMNS: Mapping[str, str] = {
    **{
        name: f"d.{name}"
        for name in (
            "brand", "id", "version", "entrance", "carrier", "place", "cold_max_c", "cold_min_c", "items", "cancelled",
            "signed_by", "doubtful", "by_hub", "message", "message_version", "accepted_entrances", "dimensions",
            "label_rules", "for_robot", "info", "expected_address", "moved_from", "announced_place", "placed",
            "refused_at",
        )
    },
    "start": "d.starts",
    "end": "d.ends",
    "parcels": "(SELECT json_group_array(value) FROM code WHERE delivery = d.key AND kind = 'parcel')",
    "collect": "(SELECT json_group_array(value) FROM code WHERE delivery = d.key AND kind = 'collect')",
    "courier": "(SELECT value FROM code WHERE delivery = d.key AND kind = 'courier')",
    "said_day": "(SELECT said_day FROM own_parcel WHERE delivery = d.key)",
}  # fmt: skip
MAX_MISSING_CHARS = 1000  # of the missing parcels in a result
MAX_CACHED_ORDERS, MAX_CACHED_PERMISSIONS = 256, 64  # read once and kept: more than are near at a time

# One row for each delivery, by index look-ups only; the columns of the order first. All text after WHERE comes from
# this package.
_SELECT_ROW = f"""
SELECT {", ".join(f"{expression} AS {name}" for name, expression in _ORDER_COLUMNS.items())},
  d.key, d.lacking, d.checked, d.told, d.taken_in_at IS NOT NULL AS taken_in, d.refused_by, d.late_at, d.announced_end,
  (SELECT json_group_object(place, free) FROM free_room WHERE entrance = d.entrance) AS room,
  p.version AS permission_version, p.standing, p.terms,
  (SELECT count(*) FROM visit WHERE delivery = d.key AND intent IN ('reserved', 'spent')) AS used,
  (SELECT count(*) FROM visit WHERE delivery = d.key AND intent IN ('reserved', 'spent', 'given_back')) AS withdrawals,
  (SELECT json_group_array(json_array(outcome, missing, house, collected, json(items), json(missing_parcels)))
   FROM (SELECT outcome, missing, house, collected, items, missing_parcels FROM visit
     WHERE delivery = d.key ORDER BY began, id)) AS visits,
  EXISTS (SELECT 1 FROM entrance e LEFT JOIN visit v ON v.id = e.visit
    WHERE e.delivery = d.key AND v.outcome IS NULL)
  OR EXISTS (SELECT 1 FROM custody c JOIN visit v ON v.id = c.visit
    WHERE c.delivery = d.key AND v.outcome IS NULL AND c.stage <> 'announced') AS visiting,
  EXISTS (SELECT 1 FROM custody WHERE delivery = d.key AND stage IN ('received', 'handed_over', 'confirmed')) AS kept,
  (SELECT reason FROM custody WHERE delivery = d.key AND stage = 'declined' ORDER BY since DESC LIMIT 1) AS declined
"""  # noqa: S608 - expressions of our own
_FROM_DELIVERY = " FROM delivery d LEFT JOIN permission p ON p.brand = d.brand WHERE "
SELECT_BY_KEY = f"{_SELECT_ROW}{_FROM_DELIVERY}d.key = ?"
SELECT_OWN = f"""{_SELECT_ROW}, o.note, o.by FROM delivery d JOIN own_parcel o ON o.delivery = d.key
LEFT JOIN permission p ON p.brand = d.brand WHERE d.brand = ? ORDER BY d.ends DESC, d.key LIMIT ?"""
SELECT_BY_CODE = f"""{_SELECT_ROW}, c.kind AS code_kind FROM code c CROSS JOIN delivery d ON d.key = c.delivery
LEFT JOIN permission p ON p.brand = d.brand WHERE c.value = ?"""
SELECT_NEAR = f"""{_SELECT_ROW}{_FROM_DELIVERY}d.entrance = ? AND d.ends > ? AND d.ends < ? AND d.starts < ?
AND d.cancelled = 0 ORDER BY d.ends LIMIT ?"""
SELECT_UNCHECKED = f"""{_SELECT_ROW}{_FROM_DELIVERY}d.entrance = ? AND d.ends > ? AND d.checked IS NULL
AND d.cancelled = 0 ORDER BY d.ends LIMIT ?"""
SELECT_EXPECTED = f"""{_SELECT_ROW}{_FROM_DELIVERY}(d.ends > ? OR d.late_at > ?) AND d.cancelled = 0 AND d.brand != ?
ORDER BY d.starts, d.key LIMIT ?"""
# No retailer waits for a result of the owner's own parcel.
SELECT_DUE = f"{_SELECT_ROW}{_FROM_DELIVERY}d.look_at <= ? AND d.brand != '{OWN_BRAND}' ORDER BY d.look_at LIMIT ?"


class DeliveryRow(Frozen):
    """One delivery with everything that decides about it."""

    order: DeliveryOrder
    permission: Permission | None
    usage: OrderUsage
    lacking: tuple[str, ...] | None
    checked: datetime | None
    told: str | None
    kept: bool = False  # a receiver took a parcel of it
    declined: str | None = None  # why a receiver declined the last parcel that he did
    refused_by: str | None = None  # the id of the person of the household who refused it
    code_kind: str | None = None
    late_at: datetime | None = None  # when its late courier asked last for more time; None: he never did
    announced_end: datetime | None = None  # of the retailer's window, once the household has answered that
    room: Mapping[str, int] = field(default_factory=dict)  # counted place -> for how many items it has room

    def time_answer(self, now: Now) -> TimeAnswer | None:
        """Return what became of a late courier's question; None: nobody asked."""
        if self.announced_end is not None:
            return TimeAnswer.GIVEN if self.order.end > self.announced_end else TimeAnswer.REFUSED
        if self.late_at is None:
            return None
        return TimeAnswer.ASKED if now.utc < self.late_at + ANSWER_TIME else TimeAnswer.UNANSWERED

    def facts(self, house: DeliveryContext, now: Now) -> VisitDelivery:
        """Return the delivery as `decide` takes it."""
        return candidate(self.order, self.permission, self.usage, context=house, now=now, room=self.room)

    def result(self, house: DeliveryContext, now: Now) -> DeliveryResult:
        """Return what the retailer may know now."""
        status = delivery_status(self.order, self.permission, self.usage, context=house, now=now)
        is_declined = status.state is State.NOT_DELIVERED and self.declined is not None
        return DeliveryResult(
            box=house.box,
            at=now.utc,
            brand=self.order.brand,
            delivery=self.order.id,
            version=self.order.version,
            state=status.state,
            reason=declined_reason(self.declined) if is_declined else status.reason,
            custody="household" if self.usage.taken_in else "receiver" if self.kept else None,
            cold_chain=self._item_results(),
            moved_to=None if self.order.moved_from is None else self.order.entrance,
            more_time=self.time_answer(now),
            missing=self.usage.missing,
            missing_parcels=self._missing_parcels(status.state),
            house=self.usage.house,
            collected=self.usage.collected,
            lacking=self.lacking,
        )

    def _missing_parcels(self, state: State) -> tuple[str, ...] | None:
        missing = self.usage.missing_parcels
        has_come = state in {State.DELIVERED, State.PARTLY_DELIVERED}
        return missing if has_come and missing is not None and is_short_enough(missing) else None

    def _item_results(self) -> tuple[ItemResult, ...] | None:
        outcomes = self.usage.items
        if outcomes is None or len(outcomes) != len(self.order.items):
            return None
        judged = zip(self.order.items, outcomes, strict=True)
        return tuple(ItemResult(code=item.code, **asdict(outcome)) for item, outcome in judged)

    def next_check(self, house: DeliveryContext, now: Now) -> datetime | None:
        """Return when time alone changes what the retailer sees; None: never."""
        status = delivery_status(self.order, self.permission, self.usage, context=house, now=now)
        changes = next_change_at(self.order, status, now=now)
        if self.late_at is None or self.time_answer(now) is not TimeAnswer.ASKED:
            return changes
        unanswered = self.late_at + ANSWER_TIME
        return unanswered if changes is None else min(changes, unanswered)


def is_short_enough(parcels: Sequence[str]) -> bool:
    """Return whether an event to the hub has room for these codes, beside the account of the visit."""
    return sum(len(parcel) + 3 for parcel in parcels) <= MAX_MISSING_CHARS


def row_of(db: Database, key: str) -> DeliveryRow | None:
    """Return one delivery by its key, `brand.id`."""
    return next((read_row(raw) for raw in select_rows(db, SELECT_BY_KEY, (key,))), None)


def row_in_visit(db: Database, key: str, visit: str | None) -> DeliveryRow | None:
    """Return a delivery as it stands for a visit that is on its way: the visit's own opening does not count as used."""
    row = row_of(db, key)
    if visit is None:
        return row
    own = db.execute("SELECT intent FROM visit WHERE id = ? AND delivery = ?", (visit, key)).fetchone()
    if row is None or own is None or own[0] not in {"reserved", "spent"}:
        return row
    usage = replace(row.usage, used=row.usage.used - 1, withdrawals=row.usage.withdrawals - 1)
    return replace(row, usage=usage)


def select_rows(db: Database, query: str, parameters: Sequence[object]) -> sqlite3.Cursor:
    """Run one of this module's queries."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(query, parameters)


def comparable(result: DeliveryResult) -> str:
    """Return what makes two results differ for a retailer."""
    compared = {"version", "state", "reason", "missing", "house", "lacking"}
    names = ("missing_parcels", "custody", "moved_to", "more_time", "collected", "cold_chain")
    later = {name for name in names if getattr(result, name) is not None}
    return result.model_dump_json(include=compared | later)


def store_reported(db: Database, row: DeliveryRow, result: DeliveryResult, house: DeliveryContext, now: Now) -> None:
    """Store what the retailer knows, and when time alone changes it."""
    later = (comparable(result), row.next_check(house, now), row.order.key)
    db.execute("UPDATE delivery SET told = ?, look_at = ? WHERE key = ?", later)


def mark_for_check(db: Database, key: str) -> None:
    """Have the delivery's result compared with what the retailer knows, as soon as possible."""
    db.execute("UPDATE delivery SET look_at = 0 WHERE key = ?", (key,))


def mark_brand_for_check(db: Database, brand: str, now: Now) -> None:
    """Have the results of the brand's open deliveries compared with what the retailer knows, as soon as possible."""
    db.execute("UPDATE delivery SET look_at = 0 WHERE brand = ? AND ends > ?", (brand, now.utc))


def permission_of(db: Database, brand: str) -> Permission | None:
    """Return the owner's decision on a brand; None: the store has none."""
    row = db.execute("SELECT version, standing, terms FROM permission WHERE brand = ?", (brand,)).fetchone()
    return None if row is None else _permission(brand, *row)


@lru_cache(maxsize=MAX_CACHED_PERMISSIONS)
def _permission(brand: str, version: int, standing: str, terms: str) -> Permission:
    return Permission(
        brand=brand, version=version, standing=PermissionStatus(standing), terms=TERMS_ADAPTER.validate_json(terms)
    )


def read_row(row: sqlite3.Row) -> DeliveryRow:
    """Return the delivery in a row of one of this module's queries."""
    permission = None
    if row["standing"] is not None:
        permission = _permission(row["brand"], row["permission_version"], row["standing"], row["terms"])
    lacking, visits = row["lacking"], json.loads(row["visits"])
    order = _order_of(tuple(row)[: len(_ORDER_COLUMNS)])
    ended = [visit for visit in visits if visit[0] is not None]
    usage = record_of(
        OrderUsage,
        row,
        outcomes=tuple(Outcome(outcome) for outcome, *_ in ended),
        missing=next((missing for _, missing, *_ in reversed(ended)), 0),
        missing_parcels=next((None if parcels is None else tuple(parcels) for *_, parcels in reversed(ended)), None),
        collected=next((CollectResult(word) for _, _, _, word, *_ in reversed(ended) if word is not None), None),
        house=next((DoorResult(house) for _, _, house, *_ in reversed(visits) if house is not None), None),
        items=next((_outcomes_of(items) for *_, items, _ in reversed(visits) if items is not None), None),
    )
    lacking = None if lacking is None else tuple(json.loads(lacking))
    room = json.loads(row["room"])
    return record_of(DeliveryRow, row, order=order, permission=permission, usage=usage, lacking=lacking, room=room)


@lru_cache(maxsize=MAX_CACHED_ORDERS)
def _order_of(values: tuple[object, ...]) -> DeliveryOrder:
    """Return the order in the values of `_ORDER_COLUMNS`: equal values make one order, which is read once."""
    row: Mapping[str, Any] = dict(zip(_ORDER_COLUMNS, values, strict=True))
    message: bytes | None = row["message"]
    sha256 = None if message is None else message.hex()
    codes = {name: frozenset(json.loads(row[name])) for name in ("parcels", "collect")}
    return record_of(DeliveryOrder, row, message_sha256=sha256, **codes, **_features_of(row))


def columns_of_features(order: DeliveryOrder) -> dict[str, str | None]:
    """Return the columns with the features of an order of version 2, as JSON; NULL: the order does not use it."""
    return {
        "entrances": None if order.entrances is None else json.dumps(sorted(order.entrances)),
        "dimensions": None if order.dimensions is None else json.dumps(asdict(order.dimensions)),
        "label_rules": json.dumps(sorted(order.label_rules)) if order.label_rules else None,
        "info": json.dumps(dict(order.info)) if order.info else None,
        "expected_address": None if order.expected_address is None else json.dumps(asdict(order.expected_address)),
        "items": json.dumps([_item_json(item) for item in order.items]) if order.items else None,
    }


def _features_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `DeliveryOrder` in the columns that `columns_of_features` writes."""
    names = ("accepted_entrances", "dimensions", "label_rules", "info", "items", "expected_address")
    entrances, size, rules, info, items, address = (
        None if row[name] is None else json.loads(row[name]) for name in names
    )
    return {
        "entrances": None if entrances is None else frozenset(entrances),
        "dimensions": None if size is None else Dimensions(**size),
        "label_rules": frozenset(rules or ()),
        "info": info or {},
        "expected_address": None if address is None else OrderAddress(**address),
        "items": tuple(map(_item_of, items or ())),
    }


def _item_json(item: OrderItem) -> dict[str, Any]:
    return {
        "code": item.code, "place": item.place, "min_c": item.limits.min_c, "max_c": item.limits.max_c,
        "profile": item.profile, "max_seconds": item.max_seconds,
    }  # fmt: skip


def _item_of(stored: dict[str, Any]) -> OrderItem:
    return OrderItem(
        code=stored["code"],
        place=stored["place"],
        limits=Limits(min_c=stored["min_c"], max_c=stored["max_c"]),
        profile=None if stored["profile"] is None else FoodProfile(stored["profile"]),
        max_seconds=stored["max_seconds"],
    )


def outcomes_json(account: ColdChainAccount) -> str:
    """Return what is stored of the items of a visit: nothing that names one, because codes are deleted earlier."""
    return json.dumps([asdict(_outcome(item)) for item in account.items])


def _outcome(item: ItemPassport) -> ItemOutcome:
    measured = [one for one in (item.during, item.after) if one is not None]
    lows, highs = [one.min_c for one in measured], [one.max_c for one in measured]
    before = [] if item.before is None else [item.before]
    return ItemOutcome(
        verdict=item.verdict,
        reasons=item.reasons,
        seconds=item.seconds,
        lowest_c=min((*before, *lows), default=None),
        highest_c=max((*before, *highs), default=None),
    )


def _outcomes_of(stored: list[dict[str, Any]]) -> tuple[ItemOutcome, ...]:
    return tuple(ItemOutcome(**{**one, "reasons": tuple(one["reasons"])}) for one in stored)
