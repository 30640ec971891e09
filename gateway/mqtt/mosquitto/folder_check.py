"""Finds files in a broker's folder that Perron did not write, and secrets that others can read or guess. It only reads.

Perron does not judge a foreign mosquitto.conf and never overwrites one: the person moves it away. A configuration or an
access list of its own is compared with what Perron writes for this house today. OSError: a file cannot be read.
"""

import contextlib
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.config.broker_acl import HOMEASSISTANT_ACCOUNT, AccountTaken, access_list
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.mqtt.mosquitto.provisioning import house_configuration
from gateway.system.i18n import Language, Text, _
from gateway.system.mosquitto import FIRST_LINE, BrokerListener
from gateway.system.pki.broker import broker_certificate_names

MIN_PASSWORD_LENGTH = 16  # characters; Perron's own passwords have 32
MIN_DIFFERENT_CHARACTERS = 8

_NEW_PASSWORD_TODO = _(
    "Delete the file and run `perron broker-config {folder}` again: it makes a new one; give that to the device."
)
FOLDER_TEXTS: Mapping[str, tuple[Text, Text]] = {
    "folder_open": (_("{file} can be listed or written by others (mode {mode})."), Text("`chmod 700 {file}`")),
    "foreign": (_("{file} was not written by Perron, and would be lost."), _("Move it away, or name another folder.")),
    "altered": (
        _("{file} is not what Perron writes for this house."),
        _("Write it with `perron broker-config {folder}`."),
    ),
    "no_file": (_("{file} is no plain file."), _("Remove it; what it leads to may be anybody's.")),
    "guessed": (_("{file} holds a password that can be guessed ({length} characters)."), _NEW_PASSWORD_TODO),
    "shared": (_("{file} and {other} hold the same password: one stands for both."), _NEW_PASSWORD_TODO),
    "secret_open": (
        _("{file} can be read or written by others on this machine (mode {mode})."),
        _("`chmod 600 {file}`; where others were there, delete it and write it anew."),
    ),
    "owner": (
        _("{file} belongs to another user ({uid}), who can change it."),
        _("Make it yours (`chown`), or say with --user that mosquitto is that one."),
    ),
}
"""What may be wrong, and what to do about it."""


class FileFault(Frozen, kw_only=False):
    """What is wrong with a file: a key of `FOLDER_TEXTS`, and the facts in its texts."""

    key: str
    facts: Mapping[str, str]

    def to(self, language: Language) -> str:
        """Return both sentences in this language."""
        return " ".join(text.to(language, **self.facts) for text in FOLDER_TEXTS[self.key])


class WrittenOptions(Frozen):
    """The options of `perron broker-config` with which a folder was written last; `user` runs mosquitto for root."""

    listeners: tuple[BrokerListener, ...] = ()
    names: tuple[str, ...] = ()
    user: str | None = None
    homeassistant: bool = False


def read_options(folder: Path) -> WrittenOptions:
    """Read the options out of the folder's files; without a mosquitto.conf of Perron's there are none.

    Raises:
        ValueError: the configuration was edited, or the certificate cannot be read.
    """
    conf = folder / "mosquitto.conf"
    if not conf.exists() or foreign_configuration(folder) is not None:
        return WrittenOptions()
    return WrittenOptions(
        listeners=configured_listeners(conf), names=broker_certificate_names(folder), user=_configured_user(folder),
        homeassistant=_has_homeassistant(folder),
    )  # fmt: skip


def foreign_configuration(folder: Path) -> FileFault | None:
    """Return the fault of a mosquitto.conf that Perron did not write; None: it wrote it, or there is none."""
    conf = folder / "mosquitto.conf"
    if not conf.exists() or conf.read_text(encoding="utf-8", errors="replace").startswith(FIRST_LINE):
        return None
    return FileFault("foreign", {"file": str(conf)})


def folder_faults(folder: Path, home: Home, *, user: str | None = None) -> tuple[FileFault, ...]:
    """Return what is wrong in the broker's folder of this house. `user` is as for `secret_faults`."""
    return (*secret_faults(folder, user=user), *_configuration_faults(folder, home))


