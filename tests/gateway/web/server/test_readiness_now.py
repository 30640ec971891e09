"""What the owner reads of an entrance that is not ready, where the reason is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance
from gateway.web.server.readiness_now import Tone, readiness_now
from tests.shell.house import make_home, visit_delivery


@pytest.mark.parametrize(
    ("refused", "language", "said"),
    [
        (True, "en", "the broker refuses the gateway's account"),
        (True, "fr", "le broker refuse le compte de la passerelle"),
        (False, "en", "there is no connection to the broker"),
    ],
)
def test_a_broker_that_refuses_the_account_is_not_said_to_be_silent(
    tmp_path: Path, refused: bool, language: str, said: str
) -> None:
    home, delivery = make_home(tmp_path), visit_delivery()
    services: Any = SimpleNamespace(
        entrance_state=lambda name: (Entrance(id=name), Now(utc=delivery.start, mono=1.0, trusted=True)),
        is_refused_by_broker=lambda: refused,
        home=home,
    )
    shown = readiness_now(services, delivery, language)
    assert shown.tone is Tone.BAD
    assert said in shown.text
    assert "answer" not in shown.text
