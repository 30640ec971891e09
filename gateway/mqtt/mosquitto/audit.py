"""Audits a broker's folder: each finding names the weakness, its place and the remedy. It only reads.

A mosquitto.conf is read as mosquitto reads it (mosquitto.conf(5), 2.0): `password_file`, `acl_file` and
`allow_anonymous` hold for all listeners unless `per_listener_settings` says otherwise; certificate, key and
`use_username_as_clientid` always belong to the listener above them.
"""

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devices.vendors.words import TopicSuffix
from gateway.config.broker_acl import HOMEASSISTANT_ACCOUNT, bridge_topics, homeassistant_entities, is_behind_guard
from gateway.config.home import Home
from gateway.config.topics import BRIDGE_CHANNELS, DEVICE_CHANNELS, bridge_base_topic, device_topic
from gateway.mqtt.mosquitto.audit_texts import WEAK
from gateway.system.addresses import is_loopback_host
from gateway.system.i18n import Language

OURS = "# Written by Perron."
SHORTEST = 16  # characters of a password; ours have 32
FEWEST = 8  # different characters in it
FOR_ALL = ("password_file", "acl_file")
OUTDATED = frozenset({"tlsv1", "tlsv1.1"})


@dataclass(frozen=True, slots=True)
class Weakness:
    """What is weak and where, and what to do about it: both by their names in `WEAK`, with the facts in them."""

    said: str
    mend: str
    facts: Mapping[str, str]

    @property
    def what(self) -> str:
        """What is weak and where, in English."""
        return weak(self.said, self.facts, "en")

    @property
    def todo(self) -> str:
        """What to do about it, in English."""
        return weak(self.mend, self.facts, "en")


def weak(key: str, facts: Mapping[str, str], language: Language) -> str:
    """Put one sentence into words.

    Raises:
        KeyError: there is none of this name, or it names a fact that is not given.
    """
    return WEAK[key].to(language, **facts)


@dataclass(slots=True)
class _Listener:
    """One `listener` of a mosquitto.conf, with the lines that belong to it."""

    line: int
    port: str
    host: str  # empty: every address
    said: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{self.host or 'every address'}:{self.port}"

    @property
    def near(self) -> bool:
        """Whether only this machine reaches it: loopback, or a socket of the file system."""
        return self.port == "0" or (bool(self.host) and is_loopback_host(self.host))


def weaknesses(folder: Path, home: Home, *, user: str | None = None) -> tuple[Weakness, ...]:
    """Find everything that is weak in the broker's folder of this house; nothing found means that it may be used.

    `user`: who mosquitto is, where it is another than who looks and than the configuration there says.

    Raises:
        OSError: something in it cannot be read.
    """
    return (*kept(folder, home, user=user), *_configuration(folder / "mosquitto.conf"),
            *_access(folder / "access", home))  # fmt: skip


def kept(folder: Path, home: Home, *, user: str | None = None) -> Iterator[Weakness]:
    """Find what is weak in what stays when a folder is written anew: passwords, keys, and who may read them.

    Raises:
        OSError: something in it cannot be read.
    """
    if home.broker.password_file is None:
        yield Weakness("unnamed", "unnamed.todo", {"name": folder.name})
    if not folder.is_dir():
        return
    user = user or runs_as(folder)
    if folder.stat().st_mode & 0o066:
        yield Weakness("folder_open", "folder_open.todo", {"file": str(folder), "mode": _mode(folder)})
    yield from _passwords(folder)
    for file in (*sorted(folder.glob("*.password")), folder / "passwords", folder / "embedded.toml",
                 folder / "authority" / "authority.key", folder / "tls" / "broker.key"):  # fmt: skip
        yield from _secret(file, user)


def foreign(folder: Path) -> Weakness | None:
    """Tell whether a mosquitto.conf lies there that somebody else wrote: it is never written over."""
    conf = folder / "mosquitto.conf"
    if not conf.exists() or conf.read_text(encoding="utf-8", errors="replace").startswith(OURS):
        return None
    return Weakness("foreign", "foreign.todo", {"file": str(conf)})


