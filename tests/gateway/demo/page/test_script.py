from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from gateway.config.fields import Hours
from gateway.demo.names import afternoon_zone
from gateway.demo.page.script import FIRST_BRAND, PROMISE_DURATION_S, without_permission
from gateway.demo.plan import make_plan
from gateway.domain.delivery.permission import PermissionTerms, is_within_terms


@pytest.mark.parametrize("hour", range(24))
def test_whenever_it_is_played_the_show_takes_place_in_the_afternoon(hour: int, tmp_path: Path) -> None:
    for minute in (0, 1, 4, 5, 6, 30, 59):
        now = datetime(2026, 11, 25, hour, minute, tzinfo=UTC)
        plan = make_plan(tmp_path, fast=True, timezone=afternoon_zone(now))
        zone = ZoneInfo(plan.home.timezone)
        assert "14:05" <= f"{now.astimezone(zone):%H:%M}" < "15:05"
        assert plan.house.timezone == plan.home.timezone, "the clock in the films is that of the messages"
        hours = without_permission(plan).home.brands[FIRST_BRAND].permission.hours
        TypeAdapter(Hours).validate_python(hours)
        promised = (now - timedelta(seconds=60), now + timedelta(seconds=PROMISE_DURATION_S))
        assert is_within_terms(*promised, PermissionTerms(hours=hours), zone=zone), hours
