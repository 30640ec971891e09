"""Reads a camera's credentials from their own file when the stream is opened.

The gateway hands over the file's path, never what stands in it: so it is in no command line, no environment, no message
between the processes and no log. A file that was changed counts from the next try to connect on.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.config.stream_url import PASSWORD_PLACEHOLDER, USER_PLACEHOLDER

MAX_LOGIN_FILE_BYTES: Final = 512  # bytes of the file


class LoginUnusable(Exception):  # noqa: N818 - it names what is the matter
    """The file cannot be used; the text says why and nothing of what stands in it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, which its `repr` does not show."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def within(self, url: str) -> str:
        """The address with the account in it: where the maker wants it, else before the host. It is a secret too."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        if USER_PLACEHOLDER in url or PASSWORD_PLACEHOLDER in url:
            return url.replace(USER_PLACEHOLDER, user).replace(PASSWORD_PLACEHOLDER, password)
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{user}:{password}@{rest}"


def read_login(file: Path) -> Login:
    """Read the one line user:password; whatever follows the first colon is the password.

    Raises:
        LoginUnusable: it cannot be read, others on this machine can read or write it, or that is not what stands in it.
    """
    try:
        with open(file, "rb", opener=_open_nonblocking) as opened:
            standing = os.fstat(opened.fileno())
            if not stat.S_ISREG(standing.st_mode):
                raise LoginUnusable(f"{file} is no file")
            if stat.S_IMODE(standing.st_mode) & 0o077:
                raise LoginUnusable(f"{file} can be read or written by others on this machine: chmod 600 {file}")
            text = opened.read(MAX_LOGIN_FILE_BYTES + 1)
    except OSError as error:
        raise LoginUnusable(f"{file} cannot be read ({error.strerror or 'unreadable'})") from error
    user, colon, password = _decode_line(file, text).partition(":")
    if not (user and colon and password):
        raise LoginUnusable(f"{file} must hold one line: user:password")
    return Login(user, password)


def _open_nonblocking(path: str, flags: int) -> int:
    """Open without waiting: a pipe that nobody writes to would hold the camera for ever."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _decode_line(file: Path, text: bytes) -> str:
    try:
        line = text.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        line = "\n"
    if len(text) > MAX_LOGIN_FILE_BYTES or not line.isprintable():
        raise LoginUnusable(f"{file} must hold one line of text: user:password")
    return line


def file_version(file: Path | None) -> tuple[int, int] | None:
    """What differs once the file was written anew; None where there is none."""
    try:
        standing = file.stat() if file is not None else None
    except OSError:
        return None
    return None if standing is None else (standing.st_mtime_ns, standing.st_mode)
