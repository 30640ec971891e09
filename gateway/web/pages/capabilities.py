"""Words what a device can promise as a sentence with its state: good, unknown or bad."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.installation.capability import Capability, CapabilityEvidence
from gateway.system.i18n import Language


def capability_facts(found: Iterable[Capability], language: Language) -> list[Mapping[str, Any]]:
    """Return each capability as a sentence and its state."""
    return [
        {
            "text": one.text.to(language).replace("`", ""),
            "how": "bad"
            if one.forbids
            else "rests"
            if one.evidence in (CapabilityEvidence.UNKNOWN, CapabilityEvidence.MISSING)
            else "good",
        }
        for one in found
    ]
