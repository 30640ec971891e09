"""Makes a courier's one-time code for a retailer, and the address of the page that shows it.

The hub stores the digest of the code's bytes, which the order contains anyway, and that of the secret in the page's
address. The code stands in the link's fragment, which no browser sends, so no log of the hub has it.
"""

import secrets
from base64 import b64encode
from io import BytesIO
from typing import Any, Final

import segno
from sqlalchemy import Row, delete, insert

from gateway.domain.delivery.barcodes import (
    COURIER_TOKEN_BYTES,
    COURIER_TOKEN_PREFIX,
    courier_token_digest,
    new_courier_token,
)
from gateway.domain.frozen import Frozen
from gateway.hub.database.store import new_secret
from gateway.hub.database.tables import courier_pages
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.operation import HubTransaction

_QUIET_MODULES: Final = 4  # around the code, on each side (ISO/IEC 18004)
_SCALE: Final = 8  # pixels of one module


class CourierCode(Frozen):
    """A new code: the text that the courier shows as a QR code, and the digest that the order contains."""

    text: str
    sha256: str


def new_code() -> CourierCode:
    """Return a new code of 16 random bytes, which nothing stores."""
    secret = secrets.token_bytes(COURIER_TOKEN_BYTES)
    return CourierCode(text=new_courier_token(secret), sha256=courier_token_digest(secret))


def qr_svg(text: str) -> str:
    """Return the QR code of a text as an SVG document, dark on white."""
    return _drawn(text, kind="svg", xmldecl=False, nl=False, dark="#000", light="#fff").decode()


def qr_png(text: str) -> str:
    """Return the QR code of a text as a PNG image in base64."""
    return b64encode(_drawn(text, kind="png")).decode()


def _drawn(text: str, **how: Any) -> bytes:  # noqa: ANN401 - segno's own options
    image = BytesIO()
    segno.make(text, error="m", micro=False).save(image, scale=_SCALE, border=_QUIET_MODULES, **how)
    return image.getvalue()


async def open_page(hub: HubTransaction, row: Row[Any], code: CourierCode) -> str:
    """Make the page of a delivery's courier, in place of an earlier one, and return the link to it."""
    secret = new_secret()
    await hub.tx.execute(delete(courier_pages).where(courier_pages.c.delivery == row.id))
    page = {"sha256": secret_digest(secret), "delivery": row.id, "courier_sha256": code.sha256, "created": hub.now}
    await hub.tx.execute(insert(courier_pages).values(page))
    return f"{hub.url}/courier/{secret}#{code.text.removeprefix(COURIER_TOKEN_PREFIX)}"
