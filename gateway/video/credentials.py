"""Reads a camera's credentials from their own file when the stream is opened.

The gateway passes the file's path and never its content, so the credentials are in no command line, environment,
message between processes or log. A changed file takes effect at the next attempt to connect.
"""

import os
import stat
from dataclasses import field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.config.stream_url import PASSWORD_PLACEHOLDER, USER_PLACEHOLDER
from gateway.domain.frozen import Frozen
from gateway.system.regular_file import NotRegularFile, open_file

MAX_LOGIN_FILE_BYTES: Final = 512


class LoginUnusable(Exception):  # noqa: N818 - the name says the condition
    """The file cannot be used. The text says why, without the file's content."""


class Login(Frozen, kw_only=False):
    """A user and a password. `repr` shows neither."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def insert_into(self, url: str) -> str:
        """Return `url` with the account, at its placeholders or else before the host. The result is a secret too."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        if USER_PLACEHOLDER in url or PASSWORD_PLACEHOLDER in url:
            return url.replace(USER_PLACEHOLDER, user).replace(PASSWORD_PLACEHOLDER, password)
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{user}:{password}@{rest}"


def read_login(file: Path) -> Login:
    """Read the one line `user:password`; everything after the first colon is the password.

    Raises:
        LoginUnusable: the file cannot be read, other users can read or write it, or its content has another form.
    """
    try:
        with open_file(file) as opened:  # without waiting: a pipe would block the camera's thread for ever
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise LoginUnusable(f"{file} can be read or written by others on this machine: chmod 600 {file}")
            text = opened.read(MAX_LOGIN_FILE_BYTES + 1)
    except NotRegularFile as error:
        raise LoginUnusable(f"{file} is no file") from error
    except OSError as error:
        raise LoginUnusable(f"{file} cannot be read ({error.strerror or 'unreadable'})") from error
    user, colon, password = _decode_line(file, text).partition(":")
    if not (user and colon and password):
        raise LoginUnusable(f"{file} must hold one line: user:password")
    return Login(user, password)


def _decode_line(file: Path, text: bytes) -> str:
    try:
        line = text.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        line = "\n"
    if len(text) > MAX_LOGIN_FILE_BYTES or not line.isprintable():
        raise LoginUnusable(f"{file} must hold one line of text: user:password")
    return line


def file_version(file: Path | None) -> tuple[int, int] | None:
    """Return a value that changes when the file is rewritten; None if there is no file."""
    try:
        status = file.stat() if file is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_mode)
