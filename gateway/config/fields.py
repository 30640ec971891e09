"""The types of ids, names, topics and addresses in `home.yaml`; every section refuses unknown keys."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.day import DayError, read_day
from gateway.system.i18n import Language, languages

ROLE_ACCOUNTS = ("gateway", "owner", "retailer", "observer", "installer")  # the broker's accounts that are no devices
RESERVED_IDS = frozenset({"bridge", "deliveries", "entrance", "guard", "ha", "homeassistant", *ROLE_ACCOUNTS})


def _not_reserved(id_: str) -> str:
    if id_ in RESERVED_IDS:
        raise ValueError(f"`{id_}` is a word of Perron's own topics or accounts: give the device another id")
    return id_


def _refuse_invisible(name: str) -> str:
    """Two names that look the same are the same: nothing in them that nobody sees."""
    for char in name:
        if unicodedata.category(char) in ("Cf", "Cn", "Co"):
            raise ValueError(f"this name has a character that nobody sees, U+{ord(char):04X}: write it without")
    return name


def _hours(text: str) -> str:
    start, end = (int(half[:2]) * 60 + int(half[3:]) for half in text.split("-"))
    if any(int(half[3:]) > 59 for half in text.split("-")) or end > 24 * 60 or start >= end:
        raise ValueError(f"`{text}` is no span of one day: write it like 08:00-20:00, the earlier time first")
    return text


def valid_time_zone(name: str) -> str:
    """Take the name of a time zone that this machine knows.

    Raises:
        ValueError: it knows none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"this machine knows no time zone {name!r}: write it like Europe/Paris") from error
    return name


def _language(code: str) -> Language:
    if code not in languages():
        *others, last = (f"'{one}'" for one in languages())
        known = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": known})
    return code


def valid_day(text: str) -> str:
    """Take a day written like 2027-01-31, within `gateway.domain.day`'s bounds.

    Raises:
        ValueError: it is none.
    """
    try:
        read_day(text)
    except DayError as error:
        raise ValueError(f"{error}; that day is the last") from error
    return text


def _region(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x, y, width, height = region
    if min(x, y) < 0 or min(width, height) <= 0 or max(x + width, y + height) > 1.000001:
        raise ValueError("write [x, y, width, height] as parts of the picture, each from 0 to 1, inside it")
    return region


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
DeviceId = Annotated[Id, AfterValidator(_not_reserved)]
# A mark that turns the writing direction would let a brand be read as another one.
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,80}$"
Name = Annotated[str, StringConstraints(pattern=_ONE_LINE), AfterValidator(_refuse_invisible)]
LanguageCode = Annotated[str, AfterValidator(_language), WithJsonSchema({"enum": [*languages()], "type": "string"})]
Address = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{0,200}$")]
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"x-unit": "port number"})]
# Mosquitto takes the spaces off the end of a line of its access list: with one there it would be another's topic.
_TOPIC = r"^[^+#/\s\x00-\x1f\x7f-\x9f]([^+#\x00-\x1f\x7f-\x9f\u2028\u2029]{0,253}[^+#\s\x00-\x1f\x7f-\x9f])?$"
Topic = Annotated[str, StringConstraints(pattern=_TOPIC)]
Hours = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d-\d\d:\d\d$"), AfterValidator(_hours)]
# Nothing that ends a link or a button in somebody else's grammar.
_PAGES_URL = r"^https?://[A-Za-z0-9._\[\]:/~-]{1,200}$"
PagesUrl = Annotated[str, StringConstraints(pattern=_PAGES_URL)]
KeyWord = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
_KEY_PATH = r"^[^.\x00-\x1f\x7f-\x9f]{1,64}(\.[^.\x00-\x1f\x7f-\x9f]{1,64}){0,7}$"
KeyPath = Annotated[str, StringConstraints(pattern=_KEY_PATH)]
Region = Annotated[tuple[float, float, float, float], AfterValidator(_region)]

# What a pattern means, in words.
PATTERN_TEXTS: Mapping[str, str] = {
    r"^[a-z0-9-]{1,64}$": "an id is 1 to 64 of a-z, 0-9 and -",
    _ONE_LINE: "a name is 1 to 80 characters on one line, in one direction",
    r"^[^\x00-\x1f\x7f-\x9f]{0,200}$": "an address is at most 200 characters on one line",
    _TOPIC: "a topic has no + or #, no leading /, no space at its ends, 255 characters at most",
    r"^\d\d:\d\d-\d\d:\d\d$": "write hours like 08:00-20:00",
    r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$": "a host name is letters, digits, points and hyphens",
    r"^[0-9a-fA-F.:]{2,45}$": "the pages' host is an IP address of this box, or 0.0.0.0 for all of them",
    r"^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$": "a fingerprint is SHA-256 over the camera's certificate: 64 of 0-9, A-F",
    r"^[a-z_]{1,32}$": "a word of ours is a-z and _",
    _KEY_PATH: "write where it stands in the payload like data.code: names with points between them, 8 at most",
    _PAGES_URL: (
        "write the whole address under which it is reached, like https://perron.home:8443, without account, ? or #"
    ),
    r"^[A-Za-z0-9_-]{1,64}$": "a discovery prefix is 1 to 64 of A-Z, a-z, 0-9, _ and -",
    r"^[A-Za-z0-9._-]{1,64}$": "a kid is 1 to 64 of A-Z, a-z, 0-9, point, _ and -",
    r"^[A-Za-z0-9_-]{43}$": "a public Ed25519 key is 43 characters of base64url: `perron retailer announce --new-key`"
    " makes a brand's; `perron guard-key` tells the box's, with --new a guard's",
}


class ConfigSection(BaseModel):
    """A part of a configuration file. Unknown keys are refused.

    The text below a field is its documentation, written `Title: description.` for people who edit the file.
    `gateway.config.schema` makes the JSON schema of it and adds unit and default, so the text names neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _host_name(text: str) -> str:
    return text.lower().rstrip(".")


HostName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"), AfterValidator(_host_name)
]
