"""What is said of devices, entrances and the walk test, in French and English: one table, each text in both."""

from collections.abc import Mapping

from gateway.installation.capability import Promise
from gateway.installation.walk import Step
from gateway.system.i18n import Language

_Both = tuple[str, str]  # French, English

PROMISES: Mapping[str, _Both] = {
    "bolt.declared": (
        "Une serrure de ce type dit où est son pêne ; pas encore essayé ici (`perron test {device}`).",
        "A lock of this kind tells where its bolt is; not tried here yet (`perron test {device}`).",
    ),
    "bolt.measured": (
        "Interrogée, elle a dit où est son pêne.",
        "Asked, it told where its bolt is.",
    ),
    "bolt.missing": (
        (
            "Elle répond, mais ne dit pas où est son pêne : personne ne peut savoir que la porte est verrouillée. "
            "Pas de visite en votre absence."
        ),
        "It answers, but not where its bolt is: nobody can know that the door is locked. No unattended visit.",
    ),
    "guarded.declared": (
        "Protégée : elle refuse d'elle-même un ordre tardif ou répété.",
        "Guarded: it refuses a late or repeated command by itself.",
    ),
    "guarded.missing": (
        (
            "Simple : elle ne peut pas refuser un ordre tardif ou répété ; Perron attend {life} s de plus avant de "
            "dire « verrouillée »."
        ),
        ("Basic: it cannot refuse a late or repeated command; Perron waits {life} s longer before it says “locked”."),
    ),
    "auto_lock.declared": (
        "Se verrouille d'elle-même, même si la box est morte.",
        "It locks by itself, also when the box is dead.",
    ),
    "auto_lock.missing": (
        (
            "Ne se verrouille pas d'elle-même : si la box meurt pendant une visite, la porte reste déverrouillée "
            "jusqu'à ce que quelqu'un la verrouille."
        ),
        (
            "It does not lock by itself: should the box die during a visit, the door stays unlocked until somebody "
            "locks it."
        ),
    ),
    "auto_lock.unknown": (
        "Personne n'a dit si elle se verrouille d'elle-même : écrivez `auto_lock: true` ou `false` sous {device}.",
        "Nobody has said whether it locks by itself: write `auto_lock: true` or `false` under {device}.",
    ),
    "door.declared": (
        "Un capteur qui peut être interrogé ; pas encore essayé ici (`perron test {device}`).",
        "A sensor that can be asked; not tried here yet (`perron test {device}`).",
    ),
    "door.measured": (
        "Interrogé, il a dit où est la porte.",
        "Asked, it told where the door is.",
    ),
    "door.basic": (
        (
            "Parle de lui-même, au moins toutes les {heartbeat} s, et ne peut pas être interrogé : pas pour une "
            "entrée du logement."
        ),
        (
            "It speaks by itself, at least every {heartbeat} s, and cannot be asked: not for an entrance to the "
            "living space."
        ),
    ),
    "door.untold": (
        "Il répond, mais ne dit pas où est la porte. Pas de visite en votre absence.",
        "It answers, but not where the door is. No unattended visit.",
    ),
    "door.independent": (
        "{door} voit la porte sans dépendre de la serrure {lock}.",
        "{door} sees the door and does not depend on the lock {lock}.",
    ),
    "door.dependent": (
        (
            "{door} est le capteur de la serrure {lock} elle-même : une serrure qui se trompe de pêne peut se "
            "tromper de porte. Posez un capteur indépendant ; d'ici là, pas de visite en votre absence."
        ),
        (
            "{door} is the lock {lock}'s own sensor: a lock that is wrong about its bolt may be wrong about the "
            "door. Put up an independent one; until then no unattended visit."
        ),
    ),
    "door.unasked": (
        (
            "{door} ne peut pas être interrogé : il ne suffit pas pour une entrée du logement. Pas de visite en "
            "votre absence. Aucun contact Zigbee que nous connaissons ne convient : ceux qui répondent vivent sur "
            "pile et dorment. Posez un capteur filaire (ESPHome), ou choisissez une autre entrée."
        ),
        (
            "{door} cannot be asked: that will not do for an entrance to the living space. No unattended visit. No "
            "Zigbee contact that we know of will do: those that answer run on a battery and sleep. Put up a wired "
            "sensor (ESPHome), or take another entrance."
        ),
    ),
    "way_out.declared": (
        "Déclaré : de l'intérieur la porte s'ouvre à la main, sans clé ni courant.",
        "Declared: from inside the door opens by hand, without key or power.",
    ),
    "way_out.measured": (
        "Essayé ici : de l'intérieur la porte s'ouvre à la main, sans clé ni courant.",
        "Tried here: from inside the door opens by hand, without key or power.",
    ),
    "way_out.missing": (
        (
            "De l'intérieur la porte ne s'ouvre pas à la main : quelqu'un pourrait être enfermé. Pas de visite en "
            "votre absence."
        ),
        "From inside the door does not open by hand: somebody could be locked in. No unattended visit.",
    ),
    "picture.declared": (
        "Son heure incrustée est connue : une image figée se voit.",
        "Its burnt-in clock is known: a picture that stands still is noticed.",
    ),
    "picture.missing": (
        "Sans heure incrustée connue (`clock_region`), une image figée ne se distingue pas d'une entrée vide.",
        "Without a known burnt-in clock (`clock_region`) a frozen picture cannot be told from an empty hall.",
    ),
    "latency.declared": (
        "Déclarée répondre en {declared} s ; pas encore mesuré (`perron test {device}`).",
        "Declared to answer within {declared} s; not measured yet (`perron test {device}`).",
    ),
    "latency.measured": (
        "Répond en {median} s (médiane), {longest} s au plus.",
        "Answers within {median} s (median), {longest} s at most.",
    ),
    "latency.within": (
        "Répond en {median} s (médiane), {longest} s au plus ; déclaré : {declared} s.",
        "Answers within {median} s (median), {longest} s at most; declared: {declared} s.",
    ),
    "latency.longer": (
        (
            "A mis {longest} s (médiane {median} s), plus que les {declared} s déclarées : écrivez `latency: "
            "{fit}` sous {device}."
        ),
        (
            "It took {longest} s (median {median} s), longer than the {declared} s declared: write `latency: "
            "{fit}` under {device}."
        ),
    ),
    "latency.silent": (
        "N'a pas répondu {silent} fois sur {asked}.",
        "It did not answer {silent} of {asked} times.",
    ),
    "walk.never": (
        "L'essai à la porte n'a pas encore été fait : `perron walk-test {entrance}`.",
        "The walk test was not made yet: `perron walk-test {entrance}`.",
    ),
    "walk.under_way": (
        "L'essai à la porte est en cours : `perron walk-test {entrance}` continue.",
        "The walk test is under way: `perron walk-test {entrance}` goes on.",
    ),
    "walk.stale": (
        (
            "L'essai à la porte a été réussi avec d'autres appareils : refaites-le (`perron walk-test {entrance} "
            "--anew`)."
        ),
        "The walk test was passed with other devices: make it anew (`perron walk-test {entrance} --anew`).",
    ),
    "walk.passed": (
        "L'essai à la porte est réussi : les pannes connues ont été essayées ici.",
        "The walk test is passed: the known faults were tried here.",
    ),
    "walk.failed": (
        (
            "L'essai à la porte n'est pas réussi : pas de visite en votre absence avant qu'il le soit (`perron "
            "walk-test {entrance}`)."
        ),
        "The walk test is not passed: no unattended visit before it is (`perron walk-test {entrance}`).",
    ),
    "walk.blocked": (
        (
            "Une caméra voit la porte d'un voisin ou la rue : pas de visite en votre absence avant qu'elle soit "
            "tournée et l'essai refait (`perron walk-test {entrance}`)."
        ),
        (
            "A camera sees a neighbour's door or the street: no unattended visit before it is turned and the test "
            "made anew (`perron walk-test {entrance}`)."
        ),
    ),
}


