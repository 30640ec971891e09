"""What the report of a visit says, in French and English; `report.py` fills in the names in braces."""

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType

from gateway.domain.visit.state import DoorResult
from gateway.evidence.documents.visit_timeline import Moment
from gateway.evidence.verdict import WORDS as VERDICTS
from gateway.evidence.verdict import Problem
from gateway.system.i18n import Language
from gateway.system.text import inert
from gateway.video.ipc import Fault


class Phrase(StrEnum):
    """Each sentence of the report."""

    TITLE = auto()
    MADE = auto()
    PAGE = auto()
    HOLDS = auto()
    HOLDS_TEXT = auto()
    HOLDS_ALONE = auto()
    HOLDS_ALONE_TEXT = auto()
    WRONG = auto()
    WHERE = auto()
    ERASED = auto()
    ERASED_REQUEST = auto()
    ERASED_RETENTION = auto()
    UNPROVEN = auto()
    NO_MANIFEST = auto()
    DELIVERED = auto()
    BRAND = auto()
    CARRIER = auto()
    PARCELS = auto()
    PLACE = auto()
    WINDOW = auto()
    NUMBER = auto()
    RESULT = auto()
    OUTCOME = auto()
    HOUSE = auto()
    ENTRANCE = auto()
    VISIT = auto()
    INCIDENT = auto()
    NOT_TOLD = auto()
    TIMES = auto()
    HOUSE_TIME = auto()
    UTC = auto()
    MISSING = auto()
    UNCERTAIN = auto()
    OTHERS = auto()
    MORE = auto()
    CAMERAS = auto()
    FILMED = auto()
    NOT_FILMED = auto()
    GAP = auto()
    GAP_ALL = auto()
    GAP_SIGN = auto()
    NO_GAP = auto()
    NOTE = auto()
    SEAL = auto()
    PART = auto()
    BOX = auto()
    FINGERPRINT = auto()
    SEALED = auto()
    CHECKS = auto()
    KEY_COMPARED = auto()
    KEY_NOT_COMPARED = auto()
    CHECKPOINT_COMPARED = auto()
    CHECKPOINT_NOT_COMPARED = auto()
    ENDED = auto()
    NOTICED = auto()
    HOW_TO_CHECK = auto()
    PICTURES = auto()
    FIRST_PICTURE = auto()
    NO_PICTURES_WRONG = auto()
    NO_PICTURES_ERASED = auto()
    NO_PICTURE = auto()
    NO_TIME = auto()
    TIMELINE = auto()
    NO_TIMELINE = auto()
    DOOR_OPEN = auto()
    BOLT_WITHDRAWN = auto()
    TEMPERATURES = auto()


