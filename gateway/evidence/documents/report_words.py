"""What the report of a visit says of a moment, a door and a gap."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.domain.visit.state import DoorResult
from gateway.evidence.documents.visit_timeline import Moment
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import inert
from gateway.video.ipc import Fault

MOMENTS: Mapping[Moment, Text] = MappingProxyType({
    Moment.SCANNED: _("Scan accepted"),
    Moment.UNLOCKED: pgettext("what happened", "Unlocked"),
    Moment.OPENED: _("Door opened"),
    Moment.CLOSED: _("Door closed"),
    Moment.LOCKED_AGAIN: pgettext("what happened", "Locked again, proven"),
    Moment.HANDED_TO_OWNER: _("Handed to the owner"),
})  # fmt: skip

HOUSES: Mapping[DoorResult, Text] = MappingProxyType({
    DoorResult.NOT_OPENED: _("the door was not opened"),
    DoorResult.LOCKED_AGAIN: _("locked again"),
    DoorResult.HANDED_TO_OWNER: _("handed to the owner"),
})  # fmt: skip

# Why a film lacks: the video process's words and those of sealing.
GAPS: Mapping[str, Text] = MappingProxyType({
    "not_filmed": _("not filmed"),
    "film_lost": _("film lost"),
    Fault.UNREACHABLE: _("camera not reachable"),
    Fault.STALL: _("no more pictures came"),
    Fault.RESET: _("connection cut"),
    Fault.STUCK_TIMESTAMPS: _("timestamps stood still"),
    Fault.UNDECODABLE: _("pictures could not be decoded"),
    Fault.BLACK: _("black picture"),
    Fault.FROZEN: _("frozen picture"),
    Fault.DISK: _("disk full or failing"),
    Fault.CHANGED: _("the picture's format changed"),
    Fault.INTERRUPTED: _("recording interrupted"),
})  # fmt: skip


def gap(why: str, language: Language) -> str:
    """Why a film lacks; a word that is not known is shown as it stands in the manifest."""
    return GAPS[why].to(language) if why in GAPS else inert(why)
