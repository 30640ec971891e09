"""`perron broker-config`: writes what mosquitto needs, for the house or for the radio beside it."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, quoted_path
from gateway.cli.options import HomeFile, cli, exit_unless, print_line
from gateway.config.home import Home
from gateway.mqtt.mosquitto import folder_check
from gateway.mqtt.mosquitto.provisioning import WeakBrokerSetup, write_house, write_radio
from gateway.system.addresses import is_any_address, is_host, is_loopback_host
from gateway.system.clock import machine_time
from gateway.system.dates import day_text
from gateway.system.i18n import SOURCE
from gateway.system.mosquitto import BrokerListener, broker_user, hand_over, reload
from gateway.system.pki.authority import IssuedCertificate, certificate_names
from gateway.system.pki.broker import CLIENTS_AUTHORITY, renew_broker_certificate
from gateway.system.pki.pages import format_fingerprint

_HOST_EXAMPLES = "Write it like 192.168.1.20, perron.home.arpa, or 0.0.0.0 to listen at every address."
DEFAULT_TLS_PORT = 8883  # IANA's port of MQTT by TLS


@cli.example(
    "perron broker-config config/accounts",
    "mosquitto -c config/accounts/mosquitto.conf",
    "perron broker-config config/accounts --listen 0.0.0.0 --name perron.home.arpa",
    "perron broker-config config/accounts --renew",
    "perron broker-config config/accounts --check",
    "perron broker-config /etc/perron/radio --radio --base zigbee2mqtt --port 1884",
)
def broker_config(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="Where the broker's files and the passwords go.")],
    *,
    home: HomeFile = DEFAULT_HOME,
    listen: Annotated[
        str | None, typer.Option(help="Where to listen; beyond this machine by TLS only.", metavar="ADDRESS")
    ] = None,
    tls_port: Annotated[
        int, typer.Option(help="The port of --listen, where broker itself speaks plainly.", min=1, max=65535)
    ] = DEFAULT_TLS_PORT,
    name: Annotated[
        list[str] | None, typer.Option(help="A name or address by which devices reach it (repeat it for more).")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Who mosquitto is when root starts it: its files become this user's.")
    ] = None,
    homeassistant: Annotated[
        bool, typer.Option("--homeassistant", help="An account for the owner's Home Assistant too.")
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Only renew the certificate, if it is time, and let mosquitto read it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is weak in the folder; exit code 1 if anything is.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Forget what was said of listeners, names and user before.")
    ] = False,
    radio: Annotated[
        bool, typer.Option("--radio", help="The radio's own broker instead: guard and bridge, on 127.0.0.1 alone.")
    ] = False,
    base: Annotated[str, typer.Option(help="With --radio: the base topic of the radio's bridge.")] = "zigbee2mqtt",
    port: Annotated[int, typer.Option(help="With --radio: the port on 127.0.0.1.", min=1, max=65535)] = 1884,
) -> None:
    """Write what mosquitto needs for this house: configuration, access list, an account a device, a certificate.

    Passwords and authority that lie there already are kept, unless they are weak: then nothing is written. So are the
    options of the last time. A mosquitto that runs with these files reads them anew.
    """
    for option, host in (("--listen", listen), *(("--name", one) for one in name or ())):
        if host is not None and not is_host(host):
            raise Failure(f"{option} {host}: this is neither an address nor a host name.", _HOST_EXAMPLES)
    with _as_failure(folder):
        before = folder_check.WrittenOptions() if afresh else folder_check.read_options(folder)
        user = _check_user(user or before.user)
        if radio:
            write_radio(folder, port=port, base=check_base_topic(base), user=user)
            return _print_radio_steps(folder, port, base)
        house = load_home(home)
        if check:
            return _print_faults(folder, house, user)
        if renew:
            return _renew_certificate(folder, house, user)
        _refuse_faults(folder, house, user)
        host, beyond = _listeners(house, listen, tls_port, before)
        certificate = write_house(
            folder, house, host=host, port=house.broker.port, user=user, lan_listener=beyond,
            homeassistant=homeassistant or before.homeassistant, names=name or before.names,
        )  # fmt: skip
    return _print_home_steps(folder, certificate)


@contextmanager
def _as_failure(folder: Path) -> Iterator[None]:
    authority = "Move that file away; a new authority has to be given to every device."
    with (
        failure_on(ValueError, "{why}.", authority),
        failure_on(OSError, f"{folder} cannot be used ({{why}}).", "Name another folder."),
        failure_on(WeakBrokerSetup),
    ):
        yield


def _check_user(name: str | None) -> str | None:
    """Return the user as which mosquitto will run; refuse one that does not exist, or to whom we cannot give files."""
    if name is None:
        return broker_user()
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Failure(f"This machine knows no user {name!r}.", "Debian's mosquitto is `--user mosquitto`.") from None
    if os.geteuid() not in {0, number}:
        raise Failure(f"Only root may give files to {name!r}.", "Run this as root, or mosquitto as you.")
    return name


def _listeners(
    home: Home, listen: str | None, tls_port: int, before: folder_check.WrittenOptions
) -> tuple[str, BrokerListener | None]:
    """Return the address of the house's own listener, and that of the one for other machines, if any."""
    if home.broker.tls is not None:
        everywhere = next((known.host for known in before.listeners if is_any_address(known.host)), None)
        return listen or everywhere or home.broker.host, None
    if listen is None:
        remote = (known for known in before.listeners if known.tls and not is_loopback_host(known.host))
        return home.broker.host, next(remote, None)
    if is_loopback_host(listen):
        return listen, None
    return home.broker.host, BrokerListener(host=listen, port=tls_port, tls=True)