PHRASES: Mapping[Phrase, Mapping[Language, str]] = MappingProxyType({
    Phrase.TITLE: {"fr": "Rapport de visite", "en": "Report of a visit"},
    Phrase.MADE: {"fr": "Établi le {date} à {time}", "en": "Made on {date} at {time}"},
    Phrase.PAGE: {"fr": "page {number} sur 2", "en": "page {number} of 2"},
    Phrase.HOLDS: {"fr": "La preuve est intacte", "en": "The proof holds"},
    Phrase.HOLDS_TEXT: {
        "fr": "Films et journal sont tels que la boîte les a scellés : {films} film(s), {decisions} décision(s).",
        "en": "Films and log are as the box sealed them: {films} film(s), {decisions} decision(s).",
    },
    Phrase.HOLDS_ALONE: {"fr": "Dossier cohérent, clé non comparée", "en": "The folder agrees, key not compared"},
    Phrase.HOLDS_ALONE_TEXT: {
        "fr": "{films} film(s) et {decisions} décision(s) vont ensemble. Que cette boîte-là les a scellés n'est prouvé"
              " qu'une fois sa clé comparée.",
        "en": "{films} film(s) and {decisions} decision(s) belong together. That this very box sealed them is proven"
              " only once its key is compared.",
    },
    Phrase.WRONG: {"fr": "LA PREUVE NE TIENT PAS", "en": "THE PROOF DOES NOT HOLD"},
    Phrase.WHERE: {"fr": "Endroit exact : {where}", "en": "Exactly where: {where}"},
    Phrase.ERASED: {"fr": "Visite effacée", "en": "Erased visit"},
    Phrase.ERASED_REQUEST: {
        "fr": "Effacée sur demande. Il ne reste que la note d'effacement signée.",
        "en": "Erased on request. Only the signed note of erasure is left.",
    },
    Phrase.ERASED_RETENTION: {
        "fr": "Les films ont été effacés à leur terme ; ce qui a été décidé reste prouvé.",
        "en": "The films were erased when their time was over; what was decided is still proven.",
    },
    Phrase.UNPROVEN: {
        "fr": "Non prouvé : ce que ce dossier prétend",
        "en": "Not proven: what this folder claims",
    },
    Phrase.NO_MANIFEST: {
        "fr": "Aucun manifeste lisible : de cette visite, rien ne peut être dit.",
        "en": "No manifest that can be read: nothing can be told of this visit.",
    },
    Phrase.DELIVERED: {"fr": "Livraison", "en": "Delivery"},
    Phrase.BRAND: {"fr": "Marque", "en": "Brand"},
    Phrase.CARRIER: {"fr": "Transporteur", "en": "Carrier"},
    Phrase.PARCELS: {"fr": "Colis (fin du code)", "en": "Parcels (end of code)"},
    Phrase.PLACE: {"fr": "Lieu de dépôt", "en": "Place"},
    Phrase.WINDOW: {"fr": "Créneau convenu", "en": "Agreed window"},
    Phrase.NUMBER: {"fr": "Numéro", "en": "Number"},
    Phrase.RESULT: {"fr": "Résultat", "en": "Result"},
    Phrase.OUTCOME: {"fr": "Colis", "en": "Parcels"},
    Phrase.HOUSE: {"fr": "Maison", "en": "House"},
    Phrase.ENTRANCE: {"fr": "Entrée", "en": "Entrance"},
    Phrase.VISIT: {"fr": "Visite", "en": "Visit"},
    Phrase.INCIDENT: {"fr": "aucune : un incident a été filmé", "en": "none: an incident was filmed"},
    Phrase.NOT_TOLD: {"fr": "absent de la preuve", "en": "not in the proof"},
    Phrase.TIMES: {"fr": "Heures", "en": "Times"},
    Phrase.HOUSE_TIME: {"fr": "Heure de la maison ({zone})", "en": "House time ({zone})"},
    Phrase.UTC: {"fr": "UTC", "en": "UTC"},
    Phrase.MISSING: {"fr": "absent de la preuve", "en": "not in the proof"},
    Phrase.UNCERTAIN: {
        "fr": "La boîte n'était pas sûre de son heure.",
        "en": "The box was not certain of its time.",
    },
    Phrase.OTHERS: {"fr": "Aussi : {list}", "en": "Also: {list}"},
    Phrase.MORE: {"fr": "et {count} de plus", "en": "and {count} more"},
    Phrase.CAMERAS: {"fr": "Caméras et lacunes", "en": "Cameras and gaps"},
    Phrase.FILMED: {"fr": "{camera} : {spans}", "en": "{camera}: {spans}"},
    Phrase.NOT_FILMED: {"fr": "{camera} : aucun film", "en": "{camera}: no film"},
    Phrase.GAP: {
        "fr": "Lacune déclarée, {camera} : {start} à {end} ({why})",
        "en": "Declared gap, {camera}: {start} to {end} ({why})",
    },
    Phrase.GAP_ALL: {"fr": "toutes les caméras", "en": "all cameras"},
    Phrase.GAP_SIGN: {"fr": "lacune déclarée", "en": "declared gap"},
    Phrase.NO_GAP: {"fr": "Aucune lacune déclarée.", "en": "No declared gap."},
    Phrase.NOTE: {"fr": "Déclaré en plus : {note}", "en": "Also declared: {note}"},
    Phrase.SEAL: {"fr": "Scellé", "en": "Seal"},
    Phrase.PART: {"fr": "SHA-256 du manifeste {part}", "en": "SHA-256 of manifest {part}"},
    Phrase.BOX: {"fr": "Boîte", "en": "Box"},
    Phrase.FINGERPRINT: {"fr": "Empreinte de sa clé", "en": "Its key's fingerprint"},
    Phrase.SEALED: {"fr": "Scellé le", "en": "Sealed at"},
    Phrase.CHECKS: {"fr": "Vérification", "en": "Verification"},
    Phrase.KEY_COMPARED: {
        "fr": "La clé a été comparée avec celle que l'on connaissait d'ailleurs.",
        "en": "The key was compared with the one known from elsewhere.",
    },
    Phrase.KEY_NOT_COMPARED: {
        "fr": "Aucune clé n'a été fournie : comparez l'empreinte ci-dessus avec celle de la boîte.",
        "en": "No key was given: compare the fingerprint above with the box's.",
    },
    Phrase.CHECKPOINT_COMPARED: {
        "fr": "Le journal a été comparé avec les points de contrôle gardés hors de la boîte.",
        "en": "The log was compared with the checkpoints kept outside the box.",
    },
    Phrase.CHECKPOINT_NOT_COMPARED: {
        "fr": "Aucun point de contrôle n'a été fourni : un retour en arrière du journal ne se verrait pas.",
        "en": "No checkpoint was given: a log that was rolled back would not show.",
    },
    Phrase.ENDED: {
        "fr": "La vérification s'arrête à la première chose fausse ; ce qui vient après n'a pas été vérifié.",
        "en": "Verification ends at the first wrong thing; what comes after it was not checked.",
    },
    Phrase.NOTICED: {
        "fr": "Remarque de `perron verify` (en anglais) : {note}",
        "en": "Note by `perron verify`: {note}",
    },
    Phrase.HOW_TO_CHECK: {
        "fr": "Pour revérifier, hors ligne : perron verify DOSSIER --key box.pub.pem."
              " Ce papier n'est pas la preuve : la preuve est le dossier.",
        "en": "To check again, offline: perron verify FOLDER --key box.pub.pem."
              " This paper is not the proof: the folder is.",
    },
    Phrase.PICTURES: {"fr": "Images tirées des films", "en": "Pictures from the films"},
    Phrase.FIRST_PICTURE: {"fr": "Première image", "en": "First picture"},
    Phrase.NO_PICTURES_WRONG: {
        "fr": "Aucune image : la preuve ne tient pas, ce que montrent ces films n'est pas prouvé.",
        "en": "No pictures: the proof does not hold, what these films show is not proven.",
    },
    Phrase.NO_PICTURES_ERASED: {
        "fr": "Aucune image : les films ont été effacés.",
        "en": "No pictures: the films were erased.",
    },
    Phrase.NO_PICTURE: {"fr": "Aucun film à cet instant", "en": "No film at that instant"},
    Phrase.NO_TIME: {"fr": "Instant absent de la preuve", "en": "That instant is not in the proof"},
    Phrase.TIMELINE: {"fr": "Déroulement", "en": "Timeline"},
    Phrase.NO_TIMELINE: {
        "fr": "Aucun déroulement : ni manifeste ni journal lisible.",
        "en": "No timeline: neither manifest nor log can be read.",
    },
    Phrase.DOOR_OPEN: {"fr": "Porte ouverte", "en": "Door open"},
    Phrase.BOLT_WITHDRAWN: {"fr": "Pêne rentré", "en": "Bolt withdrawn"},
    Phrase.TEMPERATURES: {"fr": "Températures (°C)", "en": "Temperatures (°C)"},
})  # fmt: skip

