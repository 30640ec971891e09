import json

from gateway.cli.event_line import format_event


def test_an_event_is_one_line() -> None:
    said = {"at": "2026-11-25T18:00:00Z", "type": "delivery.changed", "about": "dlv-1", "sandbox": True,
            "data": {"state": "partly_delivered", "reason": None, "missing": 1, "house": "locked_again"}}  # fmt: skip
    assert format_event(json.dumps(said)) == (
        "2026-11-25T18:00:00Z  delivery.changed  dlv-1  partly_delivered  missing 1  locked_again  sandbox"
    )
    data = {"missing": 1, "missing_parcels": ["AB1"], "cancel": "too_late", "house": "locked_again"}
    assert "missing 1 (AB1)  cancel too_late  locked_again" in format_event(json.dumps({"data": data}))


def test_nothing_in_it_moves_the_cursor_or_begins_a_line() -> None:
    for evil in ("\x1b[2J", "a\nb", "\x9b", "\u202e"):
        assert format_event(json.dumps({"type": evil, "data": {"state": evil}})).isprintable()
        assert format_event(evil).isprintable()
