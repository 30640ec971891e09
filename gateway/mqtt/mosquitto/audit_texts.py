"""What is said of a weak point of the broker's files, and what to do about it, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

WEAK: Mapping[str, _Both] = {
    "unnamed": (
        "broker.password_file n'est pas dans le fichier de la maison : la passerelle viendrait sans nom.",
        "broker.password_file is not in the house file, so the gateway would come as nobody.",
    ),
    "unnamed.todo": (
        "Écrivez `password_file: {name}/gateway.password` sous broker.",
        "Write `password_file: {name}/gateway.password` under broker.",
    ),
    "folder_open": (
        "{file} peut être listé ou écrit par d'autres (mode {mode}).",
        "{file} can be listed or written by others (mode {mode}).",
    ),
    "folder_open.todo": ("`chmod 700 {file}`", "`chmod 700 {file}`"),
    "foreign": (
        "{file} n'a pas été écrit par Perron, et serait perdu.",
        "{file} was not written by Perron, and would be lost.",
    ),
    "foreign.todo": (
        "Déplacez-le, ou nommez un autre dossier ; --check dit ce qui est faible dedans.",
        "Move it away, or name another folder; --check says what is weak in it.",
    ),
    "no_file": ("{file} n'est pas un simple fichier.", "{file} is no plain file."),
    "no_file.todo": (
        "Supprimez-le ; ce à quoi il mène peut être à n'importe qui.",
        "Remove it; what it leads to may be anybody's.",
    ),
    "guessed": (
        "{file} contient un mot de passe qui peut être deviné ({length} caractères).",
        "{file} holds a password that can be guessed ({length} characters).",
    ),
    "shared": (
        "{file} et {other} contiennent le même mot de passe : l'un vaut pour l'autre.",
        "{file} and {other} hold the same password: one stands for both.",
    ),
    "anew.todo": (
        "Supprimez le fichier et relancez `perron broker-config` : il en fait un nouveau ; donnez-le à l'appareil.",
        "Delete the file and run `perron broker-config` again: it makes a new one; give that to the device.",
    ),
    "secret_open": (
        "{file} peut être lu ou écrit par d'autres sur cette machine (mode {mode}).",
        "{file} can be read or written by others on this machine (mode {mode}).",
    ),
    "secret_open.todo": (
        "`chmod 600 {file}` ; si d'autres y étaient, supprimez-le et écrivez-le de nouveau.",
        "`chmod 600 {file}`; where others were there, delete it and write it anew.",
    ),
    "owner": (
        "{file} appartient à un autre utilisateur ({uid}), qui peut le changer.",
        "{file} belongs to another user ({uid}), who can change it.",
    ),
    "owner.todo": (
        "Rendez-le vôtre (`chown`), ou dites avec --user que mosquitto est celui-là.",
        "Make it yours (`chown`), or say with --user that mosquitto is that one.",
    ),
    "no_listener": (
        "{file} ne nomme aucun listener : mosquitto laisse alors entrer quiconque est sur cette machine.",
        "{file} names no listener: mosquitto then lets in everybody on this machine, without password.",
    ),
    "rewrite.todo": ("Écrivez-le avec `perron broker-config`.", "Write it with `perron broker-config`."),
    "anonymous": (
        "{at} : qui n'a pas de compte entre aussi (allow_anonymous).",
        "{at}: whoever has no account comes in too (allow_anonymous).",
    ),
    "false.todo": ("Écrivez false.", "Write false."),
    "outdated": ("{at} : {value} est cassé depuis longtemps.", "{at}: {value} was broken long ago."),
    "outdated.todo": ("Écrivez `tls_version tlsv1.2`.", "Write `tls_version tlsv1.2`."),
    "persistence": (
        "{at} : un ordre d'avant un redémarrage serait livré après.",
        "{at}: a command from before a restart would be delivered after it.",
    ),
    "keepalive": (
        "{at} : mosquitto 2.0.21 coupe alors des clients au hasard (son issue 3226).",
        "{at}: mosquitto 2.0.21 then cuts clients off at random (its issue 3226).",
    ),
    "unseen": (
        "{at} : ce que {value} ajoute à ces règles ne se voit pas ici.",
        "{at}: what {value} adds to these rules is not seen here.",
    ),
    "delete.todo": ("Supprimez la ligne.", "Delete it."),
    "bridge": (
        "{at} : cela porte des messages entre ce broker et un autre.",
        "{at}: it carries messages between this broker and another.",
    ),
    "bridge.todo": ("Supprimez le pont.", "Delete the bridge."),
    "insecure": (
        "{at} : personne n'est comparé à son certificat.",
        "{at}: nobody is compared with his certificate.",
    ),
    "no_accounts": (
        "{file} n'a pas de password_file, il n'y a donc pas de comptes.",
        "{file} has no password_file, so there are no accounts.",
    ),
    "no_accounts.line": (
        "{file} n'a pas de password_file pour le listener de la ligne {line}, il n'y a donc pas de comptes.",
        "{file} has no password_file for the listener in line {line}, so there are no accounts.",
    ),
    "no_access": (
        "{file} n'a pas d'acl_file, il n'y a donc pas de liste d'accès : chaque compte peut tout dire.",
        "{file} has no acl_file, so there is no access list: every account may say everything.",
    ),
    "no_access.line": (
        (
            "{file} n'a pas d'acl_file pour le listener de la ligne {line}, il n'y a donc pas de liste d'accès : "
            "chaque compte peut tout dire."
        ),
        (
            "{file} has no acl_file for the listener in line {line}, so there is no access list: every account may say "
            "everything."
        ),
    ),
    "nodelay": (
        "{file} : sans set_tcp_nodelay chaque déverrouillage attend 40 ms.",
        "{file}: without set_tcp_nodelay every unlock waits 40 ms.",
    ),
    "nodelay.todo": ("Écrivez `set_tcp_nodelay true`.", "Write `set_tcp_nodelay true`."),
    "packets": (
        "{file} ne limite aucun paquet : un client remplit la mémoire (max_packet_size).",
        "{file} limits no packet: one client fills the memory (max_packet_size).",
    ),
    "no_tls": (
        (
            "{at} : {where} est joint d'au-delà de cette machine sans TLS : n'importe qui sur ce réseau lit les mots "
            "de passe et les ordres."
        ),
        (
            "{at}: {where} is reached from beyond this machine without TLS: anybody on that network reads the passwords"
            " and the commands."
        ),
    ),
    "no_tls.todo": (
        "Écoutez sur 127.0.0.1, ou laissez `perron broker-config --listen` l'écrire avec TLS.",
        "Listen on 127.0.0.1, or have `perron broker-config --listen` write it with TLS.",
    ),
    "client_id": (
        "{at} : un client peut prendre l'identifiant d'un autre et le chasser (use_username_as_clientid).",
        "{at}: a client may take another's id and push it out (use_username_as_clientid).",
    ),
    "client_id.todo": (
        "Écrivez `use_username_as_clientid true` sous le listener.",
        "Write `use_username_as_clientid true` below the listener.",
    ),
    "nobody_s": (
        "{at} : cela vaut pour qui n'a pas de compte.",
        "{at}: this holds for whoever has no account.",
    ),
    "nobody_s.todo": (
        "Mettez-la sous une ligne `user`, ou supprimez-la.",
        "Put it below a `user` line, or delete it.",
    ),
    "speaks_for": (
        "{at} : le compte {account} peut dire ce que seul {who} peut dire : {topic}.",
        "{at}: the account {account} may say what only {who} may: {topic}.",
    ),
    "all_speak_for": (
        "{at} : n'importe qui peut dire ce que seul {who} peut dire : {topic}.",
        "{at}: anybody may say what only {who} may: {topic}.",
    ),
    "line.todo": (
        "Supprimez la ligne. Écrivez-le avec `perron broker-config`.",
        "Delete the line. Write it with `perron broker-config`.",
    ),
}