MOMENTS: Mapping[Moment, Mapping[Language, str]] = MappingProxyType({
    Moment.SCANNED: {"fr": "Scan accepté", "en": "Scan accepted"},
    Moment.UNLOCKED: {"fr": "Déverrouillé", "en": "Unlocked"},
    Moment.OPENED: {"fr": "Porte ouverte", "en": "Door opened"},
    Moment.CLOSED: {"fr": "Porte fermée", "en": "Door closed"},
    Moment.LOCKED_AGAIN: {"fr": "Reverrouillé, prouvé", "en": "Locked again, proven"},
    Moment.HANDED_TO_OWNER: {"fr": "Remis au propriétaire", "en": "Handed to the owner"},
})  # fmt: skip

HOUSES: Mapping[DoorResult, Mapping[Language, str]] = MappingProxyType({
    DoorResult.NOT_OPENED: {"fr": "la porte n'a pas été ouverte", "en": "the door was not opened"},
    DoorResult.LOCKED_AGAIN: {"fr": "reverrouillée", "en": "locked again"},
    DoorResult.HANDED_TO_OWNER: {"fr": "remise au propriétaire", "en": "handed to the owner"},
})  # fmt: skip

# Why a film lacks: the video process's words and those of sealing.
GAPS: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    "not_filmed": {"fr": "pas filmé", "en": "not filmed"},
    "film_lost": {"fr": "film perdu", "en": "film lost"},
    Fault.UNREACHABLE: {"fr": "caméra injoignable", "en": "camera not reachable"},
    Fault.STALL: {"fr": "plus d'images reçues", "en": "no more pictures came"},
    Fault.RESET: {"fr": "connexion coupée", "en": "connection cut"},
    Fault.STUCK_TIMESTAMPS: {"fr": "horodatage arrêté", "en": "timestamps stood still"},
    Fault.UNDECODABLE: {"fr": "images illisibles", "en": "pictures could not be decoded"},
    Fault.BLACK: {"fr": "image noire", "en": "black picture"},
    Fault.FROZEN: {"fr": "image figée", "en": "frozen picture"},
    Fault.DISK: {"fr": "disque plein ou en panne", "en": "disk full or failing"},
    Fault.CHANGED: {"fr": "format de l'image changé", "en": "the picture's format changed"},
    Fault.INTERRUPTED: {"fr": "enregistrement interrompu", "en": "recording interrupted"},
})  # fmt: skip

