"""Handles the proposals for the house file until the owner accepts or refuses them.

The proposals are in `proposals/` under the storage folder, so that a restart loses nothing; a camera's account is in a
private file beside them. The order of an acceptance makes a crash harmless: the gateway stores the acceptance, writes
the log entry, replaces the house file, then loads the house again. At its start the gateway checks accepted proposals:
one in the running house is done, one that is not in the file waits for the owner again, and one with which no gateway
started is removed from the file.
"""

import asyncio
import errno
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from pathlib import Path

import structlog
from pydantic import JsonValue, ValidationError

from gateway.config.editor import (
    EditRejected,
    build_section,
    check_home,
    read_home_text,
    with_item,
    without_item,
    write_home,
)
from gateway.config.home import Home
from gateway.config.writer import HomeFileWriter
from gateway.domain.now import Now
from gateway.installation.proposal_checks import (
    LOGIN_KEY,
    MAX_PENDING_PROPOSALS,
    MAX_PROPOSAL_BYTES,
    Proposal,
    ProposalAcceptance,
    ProposalRequest,
    Remark,
    cautions,
    is_in_house,
    objections,
)
from gateway.installation.proposals_file import (
    MAX_LOGIN_CHARACTERS,
    ProposalFile,
    add_command,
    fits_one_line,
    is_as_proposed,
    section_text,
)
from gateway.installation.quota import HourlyQuota
from gateway.runtime.maintenance import reload
from gateway.storage import StoreFailed
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.config_section import ConfigError

MAX_PROPOSALS_PER_HOUR = 4 * MAX_PENDING_PROPOSALS  # of one person
CAMERAS_FOLDER = "cameras"  # folder beside the house file with the cameras' accounts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _HouseTexts:
    before: str
    after: str


class ProposalState(StrEnum):
    """State of a proposal."""

    PROPOSED = auto()
    TAKEN = auto()  # written; the gateway will load it
    WAITING = auto()  # written; the gateway applies it when nothing happens at the doors
    REFUSED = auto()  # written; the gateway could not load it
    APPLIED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """One proposal as pages show it: `text` for the house file, and `add_command` for the terminal.

    `house` is the house with the proposal; None if it cannot be added, and `objections` say why.
    """

    proposal: Proposal
    state: ProposalState
    text: str
    add_command: str
    house: Home | None = None
    objections: tuple[Remark, ...] = ()
    cautions: tuple[Remark, ...] = ()
    reload_report: reload.ReloadReport | None = None


