"""Adds and removes phones, and stores which messages each one gets, while the box runs.

Addresses of Apprise stand in a file; browsers that are told by Web Push are in the store.

The file is read again for each change, so that manual edits and comments stay. It is written completely or not at all,
for the box's own user alone. A page may add less than a person may write there: only services that are reached over the
network, and no parameter that makes Apprise open a file of this machine.

A change raises OSError or StoreFailed if the file or the store cannot be read or written, LookupError if no phone has
the name, and ConfigError if a manual edit is invalid.
"""

import asyncio
import contextlib
import re
import secrets
import stat
from collections.abc import Coroutine, Mapping
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
from gateway.runtime.notifications.categories import MessageCategory, format_muted, parse_muted
from gateway.runtime.notifications.phone import Phone, SendResult
from gateway.runtime.notifications.queue import NotificationQueue
from gateway.runtime.notifications.web_push import BadSubscriptionError, PushServices, WebPushPhone, parse_subscription
from gateway.storage.handover import TASK_FORGET_PHONES, TASK_RENEW_LINKS
from gateway.storage.models import PhoneStatus, StoreFailed
from gateway.storage.push_subscriptions import SubscribeResult
from gateway.storage.store import Store
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
TOPIC_BYTES = 12  # random bytes of a topic that the box makes: a person who knows it can read the messages
PHONE_NAME_BYTES = 16
NTFY_SERVER = "ntfy.sh"  # the public server of ntfy's authors, which a page proposes

_SERVER = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?", re.ASCII)

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
    NOT_INSTALLED = _("The box lacks a module: whoever looks after it installs perron[messages] and restarts it.")
    FILE = _("The file of the addresses cannot be read: the health check says why.")  # a manual edit is invalid
    NO_SERVER = _("This is no name of a server: it is written like ntfy.example.org.")
    BAD_SUBSCRIPTION = _("This browser brought no address to which the box may send.")
    SIGNED_OUT = _("This session has ended.")
    TAKEN = _("Another browser has this address already.")


_SUBSCRIBE_ERRORS: Mapping[SubscribeResult, PhoneUrlError | None] = MappingProxyType({
    SubscribeResult.DONE: None,
    SubscribeResult.SIGNED_OUT: PhoneUrlError.SIGNED_OUT,
    SubscribeResult.TAKEN: PhoneUrlError.TAKEN,
    SubscribeResult.TOO_MANY: PhoneUrlError.TOO_MANY,
})  # fmt: skip


class PhoneTest(Frozen, kw_only=False):
    """A test message to a phone, and its result (None: still on its way)."""

    heard: SendResult | None = None


class ListedPhone(Frozen):
    """One phone in the form that may be shown. `host` is None where the URL has none that is certainly no secret.

    `person` is the id of the person whose browser it is; None: it is the household's. `subscribe_at` is where a phone
    subscribes to its messages, shown only until a test arrived.
    """

    name: str
    scheme: str
    host: str | None
    language: Language | None
    standing: PhoneStatus
    trial: PhoneTest | None = None
    person: str | None = None
    device: str | None = None
    browser: str | None = None  # a value of gateway/web/auth/user_agent.py
    muted: frozenset[MessageCategory] = frozenset()
    subscribe_at: str | None = None


class RemovedPhone(Frozen, kw_only=False):
    """The number of messages still due to a removed phone, and whether other phones get them."""

    waiting: int
    others: bool


