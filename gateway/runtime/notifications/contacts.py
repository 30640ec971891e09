"""Edits the file of the phones' URLs while the box runs.

The file is read again for each change, so that manual edits and comments stay. It is written completely or not at all,
for the box's own user alone. A page may add less than a person may write there: only services that are reached over the
network, and no parameter that makes Apprise open a file of this machine.

A change raises OSError or StoreFailed if the file or the store cannot be read or written, LookupError if no phone has
the name, and ConfigError if a manual edit is invalid.
"""

import asyncio
import re
import stat
from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import structlog

from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.runtime.notifications import apprise
from gateway.runtime.notifications.batching import TEST_TEXT, PhoneNotification
from gateway.runtime.notifications.queue import NotificationQueue
from gateway.storage import Store
from gateway.storage.handover import TASK_FORGET_PHONES, TASK_RENEW_LINKS
from gateway.storage.models import PhoneStatus
from gateway.system.atomic_file import write_whole
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError
from gateway.system.i18n import Language, _
from gateway.system.regular_file import read_bytes, read_text
from gateway.system.text import sanitized

log = structlog.get_logger(__name__)

SCRATCH_FOLDER = "pocket"  # of pictures on their way to phones, under the storage folder
MAX_PHONES = 20  # phones: more than a household has; each uses a task of its own
MAX_URL_CHARACTERS = 500  # characters of an address

