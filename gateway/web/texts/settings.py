"""What the pages of messages, keys, sign-ins and shares say, in French and English: part of `catalogue.py`."""

from collections.abc import Mapping

from gateway.web.texts.adding import ADDING
from gateway.web.texts.enrolled import ENROLLED
from gateway.web.texts.examination import EXAMINATION
from gateway.web.texts.hub import HUB
from gateway.web.texts.installation import INSTALLATION

_Both = tuple[str, str]  # French, English

_MESSAGES: Mapping[str, _Both] = {
    "messages.title": ("Messages", "Messages"),
    "messages.why": ("Où Perron vous écrit. Chaque téléphone reçoit tout ce qu'il n'a pas eu, même après une panne.",
                     "Where Perron writes to you. Each phone gets all that it has not had yet, also after an outage."),
    "messages.never_dropped": (
        ("« Reverrouillé » et les alertes ne sont jamais abandonnés, et rien ici ne les coupe. Ils sont dits "
        "un par un ; s'il y a plus de trois autres messages en attente, ils arrivent ensemble."),
        ("“Locked again” and alarms are never dropped, and nothing here turns them off. They are told one by one; of "
        "other messages more than three that wait are told together.")),
    "messages.none": ("Aucun téléphone : les messages vont au journal de la box et à MQTT.",
                      "No phone: messages go to the box's log and to MQTT."),
    "messages.nobody_else": (
        ("C'était le dernier téléphone : les {count} messages qui l'attendaient ne vont plus à personne. "
        "Ils restent dans le journal de la box."),
        ("It was the last phone: the {count} messages that waited for it go to nobody any more. "
        "They stay in the box's log.")),
    "messages.to_others": ("{count} messages l'attendaient : les autres téléphones les ont ou les auront.",
                           "{count} messages waited for it: the other phones have them, or get them."),
    "messages.removed": ("Retiré. Plus rien ne l'attendait.", "Removed. Nothing waited for it."),
    "messages.added": ("Ajouté. Essayez-le.", "Added. Try it."),
    "messages.file": ("Les adresses sont dans {file}, que seule la box peut lire.",
                      "The addresses stand in {file}, which only the box can read."),
    "messages.open": (
        "Les adresses sont dans {file}, que d'autres sur cette machine peuvent lire : `chmod 600 {file}`.",
        "The addresses stand in {file}, which others on this machine can read: `chmod 600 {file}`.",
    ),
    "messages.links": (
        ("Les messages n'ont pas de boutons : la box ne sait pas sous quelle adresse votre téléphone trouve ses pages. "
        "Écrivez dans home.yaml, puis redémarrez :"),
        ("Messages have no buttons: the box does not know under which address your phone finds its pages. "
        "Write into home.yaml, then restart:")),
    "messages.house_language": ("La langue de la maison est dans home.yaml (« language: {word} »).",
                                "The house's language stands in home.yaml (“language: {word}”)."),
    "messages.add": ("Ajouter un téléphone", "Add a phone"),
    "messages.url": ("Adresse Apprise, par exemple {example}", "Apprise address, for example {example}"),
    "messages.forms": ("Ce qui peut être ajouté ici", "What can be added here"),
    "messages.forms.why": (
        ("Seulement des services atteints par le réseau. Ce qui agit sur la box elle-même, ou en lirait un fichier, "
        "n'est pas accepté ici."),
        ("Only services that are reached over the network. What acts on the box itself, or would read its files, "
        "is not let in here.")),
    "messages.add.go": ("Ajouter", "Add"),
    "phone.name": ("Téléphone {number}", "Phone {number}"),
    "phone.reached": ("Joint pour la dernière fois", "Last reached"),
    "phone.never": ("Pas encore joint.", "Not reached yet."),
    "phone.failing": ("Le dernier essai n'a pas abouti", "The last try failed"),
    "phone.waiting": ("{count} messages en attente", "{count} messages wait"),
    "phone.waiting.none": ("Rien en attente", "Nothing waits"),
    "phone.heard.taken": ("Joint : regardez s'il le montre.", "Reached: look whether the phone shows it."),
    "phone.heard.refused": (
        ("Pas joint : le service l'a refusé, ou personne ne répond là. Vérifiez l'adresse, le compte, et l'accès de la "
        "box à internet."),
        ("Not reached: the service refused it, or nobody answers there. Look at the address, the account, and the "
        "box's way to the internet.")),
    "phone.heard.silent": ("Pas joint : pas de réponse en {seconds} s. Vérifiez l'accès de la box à internet.",
                           "Not reached: no answer within {seconds} s. Look at the box's way to the internet."),
    "phone.trying": ("Un mot d'essai est en route…", "A word to try it is on its way…"),
    "phone.try": ("Envoyer un essai", "Send a test message"),
    "phone.try.which": ("Envoyer un essai au téléphone {number}", "Send a test message to phone {number}"),
    "phone.remove": ("Retirer", "Remove"),
    "phone.remove.which": ("Retirer le téléphone {number}", "Remove phone {number}"),
    "phone.remove.sure": (
        "Plus rien n'y arrivera, pas même une alerte. Continuer ?",
        "Nothing will reach it any more, not even an alarm. Go on?",
    ),
    "phone.language": ("Langue", "Language"),
    "phone.language.house": ("celle de la maison", "the house's"),
    "unfit.no_url": ("Ce n'est pas une adresse : elle commence comme {example}.",
                     "This is no address: it begins like {example}."),
    "unfit.not_let_in": (
        ("{scheme}:// n'est pas accepté ici : voyez ci-dessous ce qui peut l'être. Le reste s'écrit à la main, dans le "
        "fichier, sur la box."),
        ("{scheme}:// is not let in here: see below what is. Anything else is written by hand, into the file, on the "
        "box.")),
    "unfit.opens_files": ("Cette adresse ferait lire un fichier de la box : elle n'est pas acceptée.",
                          "This address would make the box read one of its files: it is not let in."),
    "unfit.incomplete": ("Il y manque quelque chose : {scheme}:// s'écrit {example}.",
                         "Something is missing: {scheme}:// is written {example}."),
    "unfit.known": ("Ce téléphone est déjà là.", "This phone is there already."),
    "unfit.too_many": ("C'est trop : {most} téléphones au plus.", "Too many: {most} phones at most."),
    "unfit.not_installed": ("Il manque un module à la box : `pip install 'perron[messages]'`, puis redémarrez-la.",
                            "The box lacks a module: `pip install 'perron[messages]'`, then restart it."),
    "unfit.file": ("Le fichier des adresses ne peut pas être lu : `perron doctor` dit pourquoi.",
                   "The file of the addresses cannot be read: `perron doctor` says why."),
}  # fmt: skip