class Proposals:
    """The proposals of the running gateway. `writer` has its house file, and the lock of all who write it.

    `reload_house` makes the gateway load the file again. `permitted_entrances` returns the entrances for which a brand
    ever had a permission. `append_log` writes a log entry: its kind and its facts.
    """

    def __init__(  # noqa: PLR0913 - each argument is another part of the gateway
        self,
        home: Home,
        *,
        writer: HomeFileWriter,
        reload_house: Callable[[], None],
        permitted_entrances: Callable[[], Collection[str]],
        append_log: Callable[[str, Mapping[str, str], Now], Awaitable[object]],
        crash_point: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._home, self._file, self._reload_house = home, writer.file, reload_house
        self._permitted_entrances, self._append_log, self._crash_point = permitted_entrances, append_log, crash_point
        self._proposal_file = ProposalFile(home.storage.folder / "proposals")
        self._change_lock, self._quota = writer.lock, HourlyQuota(MAX_PROPOSALS_PER_HOUR)
        self._read_lock = asyncio.Lock()  # one thread for all readers: the doors need the others
        self._houses: dict[str, Home | EditRejected] = {}
        self._texts: dict[tuple[str, str, str], str] = {}
        self._last_report_id: str | None = None  # of the last report before the house file was written
        self._proposals = self._proposal_file.read()
        self._finish_accepted()

    # ---- what there is ----------------------------------------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """The house file; None: the gateway was started without one."""
        return self._file

    @property
    def waiting_count(self) -> int:
        """Number of proposals that wait for the owner."""
        return sum(one.accepted is None for one in self._proposals)

    def find(self, id_: str) -> Proposal | None:
        """Return a waiting proposal; None: there is none with this id."""
        return next((one for one in self._proposals if one.id == id_ and one.accepted is None), None)

    def is_writable(self) -> bool:
        """Return whether the house file can be written."""
        if self._file is None:
            return False
        file = self._file.resolve()
        return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))

    def is_edited(self) -> bool:
        """Return whether the house file differs from the running house: somebody edited it at the terminal."""
        try:
            return self._file is not None and self._parse_house(self._read_text()) != self._home
        except EditRejected:
            return True

    async def read_views(self) -> tuple[ProposalView, ...]:
        """Return a view of each proposal in their order; done ones come last."""
        async with self._read_lock:
            return await asyncio.to_thread(self._make_views, frozenset(self._permitted_entrances()))

    async def read_house_with_all(self) -> Home:
        """Return the house with all waiting proposals: a new one may refer to them."""
        async with self._read_lock:
            return await asyncio.to_thread(self._make_house_with_all, frozenset(self._permitted_entrances()))

    def _make_views(self, permitted: frozenset[str]) -> tuple[ProposalView, ...]:
        found, text = [], self._read_text_or_none()
        for one in self._proposals:
            if one.accepted is not None:
                found.append(self._accepted_view(one))
                continue
            seen, text = self._pending_view(one, text, permitted)
            found.append(seen)
        return tuple(sorted(found, key=lambda one: one.proposal.done))

    def _make_house_with_all(self, permitted: frozenset[str]) -> Home:
        text = self._read_text_or_none()
        for one in self._proposals:
            if one.accepted is None:
                text = self._pending_view(one, text, permitted)[1]
        if text is None or self._file is None:
            return self._home
        try:
            return self._parse_house(text)
        except EditRejected:
            return self._home

    # ---- proposing ----------------------------------------------------------------------------------------------

    async def propose(self, request: ProposalRequest, *, by: str, now: Now) -> tuple[Remark, ...]:
        """Propose a device or an entrance; return why not, or nothing if it waits for the owner now."""
        login = request.login
        try:
            new = Proposal(
                id=secrets.token_hex(8), kind=request.kind, name=request.name, fields=dict(request.fields),
                by=by, at=now.utc, login=login is not None,
            )  # fmt: skip
        except ValidationError:
            return (Remark("id"),)
        async with self._change_lock:
            why = await asyncio.to_thread(self._objections, new, login, frozenset(self._permitted_entrances()))
            if not why and not self._quota.take(by, now.mono):
                why = (Remark("often"),)
            if why:
                return why
            await self._append_log("addition_proposed", _log_facts(new, by), now)
            try:
                if login is not None:  # first, because the acceptance needs it
                    await asyncio.to_thread(self._proposal_file.store_login, new, login)
                await asyncio.to_thread(self._store, (*self._proposals, new))
            except OSError as error:
                with suppress(OSError):
                    await self._remove(new)
                return (Remark("disk", {"why": error.strerror or "unreadable"}),)
        return ()

    async def discard(self, id_: str, *, by: str, now: Now, refused: bool) -> bool:
        """Delete a waiting proposal, which its proposer withdrew or the owner `refused`. False: there is none.

        Raises:
            StoreFailed, OSError: log or file cannot be written.
        """
        async with self._change_lock:
            one = self.find(id_)
            if one is None:
                return False
            await self._append_log("addition_refused" if refused else "addition_withdrawn", _log_facts(one, by), now)
            await self._remove(one)
        return True

    async def _remove(self, one: Proposal) -> None:
        """Delete the account first, so that no deleted proposal leaves a password."""
        with suppress(OSError):
            self._proposal_file.login_path(one).unlink(missing_ok=True)
        await asyncio.to_thread(self._store, tuple(kept for kept in self._proposals if kept.id != one.id))

    def _objections(
        self, new: Proposal, login: tuple[str, str] | None, permitted: frozenset[str]
    ) -> tuple[Remark, ...]:
        if self.waiting_count >= MAX_PENDING_PROPOSALS:
            return (Remark("many", {"most": str(MAX_PENDING_PROPOSALS)}),)
        if len(new.model_dump_json().encode()) > MAX_PROPOSAL_BYTES:
            return (Remark("large"),)
        if any(
            one.name == new.name and one.in_house == new.in_house for one in self._proposals if one.accepted is None
        ):
            return (Remark("taken", {"name": new.name}),)
        if LOGIN_KEY in new.fields:
            return (Remark("file"),)
        if login is not None and not fits_one_line(login):
            return (Remark("login"),)
        text = self._read_text_or_none()
        if text is None:
            return (Remark("no_file"),)
        for one in self._proposals:
            if one.accepted is None:
                text = self._pending_view(one, text, permitted)[1]
        return self._pending_view(new, text, permitted)[0].objections

    # ---- accepting ----------------------------------------------------------------------------------------------

    async def accept(self, ids: Sequence[str], *, by: str, now: Now) -> tuple[Remark, ...]:
        """Write these proposals into the current house file, all or none, and reload it; return why not, else nothing.

        Raises:
            StoreFailed: the log cannot be written, and the house file is unchanged.
        """
        async with self._change_lock:
            chosen = [one for one in self._proposals if one.id in ids and one.accepted is None]
            if self._file is None:
                return (Remark("no_file"),)
            if not chosen or {one.id for one in chosen} != set(ids):
                return (Remark("none"),)  # the list has changed since the page was shown
            outcome = await asyncio.to_thread(self._prepare, chosen, frozenset(self._permitted_entrances()))
            if not isinstance(outcome, _HouseTexts):
                return outcome
            accepted = ProposalAcceptance(by=by, at=now.utc)
            chosen_ids = {one.id for one in chosen}
            before = self._proposals
            marked = tuple(
                one.model_copy(update={"accepted": accepted, "failed": ()}) if one.id in chosen_ids else one
                for one in before
            )
            try:
                await asyncio.to_thread(self._store, marked)
                for one in chosen:
                    await self._append_log("addition_accepted", _log_facts(one, by), now)
                self._crash_point("accepted")
                await asyncio.to_thread(self._write, outcome)
            except (OSError, StoreFailed) as error:
                self._proposals = before
                with suppress(OSError):  # else the next start finds that the file does not have it
                    await asyncio.to_thread(self._store, before)
                await asyncio.to_thread(self._remove_unused_logins, chosen)
                if isinstance(error, StoreFailed):
                    raise
                return (Remark("unwritable", {"file": str(self._file), "why": error.strerror or "unreadable"}),)
            self._crash_point("written")
            last = reload.read_report(self._home.storage.folder)
            self._last_report_id = None if last is None else last[0].id
            self._reload_house()
        return ()

    def _prepare(self, chosen: Sequence[Proposal], permitted: frozenset[str]) -> "_HouseTexts | tuple[Remark, ...]":
        """Return the text of the house file without and with the proposals, or why they cannot be added."""
        try:
            before = text = self._read_text()
        except EditRejected as error:
            return (Remark("house", {"why": str(error)}),)
        house = self._home
        for one in chosen:
            seen, more = self._pending_view(one, text, permitted)
            if seen.objections or more is None or seen.house is None:
                return seen.objections or (Remark("else"),)
            text, house = more, seen.house
        try:
            for one in chosen:
                if one.login:
                    self._copy_login(one)
            wrong = reload.replacement_errors(self._home, house)
        except (ConfigError, OSError) as error:
            wrong = (str(error),)
        if wrong:
            self._remove_unused_logins(chosen)
            return (Remark("house", {"why": "\n".join(wrong)}),)
        return _HouseTexts(before, text)

    def _write(self, texts: "_HouseTexts") -> None:
        assert self._file is not None  # noqa: S101 - `accept` has looked
        if self._read_text_or_none() != texts.before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        write_home(self._file, texts.after)

    def _copy_login(self, one: Proposal) -> None:
        """Copy a camera's account beside the house file."""
        target = self._login_path(one)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(target, read_regular(self._proposal_file.login_path(one), at_most=4 * MAX_LOGIN_CHARACTERS + 2))

    def _remove_unused_logins(self, proposed: Sequence[Proposal]) -> None:
        """Delete copied accounts that the house file does not name, also those of an interrupted acceptance."""
        text = self._read_text_or_none()
        for one in proposed:
            if one.login and text is not None and self._file is not None:
                file = self._login_path(one)
                if f"{CAMERAS_FOLDER}/{file.name}" not in text:
                    _delete_files([file, file.with_name(f".{file.name}.new")])

    def _login_path(self, one: Proposal) -> Path:
        """Return the path of a camera's account after the acceptance; it is never an existing other file."""
        assert self._file is not None  # noqa: S101 - whoever asks has looked
        folder = self._file.resolve().parent / CAMERAS_FOLDER
        plain = folder / f"{one.name}.login"
        try:
            ours = plain.read_bytes() == self._proposal_file.login_path(one).read_bytes()
        except FileNotFoundError:
            ours = not os.path.lexists(plain)
        except OSError:
            ours = False
        return plain if ours else folder / f"{one.name}-{one.id}.login"

    # ---- how they stand -----------------------------------------------------------------------------------------

    def _pending_view(
        self, one: Proposal, text: str | None, permitted: frozenset[str]
    ) -> tuple[ProposalView, str | None]:
        """Return the view of a waiting proposal, and the house file's text with it if it may be added."""
        fields, login = dict(one.fields), None
        if one.login and self._file is not None:
            login = self._login_path(one)
            fields[LOGIN_KEY] = f"{CAMERAS_FOLDER}/{login.name}"
        plain = ProposalView(
            proposal=one,
            state=ProposalState.PROPOSED,
            add_command=add_command(one, fields),
            text=section_text(one, fields),
        )
        if text is None or self._file is None:
            return replace(plain, objections=(Remark("no_file"),)), text
        try:
            old = self._parse_house(text)
            more = self._merge(text, one, fields)
            house = self._parse_house(more)
        except EditRejected as error:
            remark = Remark("taken", {"name": one.name}) if error.is_id_taken else Remark("house", {"why": str(error)})
            return replace(plain, objections=(remark,)), text
        known = None if login is None else str(login)
        against = objections(old, house, one, permitted_entrances=permitted, login_file=known)
        if against:
            return replace(plain, objections=against), text
        return replace(plain, house=house, cautions=cautions(old, house, one)), more

    def _parse_house(self, text: str) -> Home:
        """Return the house of a text, from a cache: parsing takes long on a small computer."""
        assert self._file is not None  # noqa: S101 - whoever asks has looked
        found = self._houses.get(text)
        if found is None:
            try:
                found = check_home(text, self._file)
            except EditRejected as error:
                found = error
            if len(self._houses) > 2 * MAX_PENDING_PROPOSALS:
                self._houses = {}
            self._houses[text] = found
        if isinstance(found, EditRejected):
            raise found
        return found

    def _merge(self, text: str, one: Proposal, fields: Mapping[str, JsonValue]) -> str:
        assert self._file is not None  # noqa: S101 - the same
        key = (text, one.id, str(fields.get(LOGIN_KEY)))
        if key not in self._texts:
            if len(self._texts) > 2 * MAX_PENDING_PROPOSALS:
                self._texts = {}
            more = with_item(text, self._file, one.name, build_section(one.kind, fields))
            self._texts[key] = more
            return more
        return self._texts[key]

    def _accepted_view(self, one: Proposal) -> ProposalView:
        """Return the view of an accepted proposal."""
        fields = dict(one.fields)
        plain = ProposalView(
            proposal=one,
            state=ProposalState.APPLIED,
            add_command=add_command(one, fields),
            text=section_text(one, fields),
        )
        if one.done or is_in_house(self._home, one):
            return plain
        last = reload.read_report(self._home.storage.folder)
        if last is None or last[0].id == self._last_report_id:
            return replace(plain, state=ProposalState.TAKEN)
        match last[0].said:
            case "refused":
                return replace(plain, state=ProposalState.REFUSED, reload_report=last[0])
            case "waiting":
                return replace(plain, state=ProposalState.WAITING, reload_report=last[0])
            case _:
                return replace(plain, state=ProposalState.TAKEN)

    def _read_text(self) -> str:
        """Read the house file.

        Raises:
            EditRejected: it cannot be read.
        """
        if self._file is None:
            raise EditRejected("there is no house file.", "Begin the gateway with `perron run`.")
        try:
            return read_home_text(self._file)
        except FileNotFoundError as error:
            raise EditRejected(f"{self._file} is not there.", "Put it back.") from error

    def _read_text_or_none(self) -> str | None:
        try:
            return self._read_text()
        except EditRejected:
            return None

    # ---- the file -----------------------------------------------------------------------------------------------

    def _store(self, kept: tuple[Proposal, ...]) -> None:
        self._proposals = self._proposal_file.write(kept)

    def _finish_accepted(self) -> None:
        """Update the state of accepted proposals at the start, and delete files with passwords that are not needed."""
        before = {self._proposal_file.login_path(one) for one in self._proposals if not one.done}
        settled = tuple(self._updated_state(one) for one in self._proposals)
        try:
            if settled != self._proposals:
                self._store(settled)
            self._proposal_file.delete_logins(but=before)
            self._remove_unused_logins([one for one in self._proposals if one.accepted is None])
        except OSError as error:
            log.error("proposals_not_settled", why=error.strerror or "unreadable")

    def _updated_state(self, one: Proposal) -> Proposal:
        if one.accepted is None:
            return one
        if is_in_house(self._home, one):
            return one.model_copy(update={"done": True})
        again = one.model_copy(update={"accepted": None, "done": False})
        try:
            before = self._read_text()
            text = without_item(before, one.in_house, one.name)
        except EditRejected:  # it was never written, or somebody removed it
            return one if one.done else again
        last = reload.read_report(self._home.storage.folder)
        if last is None or last[0].said != "refused" or self._file is None or not is_as_proposed(before, one):
            return one  # also if somebody changed it at the terminal
        try:  # else no gateway could start with this file
            check_home(text, self._file)
            write_home(self._file, text)
        except (EditRejected, OSError) as error:
            log.error("addition_not_taken_out", name=one.name, why=str(error))
            return one
        log.warning("addition_taken_out", name=one.name, why="no house began with it")
        return again.model_copy(update={"failed": last[0].problems})


def _delete_files(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _log_facts(one: Proposal, by: str) -> Mapping[str, str]:
    return {"by": by, "person": one.by, "name": one.name, "thing": one.kind}
