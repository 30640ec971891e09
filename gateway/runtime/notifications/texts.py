"""The owner's notifications as text; a part in square brackets is left out when its fact is unknown."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime, tzinfo
from types import MappingProxyType

import structlog

from devices.reports import OperationError
from gateway.config.brand_names import OWN_BRAND_NAME
from gateway.config.device_names import battery_label
from gateway.domain.custody import DeclineReason
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import BOOKING_NOTIFICATIONS, AlarmCode, Notification
from gateway.runtime.notifications.closure_texts import closure_in_words, closure_text
from gateway.system.dates import hours_text, local_period_text
from gateway.system.i18n import Fact, Language, Text, _, in_language
from gateway.system.text import without_links

log = structlog.get_logger(__name__)

NOTIFICATION_TEXTS: Mapping[Notification, Text] = MappingProxyType({
    Notification.AT_THE_DOOR: _("{who} is at the door[ ({entrance})][ for {brand}][, opening in {seconds} s]"),
    Notification.ASKS_FOR_YES: _(
        "{who} is at the door[ ({entrance})][ for {brand}]: open?[ Without a yes in {seconds} s it is no]"
    ),
    Notification.ATTENDED: _("Somebody answered {who}: Perron did not open the door"),
    Notification.NOT_OPENED: _("The door stayed shut[ for {brand}][: {detail}]"),
    Notification.LOCKED_AGAIN: _("Locked again {time}[, {entrance}][ ({brand})][, {detail}]"),
    Notification.DOOR_OPEN: _("The door is still open[ ({entrance})][, delivery to: {place}]"),
    Notification.LOOK_AFTER_THE_DOOR: _(
        "Please look after the door[ ({entrance})]: Perron could not prove that it is locked"
    ),
    Notification.NOT_READY: _("The entrance[ {entrance}] is not ready for the delivery[ from {brand}][: {detail}]"),
    Notification.READY_AGAIN: _("The entrance[ {entrance}] is ready again[ for {brand}]"),
    Notification.STOPPED_INSIDE: _("Stopped, but {who} may be inside: they are asked to leave, everything is filmed"),
    Notification.LIFT_THE_HANDLE: _("The door[ ({entrance})] does not lock: somebody has to lift its handle"),
    Notification.KEY_TAKEN: _("{who} has the key[ ({entrance})][, to be back by {until}]"),
    Notification.KEY_MISSED: _("{who} still has the key[ ({entrance})]: it should be on its hook by now"),
    Notification.BATTERY_SOON: _("A battery is running out[ ({entrance})][: {detail}]"),
    Notification.SAFE_MODE: _("Perron is in safe mode: it locks, films and warns, but opens nothing until you say so"),
    Notification.STORE_IN_DOUBT: _(
        "Perron's memory is in doubt: {detail}. Nothing opens: look after the doors, then say so on the page Home. "
        "What was announced before has to be announced again, and passes of guests be granted again"
    ),
    Notification.CODE_OF_SEVERAL: _(
        "Not opened[ ({entrance})]: several brands announced the same parcel[ ({detail})]. Take the permission back "
        "from the one that should not have"
    ),
    Notification.BRAND_ASKS: _(
        "{asker}[, by {carrier},] asks to be let in[: {place} only][ ({entrance})][, {hours}]. Without an answer from "
        "you it is no"
    ),
    Notification.NEW_KEY: _(
        "[{brand}: ]a new key waits for your yes, on the page of the brands. Until then it opens nothing"
    ),
    Notification.PASSWORD_RESET: _(
        "The password[ of {detail}] was replaced at {time} with a code made on the box: if nobody meant to, look who "
        "can get at it"
    ),
    Notification.SET_ASIDE: _(
        "Perron set aside something from outside that it could not handle[ ({detail})]. The doors go on; the "
        "health check says more"
    ),
    Notification.PARCEL_RECEIVED: _("[{detail}: ]the parcel[ from {brand}] is at the reception[ ({entrance})]"),
    Notification.PARCEL_DECLINED: _("The reception[ ({entrance})] did not take the parcel[ from {brand}][: {detail}]"),
    Notification.PARCEL_HANDED_OVER: _(
        "[{detail}: ]the parcel[ from {brand}] was handed over[ ({entrance})]. Scan it on the page Receptions"
    ),
    Notification.NO_RECEIVER: _("{who} came[ for {brand}], and nobody was on duty at the reception[ ({entrance})]"),
    Notification.ADMITTED: _("{who} was let in by a pass[ ({entrance})]"),
    Notification.LATE_COURIER: _("{who} is late[ ({entrance})][ for {brand}]. Give half an hour more?"),
    Notification.BOOKING_PROPOSED: _(
        "New booking[ from {detail}][: {period}][, and {more} more]. Accept or decline it on the page Guests"
    ),
    Notification.BOOKING_CHANGED: _(
        "Other dates for a booking[ from {detail}][: {period}][, and for {more} more]. What you accepted holds as it "
        "is: decide on the page Guests"
    ),
    Notification.BOOKING_GONE: _(
        "A booking is not listed any more[ by {detail}][: {period}][, and {more} more]. Nothing ends by itself: decide "
        "on the page Guests"
    ),
    Notification.ON_THE_WAY: _("The parcel[ from {brand}] is on its way[ ({entrance})][, expected about {until}]"),
    Notification.EXPECTED_AT: _("The parcel[ from {brand}] is expected[ about {until}][ ({entrance})]"),
    Notification.MOVED: _("The parcel[ from {brand}] goes to another place[: {entrance}][, because: {detail}]"),
})  # fmt: skip

_ALARM_TEXT: Text = _("Alarm {time}: {what}")

# A table of its own: two alarms have the same value as a notification, and equal values are equal keys.
ALARM_TEXTS: Mapping[AlarmCode, Text] = MappingProxyType({
    AlarmCode.BOLT_IN_THE_AIR: _("the bolt is out while the door is open[ ({entrance})]"),
    AlarmCode.CAMERA_CODE_LIMIT: _(
        "the camera read too many unknown codes and reads no labels for a quarter of an hour[ ({detail})]"
    ),
    AlarmCode.CAMERA_LOST: _("no more pictures[ from {detail}] during a visit"),
    AlarmCode.CAR_MOVES_OPEN: _("the car is being moved with its boot open[ ({entrance})]"),
    AlarmCode.DISK_FULL: _("the disk is full or failing, no more openings"),
    AlarmCode.DOOR_FORCED_OPEN: _("door forced open[ ({entrance})]"),
    AlarmCode.DOOR_LEFT_OPEN: _("the door was left open[ ({entrance})]"),
    AlarmCode.FRIDGE_LEFT_OPEN: _("the fridge was left open[ ({detail})]"),
    AlarmCode.FRIDGE_TOO_COLD: _("the fridge is too cold[ ({detail})]"),
    AlarmCode.FRIDGE_TOO_WARM: _("the fridge is too warm[ ({detail})]"),
    AlarmCode.HAND_USE_WHILE_AWAY: _("door used by hand while you are away[ ({entrance})]"),
    AlarmCode.CODE_STILL_VALID: _("a guest's code is over and not proven gone from the keypad[ ({detail})]"),
    AlarmCode.KEPT_TOO_LONG: _(
        "goods that must stay cold still lie at the reception[ ({entrance})][: {detail}]"
    ),
    AlarmCode.KEY_LATE: _("the key is not back on its hook[ ({entrance})][, {detail} has it]"),
    AlarmCode.LATE_UNLOCK: _("the lock opened late[ ({entrance})]"),
    AlarmCode.LOCK_JAMMED: _("the lock is jammed[ ({entrance})]"),
    AlarmCode.LOCK_REFUSED: _("the lock did not obey[: {detail}][ ({entrance})]"),
    AlarmCode.NOT_LOCKED: _("the door is not proven locked[ ({entrance})]"),
    AlarmCode.PROOF_INCOMPLETE: _("the film or proof of the visit is incomplete"),
    AlarmCode.ROBOT_STRANDED: _(
        "a robot may stand in the way, nothing is closed or locked[ ({entrance})][: {detail}]"
    ),
    AlarmCode.SAFE_MODE: _(
        "safe mode (three stops within a minute, another box in its place or a restored copy)"
    ),
    AlarmCode.SCANS_DROPPED: _("too many scans[, {detail} ignored]"),
    AlarmCode.STOPPED_INSIDE: _("stopped while somebody may be inside[ ({entrance})]"),
    AlarmCode.UNEXPECTED_UNLOCK: _("the lock opened without an order from Perron[ ({entrance})]"),
    AlarmCode.UNLOCK_UNKNOWN: _("the lock did not answer, nobody knows whether it opened[ ({entrance})]"),
    AlarmCode.WRONG_CODE_LIMIT: _("too many unknown codes, scanner locked out[ ({detail})]"),
})  # fmt: skip

REFUSAL_TEXTS: Mapping[Refusal, Text] = MappingProxyType({
    Refusal.OUTSIDE_WINDOW: _("outside the agreed window"),
    Refusal.UNKNOWN_CODE: _("unknown code"),
    Refusal.CODE_OF_SEVERAL: _("announced by several brands"),
    Refusal.ALREADY_USED: _("already delivered"),
    Refusal.EXPIRED: _("delivery expired"),
    Refusal.CANCELLED: _("delivery cancelled"),
    Refusal.BRAND_NOT_PERMITTED: _("brand not permitted"),
    Refusal.CARRIER_NOT_PERMITTED: _("carrier not permitted"),
    Refusal.COURIER_NOT_PROVEN: _("the courier did not show a code"),
    Refusal.KEEPER_NOT_PROVEN: _("no keeper scanned a code together with the parcel"),
    Refusal.KEEPER_NOT_ACCEPTED: _("this entrance does not accept this keeper's code"),
    Refusal.ROBOT_NOT_PROVEN: _("only a robot that proves who it is may bring this delivery"),
    Refusal.WRONG_ENTRANCE: _("wrong entrance"),
    Refusal.NOT_READY: _("the entrance was not ready"),
    Refusal.CAMERA_UNAVAILABLE: _("no live pictures"),
    Refusal.CLOCK_UNTRUSTED: _("the time was not certain"),
    Refusal.LOCKED_OUT: _("scanner locked out"),
    Refusal.BUSY: _("another visit was under way"),
    Refusal.HOUSEHOLD_PRESENT: _("somebody is home"),
    Refusal.STOPPED_BY_OWNER: _("stopped by you"),
    Refusal.PAUSED: _("deliveries are paused"),
    Refusal.GUEST_PRESENT: _("guests stay in the home"),
    Refusal.REVOKED: _("the pass is withdrawn"),
    Refusal.AWAITING_PERMISSION: _("waiting for your permission"),
    Refusal.NOT_APPROVED: _("you did not say yes"),
    Refusal.KEY_DISTRUSTED: _("you no longer trust the brand's key"),
    Refusal.HUB_SIGNED_NOT_PERMITTED: _("not signed by the brand itself"),
    Refusal.ANNOUNCE_AGAIN: _("announced before the box was restored"),
    Refusal.OTHER_ADDRESS: _("its order is for another address"),
    Refusal.DECLINED_BY_HOUSEHOLD: _("your household refused this delivery"),
    Refusal.NOT_OUT_FOR_DELIVERY: _("not known to be out for delivery today"),
    Refusal.FRIDGE_TOO_WARM: _("fridge too warm"),
    Refusal.FRIDGE_TOO_COLD: _("fridge too cold"),
    Refusal.FRIDGE_FULL: _("no room in the fridge"),
    Refusal.NO_RECEIVER: _("nobody was on duty at the reception"),
    Refusal.COLLECT_INSIDE: _("a parcel to collect is scanned inside"),
    Refusal.LABEL_FORBIDS: _("the label wants a person who takes the parcel"),
})  # fmt: skip

# What the same refusals say of a guest's pass, where those of a delivery would be wrong.
PASS_REFUSAL_TEXTS: Mapping[Refusal, Text] = MappingProxyType({
    Refusal.OUTSIDE_WINDOW: _("outside the days or hours of the pass"),
    Refusal.ALREADY_USED: _("the pass has no opening left"),
    Refusal.EXPIRED: _("the pass is over"),
    Refusal.AWAITING_PERMISSION: _("the pass is not granted yet"),
    Refusal.WRONG_ENTRANCE: _("the pass is for another entrance"),
})  # fmt: skip

# Why a lock reports that it did not obey.
FAILURE_TEXTS: Mapping[OperationError, Text] = MappingProxyType({
    OperationError.UNSPECIFIED: _("it does not say why"),
    OperationError.INVALID_CREDENTIAL: _("it asks for a code or a key"),
    OperationError.DISABLED_USER_DENIED: _("access is disabled in it"),
    OperationError.RESTRICTED: _("its settings forbid it"),
    OperationError.INSUFFICIENT_BATTERY: _("its battery is too weak"),
    OperationError.UNREACHABLE: _("it is out of reach"),
    OperationError.BUSY: _("it is busy"),
    OperationError.LOW_POWER: _("it lacks power"),
    OperationError.TIMEOUT: _("it did not answer in time"),
    OperationError.NOT_CALIBRATED: _("it is not calibrated"),
    OperationError.EXPIRED: _("the order came too late"),
    OperationError.REPEATED: _("the order came twice"),
})  # fmt: skip

BROKER_ACCOUNT = "broker_account"  # the condition `broker`, where the broker answers and refuses the account

# What an entrance can lack (`gateway/domain/visit/readiness.py`); a camera is named behind a colon, a battery by its
# device.
READINESS_TEXTS: Mapping[str, Text] = MappingProxyType({
    "broker": _("there is no connection to the broker"),
    BROKER_ACCOUNT: _("the broker refuses the gateway's account"),
    "lock": _("the lock is not proven locked"),
    "door": _("the door is not proven closed"),
    "disk": _("the disk is full or failing"),
    "clock": _("the time is not certain"),
    "fridge": _("the fridge is not cold enough"),
    "fridge_too_cold": _("the fridge is too cold"),
    "fridge_full": _("the fridge is not known to have room"),
    "way": _("something is in its way"),
    "latch": _("the latch is not proven shut"),
    "lid": _("the lid is not proven closed"),
    "content": _("nobody knows whether it is empty"),
    "occupied": _("something lies in it"),
    "too_big": _("the parcel does not fit in"),
    "flap": _("the flap is not proven closed"),
    "key": _("nobody knows whether the key is on its hook"),
    "key_out": _("the key is not on its hook"),
    "boot": _("the boot is not proven closed"),
    "boot_open": _("the boot stands open"),
    "locked": _("the car is not proven locked"),
    "unlocked": _("the car is unlocked"),
    "parked": _("nobody knows whether the car is parked"),
    "moving": _("the car is being driven"),
    "no_fence": _("nobody has set where the car must stand"),
    "not_there": _("the car is not where it must stand"),
    "no_fix": _("the car's position is not certain"),
    "presence": _("nobody knows whether somebody is home"),
    "code": _("a guest's code is not proven gone from the keypad"),
    "alarm": _("the alarm might go off"),
    "robot": _("the robot does not drive by itself, or is not heard"),
    "safe_mode": _("Perron is in safe mode"),
    "walk_test": _("the walk test is not passed"),
    "battery:lock": _("the lock's battery needs changing"),
    "battery:door": _("the door's battery needs changing"),
    "camera": _("no pictures from camera"),
    "entrance": _("a stop or a pause: nothing opens"),
})  # fmt: skip

# Why the store is in doubt (`gateway/evidence/rollback.py`).
STORE_DOUBT_TEXTS: Mapping[str, Text] = MappingProxyType({
    "rolled_back": _("an older copy of it was put back"),
    "mark_missing": _("its mark, last-checkpoint.json, is gone"),
    "mark_damaged": _("its mark, last-checkpoint.json, is damaged"),
    "mark_foreign": _("its mark, last-checkpoint.json, is signed by another box"),
    "key_lost": _("the box's key, box.key.pem, is gone; a new one was made"),
    "key_damaged": _("the box's key, box.key.pem, is damaged; a new one was made"),
    "key_foreign": _("the box's key is not the one that it had"),
    "line_damaged": _("the file of the box's former keys, beside its key, is damaged"),
})  # fmt: skip

# Why a receiver did not take a parcel.
DECLINE_TEXTS: Mapping[DeclineReason, Text] = MappingProxyType({
    DeclineReason.DAMAGED: _("damaged"),
    DeclineReason.UNKNOWN: _("the name is not known there"),
    DeclineReason.NO_ROOM: _("no room"),
    DeclineReason.DECLINED: _("no reason given"),
})  # fmt: skip

NAMING_HOLDER = frozenset({
    Notification.AT_THE_DOOR, Notification.ASKS_FOR_YES, Notification.ATTENDED, Notification.LOCKED_AGAIN,
    Notification.DOOR_OPEN, Notification.LOOK_AFTER_THE_DOOR, Notification.STOPPED_INSIDE, Notification.KEY_TAKEN,
    Notification.KEY_MISSED, AlarmCode.KEY_LATE,
})  # fmt: skip
"""The messages whose detail is the keeper who acts, if any."""

_NAMING_DEVICE = frozenset(
    {AlarmCode.CODE_STILL_VALID, AlarmCode.CAMERA_LOST, AlarmCode.CAMERA_CODE_LIMIT, AlarmCode.WRONG_CODE_LIMIT}
)
"""The alarms whose detail is the id of a device."""

_NAMING = NAMING_HOLDER | {
    Notification.PASSWORD_RESET, Notification.PARCEL_RECEIVED, Notification.PARCEL_HANDED_OVER, *BOOKING_NOTIFICATIONS,
}  # fmt: skip
"""The notifications whose detail is a name: of a person, or of a source of bookings."""

_COURIER_TEXT: Text = _("A courier")
_BRAND_TEXT: Text = _("A brand")
_UNTRUSTED_TIME_TEXT: Text = _("{time} (time not certain)")


class ComposedMessage(Frozen):
    """A notification to the owner: its kind and its facts (`message_facts`), from which `words` makes the sentence."""

    about: Notification | AlarmCode
    facts: Mapping[str, str] = field(default_factory=dict)
    at: datetime  # the time of the event
    visit: str | None = None
    delivery: str | None = None
    picture: bytes | None = None  # a JPEG
    entrance: str = ""
    devices: Mapping[str, Fact] = field(default_factory=dict)  # what people call each device of the house, by its id
    number: int = 0  # in the store; of one that is not stored 0, and negative in the queue

    @property
    def urgent(self) -> bool:
        """Return whether it is urgent: alarms are, and may wake a person."""
        return isinstance(self.about, AlarmCode)

    def words(self, language: Language) -> str:
        """Return the sentence for a reader of this language."""
        return worded(self.about, self.facts, language, _NamesIn(self.devices, language))


class _NamesIn(Mapping[str, str]):
    """The names of devices in one language: few messages name a device, so each is translated when it is read."""

    def __init__(self, names: Mapping[str, Fact], language: Language) -> None:
        self._names, self._language = names, language

    def __getitem__(self, ident: str) -> str:
        return in_language(self._names[ident], self._language)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def message_facts(at: datetime, zone: tzinfo, *, trusted: bool, **facts: str | None) -> dict[str, str]:
    """Return the known facts of a message as text, and the time of its event in the house's `zone`.

    `facts`: carrier, brand, entrance, place, hours, seconds (until something happens), until (when a key has to be
    back), starts and ends (of a booking, in the house's time without a zone), more (of them), own_parcel (it is the
    household's own, whose name depends on the reader's language), `closure` with its kind (`closure_in_words`), and
    `detail`: a device, a place, a person, a source of bookings, a number, or codes that become text (a `Refusal`'s, or
    missing conditions). `trusted`: the box is sure of the time.
    """
    known = {**facts, ("time" if trusted else "uncertain_time"): at.astimezone(zone).strftime("%H:%M")}
    return {name: fact for name, fact in known.items() if fact}


_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def worded(
    about: Notification | AlarmCode, facts: Mapping[str, str], language: Language,
    devices: Mapping[str, str] = _NO_NAMES,
) -> str:  # fmt: skip
    """Return the text of a message from its kind and its facts (`message_facts`), whose names may be anybody's.

    `devices`: the name of each device by its id; one without a name is named by its id.
    """
    sentence = _sentence(about, facts, language, devices)
    if isinstance(about, Notification):
        return sentence
    return _ALARM_TEXT.to(language, time=_time_text(facts, language), what=sentence)


def alarm_in_words(
    code: AlarmCode, facts: Mapping[str, str], language: Language, devices: Mapping[str, str] = _NO_NAMES
) -> str:
    """Return what an alarm says, as `worded` does but without its time: for a reader who sees that beside it."""
    return _sentence(code, facts, language, devices)


def _time_text(facts: Mapping[str, str], language: Language) -> str:
    return facts.get("time") or _UNTRUSTED_TIME_TEXT.to(language, time=facts.get("uncertain_time", ""))


def _period_text(facts: Mapping[str, str], language: Language) -> str:
    if "starts" not in facts or "ends" not in facts:
        return ""
    starts, ends = (datetime.fromisoformat(facts[name]) for name in ("starts", "ends"))
    return local_period_text(starts, ends).to(language)


def _sentence(
    about: Notification | AlarmCode, facts: Mapping[str, str], language: Language, devices: Mapping[str, str]
) -> str:
    names = {name: without_links(facts.get(name, "")) for name in ("carrier", "brand", "entrance", "place")}
    if "own_parcel" in facts:
        names["brand"] = OWN_BRAND_NAME.to(language)
    holder = without_links(facts.get("detail", "")) if about in NAMING_HOLDER else ""
    known = {
        **names,
        "who": holder or names["carrier"] or _COURIER_TEXT.to(language),
        "until": facts.get("until", ""),
        "asker": names["brand"] or _BRAND_TEXT.to(language),
        "hours": hours_text(facts["hours"]).to(language) if "hours" in facts else "",
        "seconds": facts.get("seconds", ""),
        "period": _period_text(facts, language),
        "more": facts.get("more", ""),
        "time": _time_text(facts, language),
        "detail": _detail_text(about, facts.get("detail", ""), language, devices),
        "closure": closure_in_words(facts, language),
    }
    text = closure_text(about) if known["closure"] else None
    if text is None:
        text = NOTIFICATION_TEXTS[about] if isinstance(about, Notification) else ALARM_TEXTS[about]
    sentence = re.sub(
        r"\[([^\]]*)\]",
        lambda part: part[1] if all(known[name] for name in re.findall(r"{(\w+)}", part[1])) else "",
        text.template(language),
    )
    return sentence.format(**known)


def log_message(message: ComposedMessage, text: str) -> None:
    """Log a message, so that it can be found even if no phone was reached; of the picture only its size."""
    log.info(
        "told_owner",
        about=message.about.value,
        text=text,
        urgent=message.urgent,
        visit=message.visit,
        delivery=message.delivery,
        picture_bytes=len(message.picture or b""),
    )


def _detail_text(
    about: Notification | AlarmCode, detail: str, language: Language, devices: Mapping[str, str]
) -> str:  # fmt: skip
    if detail in set(Refusal) and about not in _NAMING and about is not Notification.NOT_READY:
        return REFUSAL_TEXTS[Refusal(detail)].to(language)
    if about is Notification.BATTERY_SOON:
        return battery_text(detail, language, devices)
    if about is Notification.STORE_IN_DOUBT and detail in STORE_DOUBT_TEXTS:
        return STORE_DOUBT_TEXTS[detail].to(language)
    if about is AlarmCode.LOCK_REFUSED and detail in set(OperationError):
        return FAILURE_TEXTS[OperationError(detail)].to(language)
    if about is Notification.PARCEL_DECLINED and detail in set(DeclineReason):
        return DECLINE_TEXTS[DeclineReason(detail)].to(language)
    if about in _NAMING_DEVICE:
        return without_links(devices.get(detail, detail))
    if about is not Notification.NOT_READY:
        return without_links(detail)
    words = detail.split(", ")
    return ", ".join(without_links(readiness_text(word, language, devices=devices)) for word in words)


def battery_text(detail: str, language: Language, devices: Mapping[str, str] = _NO_NAMES) -> str:
    """Return the text of `lock`, `door` or `KIND/ID`, with the days until its battery is critical after a colon.

    `devices`: as in `worded`.
    """
    role, _colon, days = detail.partition(":")
    id_ = role.partition("/")[2]
    name = devices[id_] if id_ in devices else in_language(battery_label(role) or role, language)
    name = without_links(name)
    return name + (_(", in about {days} days").to(language, days=without_links(days)) if days else "")


def with_broker_reason(lacking: Iterable[str], *, is_refused: bool) -> tuple[str, ...]:
    """Return what an entrance lacks, with the reason why there is no broker if it is known."""
    return tuple(BROKER_ACCOUNT if word == "broker" and is_refused else word for word in lacking)


def readiness_text(
    word: str, language: Language, names: Mapping[str, str] = _NO_NAMES, *, devices: Mapping[str, str] = _NO_NAMES
) -> str:
    """Return the text of one missing condition (`gateway/domain/visit/readiness.py`).

    A condition of a closure has its id in front of it: `street/door`, `battery:street/door`. `names`: closure -> what
    people call it; `devices`: as in `worded`. Without a name the text has the id.
    """
    if word in READINESS_TEXTS:
        return READINESS_TEXTS[word].to(language)
    kind, colon, name = word.partition(":")
    if kind == "camera" and colon:
        return _("no pictures from {camera}").to(language, camera=without_links(devices.get(name, name)))
    if kind in READINESS_TEXTS:
        return f"{READINESS_TEXTS[kind].to(language)} {name}"
    closure, slash, condition = name.partition("/") if colon else word.partition("/")
    known = READINESS_TEXTS.get(f"battery:{condition}" if colon else condition)
    if slash and known is not None:
        return f"{names.get(closure, closure)}: {known.to(language)}"
    if kind == "battery":
        return _("the battery of {sensor} needs changing").to(language, sensor=without_links(name))
    return word
