"""Reads a store for the command line, also while the box runs. It writes nothing.

These functions take the store's file, and raise `StoreFailed` if it cannot be read or an older Perron wrote it.
"""

import sqlite3
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Concatenate, ParamSpec, TypeVar

from gateway.storage import consent_requests, guests, people, push_subscriptions
from gateway.storage.audit_log import code_digest, code_key
from gateway.storage.brand_facts import FactsSource, comment_of, facts_source
from gateway.storage.database import Database
from gateway.storage.models import AccountHolder, StoreFailed
from gateway.storage.outbox import phone_statuses
from gateway.storage.privacy import chosen_retention_days
from gateway.storage.readiness import readiness_hours
from gateway.storage.schema import connect_read_only

P = ParamSpec("P")
T = TypeVar("T")


def _reads_file(query: Callable[Concatenate[Database, P], T], without_store: T) -> Callable[Concatenate[Path, P], T]:
    @wraps(query)
    def read(file: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not file.exists():
            return without_store
        try:
            with connect_read_only(file) as db:
                return query(db, *args, **kwargs)
        except sqlite3.Error as failure:
            raise StoreFailed(str(failure)) from failure

    return read


def _owners(db: Database) -> tuple[AccountHolder, ...]:
    return tuple(person for person in people.all_people(db) if person.role == "owner")


def _parcel_codes(db: Database) -> Mapping[str, str]:
    key = code_key(db)
    parcels: list[str] = db.column("SELECT DISTINCT value FROM code WHERE kind IN ('parcel', 'collect')")
    items: list[str] = db.column(
        "SELECT DISTINCT json_extract(item.value, '$.code') FROM delivery, json_each(delivery.items) AS item"
    )
    return {code_digest(code, key): code for code in (*parcels, *items)}


def _held_visit_count(db: Database) -> int:
    return db.number("SELECT count(DISTINCT visit) FROM film WHERE held IS NOT NULL AND erased IS NULL")


def _guest_brands(db: Database) -> frozenset[str]:
    return frozenset(brand for brand, _name in consent_requests.guests(db))


def _browser_results(db: Database) -> tuple[str | None, ...]:
    browsers = {one.phone for one in push_subscriptions.subscriptions(db)}
    return tuple(status.heard for status in phone_statuses(db) if status.name in browsers)


owners = _reads_file(_owners, ())
held_visit_count = _reads_file(_held_visit_count, 0)
keypads_with_codes = _reads_file(guests.keypads_with_codes, ())
retention_days = _reads_file(chosen_retention_days, None)
parcel_codes = _reads_file(_parcel_codes, MappingProxyType[str, str]({}))
"""Read the codes of all parcels and items that the box knows, by the digest that the log has of each."""
brand_facts = _reads_file(facts_source, FactsSource(rows=(), windows=MappingProxyType({})))
guest_brands = _reads_file(_guest_brands, frozenset[str]())
"""Read the ids of the brands that are not in the house file and have once asked to be let in."""
brand_comment = _reads_file(comment_of, None)
counted_readiness = _reads_file(readiness_hours, ())

browser_results = _reads_file(_browser_results, ())
"""The result of the last message to each browser that is notified; None: it has had none yet."""