def runs_as(folder: Path) -> str | None:
    """Name the user whom mosquitto becomes when root starts it, as the folder's configuration says; None: itself.

    Raises:
        OSError: the configuration cannot be read.
    """
    conf = folder / "mosquitto.conf"
    lines = conf.read_text(encoding="utf-8", errors="replace").splitlines() if conf.exists() else []
    return next((line.split(" ", 1)[1].strip() for line in reversed(lines) if line.startswith("user ")), None)


def _mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def _passwords(folder: Path) -> Iterator[Weakness]:
    known: dict[str, Path] = {}
    for file in sorted(folder.glob("*.password")):
        if not file.is_file() or file.is_symlink():
            yield Weakness("no_file", "no_file.todo", {"file": str(file)})
            continue
        password = file.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        if len(password) < SHORTEST or len(set(password)) < FEWEST:
            yield Weakness("guessed", "anew.todo", {"file": str(file), "length": str(len(password))})
        elif password in known:
            yield Weakness("shared", "anew.todo", {"file": str(file), "other": known[password].name})
        known.setdefault(password, file)


def _secret(file: Path, user: str | None) -> Iterator[Weakness]:
    if not file.exists():
        return
    about = file.stat()
    if stat.S_IMODE(about.st_mode) & 0o077:
        yield Weakness("secret_open", "secret_open.todo", {"file": str(file), "mode": _mode(file)})
    if about.st_uid not in {0, os.geteuid(), *_number(user)}:
        yield Weakness("owner", "owner.todo", {"file": str(file), "uid": str(about.st_uid)})


def _number(user: str | None) -> Iterator[int]:
    if user is not None:
        try:
            yield pwd.getpwnam(user).pw_uid
        except KeyError:
            return


