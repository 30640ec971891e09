"""Who signed in, who failed to, and what became of accounts and keys: told from the log's own rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.storage import Register
from gateway.system.i18n import Language, _
from gateway.system.text import inert
from gateway.web.auth.roles import Role
from gateway.web.auth.user_agent import Browser
from gateway.web.texts.catalogue import TEXTS

KINDS = (
    "signed_in", "sign_in_wrong", "password_changed", "person_added", "person_removed", "role_changed", "invited",
    "invitation_withdrawn", "handed_over", "claim_code_wrong", "phone_added", "phone_removed", "key_distrusted",
    "key_trusted", "key_approved", "key_refused", "key_withdrawn",
    "shared", "share_ended", "survey_begun", "survey_ended", "addition_proposed", "addition_accepted",
    "addition_refused", "addition_withdrawn", "browser_enrolled", "browser_ended", "hub_joined", "hub_leaving",
)  # fmt: skip
LOOKED_AT, SHOWN = 2000, 50  # rows of the log, the newest


@dataclass(frozen=True, slots=True)
class Doing:
    """One line; `bad`: it deserves a second look."""

    at: datetime
    text: str
    bad: bool


def doings(register: Register, language: Language, *, of: str | None) -> tuple[Doing, ...]:
    """Tell what a person did and what was done with his account, or (None) all of it; the newest first."""
    return tuple(_lines(register, language, of))[:SHOWN]


def _lines(register: Register, language: Language, of: str | None) -> Iterator[Doing]:
    names: dict[str | None, str | None] = {}

    def named(ident: str | None) -> str:
        if ident not in names:
            names[ident] = name_of(register, ident)
        return names[ident] or _("somebody").to(language)

    for row in register.doings(KINDS, at_most=LOOKED_AT):
        if of is not None and of not in (row.get("person"), row.get("by")):
            continue
        kind = row["kind"]
        facts = {"who": named(row.get("person")), "by": named(row.get("by")), "what": _what(row, language)}
        bad = kind in ("sign_in_wrong", "claim_code_wrong")
        yield Doing(datetime.fromisoformat(row["at"]), TEXTS[f"did.{kind}"].to(language, **facts), bad)


def _what(row: Mapping[str, Any], language: Language) -> str:
    match row["kind"]:
        case "signed_in":
            return browser_name(row.get("browser"), language)
        case "sign_in_wrong":
            return str(row["tries"])
        case "person_added" | "role_changed" | "invited":
            return TEXTS[f"role.{Role(row['role'])}"].to(language)
        case "phone_added" | "phone_removed":
            return inert(str(row["scheme"]))
        case "addition_proposed" | "addition_accepted" | "addition_refused" | "addition_withdrawn":
            kind, name = row["thing"], inert(str(row["name"]))
            return f"{TEXTS[f'add.kind.{kind}'].to(language)} {name}"
        case "browser_enrolled" | "browser_ended":
            return inert(str(row["label"]))
        case "survey_begun" | "survey_ended":
            return str(row["entrance"])
        case "key_distrusted" | "key_trusted" | "key_approved" | "key_refused" | "key_withdrawn":
            return inert(f"{row['brand']} {row['kid']}")
        case _:
            return ""


def browser_name(word: str | None, language: Language) -> str:
    """What a session's browser is called: "Chrome on Android", or "unknown browser"."""
    browser = Browser.stored(word)
    if browser.name is None or browser.system is None:
        return browser.name or browser.system or _("unknown browser").to(language)
    return _("{browser} on {system}").to(language, browser=browser.name, system=browser.system)


def name_of(register: Register, ident: str | None) -> str | None:
    """The name of somebody who has or had an account; None: nobody, or forgotten."""
    person = None if ident is None else register.person(ident)
    return None if person is None else inert(person.name)
