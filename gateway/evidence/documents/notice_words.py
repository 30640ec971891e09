"""What the notice for the door says, in French and English.

Names in braces are filled in by `gateway/evidence/documents/notice.py`: `days`, `minutes`, `home`, `contact`,
`entrance`, `url`.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType

from gateway.system.i18n import Language


class Line(StrEnum):
    """Each sentence of the notice."""

    TITLE = auto()
    SUBTITLE = auto()
    NO_SOUND = auto()
    SCAN_PARCEL = auto()
    SCAN_CODE = auto()
    WAIT = auto()
    ENTER = auto()
    PUT_DOWN = auto()
    LEAVE = auto()
    CLOSE_THE_DOOR = auto()
    NO = auto()
    AMBER = auto()
    GREEN = auto()
    RED = auto()
    OFF = auto()
    SIGN_RING = auto()
    SIGN_WAIT = auto()
    SIGN_INSIDE = auto()
    SIGN_CLOSE_THE_DOOR = auto()
    SIGN_LIFT_THE_HANDLE = auto()
    SIGN_GO = auto()
    SIGN_NO = auto()
    SIGN_LEAVE = auto()
    SIGN_TROUBLE = auto()
    SIGN_DARK = auto()
    DEAD = auto()
    DEAD_RING = auto()
    DEAD_TAKE_ALONG = auto()
    DEAD_WAY_OUT = auto()
    WHO = auto()
    WHO_TEXT = auto()
    WHY = auto()
    WHY_TEXT = auto()
    HOW_LONG = auto()
    HOW_LONG_TEXT = auto()
    BY_HAND = auto()
    BY_HAND_TEXT = auto()
    RIGHTS = auto()
    RIGHTS_TEXT = auto()
    CONTACT = auto()
    COURIERS_PAGE = auto()


WORDS: Mapping[Line, Mapping[Language, str]] = MappingProxyType({
    Line.TITLE: {"fr": "Livraisons filmées ici", "en": "Deliveries are filmed here"},
    Line.SUBTITLE: {
        "fr": "Images sans son, effacées après {days} jours au plus",
        "en": "Pictures without sound, erased after {days} days at most",
    },
    Line.NO_SOUND: {"fr": "Aucun son", "en": "No sound"},
    Line.SCAN_PARCEL: {"fr": "Scannez le colis", "en": "Scan the parcel"},
    Line.SCAN_CODE: {"fr": "Scannez le code", "en": "Scan the code"},
    Line.WAIT: {"fr": "Orange : attendez", "en": "Amber: wait"},
    Line.ENTER: {"fr": "Vert : entrez", "en": "Green: come in"},
    Line.PUT_DOWN: {"fr": "Posez le colis", "en": "Put it down"},
    Line.LEAVE: {"fr": "Sortez", "en": "Leave"},
    Line.CLOSE_THE_DOOR: {"fr": "Fermez la porte", "en": "Close the door"},
    Line.NO: {"fr": "Rouge : non", "en": "Red: no"},
    Line.AMBER: {"fr": "Orange", "en": "Amber"},
    Line.GREEN: {"fr": "Vert", "en": "Green"},
    Line.RED: {"fr": "Rouge", "en": "Red"},
    Line.OFF: {"fr": "Éteint", "en": "Off"},
    Line.SIGN_RING: {"fr": "on sonne", "en": "ringing"},
    Line.SIGN_WAIT: {"fr": "attendez", "en": "wait"},
    Line.SIGN_INSIDE: {"fr": "posez le colis, sortez", "en": "put it down, leave"},
    Line.SIGN_CLOSE_THE_DOOR: {"fr": "fermez la porte", "en": "close the door"},
    Line.SIGN_LIFT_THE_HANDLE: {"fr": "relevez la poignée", "en": "lift the handle"},
    Line.SIGN_GO: {"fr": "entrez", "en": "come in"},
    Line.SIGN_NO: {"fr": "la porte ne s'ouvre pas", "en": "this door does not open"},
    Line.SIGN_LEAVE: {"fr": "sortez maintenant", "en": "leave now"},
    Line.SIGN_TROUBLE: {"fr": "alarme : la maison est prévenue", "en": "alarm: the household is told"},
    Line.SIGN_DARK: {"fr": "prêt : scannez", "en": "ready: scan"},
    Line.DEAD: {"fr": "Scanné, et rien ne s'allume ?", "en": "Scanned, and no light?"},
    Line.DEAD_RING: {"fr": "Sonnez.", "en": "Ring the bell."},
    Line.DEAD_TAKE_ALONG: {
        "fr": "Personne ? Remportez le colis.",
        "en": "Nobody? Take the parcel with you.",
    },
    Line.DEAD_WAY_OUT: {
        "fr": "Dedans ? La porte s'ouvre toujours à la main, sans clé ni courant.",
        "en": "Inside? The door always opens by hand, without key or power.",
    },
    Line.WHO: {"fr": "Qui filme", "en": "Who films"},
    Line.WHO_TEXT: {
        "fr": "{home} (responsable du traitement), entrée : {entrance}.",
        "en": "{home} (the controller), entrance: {entrance}.",
    },
    Line.WHY: {"fr": "Pourquoi", "en": "Why"},
    Line.WHY_TEXT: {
        "fr": "Prouver la livraison et protéger la maison (intérêt légitime, RGPD art. 6.1 f)."
              " Seulement pendant une visite, dès avant le scan et jusqu'à la porte reverrouillée,"
              " ou si la porte est forcée.",
        "en": "To prove the delivery and protect the house (legitimate interest, GDPR art. 6(1)(f))."
              " Only during a visit, from just before the scan until the door is locked again,"
              " or if the door is forced.",
    },
    Line.HOW_LONG: {"fr": "Combien de temps", "en": "How long"},
    Line.HOW_LONG_TEXT: {
        "fr": "{days} jours au plus, puis effacé ; plus longtemps seulement pour un litige en cours.",
        "en": "{days} days at most, then erased; longer only for a dispute under way.",
    },
    Line.BY_HAND: {"fr": "Ressortir", "en": "Coming out again"},
    Line.BY_HAND_TEXT: {
        "fr": "Une ouverture à la main dans les {minutes} min après une visite est filmée : c'est peut-être"
              " le livreur qui sort.",
        "en": "An opening by hand within {minutes} min after a visit is filmed: it may be the courier's way out.",
    },
    Line.RIGHTS: {"fr": "Vos droits", "en": "Your rights"},
    Line.RIGHTS_TEXT: {
        "fr": "Voir vos images, les faire effacer, vous opposer : demandez au contact. Réclamation : CNIL.",
        "en": "To see your pictures, have them erased, object: ask the contact."
              " Complaints: the data protection authority (in France the CNIL).",
    },
    Line.CONTACT: {"fr": "Contact", "en": "Contact"},
    Line.COURIERS_PAGE: {"fr": "Page du livreur", "en": "Courier's page"},
})  # fmt: skip
