"""Handles the proposals for the house file until the owner accepts or refuses them.

The proposals are in `proposals/` under the storage folder, so that a restart loses nothing; a camera's account is in a
private file beside them. The order of an acceptance makes a crash harmless: the gateway stores the acceptance, writes
the log entry, replaces the house file, then loads the house again. At its start the gateway checks accepted proposals:
one in the running house is done, one that is not in the file waits for the owner again, and one with which no gateway
started is removed from the file.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum, auto
from functools import lru_cache
from pathlib import Path
from typing import Self

import structlog
from pydantic import JsonValue, ValidationError

from gateway.config import editor
from gateway.config.broker_acl import account_names
from gateway.config.editor import EditRejected, HomeFileWriter
from gateway.config.home import Home
from gateway.config.loader import named_paths
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.installation import proposal_checks as checks
from gateway.installation import proposals_file, records
from gateway.installation.proposal_checks import Proposal, ProposalAcceptance, ProposalRequest, Remark
from gateway.installation.removal import HouseWithout, house_without
from gateway.mqtt.mosquitto.accounts import update_accounts, withdraw_accounts
from gateway.mqtt.mosquitto.provisioning import WeakBrokerSetup
from gateway.runtime.maintenance import reload
from gateway.storage.models import StoreFailed
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.config_section import ConfigError
from gateway.system.token_bucket import SlidingWindow

# Of one person. A flood would fill the disk with log entries that stay for ever, and a full disk stops each visit. The
# counts are in memory: only the owner can restart the gateway.
MAX_PROPOSALS_PER_HOUR = 4 * checks.MAX_PENDING_PROPOSALS
CAMERAS_FOLDER = "cameras"  # folder beside the house file with the cameras' accounts

log = structlog.get_logger(__name__)


class ProposalState(StrEnum):
    """State of a proposal."""

    PROPOSED = auto()
    TAKEN = auto()  # written; the gateway will load it
    WAITING = auto()  # written; the gateway applies it when nothing happens at the doors
    REFUSED = auto()  # written; the gateway could not load it
    APPLIED = auto()


class ProposalView(Frozen):
    """One proposal as pages show it."""

    proposal: Proposal
    state: ProposalState
    text: str  # for the house file
    add_command: str  # for the terminal
    house: Home | None = None  # with the proposal; None: it cannot be added
    objections: tuple[Remark, ...] = ()  # why it cannot
    cautions: tuple[Remark, ...] = ()
    reload_report: reload.ReloadReport | None = None

    @classmethod
    def of(cls, proposal: Proposal, fields: Mapping[str, JsonValue], state: ProposalState) -> Self:
        """Return a view that neither objects nor cautions."""
        text, command = proposals_file.section_text(proposal, fields), proposals_file.add_command(proposal, fields)
        return cls(proposal=proposal, state=state, text=text, add_command=command)


class Proposals:
    """The proposals of the running gateway. `writer` has its house file, and the lock of all who write it.

    `permitted_entrances` returns the entrances for which a brand ever had a permission. `append_log` writes a log
    entry: its kind and its facts.
    """

    def __init__(
        self,
        home: Home,
        *,
        writer: HomeFileWriter,
        permitted_entrances: Callable[[], Collection[str]],
        append_log: Callable[[str, Mapping[str, str], Now], Awaitable[object]],
    ) -> None:
        self._home, self._writer = home, writer
        self._permitted_entrances, self._append_log = permitted_entrances, append_log
        self._folder = home.storage.folder / "proposals"
        self._limits: dict[str, SlidingWindow] = {}  # each person's
        self._read_lock = asyncio.Lock()  # one thread for all readers: the doors need the others
        self.removed = frozenset[str]()  # devices of the running house that the house file has no longer
        self.is_completed = False  # the house file says more of a device than the running house
        self._last_report_id: str | None = None  # of the last report before the house file was written
        self._proposals = proposals_file.read_proposals(self._folder / "proposals.json")
        self._finish_accepted()

    @property
    def file(self) -> Path | None:
        """The house file; None: the gateway was started without one."""
        return self._writer.file

    @property
    def _pending(self) -> tuple[Proposal, ...]:
        return tuple(proposal for proposal in self._proposals if proposal.accepted is None)

    @property
    def waiting_count(self) -> int:
        """Number of proposals that wait for the owner."""
        return len(self._pending)

    def find(self, id_: str) -> Proposal | None:
        """Return a waiting proposal; None: there is none with this id."""
        return next((proposal for proposal in self._pending if proposal.id == id_), None)

    def is_writable(self) -> bool:
        """Return whether the house file can be written."""
        if self.file is None:
            return False
        file = self.file.resolve()
        return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))

    def is_edited(self) -> bool:
        """Return whether the house file differs from the running house: somebody edited it at the terminal."""
        try:
            return self.file is not None and _parse_house(self._writer.read(), self.file) != self._home
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
        pending = {view.proposal.id: view for view in self._pending_views(permitted)[0]}
        views = [pending.get(proposal.id) or self._accepted_view(proposal) for proposal in self._proposals]
        return tuple(sorted(views, key=lambda view: view.proposal.done))

    def _make_house_with_all(self, permitted: frozenset[str]) -> Home:
        text = self._pending_views(permitted)[1]
        try:
            return self._home if text is None else _parse_house(text, self._writer.require_file())
        except EditRejected:
            return self._home

    async def check(self, request: ProposalRequest, *, now: Now) -> ProposalView:
        """Return how the house would be with this device or entrance; nothing is stored."""
        proposal = Proposal(
            id=secrets.token_hex(8),
            kind=request.kind,
            name=request.name,
            fields=dict(request.fields),
            by="",
            at=now.utc,
        )
        permitted = frozenset(self._permitted_entrances())
        async with self._read_lock:
            return (await asyncio.to_thread(self._pending_views, permitted, proposal))[0][-1]

    async def propose(self, request: ProposalRequest, *, by: str, now: Now) -> tuple[Remark, ...]:
        """Propose a device or an entrance; return why not, or nothing if it waits for the owner now."""
        login = request.login
        try:
            proposal = Proposal(
                id=secrets.token_hex(8), kind=request.kind, name=request.name, fields=dict(request.fields),
                by=by, at=now.utc, login=login is not None,
            )  # fmt: skip
        except ValidationError:
            return (Remark("id"),)
        async with self._writer.lock:
            remarks = await asyncio.to_thread(self._objections, proposal, login, frozenset(self._permitted_entrances()))
            if remarks:
                return remarks
            if not self._limits.setdefault(by, SlidingWindow(MAX_PROPOSALS_PER_HOUR, 3600.0)).take(now.mono):
                return (Remark("often"),)
            await self._append_log("addition_proposed", _log_facts(proposal, by), now)
            try:
                if login is not None:  # first, because the acceptance needs it
                    await asyncio.to_thread(self._store_login, proposal, login)
                await asyncio.to_thread(self._store, (*self._proposals, proposal))
            except OSError as error:
                with suppress(OSError):
                    await self._remove(proposal)
                return (Remark("disk", {"why": error.strerror or "unreadable"}),)
        return ()

    async def discard(self, id_: str, *, by: str, now: Now, refused: bool) -> bool:
        """Delete a waiting proposal, which its proposer withdrew or the owner `refused`. False: there is none.

        Raises:
            StoreFailed, OSError: log or file cannot be written.
        """
        async with self._writer.lock:
            proposal = self.find(id_)
            if proposal is None:
                return False
            kind = "addition_refused" if refused else "addition_withdrawn"
            await self._append_log(kind, _log_facts(proposal, by), now)
            await self._remove(proposal)
        return True

    async def _remove(self, proposal: Proposal) -> None:
        """Delete the account first, so that no deleted proposal leaves a password."""
        with suppress(OSError):
            self._stored_login(proposal).unlink(missing_ok=True)
        await asyncio.to_thread(self._store, tuple(other for other in self._proposals if other.id != proposal.id))

    def _objections(
        self, new: Proposal, login: tuple[str, str] | None, permitted: frozenset[str]
    ) -> tuple[Remark, ...]:
        if self.waiting_count >= checks.MAX_PENDING_PROPOSALS:
            return (Remark("many", {"most": str(checks.MAX_PENDING_PROPOSALS)}),)
        if len(new.model_dump_json().encode()) > checks.MAX_PROPOSAL_BYTES:
            return (Remark("large"),)
        if any((proposal.name, proposal.in_house) == (new.name, new.in_house) for proposal in self._pending):
            return (Remark("taken", {"name": new.name}),)
        if checks.LOGIN_KEY in new.fields:
            return (Remark("file"),)
        if login is not None and not proposals_file.fits_one_line(login):
            return (Remark("login"),)
        return self._pending_views(permitted, new)[0][-1].objections

    async def accept(self, ids: Sequence[str], *, by: str, now: Now) -> tuple[Remark, ...]:
        """Write these proposals into the current house file, all or none, and reload it; return why not, else nothing.

        Raises:
            StoreFailed: the log cannot be written, and the house file is unchanged.
        """
        async with self._writer.lock:
            chosen = [proposal for proposal in self._pending if proposal.id in ids]
            if self.file is None:
                return (Remark("no_file"),)
            if not chosen or {proposal.id for proposal in chosen} != set(ids):
                return (Remark("none"),)  # the list has changed since the page was shown
            remarks, text, new_text, house = await asyncio.to_thread(
                self._prepare, chosen, frozenset(self._permitted_entrances())
            )
            if remarks:
                return remarks
            unmarked = self._proposals
            acceptance = {"accepted": ProposalAcceptance(by=by, at=now.utc), "failed": ()}
            marked = (
                proposal.model_copy(update=acceptance) if proposal in chosen else proposal for proposal in unmarked
            )
            try:
                await asyncio.to_thread(self._store, tuple(marked))
                for proposal in chosen:
                    await self._append_log("addition_accepted", _log_facts(proposal, by), now)
                self._writer.crash_point("accepted")
                await asyncio.to_thread(self._writer.replace, text, new_text)
            except (OSError, EditRejected, StoreFailed) as error:
                self._proposals = unmarked
                with suppress(OSError):  # else the next start finds that the file does not have it
                    await asyncio.to_thread(self._store, unmarked)
                await asyncio.to_thread(self._remove_unused_logins, chosen)
                if isinstance(error, StoreFailed):
                    raise
                return (self._unwritable(error),)
            self._writer.crash_point("written")
            await asyncio.to_thread(_give_accounts, house)
            last = reload.read_report(self._home.storage.folder)
            self._last_report_id = None if last is None else last[0].id
            self._writer.reload()
        return ()

    async def check_removal(self, device: str) -> tuple[Remark, ...]:
        """Return why a device of the house cannot be removed, or nothing."""
        async with self._read_lock:
            return (await asyncio.to_thread(self._house_without, device)).remarks

    async def remove(self, device: str, *, by: str, now: Now) -> tuple[Remark, ...]:
        """Take a device that nothing uses out of the house file, and reload it; return why not, else nothing.

        Its account at the broker ends. What the log, films and reports have of it stays.

        Raises:
            StoreFailed: the log cannot be written, and the house file is unchanged.
        """
        async with self._writer.lock:
            without = await asyncio.to_thread(self._house_without, device)
            if without.house is None:
                return without.remarks
            kind = self._home.devices[device].kind
            await self._append_log("device_removed", {"by": by, "name": device, "thing": kind}, now)
            try:
                await asyncio.to_thread(self._writer.replace, without.before, without.text)
            except (OSError, EditRejected) as error:
                return (self._unwritable(error),)
            self.removed |= {device}
            await asyncio.to_thread(self._forget, device, without.house)
            self._writer.reload()
        return ()

    async def complete(
        self, answers: Mapping[str, Mapping[str, JsonValue]], *, by: str, now: Now
    ) -> tuple[Remark, ...]:
        """Write the answers to open questions (`questions.py`), by device and key, and reload the house file.

        Return why not, else nothing. StoreFailed: the log cannot be written, and the house file is unchanged.
        """
        async with self._writer.lock:
            try:
                before, text = await asyncio.to_thread(self._completed, answers)
            except EditRejected as error:
                return (Remark("house", {"why": str(error)}),)
            for device in answers:
                kind = self._home.devices[device].kind
                await self._append_log("device_completed", {"by": by, "name": device, "thing": kind}, now)
            try:
                await asyncio.to_thread(self._writer.replace, before, text)
            except (OSError, EditRejected) as error:
                return (self._unwritable(error),)
            self.is_completed = True
            self._writer.reload()
        return ()

    def _completed(self, answers: Mapping[str, Mapping[str, JsonValue]]) -> tuple[str, str]:
        """Return the house file's text without and with the answers; EditRejected: it would be invalid."""
        before, file = self._writer.read(), self._writer.require_file()
        text = before
        for device, values in answers.items():
            for key, value in values.items():
                text = editor.with_device_key(text, file, device, key, value)
        editor.check_home(text, file)
        return before, text

    def _unwritable(self, error: OSError | EditRejected) -> Remark:
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)
        return Remark("unwritable", {"file": str(self.file), "why": reason})

    def _house_without(self, device: str) -> HouseWithout:
        try:
            text = self._writer.read()
        except EditRejected as error:
            return HouseWithout(before="", text="", remarks=(Remark("house", {"why": str(error)}),))
        return house_without(text, self._writer.require_file(), device)

    def _forget(self, device: str, house: Home) -> None:
        """Delete account, password and measurement of the device: a later one of the same name must not get them."""
        accounts = set(account_names(self._home)) - set(account_names(house))
        others = [p for p in self._proposals if p.accepted is None or (p.name, p.in_house) != (device, "devices")]
        steps: Sequence[Callable[[], object]] = (
            lambda: withdraw_accounts(house, accounts),
            lambda: self._delete_login(device, house),
            lambda: records.forget_device(self._home.storage.folder, device, accounts=accounts),
            lambda: self._store(tuple(others)),
        )
        for step in steps:  # a step that fails does not prevent the others
            try:
                step()
            except (OSError, ValueError, WeakBrokerSetup) as error:
                log.error("device_not_forgotten", device=device, why=str(error))

    def _delete_login(self, device: str, house: Home) -> None:
        """Delete the file with a camera's account, if the gateway wrote it and no other camera has it."""
        login = getattr(self._home.devices[device], checks.LOGIN_KEY, None)
        folder = self._writer.require_file().resolve().parent / CAMERAS_FOLDER
        if isinstance(login, Path) and login.parent == folder and login not in named_paths(house):
            login.unlink(missing_ok=True)

    def _prepare(
        self, chosen: Sequence[Proposal], permitted: frozenset[str]
    ) -> tuple[tuple[Remark, ...], str, str, Home]:
        """Return why they cannot be added, the house file without and with them, and the house with them."""
        try:
            text = new_text = self._writer.read()
        except EditRejected as error:
            return (Remark("house", {"why": str(error)}),), "", "", self._home
        house = self._home
        for proposal in chosen:
            view, merged = self._pending_view(proposal, new_text, permitted)
            if view.house is None or merged is None:
                return view.objections, text, text, house
            new_text, house = merged, view.house
        try:
            for proposal in chosen:
                if proposal.login:
                    self._copy_login(proposal)
            errors = reload.replacement_errors(self._home, house)
        except (ConfigError, OSError) as error:
            errors = (str(error),)
        if errors:
            self._remove_unused_logins(chosen)
            return (Remark("house", {"why": "\n".join(errors)}),), text, text, house
        return (), text, new_text, house

    def _copy_login(self, proposal: Proposal) -> None:
        login, target = self._stored_login(proposal), self._login_path(proposal)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(target, read_regular(login, at_most=4 * proposals_file.MAX_LOGIN_CHARACTERS + 2))

    def _remove_unused_logins(self, proposals: Sequence[Proposal]) -> None:
        """Delete copied accounts that the house file does not name, also those of an interrupted acceptance."""
        text = self._read_text_or_none()
        for proposal in proposals:
            if proposal.login and text is not None:
                file = self._login_path(proposal)
                if f"{CAMERAS_FOLDER}/{file.name}" not in text:
                    for copy in (file, file.with_name(f".{file.name}.new")):
                        with suppress(OSError):
                            copy.unlink(missing_ok=True)

    def _login_path(self, proposal: Proposal) -> Path:
        """Return the path of a camera's account after the acceptance; it is never an existing other file."""
        folder = self._writer.require_file().resolve().parent / CAMERAS_FOLDER
        plain = folder / f"{proposal.name}.login"
        try:
            is_usable = plain.read_bytes() == self._stored_login(proposal).read_bytes()
        except FileNotFoundError:
            is_usable = not os.path.lexists(plain)
        except OSError:
            is_usable = False
        return plain if is_usable else folder / f"{proposal.name}-{proposal.id}.login"

    def _pending_views(self, permitted: frozenset[str], *new: Proposal) -> tuple[Sequence[ProposalView], str | None]:
        """Return the views of the waiting proposals, then of `new` ones, and the text of the house file with all.

        Each is seen in a house with those before it. The text is None if the file cannot be read.
        """
        views, text = [], self._read_text_or_none()
        for proposal in (*self._pending, *new):
            view, text = self._pending_view(proposal, text, permitted)
            views.append(view)
        return views, text

    def _pending_view(
        self, proposal: Proposal, text: str | None, permitted: frozenset[str]
    ) -> tuple[ProposalView, str | None]:
        """Return the view of a waiting proposal, and the house file's text with it if it may be added."""
        fields, login = dict(proposal.fields), None
        if proposal.login and self.file is not None:
            login = self._login_path(proposal)
            fields[checks.LOGIN_KEY] = f"{CAMERAS_FOLDER}/{login.name}"
        view = ProposalView.of(proposal, fields, ProposalState.PROPOSED)
        if text is None or self.file is None:
            return replace(view, objections=(Remark("no_file"),)), text
        try:
            old = _parse_house(text, self.file)
            new_text = _with_section(text, self.file, proposal.name, proposal.kind, json.dumps(fields))
            new = _parse_house(new_text, self.file)
        except EditRejected as error:
            taken, invalid = Remark("taken", {"name": proposal.name}), Remark("house", {"why": str(error)})
            return replace(view, objections=(taken if error.is_id_taken else invalid,)), text
        login_file = None if login is None else str(login)
        remarks = checks.objections(old, new, proposal, permitted_entrances=permitted, login_file=login_file)
        if remarks:
            return replace(view, objections=remarks), text
        return replace(view, house=new, cautions=checks.cautions(old, new, proposal)), new_text

    def _accepted_view(self, proposal: Proposal) -> ProposalView:
        view = ProposalView.of(proposal, proposal.fields, ProposalState.APPLIED)
        if proposal.done or checks.is_in_house(self._home, proposal):
            return view
        last = reload.read_report(self._home.storage.folder)
        if last is not None and last[0].id != self._last_report_id and last[0].said in ("refused", "waiting"):
            return replace(view, state=ProposalState(last[0].said), reload_report=last[0])
        return replace(view, state=ProposalState.TAKEN)

    def _read_text_or_none(self) -> str | None:
        try:
            return self._writer.read()
        except EditRejected:
            return None

    def _store(self, proposals: tuple[Proposal, ...]) -> None:
        """Store the proposals without the oldest done ones."""
        old = [proposal for proposal in proposals if proposal.done][: -proposals_file.MAX_DONE_PROPOSALS]
        proposals = tuple(proposal for proposal in proposals if proposal not in old)
        self._write("proposals.json", proposals_file.PROPOSALS_ADAPTER.dump_json(proposals))
        self._proposals = proposals

    def _store_login(self, proposal: Proposal, login: tuple[str, str]) -> None:
        self._write(f"{proposal.id}.login", f"{login[0]}:{login[1]}\n".encode())

    def _stored_login(self, proposal: Proposal) -> Path:
        return self._folder / f"{proposal.id}.login"

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._folder / name, content)

    def _finish_accepted(self) -> None:
        """Update the state of accepted proposals at the start, and delete files with passwords that are not needed."""
        logins = {self._stored_login(proposal) for proposal in self._proposals if not proposal.done}
        updated = tuple(self._updated_state(proposal) for proposal in self._proposals)
        try:
            if updated != self._proposals:
                self._store(updated)
            half = self._folder.glob(".*.login.new")  # files of an interrupted write
            for file in {*self._folder.glob("*.login"), *half} - logins:
                file.unlink()
                sync_folder(self._folder)
            self._remove_unused_logins(self._pending)
        except OSError as error:
            log.error("proposals_not_settled", why=error.strerror or "unreadable")

    def _updated_state(self, proposal: Proposal) -> Proposal:
        if proposal.accepted is None:
            return proposal
        if checks.is_in_house(self._home, proposal):
            return proposal.model_copy(update={"done": True})
        pending = proposal.model_copy(update={"accepted": None, "done": False})
        try:
            text = self._writer.read()
            text_without = editor.without_item(text, proposal.in_house, proposal.name)
        except EditRejected:  # it was never written, or somebody removed it
            return proposal if proposal.done else pending
        last = reload.read_report(self._home.storage.folder)
        if last is None or last[0].said != "refused" or not proposals_file.is_as_proposed(text, proposal):
            return proposal  # also if somebody changed it at the terminal
        file = self._writer.require_file()
        try:  # else no gateway could start with this file
            editor.check_home(text_without, file)
            editor.write_home(file, text_without)
        except (EditRejected, OSError) as error:
            log.error("addition_not_taken_out", name=proposal.name, why=str(error))
            return proposal
        log.warning("addition_taken_out", name=proposal.name, why="no house began with it")
        return pending.model_copy(update={"failed": last[0].problems})


