"""Holds a video process's folder and sockets: one process for a folder, while the folder is at its path.

The lock is on the folder itself. So it stays with the folder if the folder is moved, there is no lock file to delete,
and the kernel releases the lock whenever and however the process ends. A process recovers films only in a folder that
it holds, because no other process writes there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.video.ipc import live_socket

END_TIMEOUT_S: Final = 15.0  # seconds in which a video process without a socket closes its films and ends
POLL_INTERVAL_S: Final = 0.05  # seconds


class AlreadyRunning(Exception):  # noqa: N818 - the name is the condition
    """Another video process holds this folder or serves this socket."""


class HeldFolder:
    """A folder that no other video process uses until `close`.

    `pinned` is a path that leads to the folder even after it was moved, and never to another folder at its old path.

    Raises:
        AlreadyRunning: another process holds it.
        OSError: it is no folder or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            os.close(self._handle)
            raise AlreadyRunning(str(path)) from held
        self.pinned = Path(f"/proc/self/fd/{self._handle}")

    def is_at(self, path: Path) -> bool:
        """Return whether this folder is at `path`; also True if the disk fails."""
        try:
            return os.path.samestat(os.fstat(self._handle), path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # a failing disk does not move a folder
            return True

    @property
    def is_in_place(self) -> bool:
        """Whether the folder is still at the path at which it was opened: nobody moved, replaced or deleted it."""
        return self.is_at(self._path)

    def close(self) -> None:
        """Release the folder."""
        os.close(self._handle)


class HeldSocket:
    """The sockets of this process and its pid file, in the folder that it holds."""

    def __init__(self, folder: HeldFolder, socket: Path, pid_handle: int) -> None:
        self.folder = folder
        self.path, self.live = folder.pinned / socket.name, folder.pinned / live_socket(socket).name
        self._pid_file, self._pid_handle = folder.pinned / socket.with_suffix(".pid").name, pid_handle
        self._bound: dict[Path, tuple[int, int]] = {}

    def set_bound(self) -> None:
        """Remember the sockets that this process has just bound, so that it removes no other ones."""
        self._bound = {path: _identity(path.stat()) for path in (self.path, self.live)}

    @property
    def is_reachable(self) -> bool:
        """Whether a gateway finds this process at the socket's path."""
        return self.folder.is_in_place and self._is_own(self.path)

    def remove(self) -> None:
        """Remove the sockets and the pid file if they are this process's own."""
        for path in self._bound:
            if self._is_own(path):
                path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            is_same = os.path.samestat(self._pid_file.stat(), os.fstat(self._pid_handle))
            if is_same and self._pid_file.read_bytes() == _pid_line():
                self._pid_file.unlink()

    def _is_own(self, path: Path) -> bool:
        try:
            return _identity(path.stat()) == self._bound.get(path)
        except FileNotFoundError:
            return False
        except OSError:  # a failing disk does not replace a socket
            return True


@contextmanager
def hold_socket(socket: Path) -> Iterator[HeldSocket]:
    """Hold the socket's folder and lock its pid file: the lock, not the file, shows that a process runs.

    A video process of an earlier release holds only the pid file.

    Raises:
        AlreadyRunning: another process holds one of them.
    """
    with closing(HeldFolder(socket.parent)) as folder:
        pid_file = folder.pinned / socket.with_suffix(".pid").name
        handle = os.open(pid_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_locked = os.fstat(handle).st_ino == pid_file.stat().st_ino
            except (BlockingIOError, FileNotFoundError):  # locked, or its owner just removed it
                is_locked = False
            if not is_locked:
                raise AlreadyRunning(str(socket))
            os.ftruncate(handle, 0)
            os.write(handle, _pid_line())
            held = HeldSocket(folder, socket, handle)
            for left in (held.path, held.live):  # left by a killed process
                left.unlink(missing_ok=True)
            try:
                yield held
            finally:
                held.remove()
        finally:
            os.close(handle)


def end_by_socket(socket: Path, timeout_s: float = END_TIMEOUT_S) -> None:
    """Remove the socket, after which its video process closes its films and ends, and wait until it has ended.

    Raises:
        TimeoutError: it still runs after `timeout_s` seconds.
        OSError: the socket cannot be removed.
    """
    give_up = time.monotonic() + timeout_s
    socket.unlink(missing_ok=True)
    while True:
        try:
            HeldFolder(socket.parent).close()
        except AlreadyRunning as running:
            if time.monotonic() > give_up:
                raise TimeoutError(f"the video process of {socket.parent} still runs") from running
            time.sleep(POLL_INTERVAL_S)  # `flock` has no timeout; this thread has no event loop
        else:
            return


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _pid_line() -> bytes:
    return b"%d\n" % os.getpid()
