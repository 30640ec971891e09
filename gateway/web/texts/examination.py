"""What the page of the examination says around its findings, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

EXAMINATION: Mapping[str, _Both] = {
    "examine.title": ("Examen de la maison", "Examination of the house"),
    "examine.why": (
        (
            "Horloge, disque, broker, chaque appareil et chaque caméra sont essayés, en moins de 5 secondes. Rien ne "
            "bouge à la porte, personne n'est appelé."
        ),
        (
            "Clock, disk, broker, every device and every camera are tried, in under 5 seconds. Nothing moves at the "
            "door, nobody is called."
        ),
    ),
    "examine.go": ("Examiner", "Examine"),
    "examine.phones": (
        "Envoyer aussi un mot d'essai à chaque téléphone",
        "Also send each phone a word to try it",
    ),
    "examine.none": (
        "Pas encore examinée depuis le démarrage de la box.",
        "Not examined yet since the box was started.",
    ),
    "examine.last": (
        "{day} à {time}, en {seconds} s : {bad} en rouge, {doubtful} à voir, {good} bons.",
        "{day} at {time}, in {seconds} s: {bad} red, {doubtful} doubtful, {good} good.",
    ),
    "examine.soon": (
        "Examinée il y a un instant : voici ce qui fut trouvé. Réessayez dans quelques secondes.",
        "Examined a moment ago: this is what was found. Try again in a few seconds.",
    ),
    "examine.visit": (
        "Une visite est en cours : sa serrure et ses caméras sont laissées tranquilles. Examinez quand elle est finie.",
        "A visit is under way: its lock and its cameras are left alone. Examine when it is over.",
    ),
    "examine.bad": ("Rouge", "Red"),
    "examine.doubtful": ("À voir", "Doubtful"),
    "examine.good": ("Bon", "Good"),
    "examine.todo": ("Remède :", "Remedy:"),
}
