"""The proposals as they are stored, as the house file will contain them, and as a command."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import structlog
from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.config.editor import EditRejected, build_section, render_section
from gateway.installation.proposal_checks import LOGIN_KEY, MAX_PENDING_PROPOSALS, MAX_PROPOSAL_BYTES, Proposal
from gateway.system.atomic_file import read_regular
from gateway.system.located_yaml import InvalidYaml, parse_yaml
from gateway.system.text import error_line

MAX_DONE_PROPOSALS = 8  # accepted proposals that are still shown
MAX_LOGIN_CHARACTERS = 200
_MAX_FILE_BYTES = 2 * (MAX_PENDING_PROPOSALS + MAX_DONE_PROPOSALS) * MAX_PROPOSAL_BYTES

log = structlog.get_logger(__name__)

PROPOSALS_ADAPTER: TypeAdapter[tuple[Proposal, ...]] = TypeAdapter(tuple[Proposal, ...])


def read_proposals(file: Path) -> tuple[Proposal, ...]:
    """Return the stored proposals; empty if the file is missing or unreadable."""
    try:
        return PROPOSALS_ADAPTER.validate_json(read_regular(file, at_most=_MAX_FILE_BYTES))
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        log.error("proposals_unreadable", file=str(file), why=error_line(error))
        return ()


def section_text(proposal: Proposal, fields: Mapping[str, JsonValue]) -> str:
    """Return a proposal as the house file will contain it; empty if it is invalid."""
    try:
        return render_section(proposal.name, build_section(proposal.kind, fields))
    except EditRejected:
        return ""


def is_as_proposed(text: str, proposal: Proposal) -> bool:
    """Return whether the house file contains what was proposed, except for the path of the account."""
    try:
        house, proposed = parse_yaml(text), parse_yaml(section_text(proposal, proposal.fields))
    except InvalidYaml:
        return False
    section = house.get(proposal.in_house) if isinstance(house, dict) else None
    written = section.get(proposal.name) if isinstance(section, dict) else None
    if not isinstance(written, dict) or not isinstance(proposed, dict):
        return False
    return bool({key: value for key, value in written.items() if key != LOGIN_KEY} == proposed[proposal.name])


def add_command(proposal: Proposal, fields: Mapping[str, JsonValue]) -> str:
    """Return the command that adds the same at the terminal."""
    words = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    sets = "".join(f" --set {shlex.quote(word)}" for word in words)
    return f"perron add {proposal.name} --kind {proposal.kind}{sets}"


def fits_one_line(login: tuple[str, str]) -> bool:
    """Return whether a user and a password fit into one line user:password (`video/credentials.py`)."""
    user, password = login
    line = f"{user}:{password}"
    return bool(user and password) and ":" not in user and line.isprintable() and len(line) <= MAX_LOGIN_CHARACTERS
