"""What is proposed on the pages for the house file, until the owner accepts or refuses it.

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
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

import structlog
from pydantic import JsonValue, ValidationError

from gateway.config.editor import NotAdded, checked, merged, section_of, taken_out, text_of, written
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.writer import Rewriting
from gateway.domain.visit.state import Now
from gateway.installation.proposal import (
    LARGEST,
    LOGIN,
    MOST,
    Accepted,
    Asked,
    Proposal,
    Remark,
    cautions,
    objections,
    stands,
)
from gateway.installation.proposal_store import (
    LONGEST_LOGIN,
    ProposalFile,
    as_proposed,
    command,
    one_line,
    section_text,
)
from gateway.installation.quota import Quota
from gateway.runtime.maintenance import reload
from gateway.storage import StoreFailed
from gateway.system.atomic_file import read_regular, write_whole

OFTEN = 4 * MOST  # that one person proposes an hour
CAMERAS = "cameras"  # the folder beside the house file in which their accounts lie

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Texts:
    before: str
    after: str


class Standing(StrEnum):
    """How far one has come."""

    PROPOSED = auto()
    TAKEN = auto()  # written; the gateway is about to read it
    WAITING = auto()  # written, and applied once nothing happens at the doors
    REFUSED = auto()  # written, and the gateway could not take it
    APPLIED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One proposal as it is shown: `text` as it will stand in the file, `command` as the terminal would add it.

    `house` is the house as it would be; None where it would be none, and `against` says why.
    """

    proposal: Proposal
    standing: Standing
    text: str
    command: str
    house: Home | None = None
    against: tuple[Remark, ...] = ()
    cautions: tuple[Remark, ...] = ()
    report: reload.Report | None = None


