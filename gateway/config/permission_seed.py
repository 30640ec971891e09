"""Converts the permission that a house file gives a brand at the first start."""

from zoneinfo import ZoneInfo

from gateway.config.home import PermissionSeed
from gateway.domain.day import day_end, read_day
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms


def initial_permission(brand: str, seed: PermissionSeed, *, zone: ZoneInfo) -> Permission:
    """Return the permission that `seed` describes; `seed.expires` is the last whole day in `zone`."""
    terms = PermissionTerms(
        entrances=frozenset(seed.entrances),
        places=frozenset(seed.places),
        carriers=frozenset(seed.carriers),
        days=frozenset(seed.days),
        hours=seed.hours,
        openings=seed.openings,
        ask_each_time=seed.ask_each_time,
        expires=None if seed.expires is None else day_end(read_day(seed.expires), zone),
        hub_signed=seed.hub_signed,
    )
    return Permission(brand=brand, version=1, standing=PermissionStatus(seed.state), terms=terms)
