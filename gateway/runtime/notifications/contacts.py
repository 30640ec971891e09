"""The phone book: the file of the phones' URLs, changed under a running box.

The file is read anew for each change, so that what was written into it by hand stays, remarks included. It is written
whole or not at all, for the box's own user alone. What a page may add is less than what a hand may write there: only
services that are reached over the network, and no word that makes Apprise open a file of this machine.
"""

import asyncio
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, auto
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.runtime.notifications.apprise import ApprisePhone, Heard, Phone, installed, known, read
from gateway.runtime.notifications.batching import TRIAL, Notice
from gateway.runtime.notifications.former_contacts import former
from gateway.runtime.notifications.queue import Pocket
from gateway.storage import PhoneStanding, Store
from gateway.system.atomic_file import write_whole
from gateway.system.clock import Clock
from gateway.system.i18n import Language
from gateway.system.regular_file import read_text
from gateway.system.text import inert

MOST = 20  # phones: more than a household has, and each is a task of its own
LONGEST = 500  # characters of an address

# What a page may add, each with its form. Of Apprise's other services some do things on this machine itself (dbus,
# gnome, glib, macosx, windows, blink1, syslog), some open its files (fcm, vapid, nostr), and the rest nobody asked for
# yet: a list of what is good lets a service that a later Apprise brings stay outside until somebody has looked at it.
FORMS: Mapping[str, str] = MappingProxyType({
    "discord": "discord://WEBHOOK_ID/WEBHOOK_TOKEN",
    "freemobile": "freemobile://USER@PASSWORD",
    "gotify": "gotify://SERVER/TOKEN",
    "gotifys": "gotifys://SERVER/TOKEN",
    "hassio": "hassio://SERVER/TOKEN",
    "hassios": "hassios://SERVER/TOKEN",
    "join": "join://KEY/DEVICE",
    "json": "json://SERVER/PATH",
    "jsons": "jsons://SERVER/PATH",
    "mailto": "mailto://USER:PASSWORD@SERVER",
    "mailtos": "mailtos://USER:PASSWORD@SERVER",
    "matrix": "matrix://USER:PASSWORD@SERVER/ROOM",
    "matrixs": "matrixs://USER:PASSWORD@SERVER/ROOM",
    "mmost": "mmost://SERVER/TOKEN",
    "mmosts": "mmosts://SERVER/TOKEN",
    "nctalk": "nctalk://USER:PASSWORD@SERVER/ROOM",
    "nctalks": "nctalks://USER:PASSWORD@SERVER/ROOM",
    "ntfy": "ntfy://SERVER/TOPIC",
    "ntfys": "ntfys://SERVER/TOPIC",
    "pbul": "pbul://TOKEN",
    "pover": "pover://USER@TOKEN",
    "prowl": "prowl://KEY",
    "signal": "signal://SERVER:PORT/FROM/TO",
    "signals": "signals://SERVER:PORT/FROM/TO",
    "slack": "slack://TOKEN_A/TOKEN_B/TOKEN_C",
    "spush": "spush://KEY",
    "tgram": "tgram://BOT_TOKEN/CHAT_ID",
    "threema": "threema://GATEWAY@SECRET/TO",
})  # fmt: skip

# Parameters by which Apprise opens a file of this machine, or fetches what it then sends on.
_FILES = re.compile(r"(template|attach\w*|pgp\w*|keyfile|subfile|config|include)\s*=", re.IGNORECASE)


class Unfit(StrEnum):
    """Why an address is not added."""

    NO_URL = auto()  # no scheme, too long, or characters that no URL has
    NOT_LET_IN = auto()  # a scheme that a page may not add
    OPENS_FILES = auto()
    INCOMPLETE = auto()  # the scheme is good, the rest is not what Apprise needs
    KNOWN = auto()  # it stands in the file already
    TOO_MANY = auto()
    NOT_INSTALLED = auto()  # the extra is missing
    FILE = auto()  # the file cannot be read: somebody wrote into it by hand


@dataclass(frozen=True, slots=True)
class Trial:
    """A word to try a phone: since when, and what came of it (None: still on its way)."""

    at: datetime
    heard: Heard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One phone as it may be shown. `host` is None where its URL has none that could not be a secret."""

    name: str
    scheme: str
    host: str | None
    language: Language | None
    standing: PhoneStanding
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What a phone that was removed was still owed: so many, and whether other phones are told of them."""

    waiting: int
    others: bool


