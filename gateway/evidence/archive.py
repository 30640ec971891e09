"""Manages films and proofs: which clips belong to which visit, and the sealed folder of each."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from weakref import WeakValueDictionary

import structlog

from gateway.config.home import Home
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, Visit
from gateway.evidence.checkpoint import Checkpoint, SealedPart
from gateway.evidence.log_span import LogLines, LogSpan
from gateway.evidence.manifest import (
    MAX_SHOWN_LENGTH,
    VISITS_FOLDER,
    ClipRecord,
    DeliveryFacts,
    FilmGap,
    FilmSpan,
    ManifestDraft,
    SealedNames,
    manifest_name,
    visit_folder,
)
from gateway.evidence.receipt import CourierReceipt
from gateway.evidence.retention import FilmedVisit, Tombstone, erase_folder, orphaned_films, overdue_visits
from gateway.evidence.rollback import MarkWriter
from gateway.evidence.seal import EarlierPartUnsealed, next_part, seal_part
from gateway.evidence.succession import SUCCESSION_FILE, copy_key_history
from gateway.evidence.thumbnails import (
    delete_thumbnails,
    kept_thumbnails,
    orphaned_thumbnails,
    take_thumbnails,
    write_thumbnails,
)
from gateway.protocol.hash_chain import GENESIS, ChainHead, Json
from gateway.protocol.keys import BoxKey, shown_ending
from gateway.storage.custodies import CustodyProof
from gateway.storage.entrance_state import visits_in_progress
from gateway.storage.handover import TASK_ERASE_FILMS
from gateway.storage.models import FilmRecord as Part
from gateway.storage.models import StoredClip, StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.system.text import sanitized
from gateway.video.ipc import ClipFacts, ClipKey, ClipsClosed, Gap

TIDY_INTERVAL_S = 3600.0  # between two checks for overdue films

log = structlog.get_logger(__name__)


class _VisitResult(Frozen):
    """The state of a visit, if its entrance still has it, and notes on missing film."""

    visit: Visit | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False, repr=False)
class Archive:
    """The archive of the box. `post(entrance, event)` gives an event to an entrance; `state(entrance)` is its state.

    The methods that take a request never wait; `run` works the requests off, those of one visit in their order.
    """

    home: Home
    _: KW_ONLY
    store: Store
    clock: Clock
    key: BoxKey
    post: Callable[[str, e.Event], None]
    state: Callable[[str], Entrance]
    publish: Callable[[str, Checkpoint], None]
    marks: MarkWriter
    contained: Containment = field(default_factory=Containment)

    def __post_init__(self) -> None:
        self._destinations = self.home.destinations
        self._film_ends: dict[tuple[str, int], datetime] = {}
        self._gaps: dict[tuple[str, int], tuple[FilmGap, ...]] = {}
        self._unsealed: dict[tuple[str, int], _VisitResult] = {}  # what could not be sealed, to be tried again
        self._folder_locks = WeakValueDictionary[str, asyncio.Lock]()  # visit -> a folder being sealed is not erased
        self._log_lines, self._log_lock = LogLines(), asyncio.Lock()
        self._queue: asyncio.Queue[tuple[str, Callable[[], Awaitable[None]]]] = asyncio.Queue()
        self._tidy_requested = asyncio.Event()
        self._to_picture: asyncio.Queue[str] = asyncio.Queue()  # visits that were sealed
        self._pictured: set[str] = set()  # visits of which this process took pictures, or tried to

    def on_film_end(self, command: c.StopRecording, now: Now) -> None:
        """Note when a part's film ended; its clips follow when the video process has closed them."""
        self._film_ends[command.visit, command.part] = now.utc

    def add_clips(self, closed: ClipsClosed) -> None:
        """Take the closed clips of a part from the video process."""
        self._queue.put_nowait((closed.clip.visit, partial(self._add_clips, closed)))

    def seal(self, command: c.SealProof, state: Entrance) -> None:
        """Write and sign the proof of a part; the entrance then gets `ProofSealed`."""
        self._queue.put_nowait((command.visit, partial(self._seal_requested, command, state)))

    def seal_custody(self, visit: str) -> None:
        """Write and sign the next part of the proof of a custody, if its log has entries that no part has."""
        self._queue.put_nowait((visit, partial(self._seal_custody, visit)))

    def request_tidying(self) -> None:
        """Erase overdue films now, for example after the retention time was changed."""
        self._tidy_requested.set()

    async def run(self) -> None:
        """Work off the requests until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidy_hourly(), name="archive: retention")
            group.create_task(self._run_queue(group), name="archive: proofs")
            group.create_task(self._take_thumbnails(), name="archive: thumbnails")

    async def _run_queue(self, group: asyncio.TaskGroup) -> None:
        """Work off each visit's requests in their order; visits do not wait for each other's disk."""
        while True:
            visit, work = await self._queue.get()
            group.create_task(self._work_off(self._folder_lock(visit), work), name=f"archive: {visit}")

    async def _work_off(self, lock: asyncio.Lock, work: Callable[[], Awaitable[None]]) -> None:
        with self.contained.piece("proofs"):  # the entrance alarms where no seal comes
            async with lock:  # it is given in the order of the requests
                await work()

    def _folder_lock(self, visit: str) -> asyncio.Lock:
        return self._folder_locks.setdefault(visit, asyncio.Lock())

    async def _seal_requested(self, command: c.SealProof, state: Entrance) -> None:
        if await self._seal(command.visit, command.part, _VisitResult(visit=state.visit, notes=command.gaps)):
            self.post(state.id, e.ProofSealed(visit=command.visit, part=command.part))

    async def _add_clips(self, closed: ClipsClosed) -> None:
        visit, number = closed.clip.visit, closed.clip.part
        part = self._part(visit, number)
        entrance = self._entrance_of(visit) if part is None else part.entrance
        if entrance is None or (part is not None and part.erased is not None):
            if closed.clips:
                log.warning("clips_of_nobody", visit=visit, part=number, clips=len(closed.clips))
            return
        gaps = [_to_film_gap(camera, gap) for camera, gap in closed.gaps]
        for facts in closed.clips:
            inner = [_to_film_gap(facts.camera, gap) for gap in facts.gaps]
            gaps += inner
            await self._add_clip(facts, inner, entrance, closed.clip)
        self._gaps[visit, number] = tuple(gaps)
        notes = tuple(sorted({f"{film_gap.camera}:{film_gap.why}" for film_gap in gaps}))
        if entrance not in self.home.entrances:
            return  # it is no longer configured; its films are kept and erased in their time
        self.post(entrance, e.FilmClosed(visit=visit, part=number, gaps=notes))
        state = self.state(entrance)
        if closed.clips and (state.visit is None or state.visit.id != visit):  # an incident, or a late end of a film
            over = state.grace_visit if state.grace_visit is not None and state.grace_visit.id == visit else None
            await self._seal(visit, number, _VisitResult(visit=over, notes=notes))

    async def _add_clip(self, facts: ClipFacts, gaps: list[FilmGap], entrance: str, key: ClipKey) -> None:
        try:
            size = (self.home.storage.folder / facts.path).stat().st_size
        except OSError:
            size = 0  # sealing declares the film lost
        times = tuple((gap.start, gap.end) for gap in gaps)
        columns = facts.model_dump(exclude={"gaps"}) | key.model_dump()
        clip = StoredClip(**columns, entrance=entrance, size=size, gaps=times)
        try:
            await self.store.recordings.add_clip(clip, self.clock.now())
        except StoreFailed as failure:
            log.error("clip_not_noted", path=facts.path, why=str(failure))

    def _part(self, visit: str, number: int) -> Part | None:
        return next((part for part in self.store.recordings.films(visit=visit) if part.part == number), None)

    def _entrance_of(self, visit: str) -> str | None:
        return next((name for name in self.home.entrances if visit in visits_in_progress(self.state(name))), None)

    async def _seal(self, visit: str, number: int, result: _VisitResult) -> bool:
        """Seal a part, earlier ones first; False if it failed: each tidying tries again."""
        parts = self.store.recordings.films(visit=visit)
        part = next((part for part in parts if part.part == number), None)
        if part is None or part.erased is not None or part.entrance not in self.home.entrances:
            log.error("part_unknown", visit=visit, part=number)
            return False
        draft = self._draft(part, result)
        async with self._log_lock:
            span = await self._span(visit)
        now = self.clock.now()
        receipt = None if result.visit is None else self._receipt(part, result.visit, now)
        try:
            sealed, checkpoint = await asyncio.to_thread(self._write_part, draft, span, now, receipt)
            await self.store.recordings.mark_sealed(visit, number, sealed.manifest_sha256, now)
        except EarlierPartUnsealed:
            earlier = await self._seal(visit, number - 1, _VisitResult(visit=result.visit))
            return earlier and await self._seal(visit, number, result)
        except (OSError, StoreFailed) as failure:
            log.error("not_sealed", visit=visit, part=number, why=str(failure))
            self._unsealed[visit, number] = result
            return False
        self._unsealed.pop((visit, number), None)
        if _has_films(parts):
            self._to_picture.put_nowait(visit)
        await self._store_checkpoint(checkpoint)
        self.publish(part.entrance, checkpoint)
        return True

    async def _span(self, visit: str, *, after: int = 0) -> LogSpan:
        """Return the log from a visit's first entry on, or from its first behind `after`, up to the log's end."""
        log = self.store.log
        first = log.first_of_visit(visit, after=after)
        end = log.head().seq
        begin = end if first is None else first - 1
        if not self._log_lines.has(begin):
            self._log_lines = LogLines(ChainHead(seq=begin, hash=(log.hash_at(begin) or GENESIS) if begin else GENESIS))
        while self._log_lines.head.seq < end:
            self._log_lines.extend(log.page(after=self._log_lines.head.seq, upto=end))
            await asyncio.sleep(0)  # the span of a long visit has many pages
        span = self._log_lines.span(begin, log.entries_of_visit(visit))
        self._log_lines.forget()
        return span

    def _write_part(
        self, draft: ManifestDraft, span: LogSpan, now: Now, receipt: CourierReceipt | None
    ) -> tuple[SealedPart, Checkpoint]:
        """Write all files of a part. Blocks. Raises as `seal_part`."""
        folder = self.home.storage.folder / visit_folder(draft.visit)
        folder.mkdir(parents=True, exist_ok=True)
        # A manifest that exists names its own
        text = None if receipt is None or (folder / manifest_name(1)).exists() else receipt.to_json()
        sealed = seal_part(folder, draft, span=span, now=now, key=self.key, receipt=text)
        self._copy_key_history(folder)
        return sealed

    async def _take_thumbnails(self) -> None:
        """Take the small pictures of sealed visits, one visit at a time."""
        while True:
            visit = await self._to_picture.get()
            self._pictured.add(visit)
            with self.contained.piece("thumbnails", visit):
                await self._log_failure_of(self._keep_thumbnails(visit))

    async def _keep_thumbnails(self, visit: str) -> None:
        pictures = await asyncio.to_thread(take_thumbnails, self.home.storage.folder, visit)
        async with self._folder_lock(visit):  # so that a visit that is being erased gets none
            if _has_films(self.store.recordings.films(visit=visit)):
                await asyncio.to_thread(write_thumbnails, self.home.storage.folder, visit, pictures)

    async def _tidy_thumbnails(self) -> None:
        """Have pictures taken of the visits that have none, the newest first; delete those of visits without film.

        A visit may have none because an earlier release sealed it, or because the box ended before it took them.
        """
        storage, parts_of = self.home.storage.folder, defaultdict[str, list[Part]](list)
        for part in self.store.recordings.films():
            parts_of[part.visit].append(part)
        filmed = [visit for visit, parts in parts_of.items() if _has_films(parts)]
        for visit in await asyncio.to_thread(orphaned_thumbnails, storage, frozenset(filmed)):
            await asyncio.to_thread(delete_thumbnails, storage, visit)
        for visit in reversed(filmed):
            is_sealed = all(part.sealed is not None for part in parts_of[visit])
            if is_sealed and visit not in self._pictured and not kept_thumbnails(storage, visit):
                self._pictured.add(visit)
                self._to_picture.put_nowait(visit)

    async def _seal_custody(self, visit: str) -> None:
        custody, now = self.store.custodies.proof_facts(visit), self.clock.now()
        folder = self.home.storage.folder / visit_folder(visit)
        if custody is None:
            return
        try:
            part, last = await asyncio.to_thread(next_part, folder)
            async with self._log_lock:
                span = await self._span(visit, after=last)
            if not span.shown:
                return
            draft = self._custody_draft(custody, part, now)
            sealed, checkpoint = await asyncio.to_thread(self._write_part, draft, span, now, None)
            facts: dict[str, Json] = {"custody": visit, "part": part, "manifest_sha256": sealed.manifest_sha256}
            await self.store.log.append("custody_sealed", facts, now, entrance=custody.reception)
        except (OSError, StoreFailed) as failure:  # the next act, or the next start, seals it
            log.error("not_sealed", visit=visit, why=str(failure))
            return
        await self._store_checkpoint(checkpoint)
        self.publish(custody.reception, checkpoint)

    def _copy_key_history(self, folder: Path) -> None:
        """Copy the key history into the folder: a verifier may know only a former key of the box."""
        try:
            copy_key_history(self.home.storage.folder / "key", folder)
        except ValueError as failure:
            raise OSError(f"{SUCCESSION_FILE}: {failure}") from failure

    async def _store_checkpoint(self, signed: Checkpoint) -> None:
        """Keep it beside the store: the next start then detects an older copy that was put back (`rollback.py`).

        First the store writes what it owes after a restore. Until that is on disk the old mark stays, so that the next
        start detects the older copy too.
        """
        try:
            await self.store.browsers.finish_ending()
            await self.store.rollback.store_pending(self.clock.now())
            await asyncio.to_thread(self.marks.write_signed, signed)
        except (OSError, StoreFailed) as failure:  # the former checkpoint stays valid; the phone gets this one
            log.error("checkpoint_not_kept", why=str(failure))

    async def erase(
        self, visit: str, by: str | None = None, *, reason: Literal["owner", "retention"] = "owner"
    ) -> None:
        """Erase a visit: on request of a person (by id) or of the owner's account, or because its time is over.

        A signed tombstone stays.

        Raises:
            LookupError: there is no film of it, it is held, or it still runs.
            StoreFailed, OSError: it could not be done now; it is finished at the next tidying.
        """
        films = next((filmed for filmed in self._filmed_visits() if filmed.visit == visit), None)
        if films is None:
            raise LookupError(f"no film of {visit}")
        if films.erasure_refusal is not None:
            raise LookupError(f"{visit} is not erased: {films.erasure_refusal}")
        async with self._folder_lock(visit):
            if not await self.store.recordings.mark_erased(visit, reason, self.clock.now(), by=by):
                raise LookupError(f"{visit} is held or was erased before")
            await self._erase_files(visit, who=by or reason)

    async def _tidy_hourly(self) -> None:
        """Every hour, erase overdue films, finish interrupted work, and let the store forget."""
        while True:
            self._tidy_requested.clear()
            now = self.clock.now()
            # An owner's choice on a page comes before that of `home.yaml`
            days = self.store.privacy.chosen_retention_days() or self.home.storage.retention_days
            if self.store.handover.pending_task(TASK_ERASE_FILMS) is not None:
                await self._log_failure_of(self._erase_history())
            for visit in overdue_visits(self._filmed_visits(), now=now, days=days):
                await self._log_failure_of(self.erase(visit, reason="retention"))
            await self._log_failure_of(self._erase_orphaned_films(now, days))
            for film in self.store.recordings.films():
                running = film.entrance not in self.home.entrances or film.visit in self._running_visits()
                if film.erased is not None and film.clips:
                    await self._log_failure_of(self._finish_erasure(film.visit))
                elif film.erased is None and film.sealed is None and film.clips and not running:
                    async with self._folder_lock(film.visit):
                        await self._seal(
                            film.visit, film.part, self._unsealed.get((film.visit, film.part), _VisitResult())
                        )
            await self._log_failure_of(self._tidy_thumbnails())
            await self._log_failure_of(self.store.forget(now, before=now.utc - timedelta(days=days)))
            with suppress(TimeoutError):
                async with asyncio.timeout(TIDY_INTERVAL_S):
                    await self._tidy_requested.wait()

    async def _erase_history(self) -> None:
        """Erase the rest of the former household's visits after a hand-over, their statements too.

        Retention erased films only and left the signed statements. This erases those too, and signs a tombstone that
        says "request".
        """
        films = self.home.storage.folder / VISITS_FOLDER
        folders = await asyncio.to_thread(lambda: sorted(films.iterdir()) if films.is_dir() else [])
        for folder in folders:
            async with self._folder_lock(folder.name):
                erased = all(part.erased is not None for part in self.store.recordings.films(visit=folder.name))
                if erased and folder.is_dir() and folder.name not in self._running_visits():
                    await self._erase_files(folder.name, who="owner")
        await self.store.handover.forget_history(self.clock.now())
        await self.store.handover.set_task(TASK_ERASE_FILMS, None)

    async def _erase_orphaned_films(self, now: Now, days: int) -> None:
        known = {
            film.visit
            for film in self.store.recordings.films()
            if film.held is not None or (film.clips and not film.erased)
        }
        known |= self._running_visits()
        films = self.home.storage.folder / VISITS_FOLDER
        for path in await asyncio.to_thread(orphaned_films, films, known, now=now, days=days):
            log.warning("forgotten_film_erased", visit=path.parent.name, file=path.name)
            path.unlink(missing_ok=True)

    @staticmethod
    async def _log_failure_of(work: Awaitable[None]) -> None:
        """Log a failure, so that the rest is done; the next tidying tries again."""
        try:
            await work
        except (OSError, StoreFailed, LookupError) as failure:
            log.warning("not_tidied", why=str(failure))

    async def _finish_erasure(self, visit: str) -> None:
        """Delete the files of a visit that the store has as erased; the log names the requester."""
        who = "owner"
        for body in self.store.log.bodies_of_visit(visit):
            who = body.get("by", body["why"]) if body["kind"] == "erased" else who
        async with self._folder_lock(visit):
            await self._erase_files(visit, who=who)

    async def _erase_files(self, visit: str, *, who: str) -> None:
        parts = self.store.recordings.films(visit=visit)
        sealed = tuple(
            SealedPart(visit=visit, part=part.part, manifest_sha256=part.manifest_sha256)
            for part in parts
            if part.manifest_sha256 is not None
        )
        at = self.clock.now().utc
        why: Literal["request", "retention"] = "retention" if who == "retention" else "request"
        stone = Tombstone(box=self.home.box, visit=visit, parts=sealed, at=at, why=why, who=who).signed(self.key)
        folder = self.home.storage.folder / visit_folder(visit)
        if folder.is_dir():
            try:
                await asyncio.to_thread(erase_folder, folder, stone)
                await asyncio.to_thread(self._copy_key_history, folder)
            except ValueError as failure:  # somebody put a folder into it
                raise OSError(f"{visit}: {failure}") from failure
        await asyncio.to_thread(delete_thumbnails, self.home.storage.folder, visit)
        await self.store.recordings.delete_clips(visit)

    def _running_visits(self) -> set[str]:
        """Return visits and incidents that an entrance still works on, or that may continue as a next part."""
        return set().union(*(visits_in_progress(self.state(name)) for name in self.home.entrances))

    def _filmed_visits(self) -> tuple[FilmedVisit, ...]:
        running = self._running_visits()
        parts_of: dict[str, list[Part]] = defaultdict(list)
        for film in self.store.recordings.films():
            if film.clips and film.erased is None:
                parts_of[film.visit].append(film)
        return tuple(
            FilmedVisit(
                visit=visit,
                ended=None if visit in running else max(clip.end for part in parts for clip in part.clips),
                held=parts[-1].held,
            )
            for visit, parts in parts_of.items()
        )

    def _receipt(self, part: Part, running: Visit, now: Now) -> CourierReceipt | None:
        """Return the courier's receipt of a visit's first part; None: there is no outcome to confirm."""
        if part.part != 1 or running.outcome is None:
            return None
        locked = running.door_result is DoorResult.LOCKED_AGAIN
        return CourierReceipt(
            box=self.home.box,
            visit=part.visit,
            entrance=self.home.entrances[part.entrance].name,
            carrier=running.delivery.carrier,
            parcels=tuple(sorted(shown_ending(code) for code in running.parcels)),
            outcome=running.outcome,
            came=part.began,
            left=(self.store.entrances.locked_at(part.entrance) or now.utc) if locked else None,
        ).signed(self.key)

    def _draft(self, part: Part, result: _VisitResult) -> ManifestDraft:
        key = (part.visit, part.part)
        running = result.visit
        delivery = None if running is None else running.delivery
        if delivery is None and part.delivery is not None:
            delivery = self.store.deliveries.facts(part.delivery, self.clock.now())
        filmed = max((clip.end for clip in part.clips), default=self.clock.now().utc)
        end = max(self._film_ends.get(key, filmed), part.began)
        cameras = self.home.entrances[part.entrance].film_cameras
        moved_from = None if delivery is None else self.store.deliveries.moved_from(delivery.id, to=part.entrance)
        return ManifestDraft(
            box=self.home.box,
            entrance=part.entrance,
            visit=part.visit,
            part=part.part,
            delivery=None if delivery is None else _delivery_facts(delivery),
            outcome=None if running is None else running.outcome,
            house=None if running is None else running.door_result,
            film=FilmSpan(start=part.began, end=end),
            cameras=cameras,
            clips=tuple(
                ClipRecord(
                    camera=clip.camera,
                    file=Path(clip.path).name,
                    start=clip.start,
                    end=clip.end,
                    sha256=clip.sha256,
                    fragments=clip.fragments,
                )
                for clip in part.clips
            ),
            gaps=self._gaps.get(key) or _stored_gaps(part),
            notes=result.notes,
            moved_from=moved_from,
            names=self._names((part.entrance, moved_from), delivery),
        )

    def _custody_draft(self, custody: CustodyProof, part: int, now: Now) -> ManifestDraft:
        """Return the content of a part of a custody: a visit without cameras and films."""
        delivery = self.store.deliveries.facts(custody.delivery, now)
        moved_from = self.store.deliveries.moved_from(custody.delivery, to=custody.reception)
        return ManifestDraft(
            box=self.home.box,
            entrance=custody.reception,
            visit=custody.visit,
            part=part,
            delivery=None if delivery is None else _delivery_facts(delivery),
            outcome=None if custody.outcome is None else Outcome(custody.outcome),
            house=None,
            film=FilmSpan(start=min(custody.began, now.utc), end=now.utc),
            cameras=(),
            clips=(),
            moved_from=moved_from,
            names=self._names((custody.reception, moved_from), delivery),
        )

    def _names(self, entrances: Sequence[str | None], delivery: VisitDelivery | None) -> SealedNames:
        """Return what the house calls these entrances, their places and the delivery's brand."""
        here = {id_: known for id_, known in self._destinations.items() if id_ in entrances}
        brand = None if delivery is None else self.store.brands.name_of(delivery.brand, self.home.language)
        return SealedNames(
            house=_shown(self.home.name),
            timezone=self.home.timezone,
            language=self.home.language,
            entrances={id_: _shown(known.name) for id_, known in here.items()},
            places={id_: _shown(name) for known in here.values() for id_, name in known.places.items()},
            brand=None if brand is None else _shown(brand),
        )


def _has_films(parts: Sequence[Part]) -> bool:
    return any(part.clips and part.erased is None for part in parts)


def _shown(name: str) -> str:
    return sanitized(name)[:MAX_SHOWN_LENGTH]


def _to_film_gap(camera: str, gap: Gap) -> FilmGap:
    return FilmGap(camera=camera, start=gap.start, end=max(gap.start, gap.end), why=gap.why.value)


def _stored_gaps(part: Part) -> tuple[FilmGap, ...]:
    """Return the gaps within a part's films as the store has them: an earlier process knew why they are there."""
    return tuple(
        FilmGap(camera=clip.camera, start=start, end=end, why="not_filmed")
        for clip in part.clips
        for start, end in clip.gaps
    )


def _delivery_facts(delivery: VisitDelivery) -> DeliveryFacts:
    return DeliveryFacts(
        id=delivery.id,
        version=delivery.version,
        brand=delivery.brand,
        carrier=delivery.carrier,
        place=delivery.place,
        window=FilmSpan(start=delivery.start, end=delivery.end),
        parcels=tuple(sorted(shown_ending(code) for code in delivery.parcels)),
    )
