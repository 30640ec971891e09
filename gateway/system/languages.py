"""The languages that pages and notifications speak."""

from gateway.system.text import Language

LANGUAGES: tuple[Language, ...] = ("fr", "en")


def understood(accept_language: str) -> Language | None:
    """Return the first of a browser's languages (RFC 9110, Accept-Language) that the pages speak; None if none is."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag[:2].lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(wanted):
        for language in LANGUAGES:
            if tag == language:
                return language
    return None