class Phonebook:
    """One for the box. `key` names phones; `scratch` is a folder for pictures on their way."""

    def __init__(  # noqa: PLR0913 - what a phone book needs, named one by one
        self, home: Home, *, pocket: Pocket, store: Store, clock: Clock, key: bytes, scratch: Path
    ) -> None:
        self.file = home.phones_file
        self._home, self._pocket, self._store, self._clock = home, pocket, store, clock
        self._key, self._scratch = key, scratch
        self._changing = asyncio.Lock()
        self._trials: dict[str, Trial] = {}
        self._trying: set[asyncio.Task[None]] = set()

    def listed(self) -> tuple[Listed, ...]:
        """The phones that the running box tells, in the file's order."""
        standings = {one.name: one for one in self._store.phones()}
        return tuple(
            Listed(
                name=phone.name,
                scheme=phone.scheme,
                host=phone.host,
                language=self._pocket.language_of(phone.name),
                standing=standings.get(phone.name, PhoneStanding(name=phone.name)),
                trial=self._trials.get(phone.name),
            )
            for phone in self._pocket.phones
        )

    async def add(self, url: str, by: str) -> Unfit | None:
        """Add an address, asked for by a person; it is owed every message from now on. Or why not.

        Raises:
            OSError, StoreFailed: it cannot be written.
        """
        url = url.strip()
        async with self._changing:
            anew = former(self.file, self._store)  # never beside phones of the former household: that tells them too
            unfit = await asyncio.to_thread(self._written, url, anew=anew)
            if unfit is not None:
                return unfit
            await self._taken_in()
            scheme = url.partition("://")[0].lower()
            await self._store.note("phone_added", {"scheme": scheme, "by": by}, self._clock.now())
        return None

    async def remove(self, name: str, by: str) -> Left:
        """Take a phone out of the file. What it was still owed and no other phone ever was, those are owed from now on.

        Raises:
            LookupError: there is no such phone.
            ConfigError: the file cannot be read any more.
            OSError, StoreFailed: it cannot be written.
        """
        async with self._changing:
            found = next((one for one in self.listed() if one.name == name), None)
            if found is None:
                raise LookupError("no such phone")
            await asyncio.to_thread(self._struck_out, name)
            self._trials.pop(name, None)
            await self._taken_in()
            await self._store.note("phone_removed", {"scheme": found.scheme, "by": by}, self._clock.now())
        return Left(waiting=found.standing.waiting, others=bool(self._pocket.phones))

    async def speak(self, name: str, language: Language | None) -> None:
        """Tell a phone in a language of its own, or (None) in the house's.

        Raises:
            LookupError: there is no such phone.
            StoreFailed: it cannot be stored.
        """
        await self._store.phone_speaks(name, language)
        self._pocket.speak(name, language)

    def try_out(self, name: str) -> bool:
        """Send a phone a word; `listed` tells what comes of it. False: no such phone, or one is on its way to it."""
        phone = next((one for one in self._pocket.phones if one.name == name), None)
        running = self._trials.get(name)
        if phone is None or (running is not None and running.heard is None):
            return False
        self._trials[name] = Trial(self._clock.now().utc)
        task = asyncio.create_task(self._try(phone), name=f"trial {phone.scheme}")
        self._trying.add(task)
        task.add_done_callback(self._trying.discard)
        return True

    async def _try(self, phone: Phone) -> None:
        language = self._pocket.language_of(phone.name) or self._home.language
        heard = await phone.tell(Notice(title=inert(self._home.name), text=TRIAL.to(language)))
        if phone.name in self._trials:  # else it was removed meanwhile
            self._trials[phone.name] = replace(self._trials[phone.name], heard=heard)
        await self._pocket.note_try(phone.name, heard)

    async def _taken_in(self) -> None:
        phones = await asyncio.to_thread(read, self.file, key=self._key, scratch=self._scratch)
        await self._pocket.take(phones)

    # ---- the file: in a thread, one change at a time

    def _written(self, url: str, *, anew: bool) -> Unfit | None:
        unfit = misfit(url)
        if unfit is not None:
            return unfit
        stays = self.file.exists() and not anew
        try:
            there = read(self.file, key=self._key, scratch=self._scratch) if stays else ()
        except ConfigError:
            return Unfit.FILE
        if len(there) >= MOST:
            return Unfit.TOO_MANY
        if ApprisePhone(url, key=self._key, scratch=self._scratch).name in {phone.name for phone in there}:
            return Unfit.KNOWN
        before = read_text(self.file) if stays else ""
        ended = before if not before or before.endswith("\n") else f"{before}\n"
        write_whole(self.file, f"{ended}{url}\n".encode())
        return None

    def _struck_out(self, name: str) -> None:
        lines = read_text(self.file).splitlines(keepends=True)
        kept = [line for line in lines if not self._names(line.strip(), name)]
        write_whole(self.file, "".join(kept).encode())

    def _names(self, line: str, name: str) -> bool:
        return "://" in line and ApprisePhone(line, key=self._key, scratch=self._scratch).name == name


def misfit(url: str) -> Unfit | None:
    """Why a page may not add this address, whatever stands in the file already; None: it may."""
    scheme = url.partition("://")[0].lower()
    if "://" not in url or len(url) > LONGEST or not url.isprintable() or " " in url:
        return Unfit.NO_URL
    if scheme not in FORMS:
        return Unfit.NOT_LET_IN
    if _FILES.search(unquote(unquote(url))):  # twice: a word that is hidden once more is no honest one
        return Unfit.OPENS_FILES
    if not installed():
        return Unfit.NOT_INSTALLED
    return None if known(url) else Unfit.INCOMPLETE


def open_to_others(file: Path) -> bool:
    """Whether somebody else on this machine may read the file, or write to it.

    Raises:
        OSError: it cannot be looked at.
    """
    return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)