_KEYS: Mapping[str, _Both] = {
    "keys.title": ("Clés", "Keys"),
    "keys.box": ("La clé des preuves", "The key of the proofs"),
    "keys.box.why": (
        ("Avec elle la box signe films, journal et reçus. Donnez la partie publique à votre assureur : il vérifie une "
        "preuve par `perron verify DOSSIER --key {file}`."),
        ("With it the box signs films, log and receipts. Give the public part to your insurer: they check a proof with "
        "`perron verify FOLDER --key {file}`.")),
    "keys.fingerprint": ("Empreinte", "Fingerprint"),
    "keys.download": ("Télécharger la clé publique", "Download the public key"),
    "keys.https": ("L'autorité HTTPS", "The HTTPS authority"),
    "keys.https.why": ("Elle ne vaut que pour cette box. Installez-la sur chaque appareil du foyer.",
                       "It vouches for this box only. Install it on each of the household's devices."),
    "keys.https.none": ("Les pages sont servies sur cette machine seulement, sans certificat.",
                        "The pages are served on this machine only, without a certificate."),
    "keys.https.named": ("Le certificat est celui que nomme home.yaml : {file}.",
                         "The certificate is the one that home.yaml names: {file}."),
    "keys.https.qr": ("La page pour l'installer, avec son QR", "The page to install it, with its QR"),
    "keys.https.authority_until": ("L'autorité vaut jusqu'au {day}", "The authority is good until {day}"),
    "keys.https.until": ("Le certificat des pages vaut jusqu'au {day}", "The pages' certificate is good until {day}"),
    "keys.https.renew": ("Renouveler le certificat", "Renew the certificate"),
    "keys.https.renew.why": ("L'autorité reste : rien n'est à réinstaller.",
                             "The authority stays: nothing is to be installed again."),
    "keys.https.renewed": ("Renouvelé, et déjà servi.", "Renewed, and served already."),
    "keys.brands": ("Les clés des marques", "The brands' keys"),
    "keys.brands.why": (
        ("Une marque signe chaque annonce. Si une de ses clés est volée, rejetez-la : ce qu'elle a signé n'ouvre plus, "
        "et la marque en est avertie."),
        ("A brand signs each announcement. If one of its keys was stolen, trust it no longer: what it signed opens "
        "nothing any more, and the brand is told so.")),
    "keys.brands.none": ("Aucune marque n'est inscrite.", "No brand is enrolled."),
    "keys.since": ("de confiance depuis le {day}", "trusted since {day}"),
    "keys.used": ("dernière annonce le {day}", "last announcement on {day}"),
    "keys.unused": ("n'a encore rien signé", "has signed nothing yet"),
    "keys.withdrawn": ("reprise par la marque elle-même le {day}", "taken back by the brand itself on {day}"),
    "keys.distrusted": ("rejetée le {day} par {who}", "not trusted since {day}, by {who}"),
    "keys.distrust": ("Ne plus lui faire confiance", "Trust it no longer"),
    "keys.distrust.which": ("Ne plus faire confiance à la clé {kid}", "Trust the key {kid} no longer"),
    "keys.distrust.sure": ("Les livraisons qu'elle a annoncées n'ouvriront plus. Continuer ?",
                           "The deliveries that it announced will not open any more. Go on?"),
    "keys.trust": ("Lui faire de nouveau confiance", "Trust it again"),
    "keys.trust.which": ("Faire de nouveau confiance à la clé {kid}", "Trust the key {kid} again"),
}  # fmt: skip

