"""Shows sign-ins, failed sign-ins and changes of accounts and keys, from the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.storage import Store
from gateway.system.i18n import Language, _
from gateway.system.text import sanitized
from gateway.web.auth.roles import Role
from gateway.web.auth.user_agent import UserAgent
from gateway.web.server.context import person_name
from gateway.web.texts.catalogue import TEXTS

ACTIVITY_KINDS = (
    "signed_in", "sign_in_wrong", "password_changed", "person_added", "person_removed", "role_changed", "invited",
    "invitation_withdrawn", "handed_over", "claim_code_wrong", "phone_added", "phone_removed", "key_distrusted",
    "key_trusted", "key_approved", "key_refused", "key_withdrawn",
    "shared", "share_ended", "survey_begun", "survey_ended", "addition_proposed", "addition_accepted",
    "addition_refused", "addition_withdrawn", "browser_enrolled", "browser_ended", "hub_joined", "hub_leaving",
)  # fmt: skip
MAX_ROWS_READ, MAX_LINES_SHOWN = 2000, 50  # the newest rows of the log


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """One line of the activity page."""

    at: datetime
    text: str
    is_suspicious: bool


def activity_lines(store: Store, language: Language, *, person: str | None) -> tuple[ActivityLine, ...]:
    """Return what a person did and what was done to the person's account, or (None) all activity; newest first."""
    return tuple(_all_lines(store, language, person))[:MAX_LINES_SHOWN]


def _all_lines(store: Store, language: Language, person: str | None) -> Iterator[ActivityLine]:
    names: dict[str | None, str | None] = {}

    def named(ident: str | None) -> str:
        if ident not in names:
            names[ident] = person_name(store.accounts, ident)
        return names[ident] or _("somebody").to(language)

    for row in store.log.newest_bodies(ACTIVITY_KINDS, at_most=MAX_ROWS_READ):
        if person is not None and person not in (row.get("person"), row.get("by")):
            continue
        kind = row["kind"]
        facts = {"who": named(row.get("person")), "by": named(row.get("by")), "what": _line_text(row, language)}
        bad = kind in ("sign_in_wrong", "claim_code_wrong")
        yield ActivityLine(datetime.fromisoformat(row["at"]), TEXTS[f"did.{kind}"].to(language, **facts), bad)


def _line_text(row: Mapping[str, Any], language: Language) -> str:
    match row["kind"]:
        case "signed_in":
            return browser_name(row.get("browser"), language)
        case "sign_in_wrong":
            return str(row["tries"])
        case "person_added" | "role_changed" | "invited":
            return TEXTS[f"role.{Role(row['role'])}"].to(language)
        case "phone_added" | "phone_removed":
            return sanitized(str(row["scheme"]))
        case "addition_proposed" | "addition_accepted" | "addition_refused" | "addition_withdrawn":
            kind, name = row["thing"], sanitized(str(row["name"]))
            return f"{TEXTS[f'add.kind.{kind}'].to(language)} {name}"
        case "browser_enrolled" | "browser_ended":
            return sanitized(str(row["label"]))
        case "survey_begun" | "survey_ended":
            return str(row["entrance"])
        case "key_distrusted" | "key_trusted" | "key_approved" | "key_refused" | "key_withdrawn":
            return sanitized(f"{row['brand']} {row['kid']}")
        case _:
            return ""


def browser_name(stored: str | None, language: Language) -> str:
    """Return the name of a session's browser: "Chrome on Android", or "unknown browser"."""
    browser = UserAgent.from_stored(stored)
    if browser.name is None or browser.system is None:
        return browser.name or browser.system or _("unknown browser").to(language)
    return _("{browser} on {system}").to(language, browser=browser.name, system=browser.system)
