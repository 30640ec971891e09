"""A log line is one JSON object, whatever was logged."""

import json
from pathlib import Path

import pytest

from gateway.system.json_log import json_line

ROW = '{"at":"2026-11-24T20:35:06Z","event":{"name":"Zoë\\n"},"visit":null}'.encode()


@pytest.mark.parametrize(
    "fields",
    [{}, {"event": "decision", "entry": 4}, {"path": Path("home.yaml"), "text": 'a "b"\n'}],
    ids=["none", "one", "several"],
)
def test_what_is_json_already_is_a_field_like_any_other(fields: dict[str, object]) -> None:
    line = json_line({"row": ROW, **fields})
    assert "\n" not in line
    assert json.loads(line) == {"row": json.loads(ROW), **{name: _plain(value) for name, value in fields.items()}}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
