"""Films and proofs: which clips belong to which visit, and the sealed folder that outlives all of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

from gateway.config.home import Home
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import DoorResult, Entrance, Now, Visit, VisitDelivery
from gateway.evidence.checkpoint import Checkpoint, SealedPart
from gateway.evidence.folders import VISITS, visit_folder
from gateway.evidence.manifest import DeliveryFacts, Hole, Span, manifest_name
from gateway.evidence.receipt import receipt
from gateway.evidence.retention import Kept, erase, forgotten, may_go, must_go, tombstone
from gateway.evidence.rollback import Marks
from gateway.evidence.seal import Draft, Film, Waits, seal
from gateway.evidence.succession import SUCCESSION, copy_line
from gateway.protocol.hash_chain import GENESIS, Head, hide
from gateway.protocol.keys import BoxKey, last4
from gateway.storage import Clip, Store, StoreFailed
from gateway.storage import Film as Part
from gateway.storage.handover import FILMS
from gateway.system.atomic_file import write_whole
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.video.ipc import ClipFacts, Closed, Gap

TIDY = 3600.0  # seconds between two looks for what has had its time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What a visit came to, as far as its entrance still knows, and what its film lacks."""

    visit: Visit | None = None
    notes: tuple[str, ...] = ()


class Archive:
    """One for the box. `put(entrance, event)` hands an event to a running entrance; `state(entrance)` is its state."""

    def __init__(  # noqa: PLR0913 - what an archive needs, named one by one
        self,
        home: Home,
        *,
        store: Store,
        clock: Clock,
        key: BoxKey,
        put: Callable[[str, e.Event], None],
        state: Callable[[str], Entrance],
        publish: Callable[[str, Checkpoint], None],
        contained: Containment | None = None,
        marks: Marks | None = None,
    ) -> None:
        self._contained = contained or Containment()
        self._home = home
        self._store = store
        self._clock = clock
        self._key = key
        self._put = put
        self._state = state
        self._publish = publish
        self._marks = marks or Marks(home.storage.folder, box=home.box, key=key)
        self._ends: dict[tuple[str, int], datetime] = {}
        self._holes: dict[tuple[str, int], tuple[Hole, ...]] = {}
        self._unsealed: dict[tuple[str, int], _Result] = {}  # what could not be sealed, to be tried again
        self._writing = asyncio.Lock()  # one folder at a time: what is being sealed is not erased meanwhile
        self._work: asyncio.Queue[Closed | tuple[c.SealProof, Entrance]] = asyncio.Queue()
        self._untidy = asyncio.Event()

    # ---- what is asked; nothing here waits ---------------------------------------------------------------------------

    def film_ends(self, command: c.StopRecording, now: Now) -> None:
        """The part's film is over; its clips follow when they are closed."""
        self._ends[command.visit, command.part] = now.utc

    def closed(self, closed: Closed) -> None:
        """The video process closed the clips of a part."""
        self._work.put_nowait(closed)

    def seal(self, command: c.SealProof, state: Entrance) -> None:
        """Write and sign the proof of a part; `Sealed` comes back."""
        self._work.put_nowait((command, state))

    def tidy(self) -> None:
        """Look now for what has had its time, as after a change of how long that is."""
        self._untidy.set()

    async def run(self) -> None:
        """Work in the order in which it was asked, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidy(), name="archive: retention")
            group.create_task(self._work_on(), name="archive: proofs")

    async def _work_on(self) -> None:
        while True:
            work = await self._work.get()
            with self._contained.piece("proofs"):  # the entrance alarms where no seal comes
                await self._worked(work)

    async def _worked(self, work: Closed | tuple[c.SealProof, Entrance]) -> None:
        async with self._writing:
            match work:
                case Closed():
                    await self._closed(work)
                case (command, state):
                    result = _Result(visit=state.visit, notes=command.gaps)
                    if await self._seal(command.visit, command.part, result):
                        self._put(state.id, e.ProofSealed(visit=command.visit, part=command.part))

    # ---- the work ---------------------------------------------------------------------------------------------------

    async def _closed(self, closed: Closed) -> None:
        visit, number = closed.clip.visit, closed.clip.part
        part = self._part(visit, number)
        entrance = self._entrance_of(visit) if part is None else part.entrance
        if entrance is None or (part is not None and part.erased is not None):
            if closed.clips:
                log.warning("clips_of_nobody", visit=visit, part=number, clips=len(closed.clips))
            return
        holes = [_hole(camera, gap) for camera, gap in closed.gaps]
        for facts in closed.clips:
            inner = [_hole(facts.camera, gap) for gap in facts.gaps]
            holes += inner
            await self._note_clip(facts, inner, entrance=entrance, visit=visit, part=number)
        self._holes[visit, number] = tuple(holes)
        notes = tuple(sorted({f"{hole.camera}:{hole.why}" for hole in holes}))
        if entrance not in self._home.entrances:
            return  # it is no longer configured; its films are kept and erased in their time
        self._put(entrance, e.FilmClosed(visit=visit, part=number, gaps=notes))
        state = self._state(entrance)
        if closed.clips and (state.visit is None or state.visit.id != visit):  # an incident, or a late end of a film
            over = state.grace_visit if state.grace_visit is not None and state.grace_visit.id == visit else None
            await self._seal(visit, number, _Result(visit=over, notes=notes))

    async def _note_clip(self, facts: ClipFacts, holes: list[Hole], *, entrance: str, visit: str, part: int) -> None:
        """Its file may be gone already: then the seal will declare it lost."""
        try:
            size = (self._home.storage.folder / facts.path).stat().st_size
        except OSError:
            size = 0
        clip = Clip(
            path=facts.path,
            entrance=entrance,
            visit=visit,
            part=part,
            camera=facts.camera,
            start=facts.start,
            end=facts.end,
            sha256=facts.sha256,
            fragments=facts.fragments,
            size=size,
            gaps=tuple((hole.start, hole.end) for hole in holes),
        )
        try:
            await self._store.clip_closed(clip, self._clock.now())
        except StoreFailed as failure:
            log.error("clip_not_noted", path=facts.path, why=str(failure))

    def _part(self, visit: str, number: int) -> Part | None:
        return next((part for part in self._store.films(visit=visit) if part.part == number), None)

    def _entrance_of(self, visit: str) -> str | None:
        """Which entrance works on this visit or incident now."""
        return next((name for name in self._home.entrances if visit in _current(self._state(name))), None)

    async def _seal(self, visit: str, number: int, result: _Result) -> bool:
        """Seal a part, earlier ones first; False: it could not be now, and is tried again at each tidying."""
        part = self._part(visit, number)
        if part is None or part.erased is not None or part.entrance not in self._home.entrances:
            log.error("part_unknown", visit=visit, part=number)
            return False
        draft = self._draft(part, result)
        seqs = self._store.entries_of(visit)
        first = min(seqs, default=self._store.head().seq + 1) - 1
        after = Head(seq=first, hash=(self._store.hash_at(first) or GENESIS) if first else GENESIS)
        entries = hide(self._store.entries(after=first), but=frozenset(seqs))
        folder = self._home.storage.folder / visit_folder(visit)
        now = self._clock.now()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if result.visit is not None and not (folder / manifest_name(1)).exists():  # the manifest names it
                await self._write_receipt(folder, part, result.visit, now)
            proof = await asyncio.to_thread(seal, folder, draft, after=after, entries=entries, now=now, key=self._key)
            if isinstance(proof, Waits):
                earlier = await self._seal(visit, proof.part, _Result(visit=result.visit))
                return earlier and await self._seal(visit, number, result)
            await self._vouch(folder)
            await self._store.visit_sealed(visit, number, proof.sealed.manifest_sha256, now)
        except (OSError, StoreFailed) as failure:
            log.error("not_sealed", visit=visit, part=number, why=str(failure))
            self._unsealed[visit, number] = result
            return False
        self._unsealed.pop((visit, number), None)
        await self._keep(proof.checkpoint)
        self._publish(part.entrance, proof.checkpoint)
        return True

    async def _vouch(self, folder: Path) -> None:
        """Where the box's key was changed, let the folder say so itself: whoever checks it may know the old one."""
        try:
            await asyncio.to_thread(copy_line, self._home.storage.folder / "key", folder)
        except ValueError as failure:
            raise OSError(f"{SUCCESSION}: {failure}") from failure

    async def _keep(self, signed: Checkpoint) -> None:
        """Keep it beside the store: the next start then detects an older copy that was put back (`rollback.py`).

        What follows from such a copy is on the disk first: until then the next start has to know of it too.
        """
        try:
            await self._store.browsers.ended()
            await self._store.doubts.settle(self._clock.now())
            await asyncio.to_thread(self._marks.keep, signed)
        except (OSError, StoreFailed) as failure:  # the one before stands and is true; the phone gets this all the same
            log.error("checkpoint_not_kept", why=str(failure))

    # ---- the end of films -------------------------------------------------------------------------------------------

    async def erase(self, visit: str, by: str | None) -> None:
        """Erase a visit on request of a person (by id), or of the owner's account: a signed tombstone stays.

        Raises:
            LookupError: there is no film of it, it is held, or it still runs.
            StoreFailed, OSError: it could not be done now; it is finished at the next tidying.
        """
        await self._erase(visit, why="request", who=by or "owner", by=by)

    async def _tidy(self) -> None:
        """Every hour: old films go, what a crash or a full disk cut short is finished, the store forgets."""
        while True:
            self._untidy.clear()
            now, days = self._clock.now(), self._days
            if self._store.handover.pending(FILMS) is not None:
                await self._tried(self._erase_history())
            for visit in must_go(self._kept(), now=now, days=days):
                await self._tried(self._erase(visit, why="retention", who="retention"))
            await self._tried(self._sweep(now, days))
            for film in self._store.films():
                running = film.entrance not in self._home.entrances or film.visit in self._running()
                if film.erased is not None and film.clips:
                    await self._tried(self._finish_erasure(film.visit))
                elif film.erased is None and film.sealed is None and film.clips and not running:
                    async with self._writing:
                        await self._seal(film.visit, film.part, self._unsealed.get((film.visit, film.part), _Result()))
            await self._tried(self._store.forget(now, before=now.utc - timedelta(days=days)))
            with suppress(TimeoutError):
                async with asyncio.timeout(TIDY):
                    await self._untidy.wait()

    @property
    def _days(self) -> int:
        """For how many days films are kept: as an owner chose on a page, else as the house file says."""
        return self._store.keeping.retention_days() or self._home.storage.retention_days

    async def _erase_history(self) -> None:
        """The house has another owner: what is left of the former household's visits goes, their statements too.

        What was erased in its time left them; so each folder gets a tombstone that says that it was asked for.
        """
        films = self._home.storage.folder / VISITS
        folders = await asyncio.to_thread(lambda: sorted(films.iterdir()) if films.is_dir() else [])
        async with self._writing:
            for folder in folders:
                erased = all(part.erased is not None for part in self._store.films(visit=folder.name))
                if erased and folder.is_dir() and folder.name not in self._running():
                    await self._erase_files(folder.name, why="request", who="owner")
            await self._store.handover.forget_history(self._clock.now())
            await self._store.handover.leave(FILMS, None)

    async def _sweep(self, now: Now, days: int) -> None:
        """Films that the store knows nothing of have their time too."""
        known = {
            film.visit for film in self._store.films() if film.held is not None or (film.clips and not film.erased)
        }
        known |= self._running()
        films = self._home.storage.folder / VISITS
        for path in await asyncio.to_thread(forgotten, films, known, now=now, days=days):
            log.warning("forgotten_film_erased", visit=path.parent.name, file=path.name)
            path.unlink(missing_ok=True)

    @staticmethod
    async def _tried(work: Awaitable[None]) -> None:
        """What fails now is tried again at the next tidying; it keeps nothing else from being done."""
        try:
            await work
        except (OSError, StoreFailed, LookupError) as failure:
            log.warning("not_tidied", why=str(failure))

    async def _finish_erasure(self, visit: str) -> None:
        """The store says that it is erased, its files are still there: the log knows who asked for it."""
        who = "owner"
        for seq in self._store.entries_of(visit):
            for entry in self._store.entries(after=seq - 1, upto=seq):
                said = json.loads(entry.body) if isinstance(entry.body, bytes) else {}
                who = said.get("by", said["why"]) if said.get("kind") == "erased" else who
        async with self._writing:
            await self._erase_files(visit, why="retention" if who == "retention" else "request", who=who)

    async def _erase(
        self, visit: str, *, why: Literal["request", "retention"], who: str, by: str | None = None
    ) -> None:
        kept = next((one for one in self._kept() if one.visit == visit), None)
        if kept is None:
            raise LookupError(f"no film of {visit}")
        refused = may_go(kept)
        if refused is not None:
            raise LookupError(f"{visit} is not erased: {refused.why} {refused.reason}".strip())
        async with self._writing:
            said = who if by is None else "owner"  # in the log; there `by` names the person
            if not await self._store.erase(visit, said, self._clock.now(), by=by):
                raise LookupError(f"{visit} is held or was erased before")
            await self._erase_files(visit, why=why, who=who)

    async def _erase_files(self, visit: str, *, why: Literal["request", "retention"], who: str) -> None:
        parts = self._store.films(visit=visit)
        stone = tombstone(
            box=self._home.box,
            visit=visit,
            parts=tuple(
                SealedPart(visit=visit, part=part.part, manifest_sha256=part.manifest_sha256)
                for part in parts
                if part.manifest_sha256 is not None
            ),
            at=self._clock.now().utc,
            why=why,
            who=who,
            key=self._key,
        )
        folder = self._home.storage.folder / visit_folder(visit)
        kept = Kept(visit=visit, ended=self._clock.now().utc)
        if folder.is_dir():
            try:
                await asyncio.to_thread(erase, folder, kept, stone)
                await self._vouch(folder)
            except ValueError as failure:  # somebody put a folder into it
                raise OSError(f"{visit}: {failure}") from failure
        await self._store.clips_deleted(visit)

    def _running(self) -> set[str]:
        """Visits and incidents that an entrance still works on, or that may go on as a next part."""
        return set().union(*(_current(self._state(name)) for name in self._home.entrances))

    def _kept(self) -> tuple[Kept, ...]:
        """Visits with films; one that an entrance still works on has not ended."""
        running = self._running()
        found: dict[str, Kept] = {}
        for film in self._store.films():
            if not film.clips or film.erased is not None:
                continue
            ended = None if film.visit in running else max(clip.end for clip in film.clips)
            before = found.get(film.visit)
            if before is not None and before.ended is not None and ended is not None:
                ended = max(before.ended, ended)
            found[film.visit] = Kept(visit=film.visit, ended=ended, held=film.held)
        return tuple(found.values())

    async def _write_receipt(self, folder: Path, part: Part, running: Visit, now: Now) -> None:
        """The courier's receipt lies beside the proof of the first part."""
        if part.part != 1 or running.outcome is None:
            return
        locked = running.door_result is DoorResult.LOCKED_AGAIN
        issued = receipt(
            box=self._home.box,
            visit=part.visit,
            entrance=self._home.entrances[part.entrance].name,
            carrier=running.delivery.carrier,
            parcels=tuple(sorted(last4(code) for code in running.parcels)),
            outcome=running.outcome,
            came=part.began,
            left=(self._store.locked_at(part.entrance) or now.utc) if locked else None,
            key=self._key,
        )
        await asyncio.to_thread(write_whole, folder / "receipt.json", issued.to_json())

    def _draft(self, part: Part, result: _Result) -> Draft:
        key = (part.visit, part.part)
        running = result.visit
        delivery = None if running is None else running.delivery
        if delivery is None and part.delivery is not None:
            delivery = self._store.facts(part.delivery, self._clock.now())
        filmed = max((clip.end for clip in part.clips), default=self._clock.now().utc)
        end = max(self._ends.get(key, filmed), part.began)
        cameras = self._home.entrances[part.entrance].cameras
        return Draft(
            box=self._home.box,
            entrance=part.entrance,
            visit=part.visit,
            part=part.part,
            delivery=None if delivery is None else _delivery(delivery),
            outcome=None if running is None else running.outcome,
            house=None if running is None else running.door_result,
            span=Span(start=part.began, end=end),
            cameras=(cameras.outside, *cameras.inside),
            films=tuple(
                Film(
                    camera=clip.camera,
                    file=Path(clip.path).name,
                    start=clip.start,
                    end=clip.end,
                    sha256=clip.sha256,
                    fragments=clip.fragments,
                )
                for clip in part.clips
            ),
            gaps=self._holes.get(key, ()),
            notes=result.notes,
        )


def _current(state: Entrance) -> set[str]:
    visits = {visit.id for visit in (state.visit, state.grace_visit) if visit is not None}
    return visits if state.incident is None else visits | {state.incident}


def _hole(camera: str, gap: Gap) -> Hole:
    return Hole(camera=camera, start=gap.start, end=max(gap.start, gap.end), why=gap.why.value)


def _delivery(delivery: VisitDelivery) -> DeliveryFacts:
    return DeliveryFacts(
        id=delivery.id,
        version=delivery.version,
        brand=delivery.brand,
        carrier=delivery.carrier,
        place=delivery.place,
        window=Span(start=delivery.start, end=delivery.end),
        parcels=tuple(sorted(last4(code) for code in delivery.parcels)),
    )