def said(key: str, language: Language, facts: Mapping[str, str], table: Mapping[str, _Both] = PROMISES) -> str:
    """Put a sentence into words.

    Raises:
        KeyError: there is none of this name, or it names a fact that is not given.
    """
    french, english = table[key]
    return (french if language == "fr" else english).format(**facts)


def promised(promise: Promise, language: Language) -> str:
    """Say a promise, or what is missing, in plain words."""
    return said(promise.said, language, promise.facts)


TITLES: Mapping[str, _Both] = {
    "door_sensor": (
        "Le capteur de porte",
        "The door sensor",
    ),
    "bolt": (
        "Le pêne",
        "The bolt",
    ),
    "bolt_in_air": (
        "Le pêne sorti, porte ouverte",
        "The bolt out, the door open",
    ),
    "jam": (
        "Le pêne coincé",
        "A jammed bolt",
    ),
    "way_out": (
        "Sortir à la main",
        "The way out by hand",
    ),
    "key": (
        "La clé mécanique",
        "The mechanical key",
    ),
    "answer": (
        "Le bouton de réponse",
        "The answer button",
    ),
    "picture": (
        "Ce que voit {camera}",
        "What {camera} sees",
    ),
    "covered": (
        "{camera} couverte",
        "{camera} covered",
    ),
    "cut": (
        "{camera} coupée",
        "{camera} cut off",
    ),
    "broker": (
        "Le réseau coupé",
        "The network cut off",
    ),
    "wrong_code": (
        "Un code que personne n'a promis",
        "A code that nobody promised",
    ),
    "delivery": (
        "Une livraison d'essai",
        "A test delivery",
    ),
}

