"""What the pages of privacy, moving out and the way back in say, in French and English: part of `catalogue.py`."""

from collections.abc import Mapping

Both = tuple[str, str]  # French, English

PRIVACY: Mapping[str, Both] = {
    "privacy.title": ("Vie privée", "Privacy"),
    "privacy.where": (
        (
            "Tout est gardé sur cette box, dans {folder}. Il n'en sort que les messages à vos téléphones, et pour"
            " chaque marque où en est sa livraison. Rien n'est enregistré avec le son."
        ),
        (
            "Everything is kept on this box, in {folder}. Only the messages to your phones leave it, and for each brand"
            " how its delivery stands. Nothing is recorded with sound."
        ),
    ),
    "privacy.hub": (
        (
            "Les livraisons arrivent aussi par {url}. Ce relais connaît le nom de vos entrées et de leurs emplacements,"
            " votre fuseau horaire, où en est chaque livraison qu'il a apportée, et ce que vous avez décidé de sa"
            " marque. Quand un navigateur inscrit ici demande ou ordonne quelque chose de loin, il sait quand, pas quoi"
            " : état, messages, images et films sont scellés pour ce navigateur seul. Rien d'autre."
        ),
        (
            "Deliveries come by {url} too. This hub knows the names of your entrances and their places, your time zone,"
            " how each delivery that it brought stands, and what you decided on its brand. When a browser that was"
            " enrolled here asks or orders something from afar, it knows when, not what: state, messages, pictures and"
            " films are sealed for that browser alone. Nothing else."
        ),
    ),
    "privacy.kept": ("Ce qui est gardé", "What is kept"),
    "privacy.films": ("Films", "Films"),
    "privacy.films.now": (
        "Visites : {n} ({size} Mo). Effacées après {days} jours ; il reste une note signée, sans image.",
        "Visits: {n} ({size} MB). Erased after {days} days; a signed note stays, without pictures.",
    ),
    "privacy.oldest": ("La plus ancienne : {day}.", "The oldest: {day}."),
    "privacy.held": ("Gardées par vous au-delà : {n}.", "Held by you beyond that: {n}."),
    "privacy.log": ("Journal", "Log"),
    "privacy.log.now": (
        "Lignes lisibles : {n}. Après {days} jours il n'en reste que l'empreinte.",
        "Lines that can be read: {n}. After {days} days only their fingerprints stay.",
    ),
    "privacy.log.since": ("Depuis : {day}.", "Since: {day}."),
    "privacy.deliveries": ("Livraisons", "Deliveries"),
    "privacy.deliveries.now": (
        "Annoncées ou passées : {n}. Oubliées {days} jours après leur créneau.",
        "Announced or past: {n}. Forgotten {days} days after their window.",
    ),
    "privacy.messages": ("Messages", "Messages"),
    "privacy.messages.now": (
        "Messages : {n}. Oubliés après {days} jours.",
        "Messages: {n}. Forgotten after {days} days.",
    ),
    "privacy.people": ("Personnes", "People"),
    "privacy.people.now": (
        (
            "Comptes : {n} ; sessions ouvertes : {sessions} ; invitations : {invitations}. Gardés jusqu'à leur"
            " retrait, le nom encore {days} jours. Des mots de passe il n'y a qu'une empreinte."
        ),
        (
            "Accounts: {n}; open sessions: {sessions}; invitations: {invitations}. Kept until they are removed,"
            " the name for {days} days more. Of passwords there is only a fingerprint."
        ),
    ),
    "privacy.looks": ("Qui a regardé", "Who looked"),
    "privacy.looks.now": (
        "Regards notés : {n}, 500 au plus, pendant {days} jours.",
        "Looks noted: {n}, 500 at most, for {days} days.",
    ),
    "privacy.looks.none": ("Personne n'a regardé.", "Nobody has looked."),
    "privacy.look.live": ("{what} en direct", "{what}, live"),
    "privacy.look.film": ("film de la visite", "a visit's film"),
    "privacy.look.report": ("rapport de la visite", "a visit's report"),
    "privacy.look.copy": ("copie de tout", "a copy of everything"),
    "privacy.look.until": ("jusqu'à {time}", "until {time}"),
    "privacy.somebody": ("quelqu'un avec un lien, ou parti depuis", "somebody with a link, or gone since"),
    "privacy.erased": ("Ce qui a été effacé", "What was erased"),
    "privacy.erased.none": ("Rien n'a été effacé.", "Nothing was erased."),
    "privacy.erased.retention": ("son temps était passé", "its time was over"),
    "privacy.erased.by": ("par {who}", "by {who}"),
    "privacy.erased.owner": ("à la demande du propriétaire", "as the owner asked"),
    "privacy.days": ("Garder les films pendant (jours, 1 à 30)", "Keep films for (days, 1 to 30)"),
    "privacy.days.go": ("Changer la durée", "Change how long"),
    "privacy.days.why": (
        (
            "Plus court : ce qui a dépassé la nouvelle durée est effacé tout de suite, pour toujours ; les"
            " films que vous gardez restent. Plus long : vaut pour les films encore là, rien ne revient."
            " Réimprimez l'affiche de la porte (`perron door-notice`) : elle dit combien de jours."
        ),
        (
            "Shorter: what is older than the new time is erased at once, for ever; films that you hold stay."
            " Longer: it counts for films that are still there, nothing comes back. Print the notice at the"
            " door again (`perron door-notice`): it says how many days."
        ),
    ),
    "privacy.live": ("Voir l'intérieur en direct", "Watching the inside live"),
    "privacy.live.filming": (
        "Seulement pendant une visite, ou quand une porte s'est ouverte sans ordre (par défaut)",
        "Only during a visit, or after a door opened without an order (the default)",
    ),
    "privacy.live.always": ("Toujours", "Always"),
    "privacy.live.why": (
        (
            "Regarder n'enregistre rien ; mais chez soi, personne ne doit être regardé sans le savoir. Caméras"
            " : {cameras}. Le changement vaut tout de suite, aussi pour qui regarde en ce moment."
        ),
        (
            "Watching records nothing; but nobody should be watched unknowingly in their own home. Cameras:"
            " {cameras}. The change counts at once, also for whoever is watching now."
        ),
    ),
    "privacy.live.go": ("Enregistrer", "Save"),
    "live.private": (
        "L'intérieur ne se regarde que pendant une visite (Réglages, Vie privée)",
        "The inside can only be watched during a visit (Settings, Privacy)",
    ),
}

