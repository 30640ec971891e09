"""What the page for away from home says, in French and English, and the page that enrols a browser for it."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

_PAGE: Mapping[str, _Both] = {
    "away.title": ("Chez moi, d'ailleurs", "My home, from elsewhere"),
    "away.noscript": ("Cette page a besoin de JavaScript.", "This page needs JavaScript."),
    "away.now": ("La maison", "The house"),
    "away.unknown": ("inconnu", "unknown"),
    "away.doors": ("Portes", "Doors"),
    "away.orders": ("Ce que vous avez demandé", "What you have asked for"),
    "away.waiting": ("Ce qui attend votre réponse", "What waits for your answer"),
    "away.stop.why": (
        "Rien ne s'ouvre plus, nulle part. On ne lève l'arrêt qu'à la maison.",
        "Nothing opens any more, anywhere. The stop is lifted at home only.",
    ),
    "away.stop.one": ("Arrêter cette entrée", "Stop this entrance"),
    "away.stopped": ("Arrêtée : rien ne s'ouvre ici.", "Stopped: nothing opens here."),
    "away.paused": ("En pause jusqu'à : {until}", "Paused until: {until}"),
    "away.lock": ("Verrouiller", "Lock"),
    "away.sure": ("{what} : appuyez encore une fois", "{what}: press once more"),
    "away.until": ("jusqu'au {day}", "until {day}"),
    "away.asked_by": ("Demande reçue par {hub}. Sans réponse, c'est non.", "Asked by way of {hub}. No answer is a no."),
    "away.brands.none": ("Aucune marque n'a encore eu de réponse.", "No brand has been answered yet."),
    "away.key": ("montre une nouvelle clé", "shows a new key"),
    "away.messages.none": ("Aucun message.", "No messages."),
    "away.home": ("À la maison : les pages de la box", "At home: the pages of the box"),
    "away.this": ("Ce navigateur", "This browser"),
    "away.whose": ("Inscrit au nom de", "Enrolled for"),
    "away.forget": ("Oublier les clés ici", "Forget the keys here"),
    "away.forget.why": (
        "Ce navigateur ne pourra plus rien demander. Retirez-le aussi de la liste, sur la page Réglages de la box.",
        "This browser can ask for nothing any more. Take it off the list too, on the box's settings page.",
    ),
}

_HEARD: Mapping[str, _Both] = {
    "away.heard": ("En liaison avec la box", "Connected to the box"),
    "away.unheard": ("Sans nouvelles de la box", "No word from the box"),
    "away.last_known": ("Dernier état connu :", "Last known:"),
    "away.as_of": ("Dit par la box {age}.", "Said by the box {age}."),
    "away.last": ("Dernière réponse de la box : {age}.", "Last answer of the box: {age}."),
    "away.heard.waiting": ("On demande à la box…", "Asking the box…"),
    "away.heard.no_hub": ("Pas de réponse : êtes-vous en ligne ?", "No answer: are you online?"),
    "away.heard.offline": (
        "La box n'est pas reliée au hub : on ne sait rien de la maison.",
        "The box is not connected to the hub: nothing is known of the house.",
    ),
    "away.heard.silent": ("La box n'a pas répondu.", "The box did not answer."),
    "away.heard.clock": ("L'horloge de cet appareil est fausse.", "This device's clock is wrong."),
    "away.heard.unknown": (
        "Le hub ne connaît pas (ou plus) ce navigateur, ou l'horloge de cet appareil est fausse.",
        "The hub does not know this browser (any more), or this device's clock is wrong.",
    ),
    "away.heard.ended": ("La box a mis fin à cette inscription.", "The box has ended this enrolment."),
    "away.heard.slow_down": ("Trop de demandes : un moment.", "Too many questions: one moment."),
    "away.heard.unbelieved": (
        "Ce que le hub a répondu ne vient pas de la box : on n'en montre rien.",
        "What the hub answered does not come from the box: none of it is shown.",
    ),
    "away.heard.hub": ("Le hub ne fonctionne pas bien.", "The hub is not well."),
    "away.heard.box": ("La box n'a pas voulu répondre.", "The box would not answer."),
    "away.heard.unread": (
        "La box est plus récente que cette page : ouvrez-la une fois à la maison.",
        "The box is newer than this page: open it once at home.",
    ),
    "away.gone.none": (
        (
            "Ce navigateur n'a pas de clés de cette maison : jamais faites ici, ou il a vidé sa mémoire. "
            "À la maison, inscrivez-le (de nouveau)."
        ),
        (
            "This browser has no keys of this house: they were never made here, or it has thrown its storage away. "
            "At home, enrol it (again)."
        ),
    ),
    "away.gone.ended": (
        "La box a mis fin à l'inscription de ce navigateur. Ses clés sont oubliées.",
        "The box has ended the enrolment of this browser. Its keys are forgotten.",
    ),
    "away.gone.forgotten": ("Les clés sont oubliées ici.", "The keys are forgotten here."),
    "away.gone.storage": (
        "Ce navigateur ne garde rien (fenêtre privée ?) : il ne peut pas avoir de clés.",
        "This browser keeps nothing (a private window?): it can have no keys.",
    ),
    "away.gone.plain": (
        "Hors de la box même, cette page ne marche qu'en https, le certificat de la box approuvé sans avertissement.",
        "But for the box itself, this page works over https only, its certificate trusted and no warning clicked away.",
    ),
}

_ORDERS: Mapping[str, _Both] = {
    "away.do.stop": ("Arrêter", "Stop"),
    "away.do.veto": ("Ne pas ouvrir", "Do not open"),
    "away.do.approve": ("Ouvrir", "Open"),
    "away.do.lock": ("Verrouiller", "Lock"),
    "away.do.acknowledge": ("Porte vérifiée", "Door looked after"),
    "away.do.permit": ("Autoriser", "Let in"),
    "away.do.refuse": ("Refuser", "Refuse"),
    "away.do.revoke": ("Ne plus laisser entrer", "Let in no longer"),
    "away.do.approve-key": ("Accepter la clé", "Accept the key"),
    "away.do.refuse-key": ("Refuser la clé", "Refuse the key"),
    "away.way.kept": ("pas encore parti d'ici", "has not left this device yet"),
    "away.way.waiting": ("attend au hub", "waits at the hub"),
    "away.way.told_received": (
        "le hub dit l'avoir remis ; la box ne l'a pas encore dit",
        "the hub says it was handed over; the box has not said so yet",
    ),
    "away.way.told_expired": ("le hub dit que c'était trop tard", "the hub says that it was too late"),
    "away.way.told_refused": ("le hub dit que la box a refusé :", "the hub says that the box refused:"),
    "away.way.received": ("reçu par la maison", "received by the house"),
    "away.way.done": ("fait, dit la maison", "done, says the house"),
    "away.way.failed": ("la maison ne l'a pas fait :", "the house did not do it:"),
    "away.way.stayed": ("périmé : ce n'est pas parti d'ici", "expired: it has not left this device"),
    "away.way.expired": ("périmé, et la maison n'en a rien dit", "expired, and the house has said nothing of it"),
    "away.way.given_up": ("n'est plus envoyé, à cause de l'arrêt", "not sent any more, because of the stop"),
    "away.way.hub_refused": ("le hub ne l'a pas pris", "the hub did not take it"),
    "away.no.ask_changed": (
        "ce qui est demandé a changé, regardez de nouveau",
        "what is asked has changed, look again",
    ),
    "away.no.not_here": ("cela n'existe pas ou plus", "there is no such thing (any more)"),
    "away.no.not_done": ("cela n'a pas marché", "it did not work"),
    "away.no.not_allowed": ("vous n'en avez pas le droit", "you have no right to it"),
    "away.no.overtaken": ("une demande plus récente l'a devancé", "a newer one came before it"),
    "away.no.no_longer_valid": ("arrivé trop tard", "it came too late"),
    "away.no.not_yet_valid": ("l'horloge de cet appareil avance", "this device's clock is ahead"),
    "away.no.clock_untrusted": (
        "la box ne connaît pas l'heure, et ne laisse entrer personne de loin",
        "the box does not know the time, and lets nobody in from afar",
    ),
    "away.no.unknown_browser": ("elle ne connaît plus ce navigateur", "it does not know this browser any more"),
    "away.no.malformed": ("ce n'était pas lisible : le hub l'a abîmé ?", "it could not be read: did the hub spoil it?"),
    "away.no.wrong_signature": ("la signature n'est pas bonne", "the signature is not right"),
    "away.no.wrong_claims": ("ce n'était pas ce qu'elle attend", "it was not what the box expects"),
    "away.no.wrong_audience": ("c'était pour une autre maison", "it was for another home"),
    "away.no.seen": ("cela a déjà été demandé", "it was asked before"),
    "away.no.stale": ("l'horloge de cet appareil est fausse", "this device's clock is wrong"),
    "away.no.private": ("l'intérieur ne se montre que pendant une visite", "the inside is shown during a visit only"),
    "away.no.no_picture": ("pas d'image", "no picture"),
    "away.no.too_many": ("trop de demandes à la fois", "too many questions at once"),
}

_PICTURES: Mapping[str, _Both] = {
    "away.live": ("En direct : {camera}", "Live: {camera}"),
    "away.live.end": ("Ne plus regarder", "Stop watching"),
    "away.live.over": ("Terminé après deux minutes.", "Ended after two minutes."),
    "away.films": ("Images et films", "Pictures and films"),
    "away.films.why": (
        "La box les chiffre pour ce navigateur : le hub les transporte sans pouvoir les voir.",
        "The box encrypts them for this browser: the hub carries them and cannot see them.",
    ),
    "away.films.list": ("Montrer les visites", "Show the visits"),
    "away.films.none": ("Rien n'a été filmé.", "Nothing was filmed."),
    "away.picture": ("Image, {camera}", "Picture, {camera}"),
    "away.film.part": ("Morceau {n} sur {of}", "Piece {n} of {of}"),
    "away.film.whole": ("Le film est là en entier.", "All of the film is here."),
    "away.film.broken": ("Ce navigateur ne sait pas jouer ce film.", "This browser cannot play this film."),
    "away.film.large": (
        "Ce film est trop long pour cette page : regardez-le à la maison.",
        "This film is too long for this page: watch it at home.",
    ),
}

_ENROL: Mapping[str, _Both] = {
    "away.enrol.title": ("Inscrire ce navigateur", "Enrol this browser"),
    "away.enrol.why": (
        (
            "Après cela, ce navigateur atteint votre maison de partout, par le hub, sans que celui-ci puisse lire ou "
            "inventer quoi que ce soit."
        ),
        (
            "After this, this browser reaches your house from anywhere, through the hub, which can neither read nor "
            "invent anything."
        ),
    ),
    "away.enrol.can": (
        (
            "On y voit les portes, les visites et les messages ; on peut arrêter, refuser, autoriser. Rien ne s'y "
            "déverrouille."
        ),
        "It shows doors, visits and messages; it can stop, refuse, let in. Nothing is unlocked with it.",
    ),
    "away.enrol.hub": (
        "Le hub ({hub}) apprend quand ce navigateur demande quelque chose, jamais quoi.",
        "The hub ({hub}) learns when this browser asks something, never what.",
    ),
    "away.enrol.keys": (
        (
            "Deux clés sont faites ici et ne quittent pas ce navigateur. Qui le tient déverrouillé peut tout cela "
            "aussi : ne l'inscrivez pas s'il n'est pas à vous."
        ),
        (
            "Two keys are made here and never leave this browser. Whoever holds it unlocked can do all this: do not "
            "enrol one that is not yours."
        ),
    ),
    "away.enrol.lost": (
        "Perdu ou volé : retirez-le sur la page Réglages de la box.",
        "Lost or stolen: take it off the list on the box's settings page.",
    ),
    "away.enrol.no_hub": (
        "Cette maison n'a rejoint aucun hub : de l'extérieur, rien ne l'atteint (`perron join`).",
        "This house has joined no hub: from outside nothing reaches it (`perron join`).",
    ),
    "away.enrol.label": ("Comment l'appeler", "What to call it"),
    "away.enrol.phone": ("Téléphone de {name}", "{name}'s phone"),
    "away.enrol.go": ("Faire les clés et inscrire", "Make the keys and enrol"),
    "away.enrol.making": ("On fait les clés…", "Making the keys…"),
    "away.enrol.failed": (
        "Cela n'a pas marché : rien n'est inscrit. Réessayez.",
        "That did not work: nothing is enrolled. Try again.",
    ),
    "away.enrol.plain": (
        "Hors de la box même, seulement en https, son certificat approuvé sans avertissement (page Certificat).",
        "But for the box itself, over https only, its certificate trusted and no warning clicked away (Certificate).",
    ),
}

AWAY: Mapping[str, _Both] = {**_PAGE, **_HEARD, **_ORDERS, **_PICTURES, **_ENROL}
