"""What an examination says of devices and of cameras' streams, in French and English."""

from collections.abc import Mapping

from gateway.video.ipc import Unopened
from gateway.video.open_errors import SAID

_Both = tuple[str, str]  # French, English

_UNOPENED: Mapping[Unopened, tuple[str, str]] = {  # French: the English is `video.unopened`'s, which the log knows
    Unopened.UNKNOWN_HOST: (
        "personne ne connaît de machine de ce nom",
        "Regardez son url, ou écrivez son adresse IP.",
    ),
    Unopened.NO_ANSWER: (
        "elle ne répond pas",
        "Regardez son alimentation, son réseau et son url.",
    ),
    Unopened.LOGIN_REFUSED: (
        "elle refuse l'utilisateur ou le mot de passe",
        (
            "Corrigez son credentials_file : il est réessayé quand ce fichier change, sinon toutes les 5 min (les "
            "caméras bloquent les comptes)."
        ),
    ),
    Unopened.LOGIN_UNUSABLE: (
        "son credentials_file ne peut pas être utilisé",
        "C'est une ligne user:password que seul l'utilisateur de la box peut lire (chmod 600).",
    ),
    Unopened.NO_SUCH_STREAM: (
        "elle n'a pas de flux de ce nom",
        "Cherchez le chemin de son url : chaque fabricant a le sien.",
    ),
    Unopened.NOT_H264: (
        "ses images ne sont pas en H.264",
        "Réglez son codec vidéo sur H.264 (ni H.265, ni H.264+, ni MJPEG), ou nommez son second flux.",
    ),
    Unopened.NO_PICTURES: (
        "elle n'envoie pas d'images",
        "Regardez son url : ce flux n'est peut-être que du son, ou il est éteint.",
    ),
    Unopened.CERTIFICATE: (
        "son certificat n'est pas celui attendu, ou a expiré",
        (
            "Donnez son empreinte (fingerprint), ou l'autorité (ca). Un certificat expiré ou sans nom est à refaire "
            "dans la caméra."
        ),
    ),
    Unopened.NO_TLS: (
        "elle ne parle pas TLS à cet endroit",
        "Regardez son url : rtsps:// veut son port TLS, souvent 322.",
    ),
    Unopened.SENT_ELSEWHERE: (
        "elle renvoie à une autre adresse",
        "Écrivez cette adresse comme url si vous vous y fiez : Perron ne suit personne.",
    ),
    Unopened.TURNED_AWAY: (
        "elle est là et nous éconduit",
        "La plupart servent deux à quatre spectateurs : arrêtez-en un, ou prenez ses images de Frigate.",
    ),
    Unopened.NO_TCP: (
        "elle n'envoie ses images que par UDP",
        "Permettez RTSP par TCP (interleaved) dans la caméra.",
    ),
    Unopened.NOT_UNDERSTOOD: (
        "ce qui répond là n'est pas un serveur RTSP",
        "Regardez le port de son url, souvent 554.",
    ),
}