MOVING: Mapping[str, Both] = {
    "moving.title": ("Déménager", "Moving out"),
    "moving.why": (
        (
            "Trois choses, l'une après l'autre si vous voulez : tout emporter, puis effacer la box ou la"
            " remettre au prochain propriétaire."
        ),
        (
            "Three things, one after the other if you like: take everything along, then wipe the box or hand it"
            " over to the next owner."
        ),
    ),
    "moving.take": ("Tout emporter", "Take everything along"),
    "moving.take.why": (
        (
            "Un fichier ZIP : visites ({n}, {size} Mo), journal, personnes et autorisations. Une visite en"
            " cours n'y est pas. Rien n'est effacé."
        ),
        (
            "One ZIP file: visits ({n}, {size} MB), log, people and permissions. A visit under way is not in"
            " it. Nothing is erased."
        ),
    ),
    "moving.take.go": ("Télécharger tout", "Download everything"),
    "moving.readme": (
        (
            "Tout ce que cette box gardait.\n\n"
            "visits/       une visite par dossier : films, journal, preuve signée\n"
            "log.jsonl     le journal entier, une entrée par ligne\n"
            "people.json, permissions.json\n"
            "              qui avait un compte, et quelles marques pouvaient entrer\n"
            "box.pub.pem   la clé publique de la box\n\n"
            "Vérifier une visite, sans internet :\n"
            "  perron verify {name}/visits/VISITE --key {name}/box.pub.pem\n"
        ),
        (
            "All that this box kept.\n\n"
            "visits/       one visit a folder: films, log, signed proof\n"
            "log.jsonl     the whole log, one entry a line\n"
            "people.json, permissions.json\n"
            "              who had an account, and which brands could come in\n"
            "box.pub.pem   the box's public key\n\n"
            "To verify a visit, without the internet:\n"
            "  perron verify {name}/visits/VISIT --key {name}/box.pub.pem\n"
        ),
    ),
    "moving.wipe": ("Effacer la box", "Wipe the box"),
    "moving.wipe.why": (
        (
            "Tout ce qui est personnel disparaît : films, preuves, journal, personnes, sessions, autorisations,"
            " livraisons, adresses des téléphones, clés de la box et de son autorité. Ce qui était annoncé est"
            " annulé, et les marques en sont prévenues. La box redémarre neuve et montre un code pour en"
            " prendre possession. Le fichier de l'installateur (home.yaml) et le journal du système restent."
        ),
        (
            "Everything personal goes: films, proofs, log, people, sessions, permissions, deliveries, the"
            " phones' addresses, the keys of the box and of its authority. What was announced is cancelled and"
            " the brands are told. The box starts as a new one and shows a code to claim it. The installer's"
            " file (home.yaml) and the machine's own system log stay."
        ),
    ),
    "moving.wipe.stops": (
        "Pendant ce temps, tout est arrêté. Cela ne se défait pas.",
        "Meanwhile everything is stopped. It cannot be undone.",
    ),
    "moving.wipe.go": ("Effacer tout, pour toujours", "Wipe everything, for ever"),
    "moving.held": (
        "Effacer aussi les visites gardées comme preuves ({n})",
        "Also erase the visits that are held as evidence ({n})",
    ),
    "moving.name": (
        "Pour être sûr, écrivez le nom de la maison : {name}",
        "To be sure, write the house's name: {name}",
    ),
    "moving.name.wrong": ("Ce n'est pas le nom de la maison : {name}", "This is not the house's name: {name}"),
    "moving.now": ("En ce moment la box ne peut pas être effacée :", "The box cannot be wiped right now:"),
    "moving.not": ("Rien n'a été fait :", "Nothing was done:"),
    "moving.offer": ("Remettre au prochain propriétaire", "Hand over to the next owner"),
    "moving.offer.why": (
        (
            "Vous lui donnez un lien, qui vaut 7 jours et une fois. Dès qu'il accepte, plus personne d'avant"
            " n'a accès : comptes, sessions, invitations, liens et téléphones prennent fin, et plus aucune"
            " marque n'entre avant qu'il ne le dise. Les appareils et leur configuration restent. Jusque-là,"
            " vous pouvez reprendre le lien."
        ),
        (
            "You give them a link, good for 7 days and once. As soon as they accept nobody from before has"
            " access: accounts, sessions, invitations, links and phones end, and no brand comes in before they"
            " say so. Devices and their configuration stay. Until then you can take the link back."
        ),
    ),
    "moving.offer.films": (
        "Lui laisser les films et les visites passées (sinon ils sont effacés)",
        "Leave them the films and past visits (else they are erased)",
    ),
    "moving.offer.go": ("Faire le lien", "Make the link"),
    "moving.offer.link": (
        "Ce lien n'est montré qu'une fois. Qui l'a peut prendre la maison : donnez-le en main propre.",
        "This link is shown this once. Whoever has it can take the house: give it in person.",
    ),
    "moving.offered": ("Un lien attend, fait {day} à {time}.", "A link is waiting, made {day} at {time}."),
    "moving.offered.leave": ("Les films restent dans la maison.", "The films stay with the house."),
    "moving.offered.erase": ("Les films seront effacés.", "The films will be erased."),
    "moving.withdraw": ("Reprendre le lien", "Take the link back"),
    "way.visit": ("une visite est en cours ({entrance})", "a visit is under way ({entrance})"),
    "way.incident": (
        "une porte s'est ouverte sans ordre et est filmée ({entrance})",
        "a door opened without an order and is being filmed ({entrance})",
    ),
    "way.not_locked": (
        "il n'est pas prouvé que la porte est verrouillée ({entrance})",
        "the door is not proven locked ({entrance})",
    ),
    "way.window": (
        "le créneau d'une livraison est ouvert, un livreur peut venir ({entrance})",
        "a delivery's window is open, a courier may come ({entrance})",
    ),
    "way.held": (
        "des visites sont gardées comme preuves : cochez qu'elles partent aussi",
        "visits are held as evidence: tick that they go too",
    ),
    "wiped.title": ("La box s'efface", "The box is being wiped"),
    "wiped.why": (
        "Elle redémarre neuve, en quelques secondes. Pour en reprendre possession : `perron claim-code`, sur la box.",
        "It starts as a new one, within seconds. To claim it again: `perron claim-code`, on the box.",
    ),
    "wiped.trust": (
        "Son ancienne autorité ne vaut plus : retirez-la de vos téléphones.",
        "Its old authority is void: remove it from your phones.",
    ),
    "take_over.title": ("Cette maison vous est remise", "This house is handed over to you"),
    "take_over.why": (
        (
            "Si vous acceptez, plus personne d'avant n'y a accès et aucune marque n'entre avant que vous ne le"
            " disiez. Choisissez un nom et un mot de passe."
        ),
        (
            "If you accept, nobody from before has access and no brand comes in before you say so. Choose a"
            " name and a password."
        ),
    ),
    "take_over.go": ("Prendre la maison", "Take the house"),
    "taken_over.title": ("La maison est à vous", "The house is yours"),
    "taken_over.why": (
        (
            "La box redémarre, en quelques secondes. Pensez à changer aussi les clés de la porte et les codes"
            " de la serrure."
        ),
        "The box restarts, within seconds. Think of changing the door's keys and the lock's own codes too.",
    ),
}

