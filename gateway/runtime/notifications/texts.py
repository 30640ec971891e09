"""The owner's voice: what the box tells, in French and English, and the port through which it is told.

A part of a sentence in square brackets is left out when its fact is unknown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from devices.reports import OperationError
from gateway.domain.visit.commands import AlarmCode, Notification, ScanAnswer
from gateway.domain.visit.state import Now, Refusal
from gateway.system.i18n import Language
from gateway.system.text import unlinked

SAYINGS: Mapping[Notification, Mapping[Language, str]] = MappingProxyType({
    Notification.AT_THE_DOOR: {
        "fr": "{who} est à la porte[ ({entrance})][ pour {brand}][, ouverture dans {seconds} s]",
        "en": "{who} is at the door[ ({entrance})][ for {brand}][, opening in {seconds} s]",
    },
    Notification.ASKS_FOR_YES: {
        "fr": "{who} est à la porte[ ({entrance})][ pour {brand}] : ouvrir ?[ Sans oui dans {seconds} s, c'est non]",
        "en": "{who} is at the door[ ({entrance})][ for {brand}]: open?[ Without a yes in {seconds} s it is no]",
    },
    Notification.ATTENDED: {
        "fr": "Quelqu'un a répondu à {who} : la porte n'a pas été ouverte par Perron",
        "en": "Somebody answered {who}: Perron did not open the door",
    },
    Notification.NOT_OPENED: {
        "fr": "La porte est restée fermée[ pour {brand}][ : {detail}]",
        "en": "The door stayed shut[ for {brand}][: {detail}]",
    },
    Notification.LOCKED_AGAIN: {
        "fr": "Reverrouillé à {time}[, {entrance}][ ({brand})]",
        "en": "Locked again {time}[, {entrance}][ ({brand})]",
    },
    Notification.DOOR_OPEN: {
        "fr": "La porte est toujours ouverte[ ({entrance})][, livraison : {place}]",
        "en": "The door is still open[ ({entrance})][, delivery to: {place}]",
    },
    Notification.LOOK_AFTER_THE_DOOR: {
        "fr": "Occupez-vous de la porte[ ({entrance})] : Perron n'a pas pu prouver qu'elle est verrouillée",
        "en": "Please look after the door[ ({entrance})]: Perron could not prove that it is locked",
    },
    Notification.NOT_READY: {
        "fr": "L'entrée[ {entrance}] n'est pas prête pour la livraison[ de {brand}][ : {detail}]",
        "en": "The entrance[ {entrance}] is not ready for the delivery[ from {brand}][: {detail}]",
    },
    Notification.READY_AGAIN: {
        "fr": "L'entrée[ {entrance}] est de nouveau prête[ pour {brand}]",
        "en": "The entrance[ {entrance}] is ready again[ for {brand}]",
    },
    Notification.STOPPED_INSIDE: {
        "fr": "Arrêt reçu, mais {who} est peut-être à l'intérieur : on lui demande de sortir, tout est filmé",
        "en": "Stopped, but {who} may be inside: they are asked to leave, everything is filmed",
    },
    Notification.LIFT_THE_HANDLE: {
        "fr": "La porte[ ({entrance})] ne se verrouille pas : quelqu'un doit relever la poignée",
        "en": "The door[ ({entrance})] does not lock: somebody has to lift its handle",
    },
    Notification.BATTERY_SOON: {
        "fr": "Pile bientôt vide[ ({entrance})][ : {detail}]",
        "en": "A battery is running out[ ({entrance})][: {detail}]",
    },
    Notification.SAFE_MODE: {
        "fr": "Perron est en mode sûr : il verrouille, filme et alerte, mais n'ouvre plus avant votre accord",
        "en": "Perron is in safe mode: it locks, films and warns, but opens nothing until you say so",
    },
    Notification.STORE_IN_DOUBT: {
        "fr": "La mémoire de Perron est en doute : {detail}. Rien n'ouvre : allez voir les portes, puis dites-le "
              "sur la page d'accueil. Les livraisons annoncées avant doivent l'être à nouveau",
        "en": "Perron's memory is in doubt: {detail}. Nothing opens: look after the doors, then say so on the page "
              "Home. What was announced before has to be announced again",
    },
    Notification.CODE_OF_SEVERAL: {
        "fr": "Pas ouvert[ ({entrance})] : plusieurs marques ont annoncé le même colis[ ({detail})]. "
              "Retirez l'accord de celle qui ne devait pas",
        "en": "Not opened[ ({entrance})]: several brands announced the same parcel[ ({detail})]. "
              "Take the permission back from the one that should not have",
    },
    Notification.BRAND_ASKS: {  # what a yes lets in: its permission's terms, not what it announced
        "fr": "{asker}[, par {carrier},] demande à entrer[ : {place} seulement][ ({entrance})][, {hours}]. "
              "Sans réponse de vous, c'est non",
        "en": "{asker}[, by {carrier},] asks to be let in[: {place} only][ ({entrance})][, {hours}]. "
              "Without an answer from you it is no",
    },
    Notification.NEW_KEY: {
        "fr": "[{brand} : ]une nouvelle clé attend votre accord, sur la page des marques. D'ici là elle n'ouvre rien",
        "en": "[{brand}: ]a new key waits for your yes, on the page of the brands. Until then it opens nothing",
    },
    Notification.PASSWORD_RESET: {
        "fr": "Le mot de passe[ de {detail}] a été remplacé à {time} avec un code fait sur la box :"
        " si ce n'était pas prévu, allez voir qui y a accès",
        "en": "The password[ of {detail}] was replaced at {time} with a code made on the box:"
        " if nobody meant to, look who can get at it",
    },
    Notification.SET_ASIDE: {
        "fr": "Perron a mis de côté quelque chose venu de l'extérieur qu'il n'a pas pu traiter[ ({detail})]."
        " Les portes continuent ; `perron doctor` en dit plus",
        "en": "Perron set aside something from outside that it could not handle[ ({detail})]."
        " The doors go on; `perron doctor` says more",
    },
})  # fmt: skip

# A table of its own: two alarms have the same word as a saying, and equal words are equal keys.
ALARMS: Mapping[AlarmCode, Mapping[Language, str]] = MappingProxyType({
    AlarmCode.BOLT_IN_THE_AIR: {
        "fr": "Alerte {time} : le pêne est sorti alors que la porte est ouverte[ ({entrance})]",
        "en": "Alarm {time}: the bolt is out while the door is open[ ({entrance})]",
    },
    AlarmCode.CAMERA_CODE_LIMIT: {
        "fr": "Alerte {time} : la caméra a lu trop de codes inconnus, elle ne lit plus d'étiquettes pendant un quart"
        " d'heure[ ({detail})]",
        "en": "Alarm {time}: the camera read too many unknown codes and reads no labels for a quarter of an hour"
        "[ ({detail})]",
    },
    AlarmCode.CAMERA_LOST: {
        "fr": "Alerte {time} : plus d'image[ de la caméra {detail}] pendant une visite",
        "en": "Alarm {time}: no more pictures[ from camera {detail}] during a visit",
    },
    AlarmCode.DISK_FULL: {
        "fr": "Alerte {time} : le disque est plein ou en panne, plus aucune ouverture",
        "en": "Alarm {time}: the disk is full or failing, no more openings",
    },
    AlarmCode.DOOR_FORCED_OPEN: {
        "fr": "Alerte {time} : porte forcée[ ({entrance})]",
        "en": "Alarm {time}: door forced open[ ({entrance})]",
    },
    AlarmCode.DOOR_LEFT_OPEN: {
        "fr": "Alerte {time} : la porte est restée ouverte[ ({entrance})]",
        "en": "Alarm {time}: the door was left open[ ({entrance})]",
    },
    AlarmCode.FRIDGE_LEFT_OPEN: {
        "fr": "Alerte {time} : le réfrigérateur est resté ouvert[ ({detail})]",
        "en": "Alarm {time}: the fridge was left open[ ({detail})]",
    },
    AlarmCode.FRIDGE_TOO_WARM: {
        "fr": "Alerte {time} : le réfrigérateur est trop chaud[ ({detail})]",
        "en": "Alarm {time}: the fridge is too warm[ ({detail})]",
    },
    AlarmCode.HAND_USE_WHILE_AWAY: {
        "fr": "Alerte {time} : porte ouverte à la main pendant votre absence[ ({entrance})]",
        "en": "Alarm {time}: door used by hand while you are away[ ({entrance})]",
    },
    AlarmCode.LATE_UNLOCK: {
        "fr": "Alerte {time} : la serrure s'est ouverte en retard[ ({entrance})]",
        "en": "Alarm {time}: the lock opened late[ ({entrance})]",
    },
    AlarmCode.LOCK_JAMMED: {
        "fr": "Alerte {time} : serrure bloquée[ ({entrance})]",
        "en": "Alarm {time}: lock jammed[ ({entrance})]",
    },
    AlarmCode.LOCK_REFUSED: {
        "fr": "Alerte {time} : la serrure n'a pas obéi[ : {detail}][ ({entrance})]",
        "en": "Alarm {time}: the lock did not obey[: {detail}][ ({entrance})]",
    },
    AlarmCode.NOT_LOCKED: {
        "fr": "Alerte {time} : la porte n'est pas prouvée verrouillée[ ({entrance})]",
        "en": "Alarm {time}: the door is not proven locked[ ({entrance})]",
    },
    AlarmCode.PROOF_INCOMPLETE: {
        "fr": "Alerte {time} : le film ou la preuve de la visite est incomplet",
        "en": "Alarm {time}: the film or proof of the visit is incomplete",
    },
    AlarmCode.SAFE_MODE: {
        "fr": "Alerte {time} : mode sûr (trois arrêts en une minute, autre box à sa place ou copie remise)",
        "en": "Alarm {time}: safe mode (three stops within a minute, another box in its place or a restored copy)",
    },
    AlarmCode.SCANS_DROPPED: {
        "fr": "Alerte {time} : trop de lectures au scanner[, {detail} ignorées]",
        "en": "Alarm {time}: too many scans[, {detail} ignored]",
    },
    AlarmCode.STOPPED_INSIDE: {
        "fr": "Alerte {time} : arrêt demandé alors que quelqu'un est peut-être à l'intérieur[ ({entrance})]",
        "en": "Alarm {time}: stopped while somebody may be inside[ ({entrance})]",
    },
    AlarmCode.UNEXPECTED_UNLOCK: {
        "fr": "Alerte {time} : la serrure s'est ouverte sans ordre de Perron[ ({entrance})]",
        "en": "Alarm {time}: the lock opened without an order from Perron[ ({entrance})]",
    },
    AlarmCode.UNLOCK_UNKNOWN: {
        "fr": "Alerte {time} : la serrure n'a pas répondu, on ne sait pas si elle s'est ouverte[ ({entrance})]",
        "en": "Alarm {time}: the lock did not answer, nobody knows whether it opened[ ({entrance})]",
    },
    AlarmCode.WRONG_CODE_LIMIT: {
        "fr": "Alerte {time} : trop de codes inconnus, scanner bloqué[ ({detail})]",
        "en": "Alarm {time}: too many unknown codes, scanner locked out[ ({detail})]",
    },
})  # fmt: skip

REFUSALS: Mapping[Refusal, Mapping[Language, str]] = MappingProxyType({
    Refusal.OUTSIDE_WINDOW: {"fr": "hors du créneau convenu", "en": "outside the agreed window"},
    Refusal.UNKNOWN_CODE: {"fr": "code inconnu", "en": "unknown code"},
    Refusal.CODE_OF_SEVERAL: {"fr": "annoncé par plusieurs marques", "en": "announced by several brands"},
    Refusal.ALREADY_USED: {"fr": "livraison déjà faite", "en": "already delivered"},
    Refusal.EXPIRED: {"fr": "livraison expirée", "en": "delivery expired"},
    Refusal.CANCELLED: {"fr": "livraison annulée", "en": "delivery cancelled"},
    Refusal.BRAND_NOT_PERMITTED: {"fr": "marque non autorisée", "en": "brand not permitted"},
    Refusal.CARRIER_NOT_PERMITTED: {"fr": "transporteur non autorisé", "en": "carrier not permitted"},
    Refusal.COURIER_NOT_PROVEN: {"fr": "le livreur n'a pas montré son code", "en": "the courier did not show a code"},
    Refusal.WRONG_ENTRANCE: {"fr": "mauvaise entrée", "en": "wrong entrance"},
    Refusal.NOT_READY: {"fr": "l'entrée n'était pas prête", "en": "the entrance was not ready"},
    Refusal.CAMERA_UNAVAILABLE: {"fr": "pas d'image en direct", "en": "no live pictures"},
    Refusal.CLOCK_UNTRUSTED: {"fr": "heure non vérifiée", "en": "the time was not certain"},
    Refusal.LOCKED_OUT: {"fr": "scanner bloqué", "en": "scanner locked out"},
    Refusal.BUSY: {"fr": "une autre visite était en cours", "en": "another visit was under way"},
    Refusal.HOUSEHOLD_PRESENT: {"fr": "quelqu'un est à la maison", "en": "somebody is home"},
    Refusal.STOPPED_BY_OWNER: {"fr": "arrêté par vous", "en": "stopped by you"},
    Refusal.PAUSED: {"fr": "pause des livraisons", "en": "deliveries are paused"},
    Refusal.AWAITING_PERMISSION: {"fr": "en attente de votre autorisation", "en": "waiting for your permission"},
    Refusal.NOT_APPROVED: {"fr": "vous n'avez pas dit oui", "en": "you did not say yes"},
    Refusal.KEY_DISTRUSTED: {"fr": "clé de la marque rejetée par vous", "en": "you no longer trust the brand's key"},
    Refusal.HUB_SIGNED_NOT_PERMITTED: {
        "fr": "pas signée par la marque elle-même", "en": "not signed by the brand itself",
    },
    Refusal.ANNOUNCE_AGAIN: {
        "fr": "annoncée avant que la box soit restaurée", "en": "announced before the box was restored",
    },
    Refusal.FRIDGE_TOO_WARM: {"fr": "réfrigérateur trop chaud", "en": "fridge too warm"},
})  # fmt: skip

# Why a lock says that it did not obey.
FAILURES: Mapping[OperationError, Mapping[Language, str]] = MappingProxyType({
    OperationError.UNSPECIFIED: {"fr": "elle ne dit pas pourquoi", "en": "it does not say why"},
    OperationError.INVALID_CREDENTIAL: {"fr": "elle demande un code ou une clé", "en": "it asks for a code or a key"},
    OperationError.DISABLED_USER_DENIED: {"fr": "l'accès y est désactivé", "en": "access is disabled in it"},
    OperationError.RESTRICTED: {"fr": "ses réglages l'interdisent", "en": "its settings forbid it"},
    OperationError.INSUFFICIENT_BATTERY: {"fr": "sa pile est trop faible", "en": "its battery is too weak"},
    OperationError.UNREACHABLE: {"fr": "elle est injoignable", "en": "it is out of reach"},
    OperationError.BUSY: {"fr": "elle est occupée", "en": "it is busy"},
    OperationError.LOW_POWER: {"fr": "elle manque de courant", "en": "it lacks power"},
    OperationError.TIMEOUT: {"fr": "elle n'a pas répondu à temps", "en": "it did not answer in time"},
    OperationError.NOT_CALIBRATED: {"fr": "elle n'est pas calibrée", "en": "it is not calibrated"},
    OperationError.EXPIRED: {"fr": "l'ordre est arrivé trop tard", "en": "the order came too late"},
    OperationError.REPEATED: {"fr": "l'ordre est arrivé deux fois", "en": "the order came twice"},
})  # fmt: skip

BATTERY_OF: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "lock": {"fr": "celle de la serrure", "en": "the lock's"},
    "door": {"fr": "celle du capteur de porte", "en": "the door sensor's"},
    "cover": {"fr": "celle de la porte de garage", "en": "the garage door's"},
    "signal": {"fr": "celle de la sonnette", "en": "the bell's"},
    "button": {"fr": "celle du bouton", "en": "the button's"},
    "scanner": {"fr": "celle du lecteur de codes", "en": "the scanner's"},
    "camera": {"fr": "celle de la caméra", "en": "the camera's"},
    "fridge": {"fr": "celle du thermomètre", "en": "the thermometer's"},
    "presence": {"fr": "celle du détecteur de présence", "en": "the presence sensor's"},
    "alarm": {"fr": "celle de la centrale d'alarme", "en": "the alarm panel's"},
})  # fmt: skip

# What an entrance can lack (`gateway/domain/visit/readiness.py`); a camera is named behind a colon, a battery by its
# device.
LACKING: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "broker": {"fr": "le broker ne répond pas", "en": "the broker does not answer"},
    "lock": {"fr": "la serrure n'est pas prouvée verrouillée", "en": "the lock is not proven locked"},
    "door": {"fr": "la porte n'est pas prouvée fermée", "en": "the door is not proven closed"},
    "disk": {"fr": "le disque est plein ou en panne", "en": "the disk is full or failing"},
    "clock": {"fr": "l'heure n'est pas sûre", "en": "the time is not certain"},
    "fridge": {"fr": "le réfrigérateur n'est pas assez froid", "en": "the fridge is not cold enough"},
    "way": {"fr": "quelque chose gêne la porte du garage", "en": "something is in the garage door's way"},
    "presence": {"fr": "on ne sait pas si quelqu'un est là", "en": "nobody knows whether somebody is home"},
    "alarm": {"fr": "l'alarme pourrait sonner", "en": "the alarm might go off"},
    "safe_mode": {"fr": "Perron est en mode sûr", "en": "Perron is in safe mode"},
    "walk_test": {"fr": "l'essai à la porte n'est pas réussi", "en": "the walk test is not passed"},
    "battery:lock": {"fr": "la pile de la serrure est à changer", "en": "the lock's battery needs changing"},
    "battery:door": {"fr": "la pile du capteur de porte est à changer", "en": "the door's battery needs changing"},
    "camera": {"fr": "pas d'image de la caméra", "en": "no pictures from camera"},
    "entrance": {"fr": "arrêt ou pause : rien ne s'ouvre", "en": "a stop or a pause: nothing opens"},
})  # fmt: skip

# Why the store is in doubt (`gateway/evidence/rollback.py`).
DOUBTS: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "rolled_back": {"fr": "une copie plus ancienne a été remise", "en": "an older copy of it was put back"},
    "mark_missing": {"fr": "sa marque, last-checkpoint.json, manque",
                     "en": "its mark, last-checkpoint.json, is gone"},
    "mark_damaged": {"fr": "sa marque, last-checkpoint.json, est abîmée",
                     "en": "its mark, last-checkpoint.json, is damaged"},
    "mark_foreign": {"fr": "sa marque, last-checkpoint.json, est signée par une autre box",
                     "en": "its mark, last-checkpoint.json, is signed by another box"},
    "key_lost": {"fr": "la clé de la box, box.key.pem, a disparu ; une nouvelle a été faite",
                 "en": "the box's key, box.key.pem, is gone; a new one was made"},
    "key_damaged": {"fr": "la clé de la box, box.key.pem, est abîmée ; une nouvelle a été faite",
                    "en": "the box's key, box.key.pem, is damaged; a new one was made"},
    "key_foreign": {"fr": "la clé de la box n'est pas celle qu'elle avait",
                    "en": "the box's key is not the one that it had"},
    "line_damaged": {"fr": "le fichier de ses clés précédentes, à côté de la clé de la box, est abîmé",
                     "en": "the file of the box's former keys, beside its key, is damaged"},
})  # fmt: skip

DOOR_WORDS: Mapping[ScanAnswer, Mapping[Language, str]] = MappingProxyType({
    ScanAnswer.WAIT: {"fr": "Patientez", "en": "Please wait"},
    ScanAnswer.GO: {"fr": "Entrez", "en": "Come in"},
    ScanAnswer.NO: {"fr": "Désolé, cette porte ne s'ouvre pas", "en": "Sorry, this door does not open"},
})  # fmt: skip

_COURIER: Mapping[Language, str] = MappingProxyType({"fr": "Un livreur", "en": "A courier"})
_BRAND: Mapping[Language, str] = MappingProxyType({"fr": "Une marque", "en": "A brand"})
_UNSURE: Mapping[Language, str] = MappingProxyType({"fr": "{} (heure non vérifiée)", "en": "{} (time not certain)"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence may name; names may come from anybody. `seconds` until something happens."""

    brand: str | None = None
    carrier: str | None = None
    entrance: str | None = None
    place: str | None = None
    seconds: float | None = None
    hours: str | None = None
    detail: str = (
        ""  # a device, a place, a number, or codes that are put into words: a `Refusal`'s, or what an entrance lacks
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the owner is told. `picture` is a JPEG; `number` is that under which it is stored, None where it is not."""

    about: Notification | AlarmCode
    text: str
    at: datetime
    visit: str | None = None
    delivery: str | None = None
    picture: bytes | None = None
    entrance: str | None = None
    number: int | None = None

    @property
    def urgent(self) -> bool:
        """Alarms are; they deserve to wake somebody."""
        return isinstance(self.about, AlarmCode)


class Voice(Protocol):
    """A way to reach the owner."""

    async def tell(self, message: Message) -> None:
        """Hand the message over; delivery and retry are the adapter's matter, it never blocks the door."""
        ...


class LogVoice:
    """Tells the log, so that what was said can be found again even when nobody could be reached."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(__name__)

    async def tell(self, message: Message) -> None:
        """Write one line; the picture only as its size."""
        self._log.info(
            "told_owner",
            about=message.about.value,
            text=message.text,
            urgent=message.urgent,
            visit=message.visit,
            delivery=message.delivery,
            picture_bytes=len(message.picture or b""),
        )


def compose(
    about: Notification | AlarmCode,
    *,
    language: Language,
    zone: ZoneInfo,
    now: Now,
    facts: Facts,
) -> Message:
    """Put into words. The time of day is the house's; an untrusted one is said to be so.

    Visit, delivery and picture are the caller's to add (`dataclasses.replace`).
    """
    clock = now.utc.astimezone(zone).strftime("%H:%M")
    words = {
        "who": unlinked(facts.carrier or "") or _COURIER[language],
        "carrier": unlinked(facts.carrier or ""),
        "brand": unlinked(facts.brand or ""),
        "asker": unlinked(facts.brand or "") or _BRAND[language],
        "entrance": unlinked(facts.entrance or ""),
        "place": unlinked(facts.place or ""),
        "hours": facts.hours or "",
        "seconds": "" if facts.seconds is None else str(round(facts.seconds)),
        "time": clock if now.trusted else _UNSURE[language].format(clock),
        "detail": _detail(about, facts.detail, language),
    }
    template = SAYINGS[about] if isinstance(about, Notification) else ALARMS[about]
    sentence = re.sub(
        r"\[([^\]]*)\]",
        lambda part: part[1] if all(words[name] for name in re.findall(r"{(\w+)}", part[1])) else "",
        template[language],
    )
    return Message(about=about, text=sentence.format(**words), at=now.utc)


def _detail(about: Notification | AlarmCode, detail: str, language: Language) -> str:
    if detail in set(Refusal) and about is not Notification.PASSWORD_RESET:  # there it is somebody's name
        return REFUSALS[Refusal(detail)][language]
    if about is Notification.BATTERY_SOON:
        return running_out(detail, language)
    if about is Notification.STORE_IN_DOUBT and detail in DOUBTS:
        return DOUBTS[detail][language]
    if about is AlarmCode.LOCK_REFUSED and detail in set(OperationError):
        return FAILURES[OperationError(detail)][language]
    if about is not Notification.NOT_READY:
        return unlinked(detail)
    return ", ".join(unlinked(lacked(word, language)) for word in detail.split(", "))


def running_out(detail: str, language: Language) -> str:
    """Name the device, and in how many days its battery will be critical where that can be reckoned.

    `detail` is `lock`, `door` or `KIND/ID` (`gateway/runtime/adapters/batteries.py`), and behind a colon the days.
    """
    role, _, days = detail.partition(":")
    kind, _, id_ = role.partition("/")
    name = BATTERY_OF[kind][language] if kind in BATTERY_OF else unlinked(role)
    name += f" ({unlinked(id_)})" if id_ and kind in BATTERY_OF else ""
    days = unlinked(days)
    left = {"fr": f", dans {days} jours environ", "en": f", in about {days} days"}[language] if days else ""
    return name + left


def lacked(word: str, language: Language) -> str:
    """Put one thing that an entrance lacks (`gateway/domain/visit/readiness.py`) into words."""
    if word in LACKING:
        return LACKING[word][language]
    kind, _, name = word.partition(":")
    return f"{LACKING[kind][language]} {name}" if kind in LACKING else word


def door_word(word: ScanAnswer, *, language: Language) -> str:
    """What stands on a display at the door: as neutral as the light."""
    return DOOR_WORDS[word][language]
