from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from gateway.config.fields import Hours
from gateway.demo.page.script import BRAND, EARLY, LASTS, asking_to_be_let_in
from gateway.demo.plan import plan
from gateway.domain.delivery.permission import Terms, inside


@pytest.mark.parametrize("hour", range(24))
def test_the_show_can_be_played_at_each_hour_of_a_day(hour: int, tmp_path: Path) -> None:
    home = plan(tmp_path, fast=True).home
    for minute in (0, 1, 2, 30, 59):
        now = datetime(2026, 11, 25, hour, minute, tzinfo=UTC)
        hours = asking_to_be_let_in(home, now).brands[BRAND].permission.hours
        TypeAdapter(Hours).validate_python(hours)
        promised = (now - EARLY, now + timedelta(seconds=LASTS))
        assert inside(*promised, Terms(hours=hours), zone=ZoneInfo(home.timezone)), hours
