"""What an examination says, in French and English: one table, each text in both. Commands stand like `perron test`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from devices import reports as r
from gateway.config.stream_url import without_account
from gateway.installation.capability import Promise
from gateway.installation.diagnostics.battery_words import BATTERIES
from gateway.installation.diagnostics.broker_words import BROKER
from gateway.installation.diagnostics.device_words import DEVICES, STATES
from gateway.installation.diagnostics.finding import Fact, Said
from gateway.installation.diagnostics.hub_words import HUB
from gateway.installation.words import promised
from gateway.mqtt.mosquitto.audit_texts import WEAK
from gateway.runtime.notifications.texts import DOUBTS
from gateway.system.i18n import Language

_Both = tuple[str, str]  # French, English

_HOUSE: Mapping[str, _Both] = {
    "what.clock": ("horloge", "clock"),
    "what.disk": ("disque", "disk"),
    "what.faults": ("mis de côté", "set aside"),
    "faults.some": (
        (
            "{count} sorte(s) d'erreur imprévue, la dernière {last} ({workers}) : ce qui les a causées est mis de côté,"
            " tout le reste continue"
        ),
        (
            "{count} kind(s) of unforeseen error, the last {last} ({workers}): what caused them is set aside, all else"
            " goes on"
        ),
    ),
    "faults.todo": (
        "Envoyez {file} à qui développe Perron : il ne contient aucun contenu de message.",
        "Send {file} to whoever develops Perron: it holds no content of any message.",
    ),
    "what.store": ("mémoire", "store"),
    "what.pages": ("pages", "pages"),
    "what.phones": ("téléphones", "phones"),
    "what.phone": ("téléphone {number} ({scheme})", "phone {number} ({scheme})"),
    "what.entrances": ("entrées", "entrances"),
    "what.entrance": ("entrée {name}", "entrance {name}"),
    "late": ("pas de réponse en {seconds} s", "nothing within {seconds} s"),
    "late.todo": (
        "Ce qui est examiné là se tait : regardez son alimentation et son réseau, puis examinez de nouveau.",
        "What is examined there hangs: look at its power and its link, then examine again.",
    ),
    "os.missing": ("il n'existe pas", "No such file or directory"),
    "os.denied": ("la box n'a pas le droit de le lire", "Permission denied"),
    "os.other": ("{text}", "{text}"),
    "clock.host": (
        "on croit la machine sur parole (clock.source: host)",
        "the machine's own word is taken (clock.source: host)",
    ),
    "clock.kept": ("un service de temps la règle", "a time service keeps it"),
    "clock.untrusted": (
        "aucun service de temps ne la règle : sans heure sûre, aucun créneau ne s'ouvre",
        "no time service keeps it: with an untrusted clock no window opens",
    ),
    "clock.todo": (
        (
            "Installez chrony ou systemd-timesyncd. Si une autre machine tient l'heure (l'hôte d'un conteneur, par "
            "exemple), écrivez `source: host` sous `clock:` dans le fichier de la maison."
        ),
        (
            "Install chrony or systemd-timesyncd. Where another machine keeps the time (a container's host, say) write"
            " `source: host` under `clock:` in the house file."
        ),
    ),
    "disk.none": ("{folder} n'est pas un dossier et ne peut en être un", "{folder} is no folder and can be none"),
    "disk.none.todo": ("Corrigez storage.folder.", "Correct storage.folder."),
    "disk.free": (
        "{free} Mio libres dans {folder}, {needed} nécessaires",
        "{free} MiB free at {folder}, {needed} needed",
    ),
    "disk.todo": (
        "Faites de la place, ou nommez un autre storage.folder : sans elle aucune porte ne s'ouvre.",
        "Make room, or name another storage.folder: no door opens without it.",
    ),
    "disk.unseen": ("{folder} ne peut pas être regardé ({why})", "{folder} cannot be looked at ({why})"),
    "store.good": ("intacte, et c'est la dernière que la box a tenue", "whole, and the one that the box used last"),
    "store.unseen": ("ne peut pas être regardée ({why})", "cannot be looked at ({why})"),
    "store.unseen.todo": (
        "Regardez le disque et les droits de storage.folder, puis examinez de nouveau.",
        "Look at the disk and at the rights of storage.folder, then examine again.",
    ),
    "store.in_the_way.folder": ("{file} est un dossier", "{file} is a folder"),
    "store.in_the_way.fifo": ("{file} est un tube (FIFO)", "{file} is a FIFO"),
    "store.in_the_way.socket": ("{file} est une socket", "{file} is a socket"),
    "store.in_the_way.device": ("{file} est un périphérique", "{file} is a device"),
    "store.in_the_way.file": ("{file} est un simple fichier", "{file} is a plain file"),
    "store.in_the_way.another_users": (
        "{file} appartient à un autre utilisateur",
        "{file} belongs to another user",
    ),
    "store.in_the_way.todo": (
        "Une chose étrangère est à la place d'un fichier de la box, et la passerelle ne démarre pas : sortez-la de là.",
        "Something else stands in the place of one of the box's files, and no gateway begins: move it away.",
    ),
    "store.damaged": ("{file} est abîmée ({why})", "{file} is damaged ({why})"),
    "store.damaged.todo": (
        (
            "Voyez les portes vous-même. Mettez {folder} de côté et gardez-le, puis remettez la dernière sauvegarde :"
            " `perron restore FICHIER`. Sans sauvegarde, la box recommence à neuf dans un dossier vide."
        ),
        (
            "Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back:"
            " `perron restore FILE`. Without a backup the box begins as a new one in an empty folder."
        ),
    ),
    **{
        f"store.doubt.{why}": (f"en doute : {words['fr']}", f"in doubt: {words['en']}") for why, words in DOUBTS.items()
    },
    "store.doubt.todo": (
        (
            "Rien n'ouvre. Si la clé ou la marque existe encore ailleurs, remettez-la avant le prochain démarrage."
            " Sinon, démarrez la passerelle, allez voir chaque porte et dites-le sur la page d'accueil (« J'ai vérifié"
            " la porte ») ; les livraisons annoncées avant doivent l'être à nouveau."
        ),
        (
            "Nothing opens. Where the key or the mark is still somewhere else, put it back before the next start."
            ' Else start the gateway, look after each door and say so on the page Home ("I have looked after the'
            ' door"); what was announced before has to be announced again.'
        ),
    ),
    "pages.unreadable": ("leur autorité ne peut pas être lue : {why}", "their authority cannot be read: {why}"),
    "pages.unreadable.todo": ("Redémarrez la passerelle.", "Restart the gateway."),
    "pages.none": ("aucune autorité n'a encore été faite", "no authority was made yet"),
    "pages.none.todo": ("Démarrez la passerelle : elle en fait une.", "Start the gateway: it makes one."),
    "pages.good": (
        "leur autorité est {fingerprint}, valable jusqu'au {until}",
        "their authority is {fingerprint}, good until {until}",
    ),
    "entrance.forbidden": ("{promises}", "{promises}"),
    "entrance.blind": (
        "Pas d'image de {cameras} : aucune livraison n'entre sans. {promises}",
        "No picture from {cameras}: no delivery comes in without. {promises}",
    ),
    "entrance.blind.todo": (
        "Voyez ce qui est dit du flux de la caméra ; loin d'un créneau personne d'autre ne le regarde.",
        "See what is said of the camera's stream; far from a window nobody else looks at it.",
    ),
    "entrance.unheard": (
        "Rien entendu de {devices} : aucune livraison n'entre sans. {promises}",
        "Nothing heard of {devices}: no delivery comes in without. {promises}",
    ),
    "entrance.unheard.todo": (
        "Voyez ce qui est dit du broker et de ces appareils.",
        "See what is said of the broker and of these devices.",
    ),
    "entrance.red": (
        "l'horloge ou le disque l'interdit, voyez ce qui est rouge",
        "clock or disk forbid a visit, see what is red",
    ),
    "entrance.red.todo": ("Réglez cela d'abord.", "Mend that first."),
    "entrance.forbidden.todo": ("`perron walk-test {name}` en dit plus.", "`perron walk-test {name}` tells more."),
    "entrance.untried.todo": ("`perron walk-test {name}`", "`perron walk-test {name}`"),
    "entrance.good": (
        "rien n'interdit une visite en votre absence",
        "nothing forbids a visit while nobody is home",
    ),
    "phones.none": (
        "aucun n'est configuré : les messages vont au journal et à MQTT",
        "none is configured: messages go to the log and to MQTT",
    ),
    "phones.unreadable": ("leur fichier ne peut pas être utilisé : {text}", "{text}"),
    "phones.unreadable.todo": (
        "D'ici là `perron run` ne démarre pas.",
        "Until then `perron run` does not start.",
    ),
    "phones.open": (
        "{file} peut être lu ou écrit par d'autres sur cette machine",
        "{file} can be read or written by others on this machine",
    ),
    "phones.open.todo": (
        "`chmod 600 {file}`, et si d'autres pouvaient le lire, changez ce qui s'y trouve.",
        "`chmod 600 {file}`, and where others could read it change what stands in it.",
    ),
    "phones.empty": ("{file} n'en nomme aucun", "{file} names none"),
    "phones.empty.todo": (
        "Ajoutez-en un sur la page Réglages, Messages.",
        "Add one on the page Settings, Messages.",
    ),
    "phone.taken": (
        "a pris un mot d'essai : regardez si le téléphone le montre",
        "took a word to try it: look whether the phone shows it",
    ),
    "phone.refused": (
        "ne l'a pas pris, ou personne n'y répond",
        "did not take it, or nobody answers there",
    ),
    "phone.refused.todo": (
        "Regardez la ligne de son URL, le compte et le sujet, et le chemin de cette machine jusque-là.",
        "Look at its URL's line, at account and topic, and at this machine's way there.",
    ),
    "phone.silent": ("pas de réponse en {seconds} s", "no answer within {seconds} s"),
    "phone.silent.todo": ("Regardez le chemin de cette machine jusque-là.", "Look at this machine's way there."),
}

WORDS: Mapping[str, _Both] = {
    **_HOUSE,
    **BROKER,
    **DEVICES,
    **BATTERIES,
    **HUB,
    **{f"weak.{key}": both for key, both in WEAK.items()},
}


def told(said: Said, language: Language, *, show: Callable[[Path], str] = str) -> str:
    """Put a sentence into words; `show` writes a path as the reader may type it.

    Raises:
        KeyError: there is none of this name, or it names a fact that is not given.
    """
    french, english = WORDS[said.key]
    facts = {name: _fact(fact, language, show) for name, fact in said.facts.items()}
    return (french if language == "fr" else english).format(**facts).strip()


def _fact(fact: Fact, language: Language, show: Callable[[Path], str]) -> str:
    match fact:
        case str():
            return fact
        case Path():
            return show(fact)
        case Said():
            return told(fact, language, show=show)
        case Promise():
            return promised(fact, language)
        case tuple():
            between = " " if any(isinstance(one, Promise) for one in fact) else ", "
            return between.join(_fact(one, language, show) for one in fact)
        case _:
            return spoken(fact, language)


def spoken(report: r.Report, language: Language) -> str:
    """Put what a device answered into words."""

    def say(key: str, **facts: str) -> str:
        return told(Said(f"report.{key}", facts), language)

    def word(state: str) -> str:
        return STATES[state][0 if language == "fr" else 1]

    match report:
        case r.LockReport():
            return say("jammed" if report.jammed else "bolt", state=word(f"bolt.{report.bolt}"))
        case r.DoorReport():
            return say("door", state=word(f"door.{report.door}"))
        case r.FridgeReport():
            degrees = word("unknown") if report.temp_c is None else f"{report.temp_c:g} °C"
            return f"{report.compartment} {degrees}".strip()
        case r.GarageDoorReport():
            key = "cover" if report.clear is None else "cover.clear" if report.clear else "cover.blocked"
            return say(key, state=word(f"cover.{report.cover}"))
        case r.PresenceReport():
            return say("presence", state=word(f"presence.{report.presence}"))
        case r.AlarmPanelReport():
            return say("panel", state=word(f"panel.{report.panel}"))
        case r.AvailabilityReport():
            return say("online" if report.online else "offline")
        case r.StreamReport():
            return say("stream", uri=without_account(report.uri))
        case r.BatteryReport():
            level = None if report.level is None else word(f"battery.{report.level}")
            return say("battery", level=level or f"{report.percent} %")
        case _:
            return say("else")
