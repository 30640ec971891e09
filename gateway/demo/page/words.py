"""What the demo's page says, in French and English: one table, each text in both.

What happens at any door has its words in `gateway/web/texts/catalogue.py` and
`gateway/runtime/notifications/texts.py`; the page has those too. `tests/gateway/demo/page/test_words.py` fails on a
text that is missing, left over, or of other facts in one language.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.demo.page.lines import FRENCH
from gateway.demo.scenario import Scenario
from gateway.runtime.notifications.texts import REFUSALS
from gateway.system.i18n import Language
from gateway.web.texts.catalogue import WORDS as PAGES

_Both = tuple[str, str]  # French, English

_PAGE: Mapping[str, _Both] = {
    "title": ("Perron, la démonstration", "Perron, the demo"),
    "skip": ("Aller à la maison", "Skip to the house"),
    "about.fast": ("Environ {seconds} s, temps d'attente raccourcis (--fast). Rien n'est simulé que la maison.",
                   "About {seconds} s, at --fast waiting times. Nothing is simulated but the house."),
    "about.slow": ("Environ {minutes} min, aux temps réels ; `--fast` les raccourcit.",
                   "About {minutes} min, at real times; `--fast` shortens them."),
    "script": ("Cette page a besoin de JavaScript.", "This page needs JavaScript."),
    "key.missing": ("Scannez le QR du terminal, ou ouvrez toute son adresse : sans elle cette page ne montre rien.",
                    "Scan the terminal's QR, or open its whole address: without it this page shows nothing."),
    "lost": ("La démonstration ne répond plus : ce qui est affiché est périmé.",
             "The demo does not answer any more: what is shown is out of date."),
    "panel.film": ("Le film en direct", "The live film"),
    "panel.sealed": ("Le film scellé", "The sealed film"),
    "panel.house": ("La maison", "The house"),
    "panel.phone": ("Le téléphone du propriétaire", "The owner's phone"),
    "panel.light": ("Le signal de la porte", "The door's light"),
    "panel.now": ("Ce qui se passe", "What happens"),
    "camera.doorbell": ("Sonnette", "Doorbell"),
    "camera.hall-camera": ("Entrée", "Hall"),
    "camera.grey": ("image figée : Perron n'y croit pas", "frozen picture: Perron does not believe it"),
    "film.scrub": ("Faites glisser le film, ou touchez une ligne", "Scrub the film, or touch a line"),
    "film.live": ("Retour au direct", "Back to live"),
    "film.show": ("Voir le film scellé", "See the sealed film"),
    "phone.empty": ("Aucun message", "No message"),
    "phone.waited": ("arrivé {seconds} s plus tard", "came {seconds} s late"),
    "phone.picture": ("Image jointe au message", "The message's picture"),
    "phone.yes": ("Oui, laisser entrer", "Yes, let them in"),
    "phone.granted": ("Vous avez dit oui", "You said yes"),
    "phone.offline": ("sans réseau de la maison", "no word from the house"),
    "check.parcel": ("Colis", "Parcel"),
    "check.hour": ("Heure", "Hour"),
    "check.brand": ("Marque", "Brand"),
    "check.courier": ("Livreur", "Courier"),
    "check.filming": ("Film", "Filming"),
    "check.yes": ("bon", "right"),
    "check.no": ("non", "no"),
    "check.open": ("pas encore vérifié", "not looked at yet"),
    "decided": ("décidé ici en {ms} ms", "decided here in {ms} ms"),
    "health.lock": ("Serrure", "Lock"),
    "health.door": ("Porte", "Door"),
    "health.camera": ("Caméras", "Cameras"),
    "health.clock": ("Horloge", "Clock"),
    "health.good": ("bon", "good"),
    "health.bad": ("pas prouvé", "not proven"),
    "house.locked": ("Verrouillée", "Locked"),
    "house.shut": ("Fermée, pas prouvée", "Shut, not proven"),
    "house.unlocked": ("Déverrouillée", "Unlocked"),
    "house.open": ("Ouverte", "Open"),
    "house.forced": ("Forcée", "Forced"),
    "house.dead": ("La box est morte", "The box is dead"),
    "house.spent": ("utilisé, ne rouvrira pas", "used, cannot open again"),
    "house.openings": ("ouvertures : {count}", "openings: {count}"),
    "house.cable": ("internet", "internet"),
    "house.unplugged": ("débranché", "unplugged"),
    "light.off": ("éteint", "off"),
    "light.amber": ("patientez", "please wait"),
    "light.green": ("entrez", "come in"),
    "light.red": ("non", "no"),
    "verify.holds": ("La preuve tient", "The proof holds"),
    "verify.broken": ("Un octet a changé à la seconde {second}", "One byte was changed at second {second}"),
    "verify.where": ("perron verify : {where}", "perron verify: {where}"),
}  # fmt: skip

_CHAPTERS: Mapping[str, _Both] = {
    "rest": ("Ouvrez les yeux : la maison s'installe.", "Watch: the house is being set up."),
    "show.asks": ("{brand} demande à entrer. Par {carrier} : {place} seulement, {hours}.",
                  "{brand} asks to be let in. By {carrier}: {place} only, {hours}."),
    "show.granted": ("Le propriétaire dit oui.", "The owner says yes."),
    "show.ready": ("Serrure, porte, caméras, horloge : tout est prouvé bon.",
                   "Lock, door, cameras, clock: all proven good."),
    "show.pulled": ("On débranche internet. La box est seule.", "The internet is unplugged. The box is alone."),
    "show.rings": ("Le livreur sonne. Personne.", "The courier rings. Nobody is home."),
    "show.scans": ("Il montre l'étiquette et son code à usage unique.", "He holds up the label and his one-time code."),
    "show.decided": ("Tout est juste. La box a décidé seule, sans internet.",
                     "All is right. The box decided alone, without the internet."),
    "show.unlocks": ("Le pêne se retire.", "The bolt turns."),
    "show.opens": ("La porte s'ouvre. La promesse est utilisée : elle ne rouvrira pas.",
                   "The door opens. The promise is used: it cannot open again."),
    "show.inside": ("Le colis est posé, le film tourne.", "The parcel is put down, the film runs."),
    "show.out": ("Dehors, et la porte se ferme.", "Out, and the door is shut."),
    "show.locked": ("Le pêne est sorti : reverrouillée, prouvé.", "The bolt is out: locked again, proven."),
    "show.back": ("Internet revient, le téléphone vibre : « {text} »",
                  "The internet is back, the phone buzzes: “{text}”"),
    "show.sealed": ("Film et journal sont scellés. Faites glisser le film : la chronologie suit.",
                    "Film and log are sealed. Scrub the film: the timeline follows."),
    "show.again": ("La même étiquette, encore.", "The same label, once more."),
    "show.used": ("Non : déjà utilisée.", "No: already used."),
    "show.thief": ("Un autre livreur arrive. Un voleur fige la caméra : l'image paraît parfaite.",
                   "Another courier comes. A thief freezes the camera: the picture looks perfect."),
    "show.greyed": ("Perron l'a vu en {seconds} s et la grise.", "Perron saw it within {seconds} s and greys it."),
    "show.shut": ("La porte reste fermée : sans image vivante, pas d'ouverture.",
                  "The door stays shut: no living picture, no opening."),
    "show.unfrozen": ("La caméra est revenue. On scanne à nouveau.", "The camera is back. He scans again."),
    "show.killed": ("En pleine ouverture, la box est tuée.", "In mid-opening, the box is killed."),
    "show.revived": ("Elle redémarre, trouve le livreur, filme encore.", "It restarts, finds the courier, films on."),
    "show.openings": ("Reverrouillée. Ouvertures : {count}.", "Locked again. Openings: {count}."),
    "show.changed": ("Un seul octet du film est changé.", "One single byte of the film is changed."),
    "show.verified": ("La vérification montre la seconde : {second}.", "Verification points at the second: {second}."),
    "show.over": ("À vous.", "Your turn."),
}  # fmt: skip

_LINES: Mapping[str, _Both] = {
    "line.refused": ("Non : {why}.", "No: {why}."),
    "line.held_back": ("L'ordre d'ouvrir est retenu.", "The unlock is held back."),
    "line.outcome": ("Colis : {outcome}", "Parcels: {outcome}"),
    "line.told": ("Le propriétaire apprend : « {text} »", "The owner is told: “{text}”"),
    "line.died": ("La box ne répond plus.", "The box does not answer any more."),
    "line.person.outside": ("{who} est à la porte.", "{who} is at the door."),
    "line.person.inside": ("{who} est à l'intérieur.", "{who} is inside."),
    "line.person.away": ("{who} s'en va.", "{who} goes away."),
    "line.door.open": ("La porte s'ouvre.", "The door opens."),
    "line.door.closed": ("La porte se ferme.", "The door closes."),
    "line.door.forced": ("La porte est forcée.", "The door is forced."),
    "line.bolt.withdrawn": ("Le pêne se retire.", "The bolt withdraws."),
    "line.bolt.thrown": ("Le pêne sort.", "The bolt is thrown."),
    "line.bolt.air": ("Le pêne sort, porte ouverte.", "The bolt is thrown while the door is open."),
    "line.fault": ("Panne : {device}.", "A fault: {device}."),
    "line.link.down": ("Coupé : {device}.", "Cut off: {device}."),
    "line.link.up": ("De retour : {device}.", "Back: {device}."),
    "line.scan": ("Un code est montré au lecteur.", "A code is held before the scanner."),
    "line.answers": ("Quelqu'un répond de l'intérieur.", "Somebody inside answers."),
    "line.parcel": ("Le colis est posé.", "The parcel is put down."),
    "line.lock_refuses": ("La serrure refuse l'ordre.", "The lock refuses the order."),
    "who.courier": ("Le livreur", "The courier"),
    "who.resident": ("Le résident", "The resident"),
    "who.thief": ("Le voleur", "The thief"),
    "device.front-lock": ("la serrure", "the lock"),
    "device.front-door": ("le capteur de la porte", "the door's sensor"),
    "device.doorbell": ("la caméra de la sonnette", "the doorbell's camera"),
    "device.hall-camera": ("la caméra de l'entrée", "the hall's camera"),
    "device.front-scanner": ("le lecteur", "the scanner"),
    "device.front-signal": ("le signal", "the signal"),
    "device.kitchen-fridge": ("le frigo", "the fridge"),
}  # fmt: skip

_TURN: Mapping[str, _Both] = {
    "turn.title": ("À vous", "Your turn"),
    "turn.why": ("Chaque bouton joue une scène dans une maison neuve, avec la vraie box.",
                 "Each button plays a scene in a fresh house, with the real box."),
    "turn.show": ("Revoir le spectacle", "See the show again"),
    "turn.stop": ("Arrêter la scène", "Stop this scene"),
    "turn.setting": ("La maison s'installe", "The house is being set up"),
    "turn.playing": ("En cours : {title}", "Playing: {title}"),
    "turn.good": ("{title} : tout s'est passé comme il le faut.", "{title}: all went as it must."),
    "turn.bad": ("{title} : pas comme il le faut.", "{title}: not as it must be."),
    "turn.stopped": ("{title} : arrêté par vous.", "{title}: stopped by you."),
    "turn.the_show": ("le spectacle", "the show"),
    "group.parcels": ("Colis", "Parcels"),
    "group.promises": ("Codes et promesses", "Codes and promises"),
    "group.people": ("Les gens", "People"),
    "group.cameras": ("Caméras", "Cameras"),
    "group.locks": ("Serrure et porte", "Lock and door"),
    "group.failures": ("Pannes de la box", "The box fails"),
}  # fmt: skip

WORDS: Mapping[str, Mapping[Language, str]] = MappingProxyType({
    key: {"fr": french, "en": english}
    for part in (_PAGE, _CHAPTERS, _LINES, _TURN)
    for key, (french, english) in part.items()
})  # fmt: skip

BORROWED = (
    "phase.",
    "outcome.",
    "live.",
    "nav.live",
)  # families of `gateway/web/texts/catalogue.py` that the page says too


def words(language: Language) -> dict[str, str]:
    """All that the page may have to say in this language, by key."""
    found = {key: texts[language] for key, texts in PAGES.items() if key.startswith(BORROWED)}
    found |= {f"refusal.{refusal}": texts[language] for refusal, texts in REFUSALS.items()}
    found |= {key: texts[language] for key, texts in WORDS.items()}
    return found if language == "en" else {key: _unbroken(text) for key, text in found.items()}


def _unbroken(french: str) -> str:
    """Keep the signs that French sets apart on the line of their word."""
    for sign in (":", ";", "!", "?", "»"):
        french = french.replace(f" {sign}", f"\N{NO-BREAK SPACE}{sign}")
    return french.replace("« ", "«\N{NO-BREAK SPACE}")


def line_of(scenario: Scenario, language: Language) -> str:
    """Tell a scenario in one line.

    Raises:
        KeyError: it has no French yet.
    """
    return scenario.line if language == "en" else _unbroken(FRENCH[scenario.title])