class Contacts:
    """Manages the box's phones. `key` names phones; `scratch` is a folder for pictures on their way."""

    def __init__(  # noqa: PLR0913 - each is a part that it uses
        self,
        home: Home,
        *,
        queue: NotificationQueue,
        store: Store,
        clock: Clock,
        key: bytes,
        scratch: Path,
        pushes: PushServices,
    ) -> None:
        self.file, self.pushes = home.phones_file, pushes
        self._home, self._queue, self._store, self._clock = home, queue, store, clock
        queue.on_gone = self._on_gone
        self._key, self._scratch = key, scratch
        self._file_lock = asyncio.Lock()
        self._tests: dict[str, PhoneTest] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def list_phones(self) -> tuple[ListedPhone, ...]:
        """Return the phones that the running box notifies: those of the file in its order, then browsers."""
        standings = {status.name: status for status in self._store.phones.statuses()}
        return tuple(
            self._listed(phone, standings.get(phone.name, PhoneStatus(name=phone.name))) for phone in self._queue.phones
        )

    def _listed(self, phone: Phone, status: PhoneStatus) -> ListedPhone:
        browser = phone.subscription if isinstance(phone, WebPushPhone) else None
        return ListedPhone(
            name=phone.name,
            scheme=phone.scheme,
            host=phone.host,
            language=self._queue.language_of(phone.name),
            standing=status,
            trial=self._tests.get(phone.name),
            person=None if browser is None else browser.person,
            device=None if browser is None else browser.device,
            browser=None if browser is None else browser.browser,
            muted=parse_muted(status.muted),
            subscribe_at=phone.subscribe_at if status.pairing and isinstance(phone, apprise.ApprisePhone) else None,
        )

    def address(self) -> str | None:
        """Return where phones find the box's pages (`NotificationQueue.pages_address`)."""
        return self._queue.pages_address()

    async def set_address(self, address: str | None, by: str) -> None:
        """Choose where phones find the box's pages, from the next message on; None: as the house file says."""
        await self._store.phones.set_address(address, self._clock.now(), by=by)

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

    async def add_ntfy(self, server: str, by: str) -> PhoneUrlError | None:
        """Add a new secret topic at an ntfy server; its address is shown until `confirm` says that a test arrived."""
        server = server.strip().lower().removeprefix("https://").rstrip("/")
        if _SERVER.fullmatch(server) is None:
            return PhoneUrlError.NO_SERVER
        url = f"ntfys://{server}/perron-{secrets.token_hex(TOPIC_BYTES)}"
        error = await self.add(url, by)
        if error is None:
            name = apprise.ApprisePhone(url, key=self._key, scratch=self._scratch).name
            await self._store.phones.set_pairing(name, pairing=True)
        return error

    async def confirm(self, name: str) -> None:
        """Store that a test arrived: the phone's address is never shown again."""
        await self._store.phones.set_pairing(name, pairing=False)
        self._queue.on_change()

    async def add_browser(
        self, fields: Mapping[str, str], *, device: str, person: str, language: Language
    ) -> PhoneUrlError | None:
        """Add the browser of a device in which a person is signed in, with what it brought; or return why not.

        It is told what the person chose for another browser of theirs, else everything.
        """
        try:
            keys = parse_subscription(fields, self.pushes.settings.policy)
        except BadSubscriptionError:
            return PhoneUrlError.BAD_SUBSCRIPTION
        async with self._file_lock:
            muted = next((one.muted for one in reversed(self.list_phones()) if one.person == person), frozenset())
            name = secrets.token_hex(PHONE_NAME_BYTES)
            stored = await self._store.push.subscribe(name, device, keys, self._clock.now())
            if (error := _SUBSCRIBE_ERRORS[stored]) is not None:
                return error
            await self._reload_browsers()
            await self._store.phones.set_language(name, language)
            await self._store.phones.set_muted(name, format_muted(muted))
        self._queue.on_change()
        return None

    async def remove(self, name: str, by: str) -> RemovedPhone:
        """Remove a phone; messages due only to it become due to the other phones."""
        async with self._file_lock:
            phone = next((phone for phone in self.list_phones() if phone.name == name), None)
            if phone is None:
                raise LookupError("no such phone")
            self._tests.pop(name, None)
            if phone.person is not None:
                await self._store.push.unsubscribe(name, self._clock.now(), by=by)
                await self._reload_browsers()
                return RemovedPhone(waiting=phone.standing.waiting, others=bool(self._queue.phones))
            await asyncio.to_thread(self._remove_line, name)
            await self._reload()
            await self._store.log.append("phone_removed", {"scheme": phone.scheme, "by": by}, self._clock.now())
        return RemovedPhone(waiting=phone.standing.waiting, others=bool(self._queue.phones))

    async def set_language(self, name: str, language: Language | None) -> None:
        """Set a phone's own language, or (None) the house's."""
        await self._store.phones.set_language(name, language)
        self._queue.on_change()

    async def set_muted(self, name: str, muted: frozenset[MessageCategory]) -> None:
        """Set what a phone is not told. LookupError: there is no such phone."""
        await self._store.phones.set_muted(name, format_muted(muted))
        self._queue.on_change()

    def silences_alarms(self, name: str, muted: frozenset[MessageCategory]) -> bool:
        """Return whether no phone that answered last would be told alarms, if this one were told all but `muted`."""
        return MessageCategory.ALARM in muted and not any(
            phone.standing.heard == SendResult.TAKEN and MessageCategory.ALARM not in phone.muted
            for phone in self.list_phones()
            if phone.name != name
        )

    def send_test(self, name: str) -> bool:
        """Send a phone a test message; `list_phones` shows the result. False: unknown, or a test is on its way."""
        phone = next((phone for phone in self._queue.phones if phone.name == name), None)
        running = self._tests.get(name)
        if phone is None or (running is not None and running.heard is None):
            return False
        self._tests[name] = PhoneTest()
        self._run(self._run_test(phone), f"trial {phone.scheme}")
        return True

    def _run(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_test(self, phone: Phone) -> None:
        language = self._queue.language_of(phone.name) or self._home.language
        result = await phone.send(
            PhoneNotification(
                title=sanitized(self._home.name), text=TEST_TEXT.to(language), language=language,
                at=self._clock.now().utc,
            )
        )  # fmt: skip
        if phone.name in self._tests:  # else it was removed meanwhile
            self._tests[phone.name] = PhoneTest(result)
        await self._queue.record_attempt(phone.name, result)
        if result is SendResult.GONE:
            self._on_gone(phone.name)

    def _on_gone(self, name: str) -> None:
        """Forget a browser that its push service no longer knows, or whose person may no longer be told."""
        self._run(self._forget_browser(name), "browser gone")

    async def _forget_browser(self, name: str) -> None:
        async with self._file_lock:
            with contextlib.suppress(StoreFailed):  # then the next message finds it gone again
                await self._store.push.unsubscribe(name, self._clock.now(), by=None)
                await self._reload_browsers()

    async def _reload(self) -> None:
        phones = await asyncio.to_thread(apprise.load_phones, self.file, key=self._key, scratch=self._scratch)
        await self._queue.set_phones((*phones, *self.pushes.phones()))

    async def _reload_browsers(self) -> None:
        of_file = [phone for phone in self._queue.phones if not isinstance(phone, WebPushPhone)]
        await self._queue.set_phones((*of_file, *self.pushes.phones()))

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