def _print_faults(folder: Path, home: Home, user: str | None) -> None:
    """Print which files Perron did not write, and which secrets others can read or guess; if any, exit with 1."""
    if not (folder / "mosquitto.conf").exists():
        raise Failure(f"{folder} holds no mosquitto.conf: nothing was looked at.", "Name the broker's folder.")
    _require_password_file(folder, home)
    faults = folder_check.folder_faults(folder, home, user=user)
    for fault in faults:
        print_line(fault.to("en"))
    exit_unless(not faults)
    print_line(f"Nothing is weak in {folder}.")


def _refuse_faults(folder: Path, home: Home, user: str | None) -> None:
    """Refuse to overwrite a foreign configuration, and to keep passwords or keys that others may know."""
    _require_password_file(folder, home)
    foreign = folder_check.foreign_configuration(folder)
    faults = [*folder_check.secret_faults(folder, user=user), *([] if foreign is None else [foreign])]
    if faults:
        raise Failure("\n".join(fault.to("en") for fault in faults), "Nothing was written.")


def _require_password_file(folder: Path, home: Home) -> None:
    if home.broker.password_file is None:
        raise Failure(
            "broker.password_file is not in the house file, so the gateway would connect without an account.",
            f"Write `password_file: {folder.name}/gateway.password` under broker.",
        )


def _print_home_steps(folder: Path, certificate: IssuedCertificate | None) -> None:
    print_line(f"Written to {folder}: mosquitto.conf, access, passwords, and a .password file for every account.")
    if certificate is not None:
        authority = folder.resolve() / CLIENTS_AUTHORITY
        print_line(f"Devices trust {authority}, SHA-256 {format_fingerprint(certificate.fingerprint)}.")
        names = ", ".join(certificate_names(certificate.leaf))
        print_line(
            f"The certificate is for {names}, until {day_text(certificate.until.date()).to(SOURCE)}. Have it"
            f" renewed each day: `perron broker-config {quoted_path(folder)} --renew` does it when it is time."
        )
    for pid in reload(folder):
        print_line(
            f"The mosquitto that runs with it ({pid}) has the signal to reload it; a changed listener needs a restart."
        )


def _renew_certificate(folder: Path, home: Home, user: str | None) -> None:
    certificate = renew_broker_certificate(folder, box=home.box, now=machine_time())
    if certificate is None:
        raise Failure(
            f"{folder} holds no certificate of a broker.", f"Write one: `perron broker-config {quoted_path(folder)}`."
        )
    if not certificate.is_new:
        return print_line(
            f"The certificate is good until {day_text(certificate.until.date()).to(SOURCE)}: it is not time yet."
        )
    hand_over(folder, user)
    print_line(f"Renewed: good until {day_text(certificate.until.date()).to(SOURCE)}, under the same authority.")
    running = reload(folder)
    for pid in running:
        print_line(f"mosquitto ({pid}) was told to read it; who is connected stays so.")
    if not running:
        print_line("No mosquitto of this machine that may be told runs with these files: let yours read them (SIGHUP).")
    return None


def check_base_topic(text: str) -> str:
    """Return a base topic; refuse one that has wildcards, is empty, or is ours."""
    words = text.split("/")
    if not all(words) or set(text) & set("+#$ \t\r\n\0") or not text.isprintable() or words[0] == "perron":
        raise Failure(
            f"{text!r} is not the base topic of a radio.", "Write it as the bridge's own settings do: zigbee2mqtt"
        )
    return text


def _print_radio_steps(folder: Path, port: int, base: str) -> None:
    print_line(f"Written to {folder}: mosquitto.conf, access, passwords, guard.password and bridge.password.")
    print_line(
        f"Start it beside the radio: `mosquitto -c {folder}/mosquitto.conf`. It listens on 127.0.0.1:{port} alone."
    )
    print_line(f"The radio's bridge ({base}) logs in there as `bridge`, `perron guard` as `guard`, and nobody else.")
