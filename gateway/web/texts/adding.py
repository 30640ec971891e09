"""What the page says on which the house file grows, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

_PAGE: Mapping[str, _Both] = {
    "home.empty": (
        "Il n'y a encore aucune entrée ici.",
        "There is no entrance here yet.",
    ),
    "home.proposed": (
        "{n} ajout(s) à la maison attendent votre accord.",
        "{n} addition(s) to the house wait for your word.",
    ),
    "home.proposed.see": ("Voir et décider", "See and decide"),
    "install.add": ("Ajouter un appareil ou une entrée", "Add a device or an entrance"),
    "install.add.this": ("Ajouter celui-ci", "Add this one"),
    "install.add.which": ("Ajouter {name}", "Add {name}"),
    "add.title": ("Ajouter à la maison", "Add to the house"),
    "add.why": (
        "Ce que vous proposez ici n'entre dans la maison que lorsque le propriétaire l'accepte avec son mot de passe.",
        "What you propose here comes into the house only once the owner accepts it with his password.",
    ),
    "add.why.owner": (
        (
            "Rien n'entre dans la maison sans votre mot de passe, proposé par l'installateur ou ajouté par vous. "
            "Changer ou remplacer ce qui y est se fait au terminal de la box."
        ),
        (
            "Nothing comes into the house without your password, proposed by the installer or added by you. "
            "To change or replace what is there takes the box's terminal."
        ),
    ),
    "add.not": ("Ce n'est pas fait :", "Not done:"),
    "add.no_file": (
        "La box n'a pas été démarrée avec un fichier de la maison : ajoutez au terminal, avec `perron add`.",
        "The box was not started with a house file: add at the terminal, with `perron add`.",
    ),
    "add.read_only": (
        "La box ne peut pas écrire {file} : la commande de chaque ajout s'écrit au terminal, puis `perron reload`.",
        "The box cannot write {file}: type each addition's command at the terminal, then `perron reload`.",
    ),
    "add.waiting": ("En attente du propriétaire", "Waiting for the owner"),
    "add.edited": (
        "Le fichier de la maison a été changé au terminal depuis sa dernière lecture : accepter applique cela aussi.",
        "The house file was changed at the terminal since it was read last: accepting applies that too.",
    ),
    "add.by": ("Proposé par {who}.", "Proposed by {who}."),
    "add.accepted": ("Accepté par {who}.", "Accepted by {who}."),
    "add.cannot": ("Ne peut pas être accepté ainsi :", "Cannot be accepted like this:"),
    "add.failed": (
        "Il a été accepté, mais la maison n'a pas démarré avec ; il a été retiré du fichier.",
        "It was accepted, but the house did not start with it; it was taken out of the file again.",
    ),
    "add.text": ("Ainsi dans le fichier de la maison :", "Like this in the house file:"),
    "add.login": (
        "Le compte de la caméra est gardé à part, lisible par la box seule ; il disparaît si c'est refusé ou retiré.",
        "The camera's account is kept apart, readable by the box alone; it goes if this is refused or withdrawn.",
    ),
    "add.terminal": ("Au terminal de la box :", "At the box's terminal:"),
    "add.take": ("Accepter {name}", "Accept {name}"),
    "add.refuse": ("Refuser", "Refuse"),
    "add.refuse.which": ("Refuser {name}", "Refuse {name}"),
    "add.withdraw": ("Retirer", "Withdraw"),
    "add.withdraw.which": ("Retirer {name}", "Withdraw {name}"),
    "add.accept.why": (
        "Ce qui est coché est écrit dans le fichier de la maison, puis appliqué dès que rien ne se passe aux portes.",
        "What is ticked is written into the house file, and applied once nothing happens at the doors.",
    ),
    "add.accept": ("Accepter dans la maison", "Accept into the house"),
    "add.asked": (
        "Le propriétaire le voit sur sa page d'accueil et décide ici même.",
        "The owner sees it on his home page and decides here.",
    ),
    "add.taken": ("Accepté", "Accepted"),
    "add.stands.proposed": ("Proposé.", "Proposed."),
    "add.stands.taken": ("Écrit ; la box relit le fichier.", "Written; the box reads the file anew."),
    "add.stands.waiting": (
        "Écrit ; appliqué dès que rien ne se passe plus aux portes.",
        "Written; applied once nothing happens at the doors any more.",
    ),
    "add.stands.refused": (
        "Écrit, mais la box n'a pas pu l'appliquer ; la maison continue comme avant. Corrigez le fichier au terminal.",
        "Written, but the box could not apply it; the house goes on as it was. Correct the file at the terminal.",
    ),
    "add.stands.applied": ("Appliqué : fait partie de la maison.", "Applied: it is part of the house."),
    "add.accounts": (
        "Le broker ne connaît peut-être pas encore : {names}. Au terminal de la box :",
        "The broker may not know these yet: {names}. At the box's terminal:",
    ),
    "add.accounts.told": (
        (
            "La commande le dit au mosquitto qui tourne avec ces fichiers ; en service, "
            "`systemctl reload perron-broker`. Donnez ensuite à chaque appareil le mot de passe de son fichier "
            "`.password`."
        ),
        (
            "The command tells the mosquitto that runs with these files; as a service, "
            "`systemctl reload perron-broker`. Then give each device the password in its `.password` file."
        ),
    ),
    "add.form": ("Que voulez-vous ajouter ?", "What do you want to add?"),
    "add.form.kinds": ("Sortes", "Kinds"),
    "add.wrong": ("Rien n'est proposé : voyez les champs marqués.", "Nothing is proposed: see the fields marked."),
    "add.none_yet": ("aucun encore", "none yet"),
    "add.choose": ("Choisir", "Choose"),
    "add.open": ("Non précisé", "Not said"),
    "add.answer.yes": ("oui", "yes"),
    "add.answer.no": ("non", "no"),
    "add.go": ("Proposer", "Propose"),
}

_KINDS: Mapping[str, _Both] = {
    "add.kind.lock": ("Serrure", "Lock"),
    "add.kind.cover": ("Porte de garage", "Garage door"),
    "add.kind.door": ("Capteur de porte", "Door sensor"),
    "add.kind.camera": ("Caméra", "Camera"),
    "add.kind.scanner": ("Scanner", "Scanner"),
    "add.kind.signal": ("Signal", "Signal"),
    "add.kind.fridge": ("Réfrigérateur", "Fridge"),
    "add.kind.presence": ("Présence", "Presence"),
    "add.kind.alarm": ("Alarme", "Alarm"),
    "add.kind.entrance": ("Entrée", "Entrance"),
}

_FIELDS: Mapping[str, _Both] = {
    "add.field.id": ("Identifiant (a-z, 0-9, -)", "Id (a-z, 0-9, -)"),
    "add.field.vendor": ("Langage (vendor)", "Whose words it speaks (vendor)"),
    "add.field.address": (
        "Adresse : celle du fabricant, ou son topic (zigbee2mqtt/nom) ; vide s'il parle les mots de Perron",
        "Address: the maker's, or its topic (zigbee2mqtt/name); empty if it speaks Perron's own words",
    ),
    "add.field.latency": ("Répond en tant de secondes (latency)", "Answers within so many seconds (latency)"),
    "add.field.auto_lock": ("Se verrouille d'elle-même (auto_lock)", "Locks by itself (auto_lock)"),
    "add.field.guarded": (
        "Refuse d'elle-même un ordre tardif ou répété (guarded)",
        "Refuses a late or repeated command by itself (guarded)",
    ),
    "add.field.unlatch": (
        "Bouton fixe dehors : la serrure tire aussi le pêne demi-tour (unlatch)",
        "Fixed knob outside: the lock pulls the latch too (unlatch)",
    ),
    "add.field.lift_handle": (
        "Il faut relever la poignée avant de verrouiller (lift_handle)",
        "The handle has to be lifted before it locks (lift_handle)",
    ),
    "add.field.guard.key": (
        "Clé publique du gardien, seulement avec le vendor guard",
        "The guard's public key, only with vendor guard",
    ),
    "add.field.reverses": (
        "Remonte d'elle-même si elle touche quelque chose (reverses)",
        "Goes up again by itself when it meets something (reverses)",
    ),
    "add.field.beam": ("Dit l'état de sa barrière lumineuse (beam)", "Tells of its light beam (beam)"),
    "add.field.warning": ("Avertit tant de secondes avant (warning)", "Warns so many seconds before (warning)"),
    "add.field.closing": ("Se ferme en tant de secondes (closing)", "Closes within so many seconds (closing)"),
    "add.field.answers": ("Peut être interrogé (answers)", "Can be asked (answers)"),
    "add.field.heartbeat": (
        "Parle au moins toutes les tant de secondes (heartbeat)",
        "Says something at least every so many seconds (heartbeat)",
    ),
    "add.field.url": (
        "Adresse du flux, rtsp:// ou rtsps://, sans compte (url)",
        "Address of the stream, rtsp:// or rtsps://, without account (url)",
    ),
    "add.field.fingerprint": (
        "Empreinte SHA-256 de son certificat, avec rtsps (fingerprint)",
        "SHA-256 fingerprint of its certificate, with rtsps (fingerprint)",
    ),
    "add.field.keys.code": (
        "Où est le code dans son JSON (keys.code)",
        "Where the code stands in its JSON (keys.code)",
    ),
    "add.field.topics.event": ("Topic du bouton, s'il est à part", "The button's topic, if it is another device"),
    "add.field.compartment": ("Compartiment (compartment)", "Compartment"),
    "add.field.unit": ("Unité (unit)", "Unit"),
    "add.field.bypassed_in": (
        "Modes où ouvrir cette porte ne déclenche rien (bypassed_in)",
        "Modes in which opening this door sets off nothing (bypassed_in)",
    ),
    "add.field.account": ("Son compte, s'il en faut un", "Its account, if it needs one"),
    "add.field.user": ("Utilisateur", "User"),
    "add.field.secret": ("Mot de passe de la caméra", "The camera's password"),
    "add.field.name": ("Nom", "Name"),
    "add.field.lock": ("Serrure", "Lock"),
    "add.field.door": ("Capteur de porte, pas celui de la serrure", "Door sensor, not the lock's own"),
    "add.field.signal": ("Signal", "Signal"),
    "add.field.cameras.outside": ("Caméra dehors", "Camera outside"),
    "add.field.cameras.inside": ("Caméras dedans", "Cameras inside"),
    "add.field.scanners": ("Scanners", "Scanners"),
    "add.field.cameras.read_labels": ("Caméras qui lisent l'étiquette", "Cameras that read the label"),
    "add.field.places": (
        "Où poser le colis, un nom par ligne",
        "Where a parcel is left, a name a line",
    ),
    "add.field.way_out_by_hand": (
        "De l'intérieur, la porte s'ouvre à la main, sans clé ni courant",
        "From inside the door opens by hand, without key or power",
    ),
    "add.field.living_space": ("Mène au logement (living_space)", "Leads to the living space (living_space)"),
    "add.field.courier_proof": (
        "Demande le code du livreur (courier_proof)",
        "Asks for the courier's code (courier_proof)",
    ),
    "add.field.presence": ("Personne ne doit être là (presence)", "Nobody may be home (presence)"),
    "add.field.alarm": ("Alarme", "Alarm"),
    "add.field.more": ("Autres clés, une clé=valeur par ligne", "Further keys, one key=value a line"),
}

_NO: Mapping[str, _Both] = {
    "add.no.id": ("De 1 à 64 caractères : a-z, 0-9 et -.", "1 to 64 of a-z, 0-9 and -."),
    "add.no.must": ("À remplir.", "Fill this in."),
    "add.no.must.way_out_by_hand": (
        "Personne ne doit être enfermé : sans cela, pas d'entrée.",
        "Nobody may be locked in: without it there is no entrance.",
    ),
    "add.no.must.reverses": (
        "Une porte de garage qui ne remonte pas d'elle-même ne doit pas bouger sans qu'on la voie.",
        "A garage door that does not go up again by itself must not be moved while nobody looks.",
    ),
    "add.no.choice": ("Choisissez parmi ce qui est proposé.", "Choose one of what is offered."),
    "add.no.number": ("Un nombre de secondes, de 0 à 3600.", "A number of seconds, from 0 to 3600."),
    "add.no.url": (
        "Écrivez comme rtsp://192.168.1.20:554/stream1, sans compte : utilisateur et mot de passe ont leurs champs.",
        "Write it like rtsp://192.168.1.20:554/stream1, without an account: user and password have their own fields.",
    ),
    "add.no.login": (
        "Utilisateur et mot de passe vont ensemble, d'une ligne, 200 caractères, pas de « : » dans l'utilisateur.",
        "User and password belong together, on one line, 200 characters, no colon in the user.",
    ),
    "add.no.lines": ("{most} lignes au plus.", "{most} lines at most."),
    "add.no.line": ("« {line} » n'est pas clé=valeur.", "“{line}” is no key=value."),
    "add.no.twice": ("{name} est déjà dit.", "{name} is said already."),
    "add.no.file": (
        "Aucun fichier de la box ne se nomme depuis une page ; au terminal, avec `perron add`.",
        "No file of the box is named from a page; at the terminal, with `perron add`.",
    ),
    "add.no.timing": (
        "Les temps d'attente (timing) se changent au terminal : certains valent pour toutes les caméras.",
        "Waiting times (timing) are the terminal's: some of them hold for every camera.",
    ),
    "add.no.taken": (
        "{name} existe déjà. Une page n'ajoute que du nouveau ; remplacer se fait au terminal.",
        "{name} is there already. A page only adds what is new; replacing is the terminal's.",
    ),
    "add.no.else": (
        "Cela changerait autre chose dans la maison : refusé.",
        "It would change something else in the house: refused.",
    ),
    "add.no.topic": (
        "Le topic {topic} est celui de {device} : un topic, un appareil.",
        "The topic {topic} is that of {device}: one topic, one device.",
    ),
    "add.no.there": (
        "C'est {device}, qui est déjà dans la maison : un appareil, une seule fois.",
        "That is {device}, which is in the house already: one device, once.",
    ),
    "add.no.speaks": (
        "Le compte {account} pourrait parler pour {device} au broker : refusé. Voyez l'adresse.",
        "The account {account} could speak for {device} at the broker: refused. See its address.",
    ),
    "add.no.shown": (
        "Le compte {account} pourrait écrire ce que Home Assistant affiche : refusé. Voyez l'adresse.",
        "The account {account} could write what Home Assistant shows: refused. See its address.",
    ),
    "add.no.permitted": (
        "Une marque a déjà le droit d'entrer par {name} (une entrée d'avant) : prenez un autre identifiant.",
        "A brand is let in by {name} already (an earlier entrance): take another id.",
    ),
    "add.no.same_name": (
        "Une autre entrée porte déjà ce nom : donnez-en un autre, pour ne pas les confondre.",
        "Another entrance has this name: give it another, so that nobody takes one for the other.",
    ),
    "add.no.inside": (
        "{camera} voit l'intérieur à une autre entrée : elle ne peut pas être celle du dehors.",
        "{camera} sees the inside at another entrance: it cannot be the one outside.",
    ),
    "add.no.outside": (
        "{camera} voit le dehors à une autre entrée : elle ne peut pas être dedans.",
        "{camera} sees the outside at another entrance: it cannot be one inside.",
    ),
    "add.no.many": (
        "{most} ajouts attendent déjà : le propriétaire décide d'abord.",
        "{most} additions wait already: the owner decides first.",
    ),
    "add.no.often": (
        "Vous avez proposé beaucoup en une heure : plus tard.",
        "You have proposed a lot within an hour: later.",
    ),
    "add.no.large": ("C'est trop long.", "It is too long."),
    "add.no.none": ("Rien de tel n'attend (plus).", "Nothing of the kind waits (any more)."),
    "add.no.no_file": (
        "Le fichier de la maison n'est pas lisible.",
        "The house file cannot be read.",
    ),
    "add.no.disk": ("Le disque de la box n'en veut pas : {why}", "The box's disk does not take it: {why}"),
    "add.no.unwritable": (
        "{file} n'a pas pu être écrit ({why}) ; rien n'a changé.",
        "{file} could not be written ({why}); nothing has changed.",
    ),
    "add.no.house": (
        "Ce ne serait plus une maison (en anglais, comme au terminal) : {why}",
        "It would be no house: {why}",
    ),
    "add.note.account": (
        "Il lui faudra un compte au broker : {names}. La commande est dite ici, une fois accepté.",
        "It will need an account at the broker: {names}. The command is told here once it is accepted.",
    ),
    "add.note.which_door": (
        "Faites-vous montrer que {lock} et {door} sont à cette porte-ci, et à nulle autre.",
        "Have somebody show you that {lock} and {door} are at this door, and at no other.",
    ),
    "add.note.no_living_space": (
        "Déclaré : ne mène pas au logement ; les exigences sont moindres. Est-ce vrai ?",
        "Declared: it does not lead to the living space, so less is asked of it. Is that so?",
    ),
    "add.note.no_courier_proof": (
        "Le livreur n'y montre pas de code à lui : l'étiquette du colis suffit.",
        "The courier shows no code of his own there: the parcel's label is enough.",
    ),
}

ADDING: Mapping[str, _Both] = {**_PAGE, **_KINDS, **_FIELDS, **_NO}