def _give_accounts(house: Home) -> None:
    """Give new devices their accounts at the broker; where that fails, the page says which have none."""
    try:
        update_accounts(house)
    except (OSError, ValueError, WeakBrokerSetup) as error:
        log.error("accounts_not_made", why=str(error))


# Parsing takes long on a small computer, and each page shows each waiting proposal in the house with those before it.


@lru_cache(maxsize=2 * checks.MAX_PENDING_PROPOSALS)
def _parse_house_or_error(text: str, file: Path) -> Home | EditRejected:
    try:
        return editor.check_home(text, file)
    except EditRejected as error:
        return error


def _parse_house(text: str, file: Path) -> Home:
    house = _parse_house_or_error(text, file)
    if isinstance(house, EditRejected):
        raise house
    return house


@lru_cache(maxsize=2 * checks.MAX_PENDING_PROPOSALS)
def _with_section(text: str, file: Path, name: str, kind: str, fields: str) -> str:
    """Return the text of the house file with a device or entrance; `fields` is JSON."""
    return editor.with_item(text, file, name, editor.build_section(kind, json.loads(fields)))


def _log_facts(proposal: Proposal, by: str) -> Mapping[str, str]:
    return {"by": by, "person": proposal.by, "name": proposal.name, "thing": proposal.kind}
