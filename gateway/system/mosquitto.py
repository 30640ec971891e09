"""Writes the configuration and the passwords of a mosquitto, for a house, its radio or a hub, and lets it reload them.

One account is one connection: the broker uses the user name as the client id, so a client can neither displace another
one nor speak in its name. The caller writes the access list.
"""

import base64
import contextlib
import getpass
import hashlib
import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.domain.frozen import Frozen
from gateway.system.addresses import is_loopback_host
from gateway.system.regular_file import read_text

MAX_PACKET_BYTES = 69_632  # bytes: the 64 KiB that the gateway reads, and room for topic and properties
MAX_REMOTE_CONNECTIONS = 500  # at a listener for other machines: a flood there leaves room at the loopback listener
FIRST_LINE = "# Written by Perron."  # of each mosquitto.conf that Perron wrote
PBKDF2_ITERATIONS = 101  # of PBKDF2, mosquitto's own number: the passwords are 192 random bits, not words


class BrokerListener(Frozen):
    """An address at which the broker is reached. On another address than loopback it needs `tls`.

    `connections` is the maximum number of connections; None: `MAX_REMOTE_CONNECTIONS`, and no limit on loopback.
    """

    host: str
    port: int
    tls: bool = False
    connections: int | None = None


def configuration(  # noqa: PLR0913 - what differs between the brokers of a house, a radio and a hub
    folder: Path,
    listeners: Sequence[BrokerListener],
    *,
    packet: int = MAX_PACKET_BYTES,
    user: str | None = None,
    options: Sequence[str] = (),
    listener_options: Sequence[str] = (),
) -> str:
    """Return mosquitto.conf for the accounts and the access list in `folder`, which is absolute.

    `packet` is the largest packet in bytes. `user` is the user as whom a mosquitto that root starts continues.
    `options` are further lines for all listeners, `listener_options` further lines for the last listener.
    """
    lines = [*_common_options(folder, packet), *options]
    for listener in listeners:
        lines += _listener_options(listener, folder)
    return "\n".join([*lines, *listener_options, *([f"user {user}"] if user else [])]) + "\n"


def _common_options(folder: Path, packet: int) -> Sequence[str]:
    """Return the options of all listeners: none has rules of its own that could be weaker."""
    return f"""\
{FIRST_LINE} Everything that is not allowed here is refused.
per_listener_settings false
allow_anonymous false
password_file {folder / "passwords"}
acl_file {folder / "access"}
# Without it every unlock waits 40 ms for a delayed acknowledgement.
set_tcp_nodelay true
max_packet_size {packet}
max_inflight_messages 200
# Of a client that stands still so much is kept, then the newest is dropped.
max_queued_messages 1000
max_queued_bytes {max(8_388_608, 2 * packet)}
# No max_keepalive: with one, mosquitto 2.0.21 cuts clients off at random (its issue 3226).
# Nothing outlives the broker: a command from before a restart is never delivered after it.
persistence false
persistent_client_expiration 1d
log_dest stderr
log_type error
log_type warning
log_type notice""".splitlines()


def _listener_options(listener: BrokerListener, folder: Path) -> Iterator[str]:
    yield f"listener {listener.port} {listener.host}"
    yield "# One account, one connection: a client cannot take another's id."
    yield "use_username_as_clientid true"
    if listener.tls:
        yield f"certfile {folder / 'tls' / 'broker.pem'}"
        yield f"keyfile {folder / 'tls' / 'broker.key'}"
        yield "tls_version tlsv1.2"
    if listener.connections is not None:
        yield f"max_connections {listener.connections}"
    elif not is_loopback_host(listener.host):
        yield f"max_connections {MAX_REMOTE_CONNECTIONS}"


def make_private_folder(folder: Path, user: str | None) -> Path:
    """Make the folder, closed to other users, and return its absolute path.

    If mosquitto runs as another user, it may open files in the folder but not list it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_another_user(user):
        folder.chmod(0o711)
    return folder.resolve()


def write_private(file: Path, text: str, user: str | None = None) -> None:
    """Write a file that only one user can read: the current user, or `user` if root writes it."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    _give(file, user)


def write_passwords(folder: Path, names: Sequence[str], user: str | None) -> Mapping[str, str]:
    """Keep each account's password or make a random one, write mosquitto's password file, and return the passwords."""
    known: dict[str, str] = {}
    for name in names:
        file = folder / f"{name}.password"
        if file.exists():
            known[name] = read_text(file).rstrip("\n")
        else:
            known[name] = secrets.token_urlsafe(24)
            write_private(file, known[name] + "\n")
    lines = [password_line(name, password, secrets.token_bytes(12)) for name, password in known.items()]
    write_private(folder / "passwords", "\n".join(lines) + "\n", user)
    return known


def password_line(name: str, password: str, salt: bytes) -> str:
    """Return one line of mosquitto's password file: PBKDF2 with SHA-512 (`$7$`)."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, PBKDF2_ITERATIONS)
    return f"{name}:$7${PBKDF2_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def hand_over(folder: Path, user: str | None) -> None:
    """Let mosquitto's user read the certificate and its key; the authority's key keeps its owner."""
    for path in (folder / "tls", folder / "tls" / "broker.pem", folder / "tls" / "broker.key"):
        _give(path, user)


def _is_another_user(user: str | None) -> bool:
    return user is not None and os.geteuid() == 0 and user != getpass.getuser()


def _give(path: Path, user: str | None) -> None:
    if user is not None and _is_another_user(user):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def broker_user() -> str | None:
    """Return the `user` of a configuration for this process: root, or None if mosquitto is not started as root.

    A mosquitto that root starts would otherwise become `mosquitto`, who cannot read root's private files.
    """
    return getpass.getuser() if os.geteuid() == 0 else None


def mosquitto_path() -> str | None:
    """Find the machine's mosquitto (Debian keeps it out of an ordinary user's PATH)."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def reload(folder: Path) -> tuple[int, ...]:
    """Let each mosquitto that runs with `folder`'s mosquitto.conf read its files again, and return their process ids.

    On SIGHUP it reads accounts, access list and certificate again, not the listeners, and keeps the connections of
    clients that are still permitted. Processes are found by their command line (Linux, proc(5)); those of another user
    are left alone.
    """
    conf = folder.resolve() / "mosquitto.conf"
    reloaded = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            words = (process / "cmdline").read_bytes().split(b"\0")
            working_folder = (process / "cwd").readlink()
            named = any(working_folder / os.fsdecode(word) == conf for word in words[1:])
            if Path(os.fsdecode(words[0])).name == "mosquitto" and named:
                os.kill(int(process.name), signal.SIGHUP)
                reloaded.append(int(process.name))
    return tuple(reloaded)
