"""Handles the proposals for the house file until the owner accepts or refuses them.

It lies in `proposals/` under the storage folder, so that a restart in the middle loses nothing; a camera's account lies
beside it, readable by nobody else, and goes with it. The order of an acceptance is what makes a crash harmless: it is
noted here, then in the log, then the house file is written whole, then the gateway reads it anew. Whoever begins looks
at what was accepted: what stands in the house is done, what never came into the file waits for the owner again, and
what came into it but no house began with is taken out again.
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

MAX_PROPOSALS_PER_HOUR = 4 * MAX_PENDING_PROPOSALS  # that one person proposes an hour
CAMERAS_FOLDER = "cameras"  # the folder beside the house file in which their accounts lie

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _HouseTexts:
    before: str
    after: str


class ProposalState(StrEnum):
    """How far one has come."""

    PROPOSED = auto()
    TAKEN = auto()  # written; the gateway is about to read it
    WAITING = auto()  # written, and applied once nothing happens at the doors
    REFUSED = auto()  # written, and the gateway could not take it
    APPLIED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """One proposal as it is shown: `text` as it will stand in the file, `add_command` as the terminal would add it.

    `house` is the house as it would be; None where it would be none, and `against` says why.
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
    """One for the running gateway, of the house that it runs. `rewriting` knows its house file, and who else writes it.

    `reread` has the gateway read it anew; `permitted` names the entrances that brands were ever let in by, `note`
    writes a line of the log: its kind and what it says.
    """

    def __init__(  # noqa: PLR0913 - one argument a neighbour
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
        self._read_lock = asyncio.Lock()  # one thread for all who look: doors have the others
        self._houses: dict[str, Home | EditRejected] = {}
        self._texts: dict[tuple[str, str, str], str] = {}
        self._last_report_id: str | None = (
            None  # the report that was the last one before the house file was last written
        )
        self._proposals = self._proposal_file.read()
        self._finish_accepted()

    # ---- what there is ----------------------------------------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """The house file; None: the gateway was begun without one."""
        return self._file

    @property
    def waiting_count(self) -> int:
        """How many wait for the owner."""
        return sum(one.accepted is None for one in self._proposals)

    def find(self, id_: str) -> Proposal | None:
        """Find one that waits for the owner."""
        return next((one for one in self._proposals if one.id == id_ and one.accepted is None), None)

    def is_writable(self) -> bool:
        """Whether the house file can be written as it stands."""
        if self._file is None:
            return False
        file = self._file.resolve()
        return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))

    def is_edited(self) -> bool:
        """Whether the house file says something else than the house that runs: it was changed at the terminal."""
        try:
            return self._file is not None and self._parse_house(self._read_text()) != self._home
        except EditRejected:
            return True

    async def read_views(self) -> tuple[ProposalView, ...]:
        """Tell all of them as they stand, in the order in which they were proposed; what is done comes last."""
        async with self._read_lock:
            return await asyncio.to_thread(self._make_views, frozenset(self._permitted_entrances()))

    async def read_house_with_all(self) -> Home:
        """Return the house as it would be with all that waits: what a new proposal may name."""
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
        """Propose a device or an entrance; empty: it waits for the owner, else why not."""
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
                if login is not None:  # first: without it nobody could accept this
                    await asyncio.to_thread(self._proposal_file.store_login, new, login)
                await asyncio.to_thread(self._store, (*self._proposals, new))
            except OSError as error:
                with suppress(OSError):
                    await self._remove(new)
                return (Remark("disk", {"why": error.strerror or "unreadable"}),)
        return ()

    async def discard(self, id_: str, *, by: str, now: Now, refused: bool) -> bool:
        """Forget one that waits: its proposer withdraws it, or the owner has `refused` it. False: there is none.

        Raises:
            StoreFailed, OSError: the disk does not take it.
        """
        async with self._change_lock:
            one = self.find(id_)
            if one is None:
                return False
            await self._append_log("addition_refused" if refused else "addition_withdrawn", _log_facts(one, by), now)
            await self._remove(one)
        return True

    async def _remove(self, one: Proposal) -> None:
        """The account goes first: nothing that is forgotten leaves a password behind."""
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
        """Write them into the house file as it is now, all or none, and have it read anew; empty: so it is.

        Else why not.

        Raises:
            StoreFailed: the log does not take it, and nothing was written.
        """
        async with self._change_lock:
            chosen = [one for one in self._proposals if one.id in ids and one.accepted is None]
            if self._file is None:
                return (Remark("no_file"),)
            if not chosen or {one.id for one in chosen} != set(ids):
                return (Remark("none"),)  # what was seen is not what waits now: it is shown anew
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
                with suppress(OSError):  # else the next start finds that it never came into the file
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
        """The text of the house file without and with them, or why there is none."""
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
        """Put a camera's account beside the house file."""
        target = self._login_path(one)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(target, read_regular(self._proposal_file.login_path(one), at_most=4 * MAX_LOGIN_CHARACTERS + 2))

    def _remove_unused_logins(self, proposed: Sequence[Proposal]) -> None:
        """Delete what was put beside a house file that does not name it, also by a process that was killed there."""
        text = self._read_text_or_none()
        for one in proposed:
            if one.login and text is not None and self._file is not None:
                file = self._login_path(one)
                if f"{CAMERAS_FOLDER}/{file.name}" not in text:
                    _delete_files([file, file.with_name(f".{file.name}.new")])

    def _login_path(self, one: Proposal) -> Path:
        """Where a camera's account lies once it is accepted: never where another file is."""
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
        """Show one that waits, on top of a house file; and the text of it with this one, where it may come in."""
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
        """The house of a text; of the last ones it is remembered, for reading one takes a while on a small box."""
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
        """Show one that was accepted."""
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
        """A gateway begins: see what became of what was accepted, and leave no password behind."""
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
        except EditRejected:  # it never came into the file, or somebody took it out of it
            return one if one.done else again
        last = reload.read_report(self._home.storage.folder)
        if last is None or last[0].said != "refused" or self._file is None or not is_as_proposed(before, one):
            return one  # also where somebody has written it anew at the terminal: that is his
        try:  # else the next start would find a house in which no gateway begins
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
