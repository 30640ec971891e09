"""What the pages of whoever puts Perron up say, in French and English. The trials' own words are the walk test's."""

from collections.abc import Mapping

from gateway.web.texts.survey import SURVEY

_Both = tuple[str, str]  # French, English

INSTALLATION: Mapping[str, _Both] = {
    "install.title": (
        "Installation",
        "Installation",
    ),
    "install.why": (
        (
            "Ce que chaque appareil peut promettre, déclaré ou mesuré ici, et ce qui manque pour une visite en "
            "votre absence."
        ),
        (
            "What each device can promise, declared or measured here, and what is missing for a visit while nobody "
            "is home."
        ),
    ),
    "install.walk": (
        "Essai à la porte",
        "Walk test",
    ),
    "install.devices": (
        "Appareils",
        "Devices",
    ),
    "install.test": (
        "Mesurer",
        "Measure",
    ),
    "install.test.which": (
        "Mesurer {device}",
        "Measure {device}",
    ),
    "install.unasked": (
        "Ne se mesure pas ici : l'essai à la porte le couvre.",
        "Is not measured here: the walk test covers it.",
    ),
    "install.measured": (
        "{device} a répondu.",
        "{device} has answered.",
    ),
    "install.silent": (
        "{device} n'a pas répondu.",
        "{device} did not answer.",
    ),
    "install.discover": ("Ce qui se signale", "What calls its name"),
    "install.discover.why": (
        "Sur le broker et, par mDNS, sur le réseau de la box ; ajoutez ici, ou écrivez la ligne au terminal de la box.",
        "On the broker and, by mDNS, on the box's network; add it here, or type the line at the box's terminal.",
    ),
    "install.discover.go": ("Écouter 5 secondes", "Listen for 5 seconds"),
    "install.no_talk": (
        "Impossible de parler au broker : {why}. L'examen de la maison dit que faire.",
        "There is no talking to the broker: {why}. The examination of the house says what to do.",
    ),
    "install.discover.known": ("déjà dans la maison : {name}", "in the house already: {name}"),
    "install.what.device": ("Appareil", "Device"),
    "install.what.button": ("Bouton", "Button"),
    "install.what.broker": ("Broker", "Broker"),
    "install.what.of_no_use_here": ("Sans usage ici :", "Of no use here:"),
    "install.discover.none": ("Rien ne s'est signalé.", "Nothing called its name."),
    "walk.begin": (
        "Commencer",
        "Begin",
    ),
    "walk.anew": (
        "Tout recommencer",
        "Begin anew",
    ),
    "walk.anew.sure": (
        "Ce qui a été essayé ({count}) est effacé, et tout est à refaire à la porte.",
        "What has been tried ({count}) is wiped, and all of it has to be done again at the door.",
    ),
    "walk.anew.yes": ("Effacer et recommencer", "Wipe them and begin anew"),
    "walk.anew.no": ("Garder les essais", "Keep the trials"),
    "walk.trials": (
        "Les essais",
        "The trials",
    ),
    "walk.yes": (
        "Oui",
        "Yes",
    ),
    "walk.no": (
        "Non",
        "No",
    ),
    "walk.lock": (
        "Verrouiller",
        "Lock",
    ),
    "walk.failed": (
        "Cela n'a pas marché",
        "It did not work",
    ),
    "walk.not_here": (
        "Pas possible ici",
        "Cannot be tried here",
    ),
    "walk.again": (
        "Réessayer",
        "Try again",
    ),
    "walk.again.which": (
        "Réessayer : {title}",
        "Try again: {title}",
    ),
    "walk.camera": (
        "La caméra démarre.",
        "The camera is starting.",
    ),
    "walk.signed": (
        "Ce que la box en a signé (à garder à côté du PDF : `perron walk-test --verify` le contrôle)",
        "What the box has signed of it (keep it beside the PDF: `perron walk-test --verify` checks it)",
    ),
    "walk.report": (
        "Le rapport (PDF)",
        "The report (PDF)",
    ),
    "barred": (
        (
            "L'essai à la porte n'est pas réussi : aucune livraison n'entre en votre absence. Voyez Réglages, "
            "Installation."
        ),
        "The walk test is not passed: no delivery comes in while nobody is home. See Settings, Installation.",
    ),
    **SURVEY,
}
