"""Reads and shows the terms under which a brand may come in."""

from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from multidict import MultiMapping

from gateway.config.home import Home
from gateway.domain.day import day_end, read_day
from gateway.domain.delivery.permission import DAYS, Permission, PermissionTerms, parse_hours
from gateway.domain.now import Now
from gateway.protocol.ed25519 import PublicKey
from gateway.storage.consent_requests import StoredConsentRequest
from gateway.storage.models import StoredBrandKey
from gateway.system.dates import WEEKDAYS
from gateway.system.i18n import Language, _
from gateway.system.text import sanitized

MAX_CARRIERS = 32  # as many as a brand may ask for


def read_terms(fields: MultiMapping[Any], home: Home, now: Now) -> PermissionTerms:
    """Read the terms that an owner entered into the form.

    Without a trusted clock the last day has no upper bound: the box does not know what is far ahead.

    Raises:
        DayError: the last day is out of bounds.
        ValueError: a number, an hour or a name is invalid.
    """
    carriers = frozenset(filter(None, map(sanitized, str(fields.get("carriers", "")).split(","))))
    if len(carriers) > MAX_CARRIERS:
        raise ValueError(f"{MAX_CARRIERS} carriers at most")
    last_day, zone = str(fields.get("until", "")), ZoneInfo(home.timezone)
    today = now.utc.astimezone(zone).date() if now.trusted else None
    return PermissionTerms(
        entrances=frozenset(home.destinations) & set(map(str, fields.getall("entrance", ()))),
        places=frozenset(place_names(home)) & set(map(str, fields.getall("place", ()))),
        carriers=carriers,
        days=frozenset(map(str, fields.getall("day", ()))),
        hours=f"{fields.get('from', '')}-{fields.get('to', '')}",
        ask_each_time=fields.get("each") == "1",
        openings=int(str(fields.get("openings", "1"))),
        expires=day_end(read_day(last_day, today=today), zone) if last_day else None,
        hub_signed=fields.get("hub_signed") == "1",
    )


def terms_facts(permission: Permission, home: Home, language: Language) -> Mapping[str, Any]:
    """Return the terms of a permission with the home's own names, which the template has to isolate."""
    terms, places, known = permission.terms, place_names(home), home.destinations
    return {
        "entrances": [known[name].name for name in sorted(terms.entrances) if name in known],
        "places": [places.get(name, name) for name in sorted(terms.places)],
        "carriers": sorted(terms.carriers),
        "days": _day_names(terms.days, language),
    }


def question_facts(question: StoredConsentRequest, home: Home, language: Language) -> Mapping[str, Any]:
    """Return what a brand requests with the home's own names; None where it leaves the choice to the owner."""
    asked, entrances, places = question.asked, home.destinations, place_names(home)
    return {
        "entrances": asked.entrances and [entrances[name].name for name in asked.entrances if name in entrances],
        "places": asked.places and [places[name] for name in asked.places if name in places],
        "days": _day_names(asked.days, language),
    }


def key_fingerprint(key: StoredBrandKey) -> str:
    """Return the fingerprint of a brand's key, which people compare."""
    return PublicKey.from_text(key.x).fingerprint


def place_names(home: Home) -> dict[str, str]:
    """Return the name of each place of all entrances and receptions, by its id."""
    return {id_: name for destination in home.destinations.values() for id_, name in destination.places.items()}


def _day_names(days: Collection[str], language: Language) -> str:
    if set(DAYS) <= set(days):
        return _("every day").to(language)
    return ", ".join(WEEKDAYS[place].to(language) for place, day in enumerate(DAYS) if day in days)


def week_spans(days: frozenset[str], hours: str) -> list[Mapping[str, Any]]:
    """Return the spans of a week in which a brand may come in: for each day its column and the rectangles in it."""
    opens, closes = parse_hours(hours)
    begin, end = opens.total_seconds() / 3600, closes.total_seconds() / 3600
    columns: list[Mapping[str, Any]] = []
    for place, day in enumerate(DAYS):
        spans = []
        if day in days:
            spans.append({"y": 2 * begin, "height": 2 * (min(end, 24) - begin)})
        if end > 24 and DAYS[place - 1] in days:  # the part after midnight belongs to the next day
            spans.append({"y": 0, "height": 2 * (end - 24)})
        columns.append({"name": day, "x": place * 28 + 2, "spans": spans})
    return columns