_STREAM: Mapping[str, _Both] = {
    "what.stream": ("flux de {id}", "{id} stream"),
    "stream.unopened": ("{where} : {why}", "{where}: {why}"),
    "stream.spared": (
        (
            "{where} : elle a refusé le compte plusieurs fois ; pour qu'elle ne le bloque pas, elle est laissée en paix"
            " {minutes} min, ou jusqu'à ce que le fichier du compte change"
        ),
        (
            "{where}: it has refused the account several times; so that it does not lock it, it is left alone for"
            " {minutes} min, or until the account's file changes"
        ),
    ),
    "stream.unlooked": ("il n'a pas pu être regardé ({why})", "it could not be looked at ({why})"),
    "stream.shown": (
        "{todo} Elle montre à présent {shown} : comparez avec la page de la caméra.",
        "{todo} Now it shows {shown}: compare with the camera's own page.",
    ),
    "stream.lost": (
        "{where} : le flux s'est ouvert et a été perdu ({why})",
        "{where}: the stream opened and was lost ({why})",
    ),
    "stream.lost.todo": (
        "Regardez sa liaison (Wi-Fi ?) et son alimentation.",
        "Look at its link (Wi-Fi?) and at its power.",
    ),
    "stream.good": (
        "{where} : {size}, {rate} images par seconde, une image clé toutes les {every} s",
        "{where}: {size}, {rate} pictures a second, a key picture every {every} s",
    ),
    "stream.seldom": (
        "{where} : {size}, {rate} images par seconde ; {every} s entre images clés",
        "{where}: {size}, {rate} pictures a second; {every} s between key pictures",
    ),
    "stream.seldom_more": (
        "{where} : {size}, {rate} images par seconde ; plus de {every} s entre images clés",
        "{where}: {size}, {rate} pictures a second; more than {every} s between key pictures",
    ),
    "stream.seldom.todo": (
        "Réglez l'intervalle d'images clés (I-frame) sur 1 ou 2 secondes, et coupez H.264+ ou « smart codec ».",
        "Set its key frame (I-frame) interval to 1 or 2 seconds, and switch H.264+ or smart codec off.",
    ),
    "login.missing": (
        "le fichier de son compte n'est pas là : {file}",
        "the file of its account is not there: {file} (credentials_file)",
    ),
    "login.unusable": ("{file} ne peut pas être utilisé", "{text}"),
    "fault.nothing": ("rien n'est venu", "nothing came"),
    "fault.unreachable": ("injoignable", "unreachable"),
    "fault.stall": ("elle s'est tue", "stall"),
    "fault.reset": ("elle a coupé", "reset"),
    "fault.stuck_timestamps": ("son heure n'avance pas", "stuck timestamps"),
    "fault.undecodable": ("images illisibles", "undecodable"),
    "fault.black": ("image noire", "black"),
    "fault.frozen": ("image figée", "frozen"),
    "fault.disk": ("disque", "disk"),
    "fault.changed": ("un autre format d'image", "changed"),
    "fault.interrupted": ("interrompu", "interrupted"),
}

_ANSWERS: Mapping[str, _Both] = {
    "what.devices": ("appareils", "devices"),
    "what.device": ("{id}", "{id}"),
    "devices.no_key": (
        "{file} ne peut pas être utilisé : {why}.",
        "{file} cannot be used: {why}.",
    ),
    "devices.no_key.todo": (
        (
            "Demandez sur la box même, en tant que son utilisateur : une garde ne répond qu'à ce que la clé de la box "
            "a signé."
        ),
        "Ask on the box itself, as its own user: a guard answers only what the box's key has signed.",
    ),
    "devices.not_asked": (
        "pas interrogés : ils parlent par le broker",
        "not asked: they speak by the broker",
    ),
    "devices.not_asked.todo": ("Examinez de nouveau quand il est là.", "Look again when it is there."),
    "device.offline": ("se dit hors ligne", "says that it is offline"),
    "device.offline.todo": (
        "Regardez son alimentation, sa pile et sa liaison.",
        "Look at its power, its battery and its link.",
    ),
    "device.online": ("en ligne ; {why}", "online; {why}"),
    "device.silent": ("muet ; {why}", "silent; {why}"),
    "device.silent.todo": (
        "Servez-vous-en une fois : il n'a pas encore dit s'il est en ligne.",
        "Use it once: it has not said yet whether it is online.",
    ),
    "device.unasked": ("un appareil de type {kind} ne peut pas être interrogé", "a {kind} cannot be asked"),
    "device.basic": ("un capteur simple ne peut pas être interrogé", "a basic door cannot be asked"),
    "device.unsent": ("la question n'est pas partie", "the question did not leave"),
    "device.slow": (
        "n'a pas répondu en {seconds} s ; il peut en prendre {patience}",
        "has not answered within {seconds} s; it may take {patience} s",
    ),
    "device.slow.todo": (
        "`perron test {id}` attend autant qu'il le faut.",
        "`perron test {id}` waits as long as it needs.",
    ),
    "device.dumb": ("ne répond pas en {seconds} s", "does not answer within {seconds} s"),
    "device.dumb.todo": (
        "Regardez son alimentation et sa liaison. Un appareil simulé vit dans `perron simulate`.",
        "Look at its power and its link. A simulated one lives in `perron simulate`.",
    ),
    "device.unreadable": ("répond ce qui ne peut pas être lu", "answers what cannot be read"),
    "device.unreadable.todo": (
        "Est-ce bien un appareil {vendor} de type {kind} ?",
        "Is it a {vendor} {kind}?",
    ),
    "device.answers": ("répond en {seconds} s : {reports}", "answers within {seconds} s: {reports}"),
    "report.bolt": ("le pêne est {state}", "the bolt is {state}"),
    "report.jammed": ("le pêne est {state}, et il est bloqué", "the bolt is {state}, and it is jammed"),
    "report.door": ("la porte est {state}", "the door is {state}"),
    "report.cover": ("la porte du garage est {state}", "the garage door is {state}"),
    "report.cover.clear": (
        "la porte du garage est {state}, rien ne la gêne",
        "the garage door is {state}, nothing is in its way",
    ),
    "report.cover.blocked": (
        "la porte du garage est {state}, quelque chose la gêne",
        "the garage door is {state}, something is in its way",
    ),
    "report.presence": ("présence : {state}", "presence {state}"),
    "report.panel": ("l'alarme est {state}", "the alarm panel is {state}"),
    "report.unshown": ("ce qu'il dit des habitants n'est pas montré ici", "what it says of people is not shown here"),
    "report.online": ("il est en ligne", "it is online"),
    "report.offline": ("il est hors ligne", "it is offline"),
    "report.stream": ("ses images sont à {uri}", "its pictures are at {uri}"),
    "report.battery": ("pile : {level}", "battery {level}"),
    "report.else": ("autre chose", "something else"),
}