_DOINGS: Mapping[str, _Both] = {
    "doings.title": ("Connexions", "Sign-ins"),
    "doings.own": ("Ce qui s'est passé avec votre compte, le plus récent d'abord.",
                   "What happened with your account, the newest first."),
    "doings.all": ("Ce qui s'est passé avec les comptes du foyer, le plus récent d'abord.",
                   "What happened with the household's accounts, the newest first."),
    "doings.none": ("Rien encore.", "Nothing yet."),
    "doings.kept": ("Gardé {days} jours.", "Kept for {days} days."),
    "browser.both": ("{browser} sur {system}", "{browser} on {system}"),
    "browser.unknown": ("navigateur inconnu", "unknown browser"),
    "session.began": ("depuis le {day}", "since {day}"),
    "session.seen": ("vu le {day}", "last seen {day}"),
    "session.end.which": ("Terminer : {browser}", "End it: {browser}"),
    "did.addition_proposed": ("{by} a proposé pour la maison : {what}", "{by} proposed for the house: {what}"),
    "did.addition_accepted": (
        "{by} a accepté dans la maison : {what} (proposé par {who})",
        "{by} accepted into the house: {what} (proposed by {who})",
    ),
    "did.addition_refused": (
        "{by} a refusé pour la maison : {what} (proposé par {who})",
        "{by} refused for the house: {what} (proposed by {who})",
    ),
    "did.addition_withdrawn": ("{by} a retiré sa proposition : {what}", "{by} withdrew what was proposed: {what}"),
    "did.signed_in": ("Connexion de {who} : {what}", "{who} signed in: {what}"),
    "did.sign_in_wrong": ("{what} mots de passe faux pour {who}", "{what} wrong passwords for {who}"),
    "did.password_changed": ("{who} a changé son mot de passe", "{who} changed their password"),
    "did.person_added": ("{who} a un compte : {what}", "{who} has an account: {what}"),
    "did.person_removed": ("{who} n'a plus de compte (par {by})", "{who} has no account any more (by {by})"),
    "did.role_changed": ("{who} est maintenant {what} (par {by})", "{who} is now {what} (by {by})"),
    "did.invited": ("{by} a invité quelqu'un : {what}", "{by} invited somebody: {what}"),
    "did.invitation_withdrawn": ("{by} a annulé une invitation", "{by} withdrew an invitation"),
    "did.handed_over": ("{by} a dit que l'installation est finie", "{by} said that the installation is done"),
    "did.claim_code_wrong": ("Un code faux pour prendre la box", "A wrong code to claim the box"),
    "did.phone_added": ("{by} a ajouté un téléphone ({what})", "{by} added a phone ({what})"),
    "did.phone_removed": ("{by} a retiré un téléphone ({what})", "{by} removed a phone ({what})"),
    "did.key_distrusted": ("{by} ne fait plus confiance à la clé {what}", "{by} trusts the key {what} no longer"),
    "did.key_approved": ("{by} accepte la clé {what}", "{by} accepted the key {what}"),
    "did.key_refused": ("{by} refuse la clé {what}", "{by} refused the key {what}"),
    "did.key_withdrawn": ("Une marque a repris sa clé {what}", "A brand took back its key {what}"),
    "did.key_trusted": ("{by} fait de nouveau confiance à la clé {what}", "{by} trusts the key {what} again"),
    "did.shared": ("{by} montre une visite par un lien", "{by} shows a visit by a link"),
    "did.share_ended": ("{by} a mis fin à un lien", "{by} ended a link"),
    "did.survey_begun": ("{by} a commencé un relevé des pannes ({what})", "{by} began a survey ({what})"),
    "did.survey_ended": ("{by} a terminé un relevé des pannes ({what})", "{by} ended a survey ({what})"),
    "did.nobody": ("quelqu'un", "somebody"),
}  # fmt: skip