TO_DO: Mapping[str, _Both] = {
    "door_sensor": (
        "Fermez la porte, ouvrez-la, refermez-la.",
        "Close the door, open it, close it again.",
    ),
    "bolt": (
        "Fermez la porte et touchez « Verrouiller ». Puis essayez d'ouvrir sans clé.",
        "Close the door and press “Lock”. Then try to open it without a key.",
    ),
    "bolt_in_air": (
        "Ouvrez la porte, sortez le pêne à la main, rentrez-le. La box ne doit jamais dire « verrouillée ».",
        "Open the door, turn the bolt out by hand, turn it in again. The box must never say “locked”.",
    ),
    "jam": (
        (
            "Déverrouillez, mettez une cale dans la gâche, fermez la porte et touchez « Verrouiller ». La box ne "
            "doit pas dire « verrouillée ». Ôtez la cale ensuite."
        ),
        (
            "Unlock, put a wedge into the strike plate, close the door and press “Lock”. The box must not say "
            "“locked”. Take the wedge out afterwards."
        ),
    ),
    "way_out": (
        "Entrez, fermez, touchez « Verrouiller », puis ouvrez de l'intérieur à la main et refermez.",
        "Go in, close, press “Lock”, then open from inside by hand and close again.",
    ),
    "key": (
        "Sortez, fermez, touchez « Verrouiller », puis ouvrez de l'extérieur avec la clé et refermez.",
        "Go out, close, press “Lock”, then open from outside with the key and close again.",
    ),
    "answer": (
        "Appuyez sur le bouton de réponse, à l'intérieur.",
        "Press the answer button inside.",
    ),
    "picture": (
        "Regardez l'image, les portes ouvertes comme un visiteur les laisserait.",
        "Look at the picture, with doors open as a visitor would leave them.",
    ),
    "covered": (
        "Couvrez l'objectif de {camera} d'un tissu noir jusqu'à ce que ce soit vu, puis découvrez-le.",
        "Cover the lens of {camera} with something black until it is seen, then uncover it.",
    ),
    "cut": (
        "Coupez le courant ou le Wi-Fi de {camera} jusqu'à ce que ce soit vu, puis rétablissez-le.",
        "Cut the power or the Wi-Fi of {camera} until it is seen, then restore it.",
    ),
    "broker": (
        "Débranchez le réseau du broker (ou arrêtez-le) jusqu'à ce que ce soit vu, puis rebranchez-le.",
        "Pull the broker's network cable (or stop the broker) until it is seen, then plug it in again.",
    ),
    "wrong_code": (
        "Présentez au lecteur n'importe quel code-barres, celui d'une boîte de conserve par exemple.",
        "Hold any barcode before the scanner, a tin's for example.",
    ),
    "delivery": (
        (
            "Touchez « Verrouiller », sortez, et attendez deux minutes sans toucher la porte. Présentez les codes "
            "ci-dessous au lecteur, attendez le feu vert, posez un colis, sortez, fermez."
        ),
        (
            "Press “Lock”, go out, and wait two minutes without touching the door. Hold the codes below before the "
            "scanner, wait for the green light, put a parcel down, leave, close."
        ),
    ),
}

