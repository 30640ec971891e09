"""The writer thread. It groups waiting jobs into one commit, so that one sync serves many jobs."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.models import StoreFailed
from gateway.storage.schema import connect, create_identity, migrate, migration_scripts

T = TypeVar("T")

MAX_JOBS_PER_COMMIT = 64  # a long queue should not wait for one large commit
IDLE_CHECKPOINT_COMMITS = 200  # then an idle writer moves the WAL into the database
BUSY_CHECKPOINT_COMMITS = 2000  # then a busy writer does too, so that the WAL does not grow without end

# Primary result codes of the environment, not of a bug.
_ENVIRONMENT_ERRORS = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOTADB,
    }
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark outside the file that a commit needs, with its time.

    `is_later`: no caller waits for it, so the writer writes it when no job waits. `visit`: of an intent; a mark that is
    already on the disk is enough if it names an entry of this visit.
    """

    now: Now
    is_later: bool = False
    visit: str | None = None


@dataclass(slots=True)
class _Job:
    work: Callable[[Database], Any]
    done: asyncio.Future[Any]
    mark: Mark | None = None  # the mark to write after the commit
    of: str | None = None  # the entrance whose decision it stores
    result: object = None
    is_marked: bool = False
    error: BaseException | None = None


def is_environment_error(error: sqlite3.Error) -> bool:
    """Return whether the disk or the file causes the error, and not this program."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _ENVIRONMENT_ERRORS


class Writer:
    """Runs pieces of work on the only writing connection, each as a whole or not at all, and returns after the sync."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection: Database | None = None
        self.commits = 0  # number of commits so far
        self.lost: set[str] = set()
        """The entrances (`of`) with a job that the disk did not store. Only work may use it, in the writer's thread."""
        self._checkpointed_count = 0  # number of commits at the last checkpoint
        self._later_mark: Mark | None = None  # the newest that is not written yet
        self._is_closing = False
        self.marker: Callable[[Database, Sequence[Mark]], bool] = lambda _connection, _marks: True
        """Writes one mark for these, in this thread, after a commit and before anybody hears of it; False: it could
        not."""
        self.finish_mark: Callable[[Database, Now], None] = lambda _connection, _now: None
        """Has the mark on the disk, in this thread, when everybody has heard of the commit."""
        # A daemon: a bug that ends the process must not wait for this thread.
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Database], T], *, mark: Now | Mark | None = None) -> T:
        """Run `work` in a transaction and return its result once it is on disk.

        An exception of `work` undoes this work alone and is raised here. With `mark`, then write the mark outside the
        file, with this time or as it says.

        Raises:
            StoreFailed: the disk did not store it.
        """
        return (await self.do_marked(work, mark))[0]

    async def do_marked(
        self, work: Callable[[Database], T], mark: Now | Mark | None, *, of: str | None = None
    ) -> tuple[T, bool]:
        """Run `work` as `do`; second, return whether the mark was written. `of`: see `lost`. Raises as `do`."""
        if self._is_closing:
            raise StoreFailed("the store is closed")
        job = _Job(work, self._loop.create_future(), Mark(mark) if isinstance(mark, Now) else mark, of)
        self._jobs.put(job)
        result: tuple[T, bool] = await job.done
        return result

    def post(self, work: Callable[[Database], object]) -> None:
        """Run `work` in a transaction and do not wait: it may be lost. A failure of the disk is ignored."""
        if self._is_closing:
            return
        done: asyncio.Future[object] = self._loop.create_future()
        done.add_done_callback(_ignore_store_failure)
        self._jobs.put(_Job(work, done))

    async def close(self) -> None:
        """Finish the waiting work, then close the file."""
        if not self._is_closing:
            self._is_closing = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._next_group()
            if group:
                self._commit(group)
                self._loop.call_soon_threadsafe(_resolve, group)
                self._finish_marks(group)
            self._maybe_checkpoint()
        if self._later_mark is not None:
            self._finish_mark(self._later_mark)
        if self._connection is not None:
            self._disconnect(checkpoint=True)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """Wait for one job, then take all waiting jobs; second, return False at the end."""
        group: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            group.append(job)
            if len(group) == MAX_JOBS_PER_COMMIT:
                return group, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        """Run all jobs in one transaction. If it fails, none of them is stored, and its connection is never used again.

        A failed sync is not repeated: the kernel may have dropped the pages and would report success. The next commit
        writes its pages again, through a new connection.
        """
        try:
            db = self._connect()
            db.execute("BEGIN IMMEDIATE")
            for job in group:
                _run_job(db, job, is_alone=len(group) == 1)
            db.execute("COMMIT")
            self._write_mark(db, group)
            self.commits += 1
        except BaseException as error:  # noqa: BLE001 - each waiting caller must get the bug, not wait for ever
            self._disconnect(checkpoint=False)
            is_failure = isinstance(error, sqlite3.Error) and is_environment_error(error)
            self.lost |= {job.of for job in group if job.of is not None}
            for job in group:
                job.error = StoreFailed(str(error)) if is_failure else error

    def _write_mark(self, db: Database, group: list[_Job]) -> None:
        """Write one mark for all jobs whose callers wait for one, and note in each whether it was written."""
        wanting = [(job, mark) for job, mark in _marks(group) if not mark.is_later]
        is_marked = bool(wanting) and self.marker(db, [mark for _, mark in wanting])
        for job, _ in wanting:
            job.is_marked = is_marked

    def _finish_marks(self, group: list[_Job]) -> None:
        """Sync the mark of an intent, or write the mark that no caller waits for if no job waits.

        The mark of an intent also replaces the other one.
        """
        marks = [mark for _, mark in _marks(group)]
        waited_for = [mark for mark in marks if not mark.is_later]
        self._later_mark = marks[-1] if marks else self._later_mark
        if waited_for:
            self._finish_mark(waited_for[-1])
        elif self._later_mark is not None and self._jobs.empty():
            self._finish_mark(self._later_mark)

    def _finish_mark(self, mark: Mark) -> None:
        self._later_mark = None
        if self._connection is not None:
            try:
                self.finish_mark(self._connection, mark.now)
            except sqlite3.Error as error:
                if not is_environment_error(error):
                    raise

    def _connect(self) -> Database:
        if self._connection is None:
            self._connection = connect(self._path, writes=True)
            migrate(self._connection, migration_scripts())
            create_identity(self._connection)
        return self._connection

    def _disconnect(self, *, checkpoint: bool) -> None:
        db, self._connection = self._connection, None
        if db is None:
            return
        try:
            if checkpoint:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            if not is_environment_error(error):
                raise
        finally:
            db.close()

    def _maybe_checkpoint(self) -> None:
        """Checkpoint between commits. PASSIVE waits for no reader, and no reader waits for it."""
        since = self.commits - self._checkpointed_count
        if self._connection is None or since < (
            IDLE_CHECKPOINT_COMMITS if self._jobs.empty() else BUSY_CHECKPOINT_COMMITS
        ):
            return
        self._checkpointed_count = self.commits
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            self._disconnect(checkpoint=False)
            if not is_environment_error(error):
                raise


def _marks(group: list[_Job]) -> list[tuple[_Job, Mark]]:
    return [(job, job.mark) for job in group if job.mark is not None and job.error is None]


def _ignore_store_failure(done: asyncio.Future[object]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None and not isinstance(error, StoreFailed):
        raise error  # a bug: the loop's exception handler reports it


def _resolve(group: list[_Job]) -> None:
    for job in group:
        if job.done.done():  # the caller was cancelled
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result((job.result, job.is_marked))


def _run_job(db: Database, job: _Job, *, is_alone: bool) -> None:
    """Run one job, in a savepoint unless it is alone in its commit. An error of disk or file ends the whole group."""
    if not is_alone:
        db.execute("SAVEPOINT job")
    try:
        job.result = job.work(db)
    except Exception as error:  # a bug of this job: its caller gets it, the other jobs continue
        if isinstance(error, sqlite3.Error) and (is_environment_error(error) or not db.in_transaction):
            raise
        if is_alone:
            db.execute("ROLLBACK")
            db.execute("BEGIN IMMEDIATE")
        else:
            db.execute("ROLLBACK TO job")
        db.stored_preflights.clear()
        job.error = error
    if not is_alone:
        db.execute("RELEASE job")