_SHARES: Mapping[str, _Both] = {
    "shares.title": ("Montré à d'autres", "Shown to others"),
    "shares.by": ("par {who}, jusqu'au {day}", "by {who}, until {day}"),
    "shares.end": ("Ne plus montrer", "Show no longer"),
    "shares.end.which": ("Ne plus montrer la visite du {day}", "No longer show the visit of {day}"),
}  # fmt: skip

_LINKS: Mapping[str, _Both] = {
    "link.asks": ("{brand} demande à entrer", "{brand} asks to be let in"),
    "link.silence": ("Si vous ne répondez pas, c'est non.", "If you do not answer, it is no."),
    "link.brand.granted": ("{brand} peut entrer.", "{brand} is let in."),
    "link.brand.refused": ("{brand} n'entre pas.", "{brand} is not let in."),
    "link.brand.revoked": ("{brand} n'entre plus.", "{brand} is let in no longer."),
    "link.brand.pending": ("{brand} attend encore votre réponse, à d'autres conditions : voyez la page Marques.",
                           "{brand} still waits for your answer, on other terms: see the page Brands."),
    "link.decided": ("Déjà décidé.", "Decided already."),
}  # fmt: skip

_HOUSE_FILE: Mapping[str, _Both] = {
    "backup.title": ("Sauvegarde", "Backup"),
    "backup.last": ("La dernière est du {day} à {time}.", "The last one is of {day}, {time}."),
    "backup.never": (
        "Il n'y en a pas : sur la box, `perron backup FICHIER` en fait une, pendant qu'elle livre.",
        "There is none: on the box, `perron backup FILE` makes one, while it delivers.",
    ),
    "house.file": ("Le fichier de la maison", "The house file"),
    "house.file.applied": ("Relu et appliqué le {day} à {time}.", "Read anew and applied on {day} at {time}."),
    "house.file.waiting": (
        "Relu le {day} à {time}. Il sera appliqué quand plus rien ne se passe aux portes.",
        "Read anew on {day} at {time}. It is applied once nothing happens at the doors any more.",
    ),
    "house.file.refused": (
        "Refusé le {day} à {time} : il y a une erreur, et la maison continue avec l'ancien.",
        "Refused on {day} at {time}: there is a mistake in it, and the house goes on with the old one.",
    ),
}  # fmt: skip

SETTINGS: Mapping[str, _Both] = {
    **_MESSAGES,
    **_KEYS,
    **_DOINGS,
    **_SHARES,
    **_LINKS,
    **_HOUSE_FILE,
    **INSTALLATION,
    **EXAMINATION,
    **ADDING,
    **ENROLLED,
    **HUB,
}
