"""The courier's receipt: a signed statement about the visit, without film and without the whole parcel code."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from gateway.domain.delivery.result import Outcome
from gateway.evidence.manifest import Last4, ShownText
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import PLACEHOLDER_SIGNATURE, FileName, Id, SignedDocument, sign_document
from gateway.system.i18n import Text, _, pgettext

RECEIPT_FILE = "receipt.json"  # its file in the visit's folder


class CourierReceipt(SignedDocument):
    """Times are to the minute: enough for a dispute, too little to follow a person. `left`: None if never seen out."""

    kind: Literal["perron receipt 1"] = "perron receipt 1"
    box: Id
    visit: FileName
    entrance: ShownText
    carrier: ShownText
    parcels: tuple[Last4, ...]
    outcome: Outcome
    came: AwareDatetime
    left: AwareDatetime | None


OUTCOME_TEXTS: Mapping[Outcome, Text] = {
    Outcome.DELIVERED: _("delivered"),
    Outcome.PARTLY_DELIVERED: _("partly delivered"),
    Outcome.NOT_DELIVERED: _("not delivered"),
    Outcome.ATTENDED: _("answered at the door"),
    Outcome.REFUSED: pgettext("a delivery", "refused"),
    Outcome.UNKNOWN: _("unknown"),
}


def issue_receipt(  # noqa: PLR0913 - one argument a line of the receipt
    *,
    box: str,
    visit: str,
    entrance: str,
    carrier: str,
    parcels: tuple[str, ...],
    outcome: Outcome,
    came: datetime,
    left: datetime | None,
    key: BoxKey,
) -> CourierReceipt:
    """Sign a receipt. `parcels`: the last characters of each parcel code; seconds are cut off."""
    unsigned = CourierReceipt(
        box=box,
        visit=visit,
        entrance=entrance,
        carrier=carrier,
        parcels=parcels,
        outcome=outcome,
        came=came.replace(second=0, microsecond=0),
        left=None if left is None else left.replace(second=0, microsecond=0),
        key=key.public.text,
        signature=PLACEHOLDER_SIGNATURE,
    )
    return sign_document(unsigned, key)