def _configuration(conf: Path) -> Iterator[Weakness]:
    """Read a mosquitto.conf as far as safety goes."""
    if not conf.exists():
        return
    whole: dict[str, str] = {}
    listeners: list[_Listener] = []
    for number, line in enumerate(conf.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        word, _, value = line.strip().partition(" ")
        value = value.strip()
        if not word or word.startswith("#"):
            continue
        if word == "listener":
            port, _, host = value.partition(" ")
            listeners.append(_Listener(number, port, host.strip()))
        elif word == "port":  # the listener of before there were several: every address, unless bind_address follows
            listeners.append(_Listener(number, value, ""))
        elif listeners:
            listeners[-1].said[word] = value
        whole[word] = value
        yield from _alone(f"{conf}:{number}", word, value)
    if not listeners:
        yield Weakness("no_listener", "rewrite.todo", {"file": str(conf)})
    yield from _together(conf, whole, listeners)
    for listener in listeners:
        yield from _heard(f"{conf}:{listener.line}", listener)


def _alone(at: str, word: str, value: str) -> Iterator[Weakness]:
    """What is weak whatever stands beside it."""
    match word, value:
        case "allow_anonymous", "true":
            said, mend = "anonymous", "false.todo"
        case "tls_version", outdated if outdated in OUTDATED:
            said, mend = "outdated", "outdated.todo"
        case "persistence", "true":
            said, mend = "persistence", "false.todo"
        case "max_keepalive", _:
            said, mend = "keepalive", "delete.todo"
        case (("include_dir" | "plugin" | "auth_plugin" | "global_plugin"), _):
            said, mend = "unseen", "delete.todo"
        case (("connection" | "address" | "addresses"), _):
            said, mend = "bridge", "bridge.todo"
        case "insecure_tls" | "bridge_insecure", "true":
            said, mend = "insecure", "delete.todo"
        case _:
            return
    yield Weakness(said, mend, {"at": at, "value": value})


def _together(conf: Path, whole: Mapping[str, str], listeners: list[_Listener]) -> Iterator[Weakness]:
    """What has to be there for all, or at each listener where each has rules of its own."""
    each = whole.get("per_listener_settings") == "true"
    for word in FOR_ALL:
        lacking = [x for x in listeners if word not in x.said] if each else [] if word in whole else listeners[:1]
        for listener in lacking:
            said = "no_accounts" if word == "password_file" else "no_access"
            facts = {"file": str(conf), "line": str(listener.line)}
            yield Weakness(f"{said}.line" if each else said, "rewrite.todo", facts)
    if whole.get("set_tcp_nodelay") != "true":
        yield Weakness("nodelay", "nodelay.todo", {"file": str(conf)})
    if whole.get("max_packet_size", "0") == "0":
        yield Weakness("packets", "rewrite.todo", {"file": str(conf)})


def _heard(at: str, listener: _Listener) -> Iterator[Weakness]:
    """What is weak at one listener."""
    said = listener.said
    host = said.get("bind_address", listener.host)
    near = listener.near or (bool(host) and is_loopback_host(host))
    if not near and not ("certfile" in said and "keyfile" in said):
        yield Weakness("no_tls", "no_tls.todo", {"at": at, "where": listener.where})
    if said.get("use_username_as_clientid") != "true":
        yield Weakness("client_id", "client_id.todo", {"at": at})


def _access(file: Path, home: Home) -> Iterator[Weakness]:
    """Find who may say what another one says, or command what only the gateway commands."""
    if not file.exists():
        return
    speakers = _speakers(home)
    account: str | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        if words[0] == "user":
            account = line.strip().partition(" ")[2].strip()
            continue
        right, topic = (words[1], " ".join(words[2:])) if words[1] in _RIGHTS else ("readwrite", " ".join(words[1:]))
        at = f"{file}:{number}"
        if words[0] == "topic" and account is None:
            yield Weakness("nobody_s", "nobody_s.todo", {"at": at})
        if right not in {"write", "readwrite"}:
            continue
        who = "%u" if words[0] == "pattern" else account
        wrong = next((t for t, may in speakers.items() if who not in may and _covers(topic, t, who)), None)
        if wrong is not None:
            facts = {"at": at, "account": str(who), "who": " / ".join(sorted(speakers[wrong])), "topic": wrong}
            yield Weakness("all_speak_for" if who == "%u" else "speaks_for", "line.todo", facts)


_RIGHTS = frozenset({"read", "write", "readwrite", "deny"})


def _speakers(home: Home) -> dict[str, frozenset[str]]:
    """For each topic of each device: who may publish there."""
    accounts = {base: account for account, bases in bridge_topics(home).items() for base in bases}
    found: dict[str, frozenset[str]] = {}
    for id_, device in home.devices.items():
        base = bridge_base_topic(home, id_)
        whose = id_ if base is None else accounts.get(base, base)
        if is_behind_guard(home, id_):  # behind the same radio as the lock whose guard it is
            whose = device.address
        if id_ in homeassistant_entities(home):
            whose = HOMEASSISTANT_ACCOUNT
        for channel in (*DEVICE_CHANNELS, *BRIDGE_CHANNELS, TopicSuffix.SET, TopicSuffix.GET) if device.speaks else ():
            by = {whose} if channel in (*DEVICE_CHANNELS, *BRIDGE_CHANNELS) else {"gateway", *({whose} if base else ())}
            topic = device_topic(home, id_, channel)
            owns = {"gateway"} if topic.startswith("perron/") else set()
            asks = {"installer"} if channel is TopicSuffix.GET else set()
            found[topic] = found.get(topic, frozenset()) | by | owns | asks
    return found


def _covers(rule: str, topic: str, who: str | None) -> bool:
    """Whether a topic filter covers a topic; of a pattern, for somebody else than whose topic it is."""
    words, parts = rule.split("/"), topic.split("/")
    for number, word in enumerate(words):
        if word == "#":
            return True
        if number >= len(parts):
            return False
        if word in {"%u", "%c"}:  # it is his own name there: of another's topic it is none
            if who == "%u":
                return False
            continue
        if word not in {"+", parts[number]}:
            return False
    return len(words) == len(parts)