BACK_IN: Mapping[str, Both] = {
    "again.title": ("Mot de passe perdu", "Lost your password"),
    "again.link": ("Mot de passe perdu ?", "Lost your password?"),
    "again.why": (
        (
            "Un autre propriétaire peut vous réinviter. S'il n'y en a pas, faites un code sur la box même :"
            " `perron way-in NOM`. Il vaut 15 minutes, une fois."
        ),
        (
            "Another owner can invite you back. If there is none, make a code on the box itself: `perron way-in"
            " NAME`. It is good for 15 minutes, once."
        ),
    ),
    "again.told": (
        "Toutes vos sessions prennent fin, et les autres personnes du foyer l'apprennent.",
        "All your sessions end, and the others of the household are told.",
    ),
    "again.go": ("Changer le mot de passe et entrer", "Change the password and sign in"),
    "household.recovered": (
        "Le mot de passe de {who} a été remplacé {day} à {time}, avec un code fait sur la box.",
        "The password of {who} was replaced {day} at {time}, with a code made on the box.",
    ),
    "refused.code_used": (
        "Ce code a déjà servi : faites-en un autre sur la box.",
        "This code has been used: make another one on the box.",
    ),
    "refused.code_old": (
        "Ce code est trop vieux, ou un autre a été fait depuis : faites-en un autre sur la box.",
        "This code is too old, or another one was made since: make another one on the box.",
    ),
    "refused.busy": (
        "Pas pendant une visite : réessayez quand elle est finie.",
        "Not during a visit: try again when it is over.",
    ),
}