QUESTIONS: Mapping[str, _Both] = {
    "bolt": (
        "La porte est-elle restée fermée ?",
        "Did the door stay shut?",
    ),
    "way_out": (
        "S'est-elle ouverte de l'intérieur sans clé ni courant ?",
        "Did it open from inside without key or power?",
    ),
    "key": (
        "S'est-elle ouverte de l'extérieur avec la clé ?",
        "Did it open from outside with the key?",
    ),
    "picture": (
        "Y voit-on la porte d'un voisin, ou la rue ?",
        "Does it show a neighbour's door, or the street?",
    ),
    "wrong_code": (
        "Le feu est-il passé au rouge, et la porte est-elle restée fermée ?",
        "Did the light turn red, and did the door stay shut?",
    ),
    "delivery": (
        "A-t-on entendu sonner à l'intérieur, et la porte est-elle verrouillée maintenant ?",
        "Was the bell heard inside, and is the door locked now?",
    ),
}

GOALS: Mapping[str, _Both] = {
    "closed": (
        "attend : porte fermée",
        "waits for: door closed",
    ),
    "open": (
        "attend : porte ouverte",
        "waits for: door open",
    ),
    "locked": (
        "attend : porte fermée et pêne sorti, prouvés",
        "waits for: door closed and bolt out, proven",
    ),
    "bolt_out": (
        "attend : pêne sorti",
        "waits for: bolt out",
    ),
    "free": (
        "attend : pêne rentré",
        "waits for: bolt in",
    ),
    "not_proven": (
        "attend : « verrouillage non prouvé »",
        "waits for: “locking not proven”",
    ),
    "answered": (
        "attend : bouton de réponse",
        "waits for: the answer button",
    ),
    "live": (
        "attend : image vivante",
        "waits for: live picture",
    ),
    "not_live": (
        "attend : image perdue",
        "waits for: picture lost",
    ),
    "broker_gone": (
        "attend : broker perdu",
        "waits for: broker lost",
    ),
    "broker_back": (
        "attend : broker revenu, serrure et porte entendues",
        "waits for: broker back, lock and door heard",
    ),
    "wrong": (
        "attend : code refusé et compté",
        "waits for: code refused and counted",
    ),
    "rang": (
        "attend : la sonnette a répondu",
        "waits for: the bell has confirmed",
    ),
    "delivered": (
        "attend : livré, porte reverrouillée",
        "waits for: delivered, door locked again",
    ),
}

ENDINGS: Mapping[str, _Both] = {
    "passed": (
        "réussi",
        "passed",
    ),
    "failed": (
        "pas réussi",
        "not passed",
    ),
    "not_here": (
        "pas essayé ici",
        "not tried here",
    ),
    "blocked": (
        "bloque : un voisin ou la rue est dans l'image",
        "blocks: a neighbour or the street is in the picture",
    ),
    "open": (
        "à faire",
        "to do",
    ),
}

REPORT: Mapping[str, _Both] = {
    "title": (
        "Essai à la porte",
        "Walk test",
    ),
    "made": (
        "Commencé le {begun} par {by}. Box {box}, clé {key}.",
        "Begun on {begun} by {by}. Box {box}, key {key}.",
    ),
    "trials": (
        "Ce qui a été essayé",
        "What was tried",
    ),
    "devices": (
        "Ce que chaque appareil peut promettre",
        "What each device can promise",
    ),
    "pictures": (
        "Ce que voient les caméras",
        "What the cameras see",
    ),
    "signature": (
        "Date et signature de l'installateur",
        "Date and signature of the installer",
    ),
    "verified": (
        "La box a signé ce rapport : `perron walk-test --verify` le vérifie.",
        "The box has signed this report: `perron walk-test --verify` checks it.",
    ),
}


def trial(table: Mapping[str, _Both], step: Step, language: Language) -> str:
    """Say the title, what is to be done, or the question of a trial; empty where it asks nothing."""
    return said(step.trial, language, {"camera": step.camera or ""}, table) if step.trial in table else ""


def waits_for(step: Step, language: Language) -> str:
    """Say what an open trial waits to be shown; empty where it waits for nothing."""
    goals = step.rite.goals
    return said(goals[step.shown], language, {}, GOALS) if step.ending is None and step.shown < len(goals) else ""


def ending(step: Step, language: Language) -> str:
    """Say what came of a trial."""
    return said(step.ending or "open", language, {}, ENDINGS)
