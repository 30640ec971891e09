"""What the pages say of a survey, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

SURVEY: Mapping[str, _Both] = {
    "install.survey": ("Relevé des pannes", "Survey"),
    "install.survey.told": (
        "Refus : {refused} sur {looks} livraisons ({percent} %), sur {wanted} à observer.",
        "{refused} of {looks} deliveries would have been refused ({percent} %), of {wanted} to be looked at.",
    ),
    "install.survey.none": (
        "Combien de fois une caméra ou la radio aurait-elle refusé une livraison ?",
        "How often would a camera or the radio have refused a delivery?",
    ),
    "survey.what": (
        (
            "Un regard par minute, 1440 au plus : la serrure et le capteur répondent-ils, les caméras donnent-elles "
            "une image ? Rien n'est filmé. Le relevé s'écarte dès qu'une visite ou un créneau approche, et continue "
            "après un redémarrage."
        ),
        (
            "A look a minute, 1440 at most: do lock and door sensor answer, are the cameras' pictures live? Nothing is "
            "filmed. It stands aside while a visit or a window is near, and goes on after a restart."
        ),
    ),
    "survey.colours": (
        "Vert : aucun refus dans l'heure. Orange, rouge (plus de 5 %) : des refus. Gris : pas observé.",
        "Green: nothing refused in that hour. Orange, red (over 5 %): some was. Grey: not looked at.",
    ),
    "survey.hours": ("Heures", "Hours"),
    "survey.begin.which": ("Commencer le relevé : {name}", "Begin the survey: {name}"),
    "survey.end": ("Terminer", "End it"),
    "survey.end.which": ("Terminer le relevé : {name}", "End the survey: {name}"),
    "survey.runs": (
        "Un relevé des caméras et de la radio est en cours, commencé par {who}. Rien n'est filmé.",
        "A survey of cameras and radio runs, begun by {who}. Nothing is filmed.",
    ),
    "survey.until": ("Fin prévue : {moment}.", "It will end: {moment}."),
    "survey.elsewhere": (
        "Un relevé est en cours au terminal de la box. Il s'y termine.",
        "A survey runs at the box's terminal. It is ended there.",
    ),
    "survey.whole": ("Le relevé est complet.", "The survey is complete."),
    "survey.left": (
        "Commencé au terminal, il n'est pas terminé. Il y continue par :",
        "Begun at the terminal, it is not at its end. There it goes on with:",
    ),
    "survey.hours.wrong": ("Entre 1 et {longest} heures.", "1 to {longest} hours."),
    "survey.no.often": (
        "Vous en avez commencé beaucoup en une heure : plus tard.",
        "You have begun many within an hour: later.",
    ),
    "survey.no.runs": ("Un relevé est déjà en cours ici.", "A survey runs here already."),
    "survey.no.terminal": (
        "Le terminal de la box fait un relevé de cette entrée. Terminez-le là.",
        "The box's terminal surveys this entrance. End it there.",
    ),
    "survey.no.clock": (
        "La box ne connaît pas l'heure : personne ne saurait de quelle heure est un regard.",
        "The box does not know the time: nobody would know of which hour a look is.",
    ),
    "survey.no.none_runs": ("Aucun relevé n'est en cours ici.", "No survey runs here."),
    "survey.ended.asked": ("Terminé par {who}.", "Ended by {who}."),
    "survey.ended.devices_changed": (
        "Terminé : les appareils de l'entrée ne sont plus les mêmes.",
        "Ended: the entrance has other devices now.",
    ),
    "survey.ended.not_allowed": (
        "Terminé : qui l'avait commencé n'en a plus le droit.",
        "Ended: who began it may no longer do so.",
    ),
    "survey.ended.too_old": ("Terminé : commencé il y a quatre semaines.", "Ended: begun four weeks ago."),
    "survey.trouble.needed": (
        "En attente : visite, créneau proche ou caméra regardée. La maison passe avant.",
        "It waits: a visit, a window that is near, or a camera that is watched. The house comes first.",
    ),
    "survey.trouble.clock": (
        "En attente : la box ne connaît pas l'heure.",
        "It waits: the box does not know the time.",
    ),
    "survey.trouble.broker": (
        "Le broker ne répond pas : toute livraison serait refusée, et compte ainsi.",
        "The broker is not there: every delivery would be refused, and is counted so.",
    ),
    "survey.trouble.account": (
        "Pas observé : le broker refuse le compte « installer », ou un autre l'utilise. Voyez perron doctor.",
        "Not looked at: the broker refuses the account `installer`, or somebody else uses it. See perron doctor.",
    ),
    "survey.trouble.password": (
        "Pas observé : le mot de passe du compte « installer » est illisible. Écrivez-le : perron broker-config.",
        "Not looked at: the password of the account `installer` cannot be read. Write it: perron broker-config.",
    ),
    "survey.trouble.key": (
        "Pas observé : la clé de la box est inutilisable. Voyez perron doctor.",
        "Not looked at: the box's key cannot be used. See perron doctor.",
    ),
    "survey.trouble.disk": (
        "Le disque ne prend plus rien : ce qui est vu n'est pas gardé, et ne compte pas.",
        "The disk takes nothing: what is seen is not kept, and does not count.",
    ),
    "survey.trouble.video": (
        "Pas observé : le programme qui regarde les caméras ne démarre pas. Il est relancé.",
        "Not looked at: the program that watches the cameras does not run. It is started again.",
    ),
}
