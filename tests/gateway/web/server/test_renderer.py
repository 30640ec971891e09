"""How a page writes a duration, for readers of both languages."""

from gateway.web.server.renderer import format_minutes


def test_a_duration_has_the_readers_own_decimal_separator() -> None:
    assert (format_minutes(90, "en"), format_minutes(90, "fr")) == ("1.5", "1,5")