STATES: Mapping[str, _Both] = {
    "unknown": ("inconnue", "unknown"),
    "bolt.locked": ("sorti (verrouillé)", "locked"),
    "bolt.unlocked": ("rentré (déverrouillé)", "unlocked"),
    "bolt.not_fully_locked": ("à moitié sorti", "not fully locked"),
    "bolt.unlatched": ("rentré, demi-tour retiré", "unlatched"),
    "bolt.unknown": ("on ne sait où", "unknown"),
    "door.closed": ("fermée", "closed"),
    "door.open": ("ouverte", "open"),
    "door.ajar": ("entrouverte", "ajar"),
    "door.forced_open": ("forcée", "forced open"),
    "door.jammed": ("coincée", "jammed"),
    "door.error": ("en erreur", "error"),
    "door.unknown": ("on ne sait comment", "unknown"),
    "cover.open": ("ouverte", "open"),
    "cover.closed": ("fermée", "closed"),
    "cover.opening": ("en train de s'ouvrir", "opening"),
    "cover.closing": ("en train de se fermer", "closing"),
    "cover.unknown": ("on ne sait comment", "unknown"),
    "presence.home": ("quelqu'un est là", "home"),
    "presence.away": ("personne", "away"),
    "presence.unknown": ("inconnue", "unknown"),
    "panel.disarmed": ("désarmée", "disarmed"),
    "panel.armed_home": ("armée, maison occupée", "armed home"),
    "panel.armed_away": ("armée, maison vide", "armed away"),
    "panel.armed_night": ("armée pour la nuit", "armed night"),
    "panel.armed_vacation": ("armée pour les vacances", "armed vacation"),
    "panel.armed_custom_bypass": ("armée en partie", "armed custom bypass"),
    "panel.arming": ("en train de s'armer", "arming"),
    "panel.disarming": ("en train de se désarmer", "disarming"),
    "panel.pending": ("sur le point de sonner", "pending"),
    "panel.triggered": ("déclenchée", "triggered"),
    "panel.unknown": ("on ne sait comment", "unknown"),
    "battery.critical": ("presque vide", "critical"),
    "battery.low": ("faible", "low"),
    "battery.medium": ("moyenne", "medium"),
    "battery.good": ("bonne", "good"),
}

DEVICES: Mapping[str, _Both] = {
    **_STREAM,
    **_ANSWERS,
    **{f"unopened.{why}": (french[0], SAID[why][0]) for why, french in _UNOPENED.items()},
    **{f"unopened.{why}.todo": (french[1], SAID[why][1]) for why, french in _UNOPENED.items()},
}
