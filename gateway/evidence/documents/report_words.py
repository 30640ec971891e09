"""The texts of a visit's report."""

from collections.abc import Mapping

from gateway.domain.delivery.result import DoorResult
from gateway.evidence.documents.visit_timeline import VisitMoment
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import sanitized
from gateway.video.ipc import StreamFault

MOMENT_TEXTS: Mapping[VisitMoment, Text] = {
    VisitMoment.SCANNED: _("Scan accepted"),
    VisitMoment.UNLOCKED: pgettext("what happened", "Unlocked"),
    VisitMoment.OPENED: _("Door opened"),
    VisitMoment.CLOSED: _("Door closed"),
    VisitMoment.LOCKED_AGAIN: pgettext("what happened", "Locked again, proven"),
    VisitMoment.HANDED_TO_OWNER: _("Handed to the owner"),
}

DOOR_RESULT_TEXTS: Mapping[DoorResult, Text] = {
    DoorResult.NOT_OPENED: _("the door was not opened"),
    DoorResult.LOCKED_AGAIN: _("locked again"),
    DoorResult.HANDED_TO_OWNER: _("handed to the owner"),
}

# Why a film lacks: the video process's words and those of sealing.
GAP_TEXTS: Mapping[str, Text] = {
    "not_filmed": _("not filmed"),
    "film_lost": _("film lost"),
    StreamFault.UNREACHABLE: _("camera not reachable"),
    StreamFault.STALL: _("no more pictures came"),
    StreamFault.RESET: _("connection cut"),
    StreamFault.STUCK_TIMESTAMPS: _("timestamps stood still"),
    StreamFault.UNDECODABLE: _("pictures could not be decoded"),
    StreamFault.BLACK: _("black picture"),
    StreamFault.FROZEN: _("frozen picture"),
    StreamFault.DISK: _("disk full or failing"),
    StreamFault.CHANGED: _("the picture's format changed"),
    StreamFault.INTERRUPTED: _("recording interrupted"),
}


def gap_text(why: str, language: Language) -> str:
    """Return the reason of a gap in this language; an unknown reason is shown as the manifest has it."""
    return GAP_TEXTS[why].to(language) if why in GAP_TEXTS else sanitized(why)