class Proposals:
    """One for the running gateway, of the house that it runs. `rewriting` knows its house file, and who else writes it.

    `reread` has the gateway read it anew; `permitted` names the entrances that brands were ever let in by, `note`
    writes a line of the log: its kind and what it says.
    """

    def __init__(  # noqa: PLR0913 - one argument a neighbour
        self,
        home: Home,
        *,
        rewriting: Rewriting,
        reread: Callable[[], None],
        permitted: Callable[[], Collection[str]],
        note: Callable[[str, Mapping[str, str], Now], Awaitable[object]],
        reached: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._home, self._file, self._reread = home, rewriting.file, reread
        self._permitted, self._note, self._reached = permitted, note, reached
        self._lies = ProposalFile(home.storage.folder / "proposals")
        self._changing, self._quota = rewriting.changing, Quota(OFTEN)
        self._reading = asyncio.Lock()  # one thread for all who look: doors have the others
        self._houses: dict[str, Home | NotAdded] = {}
        self._texts: dict[tuple[str, str, str], str] = {}
        self._asked: str | None = None  # the report that was the last one before the house file was last written
        self._kept = self._lies.read()
        self._settle()

    # ---- what there is ----------------------------------------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """The house file; None: the gateway was begun without one."""
        return self._file

    @property
    def waiting(self) -> int:
        """How many wait for the owner."""
        return sum(one.accepted is None for one in self._kept)

    def find(self, ident: str) -> Proposal | None:
        """Find one that waits for the owner."""
        return next((one for one in self._kept if one.id == ident and one.accepted is None), None)

    def writable(self) -> bool:
        """Whether the house file can be written as it stands."""
        if self._file is None:
            return False
        file = self._file.resolve()
        return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))

    def edited(self) -> bool:
        """Whether the house file says something else than the house that runs: it was changed at the terminal."""
        try:
            return self._file is not None and self._house(self._text()) != self._home
        except NotAdded:
            return True

    async def seen(self) -> tuple[Seen, ...]:
        """Tell all of them as they stand, in the order in which they were proposed; what is done comes last."""
        async with self._reading:
            return await asyncio.to_thread(self._seen, frozenset(self._permitted()))

    async def with_all(self) -> Home:
        """Return the house as it would be with all that waits: what a new proposal may name."""
        async with self._reading:
            return await asyncio.to_thread(self._with_all, frozenset(self._permitted()))

    def _seen(self, permitted: frozenset[str]) -> tuple[Seen, ...]:
        found, text = [], self._text_or_none()
        for one in self._kept:
            if one.accepted is not None:
                found.append(self._taken(one))
                continue
            seen, text = self._proposed(one, text, permitted)
            found.append(seen)
        return tuple(sorted(found, key=lambda one: one.proposal.done))

    def _with_all(self, permitted: frozenset[str]) -> Home:
        text = self._text_or_none()
        for one in self._kept:
            if one.accepted is None:
                text = self._proposed(one, text, permitted)[1]
        if text is None or self._file is None:
            return self._home
        try:
            return self._house(text)
        except NotAdded:
            return self._home

    # ---- proposing ----------------------------------------------------------------------------------------------

    async def propose(self, asked: Asked, *, by: str, now: Now) -> tuple[Remark, ...]:
        """Propose a device or an entrance; empty: it waits for the owner, else why not."""
        login = asked.login
        try:
            new = Proposal(
                id=secrets.token_hex(8), kind=asked.kind, name=asked.name, fields=dict(asked.fields), by=by, at=now.utc,
                login=login is not None,
            )  # fmt: skip
        except ValidationError:
            return (Remark("id"),)
        async with self._changing:
            why = await asyncio.to_thread(self._unfit, new, login, frozenset(self._permitted()))
            if not why and not self._quota.take(by, now.mono):
                why = (Remark("often"),)
            if why:
                return why
            await self._note("addition_proposed", _told(new, by), now)
            try:
                if login is not None:  # first: without it nobody could accept this
                    await asyncio.to_thread(self._lies.keep_login, new, login)
                await asyncio.to_thread(self._keep, (*self._kept, new))
            except OSError as error:
                with suppress(OSError):
                    await self._dropped(new)
                return (Remark("disk", {"why": error.strerror or "unreadable"}),)
        return ()

    async def drop(self, ident: str, *, by: str, now: Now, refused: bool) -> bool:
        """Forget one that waits: its proposer withdraws it, or the owner has `refused` it. False: there is none.

        Raises:
            StoreFailed, OSError: the disk does not take it.
        """
        async with self._changing:
            one = self.find(ident)
            if one is None:
                return False
            await self._note("addition_refused" if refused else "addition_withdrawn", _told(one, by), now)
            await self._dropped(one)
        return True

    async def _dropped(self, one: Proposal) -> None:
        """The account goes first: nothing that is forgotten leaves a password behind."""
        with suppress(OSError):
            self._lies.login(one).unlink(missing_ok=True)
        await asyncio.to_thread(self._keep, tuple(kept for kept in self._kept if kept.id != one.id))

    def _unfit(self, new: Proposal, login: tuple[str, str] | None, permitted: frozenset[str]) -> tuple[Remark, ...]:
        if self.waiting >= MOST:
            return (Remark("many", {"most": str(MOST)}),)
        if len(new.model_dump_json().encode()) > LARGEST:
            return (Remark("large"),)
        if any(one.name == new.name and one.in_house == new.in_house for one in self._kept if one.accepted is None):
            return (Remark("taken", {"name": new.name}),)
        if LOGIN in new.fields:
            return (Remark("file"),)
        if login is not None and not one_line(login):
            return (Remark("login"),)
        text = self._text_or_none()
        if text is None:
            return (Remark("no_file"),)
        for one in self._kept:
            if one.accepted is None:
                text = self._proposed(one, text, permitted)[1]
        return self._proposed(new, text, permitted)[0].against

    # ---- accepting ----------------------------------------------------------------------------------------------

    async def accept(self, idents: Sequence[str], *, by: str, now: Now) -> tuple[Remark, ...]:
        """Write them into the house file as it is now, all or none, and have it read anew; empty: so it is.

        Else why not.

        Raises:
            StoreFailed: the log does not take it, and nothing was written.
        """
        async with self._changing:
            chosen = [one for one in self._kept if one.id in idents and one.accepted is None]
            if self._file is None:
                return (Remark("no_file"),)
            if not chosen or {one.id for one in chosen} != set(idents):
                return (Remark("none"),)  # what was seen is not what waits now: it is shown anew
            outcome = await asyncio.to_thread(self._prepared, chosen, frozenset(self._permitted()))
            if not isinstance(outcome, _Texts):
                return outcome
            accepted = Accepted(by=by, at=now.utc)
            ids = {one.id for one in chosen}
            before = self._kept
            marked = tuple(
                one.model_copy(update={"accepted": accepted, "failed": ()}) if one.id in ids else one for one in before
            )
            try:
                await asyncio.to_thread(self._keep, marked)
                for one in chosen:
                    await self._note("addition_accepted", _told(one, by), now)
                self._reached("accepted")
                await asyncio.to_thread(self._written, outcome)
            except (OSError, StoreFailed) as error:
                self._kept = before
                with suppress(OSError):  # else the next start finds that it never came into the file
                    await asyncio.to_thread(self._keep, before)
                await asyncio.to_thread(self._taken_back, chosen)
                if isinstance(error, StoreFailed):
                    raise
                return (Remark("unwritable", {"file": str(self._file), "why": error.strerror or "unreadable"}),)
            self._reached("written")
            last = reload.told(self._home.storage.folder)
            self._asked = None if last is None else last[0].id
            self._reread()
        return ()

    def _prepared(self, chosen: Sequence[Proposal], permitted: frozenset[str]) -> "_Texts | tuple[Remark, ...]":
        """The text of the house file without and with them, or why there is none."""
        try:
            before = text = self._text()
        except NotAdded as error:
            return (Remark("house", {"why": str(error)}),)
        house = self._home
        for one in chosen:
            seen, more = self._proposed(one, text, permitted)
            if seen.against or more is None or seen.house is None:
                return seen.against or (Remark("else"),)
            text, house = more, seen.house
        try:
            for one in chosen:
                if one.login:
                    self._copied(one)
            wrong = reload.unfit(self._home, house)
        except (ConfigError, OSError) as error:
            wrong = (str(error),)
        if wrong:
            self._taken_back(chosen)
            return (Remark("house", {"why": "\n".join(wrong)}),)
        return _Texts(before, text)

    def _written(self, texts: "_Texts") -> None:
        assert self._file is not None  # noqa: S101 - `accept` has looked
        if self._text_or_none() != texts.before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        written(self._file, texts.after)

    def _copied(self, one: Proposal) -> None:
        """Put a camera's account beside the house file."""
        target = self._beside(one)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(target, read_regular(self._lies.login(one), at_most=4 * LONGEST_LOGIN + 2))

    def _taken_back(self, proposed: Sequence[Proposal]) -> None:
        """Delete what was put beside a house file that does not name it, also by a process that was killed there."""
        text = self._text_or_none()
        for one in proposed:
            if one.login and text is not None and self._file is not None:
                file = self._beside(one)
                if f"{CAMERAS}/{file.name}" not in text:
                    _removed([file, file.with_name(f".{file.name}.new")])

    def _beside(self, one: Proposal) -> Path:
        """Where a camera's account lies once it is accepted: never where another file is."""
        assert self._file is not None  # noqa: S101 - whoever asks has looked
        folder = self._file.resolve().parent / CAMERAS
        plain = folder / f"{one.name}.login"
        try:
            ours = plain.read_bytes() == self._lies.login(one).read_bytes()
        except FileNotFoundError:
            ours = not os.path.lexists(plain)
        except OSError:
            ours = False
        return plain if ours else folder / f"{one.name}-{one.id}.login"

    # ---- how they stand -----------------------------------------------------------------------------------------

    def _proposed(self, one: Proposal, text: str | None, permitted: frozenset[str]) -> tuple[Seen, str | None]:
        """Show one that waits, on top of a house file; and the text of it with this one, where it may come in."""
        fields, login = dict(one.fields), None
        if one.login and self._file is not None:
            login = self._beside(one)
            fields[LOGIN] = f"{CAMERAS}/{login.name}"
        plain = Seen(
            proposal=one, standing=Standing.PROPOSED, command=command(one, fields), text=section_text(one, fields)
        )
        if text is None or self._file is None:
            return _with(plain, against=(Remark("no_file"),)), text
        try:
            old = self._house(text)
            more = self._merged(text, one, fields)
            house = self._house(more)
        except NotAdded as error:
            remark = Remark("taken", {"name": one.name}) if error.taken else Remark("house", {"why": str(error)})
            return _with(plain, against=(remark,)), text
        known = None if login is None else str(login)
        against = objections(old, house, one, permitted=permitted, login=known)
        if against:
            return _with(plain, against=against), text
        return _with(plain, house=house, cautions=cautions(old, house, one)), more

    def _house(self, text: str) -> Home:
        """The house of a text; of the last ones it is remembered, for reading one takes a while on a small box."""
        assert self._file is not None  # noqa: S101 - whoever asks has looked
        found = self._houses.get(text)
        if found is None:
            try:
                found = checked(text, self._file)
            except NotAdded as error:
                found = error
            if len(self._houses) > 2 * MOST:
                self._houses = {}
            self._houses[text] = found
        if isinstance(found, NotAdded):
            raise found
        return found

    def _merged(self, text: str, one: Proposal, fields: Mapping[str, JsonValue]) -> str:
        assert self._file is not None  # noqa: S101 - the same
        key = (text, one.id, str(fields.get(LOGIN)))
        if key not in self._texts:
            if len(self._texts) > 2 * MOST:
                self._texts = {}
            more = merged(text, self._file, one.name, section_of(one.kind, fields))
            self._texts[key] = more
            return more
        return self._texts[key]

    def _taken(self, one: Proposal) -> Seen:
        """Show one that was accepted."""
        fields = dict(one.fields)
        plain = Seen(
            proposal=one, standing=Standing.APPLIED, command=command(one, fields), text=section_text(one, fields)
        )
        if one.done or stands(self._home, one):
            return plain
        last = reload.told(self._home.storage.folder)
        if last is None or last[0].id == self._asked:
            return _with(plain, standing=Standing.TAKEN)
        match last[0].said:
            case "refused":
                return _with(plain, standing=Standing.REFUSED, report=last[0])
            case "waiting":
                return _with(plain, standing=Standing.WAITING, report=last[0])
            case _:
                return _with(plain, standing=Standing.TAKEN)

    def _text(self) -> str:
        """Read the house file.

        Raises:
            NotAdded: it cannot be read.
        """
        if self._file is None:
            raise NotAdded("there is no house file.", "Begin the gateway with `perron run`.")
        try:
            return text_of(self._file)
        except FileNotFoundError as error:
            raise NotAdded(f"{self._file} is not there.", "Put it back.") from error

    def _text_or_none(self) -> str | None:
        try:
            return self._text()
        except NotAdded:
            return None

    # ---- the file -----------------------------------------------------------------------------------------------

    def _keep(self, kept: tuple[Proposal, ...]) -> None:
        self._kept = self._lies.write(kept)

    def _settle(self) -> None:
        """A gateway begins: see what became of what was accepted, and leave no password behind."""
        before = {self._lies.login(one) for one in self._kept if not one.done}
        settled = tuple(self._settled(one) for one in self._kept)
        try:
            if settled != self._kept:
                self._keep(settled)
            self._lies.forget_logins(but=before)
            self._taken_back([one for one in self._kept if one.accepted is None])
        except OSError as error:
            log.error("proposals_not_settled", why=error.strerror or "unreadable")

    def _settled(self, one: Proposal) -> Proposal:
        if one.accepted is None:
            return one
        if stands(self._home, one):
            return one.model_copy(update={"done": True})
        again = one.model_copy(update={"accepted": None, "done": False})
        try:
            before = self._text()
            text = taken_out(before, one.in_house, one.name)
        except NotAdded:  # it never came into the file, or somebody took it out of it
            return one if one.done else again
        last = reload.told(self._home.storage.folder)
        if last is None or last[0].said != "refused" or self._file is None or not as_proposed(before, one):
            return one  # also where somebody has written it anew at the terminal: that is his
        try:  # else the next start would find a house in which no gateway begins
            checked(text, self._file)
            written(self._file, text)
        except (NotAdded, OSError) as error:
            log.error("addition_not_taken_out", name=one.name, why=str(error))
            return one
        log.warning("addition_taken_out", name=one.name, why="no house began with it")
        return again.model_copy(update={"failed": last[0].problems})


def _with(seen: Seen, **changes: object) -> Seen:
    return Seen(**{name: getattr(seen, name) for name in Seen.__slots__} | changes)


def _removed(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _told(one: Proposal, by: str) -> Mapping[str, str]:
    return {"by": by, "person": one.by, "name": one.name, "thing": one.kind}
