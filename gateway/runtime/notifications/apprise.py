"""Sends notifications to the owner's phones with Apprise (the optional extra `messages`).

The phones' URLs are secrets. They are in a file of their own and go only to Apprise: a log entry, a finding or an error
contains at most the scheme and the line's number. The module suppresses the logs of Apprise and its HTTP library.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import re
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, urlsplit

from gateway.runtime.notifications.batching import PhoneNotification
from gateway.runtime.notifications.phone import SEND_TIMEOUT_S, SendResult
from gateway.system.config_section import ConfigError, describe_read_error
from gateway.system.regular_file import read_text

MAX_HANGING_SENDS = 3  # sends that may hang beyond the limit; until one ends the phone is not tried again
MAX_FILE_CHARACTERS = 65_536  # characters of the file
NTFY_SCHEMES = ("ntfy", "ntfys")  # it has its own buttons, three at most
MAX_NTFY_BUTTONS = 3

# With these schemes (each also with s) the host part is a host and no token, wherever it looks like one.
_SCHEMES_WITH_HOST = frozenset({"gotify", "hassio", "json", "mailto", "matrix", "mmost", "nctalk", "ntfy", "signal"})
_MUTED_LOGGERS = ("apprise", "urllib3", "requests")
_NAME_CONTEXT = b"perron phone 1\n"


class ApprisePhone:
    """A channel to one phone, or to several under one URL. `scratch` is a folder for pictures on their way.

    Of the URL only scheme and host may be shown (`host` is None without one, or if it could be a secret), and `name`,
    which is equal for equal URLs and reveals nothing of them.
    """

    decides_brands = True  # it belongs to the owners, who alone add one

    def __init__(self, url: str, *, key: bytes, scratch: Path, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._url = url
        self._scratch = scratch
        self._timeout_s = timeout_s
        self._running_sends = 0
        self.scheme = url.partition("://")[0].lower()
        self.host = public_host(url)
        self.name = hmac.digest(key, _NAME_CONTEXT + url.encode(), "sha256")[:16].hex()

    @property
    def subscribe_at(self) -> str | None:
        """Where a phone subscribes to the messages, with ntfy: a secret; None: this service has no such address."""
        parts = urlsplit(self._url)
        if self.scheme not in NTFY_SCHEMES or parts.username is not None:
            return None
        return f"{'https' if self.scheme == 'ntfys' else 'http'}://{parts.netloc}{parts.path}"

    async def send(self, notification: PhoneNotification) -> SendResult:
        """Send the notification within the limit; no failure of network or service raises."""
        if self._running_sends >= MAX_HANGING_SENDS:
            return SendResult.SILENT
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def work() -> None:
            taken = False
            try:
                taken = self._send(notification)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
                    loop.call_soon_threadsafe(self._on_send_done, done, taken)

        self._running_sends += 1
        # In a thread of its own a hanging one blocks nothing, not even the end of the process
        threading.Thread(target=work, name=f"phone {self.scheme}", daemon=True).start()
        try:
            async with asyncio.timeout(self._timeout_s):
                return SendResult.TAKEN if await done else SendResult.REFUSED
        except TimeoutError:
            return SendResult.SILENT

    def _on_send_done(self, done: asyncio.Future[bool], accepted: bool) -> None:
        self._running_sends -= 1
        if not done.done():
            done.set_result(accepted)

    def _send(self, notification: PhoneNotification) -> bool:
        apprise = _import_apprise()
        url, text = self._with_buttons(notification)
        # Made again each time: an old one would wait some seconds between two messages.
        sender = apprise.Apprise(asset=_apprise_asset(apprise))
        if not sender.add(url):
            return False
        kind = apprise.NotifyType.WARNING if notification.urgent else apprise.NotifyType.INFO
        with self._attachment(notification.picture) as picture:
            return bool(sender.notify(
                body=text, title=notification.title, notify_type=kind, attach=picture,
                body_format=apprise.NotifyFormat.TEXT,  # so that names are escaped where a phone renders HTML
            ))  # fmt: skip

    def _with_buttons(self, notification: PhoneNotification) -> tuple[str, str]:
        """Return URL and text; links are buttons if the phone supports them, else lines of the text."""
        url, buttons = self._url, [button for button in notification.buttons if button.url is not None]
        if self.scheme not in NTFY_SCHEMES:
            return url, "\n".join([notification.text, *(f"{button.label} : {button.url}" for button in buttons)])
        parameters = {}
        if notification.urgent and "priority=" not in url:
            parameters["priority"] = "high"
        if buttons and "actions=" not in url:
            views = [{"action": "view", "label": one.label, "url": one.url} for one in buttons[:MAX_NTFY_BUTTONS]]
            parameters["actions"] = json.dumps(views)  # ASCII, as an HTTP header must be
        for name, value in parameters.items():
            url += f"{'&' if '?' in url else '?'}{name}={quote(value, safe='')}"
        return url, notification.text

    @contextlib.contextmanager
    def _attachment(self, picture: bytes | None) -> Iterator[str | None]:
        """Yield the picture's file while it is needed; on a full disk the text goes without it."""
        if picture is None:
            yield None
            return
        with contextlib.ExitStack() as stack:
            path = None
            with contextlib.suppress(OSError):
                self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = stack.enter_context(tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".jpg"))
                file.write(picture)
                file.flush()
                path = file.name
            yield path


