"""Defines the parts of every configuration file: sections, the types of their fields, and the error for its author."""

import re
import ssl
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.system.addresses import is_host
from gateway.system.regular_file import read_bytes


class ConfigError(Exception):
    """The configuration is wrong; the text says what, where (file:line:column) and what to do.

    `problems` are the same for a text that is in no file yet: the key that contains the problem, with points between
    its levels, and the problem. Empty: the text is no configuration at all.
    """

    def __init__(self, text: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text)
        self.problems = tuple(problems)


def describe_read_error(error: OSError | UnicodeDecodeError) -> str:
    """Say in a few words why a file cannot be read as text."""
    return (error.strerror or str(error) or "unreadable") if isinstance(error, OSError) else "it is not UTF-8"


def authority_context(ca: Path, *, what: str, todo: str) -> ssl.SSLContext:
    """Return a context for connections to servers with a certificate of this authority, which names their host.

    `ca` is a PEM file; `what` and `todo` begin and end the error's text.

    Raises:
        ConfigError: the authority cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # by default it verifies certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=read_bytes(ca).decode("ascii"))
    except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
        why = describe_read_error(error) if not isinstance(error, ssl.SSLError) else "it is not a certificate (PEM)"
        raise ConfigError(f"{ca}: {what} cannot be read ({why}). {todo}") from error
    return context


def load_key_pair(context: ssl.SSLContext, certificate: Path, key: Path, *, section: str) -> None:
    """Load a certificate and its key, which `section.certificate` and `section.key` name.

    Raises:
        ConfigError: they cannot be used, or the key has a password.
    """
    try:
        context.load_cert_chain(certificate, key, password="")  # with None, OpenSSL would prompt for one
    except (OSError, ssl.SSLError) as error:
        reason = describe_read_error(error) if not isinstance(error, ssl.SSLError) else "they do not belong together"
        raise ConfigError(
            f"{certificate}: it cannot be used with its key {key} ({reason})."
            f" Both are PEM, the key without a password; correct {section}.certificate and {section}.key."
        ) from error


class ConfigSection(BaseModel):
    """A part of a configuration file. Unknown keys are refused.

    The text below a field is its documentation, written `Title: description.` for people who edit the file.
    `gateway.config.schema` makes the JSON schema of it and adds unit and default, so the text names neither.

    Only the model of a whole file validates, so pydantic builds the validator of a section when it is first used alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


S = TypeVar("S", bound=BaseModel)


def absolute_paths(section: S, folder: Path) -> S:
    """Return the section with every relative path in it, at any depth, taken from `folder`."""
    return map_paths(section, lambda path: folder / path)


def map_paths(section: S, change: Callable[[Path], Path]) -> S:
    """Return the section with every path in it, at any depth, changed."""
    values = {name: getattr(section, name) for name in type(section).model_fields}
    changed = {name: _map_value(value, change) for name, value in values.items()}
    return section.model_copy(update={name: value for name, value in changed.items() if value != values[name]})


def _map_value(value: object, change: Callable[[Path], Path]) -> object:
    match value:
        case Path():
            return change(value)
        case BaseModel():
            return map_paths(value, change)
        case dict():
            return {key: _map_value(inner, change) for key, inner in value.items()}
        case tuple():
            return tuple(_map_value(inner, change) for inner in value)
        case _:
            return value


_meanings: dict[str, str] = {}
PATTERN_MEANINGS: Mapping[str, str] = MappingProxyType(_meanings)
"""What each pattern of `explained` means, in words for an error."""


def explained(pattern: str, meaning: str) -> str:
    """Return the pattern, whose errors then say `meaning` instead of the pattern."""
    _meanings[pattern] = meaning
    return pattern


def _refuse_invisible(name: str) -> str:
    """Refuse invisible characters, so that two names that look the same are the same."""
    for char in name:
        if unicodedata.category(char) in ("Cf", "Cn", "Co"):
            raise ValueError(f"this name has a character that nobody sees, U+{ord(char):04X}: write it without")
    return name


def _check_host(text: str) -> str:
    """Return the host in lower case; refuse a name with an empty part, and numbers that are no address."""
    if not is_host(text):
        raise ValueError("a host is a name like perron.home.arpa or an address like 192.168.1.20")
    return text.lower()


_ID = explained(r"^[a-z0-9-]{1,64}$", "an id is 1 to 64 of a-z, 0-9 and -")
_ONE_LINE = explained(
    # With a mark that changes the text direction, one brand could look like another.
    r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,80}$",
    "a name is 1 to 80 characters on one line, in one direction",
)
_TOPIC = explained(
    # Mosquitto strips spaces at the end of a line of its access list, which would make it another topic.
    r"^[^+#/\s\x00-\x1f\x7f-\x9f]([^+#\x00-\x1f\x7f-\x9f\u2028\u2029]{0,253}[^+#\s\x00-\x1f\x7f-\x9f])?$",
    "a topic has no + or #, no leading /, no space at its ends, 255 characters at most",
)
_PAGES_URL = explained(
    # No character that ends a link or a button in a messenger's syntax.
    r"^https?://[A-Za-z0-9._\[\]:/~-]{1,200}$",
    "write the whole address under which it is reached, like https://perron.home:8443, without account, ? or #",
)
_HOST_NAME = explained(
    r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$", "a host name is letters, digits, points and hyphens"
)
_LISTEN_ADDRESS = explained(
    r"^[0-9a-fA-F.:]{2,45}$", "the pages' host is an IP address of this box, or 0.0.0.0 for all of them"
)
_PUBLIC_KEY = r"^[A-Za-z0-9_-]{43}$"

Id = Annotated[str, StringConstraints(pattern=_ID)]
Name = Annotated[str, StringConstraints(pattern=_ONE_LINE), AfterValidator(_refuse_invisible)]
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"x-unit": "port number"})]
Topic = Annotated[str, StringConstraints(pattern=_TOPIC)]
PagesUrl = Annotated[str, StringConstraints(pattern=_PAGES_URL)]
HostName = Annotated[str, StringConstraints(pattern=_HOST_NAME), AfterValidator(_check_host)]
ListenAddress = Annotated[str, StringConstraints(pattern=_LISTEN_ADDRESS)]


def _public_key_check(todo: str) -> AfterValidator:
    """Return a check that a text is a public key; the error of another text ends with `todo`."""

    def check(text: str) -> str:
        if re.fullmatch(_PUBLIC_KEY, text) is None:
            raise ValueError(f"a public Ed25519 key is 43 characters of base64url, and this is {len(text)}: {todo}")
        return text

    return AfterValidator(check)


_KEY_FIELD = Field(json_schema_extra={"pattern": _PUBLIC_KEY})
BrandKeyText = Annotated[
    str, _public_key_check("ask the brand for it; `perron retailer announce --new-key my-key` makes one"), _KEY_FIELD
]
OperatorKeyText = Annotated[str, _public_key_check("ask the operator for it"), _KEY_FIELD]
HubKeyText = Annotated[str, _public_key_check("ask whoever runs the hub for it"), _KEY_FIELD]
GuardKeyText = Annotated[
    str, _public_key_check("`perron guard-key --new guard.key.pem` makes the key and prints it"), _KEY_FIELD
]
BoxKeyText = Annotated[str, _public_key_check("`perron guard-key` on the box prints it"), _KEY_FIELD]