# The English stands in `gateway/evidence/verdict.py`: what is wrong, and what to do.
_COPIE = "Prenez une copie intacte sur la boîte ou une sauvegarde, et vérifiez celle-là."
_DITES = "Gardez cette copie telle quelle et prévenez le propriétaire : elle a été changée après avoir été scellée."

_FRENCH: Mapping[Problem, tuple[str, str]] = MappingProxyType({
    Problem.NO_PROOF: ("il n'y a pas de preuve scellée", "Donnez le dossier d'une visite, avec son manifest.json."),
    Problem.UNREADABLE: ("un fichier est illisible", "Vérifiez le disque et les droits, puis vérifiez à nouveau."),
    Problem.NOT_PLAIN: ("un fichier est un lien ou un appareil, qui n'est jamais suivi", _COPIE),
    Problem.MANIFEST_MALFORMED: ("ce n'est pas un manifeste que ce programme connaît", _COPIE),
    Problem.UNSIGNED: ("le manifeste n'est pas signé",
        "Laissez la boîte sceller à nouveau ; sinon, rien n'est prouvé."),
    Problem.SIGNATURE_WRONG: ("manifeste ou signature ont été changés : ils ne vont pas ensemble", _DITES),
    Problem.FOREIGN_KEY: ("une autre boîte a signé",
        "Comparez les empreintes : il faut la clé de la boîte qui filmait."),
    Problem.KEY_REPLACED: ("signé par une clé que la boîte n'avait plus à ce moment", _DITES),
    Problem.SUCCESSION_WRONG: ("la suite des clés de la boîte n'est pas telle qu'elle l'a signée", _COPIE),
    Problem.PART_MISSING: ("une partie de la visite manque", _COPIE),
    Problem.PART_FOREIGN: ("cette partie ne va pas avec la partie précédente", _DITES),
    Problem.MANIFEST_REPLACED: ("un autre manifeste avait été scellé, on s'en souvient hors de la boîte", _DITES),
    Problem.LOG_MISSING: ("le journal de la visite manque", _COPIE),
    Problem.LOG_MALFORMED: ("le journal de la visite est abîmé", _COPIE),
    Problem.LOG_CHANGED: ("une entrée du journal a été changée", _DITES),
    Problem.LOG_ENTRY_MISSING: ("une entrée du journal a été retirée", _DITES),
    Problem.LOG_OUT_OF_ORDER: ("des entrées du journal ont été mises dans un autre ordre", _DITES),
    Problem.LOG_REPEATED: ("une entrée du journal y est deux fois", _DITES),
    Problem.LOG_TRUNCATED: ("le journal a été coupé", _DITES),
    Problem.LOG_REWRITTEN: ("le journal n'est pas celui dont on se souvient hors de la boîte", _DITES),
    Problem.LOG_WENT_BACK: ("le journal de la boîte a été ramené à une copie plus ancienne", _DITES),
    Problem.CHECKPOINT_UNREADABLE: ("le point de contrôle est illisible", "Reprenez-le sur le téléphone."),
    Problem.CHECKPOINT_FOREIGN: ("le point de contrôle vient d'une autre boîte, ou a été changé", "Prenez le sien."),
    Problem.FILM_MISSING: ("un film manque sans lacune déclarée", _COPIE),
    Problem.FILM_CHANGED: ("le film a été changé", _DITES),
    Problem.FILM_CUT: ("la fin du film manque", _DITES),
    Problem.FILM_LONGER: ("quelque chose a été ajouté après la fin du film", _DITES),
    Problem.FILM_SWAPPED: ("c'est un autre film que celui qui a été scellé", _DITES),
    Problem.CHAIN_MISSING: ("la chaîne de hachage à côté du film manque", _COPIE),
    Problem.CHAIN_CHANGED: ("la chaîne de hachage à côté du film a été changée", _DITES),
    Problem.HOLE_UNDECLARED: ("il manque du film d'une caméra sans lacune déclarée", _DITES),
    Problem.RECEIPT_WRONG: ("le reçu du livreur n'est pas celui de la boîte pour cette visite", _DITES),
    Problem.RECEIPT_MISSING: ("le reçu du livreur manque", _COPIE),
    Problem.TOMBSTONE_WRONG: ("la note d'effacement n'est pas celle de la boîte pour cette visite", _DITES),
    Problem.ERASURE_UNFINISHED: ("effacé, et pourtant il reste quelque chose", "Laissez la boîte finir l'effacement."),
})  # fmt: skip


def problem(found: Problem, language: Language) -> tuple[str, str]:
    """What is wrong with a proof, and what to do about it."""
    return VERDICTS[found] if language == "en" else _FRENCH[found]


def gap(why: str, language: Language) -> str:
    """Why a film lacks; a word that is not known is shown as it stands in the manifest."""
    return GAPS[why][language] if why in GAPS else inert(why)