# What a page may add, each with its form. Some of Apprise's other services act on this machine itself (dbus, gnome,
# glib, macosx, windows, blink1, syslog), some open its files (fcm, vapid, nostr), and nobody has requested the rest
# yet. An allow list keeps a new service of a later Apprise out until a developer has examined it.
URL_TEMPLATES: Mapping[str, str] = MappingProxyType({
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
_FILE_PARAMETERS = re.compile(r"(template|attach\w*|pgp\w*|keyfile|subfile|config|include)\s*=", re.IGNORECASE)


class PhoneUrlError(Enum):
    """Why an address is not added, as the reader learns it."""

    NO_URL = _("This is no address: it begins like {example}.")  # no scheme, too long, or characters that no URL has
    NOT_LET_IN = _(  # a page may not add this scheme
        "{scheme}:// is not let in here: see below what is. Anything else is written by hand, into the file, on the "
        "box."
    )
    OPENS_FILES = _("This address would make the box read one of its files: it is not let in.")
    INCOMPLETE = _("Something is missing: {scheme}:// is written {example}.")  # Apprise cannot use what follows it
    KNOWN = _("This phone is there already.")
    TOO_MANY = _("Too many: {most} phones at most.")
    NOT_INSTALLED = _("The box lacks a module: `pip install 'perron[messages]'`, then restart it.")
    FILE = _("The file of the addresses cannot be read: `perron doctor` says why.")  # a manual edit is invalid


class PhoneTest(Frozen, kw_only=False):
    """A test message to a phone, and its result (None: still on its way)."""

    heard: apprise.SendResult | None = None


class ListedPhone(Frozen):
    """One phone in the form that may be shown. `host` is None where the URL has none that is certainly no secret."""

    name: str
    scheme: str
    host: str | None
    language: Language | None
    standing: PhoneStatus
    trial: PhoneTest | None = None


class RemovedPhone(Frozen, kw_only=False):
    """The number of messages still due to a removed phone, and whether other phones get them."""

    waiting: int
    others: bool


class Contacts:
    """Manages the box's phones. `key` names phones; `scratch` is a folder for pictures on their way."""

    def __init__(  # noqa: PLR0913 - each is a part that it uses
        self, home: Home, *, queue: NotificationQueue, store: Store, clock: Clock, key: bytes, scratch: Path
    ) -> None:
        self.file = home.phones_file
        self._home, self._queue, self._store, self._clock = home, queue, store, clock
        self._key, self._scratch = key, scratch
        self._file_lock = asyncio.Lock()
        self._tests: dict[str, PhoneTest] = {}
        self._test_tasks: set[asyncio.Task[None]] = set()

    def list_phones(self) -> tuple[ListedPhone, ...]:
        """Return the phones that the running box notifies, in the file's order."""
        standings = {status.name: status for status in self._store.phones.statuses()}
        return tuple(
            ListedPhone(
                name=phone.name,
                scheme=phone.scheme,
                host=phone.host,
                language=self._queue.language_of(phone.name),
                standing=standings.get(phone.name, PhoneStatus(name=phone.name)),
                trial=self._tests.get(phone.name),
            )
            for phone in self._queue.phones
        )

    async def add(self, url: str, by: str) -> PhoneUrlError | None:
        """Add an address on a person's request, for all later messages; or return why not."""
        url = url.strip()
        async with self._file_lock:
            # Never beside phones of the former household: that would notify them too.
            anew = is_former_file(self.file, self._store)
            error = await asyncio.to_thread(self._append_url, url, anew=anew)
            if error is not None:
                return error
            await self._reload()
            scheme = url.partition("://")[0].lower()
            await self._store.log.append("phone_added", {"scheme": scheme, "by": by}, self._clock.now())
        return None

    async def remove(self, name: str, by: str) -> RemovedPhone:
        """Remove a phone from the file; messages due only to it become due to the other phones."""
        async with self._file_lock:
            phone = next((phone for phone in self.list_phones() if phone.name == name), None)
            if phone is None:
                raise LookupError("no such phone")
            await asyncio.to_thread(self._remove_line, name)
            self._tests.pop(name, None)
            await self._reload()
            await self._store.log.append("phone_removed", {"scheme": phone.scheme, "by": by}, self._clock.now())
        return RemovedPhone(waiting=phone.standing.waiting, others=bool(self._queue.phones))

    async def set_language(self, name: str, language: Language | None) -> None:
        """Set a phone's own language, or (None) the house's."""
        await self._store.phones.set_language(name, language)
        self._queue.on_change()

    def send_test(self, name: str) -> bool:
        """Send a phone a test message; `list_phones` shows the result. False: unknown, or a test is on its way."""
        phone = next((phone for phone in self._queue.phones if phone.name == name), None)
        running = self._tests.get(name)
        if phone is None or (running is not None and running.heard is None):
            return False
        self._tests[name] = PhoneTest()
        task = asyncio.create_task(self._run_test(phone), name=f"trial {phone.scheme}")
        self._test_tasks.add(task)
        task.add_done_callback(self._test_tasks.discard)
        return True

    async def _run_test(self, phone: apprise.ApprisePhone) -> None:
        language = self._queue.language_of(phone.name) or self._home.language
        result = await phone.send(PhoneNotification(title=sanitized(self._home.name), text=TEST_TEXT.to(language)))
        if phone.name in self._tests:  # else it was removed meanwhile
            self._tests[phone.name] = PhoneTest(result)
        await self._queue.record_attempt(phone.name, result)

    async def _reload(self) -> None:
        phones = await asyncio.to_thread(apprise.load_phones, self.file, key=self._key, scratch=self._scratch)
        await self._queue.set_phones(phones)

    def _append_url(self, url: str, *, anew: bool) -> PhoneUrlError | None:
        error = phone_url_error(url)
        if error is not None:
            return error
        stays = self.file.exists() and not anew
        try:
            phones = apprise.load_phones(self.file, key=self._key, scratch=self._scratch) if stays else ()
        except ConfigError:
            return PhoneUrlError.FILE
        if len(phones) >= MAX_PHONES:
            return PhoneUrlError.TOO_MANY
        if apprise.ApprisePhone(url, key=self._key, scratch=self._scratch).name in {phone.name for phone in phones}:
            return PhoneUrlError.KNOWN
        before = read_text(self.file) if stays else ""
        ended = before if not before or before.endswith("\n") else f"{before}\n"
        write_whole(self.file, f"{ended}{url}\n".encode())
        return None

    def _remove_line(self, name: str) -> None:
        lines = read_text(self.file).splitlines(keepends=True)
        remaining = [line for line in lines if not self._line_has_name(line.strip(), name)]
        write_whole(self.file, "".join(remaining).encode())

    def _line_has_name(self, line: str, name: str) -> bool:
        return "://" in line and apprise.ApprisePhone(line, key=self._key, scratch=self._scratch).name == name


def phone_url_error(url: str) -> PhoneUrlError | None:
    """Return why a page may not add this address, regardless of the file; None: it may."""
    scheme = url.partition("://")[0].lower()
    if "://" not in url or len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url:
        return PhoneUrlError.NO_URL
    if scheme not in URL_TEMPLATES:
        return PhoneUrlError.NOT_LET_IN
    if _FILE_PARAMETERS.search(unquote(unquote(url))):  # twice: a name that is encoded twice is not honest
        return PhoneUrlError.OPENS_FILES
    if not apprise.is_installed():
        return PhoneUrlError.NOT_INSTALLED
    return None if apprise.is_known_url(url) else PhoneUrlError.INCOMPLETE


def is_open_to_others(file: Path) -> bool:
    """Return whether another user of this machine may read or write the file."""
    return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)


def owner_phones(home: Home, key: bytes) -> tuple[apprise.ApprisePhone, ...]:
    """Load the owner's phones, and delete the pictures that an earlier run left for them; `key` signs links.

    Raises:
        ConfigError: the phones' file cannot be used. If the house file does not name it, it need not exist.
    """
    scratch, file = home.storage.folder / SCRATCH_FOLDER, home.phones_file
    apprise.delete_pictures(scratch)
    if home.messages is None and not file.exists():
        return ()
    phones = apprise.load_phones(file, key=key, scratch=scratch)
    if is_open_to_others(file):
        log.warning("phones_open_to_others", file=str(file), todo="chmod 600: who reads it can write to your phones")
    return phones


def is_former_file(file: Path, store: Store) -> bool:
    """Return whether the phones' file is still the former household's, so that nobody in it may be notified."""
    if store.handover.pending_task(TASK_RENEW_LINKS) is not None:  # even that could not be recorded
        return True
    digest = store.handover.pending_task(TASK_FORGET_PHONES)
    return digest is not None and file_digest(file) == digest


def file_digest(file: Path) -> str:
    """Return a digest of the file's content; an empty string if it cannot be read."""
    try:
        return sha256(read_bytes(file)).hexdigest()
    except OSError:
        return ""
