"""What is said of devices, entrances and the walk test, in French and English: one table, each text in both."""

from collections.abc import Mapping

from gateway.installation.capability import Promise
from gateway.voice import Language

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
            "votre absence."
        ),
        "{door} cannot be asked: that will not do for an entrance to the living space. No unattended visit.",
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
