"""The texts of notifications about one of several closures. They name the closure; an only door is "the door".

No word of such a text depends on gender or number, because the name can be that of any kind.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.config.closure_names import KIND_NAMES
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import Language, Text, _
from gateway.system.text import without_links

CLOSURE_NOTIFICATION_TEXTS: Mapping[Notification, Text] = MappingProxyType({
    Notification.DOOR_OPEN: _("Still open: {closure}[ ({entrance})][, delivery to: {place}]"),
    Notification.LOOK_AFTER_THE_DOOR: _(
        "Please look after this: {closure}[ ({entrance})]. Perron could not prove that it is locked"
    ),
    Notification.LIFT_THE_HANDLE: _("{closure}[ ({entrance})] does not lock: somebody has to lift the handle"),
})  # fmt: skip

# A table of its own, as in `texts.py`.
CLOSURE_ALARM_TEXTS: Mapping[AlarmCode, Text] = MappingProxyType({
    AlarmCode.BOLT_IN_THE_AIR: _("{closure}: the bolt is out while it stands open[ ({entrance})]"),
    AlarmCode.CAR_MOVES_OPEN: _("{closure}: the car is being moved while it stands open[ ({entrance})]"),
    AlarmCode.DOOR_FORCED_OPEN: _("{closure}: forced open[ ({entrance})]"),
    AlarmCode.DOOR_LEFT_OPEN: _("{closure}: left open[ ({entrance})]"),
    AlarmCode.HAND_USE_WHILE_AWAY: _("{closure}: used by hand while you are away[ ({entrance})]"),
    AlarmCode.KEY_LATE: _("{closure}: the key is not back on its hook[ ({entrance})][, {detail} has it]"),
    AlarmCode.LATE_UNLOCK: _("{closure}: opened late[ ({entrance})]"),
    AlarmCode.LOCK_JAMMED: _("{closure}: the lock is jammed[ ({entrance})]"),
    AlarmCode.LOCK_REFUSED: _("{closure}: did not obey[: {detail}][ ({entrance})]"),
    AlarmCode.NOT_LOCKED: _("{closure}: not proven locked[ ({entrance})]"),
    AlarmCode.ROBOT_STRANDED: _(
        "{closure}: a robot may stand in the way, nothing is closed or locked[ ({entrance})][: {detail}]"
    ),
    AlarmCode.STOPPED_INSIDE: _("{closure}: stopped while somebody may be inside[ ({entrance})]"),
    AlarmCode.UNEXPECTED_UNLOCK: _("{closure}: opened without an order from Perron[ ({entrance})]"),
    AlarmCode.UNLOCK_UNKNOWN: _(
        "{closure}: did not answer, nobody knows whether it opened[ ({entrance})]"
    ),
})  # fmt: skip


def closure_text(about: Notification | AlarmCode) -> Text | None:
    """Return the text of a message that names its closure; None: the message is not about a closure."""
    if isinstance(about, Notification):
        return CLOSURE_NOTIFICATION_TEXTS.get(about)
    return CLOSURE_ALARM_TEXTS.get(about)


def closure_in_words(facts: Mapping[str, str], language: Language) -> str:
    """Return the name of the closure in `facts`: of `closure`, its id, and of `closure_kind`."""
    ident, kind = without_links(facts.get("closure", "")), facts.get("closure_kind", "")
    if kind not in KIND_NAMES:
        return ident
    name = KIND_NAMES[kind].to(language)
    return name if facts.get("closure_is_only_one") else f"{name} ({ident})"
