"""What the page Hub says, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

HUB: Mapping[str, _Both] = {
    "hub.title": ("Hub", "Hub"),
    "hub.none": (
        ("Cette maison n'est reliée à aucun hub : les commerçants ne l'atteignent que sur son propre réseau. Un hub "
         "est l'adresse par laquelle ils l'annoncent. Il peut retarder ou perdre, jamais falsifier : rien ne s'ouvre "
         "sur sa parole."),
        ("This house has joined no hub: retailers reach it on its own network only. A hub is the address by which they "
         "announce deliveries. It can delay or lose, never forge: nothing opens on its word."),
    ),
    "hub.how": (
        ("Qui tient le hub vous donne un code, bon une fois et pour un jour : prenez-le en photo, ou collez-le. Rien "
         "n'est envoyé avant que vous ayez vu de quel hub il s'agit."),
        ("Whoever runs the hub gives you a code, good once and for a day: take a photo of it, or paste it. Nothing is "
         "sent before you have seen which hub it is."),
    ),
    "hub.photo": ("Photographier le code", "Take a photo of the code"),
    "hub.photo.none": ("Aucun code de hub sur cette photo. Approchez-vous, ou collez le texte.",
                       "No hub's code on this photo. Go closer, or paste the text."),
    "hub.photo.read": ("Code lu.", "Code read."),
    "hub.code": ("Code du hub", "The hub's code"),
    "hub.look": ("Voir quel hub", "See which hub"),
    "hub.which": ("Est-ce bien le hub que vous voulez rejoindre ?", "Is this the hub that you want to join?"),
    "hub.which.why": (
        ("Comparez ces mots avec ceux que lit qui tient le hub. Ensuite la box fait sa clé, qui ne la quitte jamais, "
         "et ne croira que ce hub-là. L'adresse publique de votre maison reste cachée aux commerçants."),
        ("Compare these words with those that whoever runs the hub reads out. Then the box makes its key, which never "
         "leaves it, and will believe this hub alone. Your house's own address stays hidden from retailers."),
    ),
    "hub.address": ("Adresse", "Address"),
    "hub.authority": ("Son autorité, en mots", "Its authority, in words"),
    "hub.authority.why": ("Les mêmes mots que chez qui tient le hub : la box n'en croit pas d'autre.",
                          "The same words as at whoever runs the hub: the box believes no other."),
    "hub.join": ("Rejoindre ce hub", "Join this hub"),
    "hub.back": ("Un autre code", "Another code"),
    "hub.half": (
        ("Le hub connaît cette maison, et la box s'y relie dès que rien ne se passe aux portes. Si rien ne change, "
         "donnez le même code encore une fois."),
        ("The hub knows this house, and the box takes it up as soon as nothing happens at the doors. If nothing "
         "changes, give the same code once more."),
    ),
    "hub.refused": ("Le fichier de la maison n'a pas été repris :", "The house file was not taken up:"),
    "hub.joined": ("Cette maison est reliée à {url}.", "This house has joined {url}."),
    "hub.lost": (
        ("La box n'a plus ce par quoi elle se prouvait à ce hub. Quittez-le, puis rejoignez-le avec un nouveau code."),
        ("The box no longer has what it proved itself by at this hub. Leave it, then join it by a new code."),
    ),
    "hub.cut_off": (
        ("Le hub ne laisse plus entrer cette maison : son certificat a été révoqué ou a expiré. Demandez à qui le "
         "tient un nouveau code, quittez ce hub ici, puis rejoignez-le. Les portes marchent comme avant."),
        ("The hub lets this house in no longer: its certificate was revoked, or has ended. Ask whoever runs it for a "
         "new code, leave this hub here, then join it again. The doors work as before."),
    ),
    "hub.line": ("Liaison", "Line"),
    "hub.up": ("établie depuis le {day} à {time}", "up since {day}, {time}"),
    "hub.down": ("coupée depuis le {day} à {time}", "down since {day}, {time}"),
    "hub.waiting": ("Nouvelles qu'il n'a pas encore", "News that it does not have yet"),
    "hub.until": ("Certificat bon jusqu'au", "Certificate good until"),
    "hub.until.why": ("La box le renouvelle elle-même, un mois avant.", "The box renews it by itself, a month before."),
    "hub.home": ("Cette maison s'y appelle", "There this house is called"),
    "hub.support": ("Code de la maison", "The house's code"),
    "hub.support.why": (
        ("À donner au commerçant qui demande à livrer ici : il dit seulement quelle maison. Il ne prouve et n'ouvre "
         "rien ; c'est vous qui acceptez, sur la page Marques."),
        ("Give it to a retailer who asks to deliver here: it only says which house. It proves and opens nothing; you "
         "say yes, on the page Brands."),
    ),
    "hub.leave": ("Quitter ce hub", "Leave this hub"),
    "hub.leave.why": (
        ("Les livraisons annoncées par lui sont annulées, il apprend ce qu'il doit encore savoir, les commerçants que "
         "cette maison ne les laisse plus entrer par lui. Puis la box oublie sa clé. Le reste de la maison ne change "
         "pas."),
        ("Deliveries that came by it are cancelled, it is told all that it is owed, and its retailers that this house "
         "lets them in by it no longer. Then the box forgets its key. Nothing else of the house changes."),
    ),
    "hub.leave.at_once": ("Sans attendre sa réponse", "Without waiting for its answer"),
    "hub.leave.go": ("Quitter", "Leave"),
    "hub.leaving": ("La box quitte ce hub : il lui reste {n} nouvelles à lui dire.",
                    "The box is leaving this hub: it has {n} news to tell it still."),
    "hub.no.code": ("Ce n'est pas le code d'un hub, ou il n'est pas entier : copiez-le de `https://` jusqu'à la fin.",
                    "This is no hub's code, or not the whole of it: copy it from `https://` to its end."),
    "hub.no.busy": ("La box est en train de rejoindre un hub.", "The box is joining a hub just now."),
    "hub.no.joined": ("Cette maison est déjà reliée à un hub : quittez-le d'abord.",
                      "This house has joined a hub already: leave it first."),
    "hub.no.none": ("Cette maison n'est reliée à aucun hub.", "This house has joined no hub."),
    "hub.no.file": (
        "{file} ne peut pas être écrit : laissez la box l'écrire, ou utilisez `perron join` sur son terminal.",
        "{file} cannot be written: let the box write it, or use `perron join` at its terminal.",
    ),
    "hub.no.other": (
        ("Ce qui répond à cette adresse n'est pas le hub de ce code. Rien n'en a été gardé. Demandez un nouveau code ; "
         "si cela se répète, quelqu'un se tient entre vous et lui."),
        ("What answers at this address is not the hub of this code. Nothing of it was kept. Ask for a new code; if it "
         "happens again, somebody stands between you and it."),
    ),
    "hub.no.conflict": ("Ce code a déjà servi. Demandez-en un autre à qui tient le hub.",
                        "This code was used already. Ask whoever runs the hub for another one."),
    "hub.no.too_late": ("Ce code a expiré : il n'est bon qu'un jour. Demandez-en un autre.",
                        "This code has expired: it is good for a day. Ask for another one."),
    "hub.no.not_found": ("Le hub ne connaît pas ce code. Demandez-en un autre.",
                         "The hub does not know this code. Ask for another one."),
    "hub.no.signature_refused": ("Ce code n'est pas celui que le hub a fait : copiez-le encore, en entier.",
                                 "This code is not the one that the hub made: copy it once more, whole."),
    "hub.no.says": ("Le hub refuse : {why}", "The hub refuses: {why}"),
    "hub.no.away": ("Le hub ne répond pas ({why}). Réessayez : le même code compte encore.",
                    "The hub does not answer ({why}). Try again: the same code still counts."),
    "hub.no.disk": ("Rien n'a été changé dans la maison ({why}). Réessayez : le même code compte encore.",
                    "Nothing was changed in the house ({why}). Try again: the same code still counts."),
    "did.hub_joined": ("{by} a relié la maison à un hub.", "{by} let the house join a hub."),
    "did.hub_leaving": ("{by} a quitté le hub.", "{by} left the hub."),
}  # fmt: skip
