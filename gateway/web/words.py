"""What the pages say, in French and English: one table, each text in both. What the owner is told stands in `voice.py`.

`tests/gateway/web/test_words.py` fails on a text that is missing, that nobody uses, or that names other facts in one
language than in the other.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.voice import Language
from gateway.web.away_words import AWAY
from gateway.web.brand_words import ASKING
from gateway.web.courier_words import TURNS
from gateway.web.privacy_words import BACK_IN, MOVING, PRIVACY
from gateway.web.settings_words import SETTINGS

LANGUAGES: tuple[Language, ...] = ("fr", "en")
NAMES: Mapping[Language, str] = MappingProxyType({"fr": "Français", "en": "English"})

_Both = tuple[str, str]  # French, English


def _table(*parts: Mapping[str, _Both]) -> Mapping[str, Mapping[Language, str]]:
    both: dict[str, Mapping[Language, str]] = {}
    for part in parts:
        for key, (french, english) in part.items():
            both[key] = {"fr": french, "en": english}
    return MappingProxyType(both)


_PAGES: Mapping[str, _Both] = {
    "nav.home": ("Accueil", "Home"),
    "nav.live": ("En direct", "Live"),
    "nav.history": ("Historique", "History"),
    "nav.brands": ("Marques", "Brands"),
    "nav.menu": ("Pages", "Pages"),
    "skip": ("Aller au contenu", "Skip to the content"),
    "link.up": ("En liaison avec la box", "Connected to the box"),
    "link.down": (
        "Plus de liaison avec la box : ce qui est affiché peut être périmé",
        "No connection to the box: what is shown may be out of date",
    ),
    "link.script": (
        "Sans JavaScript cette page ne se met pas à jour toute seule : rechargez-la.",
        "Without JavaScript this page does not follow by itself: reload it.",
    ),
    "age.now": ("à l'instant", "just now"),
    "age.ago": ("il y a {age}", "{age} ago"),
    "age.left": ("encore {age}", "{age} left"),
    "error.title": ("Cela n'a pas marché", "That did not work"),
    "error.404": ("Il n'y a rien à cette adresse.", "There is nothing at this address."),
    "error.403": ("Vous n'y avez pas accès.", "You have no access to this."),
    "error.disk": ("Le disque de la box n'en prend plus : `perron doctor` cherche la cause.",
                   "The box's disk takes nothing more: `perron doctor` looks for the cause."),
    "error.429": ("Trop de demandes à la fois. Réessayez dans une minute.",
                  "Too many requests. Try again in a minute."),
    "error.other": ("Réessayez ; si cela dure, `perron doctor` cherche la cause.",
                    "Try again; if it lasts, `perron doctor` looks for the cause."),
    "back": ("Retour à l'accueil", "Back to the start"),
}  # fmt: skip

_DOOR: Mapping[str, _Both] = {
    "door.locked": ("Verrouillée", "Locked"),
    "door.locked.why": ("porte fermée, pêne sorti, les deux prouvés", "door closed, bolt out, both proven"),
    "door.unlocked": ("Déverrouillée", "Unlocked"),
    "door.unlocked.why": ("la porte est fermée, le pêne est rentré", "the door is closed, the bolt is in"),
    "door.open": ("Ouverte", "Open"),
    "door.open.why": ("la porte est ouverte", "the door is open"),
    "door.unknown": ("Inconnu", "Unknown"),
    "door.unknown.why": (
        "la serrure ou la porte n'a pas prouvé son état : rien n'est supposé",
        "lock or door has not proven its state: nothing is assumed",
    ),
    "door.handed": ("À vérifier sur place", "Please look after it"),
    "door.handed.why": (
        "Perron n'a pas pu prouver que la porte est verrouillée",
        "Perron could not prove that the door is locked",
    ),
    "door.seen": ("vu {age}", "seen {age}"),
    "state.connected": ("Liaison serrure et porte", "Link to lock and door"),
    "state.disk": ("Disque", "Disk"),
    "state.camera": ("Caméra {name}", "Camera {name}"),
    "state.clock": ("Horloge", "Clock"),
    "state.good": ("bon", "good"),
    "state.bad": ("à vérifier", "needs a look"),
    "state.rests": ("au repos", "resting"),
    "state.films": ("filme", "filming"),
    "state.live": ("en direct", "live"),
    "stopped": ("Arrêté par vous : rien ne s'ouvre.", "Stopped by you: nothing opens."),
    "safe_mode": (
        "Mode sûr : Perron verrouille, filme et alerte, mais n'ouvre plus.",
        "Safe mode: Perron locks, films and warns, but opens nothing.",
    ),
    "incident": (
        "Il s'est passé quelque chose à la porte sans ordre de Perron. Allez voir.",
        "Something happened at the door without an order from Perron. Please look.",
    ),
    "stop": ("Tout arrêter", "Stop everything"),
    "stop.why": ("Plus rien ne s'ouvre jusqu'à ce que vous leviez l'arrêt.", "Nothing opens until you lift the stop."),
    "lift": ("Lever l'arrêt", "Lift the stop"),
    "home": ("Quelqu'un est à la maison", "Somebody is home"),
    "nobody_home": ("Plus personne à la maison", "Nobody is home any more"),
    "home.on": ("Quelqu'un est à la maison : les livreurs sonnent, Perron n'ouvre pas.",
                "Somebody is home: couriers ring, Perron does not open."),
    "acknowledge": ("J'ai vérifié la porte", "I have looked after the door"),
    "batteries": ("Pile bientôt vide : {what}", "A battery is running out: {what}"),
    "visit.title": ("Visite en cours", "Visit under way"),
    "visit.veto": ("Ne pas ouvrir", "Do not open"),
    "visit.approve": ("Ouvrir", "Open"),
    "next.title": ("Prochaine livraison", "Next delivery"),
    "next.none": ("Rien n'est annoncé.", "Nothing is announced."),
    "next.ready": ("l'entrée est prête", "the entrance is ready"),
    "next.lacking": ("il manque : {what}", "lacking: {what}"),
    "timeline.title": ("Ce qui s'est passé", "What happened"),
    "timeline.none": ("Rien encore.", "Nothing yet."),
    "wish.done": ("C'est fait.", "Done."),
    "wish.failed": ("Ce n'est pas fait : {why}", "Not done: {why}"),
}  # fmt: skip

_ASKED: Mapping[str, _Both] = {
    "lock": ("Verrouiller maintenant", "Lock now"),
    "lock.running": ("On verrouille ; la serrure doit encore le prouver…", "Locking; the lock has yet to prove it…"),
    "lock.proven": ("C'est verrouillé : la porte et le pêne l'ont prouvé.",
                    "It is locked: door and bolt have proven it."),
    "lock.door_open": ("Pas verrouillé : la porte est ouverte. Fermez-la, puis réessayez.",
                       "Not locked: the door is open. Close it, then try again."),
    "lock.door_unknown": (
        "Pas verrouillé : la porte n'a pas prouvé qu'elle est fermée, Perron n'envoie donc rien. Allez voir.",
        "Not locked: the door has not proven that it is closed, so Perron sends nothing. Please look.",
    ),
    "lock.not_proven": (
        "L'ordre est parti, mais la serrure n'a pas prouvé qu'elle est verrouillée. Réessayez, ou allez voir.",
        "The order has left, but the lock has not proven that it is locked. Try again, or go and look.",
    ),
    "lock.no_link": ("Pas verrouillé : la box n'a pas de liaison avec la serrure.",
                     "Not locked: the box has no link to the lock."),
    "lock.visit": ("Une visite est en cours : elle verrouille d'elle-même. « Tout arrêter » y met fin.",
                   "A visit is under way: it locks by itself. “Stop everything” ends it."),
    "pause.title": ("Mettre les livraisons en pause", "Pause deliveries"),
    "pause.why": (
        "Entre ces deux moments rien ne s'ouvre. Une visite en cours s'achève ; « Tout arrêter » agit aussitôt.",
        "Between these two moments nothing opens. A visit under way ends as usual; “Stop everything” acts at once.",
    ),
    "pause.entrance": ("Où", "Where"),
    "pause.everywhere": ("toutes les entrées", "all entrances"),
    "pause.from": ("Du", "From"),
    "pause.to": ("Au", "To"),
    "pause.zone": ("À l'heure de la maison ({zone}).", "In the house's own time ({zone})."),
    "pause.go": ("Mettre en pause", "Pause"),
    "pause.now": ("Livraisons en pause, rien ne s'ouvre. Fin : {until}",
                  "Deliveries are paused, nothing opens. End: {until}"),
    "pause.next": ("Pause prévue : {start} - {until}", "Pause planned: {start} - {until}"),
    "pause.by": ("demandée par {who}", "asked for by {who}"),
    "pause.by.command": ("demandée sans compte, par `perron pause`", "asked for without an account, by `perron pause`"),
    "pause.end": ("Finir la pause", "End the pause"),
    "pause.withdraw": ("Annuler cette pause", "Withdraw this pause"),
    "pause.no.unreadable": ("Ce n'est pas une date avec une heure.", "This is no date with a time."),
    "pause.no.no_such_time": (
        "Cette heure n'existe pas ce jour-là : on passe à l'heure d'été. Choisissez une heure avant ou après.",
        "There is no such time on that day: the clocks are put forward. Take one before or after.",
    ),
    "pause.no.clock_untrusted": (
        "L'heure de la box n'est pas sûre : en attendant, rien ne s'ouvre. Pour que cela dure : « Tout arrêter ».",
        "The box's time is not certain: until it is, nothing opens. To make it last: “Stop everything”.",
    ),
    "pause.no.backwards": ("La pause finirait avant de commencer.", "The pause would end before it begins."),
    "pause.no.past": ("Ce moment est déjà passé.", "That is over already."),
    "pause.no.too_long": ("Une pause dure un an au plus.", "A pause lasts a year at most."),
    "pause.no.too_far": ("Une pause commence dans l'année qui vient.", "A pause begins within a year from now."),
    "pause.no.overlaps": ("Une autre pause tombe dans ces moments : finissez ou annulez-la d'abord.",
                          "Another pause falls into that time: end or withdraw it first."),
    "pause.no.too_many": ("Il y a déjà cinquante pauses.", "There are fifty pauses already."),
    "pause.no.unknown": ("Cette pause est déjà finie.", "This pause is over already."),
}  # fmt: skip

_STORY: Mapping[str, _Both] = {
    "story.wait": ("{what} lu : patientez", "{what} read: please wait"),
    "story.go": ("Feu vert : entrez", "Green light: come in"),
    "story.refused": ("{what} refusé : {why}", "{what} refused: {why}"),
    "story.courier_code": ("Code du livreur", "Courier's code"),
    "story.Ring": ("La sonnette retentit", "The bell rings"),
    "story.Reserve": (
        "Décidé ici, sans internet : une seule ouverture",
        "Decided here, without the internet: one opening",
    ),
    "story.Unlock": ("L'ordre d'ouvrir est parti, une fois", "The unlock has left, once"),
    "story.held_back": ("L'ordre d'ouvrir n'est pas parti", "The unlock did not leave"),
    "story.door_open": ("La porte s'ouvre", "The door opens"),
    "story.door_closed": ("La porte se ferme", "The door closes"),
    "story.door_forced": ("La porte est forcée", "The door is forced"),
    "story.yes": ("Vous avez dit oui", "You said yes"),
    "story.no": ("Vous avez dit non", "You said no"),
    "story.SomebodyAnswered": ("Quelqu'un a répondu de l'intérieur", "Somebody inside answered"),
    "story.Stopped": ("Arrêté par vous", "Stopped by you"),
    "story.StopLifted": ("Arrêt levé", "Stop lifted"),
    "story.OwnerAcknowledged": ("Vous avez vérifié la porte", "You looked after the door"),
    "story.BrokerDown": ("Liaison avec les appareils perdue", "Connection to the devices lost"),
    "story.BrokerUp": ("Liaison avec les appareils rétablie", "Connected to the devices again"),
    "story.Restarted": ("La box a redémarré", "The box restarted"),
    "story.Sealed": ("Film et journal scellés", "Film and log sealed"),
    "story.handed": ("La porte vous est confiée", "The door is handed to you"),
    "phase.ready": ("Prêt", "Ready"),
    "phase.ringing": ("On sonne", "Ringing"),
    "phase.approving": ("On attend votre oui", "Waiting for your yes"),
    "phase.unlocking": ("Le pêne se retire", "The bolt withdraws"),
    "phase.unlocked": ("Déverrouillée : le livreur peut entrer", "Unlocked: the courier may come in"),
    "phase.inside": ("Porte ouverte", "Door open"),
    "phase.relocking": ("On reverrouille", "Locking again"),
    "phase.locked_again": ("Reverrouillée, prouvé", "Locked again, proven"),
    "phase.handed_to_owner": ("À vérifier par vous", "Handed to you"),
    "outcome.delivered": ("Livré", "Delivered"),
    "outcome.partly_delivered": ("Livré en partie", "Partly delivered"),
    "outcome.not_delivered": ("Non livré", "Not delivered"),
    "outcome.attended": ("Reçu par quelqu'un", "Received by somebody"),
    "outcome.refused": ("Refusé", "Refused"),
    "outcome.unknown": ("On ne sait pas", "Unknown"),
}

_PAST: Mapping[str, _Both] = {
    "history.title": ("Historique", "History"),
    "history.none": ("Aucune visite n'est gardée.", "No visit is kept."),
    "history.kept": ("Les films sont effacés après {days} jours, sauf ceux que vous gardez.",
                     "Films are erased after {days} days, except those you hold."),
    "history.incident": ("Incident", "Incident"),
    "history.held": ("gardé : {why}", "held: {why}"),
    "history.erased": ("effacé", "erased"),
    "history.unsealed": ("pas encore scellé", "not sealed yet"),
    "visit.film": ("Film, {camera}", "Film, {camera}"),
    "visit.sealed": ("Preuve scellée {at}", "Proof sealed {at}"),
    "visit.hold": ("Garder le film", "Hold the film"),
    "visit.release": ("Ne plus garder", "Hold no longer"),
    "visit.erase": ("Effacer le film", "Erase the film"),
    "visit.erase.sure": ("Effacer pour toujours ? Il en reste une preuve signée, sans image.",
                         "Erase for ever? A signed note of it stays, without pictures."),
    "visit.gap": ("trou dans le film : {start} - {end}", "hole in the film: {start} - {end}"),
    "history.entrance": ("Entrée", "Entrance"),
    "history.brand": ("Marque", "Brand"),
    "history.day": ("Jour", "Day"),
    "history.all": ("toutes", "all"),
    "history.only_held": ("gardées seulement", "held only"),
    "history.filter": ("Filtrer", "Filter"),
    "visit.pdf": ("Rapport en PDF, deux pages", "Report as PDF, two pages"),
    "visit.cold": ("Froid, {place}", "Cold, {place}"),
    "visit.cold.told": ("de {low} à {high} °C", "from {low} to {high} °C"),
    "share.title": ("Une visite", "A visit"),
    "share.days": ("Montrer à quelqu'un, {days} j", "Show it to somebody, {days} d"),
    "share.link": ("Qui a ce lien voit cette visite, rien d'autre.",
                   "Who has this link sees this visit, nothing else."),
    "share.until": ("Visible jusqu'au {day}", "Shown until {day}"),
    "live.title": ("En direct", "Live"),
    "live.rests": ("Cette caméra ne tourne qu'autour d'une livraison. Regarder la met en marche le temps du regard.",
                   "This camera runs only around a delivery. Watching starts it for as long as you watch."),
    "live.watch": ("Regarder", "Watch"),
    "live.end": ("Ne plus regarder", "Stop watching"),
    "live.stale": ("Image périmée : ce n'est plus du direct", "Stale picture: this is not live any more"),
    "live.none": ("Pas d'image", "No picture"),
    "live.over": ("Vous n'avez plus accès à cette caméra", "You have no access to this camera any more"),
    "live.waiting": ("La caméra démarre…", "The camera is starting…"),
}  # fmt: skip

_BRANDS: Mapping[str, _Both] = {
    "brands.title": ("Marques", "Brands"),
    "brands.why": ("Une marque n'entre que si vous le voulez : où, quand, avec quel transporteur.",
                   "A brand only comes in if you want it to: where, when, by which carrier."),
    "brand.pending": ("demande à entrer", "asks to be let in"),
    "brand.granted": ("autorisée", "let in"),
    "brand.refused": ("refusée", "refused"),
    "brand.revoked": ("n'entre plus", "no longer let in"),
    "brand.permit": ("Autoriser", "Let in"),
    "brand.refuse": ("Refuser", "Refuse"),
    "brand.revoke": ("Ne plus laisser entrer", "Let in no longer"),
    "brand.where": ("Où", "Where"),
    "brand.places": ("Déposer", "Put down"),
    "brand.carriers": ("Par", "By"),
    "brand.when": ("Quand", "When"),
    "brand.ask": ("vous demande chaque fois", "asks you each time"),
    "brand.until": ("jusqu'au {day}", "until {day}"),
    "brand.decided": ("décidé par {who}, {day}", "decided by {who}, {day}"),
    "brand.terms": ("Conditions", "Terms"),
    "brand.widen": ("Commencez par le garage ; élargissez quand tout va bien.",
                    "Begin with the garage; let in further when all goes well."),
    "brand.from": ("de", "from"),
    "brand.to": ("à", "to"),
    "brand.carriers.how": ("Transporteurs, séparés par des virgules", "Carriers, with commas between them"),
    "brand.permit.so": ("Autoriser ainsi", "Let in like this"),
    "brand.week": ("Heures d'entrée de la semaine", "Hours of the week in which it may come in"),
    "day.mon": ("lun", "Mon"),
    "day.tue": ("mar", "Tue"),
    "day.wed": ("mer", "Wed"),
    "day.thu": ("jeu", "Thu"),
    "day.fri": ("ven", "Fri"),
    "day.sat": ("sam", "Sat"),
    "day.sun": ("dim", "Sun"),
}  # fmt: skip

_ACCOUNTS: Mapping[str, _Both] = {
    "nav.household": ("Foyer", "Household"),
    "nav.settings": ("Réglages", "Settings"),
    "error.401": ("Entrez d'abord.", "Sign in first."),
    "enter.title": ("Entrer", "Sign in"),
    "enter.go": ("Entrer", "Sign in"),
    "enter.first": ("Entrez d'abord.", "Sign in first."),
    "claim.title": ("Cette box est à vous ?", "Is this box yours?"),
    "claim.why": ("Le code se lit sur la box et nulle part ailleurs : `perron claim-code`.",
                  "The code is shown on the box and nowhere else: `perron claim-code`."),
    "claim.go": ("Prendre possession", "Claim it"),
    "join.title": ("Vous êtes invité", "You are invited"),
    "join.why": ("Votre rôle : {role}. Choisissez un nom et un mot de passe.",
                 "Your role: {role}. Choose a name and a password."),
    "join.go": ("Rejoindre", "Join"),
    "link.title": ("Un lien de Perron", "A link from Perron"),
    "link.once": ("Ce lien ne compte qu'une fois.", "This link counts once."),
    "link.forged": ("Ce lien n'est pas de cette box.", "This link is not this box's."),
    "link.expired": ("Ce lien ne vaut plus.", "This link is no longer good."),
    "link.clock_untrusted": ("L'heure de la box n'est pas sûre : entrez pour le faire.",
                             "The box's clock is not certain: sign in to do it."),
    "link.used": ("Ce lien a déjà servi.", "This link has been used."),
    "confirm.title": ("C'est bien vous ?", "Is it really you?"),
    "confirm.why": ("Ce que vous demandez veut le mot de passe encore une fois.",
                    "What you ask for needs your password once more."),
    "confirm.go": ("Confirmer", "Confirm"),
    "confirm.first": ("Le mot de passe est demandé encore une fois.", "Your password is asked for once more."),
    "field.name": ("Nom", "Name"),
    "field.password": ("Mot de passe", "Password"),
    "field.new": ("Nouveau mot de passe (10 caractères au moins)", "New password (10 characters at least)"),
    "field.code": ("Code de la box", "The box's code"),
    "role.owner": ("propriétaire", "owner"),
    "role.household": ("foyer", "household"),
    "role.installer": ("installateur", "installer"),
    "refused.wait": ("Trop d'essais : attendez {seconds} s.", "Too many tries: wait {seconds} s."),
    "refused.wrong": ("Nom ou mot de passe faux.", "Name or password is wrong."),
    "refused.password_wrong": ("Mot de passe faux.", "This password is wrong."),
    "refused.signed_out": ("Cette session est terminée.", "This session has ended."),
    "refused.not_allowed": ("Votre rôle ne le permet pas.", "Your role does not allow it."),
    "refused.confirm": ("Le mot de passe est demandé encore une fois.", "Your password is asked for once more."),
    "refused.claimed": ("Cette box a déjà un propriétaire.", "This box has an owner already."),
    "refused.code_wrong": ("Ce code n'est pas le bon : relisez-le, seul le dernier compte.",
                           "This is not the code: read it once more, only the newest counts."),
    "refused.code_void": ("Ce code ne vaut plus : redémarrez la box, elle en montre un autre.",
                          "This code is void: restart the box, it shows another one."),
    "refused.invitation_gone": ("Cette invitation ne vaut plus.", "This invitation is no longer good."),
    "refused.name_bad": ("Un nom a 1 à 64 caractères.", "A name has 1 to 64 characters."),
    "refused.name_taken": ("Ce nom est pris.", "This name is taken."),
    "refused.password_short": ("Dix caractères au moins.", "Ten characters at least."),
    "refused.password_long": ("C'est trop long.", "That is too long."),
    "refused.password_common": ("Ce mot de passe est trop connu.", "This password is too well known."),
    "refused.unknown": ("Cela n'existe pas (plus).", "There is no such thing (any more)."),
    "refused.last_owner": ("Une maison n'est jamais sans propriétaire.", "A house is never without an owner."),
    "household.title": ("Foyer", "Household"),
    "household.link": ("Ce lien n'est montré qu'une fois ; il vaut 48 heures, pour une personne.",
                       "This link is shown this once; it is good for 48 hours, for one person."),
    "household.remove": ("Retirer", "Remove"),
    "household.remove.who": ("Retirer {name}", "Remove {name}"),
    "household.invited": ("invitation en attente : {role}", "invited, not here yet: {role}"),
    "household.withdraw": ("Annuler", "Withdraw"),
    "household.invite": ("Inviter : {role}", "Invite: {role}"),
    "household.hand_over": ("L'installation est finie", "The installation is done"),
    "household.hand_over.why": ("L'accès de l'installateur prend fin ; vous pouvez le réinviter.",
                                "The installer's access ends; you can invite them back."),
    "settings.title": ("Réglages", "Settings"),
    "settings.password": ("Mot de passe", "Password"),
    "settings.change": ("Changer", "Change it"),
    "settings.devices": ("Où vous êtes entré", "Where you are signed in"),
    "settings.this": ("ici", "here"),
    "settings.end": ("Terminer", "End it"),
    "settings.privacy": ("Vie privée", "Privacy"),
    "settings.leave": ("Sortir", "Sign out"),
}  # fmt: skip

_TRUST: Mapping[str, _Both] = {
    "trust.title": ("Faire confiance à cette box", "Trust this box"),
    "trust.why": (
        "Pour entrer il faut une liaison chiffrée. Installez l'autorité de cette box, qui ne vaut que pour elle.",
        "To sign in the connection must be encrypted. Install this box's authority; it vouches for nobody else.",
    ),
    "trust.get": ("Télécharger l'autorité", "Download the authority"),
    "trust.android": ("Android : Réglages, Sécurité, Installer un certificat, Certificat CA.",
                      "Android: Settings, Security, Install a certificate, CA certificate."),
    "trust.iphone": (
        "iPhone : ouvrez le fichier, Réglages, Profil téléchargé ; puis Général, Informations, Certificats.",
        "iPhone: open the file, Settings, Profile downloaded; then General, About, Certificate trust settings.",
    ),
    "trust.computer": ("Ordinateur : dans les certificats du navigateur, Autorités, Importer.",
                       "Computer: in the browser's certificates, Authorities, Import."),
    "trust.compare": ("Comparez avant d'installer : la box montre la même empreinte (`perron doctor`)",
                      "Compare before you install: the box shows the same fingerprint (`perron doctor`)"),
    "trust.phone": ("Sur un téléphone", "On a phone"),
    "trust.works": ("Ce qui marche", "What works"),
    "trust.works.courier": ("Page du livreur", "Courier's page"),
    "trust.works.photo": ("Lire une étiquette sur une photo", "Read a label from a photo"),
    "trust.works.sign_in": ("Entrer, voir, arrêter", "Sign in, watch, stop"),
    "trust.works.camera": ("Lire une étiquette en direct", "Read a label live"),
    "trust.works.passkeys": ("Clés d'accès (passkeys)", "Passkeys"),
    "trust.yes": ("oui", "yes"),
    "trust.no": ("non", "no"),
    "trust.go": ("Continuer en HTTPS", "Go on by HTTPS"),
}  # fmt: skip

_COURIER: Mapping[str, _Both] = {
    "courier.title": ("Livraison", "Delivery"),
    "courier.script": ("Cette page a besoin de JavaScript pour montrer votre code.",
                       "This page needs JavaScript to show your code."),
    "courier.code": ("Votre code à usage unique, en QR", "Your one-time code, as a QR"),
    "courier.hold": ("Présentez ce code au lecteur de la porte", "Hold this code before the scanner at the door"),
    "courier.nocode": ("Il manque votre code : ouvrez le lien tel que vous l'avez reçu.",
                       "Your code is missing: open the link just as you received it."),
    "courier.sound": ("Sons", "Sounds"),
    "courier.help": ("Aide", "Help"),
    "courier.help.ring": ("Sonnez : quelqu'un peut être là.", "Ring the bell: somebody may be there."),
    "courier.help.dead": ("Rien ne se passe ? Reprenez le colis, rien n'est de votre faute.",
                          "Nothing happens? Take the parcel with you, it is not your fault."),
    "courier.help.trapped": ("De l'intérieur la porte s'ouvre toujours à la main.",
                             "From inside the door always opens by hand."),
    "courier.help.film": ("Vous êtes filmé de la porte à la porte, sans son, 30 jours au plus.",
                          "You are filmed from door to door, without sound, kept 30 days at most."),
    "courier.receipt": ("Votre reçu signé", "Your signed receipt"),
}  # fmt: skip

_LABEL: Mapping[str, _Both] = {
    "label.link": ("Le lecteur de la porte ne prend pas l'étiquette ?", "The door's scanner does not take the label?"),
    "label.title": ("Lire l'étiquette avec ce téléphone", "Read the label with this phone"),
    "label.stays": ("Ce qui est lu reste dans ce téléphone. Seul le lecteur de la porte compte : montrez-lui l'écran.",
                    "What is read stays in this phone. Only the door's scanner counts: show it this screen."),
    "label.read": ("Lire l'étiquette", "Read the label"),
    "label.photo": ("Photographier l'étiquette", "Photograph the label"),
    "label.torch": ("Lampe", "Torch"),
    "label.halt": ("Arrêter", "Stop reading"),
    "label.said.loading": ("Un instant…", "One moment…"),
    "label.said.looking": ("Tenez l'étiquette à plat dans le cadre", "Hold the label flat within the frame"),
    "label.said.nothing": ("Rien de lisible : plus près, plus de lumière, sans reflet",
                           "Nothing readable: closer, more light, no glare"),
    "label.said.unread": ("Rien de lisible sur cette photo : plus près, plus de lumière, sans reflet",
                          "Nothing readable on this photo: closer, more light, no glare"),
    "label.said.several": ("Lequel est le numéro du colis ? Touchez-le.",
                           "Which one is the parcel's number? Touch it."),
    "label.said.found": ("Lu. Présentez l'écran au lecteur.", "Read. Hold the screen before the scanner."),
    "label.said.nocamera": ("Pas d'accès à l'appareil photo : autorisez-le, ou prenez une photo",
                            "The camera cannot be used: allow it, or take a photo"),
    "label.said.failed": ("Le lecteur n'a pas pu être chargé : réessayez",
                          "The reader could not be loaded: try again"),
    "label.parcel": ("Le code du colis, en QR", "The parcel's code, as a QR"),
    "label.which.parcel": ("Code du colis", "Parcel's code"),
    "label.which.courier": ("Votre code", "Your code"),
    "label.type": ("Taper le numéro", "Type the number"),
    "label.typed": ("Numéro du colis", "The parcel's number"),
    "label.draw": ("Montrer", "Show it"),
    "label.back": ("Retour à votre code", "Back to your code"),
    "label.kind.sscc": ("Colis (SSCC)", "Parcel (SSCC)"),
    "label.kind.s10": ("Suivi postal (S10)", "Postal tracking (S10)"),
    "label.kind.ups": ("Suivi UPS", "UPS tracking"),
    "label.kind.colissimo": ("Suivi Colissimo", "Colissimo tracking"),
    "label.kind.dpd": ("Colis DPD", "DPD parcel"),
    "label.kind.chronopost": ("Colis Chronopost", "Chronopost parcel"),
    "label.kind.fedex": ("Suivi FedEx", "FedEx tracking"),
    "label.kind.usps": ("Suivi USPS", "USPS tracking"),
    "label.kind.dhl": ("Colis DHL", "DHL parcel"),
    "label.kind.mondial_relay": ("Colis Mondial Relay", "Mondial Relay parcel"),
    "label.kind.gtin": ("Article (GTIN), pas le colis", "Goods (GTIN), not the parcel"),
    "label.kind.gs1": ("Autre code GS1", "Another GS1 code"),
    "label.kind.link": ("Adresse web", "Web address"),
    "label.kind.exact": ("Code", "Code"),
}  # fmt: skip

WORDS = _table(_PAGES, _DOOR, _ASKED, _STORY, _PAST, _BRANDS, _ACCOUNTS, _TRUST, _COURIER, _LABEL,
               SETTINGS, PRIVACY, MOVING, BACK_IN, TURNS, ASKING, AWAY)  # fmt: skip


def say(key: str, language: Language, **facts: str) -> str:
    """Return a text with its facts put in.

    Raises:
        KeyError: there is no such text, or it names a fact that is not given.
    """
    return WORDS[key][language].format(**facts)


def understood(accept_language: str) -> Language | None:
    """Return the first of a browser's languages (RFC 9110, Accept-Language) that the pages speak; None if none is."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag[:2].lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(wanted):
        for language in LANGUAGES:
            if tag == language:
                return language
    return None
