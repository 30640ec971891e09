"""What an examination says of the broker, its files and the gateway's place there, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

_TROUBLE: Mapping[str, _Both] = {
    "trouble.expired": ("son certificat a expiré", "its certificate has expired"),
    "trouble.expired.todo": (
        "Renouvelez-le là où tourne le broker : `perron broker-config {folder} --renew`.",
        "Renew it where the broker runs: `perron broker-config {folder} --renew`.",
    ),
    "trouble.not_yet": (
        "son certificat n'est pas encore valable : une des deux horloges se trompe",
        "its certificate is not good yet: one of the two clocks is wrong",
    ),
    "trouble.not_yet.todo": (
        "Réglez l'horloge de cette machine et celle du broker.",
        "Set the clock of this machine and of the broker's.",
    ),
    "trouble.name": ("son certificat est celui d'un autre nom", "its certificate is another name's"),
    "trouble.name.todo": (
        "Écrivez-le pour ce nom : `perron broker-config {folder} --name {host}`, ou corrigez broker.host.",
        "Write it for that name: `perron broker-config {folder} --name {host}`, or correct broker.host.",
    ),
    "trouble.authority": (
        "son certificat vient d'une autre autorité que broker.tls.ca",
        "its certificate comes from another authority than broker.tls.ca",
    ),
    "trouble.authority.todo": (
        (
            "Copiez de nouveau authority.pem depuis le dossier du broker voulu ; demandez-vous qui répond là, si c'est "
            "un autre."
        ),
        (
            "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is "
            "another."
        ),
    ),
    "trouble.no_tls": ("il ne parle pas TLS", "it does not speak TLS"),
    "trouble.no_tls.todo": (
        "Démarrez le broker avec le mosquitto.conf que `perron broker-config` a écrit, ou corrigez broker.port.",
        "Start the broker with the mosquitto.conf that `perron broker-config` wrote, or correct broker.port.",
    ),
    "trouble.tls": ("aucune liaison TLS ne s'est faite", "no TLS connection came about"),
    "trouble.tls.todo": (
        (
            "Copiez de nouveau authority.pem depuis le dossier du broker voulu ; demandez-vous qui répond là, si c'est "
            "un autre."
        ),
        (
            "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is "
            "another."
        ),
    ),
    "trouble.no_plain": (
        "quelqu'un y écoute, mais ne répond pas en clair (peut-être en TLS)",
        "somebody listens there, but does not answer in plain words (perhaps by TLS)",
    ),
    "trouble.no_plain.todo": (
        (
            "Regardez le journal du broker. S'il parle TLS, écrivez `tls: {{ca: FILE}}` sous broker dans le fichier de "
            "la maison."
        ),
        "Look at the broker's own log. If it speaks TLS, say `tls: {{ca: FILE}}` under broker in the house file.",
    ),
    "trouble.nobody": ("personne n'y écoute", "nobody listens there"),
    "trouble.nobody.todo": (
        (
            "Démarrez-le : `mosquitto -c {folder}/mosquitto.conf` (`perron broker-config {folder}` écrit ce fichier). "
            "Pour essayer, `perron simulate --broker` en apporte un."
        ),
        (
            "Start it: `mosquitto -c {folder}/mosquitto.conf` (`perron broker-config {folder}` writes that file). "
            "To try things, `perron simulate --broker` brings one."
        ),
    ),
    "trouble.account": ("il refuse ce compte", "it refuses this account"),
    "trouble.account.todo": (
        "Écrivez ses comptes avec `perron broker-config {folder}`, puis redémarrez-le.",
        "Write its accounts with `perron broker-config {folder}`, then start it anew.",
    ),
    "trouble.host": ("aucune machine de ce nom n'est connue", "no machine of that name is known"),
    "trouble.host.todo": (
        "Corrigez broker.host dans le fichier de la maison.",
        "Correct broker.host in the house file.",
    ),
    "trouble.silent": ("il ne répond pas", "it does not answer"),
    "trouble.silent.todo": (
        "Regardez le réseau, ainsi que broker.host et broker.port dans le fichier de la maison.",
        "Look at the network, and at broker.host and broker.port in the house file.",
    ),
    "trouble.reset": (
        "il a coupé : il ne parle pas TLS à cet endroit",
        "it broke off: it does not speak TLS there",
    ),
    "trouble.reset.todo": (
        "Corrigez broker.port, ou écrivez de nouveau les fichiers du broker.",
        "Correct broker.port, or write the broker's files anew.",
    ),
    "trouble.other": ("{text}", "{text}"),
    "trouble.other.todo": ("Regardez le journal du broker.", "Look at the broker's own log."),
}

BROKER: Mapping[str, _Both] = {
    **_TROUBLE,
    "what.broker": ("broker", "broker"),
    "what.broker_files": ("fichiers du broker", "broker files"),
    "what.broker_certificate": ("certificat du broker", "broker certificate"),
    "what.round_trip": ("aller-retour", "round trip"),
    "what.gateway": ("passerelle", "gateway"),
    "broker.lets_in": ("{where} laisse entrer {account}", "{where} lets {account} in"),
    "broker.no_talk": (
        "Impossible de parler au broker à {where} en tant que '{account}' : {why}.",
        "There is no talking to the broker at {where} as '{account}': {why}.",
    ),
    "broker.busy": (
        "on mesure, relève ou écoute déjà par le compte {account}, qui n'a qu'une liaison",
        "somebody measures, surveys or listens by the account {account} already, which has one connection",
    ),
    "broker.busy.todo": ("Examinez de nouveau quand c'est fini.", "Examine again when that is over."),
    "broker.no_password": (
        "{file} : le mot de passe du compte '{account}' ne peut pas être lu ({why}).",
        "{file}: the password of the account '{account}' cannot be read ({why}).",
    ),
    "broker.no_password.todo": (
        (
            "Écrivez-le avec `perron broker-config {folder}`, ou corrigez broker.password_file : les mots de passe de "
            "tous les comptes sont dans le même dossier."
        ),
        (
            "Write it with `perron broker-config {folder}`, or correct broker.password_file: the passwords of all "
            "accounts lie beside it."
        ),
    ),
    "broker.no_authority": (
        "{file} : l'autorité du broker ne peut pas être lue ({why}).",
        "{file}: the authority of the broker cannot be read ({why}).",
    ),
    "broker.no_authority.todo": (
        "Copiez authority.pem depuis le dossier que `perron broker-config` a écrit, ou corrigez broker.tls.ca.",
        "Copy authority.pem out of the folder that `perron broker-config` wrote, or correct broker.tls.ca.",
    ),
    "files.unseen": ("{file} ne peut pas être regardé ({why})", "{file} cannot be looked at ({why})"),
    "files.unseen.todo": (
        "En tant que root : `perron broker-config {folder} --check`",
        "As root: `perron broker-config {folder} --check`",
    ),
    "files.good": ("rien dans {folder} n'est faible", "nothing in {folder} is weak"),
    "certificate.renew": ("`perron broker-config {folder} --renew`, chaque jour",
                          "`perron broker-config {folder} --renew`, daily"),
    "certificate.none": ("il n'en montre aucun", "it shows none"),
    "certificate.late": (
        "valable jusqu'au {until} : personne ne le renouvelle",
        "good until {until}: nobody renews it",
    ),
    "certificate.good": ("valable jusqu'au {until}", "good until {until}"),
    "echo.none": ("pas d'écho en {seconds} s", "no echo within {seconds} s"),
    "echo.none.todo": (
        "Regardez la charge du broker, et écrivez de nouveau sa liste d'accès avec `perron broker-config {folder}`.",
        "Look at the broker's load, and write its access list anew with `perron broker-config {folder}`.",
    ),
    "echo.stall": (
        "{ms} ms : les petits paquets attendent un accusé de réception retardé",
        "{ms} ms: small packets wait for a delayed acknowledgement",
    ),
    "echo.stall.todo": (
        "Écrivez `set_tcp_nodelay true` dans mosquitto.conf (`perron broker-config` le fait).",
        "Say `set_tcp_nodelay true` in mosquitto.conf (`perron broker-config` does).",
    ),
    "echo.good": ("{ms} ms", "{ms} ms"),
    "gateway.online": ("elle tourne, en liaison avec le broker", "it runs and is connected"),
    "gateway.never": ("elle n'est jamais venue ici", "it has never been here"),
    "gateway.away": ("elle n'est pas en liaison", "it is not connected"),
    "gateway.away.todo": ("Démarrez-la avec `perron run`.", "Start it with `perron run`."),
    "gateway.here.todo": (
        "Le broker laisse entrer son compte : elle réessaie d'elle-même.",
        "The broker lets its account in: it tries again by itself.",
    ),
}  # fmt: skip
