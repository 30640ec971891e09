"""The courier's receipt: a signed statement about the visit, without film and without the whole parcel code."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime

from gateway.domain.delivery.result import Outcome
from gateway.evidence.manifest import Last4, ShownText
from gateway.protocol.signed_document import FileName, Id, SignedDocument
from gateway.system.i18n import Text, _, pgettext

RECEIPT_FILE = "receipt.json"  # its file in the visit's folder

Minute = Annotated[AwareDatetime, AfterValidator(lambda at: at.replace(second=0, microsecond=0))]


class CourierReceipt(SignedDocument):
    """Times are to the minute: enough for a dispute, too little to follow a person. `left`: None if never seen out.

    `parcels`: the last characters of each parcel code.
    """

    kind: Literal["perron receipt 1"] = "perron receipt 1"
    box: Id
    visit: FileName
    entrance: ShownText
    carrier: ShownText
    parcels: tuple[Last4, ...]
    outcome: Outcome
    came: Minute
    left: Minute | None


OUTCOME_TEXTS: Mapping[Outcome, Text] = {
    Outcome.DELIVERED: _("delivered"),
    Outcome.PARTLY_DELIVERED: _("partly delivered"),
    Outcome.NOT_DELIVERED: _("not delivered"),
    Outcome.ATTENDED: _("answered at the door"),
    Outcome.REFUSED: pgettext("a delivery", "refused"),
    Outcome.UNKNOWN: _("unknown"),
    Outcome.COLLECTED: _("collected"),
    Outcome.PARTLY_COLLECTED: _("partly collected"),
    Outcome.NOT_COLLECTED: _("not collected"),
}