def secret_faults(folder: Path, *, user: str | None = None) -> Iterator[FileFault]:
    """Return what is wrong with the files that stay when the folder is written again: passwords and keys.

    `user` runs mosquitto, if the configuration in the folder does not name another one.
    """
    if not folder.is_dir():
        return
    if folder.stat().st_mode & 0o066:
        yield FileFault("folder_open", {"file": str(folder), "mode": _mode(folder)})
    yield from _password_faults(folder)
    owners, mosquitto_user = {0, os.geteuid()}, user or _configured_user(folder)
    with contextlib.suppress(KeyError):  # this machine has no such user
        owners |= {pwd.getpwnam(mosquitto_user).pw_uid} if mosquitto_user else set()
    for file in (*sorted(folder.glob("*.password")), folder / "passwords", folder / "embedded.toml",
                 folder / "authority" / "authority.key", folder / "tls" / "broker.key"):  # fmt: skip
        if file.exists():
            yield from _access_faults(file, owners)


def _configuration_faults(folder: Path, home: Home) -> Iterator[FileFault]:
    foreign = foreign_configuration(folder)
    if foreign is not None:
        yield foreign
        return
    for name, render in (("mosquitto.conf", _render_configuration), ("access", _render_access_list)):
        file = folder / name
        if file.exists() and file.read_text(encoding="utf-8", errors="replace") != render(folder, home):
            yield FileFault("altered", {"file": str(file), "folder": shlex.quote(str(folder))})


def _render_configuration(folder: Path, home: Home) -> str | None:
    """Return mosquitto.conf as Perron writes it with the same listeners and user; None: it names none, or more."""
    try:
        listeners = configured_listeners(folder / "mosquitto.conf")
    except ValueError:
        return None
    if len(listeners) not in (1, 2):
        return None
    own = replace(listeners[0], tls=home.broker.tls is not None)
    return house_configuration(folder.resolve(), home, (own, *listeners[1:]), user=_configured_user(folder))


def _render_access_list(folder: Path, home: Home) -> str | None:
    """Return the access list as Perron writes it; None: accounts clash, which `perron broker-config` explains."""
    try:
        return access_list(home, homeassistant=_has_homeassistant(folder))
    except AccountTaken:
        return None


def configured_listeners(conf: Path) -> tuple[BrokerListener, ...]:
    """Return the listeners of a mosquitto.conf. ValueError: it was edited and cannot be read."""
    listeners: list[BrokerListener] = []
    for line in conf.read_text(encoding="utf-8", errors="replace").splitlines():
        option, _space, value = line.partition(" ")
        if option == "listener":
            port, _space, host = value.partition(" ")
            listeners.append(BrokerListener(host=host, port=int(port)))
        elif option == "certfile" and listeners:
            listeners[-1] = replace(listeners[-1], tls=True)
    return tuple(listeners)


def _has_homeassistant(folder: Path) -> bool:
    return (folder / f"{HOMEASSISTANT_ACCOUNT}.password").exists()


def _password_faults(folder: Path) -> Iterator[FileFault]:
    files_by_password: dict[str, Path] = {}
    typed = shlex.quote(str(folder))
    for file in sorted(folder.glob("*.password")):
        if not file.is_file() or file.is_symlink():
            yield FileFault("no_file", {"file": str(file)})
            continue
        password = file.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        if len(password) < MIN_PASSWORD_LENGTH or len(set(password)) < MIN_DIFFERENT_CHARACTERS:
            yield FileFault("guessed", {"file": str(file), "folder": typed, "length": str(len(password))})
        elif password in files_by_password:
            yield FileFault(
                "shared",
                {"file": str(file), "folder": typed, "other": files_by_password[password].name},
            )
        files_by_password.setdefault(password, file)


def _access_faults(file: Path, owners: set[int]) -> Iterator[FileFault]:
    status = file.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        yield FileFault("secret_open", {"file": str(file), "mode": _mode(file)})
    if status.st_uid not in owners:
        yield FileFault("owner", {"file": str(file), "uid": str(status.st_uid)})


def _configured_user(folder: Path) -> str | None:
    """Return the user in mosquitto.conf as far as it can be read, whoever wrote it."""
    conf = folder / "mosquitto.conf"
    lines = conf.read_text(encoding="utf-8", errors="replace").splitlines() if conf.exists() else []
    return next((line.split(" ", 1)[1].strip() for line in reversed(lines) if line.startswith("user ")), None)


def _mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"
