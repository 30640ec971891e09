"""Stores the proposals for the house file in one file, and the credentials of proposed cameras beside it."""

import json
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

import structlog
from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.config.editor import EditRejected, build_section, render_section
from gateway.installation.proposal_checks import LOGIN_KEY, MAX_PENDING_PROPOSALS, MAX_PROPOSAL_BYTES, Proposal
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.located_yaml import InvalidYaml, parse_yaml

MAX_DONE_PROPOSALS = 8  # accepted proposals that are still shown
MAX_LOGIN_CHARACTERS = 200
_MAX_FILE_BYTES = 2 * (MAX_PENDING_PROPOSALS + MAX_DONE_PROPOSALS) * MAX_PROPOSAL_BYTES

log = structlog.get_logger(__name__)

_PROPOSALS_ADAPTER: TypeAdapter[tuple[Proposal, ...]] = TypeAdapter(tuple[Proposal, ...])


class ProposalFile:
    """The folder with proposals.json and one login file for each proposed camera with an account.

    What writes or deletes a file raises OSError if it cannot; the old content stays.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "proposals.json"

    def read(self) -> tuple[Proposal, ...]:
        """Return the stored proposals; empty if the file is missing or unreadable."""
        try:
            return _PROPOSALS_ADAPTER.validate_json(read_regular(self._file, at_most=_MAX_FILE_BYTES))
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            log.error("proposals_unreadable", file=str(self._file), why=str(error).splitlines()[0])
            return ()

    def write(self, proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
        """Store the proposals without the oldest done ones, and return what was stored."""
        old = [proposal for proposal in proposals if proposal.done][:-MAX_DONE_PROPOSALS]
        proposals = tuple(proposal for proposal in proposals if proposal not in old)
        self._make_folder()
        write_whole(self._file, _PROPOSALS_ADAPTER.dump_json(proposals))
        return proposals

    def login_path(self, proposal: Proposal) -> Path:
        """Return the file with the account of a proposed camera."""
        return self._folder / f"{proposal.id}.login"

    def store_login(self, proposal: Proposal, login: tuple[str, str]) -> None:
        """Store the user and the password of a proposed camera."""
        self._make_folder()
        write_whole(self.login_path(proposal), f"{login[0]}:{login[1]}\n".encode())

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def delete_logins(self, *, but: Collection[Path]) -> None:
        """Delete all login files except those in `but`."""
        half = self._folder.glob(".*.login.new")  # files of an interrupted write
        for file in {*self._folder.glob("*.login"), *half} - set(but):
            file.unlink()
            sync_folder(self._folder)


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
