"""What people call the devices of each vendor and their fields, in the reader's language.

`babel.cfg` has `extract` read the English of the definitions, so that the catalogues have it: `devices` imports nothing
of the gateway, and marks no texts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from devices.vendors import VENDORS
from gateway.system.i18n import Text


def vendor_title(vendor: str) -> Text:
    """Return what people call this vendor's devices."""
    return Text(VENDORS[vendor].DEFINITION.title or vendor)


def vendor_help(vendor: str) -> Text | None:
    """Return what a person does at the device before it is added; None: nothing."""
    text = VENDORS[vendor].DEFINITION.help
    return Text(text) if text else None


def described_texts() -> Iterator[str]:
    """Yield every English text of the definitions."""
    for vendor in VENDORS.values():
        definition = vendor.DEFINITION
        for text in (
            definition.title,
            definition.help,
            *(t for f in definition.fields.values() for t in (f.title, f.help)),
        ):
            if text:
                yield text


def extract(
    fileobj: IO[bytes],  # noqa: ARG001 - Babel passes these names
    keywords: Iterable[str],  # noqa: ARG001 - the same
    comment_tags: Iterable[str],  # noqa: ARG001 - the same
    options: Mapping[str, Any],  # noqa: ARG001 - the same
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the messages of the definitions, as Babel's methods of extraction do."""
    for text in described_texts():
        yield 1, "_", text, []
