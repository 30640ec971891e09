"""The texts of findings about the broker, its files and the gateway's connection."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _, pgettext

_CONNECTION_TEXTS: Mapping[str, Text] = {
    "trouble.expired": _("its certificate has expired"),
    "trouble.expired.todo": _("Renew it where the broker runs: `perron broker-config {folder} --renew`."),
    "trouble.not_yet": _("its certificate is not good yet: one of the two clocks is wrong"),
    "trouble.not_yet.todo": _("Set the clock of this machine and of the broker's."),
    "trouble.name": _("its certificate is another name's"),
    "trouble.name.todo": _(
        "Write it for that name: `perron broker-config {folder} --name {host}`, or correct broker.host."
    ),
    "trouble.authority": _("its certificate comes from another authority than broker.tls.ca"),
    "trouble.authority.todo": _(
        "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is another."
    ),
    "trouble.no_tls": _("it does not speak TLS"),
    "trouble.no_tls.todo": _(
        "Start the broker with the mosquitto.conf that `perron broker-config` wrote, or correct broker.port."
    ),
    "trouble.tls": _("no TLS connection came about"),
    "trouble.tls.todo": _(
        "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is another."
    ),
    "trouble.no_plain": _("somebody listens there, but does not answer in plain words (perhaps by TLS)"),
    "trouble.no_plain.todo": _(
        "Look at the broker's own log. If it speaks TLS, say `tls: {{ca: FILE}}` under broker in the house file."
    ),
    "trouble.nobody": _("nobody listens there"),
    "trouble.nobody.todo": _(
        "Start it: `mosquitto -c {folder}/mosquitto.conf` (`perron broker-config {folder}` writes that file). To try "
        "things, `perron simulate --broker` brings one."
    ),
    "trouble.account": _("it refuses this account"),
    "trouble.account.todo": _("Write its accounts with `perron broker-config {folder}`, then start it anew."),
    "trouble.host": _("no machine of that name is known"),
    "trouble.host.todo": _("Correct broker.host in the house file."),
    "trouble.silent": _("it does not answer"),
    "trouble.silent.todo": _("Look at the network, and at broker.host and broker.port in the house file."),
    "trouble.reset": _("it broke off: it does not speak TLS there"),
    "trouble.reset.todo": _("Correct broker.port, or write the broker's files anew."),
    "trouble.other": Text("{text}"),
    "trouble.other.todo": _("Look at the broker's own log."),
}

BROKER_TEXTS: Mapping[str, Text] = {
    **_CONNECTION_TEXTS,
    "what.broker": _("broker"),
    "what.broker_files": _("broker files"),
    "what.broker_certificate": _("broker certificate"),
    "what.round_trip": _("round trip"),
    "what.gateway": _("gateway"),
    "broker.lets_in": _("{where} lets {account} in"),
    "broker.no_talk": _("There is no talking to the broker at {where} as '{account}': {why}."),
    "broker.busy": _(
        "somebody measures, surveys or listens by the account {account} already, which has one connection"
    ),
    "broker.busy.todo": _("Examine again when that is over."),
    "broker.no_password": _("{file}: the password of the account '{account}' cannot be read ({why})."),
    "broker.no_password.todo": _(
        "Write it with `perron broker-config {folder}`, or correct broker.password_file: the passwords of all accounts "
        "lie beside it."
    ),
    "broker.no_authority": _("{file}: the authority of the broker cannot be read ({why})."),
    "broker.no_authority.todo": _(
        "Copy authority.pem out of the folder that `perron broker-config` wrote, or correct broker.tls.ca."
    ),
    "files.unseen": _("{file} cannot be looked at ({why})"),
    "files.unseen.todo": _("As root: `perron broker-config {folder} --check`"),
    "files.good": _("nothing in {folder} is weak"),
    "certificate.renew": _("`perron broker-config {folder} --renew`, daily"),
    "certificate.none": _("it shows none"),
    "certificate.late": _("good until {until}: nobody renews it"),
    "certificate.good": pgettext("a certificate", "good until {until}"),
    "echo.none": _("no echo within {seconds} s"),
    "echo.none.todo": _(
        "Look at the broker's load, and write its access list anew with `perron broker-config {folder}`."
    ),
    "echo.stall": _("{ms} ms: small packets wait for a delayed acknowledgement"),
    "echo.stall.todo": _("Say `set_tcp_nodelay true` in mosquitto.conf (`perron broker-config` does)."),
    "echo.good": _("{ms} ms"),
    "gateway.online": _("it runs and is connected"),
    "gateway.never": _("it has never been here"),
    "gateway.away": _("it is not connected"),
    "gateway.away.todo": _("Start it with `perron run`."),
    "gateway.here.todo": _("The broker lets its account in: it tries again by itself."),
}  # fmt: skip
