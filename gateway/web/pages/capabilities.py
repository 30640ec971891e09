"""How a promise of a device is shown: as a sentence, and whether it is good, unknown or bad news."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.installation.capability import Ground, Promise
from gateway.installation.words import promised
from gateway.system.i18n import Language


def told(found: Iterable[Promise], language: Language) -> list[Mapping[str, Any]]:
    """Each promise as a sentence, and how it is."""
    return [
        {
            "text": promised(one, language).replace("`", ""),
            "how": "bad" if one.forbids else "rests" if one.ground in (Ground.UNKNOWN, Ground.MISSING) else "good",
        }
        for one in found
    ]
