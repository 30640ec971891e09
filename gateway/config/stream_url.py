"""Validates the URL of a camera's stream: `rtsp` or `rtsps`, a host, a path, and never an account.

What stands in a wrong one may be a password, so no error repeats it.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema

from gateway.system.text import PASSWORD_IN_URL

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
USER_PLACEHOLDER, PASSWORD_PLACEHOLDER = "{user}", "{password}"  # for makers that want them in the path

_STREAM_URL = re.compile(r"rtsps?://[^\s\x00-\x1f\x7f]{1,500}")
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
_CREDENTIALS_HINT = (
    "put the line user:password into a file of its own (chmod 600) and name that file as credentials_file"
)


def valid_stream_url(text: str) -> str:
    """Return a valid URL of a stream. ValueError, which does not repeat it: it is invalid or contains an account."""
    if not _STREAM_URL.fullmatch(text):
        raise ValueError("a camera's url begins with rtsp:// or rtsps://; nothing else is opened")
    rest = text.partition("://")[2]
    authority = re.split(r"[/?#]", rest)[0]
    if "@" in authority or ("@" in rest and not _HOST.fullmatch(authority)):
        raise ValueError(f"user and password are no part of this file: write the url without them, {_CREDENTIALS_HINT}")
    if not _HOST.fullmatch(authority) or not _has_valid_port(text):
        raise ValueError("a camera's url names a host and a stream, like rtsp://192.168.1.20:554/stream1")
    if PASSWORD_IN_URL.search(rest):
        raise ValueError(
            f"a password stands in this url: write {USER_PLACEHOLDER} and {PASSWORD_PLACEHOLDER} in its "
            f"place, {_CREDENTIALS_HINT}"
        )
    return text


def _has_valid_port(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def endpoint(url: str) -> tuple[str, int]:
    """Return host and port of a stream's URL that `valid_stream_url` accepted."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]


StreamUrl = Annotated[
    str, AfterValidator(valid_stream_url), WithJsonSchema({"type": "string", "pattern": "^rtsps?://"})
]