def load_phones(
    file: Path, *, key: bytes, scratch: Path, limit: float = SEND_TIMEOUT_S, field: str = "messages.file"
) -> tuple[ApprisePhone, ...]:
    """Read one Apprise URL per line; skip blank lines and lines that begin with #. `field` names the file in errors.

    Raises:
        ConfigError: one line per problem, without any of the file's content.
    """
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: the phones' URLs cannot be read ({describe_read_error(error)}). Correct {field}."
        ) from error
    if len(text) > MAX_FILE_CHARACTERS:
        raise ConfigError(f"{file}: larger than {MAX_FILE_CHARACTERS // 1024} KiB: write one Apprise URL a line.")
    lines_by_url: dict[str, int] = {}
    problems = []
    lines = [(number, url) for number, line in enumerate(text.splitlines(), start=1) if (url := line.strip())]
    lines = [(number, url) for number, url in lines if not url.startswith("#")]
    if lines and not is_installed():
        raise ConfigError(
            f"{file}: messages to phones need an extra that is not installed: `pip install 'perron[messages]'`,"
            " or take `messages:` out of the house file."
        )
    for number, url in lines:
        if not is_known_url(url):
            problems.append(f"{file}:{number}: this is no URL that Apprise knows: write one like ntfys://HOST/TOPIC.")
        elif url in lines_by_url:
            problems.append(f"{file}:{number}: the same URL stands in line {lines_by_url[url]} already: keep one.")
        lines_by_url.setdefault(url, number)
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(ApprisePhone(url, key=key, scratch=scratch, timeout_s=limit) for url in lines_by_url)


def public_host(url: str) -> str | None:
    """Return the host of an address; None if it may be a token, or a private topic."""
    scheme = url.partition("://")[0].lower()
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    if scheme.removesuffix("s") not in _SCHEMES_WITH_HOST or host is None:
        return None
    try:
        return str(ip_address(host))
    except ValueError:  # a token or a topic contains no point
        return host if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) else None


def is_known_url(url: str) -> bool:
    """Return whether Apprise accepts the URL for one of its services. Requires `is_installed`."""
    apprise = _import_apprise()
    return "://" in url and apprise.Apprise.instantiate(url, asset=_apprise_asset(apprise)) is not None


def is_installed() -> bool:
    """Return whether the extra `messages` is installed."""
    return find_spec("apprise") is not None


def delete_pictures(scratch: Path) -> None:
    """Delete pictures that a crash left on their way."""
    for picture in scratch.glob("*.jpg"):
        picture.unlink(missing_ok=True)


def _import_apprise() -> ModuleType:
    """Import Apprise at its first use: it is an extra, and slow to import."""
    import apprise  # noqa: PLC0415 - as the docstring says

    for name in _MUTED_LOGGERS:  # they would name hosts, topics and tokens
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    return apprise


def _apprise_asset(apprise: ModuleType) -> object:
    """Return Perron's own settings: its name, no remote picture, no cache on disk, and unchanged text."""
    return apprise.AppriseAsset(
        app_id="Perron",
        app_desc="Perron",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        async_mode=False,
        interpret_emojis=False,
        interpret_escapes=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
