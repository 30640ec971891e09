"""The types of fields that only `home.yaml` has; `gateway.system.config_section` has those of every file."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.day import DayError, read_day
from gateway.system.config_section import Id, explained
from gateway.system.i18n import Language, languages

ROLE_ACCOUNTS = ("gateway", "owner", "retailer", "observer", "installer")  # the broker's, of people and programs
RESERVED_IDS = frozenset({"bridge", "deliveries", "entrance", "guard", "ha", "homeassistant", *ROLE_ACCOUNTS})


def _not_reserved(id_: str) -> str:
    if id_ in RESERVED_IDS:
        raise ValueError(f"`{id_}` is a word of Perron's own topics or accounts: give the device another id")
    return id_


def _hours(text: str) -> str:
    start, end = (int(half[:2]) * 60 + int(half[3:]) for half in text.split("-"))
    if any(int(half[3:]) > 59 for half in text.split("-")) or end > 24 * 60 or start >= end:
        raise ValueError(f"`{text}` is not a span of one day: write it like 08:00-20:00, the earlier time first")
    return text


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"this machine knows no time zone {name!r}: write it like Europe/Paris") from error
    return name


def _language(code: str) -> Language:
    if code not in languages():
        *others, last = (f"'{language}'" for language in languages())
        known = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": known})
    return code


def _day(text: str) -> str:
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


_HOURS = explained(r"^\d\d:\d\d-\d\d:\d\d$", "write hours like 08:00-20:00")
_ADDRESS = explained(r"^[^\x00-\x1f\x7f-\x9f]{0,200}$", "an address is at most 200 characters on one line")
# SHA-256 over a certificate, as `openssl x509 -fingerprint -sha256` prints it.
_FINGERPRINT = explained(
    r"^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$",
    "a fingerprint is SHA-256 over the device's certificate: 64 of 0-9, A-F",
)
_KEY_WORD = explained(r"^[a-z_]{1,32}$", "a word of ours is a-z and _")
_KEY_PATH = explained(
    r"^[^.\x00-\x1f\x7f-\x9f]{1,64}(\.[^.\x00-\x1f\x7f-\x9f]{1,64}){0,7}$",
    "write the path to the value in the payload, such as data.code: at most 8 names, separated by points",
)

DeviceId = Annotated[Id, AfterValidator(_not_reserved)]
LanguageCode = Annotated[str, AfterValidator(_language), WithJsonSchema({"enum": [*languages()], "type": "string"})]
Address = Annotated[str, StringConstraints(pattern=_ADDRESS)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Day = Annotated[str, AfterValidator(_day)]
Hours = Annotated[str, StringConstraints(pattern=_HOURS), AfterValidator(_hours)]
Fingerprint = Annotated[str, StringConstraints(pattern=_FINGERPRINT)]
KeyWord = Annotated[str, StringConstraints(pattern=_KEY_WORD)]
KeyPath = Annotated[str, StringConstraints(pattern=_KEY_PATH)]
Region = Annotated[tuple[float, float, float, float], AfterValidator(_region)]
