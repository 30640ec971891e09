"""The texts of the audit's findings."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _

WEAK: Mapping[str, Text] = {
    "unnamed": _("broker.password_file is not in the house file, so the gateway would come as nobody."),
    "unnamed.todo": _("Write `password_file: {name}/gateway.password` under broker."),
    "folder_open": _("{file} can be listed or written by others (mode {mode})."),
    "folder_open.todo": Text("`chmod 700 {file}`"),
    "foreign": _("{file} was not written by Perron, and would be lost."),
    "foreign.todo": _("Move it away, or name another folder; --check says what is weak in it."),
    "no_file": _("{file} is no plain file."),
    "no_file.todo": _("Remove it; what it leads to may be anybody's."),
    "guessed": _("{file} holds a password that can be guessed ({length} characters)."),
    "shared": _("{file} and {other} hold the same password: one stands for both."),
    "anew.todo": _(
        "Delete the file and run `perron broker-config` again: it makes a new one; give that to the device."
    ),
    "secret_open": _("{file} can be read or written by others on this machine (mode {mode})."),
    "secret_open.todo": _("`chmod 600 {file}`; where others were there, delete it and write it anew."),
    "owner": _("{file} belongs to another user ({uid}), who can change it."),
    "owner.todo": _("Make it yours (`chown`), or say with --user that mosquitto is that one."),
    "no_listener": _("{file} names no listener: mosquitto then lets in everybody on this machine, without password."),
    "rewrite.todo": _("Write it with `perron broker-config`."),
    "anonymous": _("{at}: whoever has no account comes in too (allow_anonymous)."),
    "false.todo": _("Write false."),
    "outdated": _("{at}: {value} was broken long ago."),
    "outdated.todo": _("Write `tls_version tlsv1.2`."),
    "persistence": _("{at}: a command from before a restart would be delivered after it."),
    "keepalive": _("{at}: mosquitto 2.0.21 then cuts clients off at random (its issue 3226)."),
    "unseen": _("{at}: what {value} adds to these rules is not seen here."),
    "delete.todo": _("Delete it."),
    "bridge": _("{at}: it carries messages between this broker and another."),
    "bridge.todo": _("Delete the bridge."),
    "insecure": _("{at}: nobody is compared with his certificate."),
    "no_accounts": _("{file} has no password_file, so there are no accounts."),
    "no_accounts.line": _("{file} has no password_file for the listener in line {line}, so there are no accounts."),
    "no_access": _("{file} has no acl_file, so there is no access list: every account may say everything."),
    "no_access.line": _(
        "{file} has no acl_file for the listener in line {line}, so there is no access list: every account may say "
        "everything."
    ),
    "nodelay": _("{file}: without set_tcp_nodelay every unlock waits 40 ms."),
    "nodelay.todo": _("Write `set_tcp_nodelay true`."),
    "packets": _("{file} limits no packet: one client fills the memory (max_packet_size)."),
    "no_tls": _(
        "{at}: {where} is reached from beyond this machine without TLS: anybody on that network reads the passwords "
        "and the commands."
    ),
    "no_tls.todo": _("Listen on 127.0.0.1, or have `perron broker-config --listen` write it with TLS."),
    "client_id": _("{at}: a client may take another's id and push it out (use_username_as_clientid)."),
    "client_id.todo": _("Write `use_username_as_clientid true` below the listener."),
    "nobody_s": _("{at}: this holds for whoever has no account."),
    "nobody_s.todo": _("Put it below a `user` line, or delete it."),
    "speaks_for": _("{at}: the account {account} may say what only {who} may: {topic}."),
    "all_speak_for": _("{at}: anybody may say what only {who} may: {topic}."),
    "line.todo": _("Delete the line. Write it with `perron broker-config`."),
}
