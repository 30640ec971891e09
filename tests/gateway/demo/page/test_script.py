from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from gateway.config.fields import Hours
from gateway.demo.page.script import FIRST_BRAND, PROMISE_DURATION_S, PROMISE_LEAD, without_permission
from gateway.demo.plan import make_plan
from gateway.domain.delivery.permission import PermissionTerms, is_within_terms


@pytest.mark.parametrize("hour", range(24))
def test_the_show_can_be_played_at_each_hour_of_a_day(hour: int, tmp_path: Path) -> None:
    plan = make_plan(tmp_path, fast=True)
    for minute in (0, 1, 2, 30, 59):
        now = datetime(2026, 11, 25, hour, minute, tzinfo=UTC)
        hours = without_permission(plan, now).home.brands[FIRST_BRAND].permission.hours
        TypeAdapter(Hours).validate_python(hours)
        promised = (now - PROMISE_LEAD, now + timedelta(seconds=PROMISE_DURATION_S))
        assert is_within_terms(*promised, PermissionTerms(hours=hours), zone=ZoneInfo(plan.home.timezone)), hours
